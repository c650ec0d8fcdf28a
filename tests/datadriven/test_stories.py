"""Every story of `testdata` goes as it is told, and the harness tells no tales.

After a change made on purpose: POWERSHARE_REWRITE=1 pytest tests/datadriven/test_stories.py; then read the difference.
"""

import os
from pathlib import Path

import pytest
from tests.datadriven.harness import Block, StoryError, difference, parse, play

TESTDATA = Path(__file__).parent / "testdata"
STORIES = sorted(TESTDATA.glob("*.txt"))
REWRITE = os.environ.get("POWERSHARE_REWRITE") == "1"

KNOWN: dict[str, str] = {}
"""Stories that tell what should be seen, and is not yet: each with what is wrong."""

SMALL = "# A car gets what it asks.\nsite feeder=12 connectors=a,b\nplug a 6\nrun 50\noffers\ncheck\n----\n"


def marked(path: Path) -> object:
    """The story, with what is known to be wrong about what it tells of."""
    reason = KNOWN.get(path.stem)
    marks = [] if reason is None else [pytest.mark.xfail(strict=True, reason=reason)]
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", [marked(path) for path in STORIES])
def test_story(path: Path) -> None:
    seen = difference(path, rewrite=REWRITE and path.stem not in KNOWN)
    assert not seen, f"\n{seen}"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_begins_with_what_it_proves_and_ends_with_a_check(path: Path) -> None:
    parts = list(parse(path.read_text(encoding="utf-8"), path.name))
    assert isinstance(parts[0], str)
    assert parts[0].startswith("# ")
    assert parts[0].endswith((".", ":")) or str(parts[1]).startswith("# ")
    blocks = [part for part in parts if isinstance(part, Block)]
    assert blocks[-1].commands[-1] == "check"


def test_what_is_known_to_be_wrong_is_told_in_a_story() -> None:
    assert KNOWN.keys() <= {path.stem for path in STORIES}


def small(tmp_path: Path) -> Path:
    """A story as it goes."""
    path = tmp_path / "small.txt"
    path.write_text(play(SMALL, path.name), encoding="utf-8")
    return path


def test_a_wrong_expectation_fails_with_a_difference(tmp_path: Path) -> None:
    path = small(tmp_path)
    assert difference(path) == ""
    path.write_text(path.read_text(encoding="utf-8").replace("offers a 6", "offers a 7"), encoding="utf-8")
    seen = difference(path).splitlines()
    assert "-offers a 7, b -" in seen
    assert "+offers a 6, b -" in seen


def test_rewriting_puts_what_is_seen_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = small(tmp_path)
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace("nothing broke", "everything broke"), encoding="utf-8")
    assert difference(path, rewrite=True) == ""
    assert path.read_text(encoding="utf-8") == right
    assert difference(path, rewrite=True) == ""
    assert path.read_text(encoding="utf-8") == right


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("frobnicate a", '"frobnicate" is no command'),
        ("run until leads b within 1", "after 1 s still: leads a"),
        ("run 5 while offers b=6", "after 0.0 s: offers b 0"),
        ("run until rains within 1", '"rains" is no condition'),
        ("crash x", "names 'x', which is not there"),
        ("show x", "there is no 'x'"),
        ("run", "something is missing, or too much"),
        ("pause a", '"pause" must say for how long'),
        ("hold a>x", '"a>x" is no way between two members'),
        ("release a>b", "nothing is done to a>b"),
        ("site feeder=12 connectors=a,b", "there is a site already"),
        ("storm loss=10", "a storm comes before"),
    ],
)
def test_a_line_that_cannot_be_is_one_error_with_file_and_line(line: str, message: str) -> None:
    with pytest.raises(StoryError) as caught:
        play(SMALL + f"\nrun 1\n{line}\n----\n", "small.txt")
    assert str(caught.value).startswith(f"small.txt:10: {line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commands_without_a_separator_are_an_error() -> None:
    with pytest.raises(StoryError, match=r"small\.txt:1: these commands end without"):
        play("site feeder=12 connectors=a,b\n\n----\n", "small.txt")
