"""A network of nodes in virtual time: hosts, links, devices and vehicles, and a storm over all of it.

Everything that happens is an event of one queue, so a seed replays byte for byte. What devices offer and vehicles
draw goes to the trace and the audit, which know nothing of nodes; after every step of a node the checker looks.
"""

from collections.abc import Callable
from functools import partial

import attrs

from powershare.demand import ExternalLimit
from powershare.election import Role
from powershare.node import (
    WITNESS,
    Commissioning,
    Configure,
    Event,
    HandOver,
    Limited,
    NetworkConfig,
    OtherLoad,
    Output,
    steps,
)
from powershare.simulation.chance import Chance
from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.engine import Engine
from powershare.simulation.meter import MeterTraits
from powershare.simulation.network.clock import DriftingClock
from powershare.simulation.network.demand import MOST_CHARGE2, Visit, exponential_ms
from powershare.simulation.network.device import Command, Device
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.host import Host
from powershare.simulation.network.links import Links
from powershare.simulation.vehicle import Vehicle
from powershare.site.values import on_line
from powershare.trace import UNCHANGED, Audit, CircuitEvent, ConnectorEvent, Mark, TraceEvent
from powershare.units import LineMilliamps

READING_STEP_MA = 1_000
"""Height of the steps in which a slow ramp is told: the trace is never below the real current."""


@attrs.define
class Leadership:
    """One authority, as seen from outside.

    Attributes:
        leader: Who has it.
        since_ms: Since when, in true time.
    """

    leader: str
    since_ms: int


