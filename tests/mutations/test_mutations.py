"""The ledger fits the code, a mutant is really what runs, and a few of them are caught."""

import importlib.util
import re
from pathlib import Path

import attrs
import pytest
from tests.mutations import ledger, scratch
from tests.mutations.__main__ import main
from tests.mutations.ledger import Budget
from tests.mutations.table import PACKAGE, Edit, Mutant, TableError, misfits, read
from tests.mutations.worlds import SITES, WEATHERS

SAID, MUTANTS = read()
BUDGET = Budget(minutes=SAID["minutes"], seeds=SAID["seeds"], worlds=tuple(SAID["worlds"]))
NAMED = {mutant.name: mutant for mutant in MUTANTS}

MODELS = {
    *(f"authority {number}" for number in range(1, 6)),
    *(f"grant {number}" for number in range(1, 18)),
    *(f"6.3 {number}" for number in range(5, 8)),
}
"""Every mistake that the models seed, and those that they found by themselves."""

# What is tested is the tree that the tests stand in; an installed copy may be another one.
needs_tree = pytest.mark.skipif(not PACKAGE.is_dir(), reason="needs the sources beside the tests")
pytestmark = needs_tree


def test_every_mutant_still_applies() -> None:
    """What each mutant changes stands in the code exactly once, so that the table cannot rot."""
    assert misfits(MUTANTS) == []


def test_every_seeded_mistake_of_the_models_is_in_the_table() -> None:
    assert not MODELS - {mutant.source for mutant in MUTANTS}
    assert sum(mutant.source == "own" for mutant in MUTANTS) >= 20


def test_every_mutant_is_run_somewhere_that_exists() -> None:
    for mutant in MUTANTS:
        worlds = BUDGET.worlds_of(mutant)
        assert worlds or mutant.tests, mutant.name
        for world in worlds:
            site, _, weather = world.partition("/")
            assert site in SITES, world
            assert weather in WEATHERS, world
        for path in mutant.tests:
            assert (scratch.ROOT / path.partition("::")[0]).exists(), path


def test_what_may_survive_says_why_and_what_is_a_matter_of_safety_may_not() -> None:
    for mutant in MUTANTS:
        assert mutant.safety != bool(mutant.harmless), mutant.name


@pytest.mark.parametrize("name", ["lag-forgotten", "decrease-believed-at-once", "decrease-believed-at-once-c"])
def test_the_mutant_is_what_runs(tmp_path: Path, name: str) -> None:
    """A process with a copy has every module from there, whatever is installed, with the mutant in it."""
    mutant = NAMED[name]
    if mutant.kernel == "native" and not scratch.can_compile():
        pytest.skip("nothing to compile with")
    where = scratch.copy(mutant, tmp_path)
    for edit in mutant.edits:
        text = (where / "powershare" / edit.file).read_text(encoding="utf-8")
        assert edit.new in text
        assert edit.old not in text
    names = ["powershare.leases.holder", "powershare._native.ledger_reference", "powershare.simulation.network"]
    answer = scratch.run(where, mutant.kernel, {"files": names}, 60)
    assert all(Path(path).is_relative_to(where) for path in answer["files"].values()), answer
    if mutant.kernel != "any":
        assert answer["backend"] == {"native": "native", "twin": "python"}[mutant.kernel]


def test_a_mutant_in_the_copy_changes_nothing_here(tmp_path: Path) -> None:
    scratch.copy(NAMED["lag-forgotten"], tmp_path)
    found = importlib.util.find_spec("powershare.leases.holder")
    assert found is not None
    assert not Path(str(found.origin)).is_relative_to(tmp_path)


def test_what_no_longer_fits_is_an_error() -> None:
    """A change whose text is not there, or there twice, is refused, not left out."""
    for text in ("nothing of it", "old old"):
        with pytest.raises(TableError):
            Edit("a.py", "old", "new").apply(text)
    wrong = attrs.evolve(MUTANTS[0], edits=(Edit("timing.py", "no such text", ""),))
    (complaint,) = misfits([wrong])
    assert MUTANTS[0].name in complaint


def test_two_of_one_name_and_unknown_words_are_errors(tmp_path: Path) -> None:
    entry = '[[mutant]]\nname = "a"\nabout = ""\nsource = "own"\nsafety = true\n{}'
    edit = '[[mutant.edit]]\nfile = "timing.py"\nold = "a"\nnew = "b"\n'
    for body in (entry.format(edit) * 2, entry.format("colour = 1\n" + edit), entry.format("edit = []\n")):
        path = tmp_path / "ledger.toml"
        path.write_text("[budget]\n" + body, encoding="utf-8")
        with pytest.raises(TableError):
            read(path)


def test_a_mutant_is_caught_and_the_unchanged_code_is_not() -> None:
    """In one and the same world and seed the mutant breaks an invariant, and the code as it is breaks nothing."""
    mutant = attrs.evolve(NAMED["decrease-believed-at-once"], worlds=("pair/calm",), seen=None)
    budget = attrs.evolve(BUDGET, seeds=1, minutes=5, first_only=True)
    assert ledger.control([("pair/calm", 1)], budget, jobs=1) == {}
    verdict = ledger.judge(mutant, budget, {})
    assert verdict.caught
    assert re.fullmatch(r"I\d+", verdict.by)
    assert verdict.seed == 1
    assert not verdict.failed


def test_where_the_unchanged_code_breaks_nothing_is_concluded() -> None:
    """A seed that breaks the unchanged code says nothing about a mutant; one that is not run has survived."""
    mutant = attrs.evolve(NAMED["decrease-believed-at-once"], worlds=("pair/calm",), seen=None)
    budget = attrs.evolve(BUDGET, seeds=1, minutes=5)
    verdict = ledger.judge(mutant, budget, {("pair/calm", 1): "broken by itself"})
    assert not verdict.caught
    assert verdict.failed
    assert verdict.trials == 0


def test_the_command_fails_when_a_matter_of_safety_survives(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the name, where too little was simulated to see the mistake."""
    arguments = ["boot-ignored", "--seeds", "1", "--minutes", "0.05", "--no-control"]
    assert main(arguments) == 1
    assert "survived, and must not: boot-ignored" in capsys.readouterr().out


def test_the_command_knows_no_such_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nobody"]) == 2
    assert "no mutant" in capsys.readouterr().err


def test_the_sample_of_the_continuous_check_covers_every_kind_of_file() -> None:
    sample: list[Mutant] = [mutant for mutant in MUTANTS if mutant.ci]
    assert len(sample) >= 15
    assert {"election", "leases", "node", "_native"} <= {file.partition("/")[0] for one in sample for file in one.files}
