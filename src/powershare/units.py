"""Milliamps and lines: the two units that everything else is counted in.

Inside the library every current is a whole number of milliamps; amps exist only in files and on
screens. The conversions here are exact (decimal, never binary) and state which way they round,
because one way is safe and the other is not: a limit rounds down, a load rounds up.
"""

import enum
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import TypeAlias

Milliamps: TypeAlias = int
"""A current in whole milliamps."""

LineMilliamps: TypeAlias = tuple[int, ...]
"""Milliamps per line of the supply, L1 first; as many entries as the supply has lines."""

MAX_CONNECTOR_MA: Milliamps = 10_000_000
"""The greatest current one connector may carry (10 kA): the bound within which no sum can wrap."""

MAX_LIMIT_MA: Milliamps = 1 << 40
"""The greatest limit or other load of a circuit, in mA: the bound within which no sum can wrap."""


class Line(enum.IntEnum):
    """One line conductor of the supply; its value is its place in a per-line tuple."""

    L1 = 0
    L2 = 1
    L3 = 2

    def __str__(self) -> str:
        return self.name

    @property
    def mask(self) -> int:
        """The line as one bit, as the kernel counts lines."""
        return 1 << self.value


_DECADES = len(str(MAX_LIMIT_MA))
"""Amps of more decades than this are beyond any circuit, whatever they are exactly."""

ALL_LINES = (Line.L1, Line.L2, Line.L3)


def _milliamps(amps: float | Decimal | str) -> Decimal:
    """The amps in milliamps, exactly; a float counts as the shortest text that means it."""
    if isinstance(amps, bool) or not isinstance(amps, (int, float, Decimal, str)):
        raise ValueError(  # noqa: TRY004 - one kind of error for one kind of mistake
            f"is {amps!r}, not a number of amps"
        )
    try:
        value = Decimal(repr(amps) if isinstance(amps, float) else amps)
    except InvalidOperation:
        raise ValueError(f"is {amps!r}, not a number of amps") from None
    if not value.is_finite():
        raise ValueError(f"is {amps}, not a finite number of amps")
    # The exponent is shifted by hand and looked at first: arithmetic would round to the context's digits, or overflow.
    sign, digits, exponent = value.as_tuple()
    if not value:
        return Decimal(0)
    if value.adjusted() < _DECADES and isinstance(exponent, int):
        milliamps = Decimal((sign, digits, exponent + 3))
        if -MAX_LIMIT_MA <= milliamps <= MAX_LIMIT_MA:
            return milliamps
    raise ValueError(f"is {amps} A, beyond any circuit")


def limit_ma_from_amps(amps: float | Decimal | str) -> Milliamps:
    """Convert amps that bound something (a limit, an offer, a demand) to milliamps, rounding down.

    Args:
        amps: A finite number of amps; a float counts as its shortest decimal text.

    Returns:
        The greatest whole number of milliamps that is not above it.

    Raises:
        ValueError: It is no number, not finite, or beyond any circuit; the text completes "x ...".
    """
    return int(_milliamps(amps).to_integral_value(ROUND_FLOOR))


def load_ma_from_amps(amps: float | Decimal | str) -> Milliamps:
    """Convert amps that load something (a reading, other load) to milliamps, rounding up.

    Args:
        amps: A finite number of amps; a float counts as its shortest decimal text.

    Returns:
        The least whole number of milliamps that is not below it.

    Raises:
        ValueError: It is no number, not finite, or beyond any circuit; the text completes "x ...".
    """
    return int(_milliamps(amps).to_integral_value(ROUND_CEILING))


def amps(current_ma: Milliamps) -> float:
    """Milliamps as amps, for files and screens only."""
    return current_ma / 1000


def amps_text(current_ma: Milliamps) -> str:
    """A current for people: `20 A`, `7.5 A`."""
    return f"{current_ma / 1000:g} A" if abs(current_ma) < 1_000_000 else f"{current_ma / 1000:.10g} A"


def down_to_step(current_ma: Milliamps, step_ma: Milliamps) -> Milliamps:
    """The greatest multiple of the step that is not above the current."""
    return current_ma - current_ma % step_ma
