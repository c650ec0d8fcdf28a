"""Names of adapters, meters and emulators: looked up late, imported later, every failure says what to do about it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from powershare.errors import AdapterNotInstalled, FormatError
from powershare.registry import Emulators, Group, ImportState, Meters, Registry, split_address
from powershare.testing import VirtualClock

WORKING = """
class Echo:
    def __init__(self, rest, /, *, clock):
        self.rest, self.clock = rest, clock
"""


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment of its own, on the path, whose modules are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(
    root: Path,
    distribution: str,
    name: str,
    code: str = WORKING,
    target: str | None = None,
    group: str = "powershare.adapters",
) -> str:
    """Put a distribution with one module and one entry point where Python finds it; return the module's name."""
    module = distribution.replace("-", "_")
    (root / f"{module}.py").write_text(code, encoding="utf-8")
    info = root / f"{module}-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2.3\n", encoding="utf-8")
    entry = f"[{group}]\n{name} = {target or module + ':Echo'}\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    return module


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("serial+twc:///dev/ttyUSB0?id=7777", ("serial", "twc:///dev/ttyUSB0?id=7777")),
        ("mqtt:home/panel", ("mqtt", "home/panel")),
        ("mqtt:home/a+b", ("mqtt", "home/a+b")),
        ("serial+modbus+tcp://h:502", ("serial", "modbus+tcp://h:502")),
        ("emulated", ("emulated", "")),
        ("emulated:", ("emulated", "")),
        ("my-own_2:x", ("my-own_2", "x")),
    ],
)
def test_the_name_ends_before_the_first_separator(address: str, expected: tuple[str, str]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize("address", ["", "+x", ":x", "/dev/ttyUSB0", "a b:c", "élan:x", "--"])
def test_an_address_without_a_name_is_refused(address: str) -> None:
    with pytest.raises(FormatError, match="does not begin with the name of an adapter") as caught:
        split_address(address)
    assert caught.value.problems[0].where == f'adapter "{address}"'


def test_nothing_is_imported_until_an_adapter_is_built(site_packages: Path) -> None:
    module = install(site_packages, "their-box", "box")
    registry = Registry([str(site_packages)])
    info = registry.installed()["box"]
    assert info.state is ImportState.NOT_IMPORTED
    assert (info.claims[0].distribution, info.claims[0].version) == ("their-box", "1.2.3")
    assert module not in sys.modules
    adapter = registry.create("box+there?x=1")
    assert (module in sys.modules, vars(adapter)["rest"]) == (True, "there?x=1")
    assert registry.installed()["box"].state is ImportState.IMPORTED
    assert registry.resolve("box") is registry.resolve("box")


def test_the_view_is_read_only(site_packages: Path) -> None:
    install(site_packages, "their-box", "box")
    view = Registry([str(site_packages)]).installed()
    with pytest.raises(TypeError):
        view["other"] = view["box"]  # type: ignore[index]


def test_a_published_adapter_that_is_missing_says_what_to_install(site_packages: Path) -> None:
    with pytest.raises(AdapterNotInstalled, match="pip install powershare-serial; installed: none") as caught:
        Registry([str(site_packages)]).create("serial+twc:///dev/ttyUSB0")
    assert isinstance(caught.value, LookupError)


def test_a_slip_of_the_pen_finds_what_was_meant(site_packages: Path) -> None:
    install(site_packages, "their-box", "goodbox")
    registry = Registry([str(site_packages)])
    with pytest.raises(AdapterNotInstalled, match=r'did you mean "goodbox"[?]'):
        registry.resolve("godbox")
    with pytest.raises(AdapterNotInstalled, match=r'did you mean "serial" [(]pip install powershare-serial[)]'):
        registry.resolve("seriel")


def test_an_unknown_name_says_what_is_known(site_packages: Path) -> None:
    install(site_packages, "their-box", "box")
    with pytest.raises(AdapterNotInstalled, match=r"wifi [(]powershare-wifi[)].*; installed: box$"):
        Registry([str(site_packages)]).resolve("zzzz")


def test_two_claims_to_one_name_use_neither(site_packages: Path) -> None:
    install(site_packages, "first-box", "box")
    install(site_packages, "second-box", "box")
    install(site_packages, "third-box", "other")
    registry = Registry([str(site_packages)])
    with pytest.raises(
        AdapterNotInstalled, match=r"first-box 1\.2\.3 .* and second-box 1\.2\.3 .*uninstall all but one"
    ):
        registry.resolve("box")
    assert registry.installed()["box"].state is ImportState.CONTESTED
    assert vars(registry.create("other:1"))["rest"] == "1"


def test_an_older_copy_further_down_the_path_is_no_second_claim(site_packages: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    install(site_packages, "their-box", "box")
    install(elsewhere, "their-box", "box")
    registry = Registry([str(site_packages), str(elsewhere)])
    assert len(registry.installed()["box"].claims) == 1


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "AttributeError"),
    ],
)
def test_a_broken_import_names_the_distribution_and_the_cause(site_packages: Path, code: str, cause: str) -> None:
    install(site_packages, "their-box", "box", code)
    registry = Registry([str(site_packages)])
    with pytest.raises(AdapterNotInstalled, match=f"their-box 1.2.3 .*{cause}.*reinstall") as caught:
        registry.resolve("box")
    assert caught.value.__cause__ is not None
    info = registry.installed()["box"]
    assert info.state is ImportState.BROKEN
    assert cause in (info.error or "")