class Network:
    """Hosts of one site, and everything between them.

    Args:
        config: The network's configuration.
        storm: What goes wrong, and how hard.
        chance: Where everything accidental comes from.
        on_event: Told of every change at a device.
        observers: Called after every step of a node: the network, the host, the event and the output.

    Attributes:
        engine: Virtual time.
        hosts: By member.
        audit: What devices offer and vehicles draw, against the limits.
        leader_changes: How often a member got authority.
        events: Events of all kinds that nodes took in.
    """

    def __init__(
        self,
        config: NetworkConfig,
        storm: Storm,
        chance: Chance,
        *,
        on_event: Callable[[TraceEvent], None] | None = None,
        observers: tuple[Callable[["Network", Host, Event, Output], None], ...] = (),
    ) -> None:
        self.config, self.storm, self._chance = config, storm, chance
        self.site = config.site
        self.engine = Engine()
        self.audit = Audit(self.site)
        self._on_event, self._observers = on_event, observers
        self.links = Links(self.engine, chance.fork(1), storm.links, self._deliver)
        self.hosts: dict[str, Host] = {}
        self.leader_changes = self.events = self.crashes = self.partitions = 0
        self.leader: Leadership | None = None
        self._told: dict[str, tuple[int, int, str, int | None]] = {}
        self._armed_ms: dict[str, int | None] = {}
        self._marked: set[str] = set()
        self._loads: dict[str, LineMilliamps] = {}
        self._limits: dict[str, ExternalLimit] = {}
        self.connectors = {
            connector.id: SimulatedConnector(self.site, connector, MeterTraits()) for connector in self.site.connectors
        }
        for number, member in enumerate(config.members):
            self._build(number, member)

    def start(self) -> None:
        """Switch everything on, at once."""
        for host in self.hosts.values():
            host.start()

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        self.engine.run(until_ms)

    # Building

    def _build(self, number: int, member: str) -> None:
        chance = self._chance.fork(1_000 + number)
        ppm = chance.between(-self.storm.ppm, self.storm.ppm) if self.storm.ppm else 0
        clock = DriftingClock(chance.between(0, 1 << 40), ppm)
        stored = Commissioning(config=self.config)
        host = Host(member, self.engine, clock, self.links, chance.fork(1), stored, self._stepped)
        self.hosts[member] = host
        if member == WITNESS:
            return
        connector = self.connectors[member]
        connector.meter.silent = not self.storm.metered
        host.device = Device(
            connector, self.engine, clock, chance.fork(2), host.applied, partial(self._device_changed, member)
        )
        host.device.write_ms = self.storm.write_ms
        self._told[member] = (0, 0, "A", None)
        self._armed_ms[member] = None

    # Vehicles

    def plug(self, visit: Visit) -> None:
        """A vehicle is plugged in, now."""
        connector = self.connectors[visit.connector]
        vehicle = Vehicle(visit.traits, MOST_CHARGE2, self.engine.now_ms, READING_STEP_MA if self.storm.slow else 0)
        connector.plug(vehicle, self.engine.now_ms, energy_wh=1 << 40)
        self._device(visit.connector).vehicle_changed("plugged_in")
        self.hosts[visit.connector].device_changed()

    def unplug(self, member: str) -> int:
        """A vehicle is unplugged, now; answers the charge it got, in half milliamp-milliseconds over all its lines."""
        connector = self.connectors[member]
        vehicle = connector.unplug(self.engine.now_ms)
        self._device(member).vehicle_changed("unplugged")
        self.hosts[member].device_changed()
        return vehicle.charge2 * self._lines(member, vehicle)

    def drawn_charge2(self, member: str) -> int:
        """The charge that the present vehicle has got, over all its lines."""
        connector = self.connectors[member]
        connector.advance(self.engine.now_ms)
        vehicle = connector.vehicle
        return 0 if vehicle is None else vehicle.charge2 * self._lines(member, vehicle)

    def _lines(self, member: str, vehicle: Vehicle) -> int:
        return len(self.site.wiring[member].loaded_lines(vehicle.traits.lines_used))

    def _device(self, member: str) -> Device:
        device = self.hosts[member].device
        assert device is not None  # noqa: S101 - only a witness has none
        return device

    # Faults

    def crash(self, member: str) -> None:
        """A process dies."""
        self.crashes += 1
        self.hosts[member].kill()
        if self.leader is not None and self.leader.leader == member:
            self.leader = None

    def restart(self, member: str) -> None:
        """It comes back, without memory."""
        if self.hosts[member].node is None:
            self.hosts[member].start()

    def hand_over(self) -> None:
        """Whoever leads hands over."""
        for host in self.hosts.values():
            if host.node is not None and host.node.leads:
                host.tell(HandOver())

    def configure(self, member: str, step: int, following: NetworkConfig) -> None:
        """One member takes one step towards another configuration, and stores it first."""
        host = self.hosts[member]
        host.stored = steps(self.config, following)[step]
        host.tell(Configure(host.stored))

    # Surroundings

    def load(self, circuit: str, load_ma: LineMilliamps, told_by: str | None, *, outside: bool) -> None:
        """The load of a circuit that is no connector's changes; a member's meter tells it, if any does."""
        self._loads[circuit] = load_ma
        self._tell_circuit(circuit, "A7" if outside else UNCHANGED)
        if told_by is not None:
            self.measure(circuit, told_by)

    def measure(self, circuit: str, told_by: str) -> None:
        """A member's meter reads a circuit."""
        host = self.hosts[told_by]
        load_ma = self._loads.get(circuit)
        if load_ma is not None:
            host.tell(OtherLoad(circuit, load_ma, host.now_ms()))

    def limit(self, limit: ExternalLimit, told: str, lasts_ms: int, *, outside: bool) -> None:
        """Somebody outside limits a circuit, and tells it one member."""
        circuit = limit.circuit or ""
        self._limits[circuit] = limit
        host = self.hosts[told]
        host.tell(Limited(limit, host.now_ms() + lasts_ms))
        self._tell_circuit(circuit, "A7" if outside else UNCHANGED)

    def lift(self, circuit: str) -> None:
        """An external limit is over."""
        self._limits.pop(circuit, None)
        self._tell_circuit(circuit, UNCHANGED)

    def settle_circuit(self, circuit: str) -> None:
        """What was outside the assumptions there is over."""
        self._tell_circuit(circuit, None)

    # What happens

    def _deliver(self, to: str, data: bytes) -> None:
        self.hosts[to].receive(data)

    def _stepped(self, host: Host, event: Event, output: Output) -> None:
        self.events += 1
        node = host.node
        if node is not None:
            led = self.leader is not None and self.leader.leader == host.member
            if node.leads and not led:
                self.leader_changes += 1
                self.leader = Leadership(host.member, self.engine.now_ms)
            elif led and not node.leads:
                self.leader = None
        for observer in self._observers:
            observer(self, host, event, output)

    def _device_changed(self, member: str, word: str | None, command: Command | None) -> None:
        self._settle(member, word, command)

    def _settle(self, member: str, word: str | None = None, command: Command | None = None) -> None:
        """After anything at a connector: tell what changed, and set its clock."""
        connector, now_ms = self.connectors[member], self.engine.now_ms
        connector.advance(now_ms)
        told = (connector.offered_ma, connector.drawn_ma, connector.state, connector.lines_used)
        before = self._told[member]
        if told != before or word is not None:
            self._told[member] = told
            if told[1] != before[1]:
                connector.meter.change(told[1], now_ms)
            if told != before or command is None:
                self._tell(member, word, command)
            if told[2] != before[2]:
                self.hosts[member].device_changed()
        next_ms = connector.next_ms()
        if next_ms != self._armed_ms[member]:
            self._armed_ms[member] = next_ms
            if next_ms is not None:
                self.engine.at(max(next_ms, now_ms), partial(self._ring, member, next_ms))

    def _ring(self, member: str, armed_ms: int) -> None:
        if self._armed_ms[member] == armed_ms:
            self._armed_ms[member] = None
            self._settle(member)

    def _tell(self, member: str, word: str | None, command: Command | None) -> None:
        offered_ma, drawn_ma, state, lines_used = self._told[member]
        vehicle = self.connectors[member].vehicle
        disobeys = vehicle is not None and not vehicle.traits.obeys and drawn_ma > offered_ma
        outside: Mark = UNCHANGED
        if disobeys != (member in self._marked):
            self._marked ^= {member}
            outside = "A2" if disobeys else None
        pilot = None if command is None else command.pilot
        until_ms = None if pilot is None or pilot.until_ms is None else self.hosts[member].clock.true_ms(pilot.until_ms)
        self._emit(
            ConnectorEvent(
                t_ms=self.engine.now_ms,
                connector=member,
                pilot_ma=offered_ma,
                drawn_ma=drawn_ma,
                lines_used=lines_used,
                state=state,
                event=word,
                outside=outside,
                term=None if command is None else command.term,
                by=None if command is None else command.by,
                valid_until_ms=until_ms,
                then_ma=None if pilot is None or until_ms is None else pilot.then_ma,
            )
        )

    def _tell_circuit(self, circuit_id: str, outside: Mark) -> None:
        circuit, lines = self.site.circuit_by_id[circuit_id], self.site.supply.lines
        limit = self._limits.get(circuit_id)
        limit_ma = tuple(
            min([circuit.usable_limit_ma(line)[0], *([] if limit is None else [on_line(limit.limit_ma, line)])])
            for line in lines
        )
        worst_ma = tuple(on_line(circuit.other_load_worst_ma, line) for line in lines)
        self._emit(
            CircuitEvent(
                t_ms=self.engine.now_ms,
                circuit=circuit_id,
                limit_ma=limit_ma,
                other_load_ma=self._loads.get(circuit_id, worst_ma),
                source="external" if limit is not None else "meter",
                outside=outside,
            )
        )

    def _emit(self, event: TraceEvent) -> None:
        self.audit.feed(event)
        if self._on_event is not None:
            self._on_event(event)


def leading(network: Network) -> Host | None:
    """The host whose node has authority; None where nobody has."""
    for host in network.hosts.values():
        if host.node is not None and host.node.role is Role.LEADER:
            return host
    return None


__all__ = ["Leadership", "Network", "exponential_ms", "leading"]
