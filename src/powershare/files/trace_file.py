"""Traces, `powershare/trace/1`: NDJSON, one object per change, read and written as a stream."""

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import attrs

from powershare.errors import ContractError, FormatError, InputError, Problem
from powershare.files.kinds import amps, amps_per_line, instant, optional, plain_amps, seconds, text, whole, word
from powershare.files.site_file import SITE, site_from_decoded, site_to_data
from powershare.files.tables import Key, Part, Table, decode, encode
from powershare.files.text import MAX_FILE_BYTES, decode_text, parse_json, reading, refuse
from powershare.files.trace_fast import MAX_TIME_MS, quick_event
from powershare.site import Site
from powershare.site.checks import unknown_name
from powershare.trace import PILOT_STATES, UNCHANGED, CircuitEvent, ConnectorEvent, TraceEvent

TRACE_SCHEMA = "powershare/trace/1"

_T = Key(name="t_s", field="t_ms", kind=seconds("12.031", 0), required=True, about="Since `started`; monotonic.")
_LOADS = amps_per_line(load=True, least=0, alike=False)

_OUTSIDE = Key(
    name="outside",
    field="outside",
    kind=optional(text("an assumption, such as A2")),
    about="The assumption that fails from now on; null where it holds again.",
)

HEADER = Table(
    "trace",
    (
        Key(name="site", field="site", kind=Part(SITE), required=True),
        Key(name="started", field="started", kind=instant(), required=True),
        Key(name="clock", field="clock", kind=text("which clock it is, such as virtual"), required=True),
    ),
    TRACE_SCHEMA,
    "First line of a trace.",
)

CONNECTOR_EVENT = Table(
    "connector event",
    (
        _T,
        Key(name="connector", field="connector", kind=text("a connector's id"), required=True),
        Key(name="pilot_a", field="pilot_ma", kind=amps(load=True, least=0), required=True),
        Key(name="drawn_a", field="drawn_ma", kind=amps(load=True, least=0), required=True),
        Key(name="lines_used", field="lines_used", kind=whole("lines", "1", 1, 3), about="Absent: all."),
        Key(name="state", field="state", kind=word(*PILOT_STATES), required=True),
        Key(name="event", field="event", kind=text("what happened")),
        Key(name="term", field="term", kind=whole("a term", "3", 0)),
        Key(name="by", field="by", kind=text("who granted it")),
        Key(name="valid_until_s", field="valid_until_ms", kind=seconds("22.0")),
        Key(name="then_a", field="then_ma", kind=amps(least=0)),
        _OUTSIDE,
    ),
)

CIRCUIT_EVENT = Table(
    "circuit event",
    (
        _T,
        Key(name="circuit", field="circuit", kind=text("a circuit's id"), required=True),
        Key(name="limit_a", field="limit_ma", kind=amps_per_line(least=0, alike=False), required=True),
        Key(
            name="other_load_a",
            field="other_load_ma",
            kind=amps_per_line(load=True, least=0, alike=False),
            required=True,
        ),
        Key(name="source", field="source", kind=text("who set it"), required=True),
        _OUTSIDE,
    ),
)

_MILLISECOND = timedelta(milliseconds=1)
_DUMP = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


@attrs.frozen
class TraceHeader:
    """The first line of a trace.

    Attributes:
        site: The site it happened on.
        started: The instant that the events' times count from.
        clock: Which clock that is: `virtual` in a simulation.
    """

    site: Site
    started: datetime
    clock: str = "virtual"


@attrs.frozen
class Trace:
    """A trace file whose header has been read; iterating reads its events, one line at a time.

    Attributes:
        path: The file.
        header: Its first line.
    """

    path: Path
    header: TraceHeader

    def __iter__(self) -> Iterator[TraceEvent]:
        """Every event in order of time; FormatError names the line of the first that cannot be read."""
        site = self.header.site
        last_ms = 0
        with reading(self.path), self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1 or not line.strip():
                    continue
                event = read_event(_text_of(line, number), site, number)
                if event.t_ms < last_ms:
                    message = f"is {event.t_ms / 1000:g}, before the line above ({last_ms / 1000:g}); time is monotonic"
                    raise refuse(f"line {number}: t_s", message)
                last_ms = event.t_ms
                yield event


