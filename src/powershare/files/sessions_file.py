"""Sessions, `powershare/sessions/1`: a CSV of who was plugged in where, from when to when.

Rows that cannot be used are reported with their line number and skipped: a year of real data always
has some, and the rest is worth replaying.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

import attrs

from powershare.errors import FormatError, Problem
from powershare.files.kinds import plain_amps, read_instant, shown
from powershare.files.text import read_text
from powershare.simulation.session import Session, Sessions
from powershare.units import MAX_CONNECTOR_MA, limit_ma_from_amps

COLUMNS = ("connector", "plugged_in", "unplugged", "energy_kwh", "max_a", "lines_used", "vehicle")
REQUIRED = COLUMNS[:4]

MAX_ENERGY_KWH = 10_000
"""More energy than any vehicle's battery holds: beyond it a row is a slip."""

_MILLISECOND = timedelta(milliseconds=1)


@attrs.frozen(kw_only=True)
class Row:
    """One usable row of a session file, before it is put in order with the others."""

    line: int
    connector: str
    plugged_in: datetime
    unplugged: datetime
    energy_wh: int
    max_ma: int | None = None
    lines_used: int | None = None
    vehicle: str | None = None


class RowError(ValueError):
    """A row cannot be used; the text completes "line 7: <column> ..."."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def load_sessions(path: str | Path) -> Sessions:
    """Read a session file.

    Args:
        path: The CSV file, with a header; times ISO 8601 with their offset.

    Returns:
        The sessions in the order in which they were plugged in, and a problem per skipped row.

    Raises:
        FormatError: The file cannot be read, its header is wrong, or no row of it can be used.
    """
    return loads_sessions(read_text(Path(path)))


def loads_sessions(content: str) -> Sessions:
    """Read sessions from a text; see `load_sessions`."""
    rows, skipped = read_rows(content, ",", REQUIRED, COLUMNS, _row)
    return in_order(rows, skipped)


def dump_sessions(sessions: Sessions) -> str:
    """Write sessions as CSV; reading it again gives the same sessions (what was skipped is gone)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for session in sessions.sessions:
        times = (session.plugged_in_ms, session.unplugged_ms)
        plugged_in, unplugged = ((sessions.started + at * _MILLISECOND).isoformat() for at in times)
        max_a = "" if session.max_ma is None else plain_amps(session.max_ma)
        lines_used = "" if session.lines_used is None else session.lines_used
        energy_kwh = plain_amps(session.energy_wh)
        row = (session.connector, plugged_in, unplugged, energy_kwh, max_a, lines_used, session.vehicle or "")
        writer.writerow(row)
    return out.getvalue()


def read_rows(
    content: str,
    delimiter: str,
    required: tuple[str, ...],
    known: tuple[str, ...] | None,
    convert: Callable[[int, dict[str, str]], Row | None],
) -> tuple[list[Row], list[Problem]]:
    """Read a CSV text row by row.

    Args:
        content: The text.
        delimiter: What separates its cells.
        required: Columns that the header must name.
        known: The only columns it may name; None: others are ignored.
        convert: From line number and cells to a row; None leaves it out without a word; `RowError` skips it.

    Returns:
        The usable rows and a problem per skipped one.

    Raises:
        FormatError: The header is wrong.
    """
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise FormatError([Problem("line 1", "", f"is no CSV header: {error}")]) from None
    faults = list(_header_problems(header, required, known, delimiter))
    if faults:
        raise FormatError(faults)
    rows: list[Row] = []
    skipped: list[Problem] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
            if any(cell.strip() for cell in cells):
                row = convert(line, _named(header, cells))
                rows += [] if row is None else [row]
        except StopIteration:
            return rows, skipped
        except RowError as error:
            skipped.append(Problem(f"line {line}", error.column, str(error)))
        except csv.Error as error:
            skipped.append(Problem(f"line {line}", "", f"is no CSV: {error}"))


def in_order(rows: list[Row], skipped: list[Problem]) -> Sessions:
    """Put rows on one clock, leaving out those that overlap an earlier one of their connector.

    Args:
        rows: Usable rows in any order.
        skipped: The problems of the others.

    Returns:
        The sessions; skipped rows in the order of the file.

    Raises:
        FormatError: There is none.
    """
    if not rows:
        raise FormatError([*skipped, Problem("file", "", "has no row that can be used as a session")])
    rows = sorted(rows, key=lambda row: (row.plugged_in, row.line))
    started = rows[0].plugged_in
    latest: dict[str, Row] = {}
    sessions: list[Session] = []
    for row in rows:
        before = latest.get(row.connector)
        if before is not None and row.plugged_in < before.unplugged:
            message = f'"{row.connector}" is still in the session of line {before.line}; skipped'
            skipped.append(Problem(f"line {row.line}", "plugged_in", message))
            continue
        latest[row.connector] = row
        sessions.append(
            Session(
                connector=row.connector,
                plugged_in_ms=(row.plugged_in - started) // _MILLISECOND,
                unplugged_ms=(row.unplugged - started) // _MILLISECOND,
                energy_wh=row.energy_wh,
                max_ma=row.max_ma,
                lines_used=row.lines_used,
                vehicle=row.vehicle,
            )
        )
    skipped = sorted(skipped, key=lambda problem: int(problem.where.removeprefix("line ")))
    return Sessions(started=_fixed_offset(started), sessions=tuple(sessions), skipped=tuple(skipped))


