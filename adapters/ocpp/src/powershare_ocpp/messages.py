"""What a station says, payload by payload, as values; no I/O. Nothing in a payload is taken on trust."""

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from powershare.adapter import PilotState
from powershare.errors import AdapterRejected
from powershare.units import LineMilliamps, load_ma_from_amps
from powershare_ocpp.frames import Payload, shown
from powershare_ocpp.profiles import Scale, instant_ms

PILOTS: Mapping[str, PilotState] = MappingProxyType(
    {
        "Available": "A",
        "Reserved": "A",
        "Preparing": "A",
        "Charging": "C",
        "SuspendedEV": "B",
        "SuspendedEVSE": "B",
        "Finishing": "A",
        "Unavailable": "F",
        "Faulted": "F",
    }
)
"""States of a connector (OCPP 1.6, 7.7), and the control pilot's of IEC 61851-1 that each counts as.

A vehicle without a transaction, before or after it, cannot be served. It counts as none, or it would hold a share
for as long as nobody shows a card, or until it is driven away.
"""

NO_VEHICLE = frozenset({"Available", "Reserved"})
IN_TRANSACTION = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
NO_TRANSACTION = frozenset({"Available", "Reserved", "Preparing", "Unavailable"})

_LINES = {"L1": 0, "L2": 1, "L3": 2}
_MOST_MA = 10_000_000


@attrs.frozen
class Status:
    """One connector's state.

    Attributes:
        name: In the protocol's words.
        fault: The station's words for what is wrong; None: nothing is.
    """

    name: str
    fault: str | None = None

    @property
    def pilot(self) -> PilotState:
        """State of the control pilot."""
        return PILOTS[self.name]


def status_of(payload: Payload) -> Status:
    """Read a StatusNotification.

    Raises:
        AdapterRejected: It is none.
    """
    name = payload.get("status")
    if not isinstance(name, str) or name not in PILOTS:
        raise AdapterRejected(f"a connector is in no state that there is: {shown(name)}")
    if name not in ("Faulted", "Unavailable"):
        return Status(name)
    words = [payload.get(key) for key in ("errorCode", "info", "vendorErrorCode")]
    said = [word[:50] for word in words if isinstance(word, str) and word and word != "NoError"]
    return Status(name, ", ".join(said) or name)


@attrs.frozen
class Metered:
    """What a station's meter says of a connector.

    Attributes:
        drawn_ma: Per line, rounded up; None: it does not say.
        offered_ma: What it offers; None: it does not say.
    """

    drawn_ma: LineMilliamps | None = None
    offered_ma: int | None = None


def metered_of(payload: Payload, lines: int) -> Metered:
    """Read MeterValues; what is not understood is left out.

    Args:
        payload: It.
        lines: How many lines the connector is wired to.
    """
    drawn: dict[str, int] = {}
    offered_ma: int | None = None
    for sample in _samples(payload):
        measurand, amount_ma = sample.get("measurand"), _milliamps_of(sample)
        if amount_ma is None:
            continue
        if measurand == "Current.Import":
            phase = str(sample.get("phase") or "").partition("-")[0]
            drawn[phase] = amount_ma
        elif measurand == "Current.Offered":
            offered_ma = max(amount_ma, offered_ma or 0)
    return Metered(_per_line(drawn, lines), offered_ma)


def _per_line(drawn: Mapping[str, int], lines: int) -> LineMilliamps | None:
    """Lines of which nothing is said count as the greatest of the others: it may be any of them."""
    drawn = {phase: amount_ma for phase, amount_ma in drawn.items() if phase != "N"}
    if not drawn:
        return None
    greatest_ma = max(drawn.values())
    if lines == 1:
        return (greatest_ma,)
    per_line = [greatest_ma] * lines
    for phase, amount_ma in drawn.items():
        if _LINES.get(phase, lines) < lines:
            per_line[_LINES[phase]] = amount_ma
    return tuple(per_line)


def _samples(payload: Payload) -> Iterator[Mapping[str, Any]]:
    values = payload.get("meterValue")
    for value in values if isinstance(values, list) else ():
        samples = value.get("sampledValue") if isinstance(value, dict) else None
        for sample in samples if isinstance(samples, list) else ():
            if isinstance(sample, dict) and sample.get("location", "Outlet") == "Outlet":
                yield sample


def _milliamps_of(sample: Mapping[str, Any]) -> int | None:
    if sample.get("format", "Raw") != "Raw" or sample.get("unit", "A") != "A":
        return None
    try:
        amount_ma = load_ma_from_amps(str(sample.get("value"))[:30])
    except ValueError:
        return None
    return max(0, amount_ma) if amount_ma <= _MOST_MA else None


def latest_ms(payload: Payload) -> int | None:
    """The latest time in a message, since 1970; None: there is none."""
    values = payload.get("meterValue")
    stamps = [
        value.get("timestamp") for value in (values if isinstance(values, list) else ()) if isinstance(value, dict)
    ]
    instants = [instant_ms(stamp) for stamp in (*stamps, payload.get("timestamp"), payload.get("scheduleStart"))]
    return max((instant for instant in instants if instant is not None), default=None)


def composite_ma(payload: Payload, scale: Scale) -> int | None:
    """What a GetCompositeSchedule says is offered now; None: it says nothing, which is no small amount.

    The schedule begins with its first period, at the present. A limit below 0 is how some stations say that there is
    none, which the protocol has no word for.
    """
    schedule = payload.get("chargingSchedule")
    if payload.get("status") != "Accepted" or not isinstance(schedule, dict):
        return None
    periods = schedule.get("chargingSchedulePeriod")
    unit = schedule.get("chargingRateUnit")
    if unit not in ("A", "W") or not isinstance(periods, list) or not periods or not isinstance(periods[0], dict):
        return None
    first = periods[0]
    amount, phases = first.get("limit"), first.get("numberPhases")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= _MOST_MA:
        return None
    if first.get("startPeriod") != 0 or not math.isfinite(amount):
        return None
    whole = phases if isinstance(phases, int) and not isinstance(phases, bool) else None
    return scale.offered_ma(amount, unit, whole)


def configuration_of(payload: Payload) -> dict[str, str]:
    """Read the answer to GetConfiguration: what is known, by key."""
    entries = payload.get("configurationKey")
    return {
        entry["key"]: entry["value"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("value"), str)
    }


@attrs.frozen(kw_only=True)
class Abilities:
    """What a station says of its charging profiles.

    Attributes:
        units: `A`, `W` or both.
        most_level: The greatest stack level.
        most_periods: How many periods a schedule may have.
    """

    units: frozenset[str]
    most_level: int
    most_periods: int


def abilities_of(configuration: Mapping[str, str]) -> Abilities:
    """What a configuration says; of what it does not say, the least counts (OCPP 1.6, 9.4)."""
    words = {
        word.strip().lower() for word in configuration.get("ChargingScheduleAllowedChargingRateUnit", "").split(",")
    }
    # The specification's own names are these, and both of its examples' too.
    units = {unit for unit, names in {"A": {"current", "a"}, "W": {"power", "w"}}.items() if names & words}
    return Abilities(
        units=frozenset(units),
        most_level=_whole(configuration.get("ChargeProfileMaxStackLevel"), 0, 1_000),
        most_periods=_whole(configuration.get("ChargingScheduleMaxPeriods"), 1, 1_000),
    )


def _whole(text: str | None, least: int, most: int) -> int:
    text = (text or "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        return least
    return min(max(int(text), least), most)