def read_trace(path: str | Path) -> Trace:
    """Open a trace: its header is read now, its events when they are iterated.

    Args:
        path: The NDJSON file.

    Returns:
        The trace; it can be iterated more than once.

    Raises:
        FormatError: The file cannot be read, or its first line is no header with a sound site.
    """
    path = Path(path)
    with reading(path), path.open("rb") as file:
        first = file.readline(MAX_FILE_BYTES)
    return Trace(path, read_header(decode_text(first, str(path))))


def read_header(line: str) -> TraceHeader:
    """Read the first line of a trace.

    Raises:
        FormatError: It is no header with a sound site; every problem at once.
    """
    problems: list[Problem] = []
    found = decode(HEADER, _parsed(line, 1), problems, "")
    if found is None:
        raise _on_line(1, problems)
    try:
        site = site_from_decoded(found.values["site"], []) if "site" in found.values and not problems else None
    except InputError as error:
        raise _on_line(1, error.problems) from None
    if problems or site is None:
        raise _on_line(1, problems)
    return TraceHeader(site, found.values["started"], found.values["clock"])


def read_event(line: str, site: Site, number: int) -> TraceEvent:
    """Read one event.

    Args:
        line: Its line.
        site: The site whose nodes it may name.
        number: The line's number, for messages.

    Returns:
        The event.

    Raises:
        FormatError: It is none, or does not fit the site; every problem of the line at once.
    """
    quick = quick_event(line, site.connector_by_id)
    if quick is not None:
        return quick
    raw = _parsed(line, number)
    is_circuit = isinstance(raw, dict) and "circuit" in raw and "connector" not in raw
    problems: list[Problem] = []
    found = decode(CIRCUIT_EVENT if is_circuit else CONNECTOR_EVENT, raw, problems)
    values = {} if found is None else found.values
    problems += _misfits(values, site)
    if problems:
        raise _on_line(number, problems)
    return CircuitEvent(**values) if is_circuit else ConnectorEvent(**values)


