"""Bytes of a message to figures and back. No I/O; whatever the bytes are, only `PayloadError` comes out."""

import json
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, NoReturn, TypeAlias

import attrs

from powershare.units import MAX_LIMIT_MA, LineMilliamps, Milliamps, limit_ma_from_amps, load_ma_from_amps
from powershare_mqtt.addresses import MeterSettings

MOST_BYTES = 65_536
_SHOWN = 40
_MILLISECONDS_FROM = 100_000_000_000
"""A Unix time from here on is in milliseconds: in seconds it would be the year 5138."""

Json: TypeAlias = Any


class PayloadError(ValueError):
    """A message cannot be read as what it should be; the text completes "the topic ..."."""


@attrs.frozen
class Sample:
    """What one message of a meter says.

    Attributes:
        figures_ma: One figure, or several.
        stamp_s: When it was taken, in Unix seconds; None: it does not say, or is not asked to.
    """

    figures_ma: LineMilliamps
    stamp_s: float | None


def sample_of(payload: bytes, settings: MeterSettings) -> Sample:
    """Read a message of a meter.

    Args:
        payload: Its bytes.
        settings: Where its figures are, and in which unit.

    Raises:
        PayloadError: It cannot be read, or what is asked for is not in it.
    """
    value = json_of(payload)
    found = [_at(value, key) for key in settings.keys] if settings.keys else [value]
    figures = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    if not 1 <= len(figures) <= 3:
        raise PayloadError(f"has {len(figures)} figures; send one, or one per line")
    stamp_s = None if settings.time is None else _seconds(_at(value, settings.time))
    return Sample(tuple(_load_ma(figure, settings) for figure in figures), stamp_s)


def json_of(payload: bytes) -> Json:
    """Read JSON; numbers as exact decimals.

    Raises:
        PayloadError: It is none, too long, too deep, or has a number that is none.
    """
    if len(payload) > MOST_BYTES:
        raise PayloadError(f"has {len(payload)} bytes; send at most {MOST_BYTES}")
    try:
        return json.loads(payload, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError):
        raise PayloadError(f"says {shown(payload)}; send a number, or JSON") from None


def limit_ma_of(value: Json, what: str, most_ma: Milliamps) -> Milliamps:
    """Read a limit in amps, rounded down.

    Args:
        value: The amps.
        what: What to call them.
        most_ma: The most they may be.

    Raises:
        PayloadError: It is no number, or not from 0 to the most.
    """
    try:
        figure_ma = limit_ma_from_amps(_number(value))
    except ValueError:
        raise PayloadError(f"has {what} {shown(value)}; send amps from 0 to {amps(most_ma)}") from None
    if not 0 <= figure_ma <= most_ma:
        raise PayloadError(f"has {what} {shown(value)}; send amps from 0 to {amps(most_ma)}")
    return figure_ma


def seconds_ms_of(value: Json, what: str, most_s: int) -> int:
    """Read a time in seconds as milliseconds.

    Raises:
        PayloadError: It is no number, or not above 0 and at most so many.
    """
    try:
        time_ms = limit_ma_from_amps(_number(value))  # exact decimal arithmetic, for seconds as well
    except ValueError:
        time_ms = 0
    if not 0 < time_ms <= most_s * 1_000:
        raise PayloadError(f"has {what} {shown(value)}; send seconds above 0, at most {most_s}")
    return time_ms


_YES, _NO = frozenset({"true", "on", "1"}), frozenset({"false", "off", "0"})


def yes_or_no_of(payload: bytes) -> bool:
    """Read true or false, as evcc and Home Assistant write them.

    Raises:
        PayloadError: It is neither.
    """
    word = payload[:_SHOWN].decode(errors="replace").strip().lower()
    if word not in _YES | _NO:
        raise PayloadError(f"says {shown(payload)}; send true or false")
    return word in _YES


def amps(current_ma: Milliamps) -> str:
    """Milliamps as a message has them: amps with at most three decimals, `16`, `7.5`."""
    return f"{Decimal(current_ma).scaleb(-3).normalize():f}"


def shown(value: object) -> str:
    """What came, as an error names it: short, however long it is."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _at(value: Json, path: str) -> Json:
    """What lies at `a.b` in an object; a number in the path is a place in a list."""
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and len(name) < 4 and int(name) < len(value):
            value = value[int(name)]
        else:
            raise PayloadError(f"has no {path}; send an object that has it")
    return value


def _number(value: Json) -> Decimal | str:
    """A number, or a text that may be one; nothing else."""
    if isinstance(value, Decimal) or (isinstance(value, str) and len(value) <= _SHOWN and value.isascii()):
        return value
    raise ValueError("is no number")


def _load_ma(value: Json, settings: MeterSettings) -> Milliamps:
    """A load in milliamps, rounded up; watts by a voltage and a power factor."""
    try:
        figure = _number(value)
        if settings.unit == "A":
            return load_ma_from_amps(figure)
        exact = Decimal(load_ma_from_amps(figure))  # thousandths of the unit, rounded up
        if settings.unit == "mA":
            return int((exact / 1_000).to_integral_value(ROUND_CEILING))
        watts = exact if settings.unit == "kW" else exact / 1_000
        load_ma = int(
            (watts * 1_000 * 100 / (settings.volts * settings.power_factor_percent)).to_integral_value(ROUND_CEILING)
        )
    except (ValueError, ArithmeticError):
        raise PayloadError(f"has {shown(value)}; send a number of {settings.unit}") from None
    if abs(load_ma) > MAX_LIMIT_MA:
        raise PayloadError(f"has {shown(value)} {settings.unit}, beyond any circuit")
    return load_ma


def _seconds(value: Json) -> float:
    """A time stamp: Unix seconds or milliseconds, or ISO 8601 with an offset."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < 18:
        number = float(value)
        return number / 1_000 if number >= _MILLISECONDS_FROM else number
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= _SHOWN else None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise PayloadError(f"has the time {shown(value)}; send Unix seconds, or ISO 8601 with an offset")
