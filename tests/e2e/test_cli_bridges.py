"""`--bridge` on the command line: refused with its place, missing with what to install, and listed."""

from pathlib import Path

import pytest
from tests.e2e.program import SITE, run, write

BRIDGE = """
from powershare.errors import FormatError, Problem

class Odd:
    def __init__(self, rest, /, *, clock, said):
        raise FormatError([Problem(f'bridge "odd:{rest}"', field, "is wrong") for field in ("one", "two")])
"""


@pytest.fixture
def strangers(tmp_path: Path) -> str:
    """Where a stranger's distribution lies: a bridge that refuses every address."""
    place = tmp_path / "strangers"
    info = place / "odd_bridge-1.2.3.dist-info"
    info.mkdir(parents=True)
    write(place, "odd_bridge.py", BRIDGE)
    write(info, "METADATA", "Metadata-Version: 2.1\nName: odd-bridge\nVersion: 1.2.3\n")
    write(info, "entry_points.txt", "[powershare.bridges]\nodd = odd_bridge:Odd\n")
    return str(place)


def test_every_problem_of_every_address_is_said_before_anything_is_regulated(tmp_path: Path, strangers: str) -> None:
    path = write(tmp_path, "site.toml", SITE)
    words = ("run", path, "--emulate", "--bridge", ":x", "--bridge", "odd:1", "--bridge", "odd:2", "--seconds", "1")
    done = run(*words, PYTHONPATH=strangers)
    assert (done.returncode, done.stdout) == (2, "")
    nameless, *others = done.stderr.splitlines()
    assert nameless.startswith('--bridge: bridge ":x": does not begin with the name of a bridge; write name+rest, such')
    assert others == [
        f'--bridge: bridge "odd:{number}": {field}: is wrong' for number in (1, 2) for field in ("one", "two")
    ]


def test_a_bridge_that_is_not_installed_is_said_with_what_is(tmp_path: Path, strangers: str) -> None:
    path = write(tmp_path, "site.toml", SITE)
    done = run("run", path, "--emulate", "--bridge", "od:x", "--seconds", "1", PYTHONPATH=strangers)
    assert (done.returncode, done.stdout) == (4, "")
    assert 'no bridge "od" is installed; did you mean "odd"?' in done.stderr


@pytest.mark.parametrize("command", ["adapters", "doctor"])
def test_bridges_are_listed(command: str, strangers: str) -> None:
    done = run(command, PYTHONPATH=strangers)
    assert done.returncode == 0, done.stderr
    assert "odd" in done.stdout
    assert "odd-bridge 1.2.3" in done.stdout