def test_an_entry_point_that_builds_nothing_is_refused(site_packages: Path) -> None:
    install(site_packages, "their-box", "box", "Echo = 7")
    with pytest.raises(AdapterNotInstalled, match="is a int, not a class or function"):
        Registry([str(site_packages)]).resolve("box")


def test_refresh_sees_what_was_installed_meanwhile(site_packages: Path) -> None:
    registry = Registry([str(site_packages)])
    assert not registry.installed()
    install(site_packages, "their-box", "box")
    assert not registry.installed()
    registry.refresh()
    assert set(registry.installed()) == {"box"}


def test_a_distribution_that_cannot_be_read_hides_no_other(site_packages: Path) -> None:
    """It is named where it may be the reason, and what is known does not change from one look to the next."""
    install(site_packages, "powershare-aaa", "aaa")
    install(site_packages, "powershare-mmm", "mmm")
    install(site_packages, "powershare-zzz", "zzz")
    broken = site_packages / "powershare_mmm-1.2.3.dist-info" / "entry_points.txt"
    broken.write_text("[powershare.adapters]\nno pair\n", encoding="utf-8")
    registry = Registry([str(site_packages)])
    for _ in range(2):
        assert list(registry.installed()) == ["aaa", "zzz"]
    assert callable(registry.resolve("zzz"))
    with pytest.raises(AdapterNotInstalled, match=r"cannot be read, reinstall them: powershare-mmm \(TypeError"):
        registry.resolve("mmm")


GROUPS = (Registry, Meters, Emulators)


@pytest.mark.parametrize("group", GROUPS)
def test_a_name_of_one_group_is_none_of_another(site_packages: Path, group: type[Group[object]]) -> None:
    install(site_packages, "their-box", "box", group=group.group)
    for other in GROUPS:
        assert list(other([str(site_packages)]).installed()) == (["box"] if other is group else [])


def test_a_meter_is_built_from_its_address(site_packages: Path) -> None:
    install(site_packages, "their-box", "box", group="powershare.meters")
    clock = VirtualClock()
    meter = Meters([str(site_packages)]).create("box:home/panel", clock=clock)
    assert vars(meter) == {"rest": "home/panel", "clock": clock}
    with pytest.raises(FormatError, match=r"does not begin with the name of a meter; write name[+]rest, such as mqtt:"):
        Meters([str(site_packages)]).create("/dev/ttyUSB0")


def test_an_emulator_is_built_with_its_options(site_packages: Path) -> None:
    code = """
class Echo:
    def __init__(self, options, /, *, units, clock, changed):
        self.options, self.units, self.clock, self.changed = options, units, clock, changed
"""
    install(site_packages, "their-box", "box", code, group="powershare.emulators")
    clock, changed = VirtualClock(), print
    emulator = Emulators([str(site_packages)]).create("box", {"a": "1"}, units=3, clock=clock, changed=changed)
    assert vars(emulator) == {"options": {"a": "1"}, "units": 3, "clock": clock, "changed": changed}


@pytest.mark.parametrize(
    ("group", "name", "words"),
    [
        (Meters, "mqtt", 'no meter "mqtt" is installed; install it with: pip install powershare-mqtt'),
        (Emulators, "twc-gen2", 'no emulator "twc-gen2" is installed; install it with: pip install powershare-serial'),
        (Emulators, "twcgen2", r'did you mean "twc-gen2" [(]pip install powershare-serial[)]'),
        (Emulators, "zzzz", r"known but not installed: twc-gen2 [(]powershare-serial[)], modbus"),
    ],
)
def test_a_missing_meter_or_emulator_says_what_to_install(
    site_packages: Path, group: type[Group[object]], name: str, words: str
) -> None:
    with pytest.raises(AdapterNotInstalled, match=words):
        group([str(site_packages)]).resolve(name)
