"""The trace of emulated units: written by the devices' own changes, and marked where one leaves the assumptions."""

import re
from collections.abc import Callable, Mapping, Sequence

import attrs

from powershare.adapter import Clock
from powershare.simulation.outlet import Outlet
from powershare.site import Site
from powershare.trace import UNCHANGED, ConnectorEvent
from powershare.trace.events import Mark
from powershare.units import Milliamps

FOLLOWS_WITHIN_MS = 6_000
"""Assumption A2: so long after its offer went down, a vehicle is at or below it (docs/safety.md)."""

_OUTSIDE = re.compile(r"outside (A\d)")


@attrs.define(kw_only=True)
class _Unit:
    """What has been written of one unit.

    Attributes:
        connector: Its id in the site.
        site_lines: How many lines the connector has there.
        pilots: Its offers of the last six seconds: each with the instant from which on it held.
        failing: The assumption that a failure it was told to have breaks.
        marked: The assumption that fails by what has been written.
        written: The currents and the state that have been written.
    """

    connector: str
    site_lines: int
    pilots: list[tuple[int, Milliamps]] = attrs.field(factory=list)
    failing: str | None = None
    marked: str | None = None
    written: tuple[object, ...] = ()

    def offer(self, now_ms: int, pilot_ma: Milliamps) -> None:
        """Note what is offered from now on."""
        if not self.pilots or self.pilots[-1][1] != pilot_ma:
            self.pilots.append((now_ms, pilot_ma))
        while (due_ms := self.due_ms()) is not None and due_ms <= now_ms:
            del self.pilots[0]

    def due_ms(self) -> int | None:
        """When the oldest offer no longer excuses what is drawn; None: there is only the present one."""
        return self.pilots[1][0] + FOLLOWS_WITHIN_MS if len(self.pilots) > 1 else None

    def outside(self, outlet: Outlet) -> str | None:
        """The assumption that fails now."""
        if self.failing is not None:
            return self.failing
        faulty = outlet.state in {"E", "F"} and outlet.drawn_ma > 0
        return "A2" if faulty or outlet.drawn_ma > max(offered_ma for _, offered_ma in self.pilots) else None


class Recorder:
    """Turns what emulated units tell into events of a trace.

    Args:
        clock: The clock that the units live by.
        site: The site of the trace.
        connectors: The connector that each unit is, in the order of the units.
        write: Takes each event.
    """

    def __init__(
        self, clock: Clock, site: Site, connectors: Sequence[str], write: Callable[[ConnectorEvent], None]
    ) -> None:
        self._started_ms = clock.now_ms()
        self._last_ms = 0
        self._write = write
        self._units = [
            _Unit(connector=connector, site_lines=len(site.wiring[connector].lines)) for connector in connectors
        ]

    def changed(self, number: int, outlet: Outlet, at_ms: int, word: str | None = None) -> None:
        """A unit may have changed: write it, if it has or a word says so."""
        unit = self._units[number]
        unit.offer(at_ms, outlet.offered_ma)
        outside = unit.outside(outlet)
        mark: Mark = UNCHANGED if outside == unit.marked else outside
        loaded = outlet.lines_used or outlet.lines
        now = (outlet.offered_ma, outlet.drawn_ma, outlet.state, loaded)
        if now == unit.written and mark is UNCHANGED and word is None:
            return
        unit.written, unit.marked = now, outside
        # Several units tell of their past in turn; of a trace the time never goes back.
        self._last_ms = max(self._last_ms, at_ms - self._started_ms)
        self._write(
            ConnectorEvent(
                t_ms=self._last_ms,
                connector=unit.connector,
                pilot_ma=outlet.offered_ma,
                drawn_ma=outlet.drawn_ma,
                lines_used=loaded if loaded < unit.site_lines else None,
                state=outlet.state,
                event=word,
                outside=mark,
            )
        )

    def failed(self, number: int, outlet: Outlet, now_ms: int, failure: str, failures: Mapping[str, str]) -> None:
        """A unit has been told to fail: write it, with the assumption that the failure's own words name."""
        found = _OUTSIDE.search(failures.get(failure, ""))
        self._units[number].failing = found[1] if found else None
        self.changed(number, outlet, now_ms, f"failure {failure}")

    def look(self, outlets: Sequence[Outlet], now_ms: int) -> None:
        """Mark what has gone on for too long by now."""
        for number, unit in enumerate(self._units):
            due_ms = unit.due_ms()
            if due_ms is not None and due_ms <= now_ms:
                unit.offer(due_ms, outlets[number].offered_ma)
                if unit.outside(outlets[number]) != unit.marked:
                    self.changed(number, outlets[number], due_ms)

    def due_ms(self) -> int | None:
        """When to look next; None: nothing is waited for."""
        return min((due_ms for unit in self._units if (due_ms := unit.due_ms()) is not None), default=None)
