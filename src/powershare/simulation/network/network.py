"""A network of nodes in virtual time: hosts, links, devices and vehicles, and a storm over all of it.

Everything that happens is an event of one queue, so a seed replays byte for byte. What devices offer and vehicles
draw goes to the trace and the audit, which know nothing of nodes; after every step of a node the checker looks.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import attrs

from powershare.demand import ExternalLimit
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
from powershare.simulation.network.device import Command, Device
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.foreign import Foreign, Marks
from powershare.simulation.network.host import Host
from powershare.simulation.network.links import Links
from powershare.simulation.network.visit import MOST_CHARGE2, READING_STEP_MA, Visit
from powershare.simulation.vehicle import Vehicle
from powershare.trace import UNCHANGED, Audit, ConnectorEvent, Mark, TraceEvent


class Watcher(Protocol):
    """Who watches a network."""

    def __call__(self, network: "Network", host: Host, event: Event, output: Output) -> None:
        """A node took in an event."""

    def device(self, network: "Network", member: str) -> None:
        """A device offers or its vehicle draws something else."""

    def crashed(self, network: "Network", member: str) -> None:
        """A process died."""

    def restarted(self, network: "Network", member: str) -> None:
        """A process started."""


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
        died_ms: When the process died that led; None: nobody asks any more.
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
        self.died_ms: int | None = None
        self._told: dict[str, tuple[int, int, str, int | None]] = {}
        self._armed_ms: dict[str, int | None] = {}
        self._disobeying: set[str] = set()
        self._watcher: Watcher | None = None
        self.marks = Marks()
        self.foreign = Foreign(self.site, self.engine, self.marks, self._emit)
        self.duplicates: dict[str, Host] = {}
        self.connectors = {
            connector.id: SimulatedConnector(self.site, connector, MeterTraits()) for connector in self.site.connectors
        }
        for number, member in enumerate(config.members):
            self._build(number, member)

    def watch(self, watcher: Watcher) -> None:
        """Have everything watched: steps of nodes, changes at devices, deaths and starts of processes."""
        self._observers = (*self._observers, watcher)
        self._watcher = watcher

    def start(self) -> None:
        """Switch everything on, at once."""
        for member in self.hosts:
            self.restart(member)

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
            connector,
            self.engine,
            clock,
            chance.fork(2),
            partial(self._answered, member),
            partial(self._device_changed, member),
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

    def crash(self, member: str, *, unwritten: bool = False) -> None:
        """A process dies."""
        self.crashes += 1
        self.hosts[member].kill(unwritten=unwritten)
        self.remark(member, "crashed")
        if self._watcher is not None:
            self._watcher.crashed(self, member)
        if self.leader is not None and self.leader.leader == member:
            self.leader, self.died_ms = None, self.engine.now_ms

    def restart(self, member: str) -> None:
        """It comes back, without memory."""
        if self.hosts[member].node is None:
            self.hosts[member].start()
            self.remark(member, "restarted")
            if self._watcher is not None:
                self._watcher.restarted(self, member)

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

    def settled(self, following: NetworkConfig) -> None:
        """Every process acts by the next configuration; it is what is stored."""
        self.config = steps(self.config, following)[1].config
        for host in self.hosts.values():
            host.stored = Commissioning(config=self.config)

    # Outside the assumptions

    def mark(self, member: str, assumption: str) -> None:
        """An assumption breaks at a member."""
        self._say_mark(member, self.marks.begin(member, assumption))

    def unmark(self, member: str, assumption: str) -> None:
        """It holds there again."""
        self._say_mark(member, self.marks.end(member, assumption))

    def tell_limit(self, limit: ExternalLimit, told: str, lasts_ms: int) -> None:
        """One member is told of an external limit, and for how long it holds from now on."""
        host = self.hosts[told]
        host.tell(Limited(limit, host.now_ms() + lasts_ms))

    def measure(self, circuit: str, told: str) -> None:
        """A member's meter reads a circuit's other load."""
        host = self.hosts[told]
        host.tell(OtherLoad(circuit, self.foreign.other_ma(circuit), host.now_ms()))

    def duplicate(self, member: str) -> None:
        """A second process speaks for a member, and commands its device."""
        first = self.hosts[member]
        clock = DriftingClock(self._chance.between(0, 1 << 40))
        second = Host(member, self.engine, clock, self.links, self._chance.fork(77), first.stored, self._stepped)
        second.device, second.processes = first.device, first.processes
        self.duplicates[member] = second
        second.start()

    def end_duplicate(self, member: str) -> None:
        """It is gone again, and the first one is started anew: what the device does is nobody's else."""
        second = self.duplicates.pop(member, None)
        if second is not None:
            second.kill()
            self.hosts[member].processes = max(self.hosts[member].processes, second.processes)
            if self.hosts[member].node is not None:
                self.crash(member)
                self.restart(member)

    def remark(self, member: str, word: str, term: int | None = None) -> None:
        """Tell in the trace what happened at a member, a word for people."""
        if self._on_event is not None and member in self._told:
            self._on_event(attrs.evolve(self._as_told(member, word), term=term))

    def _as_told(self, member: str, word: str | None) -> ConnectorEvent:
        """A connector as it was last told, with a word for people."""
        offered_ma, drawn_ma, state, lines_used = self._told[member]
        return ConnectorEvent(
            t_ms=self.engine.now_ms,
            connector=member,
            pilot_ma=offered_ma,
            drawn_ma=drawn_ma,
            lines_used=lines_used,
            state=state,
            event=word,
        )

    def _say_mark(self, member: str, mark: Mark) -> None:
        if mark is not UNCHANGED and member in self._told:
            self._tell(member, None, None, mark)

    # What happens

    def _deliver(self, to: str, data: bytes) -> None:
        self.hosts[to].receive(data)
        if to in self.duplicates:
            self.duplicates[to].receive(data)

    def _stepped(self, host: Host, event: Event, output: Output) -> None:
        self.events += 1
        node = host.node
        if node is not None:
            led = self.leader is not None and self.leader.leader == host.member
            if node.leads and not led:
                self.leader_changes += 1
                self.leader = Leadership(host.member, self.engine.now_ms)
                self.remark(host.member, "leads", node.elector.term.counter)
            elif led and not node.leads:
                self.leader = None
                self.remark(host.member, "follows")
        for observer in self._observers:
            observer(self, host, event, output)

    def _answered(self, member: str, process: int, write: int, offered_ma: int, closed: bool) -> None:
        """A device answers a write: whoever gave it hears that, if it lives yet."""
        for host in (self.hosts[member], self.duplicates.get(member)):
            if host is not None and host.processes == process:
                host.applied(write, offered_ma, closed)

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
            if self._watcher is not None:
                self._watcher.device(self, member)
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

    def _tell(self, member: str, word: str | None, command: Command | None, outside: Mark = UNCHANGED) -> None:
        offered_ma, drawn_ma = self._told[member][:2]
        vehicle = self.connectors[member].vehicle
        disobeys = vehicle is not None and not vehicle.traits.obeys and drawn_ma > offered_ma
        if disobeys != (member in self._disobeying):
            self._disobeying ^= {member}
            outside = (self.marks.begin if disobeys else self.marks.end)(member, "A2")
        pilot = None if command is None else command.pilot
        until_ms = None if pilot is None or pilot.until_ms is None else self.hosts[member].clock.true_ms(pilot.until_ms)
        self._emit(
            attrs.evolve(
                self._as_told(member, word),
                outside=outside,
                term=None if command is None else command.term,
                by=None if command is None else command.by,
                valid_until_ms=until_ms,
                then_ma=None if pilot is None or until_ms is None else pilot.then_ma,
            )
        )

    def _emit(self, event: TraceEvent) -> None:
        self.audit.feed(event)
        if self._on_event is not None:
            self._on_event(event)


def leading(network: Network) -> Host | None:
    """The host whose node has authority; None where nobody has."""
    return next((host for host in network.hosts.values() if host.node is not None and host.node.leads), None)
