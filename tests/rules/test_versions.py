"""What is written in more than one place says the same thing everywhere."""

import re
import tomllib

from tests.rules import house

import powershare

PROJECT = tomllib.loads((house.ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_changelog_has_an_entry_for_this_version() -> None:
    changelog = (house.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == powershare.__version__


def test_core_needs_only_attrs_and_cffi() -> None:
    names = {re.split(r"[<>=!~ \[]", requirement)[0] for requirement in PROJECT["project"]["dependencies"]}
    assert names == {"attrs", "cffi"}


def test_core_fills_no_adapter_entry_point() -> None:
    """No adapter is privileged: each one, the emulated included, comes from its own distribution."""
    assert "entry-points" not in PROJECT["project"]


def test_readme_shows_the_two_commands() -> None:
    """The continuous check runs these lines as they stand."""
    readme = (house.ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[cli]' && .venv/bin/powershare demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest",
    ]
