"""The audit of a trace: adds up who offered and drew what, and judges it against the limits.

A trace is written by the devices (emulated, or read from hardware), so the audit needs no trust in
whatever decided the offers. It judges each instant after all events of that instant: a decrease and
a raise at one instant are one step.
"""

from collections.abc import Collection, Iterable

import attrs

from powershare.errors import ContractError, FormatError, Problem
from powershare.site import Site
from powershare.site.checks import unknown_name
from powershare.site.values import Circuit, on_line
from powershare.trace.events import (
    UNCHANGED,
    AuditResult,
    Breach,
    CircuitEvent,
    ConnectorEvent,
    LoadKind,
    Peak,
    TraceEvent,
)
from powershare.units import Line, LineMilliamps, Milliamps


class _Loads:
    """One kind of current: its sum per slot, its peaks, and its open and closed breaches.

    A slot is one line of one limit; all slots of the site are numbered through.
    """

    __slots__ = ("dirty", "kind", "open", "peak", "sum")

    def __init__(self, kind: LoadKind, slots: int) -> None:
        self.kind = kind
        self.sum = [0] * slots
        self.peak = [0] * slots
        self.open: dict[int, Breach] = {}
        self.dirty: set[int] = set()  # what may have risen above its limit, or may have come back under it

    def add(self, slots: tuple[int, ...], more_ma: Milliamps) -> None:
        """Add to some slots; a slot that sinks needs a look only while something is above its limit."""
        total = self.sum
        for slot in slots:
            total[slot] += more_ma
        if more_ma > 0 or self.open:
            self.dirty.update(slots)


class _Contributor:
    """What one connector adds at present, and to which slots."""

    __slots__ = ("drawn_ma", "lines_used", "nodes", "pilot_ma", "slots", "slots_for")

    def __init__(self, nodes: tuple[int, ...], slots_for: dict[int | None, tuple[int, ...]]) -> None:
        self.nodes = nodes
        self.slots_for = slots_for
        self.slots = slots_for[None]
        self.lines_used: int | None = None
        self.pilot_ma = 0
        self.drawn_ma = 0


