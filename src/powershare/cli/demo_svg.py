"""The evening as an SVG picture: who drew how much, stacked, under the feeder's limit. Needs no extra."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from powershare.cli.output import whole_path
from powershare.simulation.evening import STARTED, Evening, Series
from powershare.units import Milliamps, amps_text

_WIDTH, _HEIGHT = 900, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 120, 56, 40
_SAMPLE_MS = 20_000
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""One per connector; told apart with every kind of colour vision (Okabe and Ito)."""
_LIMIT_COLOUR, _INK, _PAPER, _GRID = "#c0392b", "#333333", "#ffffff", "#dddddd"


def draw(evening: Evening, path: Path) -> None:
    """Draw an evening that has passed.

    Args:
        evening: It.
        path: Where the picture goes.
    """
    with whole_path(path) as part:
        part.write_text("\n".join(_lines(evening)) + "\n", encoding="utf-8", newline="\n")


def _lines(evening: Evening) -> Iterator[str]:
    site = evening.site
    limit_ma = site.circuits[0].usable_limit_ma(site.supply.lines[0])[0]
    canvas = _Canvas(evening.ends_ms, limit_ma)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    yield "<title>Six connectors on one feeder over an evening: current drawn, stacked, under the limit</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>'
    yield f'<g fill="{_INK}">'
    yield f'<text x="{_LEFT}" y="22" font-weight="bold">Six connectors share a feeder for an evening</text>'
    yield f'<text x="{_LEFT}" y="40">current drawn per line, in amps; one colour per connector</text>'
    yield from canvas.grid()
    yield "</g>"
    yield from _stack(evening, canvas)
    yield from canvas.limit()
    yield "</svg>"


class _Canvas:
    """Where time and amps are on the picture."""

    def __init__(self, ends_ms: int, limit_ma: Milliamps) -> None:
        self._ends_ms, self._limit_ma = ends_ms, limit_ma
        self._top_ma = limit_ma * 110 // 100

    def x(self, t_ms: int) -> str:
        return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * t_ms / self._ends_ms:.1f}"

    def y(self, current_ma: Milliamps) -> str:
        return f"{_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * current_ma / self._top_ma:.1f}"

    def grid(self) -> Iterator[str]:
        """Amps at the left, the time below."""
        right = self.x(self._ends_ms)
        for current_ma in range(0, self._limit_ma + 1, 10_000):
            y = self.y(current_ma)
            yield f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" stroke="{_GRID}"/>'
            yield f'<text x="{_LEFT - 8}" y="{y}" dy="0.35em" text-anchor="end">{amps_text(current_ma)}</text>'
        for t_ms in range(0, self._ends_ms + 1, 1_800_000):
            clock = f"{STARTED + timedelta(milliseconds=t_ms):%H:%M}"
            yield f'<text x="{self.x(t_ms)}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{clock}</text>'

    def limit(self) -> Iterator[str]:
        """The limit, above everything."""
        y, right = self.y(self._limit_ma), self.x(self._ends_ms)
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" stroke="{_LIMIT_COLOUR}" stroke-width="2"/>'
        words = f"limit {amps_text(self._limit_ma)}"
        place = f'x="{float(right) + 8:.1f}" y="{y}" dy="0.35em"'
        yield f'<text {place} fill="{_LIMIT_COLOUR}" font-weight="bold">{words}</text>'


def _stack(evening: Evening, canvas: _Canvas) -> Iterator[str]:
    """One area per connector on top of the ones before, sampled at instants so that their sum is a real one."""
    instants = range(0, evening.ends_ms + 1, _SAMPLE_MS)
    floor_ma = [0] * len(instants)
    names = list(evening.series)
    for place, name in enumerate(names):
        drawn_ma = _sampled(evening.series[name], instants)
        roof_ma = [below + own for below, own in zip(floor_ma, drawn_ma, strict=True)]
        points = [f"{canvas.x(t_ms)},{canvas.y(ma)}" for t_ms, ma in _corners(instants, roof_ma)]
        points += reversed([f"{canvas.x(t_ms)},{canvas.y(ma)}" for t_ms, ma in _corners(instants, floor_ma)])
        colour = _COLOURS[place % len(_COLOURS)]
        yield f'<polygon fill="{colour}" points="{" ".join(points)}"/>'
        y = _TOP + 60 + 24 * (len(names) - place)
        x = _WIDTH - _RIGHT + 8
        yield f'<rect x="{x}" y="{y - 11}" width="14" height="14" fill="{colour}"/>'
        yield f'<text x="{x + 22}" y="{y}" fill="{_INK}">{name}</text>'
        floor_ma = roof_ma


def _sampled(series: Series, instants: range) -> list[Milliamps]:
    """The staircase at each instant."""
    places = (bisect_right(series.t_ms, t_ms) - 1 for t_ms in instants)
    return [series.drawn_ma[place] if place >= 0 else 0 for place in places]


def _corners(instants: range, values_ma: Sequence[Milliamps]) -> list[tuple[int, Milliamps]]:
    """The points at which the curve bends; what lies on a level between two is left out."""
    last = len(values_ma) - 1
    return [
        (t_ms, values_ma[place])
        for place, t_ms in enumerate(instants)
        if place in (0, last) or not values_ma[place - 1] == values_ma[place] == values_ma[place + 1]
    ]
