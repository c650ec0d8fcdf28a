"""What the README and the documentation show is run here, as it stands."""

import contextlib
import io
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a document in one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [body for name, body in _BLOCK.findall(text) if name == language]


def run(program: str) -> str:
    """Run a program as a user would paste it, and return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "<document>", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def test_readme_program_prints_the_fair_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 A: four takes the 32 A it may, two the 10 A it wants, and the feeder leaves 19 A to each of the others."""
    monkeypatch.chdir(ROOT)
    (program,) = blocks("README.md", "python")
    assert len(program.splitlines()) <= 15
    lines = run(program).splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["one", "19000"],
        ["two", "10000"],
        ["three", "19000"],
        ["four", "32000"],
    ]
    assert "feeder" in lines[0]
    assert lines[4].endswith("(0,)")


def test_getting_started_answers_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program asserts the 22 A that the text promises."""
    monkeypatch.chdir(tmp_path)
    (site,) = blocks("docs/getting-started.md", "toml")
    (program,) = blocks("docs/getting-started.md", "python")
    Path("garage.toml").write_text(site, encoding="utf-8")
    run(program)
    assert "22_000" in program


@pytest.mark.parametrize("document", ["docs/file-formats.md", "docs/commands.md", "docs/getting-started.md"])
def test_documented_json_is_json(document: str) -> None:
    """A block holds one object, or one per line."""
    found = blocks(document, "json")
    assert found
    for body in found:
        try:
            json.loads(body)
        except json.JSONDecodeError:
            for line in body.splitlines():
                json.loads(line)


def test_documented_site_is_toml() -> None:
    (body,) = blocks("docs/file-formats.md", "toml")
    assert tomllib.loads(body)["schema"] == "powershare/site/1"