class Audit:
    """Adds up events on the fly; the cost of one is the depth of the site, not its size.

    Before its first event a connector offers and draws nothing, a circuit has its own limit, and its
    other load is the commissioned worst case: silence is the worst case.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lines = len(site.supply.lines)
        self._node = {circuit.id: number for number, circuit in enumerate(site.circuits)}
        self._limit_ma = [circuit.usable_limit_ma(line)[0] for circuit in site.circuits for line in site.supply.lines]
        if site.network_limit_ma is not None:
            self._limit_ma += [site.network_limit_ma] * self._lines
        self._own_limit_ma = tuple(self._limit_ma)
        self._own_other_ma: dict[str, tuple[int, ...]] = {}
        self._other_ma = [0] * len(self._limit_ma)
        for circuit in site.circuits:
            worst = tuple(on_line(circuit.other_load_worst_ma, line) for line in site.supply.lines)
            self._set_other(circuit.id, worst)
        self._offered = _Loads(LoadKind.OFFERED, len(self._limit_ma))
        self._drawn = _Loads(LoadKind.DRAWN, len(self._limit_ma))
        self._contributors = {connector.id: self._contributor(connector.id) for connector in site.connectors}
        self._marked: set[tuple[str, str]] = set()
        self._marks_at = [0] * (len(self._limit_ma) // self._lines)
        self._look_at(slot for slot, other_ma in enumerate(self._other_ma) if other_ma)
        self._closed: list[Breach] = []
        self._events = 0
        self._first_ms: int | None = None
        self._now_ms = 0

    def feed(self, event: TraceEvent) -> None:
        """Take one event into the sums; the instant before it is judged when time moves on.

        Args:
            event: The next event; time may stand still, and never goes back.

        Raises:
            ContractError: Time went back.
            FormatError: It names a node that the site has not, or has not one figure per line.
        """
        t_ms = event.t_ms
        if self._first_ms is None:
            self._first_ms = self._now_ms = t_ms
        elif t_ms != self._now_ms:
            if t_ms < self._now_ms:
                raise ContractError(f"time went back from {self._now_ms} ms to {t_ms} ms; feed events in order of time")
            self._judge()
            self._now_ms = t_ms
        self._events += 1
        if isinstance(event, ConnectorEvent):
            self._take_connector(event)
        else:
            self._take_circuit(event)

    def result(self) -> AuditResult:
        """What has been seen up to now; call it after the last event of an instant.

        Returns:
            The breaches and peaks; a breach that has not ended has no `until_ms`.
        """
        self._judge()
        still_open = [*self._offered.open.values(), *self._drawn.open.values()]
        return AuditResult(
            breaches=tuple(sorted([*self._closed, *still_open], key=lambda breach: breach.t_ms)),
            peaks=tuple(self._peak(slot) for slot in range(len(self._limit_ma))),
            events=self._events,
            first_ms=self._first_ms,
            last_ms=None if self._first_ms is None else self._now_ms,
        )

    def _contributor(self, connector_id: str) -> _Contributor:
        site = self._site
        nodes = tuple(self._node[circuit.id] for circuit in self._path(site.connector_by_id[connector_id].circuit))
        if site.network_limit_ma is not None:
            nodes += (len(site.circuits),)
        loaded = {used: site.wiring[connector_id].loaded_lines(used) for used in (None, 1, 2, 3)}
        slots_for = {
            used: tuple(node * self._lines + line for node in nodes for line in lines) for used, lines in loaded.items()
        }
        return _Contributor(nodes, slots_for)

    def _take_connector(self, event: ConnectorEvent) -> None:
        at = self._contributors.get(event.connector)
        if at is None:
            raise _unknown(event, "connector", event.connector, self._contributors)
        if event.lines_used != at.lines_used:
            self._offered.add(at.slots, -at.pilot_ma)
            self._drawn.add(at.slots, -at.drawn_ma)
            at.lines_used, at.pilot_ma, at.drawn_ma = event.lines_used, 0, 0
            at.slots = at.slots_for[event.lines_used]
        if event.pilot_ma != at.pilot_ma:
            self._offered.add(at.slots, event.pilot_ma - at.pilot_ma)
            at.pilot_ma = event.pilot_ma
        if event.drawn_ma != at.drawn_ma:
            self._drawn.add(at.slots, event.drawn_ma - at.drawn_ma)
            at.drawn_ma = event.drawn_ma
        if event.outside is not UNCHANGED:
            self._mark(("connector", event.connector), event.outside, at.nodes)

    def _take_circuit(self, event: CircuitEvent) -> None:
        node = self._node.get(event.circuit)
        if node is None:
            raise _unknown(event, "circuit", event.circuit, self._node)
        for field, figures in (("limit_a", event.limit_ma), ("other_load_a", event.other_load_ma)):
            if len(figures) != self._lines:
                message = f"has {len(figures)} figures; give one per line of the supply, {self._lines}"
                raise FormatError([Problem(_where(event), field, message)])
        first = node * self._lines
        for slot, limit_ma in enumerate(event.limit_ma, first):
            self._limit_ma[slot] = min(limit_ma, self._own_limit_ma[slot])
        self._look_at(range(first, first + self._lines))
        self._look_at(self._set_other(event.circuit, event.other_load_ma))
        if event.outside is not UNCHANGED:
            nodes = tuple(self._node[circuit.id] for circuit in self._path(event.circuit))
            self._mark(("circuit", event.circuit), event.outside, nodes)

    def _path(self, circuit_id: str) -> tuple[Circuit, ...]:
        return self._site.circuits_above(circuit_id)

    def _set_other(self, circuit_id: str, figures_ma: LineMilliamps) -> list[int]:
        """Put a circuit's own other load in place of the one before; the slots whose sum changed."""
        before_ma = self._own_other_ma.get(circuit_id, (0,) * self._lines)
        if before_ma == figures_ma:
            return []
        self._own_other_ma[circuit_id] = tuple(figures_ma)
        changed: list[int] = []
        for circuit in self._path(circuit_id):
            first = self._node[circuit.id] * self._lines
            for line in range(self._lines):
                self._other_ma[first + line] += figures_ma[line] - before_ma[line]
                changed.append(first + line)
        return changed

    def _mark(self, who: tuple[str, str], outside: str | None, nodes: tuple[int, ...]) -> None:
        """Count who is outside on every limit above it; a mark that is there already changes nothing."""
        if (outside is not None) == (who in self._marked):
            return
        step = 1 if outside is not None else -1
        self._marked.symmetric_difference_update({who})
        for node in nodes:
            self._marks_at[node] += step
            self._look_at(range(node * self._lines, (node + 1) * self._lines))

    def _look_at(self, slots: Iterable[int]) -> None:
        """Judge these slots at the end of the instant, offered and drawn."""
        for slot in slots:
            self._offered.dirty.add(slot)
            self._drawn.dirty.add(slot)

    def _judge(self) -> None:
        """Compare every slot that may have changed sides at this instant with its limit."""
        other_ma, limit_ma = self._other_ma, self._limit_ma
        for loads in (self._offered, self._drawn):
            if not loads.dirty:
                continue
            total, peak = loads.sum, loads.peak
            for slot in loads.dirty:
                load_ma = total[slot] + other_ma[slot]
                if load_ma > peak[slot]:  # noqa: PLR1730 - max() costs a call, a million times
                    peak[slot] = load_ma
                if load_ma > limit_ma[slot] or slot in loads.open:
                    self._judge_breach(loads, slot, load_ma)
            loads.dirty.clear()

    def _judge_breach(self, loads: _Loads, slot: int, load_ma: Milliamps) -> None:
        """Open, go on with, or close the breach of one slot."""
        node, line = divmod(slot, self._lines)
        limit_ma, outside = self._limit_ma[slot], self._marks_at[node] > 0
        before = loads.open.pop(slot, None)
        if before is not None and (load_ma <= limit_ma or before.outside != outside):
            self._closed.append(attrs.evolve(before, until_ms=self._now_ms))
            before = None
        if load_ma <= limit_ma:
            return
        if before is not None and before.load_ma - before.limit_ma >= load_ma - limit_ma:
            loads.open[slot] = before
            return
        loads.open[slot] = Breach(
            t_ms=self._now_ms if before is None else before.t_ms,
            until_ms=None,
            circuit=self._circuit_id(node),
            line=Line(line),
            limit_ma=limit_ma,
            load_ma=load_ma,
            connectors_ma=loads.sum[slot],
            kind=loads.kind,
            outside=outside,
        )

    def _circuit_id(self, node: int) -> str | None:
        circuits = self._site.circuits
        return circuits[node].id if node < len(circuits) else None

    def _peak(self, slot: int) -> Peak:
        node, line = divmod(slot, self._lines)
        return Peak(
            circuit=self._circuit_id(node),
            line=Line(line),
            limit_ma=self._own_limit_ma[slot],
            offered_ma=self._offered.peak[slot],
            drawn_ma=self._drawn.peak[slot],
        )


def audit(site: Site, events: Iterable[TraceEvent]) -> AuditResult:
    """Add up a whole trace and judge it.

    Args:
        site: The site whose limits count.
        events: Every event, in order of time.

    Returns:
        Every breach and peak.

    Raises:
        ContractError: Time went back.
        FormatError: An event does not fit the site.
    """
    auditor = Audit(site)
    for event in events:
        auditor.feed(event)
    return auditor.result()


def _where(event: TraceEvent) -> str:
    return f"event at {event.t_ms / 1000:g} s"


def _unknown(event: TraceEvent, kind: str, name: str, known: Collection[str]) -> FormatError:
    return FormatError([Problem(_where(event), kind, unknown_name(name, known, kind))])
