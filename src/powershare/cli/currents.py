"""Currents over time, made from trace events for pictures: the greatest of each stretch, so that no peak is lost."""

from collections.abc import Sequence

from powershare.site import Site
from powershare.site.values import on_line
from powershare.trace import CircuitEvent, ConnectorEvent, TraceEvent
from powershare.units import Milliamps


class Envelope:
    """A staircase over time, seen through equal stretches: the greatest value in each."""

    __slots__ = ("_at", "_first_ms", "_value_ma", "_width_ms", "greatest_ma")

    def __init__(self, first_ms: int, width_ms: int, stretches: int, value_ma: Milliamps = 0) -> None:
        self._first_ms, self._width_ms = first_ms, width_ms
        self._at, self._value_ma = 0, value_ma
        self.greatest_ma = [0] * stretches
        self.greatest_ma[0] = value_ma

    def change(self, t_ms: int, value_ma: Milliamps) -> None:
        """From this instant on the value is another; time does not go back."""
        self.reach(t_ms)
        self._value_ma = value_ma
        self.greatest_ma[self._at] = max(self.greatest_ma[self._at], value_ma)

    def reach(self, t_ms: int) -> None:
        """Up to this instant the value stays what it is."""
        last = min((t_ms - self._first_ms) // self._width_ms, len(self.greatest_ma) - 1)
        while self._at < last:
            self._at += 1
            self.greatest_ma[self._at] = self._value_ma


class Panel:
    """One circuit (or the network limit) over time: per line what is offered, drawn and allowed.

    Attributes:
        title: The circuit's id, or what the limit is called.
        limit_ma: The limit per line.
        offered: Sum of the offers and other load, per line.
        drawn: Sum of what is drawn and other load, per line.
    """

    def __init__(self, title: str, limit_ma: Sequence[Milliamps], first_ms: int, width_ms: int, stretches: int) -> None:
        self.title, self.limit_ma = title, tuple(limit_ma)
        self.offered = [Envelope(first_ms, width_ms, stretches) for _ in limit_ma]
        self.drawn = [Envelope(first_ms, width_ms, stretches) for _ in limit_ma]
        self.offered_now_ma = [0] * len(self.limit_ma)
        self.drawn_now_ma = [0] * len(self.limit_ma)
        self.other_ma = [0] * len(self.limit_ma)


class Currents:
    """Adds up trace events per circuit and line, over a span that is known beforehand.

    Attributes:
        width_ms: Duration of one stretch.
        panels: The circuits in site order, the network limit last.
    """

    def __init__(self, site: Site, first_ms: int, last_ms: int, stretches: int) -> None:
        self._site = site
        self.first_ms = first_ms
        self.width_ms = max(1, -(-(last_ms - first_ms) // stretches))
        self.stretches = stretches
        lines = site.supply.lines
        self.panels = [
            self._panel(circuit.id, [circuit.usable_limit_ma(line)[0] for line in lines]) for circuit in site.circuits
        ]
        if site.network_limit_ma is not None:
            self.panels.append(self._panel("network limit", [site.network_limit_ma] * len(lines)))
        place = {circuit.id: panel for circuit, panel in zip(site.circuits, self.panels, strict=False)}
        self._above_circuit = {
            circuit.id: [place[above.id] for above in site.circuits_above(circuit.id)] for circuit in site.circuits
        }
        network = self.panels[len(site.circuits) :]
        self._above = {connector.id: self._above_circuit[connector.circuit] + network for connector in site.connectors}
        self._counted: dict[str, tuple[int | None, Milliamps, Milliamps]] = {}
        self._other_ma = {circuit.id: [0] * len(lines) for circuit in site.circuits}
        self._dirty: set[tuple[Panel, int]] = set()
        self._now_ms = first_ms
        for circuit in site.circuits:
            self._set_other(circuit.id, [on_line(circuit.other_load_worst_ma, line) for line in lines])

    def _panel(self, title: str, limit_ma: Sequence[Milliamps]) -> Panel:
        return Panel(title, limit_ma, self.first_ms, self.width_ms, self.stretches)

    def feed(self, event: TraceEvent) -> None:
        """Take one event in; what happens at one instant counts as one step."""
        if event.t_ms != self._now_ms:
            self._settle()
            self._now_ms = event.t_ms
        if isinstance(event, ConnectorEvent):
            self._take(event)
        elif isinstance(event, CircuitEvent):
            self._set_other(event.circuit, event.other_load_ma)

    def finish(self, last_ms: int) -> None:
        """Carry every line on to the end of the span."""
        self._settle()
        for panel in self.panels:
            for envelope in (*panel.offered, *panel.drawn):
                envelope.reach(last_ms)

    def _take(self, event: ConnectorEvent) -> None:
        lines_used, offered_ma, drawn_ma = self._counted.get(event.connector, (event.lines_used, 0, 0))
        wiring = self._site.wiring[event.connector]
        steps = (
            (wiring.loaded_lines(lines_used), -offered_ma, -drawn_ma),
            (wiring.loaded_lines(event.lines_used), event.pilot_ma, event.drawn_ma),
        )
        self._counted[event.connector] = (event.lines_used, event.pilot_ma, event.drawn_ma)
        for lines, more_offered_ma, more_drawn_ma in steps:
            for panel in self._above[event.connector]:
                for line in lines:
                    panel.offered_now_ma[line] += more_offered_ma
                    panel.drawn_now_ma[line] += more_drawn_ma
                    self._dirty.add((panel, line))

    def _set_other(self, circuit_id: str, figures_ma: Sequence[Milliamps]) -> None:
        for line, figure_ma in enumerate(figures_ma):
            more_ma = figure_ma - self._other_ma[circuit_id][line]
            if more_ma:
                self._other_ma[circuit_id][line] = figure_ma
                for panel in self._above_circuit[circuit_id]:
                    panel.other_ma[line] += more_ma
                    self._dirty.add((panel, line))

    def _settle(self) -> None:
        for panel, line in self._dirty:
            panel.offered[line].change(self._now_ms, panel.offered_now_ma[line] + panel.other_ma[line])
            panel.drawn[line].change(self._now_ms, panel.drawn_now_ma[line] + panel.other_ma[line])
        self._dirty.clear()
