"""Session files and the Norwegian data: every usable row on one clock, every other one named."""

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import FormatError
from powershare.files import dump_sessions, import_norway, load_sessions, loads_sessions
from powershare.files.norway import imports_norway
from powershare.simulation.session import Session, Sessions

HEADER = "connector,plugged_in,unplugged,energy_kwh,max_a,lines_used,vehicle\n"
HOUR_MS = 3_600_000


def test_sessions_are_put_in_order_on_the_clock_of_the_first() -> None:
    text = HEADER + (
        "south,2026-01-31T20:00:00+00:00,2026-01-31T21:00:00+00:00,1.25,,,\n"
        "north,2026-01-31T18:00:00+01:00,2026-01-31T19:00:00.5+01:00,7,16.0009,1,abc\n"
    )
    sessions = loads_sessions(text)
    assert sessions.started == datetime(2026, 1, 31, 17, tzinfo=UTC)
    assert sessions.skipped == ()
    assert sessions.sessions == (
        Session(
            connector="north",
            plugged_in_ms=0,
            unplugged_ms=HOUR_MS + 500,
            energy_wh=7000,
            max_ma=16_000,
            lines_used=1,
            vehicle="abc",
        ),
        Session(connector="south", plugged_in_ms=3 * HOUR_MS, unplugged_ms=4 * HOUR_MS, energy_wh=1250),
    )


def test_the_optional_columns_may_be_absent_and_the_order_is_free() -> None:
    text = "energy_kwh,unplugged,connector,plugged_in\n3,2026-01-31T19:00:00Z,north,2026-01-31T18:00:00Z\n\n"
    (session,) = loads_sessions(text).sessions
    assert (session.energy_wh, session.max_ma, session.lines_used, session.vehicle) == (3000, None, None, None)


def test_sessions_that_touch_do_not_overlap_and_the_one_skipped_starts_later() -> None:
    text = HEADER + (
        "north,2026-01-31T18:30:00Z,2026-01-31T19:30:00Z,1,,,\n"
        "north,2026-01-31T18:00:00Z,2026-01-31T19:00:00Z,1,,,\n"
        "north,2026-01-31T19:00:00Z,2026-01-31T20:00:00Z,1,,,\n"
    )
    sessions = loads_sessions(text)
    assert [session.plugged_in_ms for session in sessions.sessions] == [0, HOUR_MS]
    assert [problem.where for problem in sessions.skipped] == ["line 2"]


def test_a_line_number_counts_lines_and_not_rows() -> None:
    text = HEADER + '"no\nrth",2026-01-31T18:00:00Z,2026-01-31T19:00:00Z,1,,,\n\nsouth,x,2026-01-31T19:00:00Z,1,,,\n'
    assert [problem.where for problem in loads_sessions(text).skipped] == ["line 5"]


def test_a_file_of_bad_rows_only_is_refused_with_all_of_them() -> None:
    with pytest.raises(FormatError) as caught:
        loads_sessions(HEADER + "north,x,y,1,,,\nsouth,x,y,1,,,\n")
    assert [problem.where for problem in caught.value.problems] == ["line 2", "line 3", "file"]


ids = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=5)
rows = st.builds(
    lambda connector, at, length, **more: Session(
        connector=connector, plugged_in_ms=at, unplugged_ms=at + length, **more
    ),
    connector=ids,
    at=st.integers(0, 10**12),
    length=st.integers(1, 10**9),
    energy_wh=st.integers(0, 10_000_000),
    max_ma=st.none() | st.integers(1, 10_000_000),
    lines_used=st.none() | st.integers(1, 3),
    vehicle=st.none() | ids,
)


@given(st.lists(rows, min_size=1, max_size=5, unique_by=lambda session: session.connector))
def test_sessions_written_and_read_again_are_the_same(sessions: list[Session]) -> None:
    started = datetime(2026, 1, 31, 18, tzinfo=timezone(timedelta(hours=1)))
    ordered = sorted(sessions, key=lambda session: session.plugged_in_ms)
    read = loads_sessions(dump_sessions(Sessions(started=started, sessions=tuple(ordered))))
    first_ms = ordered[0].plugged_in_ms
    assert read.started == started + timedelta(milliseconds=first_ms)
    moved = {
        attrs.evolve(s, plugged_in_ms=s.plugged_in_ms - first_ms, unplugged_ms=s.unplugged_ms - first_ms)
        for s in ordered
    }
    assert set(read.sessions) == moved


NORWAY_HEADER = "session_ID;Garage_ID;User_ID;User_type;Shared_ID;Start_plugin;Start_plugin_hour;End_plugout;El_kWh\r\n"


def norway(*sessions: tuple[str, str, str, str], garage: str = "Bl2") -> str:
    lines = [f"1;{garage};{user};Private;NA;{start};0;{end};{energy}\r\n" for user, start, end, energy in sessions]
    return NORWAY_HEADER + "".join(lines)


