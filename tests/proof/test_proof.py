"""The proof's tables are whole, and a small part of it holds: `python -m tests.proof` proves the rest."""

import re

import pytest
from tests.proof import prover
from tests.proof.mistakes import MISTAKES, Mistake
from tests.proof.parts import FIT_TEST, PARTS, SOURCES, UNPROVED

SOURCE_FILES = sorted((prover.NATIVE / "src").glob("*.[ch]"))


def test_every_contract_of_the_kernel_belongs_to_a_part() -> None:
    """No contract is written and then not proved."""
    with_contracts = {path.name for path in SOURCE_FILES if "/*@" in path.read_text(encoding="utf-8")}
    assert with_contracts == {source for sources in SOURCES.values() for source in sources}
    for path in SOURCE_FILES:
        text = path.read_text(encoding="utf-8")
        assert len(prover.contracts(path)) == len(re.findall(r"^/\*@", text, re.MULTILINE)), path.name


def test_nothing_is_taken_for_granted() -> None:
    """There is no `admit`; the axioms are definitions of words, and these are all."""
    contract = re.compile(r"/\*@.*?\*/|//@[^\n]*", re.DOTALL)
    files = [*SOURCE_FILES, *sorted(prover.HERE.glob("*.[ch]"))]
    words = {path.name: contract.findall(path.read_text(encoding="utf-8")) for path in files}
    assert not [name for name, said in words.items() if re.search(r"\badmit\b", " ".join(said))]
    axioms = {name for said in words.values() for name in re.findall(r"\baxiom (\w+)", " ".join(said))}
    assert axioms == {"left_is", "share_if_loaded", "no_share_if_not"}


def test_the_tiers_name_functions_that_there_are() -> None:
    known = {name for part in PARTS for name in part.functions("all")}
    assert known >= set(FIT_TEST) | UNPROVED.keys() | {mistake.function for mistake in MISTAKES}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.about.replace(" ", "-"))
def test_a_mistake_can_still_be_put_in(mistake: Mistake) -> None:
    """The text that a mistake replaces stands once in the sources."""
    text = (prover.NATIVE / "src" / mistake.source).read_text(encoding="utf-8")
    assert text.count(mistake.right) == 1


@pytest.mark.slow
def test_a_small_part_is_proved() -> None:
    """A function is proved as the tables say."""
    absent = prover.missing()
    if absent:
        pytest.skip(f"{' and '.join(absent)} not found: {prover.HOW_TO_INSTALL}")
    (outcome,) = prover.prove("sharing", ["ps_next_level"])
    assert outcome.goals > 10
    assert not outcome.unproved
