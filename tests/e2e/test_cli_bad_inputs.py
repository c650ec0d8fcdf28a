"""Every bad input of the table: exit code 2, exactly its problems on standard error, nothing else left behind."""

from pathlib import Path

import pytest
from tests.datadriven.bad_inputs import Case, base, cases
from tests.e2e.program import run, write

from powershare.cli import main

CASES = [case for case in cases() if case.refused]
ONE_OF_EACH = list({case.kind: case for case in CASES}.values())
TRACE_SITE = """
schema = "powershare/site/1"
supply = "single_phase"
circuit = [{id = "panel", limit_a = 40}]
connector = [{id = "north", circuit = "panel"}]
"""


def ident(case: Case) -> str:
    return f"{case.kind}: {case.name}"


def words(case: Case, directory: Path) -> list[str | Path]:
    """The command that reads this kind of file, asking for output files too."""
    bad = case.write(directory)
    if case.kind == "site":
        return ["site", "check", bad]
    site = write(directory, "base.toml", TRACE_SITE if case.kind == "trace" else base("site"))
    if case.kind == "demands":
        return ["allocate", site, bad, "--json"]
    if case.kind == "sessions":
        return ["simulate", site, bad, "--trace", directory / "out.ndjson", "--plot", directory / "out.svg"]
    return ["trace", "check", site, bad]


def check(case: Case, directory: Path, code: int, out: str, err: str) -> None:
    bad = directory / f"{case.kind}{case.ending}"
    problems = [problem.replace("PATH", str(bad)) for problem in case.problems]
    assert code == 2
    assert out == ""
    assert err.splitlines() == [f"{bad}: {problem.removeprefix(f'{bad}: ')}" for problem in problems]
    assert {path.name for path in directory.iterdir()} <= {bad.name, "base.toml"}


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_bad_input_is_refused_with_its_problems_and_nothing_else(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: more than a hundred starts of an interpreter would be a long wait."""
    code = main([str(word) for word in words(case, tmp_path)])
    check(case, tmp_path, code, *capsys.readouterr())


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=ident)
def test_the_program_says_the_same_from_a_process_of_its_own(case: Case, tmp_path: Path) -> None:
    done = run(*words(case, tmp_path))
    check(case, tmp_path, done.returncode, done.stdout, done.stderr)
