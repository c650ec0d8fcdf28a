"""Importer of the Norwegian apartment data: 6,878 sessions of 97 users in 24 garages in Trondheim.

Sorensen et al., "Residential electric vehicle charging datasets from apartment buildings", Data in
Brief 36 (2021), Mendeley Data jbks2rcwyj, Dataset 1, CC BY 4.0.

Local times become instants by the rules of Europe/Oslo. Two hours a year need a decision:

- An hour that comes twice (clocks set back): the first of the two, unless a session would then end
  before, or when, it starts; its end is then the second.
- An hour that does not exist (clocks set forward): read with the offset before the change, that is,
  as one hour later on the clock.

The data does not say what the cars take. It allows a lower bound: the greatest energy per hour of
being plugged in that a user ever reached. `import_norway` gives each user the smallest usual
charging current that carries it at 230 V; in garage Bl2 that is 16 A or 32 A on one line for all.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from powershare.errors import FormatError, Problem
from powershare.files.kinds import FIRST_YEAR, LAST_YEAR, shown
from powershare.files.sessions_file import Row, RowError, check_span, energy_wh, in_order, read_rows
from powershare.files.text import read_text
from powershare.simulation.session import Session, Sessions

_COLUMNS = ("Garage_ID", "User_ID", "Start_plugin", "End_plugout", "El_kWh")
_LOCAL_TIME = "%d.%m.%Y %H:%M"

_VOLTAGE_V = 230
_USUAL = ((16_000, 1), (32_000, 1), (16_000, 3), (32_000, 3))
"""Usual charging currents in mA and lines, in order of power: IEC 61851 mode 3 at home."""

_LONG_MS = 30 * 60_000
"""Times are whole minutes: from half an hour on, that blurs a session's power by less than 7 %."""

_BLUR_PERCENT = 2
"""What a user's greatest power may be above a usual one: minutes, and a grid above 230 V."""


def import_norway(path: str | Path, garage: str | None = None, *, infer_vehicles: bool = True) -> Sessions:
    """Read the Norwegian sessions; each user is a connector, since each has a place of their own.

    Args:
        path: The data set's CSV: `;` between cells, decimal comma, local time.
        garage: Only this garage, such as `Bl2`; None: all.
        infer_vehicles: Whether to fill in the most that each user's car takes, and on how many lines.

    Returns:
        The sessions; rows without an end, that end before they start, or that overlap another
        session of their user are in `skipped`, with their line number.

    Raises:
        FormatError: The file cannot be read, is another one, or has nothing of this garage.
    """
    return imports_norway(read_text(Path(path)), garage, infer_vehicles=infer_vehicles)


def imports_norway(content: str, garage: str | None = None, *, infer_vehicles: bool = True) -> Sessions:
    """Read the Norwegian sessions from a text; see `import_norway`."""
    zone = _oslo()
    garages: set[str] = set()

    def convert(line: int, cells: Mapping[str, str]) -> Row | None:
        garages.add(cells["Garage_ID"])
        return None if garage not in {None, cells["Garage_ID"]} else _row(line, cells, zone)

    rows, skipped = read_rows(content, ";", _COLUMNS, None, convert)
    if garage is not None and garage not in garages:
        message = f"has no garage {shown(garage)}; its garages are {', '.join(sorted(garages))}"
        raise FormatError([Problem("file", "Garage_ID", message)])
    sessions = in_order(rows, skipped)
    return _with_vehicles(sessions) if infer_vehicles else sessions


def _with_vehicles(sessions: Sessions) -> Sessions:
    """Give each user the smallest usual charging current that explains every long session."""
    power_w: dict[str, float] = defaultdict(float)
    for session in sessions.sessions:
        plugged_ms = session.unplugged_ms - session.plugged_in_ms
        if plugged_ms >= _LONG_MS:
            power_w[session.connector] = max(power_w[session.connector], session.energy_wh * 3_600_000 / plugged_ms)
    taken = {user: _usual(greatest_w) for user, greatest_w in power_w.items()}

    def filled(session: Session) -> Session:
        max_ma, lines_used = taken.get(session.connector, _USUAL[0])
        return attrs.evolve(session, max_ma=max_ma, lines_used=lines_used)

    return attrs.evolve(sessions, sessions=tuple(map(filled, sessions.sessions)))


def _usual(greatest_w: float) -> tuple[int, int]:
    for max_ma, lines in _USUAL:
        if greatest_w * 100 <= max_ma / 1000 * lines * _VOLTAGE_V * (100 + _BLUR_PERCENT):
            return max_ma, lines
    return _USUAL[-1]


def _oslo() -> ZoneInfo:
    try:
        return ZoneInfo("Europe/Oslo")
    except ZoneInfoNotFoundError:
        message = "is unknown: this system has no time zone database; install the package tzdata"
        raise FormatError([Problem("Europe/Oslo", "", message)]) from None


def _row(line: int, cells: Mapping[str, str], zone: ZoneInfo) -> Row:
    user = cells["User_ID"].strip()
    if not user:
        raise RowError("User_ID", "is blank; skipped")
    plugged_in = _local(cells, "Start_plugin", zone)
    unplugged = _local(cells, "End_plugout", zone)
    if unplugged.timestamp() <= plugged_in.timestamp():
        unplugged = unplugged.replace(fold=1)
    # Instants with one zone compare by their clocks; with plain offsets they compare as instants.
    plugged_in, unplugged = _instant(plugged_in), _instant(unplugged)
    check_span(plugged_in, unplugged, "End_plugout")
    energy = energy_wh(cells["El_kWh"].replace(",", "."), "El_kWh")
    return Row(line=line, connector=user, plugged_in=plugged_in, unplugged=unplugged, energy_wh=energy)


def _local(cells: Mapping[str, str], column: str, zone: ZoneInfo) -> datetime:
    cell = cells[column].strip()
    if cell in {"", "NA"}:
        raise RowError(column, "is not given; skipped")
    try:
        local = datetime.strptime(cell, _LOCAL_TIME).replace(tzinfo=zone)
    except ValueError:
        local = None
    if local is None or not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise RowError(column, f"is {shown(cell)}, no time like 21.12.2018 10:20; skipped")
    return local


def _instant(local: datetime) -> datetime:
    return datetime.fromisoformat(local.isoformat())