def hours(text: str) -> list[tuple[float, float]]:
    read = imports_norway(text).sessions
    return [(session.plugged_in_ms / HOUR_MS, session.unplugged_ms / HOUR_MS) for session in read]


def test_norwegian_rows_are_read_in_local_time_with_a_decimal_comma() -> None:
    read = imports_norway(norway(("Bl2-1", "21.12.2018 10:20", "21.12.2018 12:20", "7,25")))
    assert read.started == datetime(2018, 12, 21, 9, 20, tzinfo=UTC)
    (session,) = read.sessions
    assert (session.connector, session.unplugged_ms, session.energy_wh) == ("Bl2-1", 2 * HOUR_MS, 7250)


def test_a_session_over_a_change_of_clocks_has_its_true_length() -> None:
    assert hours(norway(("a", "31.03.2019 01:00", "31.03.2019 04:00", "1"))) == [(0, 2)]
    assert hours(norway(("a", "27.10.2019 01:00", "27.10.2019 04:00", "1"))) == [(0, 4)]


def test_the_hour_that_comes_twice_is_the_first_unless_the_session_would_end_before_it_starts() -> None:
    assert hours(norway(("a", "27.10.2019 01:30", "27.10.2019 02:30", "1"))) == [(0, 1)]
    assert hours(norway(("a", "27.10.2019 02:45", "27.10.2019 02:15", "1"))) == [(0, 0.5)]


def test_the_hour_that_does_not_exist_is_an_hour_later_on_the_clock() -> None:
    read = imports_norway(norway(("a", "31.03.2019 02:30", "31.03.2019 05:30", "1")))
    assert read.started == datetime(2019, 3, 31, 1, 30, tzinfo=UTC)
    assert read.sessions[0].unplugged_ms == 2 * HOUR_MS


def test_norwegian_rows_that_cannot_be_used_are_listed_with_their_line() -> None:
    text = norway(
        ("a", "21.12.2018 10:00", "21.12.2018 12:00", "7"),
        ("a", "22.12.2018 10:00", "NA", "7"),
        ("a", "21.12.2018 11:00", "21.12.2018 13:00", "7"),
        ("a", "23.12.2018 10:00", "23.12.2018 09:00", "7"),
        ("a", "2018-12-24", "24.12.2018 09:00", "7"),
        ("a", "24.12.0018 08:00", "24.12.2018 09:00", "7"),
    )
    read = imports_norway(text)
    assert len(read.sessions) == 1
    assert [(problem.where, problem.field) for problem in read.skipped] == [
        ("line 3", "End_plugout"),
        ("line 4", "plugged_in"),
        ("line 5", "End_plugout"),
        ("line 6", "Start_plugin"),
        ("line 7", "Start_plugin"),
    ]


@pytest.mark.parametrize(
    ("energy", "taken"),
    [("7,2", (16_000, 1)), ("14,8", (32_000, 1)), ("20", (16_000, 3)), ("44", (32_000, 3))],
)
def test_a_car_takes_the_smallest_usual_current_that_carries_its_energy(energy: str, taken: tuple[int, int]) -> None:
    text = norway(
        ("a", "21.12.2018 10:00", "21.12.2018 12:00", energy),
        ("a", "22.12.2018 10:00", "22.12.2018 10:05", "9"),  # short: its power says nothing
    )
    assert {(session.max_ma, session.lines_used) for session in imports_norway(text).sessions} == {taken}
    assert {session.max_ma for session in imports_norway(text, infer_vehicles=False).sessions} == {None}


def test_only_the_garage_asked_for_is_read_and_an_unknown_one_names_those_there_are() -> None:
    text = norway(("a", "21.12.2018 10:00", "21.12.2018 12:00", "7")) + norway(
        ("b", "21.12.2018 10:00", "NA", "7"), garage="AdO3"
    ).removeprefix(NORWAY_HEADER)
    assert imports_norway(text, "Bl2").skipped == ()
    with pytest.raises(FormatError, match='has no garage "Bl3"; its garages are AdO3, Bl2'):
        imports_norway(text, "Bl3")


def test_another_file_is_no_norwegian_data(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(HEADER, encoding="utf-8")
    with pytest.raises(FormatError, match="line 1: is no header"):
        import_norway(path)
    with pytest.raises(FormatError, match="has no row"):
        load_sessions(path)


DATA = Path(os.environ.get("POWERSHARE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
NORWAY = DATA / "sessions" / "norway-apartments-sorensen.csv"


@pytest.mark.skipif(not NORWAY.exists(), reason="the Norwegian data is not there; set POWERSHARE_DATA")
def test_the_real_garage_bl2_is_read_whole() -> None:
    read = import_norway(NORWAY, "Bl2")
    assert len(read.sessions) + len(read.skipped) == 2243
    assert sum(problem.message.startswith("is not given") for problem in read.skipped) == 5
    assert {session.lines_used for session in read.sessions} == {1}
    everything = import_norway(NORWAY)
    assert len(everything.sessions) + len(everything.skipped) == 6878
    assert sum(problem.message.startswith("is not given") for problem in everything.skipped) == 34
