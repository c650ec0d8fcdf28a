"""A site in virtual time: simulated connectors and meters, and a policy that commands them.

Nothing is stepped. A connector's clock goes off when its vehicle's current bends, a meter is asked
for what it knew, and the policy is called when something changed that it can know, or when it asked
to be. What the devices do is told as trace events and audited on the way, so that the report's
figures and a check of the written trace come from the same sums.
"""

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush

from powershare.allocation import Allocation
from powershare.demand import ExternalLimit
from powershare.policy import Change, Conditions, Decision, Policy, Report
from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.engine import Engine
from powershare.simulation.meter import LoadProfile, MeterTraits
from powershare.simulation.vehicle import Vehicle
from powershare.site import Site
from powershare.site.values import on_line
from powershare.trace import UNCHANGED, Audit, CircuitEvent, ConnectorEvent, Mark, TraceEvent
from powershare.units import LineMilliamps

FOREIGN_LOAD_MS = 60_000
"""For so long after other load rose, or a limit fell, assumption A7 is marked as not holding: a late meter,
a reaction, and a ramp of 32 A at 1 A/s fit into it."""


class Garage:
    """A site, its devices and its policy, from one change to the next.

    Args:
        site: What is installed.
        engine: Virtual time.
        policy: Who decides; None: nobody, every vehicle is offered all its connector has.
        meter: How the meters read.
        cycle_ms: The policy is not called more often than this.
        actuation_ms: From a decision until the pilot changes. No new decision is made in between.
        tells_departure: Whether the policy's order needs energy and departure.
        on_event: Who is told of every change at a device.
    """

    def __init__(
        self,
        site: Site,
        engine: Engine,
        policy: Policy | None,
        *,
        meter: MeterTraits | None = None,
        cycle_ms: int = 1_000,
        actuation_ms: int = 100,
        tells_departure: bool = False,
        on_event: Callable[[TraceEvent], None] | None = None,
    ) -> None:
        self.site, self.engine, self.policy = site, engine, policy
        self._meter = meter or MeterTraits()
        self.connectors = tuple(
            SimulatedConnector(site, config, self._meter, engine.now_ms) for config in site.connectors
        )
        self._number = {connector.config.id: number for number, connector in enumerate(self.connectors)}
        self._cycle_ms, self._actuation_ms = cycle_ms, actuation_ms
        self._tells_departure = tells_departure
        self._on_event = on_event
        self.audit = Audit(site)
        self._feed = self.audit.feed
        self.events = self.steps = self.offer_changes = 0
        self.connected_ms = self.bound_ms = 0
        self.allocation: Allocation | None = None
        self._connected = 0
        self._bound = False
        self._clocked_ms = engine.now_ms
        count = len(self.connectors)
        self._armed_ms: list[int | None] = [None] * count
        self._told: list[tuple[int, int, str, bool]] = [(0, 0, "A", False)] * count
        self._marked = [False] * count
        self._idle: list[Report | None] = [None] * count
        self._idle_from_ms = [engine.now_ms] * count
        self._step_ms: int | None = None
        self._wakes: list[int] = []
        self._due_ms: int | None = None
        self._stepped_ms = engine.now_ms - cycle_ms
        self._pending = 0
        self._again = False
        self._loads: dict[str, LoadProfile] = {}
        self._silent: set[str] = set()
        self._limits: tuple[ExternalLimit, ...] = ()
        self._excused_ms: dict[str, int] = {}

    def plug(
        self, connector_id: str, vehicle: Vehicle, *, energy_wh: int = 1 << 40, departs_ms: int | None = None
    ) -> None:
        """Plug a vehicle in, now.

        Args:
            connector_id: Where.
            vehicle: It.
            energy_wh: Energy it asks for.
            departs_ms: When it is expected to leave, where that is known.
        """
        number = self._number[connector_id]
        connector = self.connectors[number]
        self._clock()
        self._connected += 1
        connector.plug(vehicle, self.engine.now_ms, energy_wh=energy_wh, departs_ms=departs_ms)
        if self.policy is None and connector.wants:
            connector.offer(connector.config.max_offer_ma, self.engine.now_ms)
        self._settle(number, "plugged_in")

    def unplug(self, connector_id: str) -> Vehicle:
        """Unplug the vehicle, now.

        Returns:
            The vehicle, with its charge.
        """
        number = self._number[connector_id]
        self._clock()
        self._connected -= 1
        vehicle = self.connectors[number].unplug(self.engine.now_ms)
        self._settle(number, "unplugged")
        return vehicle

    def connector(self, connector_id: str) -> SimulatedConnector:
        """The device of that name."""
        return self.connectors[self._number[connector_id]]

    def fail(self, connector_id: str, *, faulted: bool) -> None:
        """Put a connector out of order, or back into service, now."""
        number = self._number[connector_id]
        self.connectors[number].fail(self.engine.now_ms, faulted=faulted)
        self._settle(number, "fault" if faulted else "fault_cleared")

    def load(self, circuit_id: str, profile: LoadProfile) -> None:
        """Let a circuit have a load that is no connector's. A meter measures it."""
        self._loads[circuit_id] = profile
        self._load_changes(circuit_id)

    def silence(self, circuit_id: str, *, silent: bool) -> None:
        """Let the meter of a circuit fall silent, or speak again: the policy then counts the worst case."""
        (self._silent.add if silent else self._silent.discard)(circuit_id)
        self._wake(self.engine.now_ms)

    def impose(self, limits: Iterable[ExternalLimit]) -> None:
        """Let these external limits hold from now on, in place of the ones before."""
        before, self._limits = self._limits, tuple(limits)
        for circuit_id in sorted({one.circuit for one in (*before, *self._limits) if one.circuit is not None}):
            was_ma, is_ma = (self._limit_ma(circuit_id, of) for of in (before, self._limits))
            if is_ma != was_ma:
                self._foreign(circuit_id, worse=any(now < then for now, then in zip(is_ma, was_ma, strict=True)))
        self._wake(self.engine.now_ms)

    def finish(self) -> None:
        """Bring the books up to the present."""
        self._clock()
        for connector in self.connectors:
            connector.advance(self.engine.now_ms)

    # Devices

    def _settle(self, number: int, event: str | None = None) -> None:
        """After anything at a connector: tell what changed, wake whom it concerns, set its clock."""
        connector, now_ms = self.connectors[number], self.engine.now_ms
        offered_ma, drawn_ma, _, wants = now = (
            connector.offered_ma,
            connector.drawn_ma,
            connector.state,
            connector.wants,
        )
        before = self._told[number]
        if now != before or event is not None:
            self._told[number] = now
            self._idle[number] = None
            self._idle_from_ms[number] = now_ms + 2 * (self._meter.delay_ms + self._meter.period_ms)
            if drawn_ma != before[1]:
                known_ms = connector.meter.change(drawn_ma, now_ms)
                # A policy asks to be called while it waits for a change it expects: a rise up to an offer,
                # the end of a lowered current. What it cannot expect wakes it.
                if (drawn_ma < before[1] and wants) or drawn_ma > offered_ma:
                    self._wake(known_ms)
            if wants != before[3] or event is not None:
                self._wake(now_ms)
            if offered_ma != before[0]:
                self.offer_changes += 1
            self._tell(number, event)
        next_ms = connector.next_ms()
        if next_ms != self._armed_ms[number]:
            self._armed_ms[number] = next_ms
            if next_ms is not None:
                self.engine.at(max(next_ms, now_ms), partial(self._ring, number, next_ms))

    def _ring(self, number: int, armed_ms: int) -> None:
        """A connector's clock goes off, unless it was set anew since."""
        if self._armed_ms[number] != armed_ms:
            return
        self._armed_ms[number] = None
        self.connectors[number].advance(self.engine.now_ms)
        self._settle(number)

    def _tell(self, number: int, event: str | None) -> None:
        connector = self.connectors[number]
        vehicle = connector.vehicle
        offered_ma, drawn_ma, state, _ = self._told[number]
        disobeys = vehicle is not None and not vehicle.traits.obeys and drawn_ma > offered_ma
        outside: Mark = UNCHANGED
        if disobeys != self._marked[number]:
            self._marked[number] = disobeys
            outside = "A2" if disobeys else None
        self._emit(
            ConnectorEvent(
                t_ms=self.engine.now_ms,
                connector=connector.config.id,
                pilot_ma=offered_ma,
                drawn_ma=drawn_ma,
                lines_used=vehicle.traits.lines_used if vehicle is not None else None,
                state=state,
                event=event,
                outside=outside,
            )
        )

    def _emit(self, event: TraceEvent) -> None:
        self.events += 1
        self._feed(event)
        if self._on_event is not None:
            self._on_event(event)

    def _load_changes(self, circuit_id: str) -> None:
        """The other load of a circuit is now what its profile says; set the clock for its next change."""
        profile, now_ms = self._loads[circuit_id], self.engine.now_ms
        before = profile.at(now_ms - 1)
        rises = any(now > then for now, then in zip(profile.at(now_ms), before, strict=True))
        self._foreign(circuit_id, worse=rises)
        sampled_ms = -(-now_ms // self._meter.period_ms) * self._meter.period_ms
        self._wake(sampled_ms + self._meter.delay_ms)
        later_ms = profile.next_ms(now_ms)
        if later_ms is not None:
            self.engine.at(later_ms, partial(self._load_changes, circuit_id))

    def _foreign(self, circuit_id: str, *, worse: bool) -> None:
        """A limit or other load changed: tell it, excused for a while if there is less room than before."""
        if worse:
            now_ms = self._excused_ms[circuit_id] = self.engine.now_ms
            self.engine.at(now_ms + FOREIGN_LOAD_MS, partial(self._foreign_settled, circuit_id, now_ms))
        self._tell_circuit(circuit_id, "A7" if worse else UNCHANGED)

    def _foreign_settled(self, circuit_id: str, since_ms: int) -> None:
        if self._excused_ms[circuit_id] == since_ms:
            self._tell_circuit(circuit_id, None)

    def _limit_ma(self, circuit_id: str, external: Iterable[ExternalLimit]) -> LineMilliamps:
        """What a circuit may carry per line under these external limits."""
        circuit, lines = self.site.circuit_by_id[circuit_id], self.site.supply.lines
        own = [one.limit_ma for one in external if one.circuit == circuit_id]
        return tuple(
            min([circuit.usable_limit_ma(line)[0], *(on_line(limit_ma, line) for limit_ma in own)]) for line in lines
        )

    def _tell_circuit(self, circuit_id: str, outside: Mark) -> None:
        circuit, lines = self.site.circuit_by_id[circuit_id], self.site.supply.lines
        profile, worst_ma = self._loads.get(circuit_id), circuit.other_load_worst_ma
        if profile is not None:
            other_ma = profile.at(self.engine.now_ms)
        else:
            other_ma = worst_ma if isinstance(worst_ma, tuple) else (worst_ma,) * len(lines)
        source = "meter" if profile is not None else "external"
        self._emit(
            CircuitEvent(
                t_ms=self.engine.now_ms,
                circuit=circuit_id,
                limit_ma=self._limit_ma(circuit_id, self._limits),
                other_load_ma=other_ma,
                source=source,
                outside=outside,
            )
        )

    # Policy

    def _wake(self, t_ms: int) -> None:
        """Have the policy called at that time, or when its cycle allows, whatever else calls it before."""
        if self.policy is not None:
            heappush(self._wakes, t_ms)
            self._arm()

    def _arm(self) -> None:
        """Set the clock for the next call of the policy."""
        next_ms = min((t_ms for t_ms in (*self._wakes[:1], self._due_ms) if t_ms is not None), default=None)
        if next_ms is None:
            return
        next_ms = max(next_ms, self._stepped_ms + self._cycle_ms, self.engine.now_ms)
        if self._step_ms is None or next_ms < self._step_ms:
            self._step_ms = next_ms
            self.engine.at(next_ms, partial(self._step, next_ms))

    def _step(self, armed_ms: int) -> None:
        if self._step_ms != armed_ms or self.policy is None:
            return
        self._step_ms = None
        if self._pending:
            self._again = True
            return
        now_ms = self.engine.now_ms
        self._stepped_ms = now_ms
        while self._wakes and self._wakes[0] <= now_ms:
            heappop(self._wakes)
        self._clock()
        self.steps += 1
        decision = self.policy.step(self._reports(now_ms), self._conditions(now_ms), now_ms)
        self.allocation = decision.allocation
        self._bound = self._binds(decision)
        for change in decision.changes:
            session = self.connectors[self._number[change.connector]].session
            self._pending += 1
            self.engine.at(now_ms + self._actuation_ms, partial(self._apply, change, session))
        self._due_ms = decision.due_ms
        self._arm()

    def _apply(self, change: Change, session: int) -> None:
        """A decision reaches its device; what was meant for another vehicle is dropped."""
        number, now_ms = self._number[change.connector], self.engine.now_ms
        connector = self.connectors[number]
        self._pending -= 1
        if connector.session == session:
            connector.offer(change.offered_ma, now_ms)
            self._settle(number)
        if not self._pending and self._again:
            self._again = False
            self._wake(now_ms)

    def _reports(self, now_ms: int) -> list[Report]:
        reports = []
        for number, connector in enumerate(self.connectors):
            idle = self._idle[number]
            if idle is not None:
                reports.append(idle)
                continue
            connector.advance(now_ms)
            report = connector.report(now_ms, tells_departure=self._tells_departure)
            if connector.vehicle is None and now_ms >= self._idle_from_ms[number]:
                # Nothing about an empty connector changes once its meter has caught up.
                self._idle[number] = report
            reports.append(report)
        return reports

    def _conditions(self, now_ms: int) -> Conditions:
        if not self._loads and not self._limits:
            return _QUIET
        meter = self._meter
        sampled_ms = (now_ms - meter.delay_ms) // meter.period_ms * meter.period_ms
        other_load_ma = {
            circuit_id: tuple(-(-load_ma // meter.step_ma) * meter.step_ma for load_ma in profile.at(sampled_ms))
            for circuit_id, profile in self._loads.items()
            if circuit_id not in self._silent
        }
        return Conditions(other_load_ma=other_load_ma, external_limits=self._limits)

    # Books

    def _clock(self) -> None:
        """Count the time since the last time: connected, and bound by a limit of the site."""
        elapsed_ms = self.engine.now_ms - self._clocked_ms
        self._clocked_ms = self.engine.now_ms
        if self._connected:
            self.connected_ms += elapsed_ms
            if self._bound:
                self.bound_ms += elapsed_ms

    def _binds(self, decision: Decision) -> bool:
        """Whether for lack of room some vehicle may have less than it would take."""
        if not decision.short:
            return False
        allocated_ma = decision.allocation.allocated_ma
        return any(
            allocated_ma[connector.config.id]
            <= min(connector.config.max_offer_ma, connector.vehicle.traits.max_ma) - connector.config.step_ma
            for connector in self.connectors
            if connector.wants and connector.vehicle is not None
        )


_QUIET = Conditions()
