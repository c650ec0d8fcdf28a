"""What a person sees of `powershare run`: who offers and draws what, and why not more."""

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from powershare.cli.output import per_line_text
from powershare.driver import ConnectorView, Driver, Snapshot
from powershare.units import amps_text

if TYPE_CHECKING:
    from rich.console import RenderableType

_WORDS = 5
"""So many of the last words about devices stay in sight."""

_STATES = {"A": "no car", "B": "connected", "C": "charging", "D": "charging", "E": "fault", "F": "out of order"}


class Screen:
    """The table, drawn anew in its place; a context manager.

    Args:
        driver: What is shown.
    """

    def __init__(self, driver: Driver) -> None:
        from rich.console import Console
        from rich.live import Live

        self._driver = driver
        self._words: deque[str] = deque(maxlen=_WORDS)
        self._live = Live(console=Console(), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        self.draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, words: str) -> None:
        """Show words about a device."""
        self._words.append(words)
        self.draw()

    def draw(self) -> None:
        """Show what is so now."""
        self._live.update(self._picture(self._driver.snapshot()), refresh=True)

    def _picture(self, snapshot: Snapshot) -> "RenderableType":
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for place, header in enumerate(HEADERS):
            justify: Literal["left", "right"] = "right" if place in _RIGHT else "left"
            table.add_column(header, justify=justify, no_wrap=place != len(HEADERS) - 1)
        for row in rows(snapshot):
            table.add_row(*map(Text, row))
        words = [Text(line, style="dim") for line in self._words]
        return Group(*(Text(line, style="bold") for line in headlines(snapshot)), table, *words)


HEADERS = ("connector", "car", "told", "offered", "drawn", "rests on", "bound by")
_RIGHT = (2, 3, 4)


def headlines(snapshot: Snapshot) -> list[str]:
    """One line per circuit: what its connectors may be offering, against its limit."""
    lines = []
    for circuit in snapshot.circuits:
        other_ma = circuit.other_load_ma
        beside = ""
        if other_ma is not None and any(other_ma):
            kind = "measured" if circuit.metered else "worst case"
            beside = f", other loads {per_line_text(other_ma)} ({kind})"
        lines.append(
            f"{circuit.circuit}: {per_line_text(circuit.offered_ma)} of {per_line_text(circuit.limit_ma)}{beside}"
        )
    return lines


def rows(snapshot: Snapshot) -> list[tuple[str, ...]]:
    """One row per connector."""
    return [
        (
            view.connector,
            _car(view),
            "" if view.pilot is None else amps_text(view.pilot.offer_ma),
            amps_text(view.most_offered_ma) if view.reading is None else amps_text(view.reading.offered_ma),
            "" if view.reading is None or view.reading.drawn_ma is None else per_line_text(view.reading.drawn_ma),
            "" if view.pilot is None else view.pilot.why,
            _bound(view),
        )
        for view in snapshot.connectors
    ]


def _car(view: ConnectorView) -> str:
    reading = view.reading
    if reading is None:
        return "silent, at most" if not view.reached else ""
    if reading.fault is not None:
        return reading.fault
    return _STATES[reading.state] + ("" if view.reached else ", silent")


def _bound(view: ConnectorView) -> str:
    if view.reason is not None:
        return view.reason
    bound = view.bound_by
    if bound is None:
        return ""
    who = "the car" if bound.kind.value == "vehicle" else (bound.id or "the network")
    return f"{who}, {amps_text(bound.limit_ma)}"
