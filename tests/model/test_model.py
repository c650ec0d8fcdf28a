"""A very small part of the searches, and that the table of them is whole: `python -m tests.model` runs the rest."""

import re
from pathlib import Path

import pytest
from tests.model import __main__ as command
from tests.model import spin
from tests.model.checks import CHECKS
from tests.model.table import TIERS, chosen

SMALL = ("authority-3.bug-3", "grant-2.bug-1", "trim.bug-22", "both-2.bug-13", "nested-2.right")
MODELS = sorted(path.stem for path in Path(spin.HERE).glob("*.pml") if path.stem != "symmetry")
_MISTAKES = re.compile(r"\n \* Mistakes(.*?)\n(?: \* Reachable| \*/)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w-])(\d{1,2}) (?=[a-zA-Z\"])")
_MULTIPLE = re.compile(r"BUG=(\d+)")
COSTS_AMPS_ONLY = {("grant", 15)}
"""Mistakes that break no claim."""


def mistakes(model: str) -> set[int]:
    """Return the numbers of the mistakes that a model's head lists."""
    head = _MISTAKES.search((spin.HERE / f"{model}.pml").read_text(encoding="utf-8"))
    assert head is not None
    return {int(number) for number in _NUMBER.findall(head[1])}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_search_comes_out_as_expected(name: str) -> None:
    """A model still says what it said, and a mistake in it is found."""
    absent = spin.missing()
    if absent:
        pytest.skip(f"{' and '.join(absent)} not found: {spin.HOW_TO_INSTALL}")
    (check,) = [check for check in CHECKS if check.name == name]
    assert check.complaint(spin.run(check.search)) == ""


@pytest.mark.parametrize("model", MODELS)
def test_every_mistake_of_a_model_is_in_the_table(model: str) -> None:
    """A mistake that can be put in is searched for, and is found unless it is one that costs amps only."""
    searched = {
        int(number)
        for check in CHECKS
        if check.search.model == model and check.errors == 1
        for number in _MULTIPLE.findall(" ".join(check.search.defines))
    }
    expected = {number for number in mistakes(model) if (model, number) not in COSTS_AMPS_ONLY}
    assert expected
    assert searched == expected


def test_the_table_has_no_name_twice() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names))


def test_a_search_without_an_error_says_how_many_states_there_are() -> None:
    """Otherwise a model in which nothing can happen would pass."""
    unknown = [check.name for check in CHECKS if check.errors == 0 and check.complete and check.states is None]
    assert not unknown


def test_the_short_tier_is_part_of_the_long_one() -> None:
    short, long = (chosen(CHECKS, tier) for tier in TIERS)
    assert short
    assert set(short) < set(long)


def test_without_spin_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert command.main(["--tier", "ci"]) == 2
    assert "apt-get install -y spin" in capsys.readouterr().err


def test_an_unexpected_outcome_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error where none was expected, a search that was cut short, and another number of states."""
    (check,) = [check for check in CHECKS if check.name == "authority-2.right"]
    right = spin.Outcome(0, check.states or 0, 1, 1, 1.0, 0.1, complete=True)
    monkeypatch.setattr(spin, "missing", list)
    for outcome, code in (
        (right, 0),
        (spin.Outcome(1, 10, 1, 1, 1.0, 0.1, complete=False), 1),
        (spin.Outcome(0, right.states, 1, 1, 1.0, 0.1, complete=False), 1),
        (spin.Outcome(0, right.states - 1, 1, 1, 1.0, 0.1, complete=True), 1),
    ):
        monkeypatch.setattr(spin, "run", lambda _search, outcome=outcome: outcome)
        assert command.main(["--only", "authority-2.right"]) == code
        assert ("FAILED" in capsys.readouterr().out) == bool(code)
