# ruff: noqa: ARG002 - the release rule asks for more than what is at once needs to know
"""The ideal beside a storm: the same vehicles under the same policy, which knows all at once and loses nothing."""

from collections.abc import Iterable, Mapping

import attrs

from powershare.node import NetworkConfig
from powershare.policy import Conditions, Decision, Order, Policy, Report
from powershare.policy.room import Room
from powershare.simulation.engine import Engine
from powershare.simulation.garage import Garage
from powershare.simulation.meter import MeterTraits
from powershare.simulation.network.visit import MOST_CHARGE2, READING_STEP_MA, Visit
from powershare.simulation.vehicle import Vehicle
from powershare.site import Circuit
from powershare.trace import ConnectorEvent, TraceEvent
from powershare.units import Line, Milliamps


class AtOnce:
    """Orders every change at once and whole: nothing has to be free first, since nobody can fail to hear."""

    def __init__(self) -> None:
        self._offered_ma: dict[str, Milliamps] = {}

    def observe(self, reports: Iterable[Report], held: Mapping[str, Milliamps], room: Room, now_ms: int) -> None:
        """Take in what is offered."""
        self._offered_ma = {report.connector: report.offered_ma for report in reports}

    @property
    def reserved_ma(self) -> dict[str, Milliamps]:
        """What is offered."""
        return self._offered_ma

    def ordered_ma(self, connector_id: str) -> Milliamps:
        """What is offered."""
        return self._offered_ma[connector_id]

    def overdrawn(self, connector_id: str) -> bool:
        """Never."""
        return False

    def release(
        self, targets_ma: Mapping[str, Milliamps], reserved_ma: Mapping[str, Milliamps], now_ms: int
    ) -> tuple[Order, ...]:
        """Everything that is not yet as it is to be."""
        return tuple(
            Order(connector_id, target_ma, self._offered_ma[connector_id])
            for connector_id, target_ma in targets_ma.items()
            if target_ma != self._offered_ma[connector_id]
        )

    def due_ms(self, targets_ma: Mapping[str, Milliamps], now_ms: int) -> int | None:
        """Never."""
        return None


class AllKnowing(Policy):
    """The policy as a leader asks it: every line that a connector is wired to counts, whatever its vehicle uses."""

    def step(self, reports: Iterable[Report], conditions: Conditions, now_ms: int) -> Decision:
        """Decide what changes now."""
        return super().step((attrs.evolve(report, lines_used=None) for report in reports), conditions, now_ms)


class Ideal:
    """A garage of ideal control, told of the same visits and of units that are down.

    Args:
        config: The network's configuration.
        metered: Whether connectors have meters.

    Attributes:
        charge2: What all vehicles got, over all their lines, in half milliamp-milliseconds. What flowed above a limit
            while some were still lowering their current and others raised theirs already is not in it: nobody may
            serve that.
    """

    def __init__(self, config: NetworkConfig, *, metered: bool) -> None:
        self.engine = Engine()
        policy = AllKnowing(config.site, config.order, config.settings, release=AtOnce())
        self._garage = Garage(
            config.site,
            self.engine,
            policy,
            meter=MeterTraits(),
            cycle_ms=1,
            actuation_ms=0,
            on_event=self._changed,
        )
        self._roots = {
            connector.id: config.site.circuits_above(connector.circuit)[-1] for connector in config.site.connectors
        }
        self._drawn: dict[str, tuple[int, tuple[Line, ...]]] = {}
        self._sums_ma: dict[tuple[str, Line], Milliamps] = {}
        self._excess_ma = 0
        self._since_ms = 0
        for connector in self._garage.connectors:
            connector.meter.silent = not metered
        self._site = config.site
        self.charge2 = 0

    def plug(self, visit: Visit) -> None:
        """A vehicle is plugged in, now."""
        vehicle = Vehicle(visit.traits, MOST_CHARGE2, self.engine.now_ms, READING_STEP_MA)
        self._garage.plug(visit.connector, vehicle)

    def unplug(self, connector_id: str) -> None:
        """It is unplugged, now."""
        vehicle = self._garage.unplug(connector_id)
        self.charge2 += vehicle.charge2 * self._lines(connector_id, vehicle)

    def down(self, connector_id: str, *, down: bool) -> None:
        """A unit is down, and wants nothing, or is back."""
        self._garage.fail(connector_id, faulted=down)

    def finish(self) -> None:
        """Count what the vehicles that are still there have got."""
        self._garage.finish()
        for connector in self._garage.connectors:
            if connector.vehicle is not None:
                self.charge2 += connector.vehicle.charge2 * self._lines(connector.config.id, connector.vehicle)

    def _changed(self, event: TraceEvent) -> None:
        """Take off what has flowed above the limits of the circuits that the supply feeds."""
        if not isinstance(event, ConnectorEvent):
            return
        self.charge2 -= 2 * self._excess_ma * (event.t_ms - self._since_ms)
        self._since_ms = event.t_ms
        root = self._roots[event.connector]
        before_ma, before_lines = self._drawn.get(event.connector, (0, ()))
        lines = self._site.wiring[event.connector].loaded_lines(event.lines_used)
        self._drawn[event.connector] = (event.drawn_ma, lines)
        touched = {*lines, *before_lines}
        self._excess_ma -= sum(self._over_ma(root, line) for line in touched)
        for line in before_lines:
            self._sums_ma[root.id, line] -= before_ma
        for line in lines:
            self._sums_ma[root.id, line] = self._sums_ma.get((root.id, line), 0) + event.drawn_ma
        self._excess_ma += sum(self._over_ma(root, line) for line in touched)

    def _over_ma(self, root: Circuit, line: Line) -> Milliamps:
        return max(0, self._sums_ma.get((root.id, line), 0) - root.usable_limit_ma(line)[0])

    def _lines(self, connector_id: str, vehicle: Vehicle) -> int:
        return len(self._site.wiring[connector_id].loaded_lines(vehicle.traits.lines_used))
