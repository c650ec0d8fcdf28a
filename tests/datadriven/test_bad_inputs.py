"""Every bad input of the table gives exactly its problems: place and remedy, nothing besides."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.datadriven.bad_inputs import ENDINGS, Case, base, cases

from powershare.errors import DemandError, FormatError, InputError, TopologyError
from powershare.files import load_demands, load_sessions, load_site, read_trace

READERS: dict[str, Callable[[Path], object]] = {
    "site": load_site,
    "demands": load_demands,
    "sessions": load_sessions,
    "trace": lambda path: list(read_trace(path)),
}


def ident(case: Case) -> str:
    return f"{case.kind}: {case.name}"


def test_the_table_is_large_and_its_names_are_unique() -> None:
    names = [ident(case) for case in cases()]
    assert len(names) >= 90
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", list(ENDINGS))
def test_the_base_of_every_kind_is_sound(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"base{ENDINGS[kind]}"
    path.write_text(base(kind), encoding="utf-8")
    assert READERS[kind](path)


@pytest.mark.parametrize("case", [case for case in cases() if case.refused], ids=ident)
def test_a_refused_input_gives_exactly_its_problems(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    with pytest.raises(InputError) as caught:
        READERS[case.kind](path)
    assert type(caught.value) in {FormatError, TopologyError, DemandError}
    assert tuple(str(problem).replace(str(path), "PATH") for problem in caught.value.problems) == case.problems


@pytest.mark.parametrize("case", [case for case in cases("sessions") if not case.refused], ids=ident)
def test_a_bad_row_is_reported_with_its_line_and_the_others_are_read(case: Case, tmp_path: Path) -> None:
    sessions = load_sessions(case.write(tmp_path))
    assert tuple(map(str, sessions.skipped)) == case.problems
    assert len(sessions.sessions) == len(base("sessions").splitlines()) - 1 - len(case.problems)
