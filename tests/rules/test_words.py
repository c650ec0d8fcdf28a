"""No path of somebody's machine, no unfinished work, no word about how the project was made."""

import re
from pathlib import Path

import pytest
from tests.rules import house

TEXT_SUFFIXES = (".py", ".pyi", ".c", ".h", ".md", ".toml", ".txt", ".json", ".csv", ".cfg")
EVERYWHERE = [
    *house.files(*TEXT_SUFFIXES),
    *(path for path in sorted(house.ROOT.glob("*")) if path.suffix in TEXT_SUFFIXES),
]
CODE = list(house.files(".py", ".c", ".h", within=("src", "adapters", "tests", "benchmarks")))

# The patterns are written so that they do not find themselves.
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp)/[\w.]+")
MAKERS = re.compile(r"\b(?:sub[-]?agents?|A[I] assistant|as an A[I]|clau[d]e|L[L]Ms?|chat[ ]?gpt)\b", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|Not[I]mplementedError)\b")


@pytest.mark.parametrize("path", EVERYWHERE, ids=house.shown)
def test_no_machine_paths_and_no_makers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = [match.group(0) for pattern in (MACHINE, MAKERS) for match in pattern.finditer(text)]
    assert not found, found


@pytest.mark.parametrize("path", CODE, ids=house.shown)
def test_nothing_is_left_for_later(path: Path) -> None:
    found = UNFINISHED.findall(path.read_text(encoding="utf-8"))
    assert not found, found


def test_the_patterns_find_what_they_should() -> None:
    assert MACHINE.search("see /ho" + "me/me/x")
    assert UNFINISHED.search("# TO" + "DO")
    assert MAKERS.search("L" + "LM")
    assert not MACHINE.search("https://example.org/home/page")
