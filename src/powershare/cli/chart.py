"""Pictures of letters: a sparkline, and an area under a limit."""

from collections.abc import Sequence
from typing import TextIO

from powershare.cli.output import can_show
from powershare.units import Milliamps

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LETTERS = " .:-=+*#@"


def levels_for(stream: TextIO) -> str:
    """Nine letters from empty to full that the stream can show."""
    return _BLOCKS if can_show(_BLOCKS + "┤─│", stream) else _LETTERS


def sparkline(values_ma: Sequence[Milliamps], full_ma: Milliamps, levels: str) -> str:
    """One letter per value; a value above zero is never shown as empty."""
    return "".join(_letter(value_ma, full_ma, levels) for value_ma in values_ma)


def area(values_ma: Sequence[Milliamps], limit_ma: Milliamps, rows: int, levels: str) -> list[str]:
    """The area under a curve, the topmost row ending at the limit, with amps at the side.

    Args:
        values_ma: One per column. What is above the limit is shown as `!` on the line above the picture.
        limit_ma: The limit; the line above the picture is drawn at it.
        rows: Height of the picture.
        levels: Nine letters from empty to full.

    Returns:
        The lines, top first: the limit, the rows, the floor.
    """
    rule, corner, side = ("─", "┤", "│") if levels == _BLOCKS else ("-", "+", "|")
    width = len(values_ma)
    over = "".join("!" if value_ma > limit_ma else rule for value_ma in values_ma)
    lines = [f"{limit_ma / 1000:>5g} A {corner}{over} limit"]
    for row in reversed(range(rows)):
        low_ma, high_ma = limit_ma * row // rows, limit_ma * (row + 1) // rows
        letters = "".join(_letter(min(value_ma, high_ma) - low_ma, high_ma - low_ma, levels) for value_ma in values_ma)
        halfway = row * 2 == rows and row
        label = f"{low_ma / 1000:>5g} A {corner}" if halfway else f"{'':>8}{side}"
        lines.append(f"{label}{letters}".rstrip())
    lines.append(f"{0:>5} A {corner}{rule * width}")
    return lines


def _letter(value_ma: Milliamps, full_ma: Milliamps, levels: str) -> str:
    top = len(levels) - 1
    if value_ma <= 0:
        return levels[0]
    return levels[max(1, min(top, round(value_ma * top / full_ma)))]
