"""What stations say, as values that do not know in which version it was said; no I/O. Nothing is taken on trust."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from powershare.adapter import PilotState
from powershare.units import LineMilliamps
from powershare_ocpp.profiles import Scale, instant_ms
from powershare_ocpp.wire.frames import Payload

MOST_MA = 10_000_000
"""A greater amount is none."""

_LINES = {"L1": 0, "L2": 1, "L3": 2}

Amount: TypeAlias = Callable[[Mapping[str, Any]], int | None]
"""Reads a sampled value's amps as milliamps, rounded up; None: it is no such value."""


@attrs.frozen
class Status:
    """One connector's state.

    Attributes:
        name: In the protocol's words.
        pilot: State of the control pilot.
        vehicle: Whether one may be there.
        transaction: Whether one runs; None: this state says nothing of it.
        fault: The station's words for what is wrong; None: nothing is.
    """

    name: str
    pilot: PilotState
    vehicle: bool = True
    transaction: bool | None = None
    fault: str | None = None


@attrs.frozen
class Metered:
    """What a station's meter says of a connector.

    Attributes:
        drawn_ma: Per line, rounded up; None: it does not say.
        offered_ma: What it offers; None: it does not say.
    """

    drawn_ma: LineMilliamps | None = None
    offered_ma: int | None = None


def metered_of(payload: Payload, lines: int, amount_ma: Amount) -> Metered:
    """Read meter values; what is not understood is left out.

    Args:
        payload: What has them.
        lines: How many lines the connector is wired to.
        amount_ma: Reads the amount of one.
    """
    drawn: dict[str, int] = {}
    offered_ma: int | None = None
    for sample in _samples(payload):
        measurand, sampled_ma = sample.get("measurand"), amount_ma(sample)
        if sampled_ma is None or sampled_ma > MOST_MA:
            continue
        if measurand == "Current.Import":
            phase = str(sample.get("phase") or "").partition("-")[0]
            drawn[phase] = max(0, sampled_ma)
        elif measurand == "Current.Offered":
            offered_ma = max(sampled_ma, offered_ma or 0)
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


def latest_ms(payload: Payload) -> int | None:
    """The latest time in a message, since 1970; None: there is none."""
    values, schedule = payload.get("meterValue"), payload.get("schedule")
    stamps = [
        value.get("timestamp") for value in (values if isinstance(values, list) else ()) if isinstance(value, dict)
    ]
    stamps += [payload.get("timestamp"), payload.get("scheduleStart")]
    stamps.append(schedule.get("scheduleStart") if isinstance(schedule, dict) else None)
    return max((instant for stamp in stamps if (instant := instant_ms(stamp)) is not None), default=None)


@attrs.frozen(kw_only=True)
class Composite:
    """What a composite schedule says; None: it says nothing, which is no small amount.

    Attributes:
        now_ma: What is offered now.
        lasting_ma: What is offered at the end of the time that was asked for, when orders are over.
    """

    now_ma: int | None = None
    lasting_ma: int | None = None


def composite_of(schedule: object, scale: Scale) -> Composite:
    """Read a composite schedule, which begins with its first period, at the present."""
    periods = schedule.get("chargingSchedulePeriod") if isinstance(schedule, dict) else None
    unit = schedule.get("chargingRateUnit") if isinstance(schedule, dict) else None
    if unit not in ("A", "W") or not isinstance(periods, list) or not periods:
        return Composite()
    first = periods[0]
    if not isinstance(first, dict) or isinstance(first.get("startPeriod"), bool) or first.get("startPeriod") != 0:
        return Composite()
    return Composite(now_ma=_limit_ma(first, unit, scale), lasting_ma=_limit_ma(periods[-1], unit, scale))


def _limit_ma(period: object, unit: str, scale: Scale) -> int | None:
    """A limit below 0 is how some stations say that there is none, which the protocol has no word for."""
    if not isinstance(period, dict):
        return None
    amount, phases = period.get("limit"), period.get("numberPhases")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= MOST_MA:
        return None
    whole = phases if isinstance(phases, int) and not isinstance(phases, bool) else None
    return scale.offered_ma(amount, unit, whole) if math.isfinite(amount) else None


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


def abilities(units: str | None, most_level: str | None, most_periods: str | None) -> Abilities:
    """What a station's settings say, as it writes them; of what it does not say, the least counts."""
    words = {word.strip().lower() for word in (units or "").split(",")}
    # The specifications' own names are these, and both of the examples of 1.6 too.
    known = {unit for unit, names in {"A": {"current", "a"}, "W": {"power", "w"}}.items() if names & words}
    return Abilities(
        units=frozenset(known), most_level=_whole(most_level, 0, 1_000), most_periods=_whole(most_periods, 1, 1_000)
    )


def words(text: object) -> str:
    """What a station says in words of its own, as far as it says something."""
    return text[:50] if isinstance(text, str) else ""


def listed(text: str | None) -> list[str]:
    """The members of a list, as stations write one."""
    return [name for name in (text or "").replace(" ", "").split(",") if name]


def _whole(text: str | None, least: int, most: int) -> int:
    text = (text or "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        return least
    return min(max(int(text), least), most)
