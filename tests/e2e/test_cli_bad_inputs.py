"""Every bad input of the table: exit code 2, exactly its problems on standard error, nothing else left behind."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.datadriven.bad_inputs import Case, base, cases
from tests.e2e.program import run, write

pytestmark = pytest.mark.slow

CASES = [case for case in cases() if case.refused]
TRACE_SITE = """
schema = "powershare/site/1"
supply = "single_phase"
circuit = [{id = "panel", limit_a = 40}]
connector = [{id = "north", circuit = "panel"}]
"""


def ident(case: Case) -> str:
    return f"{case.kind}: {case.name}"


def start(case: Case, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that reads this kind of file, asking for output files too."""
    directory.mkdir()
    bad = case.write(directory)
    if case.kind == "site":
        return run("site", "check", bad)
    site = write(directory, "base.toml", TRACE_SITE if case.kind == "trace" else base("site"))
    if case.kind == "demands":
        return run("allocate", site, bad, "--json")
    if case.kind == "sessions":
        return run("simulate", site, bad, "--trace", directory / "out.ndjson", "--plot", directory / "out.svg")
    return run("trace", "check", site, bad)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, subprocess.CompletedProcess[str]]]:
    """All of them at once: a hundred starts of an interpreter one after another would be a long wait."""
    top = tmp_path_factory.mktemp("bad")
    directories = [top / str(number) for number in range(len(CASES))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(start, CASES, directories))
    return {ident(case): (place, result) for case, place, result in zip(CASES, directories, done, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_bad_input_is_refused_with_its_problems_and_nothing_else(
    case: Case, outcomes: dict[str, tuple[Path, subprocess.CompletedProcess[str]]]
) -> None:
    directory, done = outcomes[ident(case)]
    bad = directory / f"{case.kind}{case.ending}"
    problems = [problem.replace("PATH", str(bad)) for problem in case.problems]
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"{bad}: {problem.removeprefix(f'{bad}: ')}" for problem in problems]
    assert {path.name for path in directory.iterdir()} <= {bad.name, "base.toml"}
