"""The proof's tables are whole, and a small part of it holds: `python -m tests.proof` proves the rest."""

import re
from pathlib import Path

import pytest
from tests.proof import prover, record
from tests.proof.__main__ import main
from tests.proof.mistakes import MISTAKES, Mistake
from tests.proof.parts import FIT_TEST, PARTS, SOURCES, STEP, UNPROVED
from tests.proof.prover import Outcome

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
    assert known >= {*FIT_TEST, *STEP} | UNPROVED.keys() | {mistake.function for mistake in MISTAKES}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.about.replace(" ", "-"))
def test_a_mistake_can_still_be_put_in(mistake: Mistake) -> None:
    """The text that a mistake replaces stands once in the sources."""
    text = (prover.NATIVE / "src" / mistake.source).read_text(encoding="utf-8")
    assert text.count(mistake.right) == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The functions that a prover is asked for, which finds everything proved, and every mistake."""
    functions: set[str] = set()

    def proved(_part: str, names: list[str], **_settings: object) -> list[Outcome]:
        functions.update(names)
        return [Outcome(name, 2, ()) for name in names]

    monkeypatch.setattr(prover, "missing", list)
    monkeypatch.setattr(prover, "prove", proved)
    monkeypatch.setattr(Mistake, "is_found", lambda *_: True)
    return functions


def test_of_other_sources_everything_is_proved_until_that_is_recorded(
    asked: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = {name for part in PARTS for name in part.functions("all")}
    monkeypatch.setattr(record, "RECORD", tmp_path / "proved.txt")
    assert main(["--tier", "ci"]) == 0
    assert "everything is proved" in capsys.readouterr().out
    assert asked == everything
    assert main(["--record"]) == 0
    asked.clear()
    assert main(["--tier", "ci"]) == 0
    assert asked == {*FIT_TEST, *STEP} < everything
    changed = tmp_path / "changed.c"
    changed.write_text("int one;\n", encoding="ascii")
    monkeypatch.setattr(record, "sources", lambda: [changed])
    assert main(["--tier", "ci"]) == 0
    assert asked == everything


def test_nothing_is_recorded_of_a_proof_that_failed_or_was_of_a_part(
    asked: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RECORD", tmp_path / "proved.txt")
    monkeypatch.setattr(Mistake, "is_found", lambda *_: False)
    assert main(["--record"]) == 1
    assert not record.is_current()
    for part in (["--tier", "ci"], ["--only", "fits"]):
        with pytest.raises(SystemExit):
            main(["--record", *part])
    assert asked


@pytest.mark.slow
def test_a_small_part_is_proved() -> None:
    """A function is proved as the tables say."""
    absent = prover.missing()
    if absent:
        pytest.skip(f"{' and '.join(absent)} not found: {prover.HOW_TO_INSTALL}")
    (outcome,) = prover.prove("sharing", ["ps_next_level"])
    assert outcome.goals > 10
    assert not outcome.unproved
