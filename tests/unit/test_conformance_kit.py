"""The kit itself: right adapters pass it, and for every rule a deliberately wrong adapter fails it there."""

import collections
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.wrong_adapters import WRONG

from powershare.testing import AdapterConformance, quality_scale_problems
from powershare.testing.quality_scale import RULES

WRONG_ADAPTERS = Path(__file__).with_name("wrong_adapters.py")
_LINE = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) \S+::(\w+(?:::\w+)?)::test_(\w+?)(?:\[(.*?)\])?(?: - .*)?$")


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, set[str]]]:
    """Fault (or name of the right adapter) -> outcome -> tests of the kit."""
    options = ["-p", "no:cacheprovider", "-rA", "-q", "--tb=no", "--no-header"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(WRONG_ADAPTERS)],
        cwd=WRONG_ADAPTERS.parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, dict[str, set[str]]] = {}
    for line in done.stdout.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        outcome, owner, test, parameters = match.groups()
        fault = next((f for f in WRONG if owner == "TestWrong" and f in (parameters or "")), owner.split("::")[-1])
        found.setdefault(fault, collections.defaultdict(set))[outcome].add(test)
    return found


@pytest.mark.parametrize(
    "adapter", ["TestWatchdog", "TestLease", "TestNone", "TestCannotPause", "TestFed", "TestAble", "TestFallback"]
)
def test_a_right_adapter_passes(results: dict[str, dict[str, set[str]]], adapter: str) -> None:
    outcomes = results[adapter]
    assert not outcomes.get("FAILED")
    assert not outcomes.get("ERROR")
    assert len(outcomes["PASSED"]) > 20


@pytest.mark.parametrize("fault", list(WRONG))
def test_a_wrong_adapter_fails_where_it_is_wrong(results: dict[str, dict[str, set[str]]], fault: str) -> None:
    assert results[fault]["FAILED"] == set(WRONG[fault])


def test_every_rule_of_the_kit_has_a_wrong_adapter() -> None:
    """No rule is there that nothing can fail."""
    rules = {name.removeprefix("test_") for name in dir(AdapterConformance) if name.startswith("test_")}
    noticed = {rule for broken in WRONG.values() for rule in broken}
    assert (rules - noticed, noticed - rules) == (set(), set())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[rules]\n", f"rules.{next(iter(RULES))}: is missing"),
        ("", "has no table"),
        ("[rules", "cannot be read"),
        ("rules = 3", "has no table"),
        ("[rules]\nnonsense = 'done'", "rules.nonsense: is no rule"),
        ("[rules]\nstrict-typing = 'soon'", "rules.strict-typing: is 'soon'"),
        ("[rules]\nstrict-typing = 'todo'", "rules.strict-typing: is todo without a reason"),
        ("[rules]\nstrict-typing = {status = 'exempt', comment = 'no'}", "rules.strict-typing: is exempt without"),
    ],
)
def test_a_quality_scale_with_a_hole_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "quality_scale.toml"
    path.write_text(text, encoding="utf-8")
    assert any(problem in found for found in quality_scale_problems(path))


def test_a_complete_quality_scale_passes(tmp_path: Path) -> None:
    path = tmp_path / "quality_scale.toml"
    path.write_text("[rules]\n" + "".join(f'{rule} = "done"\n' for rule in RULES), encoding="utf-8")
    assert quality_scale_problems(path) == ()
    assert quality_scale_problems(tmp_path / "absent.toml")


def test_the_page_on_the_quality_scale_says_what_the_scale_asks() -> None:
    page = (WRONG_ADAPTERS.parents[2] / "docs" / "adapter-quality-scale.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", page, re.MULTILINE))
    assert rows == dict(RULES)
