"""Trace files: what a device wrote is read back as it was, line by line, and merged by instants."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import ContractError, FormatError
from powershare.files import TraceHeader, TraceWriter, merge_traces, read_trace
from powershare.files.kinds import plain_amps
from powershare.files.trace_fast import quick_event
from powershare.files.trace_file import event_to_data, read_event
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import UNCHANGED, CircuitEvent, ConnectorEvent, TraceEvent, audit

SITE = Site(
    supply=Supply.THREE_PHASE,
    circuits=(Circuit(id="panel", limit_ma=32_000),),
    connectors=(Connector(id="north", circuit="panel"), Connector(id="south", circuit="panel")),
)
STARTED = datetime(2026, 1, 31, 18, tzinfo=UTC)

times = st.integers(0, 10**12)
currents = st.integers(0, 1 << 36)
letters = st.characters(exclude_categories=["Cs"])
words = st.text(letters, min_size=1, max_size=4).filter(lambda text: bool(text.strip()))
marks = st.one_of(st.just(UNCHANGED), st.none(), words)
per_line = st.tuples(currents, currents, currents)
events = st.one_of(
    st.builds(
        ConnectorEvent,
        t_ms=times,
        connector=st.sampled_from(["north", "south"]),
        pilot_ma=currents,
        drawn_ma=currents,
        lines_used=st.none() | st.integers(1, 3),
        state=st.sampled_from("ABCDEF"),
        event=st.none() | words,
        outside=marks,
        term=st.none() | st.integers(0, 1 << 40),
        by=st.none() | words,
        valid_until_ms=st.none() | times,
        then_ma=st.none() | currents,
    ),
    st.builds(
        CircuitEvent,
        t_ms=times,
        circuit=st.just("panel"),
        limit_ma=per_line,
        other_load_ma=per_line,
        source=words,
        outside=marks,
    ),
)


def write(path: Path, *written: TraceEvent, started: datetime = STARTED) -> Path:
    with TraceWriter(path, TraceHeader(SITE, started)) as writer:
        for event in written:
            writer.write(event)
    return path


def car(t_ms: int, connector: str, pilot_ma: int) -> ConnectorEvent:
    return ConnectorEvent(t_ms=t_ms, connector=connector, pilot_ma=pilot_ma, drawn_ma=0)


@given(events)
def test_an_event_written_and_read_again_is_the_same(event: TraceEvent) -> None:
    assert read_event(json.dumps(event_to_data(event)), SITE, 2) == event


NUMBERS = [
    "0",
    "20",
    "20.0",
    "12.031",
    "1e2",
    "0.0005",
    "0.1234",
    "-1",
    "-0.0",
    "1e400",
    "NaN",
    "true",
    "1099511627.776",
]
ODD = ["1", "3", "4", "0", "1.0", "true", "null", '"1"', '"G"', '"west"', '""', "[]", "[1]", "{}"]
PLAIN = {"t_s": "1", "connector": '"north"', "pilot_a": "1", "drawn_a": "0", "state": '"C"'}


def spelled(**changes: str) -> str:
    return "{" + ", ".join(f'"{key}": {value}' for key, value in (PLAIN | changes).items()) + "}"


LINES = [
    *(spelled(t_s=number, pilot_a=other) for number in NUMBERS for other in NUMBERS),
    *(
        spelled(**{key: odd})
        for key in ("connector", "state", "lines_used", "event", "outside", "then_a")
        for odd in ODD
    ),
    spelled().replace('"t_s"', '"state": "B", "t_s"'),
    *("[]", "[[1, 2]]", "3", "", "{}", "{} {}"),
]


@pytest.mark.parametrize("line", LINES)
def test_the_quick_way_answers_what_the_tables_answer_or_leaves_it_to_them(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = quick_event(line, SITE.connector_by_id)
    monkeypatch.setattr("powershare.files.trace_file.quick_event", lambda line, connectors: None)
    try:
        by_tables: TraceEvent | None = read_event(line, SITE, 2)
    except FormatError:
        by_tables = None
    assert quick in {None, by_tables}


def test_the_quick_way_is_taken_for_the_common_event() -> None:
    assert quick_event(json.dumps(event_to_data(car(12_031, "north", 20_100))), SITE.connector_by_id) is not None


def test_a_trace_is_read_as_it_was_written_and_can_be_read_again(tmp_path: Path) -> None:
    written = [car(0, "north", 6_000), car(12_031, "south", 20_100)]
    trace = read_trace(write(tmp_path / "t.ndjson", *written))
    assert trace.header == TraceHeader(SITE, STARTED, "virtual")
    assert list(trace) == written
    assert list(trace) == written


def test_the_first_line_is_the_header_and_every_line_one_object(tmp_path: Path) -> None:
    lines = write(tmp_path / "t.ndjson", car(12_031, "north", 20_000)).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith('{"schema": "powershare/trace/1", "site": {')
    assert lines[1:] == ['{"t_s": 12.031, "connector": "north", "pilot_a": 20.0, "drawn_a": 0.0, "state": "C"}']


def test_a_header_alone_is_a_trace_without_events(tmp_path: Path) -> None:
    assert list(read_trace(write(tmp_path / "t.ndjson"))) == []


def test_a_bad_line_is_named_and_what_is_before_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path / "t.ndjson", car(0, "north", 0))
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"t_s": 1, "connector": "north", "pilot_a": -1, "drawn_a": "x", "state": "C"}\n')
    stream = iter(read_trace(path))
    assert next(stream) == car(0, "north", 0)
    with pytest.raises(FormatError) as caught:
        next(stream)
    assert [problem.where for problem in caught.value.problems] == ["line 4: drawn_a", "line 4: pilot_a"]


def test_a_line_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.ndjson", car(0, "north", 0))
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(FormatError, match="line 3: is no UTF-8"):
        list(read_trace(path))


def test_traces_merge_by_the_instants_at_which_they_started(tmp_path: Path) -> None:
    later = STARTED + timedelta(seconds=2.5)
    late = write(tmp_path / "b", car(0, "south", 20_000), car(9_000, "south", 0), started=later)
    early = write(tmp_path / "a", car(0, "north", 20_000), car(2_500, "north", 12_000))
    started, merged = merge_traces([read_trace(late), read_trace(early)])
    assert started == STARTED
    assert [(event.t_ms, event.connector) for event in merged if isinstance(event, ConnectorEvent)] == [
        (0, "north"),
        (2_500, "south"),
        (2_500, "north"),
        (11_500, "south"),
    ]


def test_the_audit_of_merged_traces_finds_a_limit_that_a_doctored_line_breaks(tmp_path: Path) -> None:
    early = write(tmp_path / "a", car(0, "north", 20_000), car(2_500, "north", 12_000))
    late = write(tmp_path / "b", car(0, "south", 20_000), started=STARTED + timedelta(seconds=2.5))
    assert audit(SITE, merge_traces([read_trace(early), read_trace(late)])[1]).breaches == ()
    doctored = early.read_text(encoding="utf-8").replace('"pilot_a": 12.0', '"pilot_a": 12.001')
    early.write_text(doctored, encoding="utf-8")
    breaches = audit(SITE, merge_traces([read_trace(early), read_trace(late)])[1]).inside
    assert {(breach.t_ms, breach.load_ma) for breach in breaches} == {(2_500, 32_001)}


def test_merging_nothing_and_a_start_without_offset_are_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no trace"):
        merge_traces([])
    with pytest.raises(ContractError, match="offset"):
        TraceWriter(tmp_path / "t", TraceHeader(SITE, STARTED.replace(tzinfo=None)))


def test_a_place_where_nothing_can_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be written"):
        TraceWriter(tmp_path / "no" / "t", TraceHeader(SITE, STARTED))


def test_amps_are_written_as_the_shortest_number_that_means_them() -> None:
    assert [plain_amps(20_000), plain_amps(19_400), plain_amps(12_345)] == [20, 19.4, 12.345]


@pytest.mark.parametrize("t_s", [10_000_000_000.001, 10**11, 1e14])
def test_a_time_that_no_calendar_has_is_refused(t_s: float) -> None:
    """Counted from the start it would leave the calendar, when somebody asks at which instant it was."""
    line = json.dumps({"t_s": t_s, "connector": "north", "pilot_a": 6, "drawn_a": 0, "state": "C"})
    with pytest.raises(FormatError, match=r"line 2: t_s: is 1e.*; it must be at most 10000000000 seconds"):
        read_event(line, SITE, 2)
    last = read_event(line.replace(json.dumps(t_s), "10000000000"), SITE, 2)
    assert STARTED + timedelta(milliseconds=last.t_ms) == datetime(2342, 12, 22, 11, 46, 40, tzinfo=UTC)
