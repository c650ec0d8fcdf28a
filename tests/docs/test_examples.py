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


def test_readme_program_prints_shares_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 A on the feeder, north wants 32 and south 16: the fair share is 16 each, and nothing is left."""
    monkeypatch.chdir(ROOT)
    (program,) = blocks("README.md", "python")
    assert len(program.splitlines()) <= 15
    lines = run(program).splitlines()
    assert lines[0].startswith("north: 16 A, bound by ")
    assert lines[1].startswith("south: 16 A, bound by ")
    assert lines[2].split(":")[1].strip() == "(0,)"


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