def energy_wh(cell: str, column: str) -> int:
    """A cell of kilowatt-hours, 0 or more, as watt-hours."""
    value = _decimal(cell, column, "kilowatt-hours, such as 7.5")
    if not 0 <= value <= MAX_ENERGY_KWH:
        raise RowError(column, f"is {_short(cell)} kWh; a session takes between 0 and {MAX_ENERGY_KWH}")
    return int((value * 1000).to_integral_value(ROUND_HALF_UP))


def check_span(plugged_in: datetime, unplugged: datetime, column: str) -> None:
    """Refuse a session that ends before, or when, it starts."""
    if unplugged <= plugged_in:
        how = "before" if unplugged < plugged_in else "at the very instant at which"
        raise RowError(column, f"is {unplugged.isoformat()}, {how} the session starts; skipped")


def _row(line: int, cells: dict[str, str]) -> Row:
    connector = cells["connector"].strip()
    if not connector:
        raise RowError("connector", "is blank; name a connector of the site")
    plugged_in, unplugged = _instant(cells, "plugged_in"), _instant(cells, "unplugged")
    check_span(plugged_in, unplugged, "unplugged")
    return Row(
        line=line,
        connector=connector,
        plugged_in=plugged_in,
        unplugged=unplugged,
        energy_wh=energy_wh(cells["energy_kwh"], "energy_kwh"),
        max_ma=_max_ma(cells.get("max_a", "")),
        lines_used=_lines_used(cells.get("lines_used", "")),
        vehicle=cells.get("vehicle", "").strip() or None,
    )


def _instant(cells: dict[str, str], column: str) -> datetime:
    try:
        at = read_instant(cells[column])
    except ValueError as error:
        raise RowError(column, str(error)) from None
    # In the clock's own grain before anything is compared: a session must not lose its whole length later.
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _max_ma(cell: str) -> int | None:
    if not cell.strip():
        return None
    value = _decimal(cell, "max_a", "amps, such as 32")
    # Looked at before it is converted: what is beyond any circuit is one more row to skip.
    max_ma = limit_ma_from_amps(value) if 0 < value <= MAX_CONNECTOR_MA // 1000 else 0
    if max_ma == 0:
        message = f"is {_short(cell)} A; it must be above zero, and at most {MAX_CONNECTOR_MA // 1000} A"
        raise RowError("max_a", message)
    return max_ma


def _lines_used(cell: str) -> int | None:
    if not cell.strip():
        return None
    if cell.strip() not in {"1", "2", "3"}:
        raise RowError("lines_used", f"is {shown(cell)}; write 1, 2 or 3, or leave it blank")
    return int(cell)


def _decimal(cell: str, column: str, such_as: str) -> Decimal:
    try:
        value = Decimal(cell.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise RowError(column, f"is {shown(cell)}, not a number; write {such_as}")
    return value


def _short(cell: str) -> str:
    """A number as its cell spells it, which may have a hundred thousand digits."""
    return cell if len(cell) <= 40 else f"{cell[:36]}..."


def _named(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise RowError("", f"has {len(cells)} cells; the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _header_problems(
    header: list[str], required: tuple[str, ...], known: tuple[str, ...] | None, delimiter: str
) -> Iterator[Problem]:
    missing = [name for name in required if name not in header]
    if len(missing) == len(required):
        message = f'is no header; the first line names the columns: "{delimiter.join(known or required)}"'
        yield Problem("line 1", "", message)
        return
    for name in missing:
        yield Problem("line 1", name, "is missing; the header must name this column")
    for name, times in Counter(header).items():
        if known is not None and name not in known:
            yield Problem("line 1", "", f"names {shown(name)}, which is no column; they are {', '.join(known)}")
        elif times > 1:
            yield Problem("line 1", name, "is given twice; name each column once")


def _fixed_offset(at: datetime) -> datetime:
    """The same instant with a plain offset, so that arithmetic on it never meets a change of clocks."""
    offset = at.utcoffset()
    return at.astimezone(timezone(offset)) if offset is not None else at