class TraceWriter:
    """Writes a trace as a stream; a context manager that closes the file it opened.

    The header is written at once, so that even a run that is cut short leaves a readable trace.

    Args:
        path: The file; one that is there is replaced.
        header: Its first line.
        live: Whether every line reaches the system at once, so that what was written survives the process.

    Raises:
        ContractError: The header's start has no offset.
        FormatError: The file cannot be written.
    """

    def __init__(self, path: str | Path, header: TraceHeader, *, live: bool = False) -> None:
        first, buffering = header_to_data(header), 1 if live else -1
        try:
            self._file: IO[str] = Path(path).open("w", buffering, "utf-8", newline="\n")  # noqa: SIM115 - see close()
        except OSError as error:
            raise refuse(str(path), f"cannot be written: {error.strerror}") from None
        self.write_line(first)

    def write(self, event: TraceEvent) -> None:
        """Append one event."""
        self.write_line(event_to_data(event))

    def write_line(self, data: dict[str, object]) -> None:
        """Append one line of plain data."""
        self._file.write(_DUMP(data) + "\n")

    def close(self) -> None:
        """Close the file; nothing more can be written."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def header_to_data(header: TraceHeader) -> dict[str, object]:
    """The header as plain data, ready for JSON."""
    started = header.started
    if started.tzinfo is None:
        raise ContractError("a trace's start needs an offset from UTC")
    fields = {"started": started, "clock": header.clock}
    return {"schema": TRACE_SCHEMA, "site": site_to_data(header.site)} | _without_schema(encode(HEADER, fields))


def event_to_data(event: TraceEvent) -> dict[str, object]:
    """An event as plain data, ready for JSON; what it does not say is left out."""
    # Written out, not taken from the tables: a simulated year has millions of these.
    data: dict[str, object]
    if isinstance(event, CircuitEvent):
        data = {
            "t_s": event.t_ms / 1000,
            "circuit": event.circuit,
            "limit_a": [plain_amps(line_ma) for line_ma in event.limit_ma],
            "other_load_a": [plain_amps(line_ma) for line_ma in event.other_load_ma],
            "source": event.source,
        }
    else:
        data = {
            "t_s": event.t_ms / 1000,
            "connector": event.connector,
            "pilot_a": event.pilot_ma / 1000,
            "drawn_a": event.drawn_ma / 1000,
            "state": event.state,
        }
        _add_details(data, event)
    if event.outside is not UNCHANGED:
        data["outside"] = event.outside
    return data


def merge_traces(traces: Sequence[Trace]) -> tuple[datetime, Iterator[TraceEvent]]:
    """Merge traces of one site by the instants at which they started.

    Args:
        traces: At least one; each in order of time.

    Returns:
        The earliest start, and every event in order of time, counted from there.

    Raises:
        ContractError: There is no trace.
        FormatError: While iterating: an event cannot be read.
    """
    if not traces:
        raise ContractError("there is no trace to merge")
    started = min(trace.header.started for trace in traces)
    streams = [_shifted(trace, (trace.header.started - started) // _MILLISECOND) for trace in traces]
    return started, heapq.merge(*streams, key=lambda event: event.t_ms)


def _shifted(events: Iterable[TraceEvent], by_ms: int) -> Iterator[TraceEvent]:
    if by_ms == 0:
        yield from events
        return
    for event in events:
        yield attrs.evolve(event, t_ms=event.t_ms + by_ms)


def _add_details(data: dict[str, object], event: ConnectorEvent) -> None:
    if event.lines_used is not None:
        data["lines_used"] = event.lines_used
    if event.event is not None:
        data["event"] = event.event
    if event.term is not None:
        data["term"] = event.term
    if event.by is not None:
        data["by"] = event.by
    if event.valid_until_ms is not None:
        data["valid_until_s"] = event.valid_until_ms / 1000
    if event.then_ma is not None:
        data["then_a"] = event.then_ma / 1000


def _misfits(values: dict[str, Any], site: Site) -> Iterator[Problem]:
    """What of an event does not fit the site, or cannot be."""
    connector, circuit = values.get("connector"), values.get("circuit")
    if connector is not None and connector not in site.connector_by_id:
        yield Problem("connector", "", unknown_name(connector, site.connector_by_id, "connector"))
    if circuit is not None and circuit not in site.circuit_by_id:
        yield Problem("circuit", "", unknown_name(circuit, site.circuit_by_id, "circuit"))
    lines = len(site.supply.lines)
    for name, field in (("limit_a", "limit_ma"), ("other_load_a", "other_load_ma")):
        figures = values.get(field, (0,) * lines)
        if len(figures) != lines:
            yield Problem(name, "", f"has {len(figures)} figures; a {site.supply.value} supply has {lines} lines")
        elif min(figures) < 0:
            yield Problem(name, "", "is negative; write 0 or more (export counts 0)")
    for name, field in (("t_s", "t_ms"), ("pilot_a", "pilot_ma"), ("drawn_a", "drawn_ma"), ("then_a", "then_ma")):
        if values.get(field, 0) < 0:
            yield Problem(name, "", f"is {values[field] / 1000:g}; it must be 0 or more")
    if values.get("t_ms", 0) > MAX_TIME_MS:
        yield Problem("t_s", "", f"is {values['t_ms'] / 1000:g}; it must be at most {MAX_TIME_MS // 1000} seconds")
    if not 1 <= values.get("lines_used", 1) <= 3:
        yield Problem("lines_used", "", f"is {values['lines_used']}; it must be between 1 and 3")


def _without_schema(data: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key != "schema"}


def _text_of(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(f"line {number}", "is no UTF-8 text; save the file as UTF-8") from None


def _parsed(line: str, number: int) -> object:
    try:
        return parse_json(line.rstrip("\r\n"))
    except FormatError as error:
        raise _on_line(number, error.problems) from None


def _on_line(number: int, problems: Iterable[Problem]) -> FormatError:
    """The problems with the line's number; a place that says `line 1, column 5` keeps its column."""
    return FormatError(
        Problem(f"line {number}{_rest(problem.where)}", problem.field, problem.message) for problem in problems
    )


def _rest(where: str) -> str:
    if where.startswith("line 1, "):
        return where.removeprefix("line 1")
    return "" if where == "file" else f": {where}"
