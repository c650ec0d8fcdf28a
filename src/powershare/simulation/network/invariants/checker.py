"""The checker: every invariant of the protocol after every event of a simulated network, in true time.

It shares no code with nodes: it reads what they hold, decodes their messages and does its own arithmetic.
"""

from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants import wire
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.ledger import LedgerWatch
from powershare.simulation.network.invariants.reach import LOOKS_MS, Reach
from powershare.simulation.network.invariants.rest import Rest
from powershare.simulation.network.invariants.results import Counted, Failure
from powershare.simulation.network.invariants.rows import Rows
from powershare.simulation.network.invariants.seen import Answer
from powershare.simulation.network.invariants.sums import Sums
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.unit import UnitWatch
from powershare.simulation.network.invariants.voter import VoterWatch
from powershare.simulation.network.invariants.wire import KIND_AT, STATUS
from powershare.simulation.network.network import Network
from powershare.site import Site


class Member:
    """Everything that is watched of one member."""

    __slots__ = ("commissioning", "host", "ledger", "node", "unit", "voter")

    def __init__(self, host: Host, voter: VoterWatch, unit: UnitWatch | None, ledger: LedgerWatch) -> None:
        self.host, self.voter, self.unit, self.ledger = host, voter, unit, ledger
        self.node: object | None = None
        self.commissioning: object | None = None


class Checker:
    """Watches one network.

    Args:
        network: It, before it starts.

    Attributes:
        results: For each of I1 to I24 how often it was looked at, and how often it did not hold. I15 (the same
            events give the same bytes) is for whoever runs a seed twice: nothing of it shows in one run.
        failures: The first failures, in words.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._book = Book(network)
        self.results: dict[str, Counted] = self._book.results
        self.failures: list[Failure] = self._book.failures
        times = Times(network.config.timing)
        self._times = times
        self._rows: dict[int, tuple[Site, Rows]] = {}
        units = []
        voters = []
        for number, host in enumerate(network.hosts.values()):
            voters.append(VoterWatch(host, number, times, self._book))
            if host.device is not None:
                units.append(UnitWatch(host, host.device, number, times, self._book))
        self._voters, self._units = voters, units
        self._members = {
            name: Member(
                host,
                voters[number],
                units[number] if number < len(units) else None,
                LedgerWatch(host, units, times, self._book),
            )
            for number, (name, host) in enumerate(network.hosts.items())
        }
        self._leader: Member | None = None
        self._strangers: list[Host] = []
        self._reach = Reach(network, voters, units, times, self._book)
        self._rest = Rest(network, self._rows_of(network.site), units, self._reach, times, self._book)
        self._sums = Sums(network, self._rows_of(network.site), units, self._book)
        for voter, weight in zip(voters, _weights(network), strict=True):
            voter.weight = weight
        network.engine.at(network.engine.now_ms + LOOKS_MS, self._look)

    # What the network tells

    def __call__(self, network: Network, host: Host, event: object, output: Answer) -> None:
        """A node took in an event."""
        member = self._members.get(host.member)
        node = host.node
        if member is None or member.host is not host or node is None:
            self._stranger(host)
            return
        true_ms = network.engine.now_ms
        exact = host.clock.exact(true_ms)
        self._reach.seen_ms[member.voter.number] = true_ms
        unit = member.unit
        if node is not member.node:
            self._started(member, exact, true_ms)
        if unit is not None:
            unit.pass_time(exact)
        if node.commissioning is not member.commissioning:
            self._configured(member, exact)
        member.voter.step(exact)
        changed = False
        if unit is not None and node.unit is not None:
            changed = self._unit(unit, event, output, exact, true_ms)
            # What others are told is checked as it is sent; a leader tells itself without sending.
            if changed or node.leading is not None or output.lower is not None:
                unit.said_now(exact // MILLION, exact, true_ms)
        if node.leading is not None or member.voter.leading is not None:
            self._lead(member, exact, true_ms)
        if changed and unit is not None:
            self._recheck(unit, true_ms)

    def device(self, network: Network, member: str) -> None:
        """A device offers something else, or its vehicle draws something else."""
        unit = self._members[member].unit
        if unit is None:
            return
        true_ms = network.engine.now_ms
        connector = network.connectors[member]
        unit.device(true_ms, connector.drawn_ma)
        self._rest.demand(unit.number, (connector.vehicle, connector.wants))
        self._sums.changed(unit, connector.offered_ma, connector.drawn_ma, connector.lines_used)
        if unit.grown():
            self._recheck(unit, true_ms)
        unit.counted()

    def crashed(self, network: Network, member: str) -> None:  # noqa: ARG002 - a watcher's signature
        """A process died: from now on its device does what it has taken in."""
        self._reach.disturbed()
        watched = self._members[member]
        watched.voter.ended()
        if watched.unit is not None:
            watched.unit.alone()
            self._sums.fallbacks(watched.unit)
            self._recheck(watched.unit, self._network.engine.now_ms)

    def restarted(self, network: Network, member: str) -> None:
        """A process started; its first steps have been seen already (I21: it is the only one)."""
        self.results["I21"].checked += 1
        if network.hosts[member].node is not self._members[member].node:
            self._book.fail("I21", member, "has started, and another process has taken its steps")

    def finish(self, network: Network) -> None:  # noqa: ARG002 - what the network calls
        """The run is over."""
        self._sums.look()

    def _look(self) -> None:
        """Once a second: what has come to be, or has not, without any event."""
        now_ms = self._network.engine.now_ms
        self._reach.look()
        leader = self._leader
        if leader is not None and not leader.voter.has_authority(now_ms):
            leader = None
        self._rest.look(None if leader is None else leader.ledger, 0 if leader is None else leader.voter.since_ms)
        self._network.engine.at(now_ms + LOOKS_MS, self._look)

    def _stranger(self, host: Host) -> None:
        """I21: a second process under a member's name (A8); what it says shows at the others."""
        if host.node is not None and host not in self._strangers:
            self._strangers.append(host)
            self.results["I21"].checked += 1
            self._book.fail("I21", host.member, "a second process speaks for it")

    # Members

    def _started(self, member: Member, exact: int, true_ms: int) -> None:
        node = member.host.node
        if node is None:
            return
        self.results["I21"].checked += 1
        if node.member != member.host.member:
            self._book.fail("I21", member.host.member, f"runs a process that says it is {node.member}")
        member.node, member.commissioning = node, node.commissioning
        member.voter.started(node.boot, exact)
        if member.unit is not None:
            member.unit.started(node.boot, self._fallback_ma(member), exact, true_ms)
            self._sums.fallbacks(member.unit)
            self._reach.started(member.unit)
        self._reach.disturbed()

    def _configured(self, member: Member, exact: int) -> None:
        node = member.host.node
        if node is None:
            return
        member.commissioning = node.commissioning
        member.voter.reconfigured()
        if member.unit is not None and node.unit is not None:
            member.unit.reconfigured(self._fallback_ma(member), node.elector.promise.fence, node.unit.holder.seq, exact)
            self._sums.fallbacks(member.unit)

    def _fallback_ma(self, member: Member) -> int:
        """What a unit may offer alone: the smaller of what its configuration and the other one on the way say."""
        node, name = member.host.node, member.host.member
        if node is None:
            return 0
        held = node.commissioning
        configs = [held.config] if held.other is None else [held.config, held.other]
        return min(config.site.fallbacks.by_connector.get(name, 0) for config in configs)

    def _rows_of(self, site: Site) -> Rows:
        """The rows of a site, made once."""
        known = self._rows.get(id(site))
        if known is None:
            known = self._rows[id(site)] = (site, Rows(site))
        return known[1]

    def _unit(self, unit: UnitWatch, event: object, output: Answer, exact: int, true_ms: int) -> bool:
        # By name, so that nothing of a node's has to be imported.
        word = event.__class__.__name__
        heart = wire.heartbeat(getattr(event, "data", b"")) if word == "Received" else None
        plugged = getattr(event, "plugged", None) if word == "DeviceState" else None
        write = getattr(event, "write", None) if word == "Applied" else None
        changed = unit.step(heart, plugged, write, exact)
        for pilot in (output.lower, output.raise_):
            if pilot is not None:
                unit.commanded(pilot.write, pilot.offer_ma, pilot.until_ms, pilot.then_ma, true_ms)
        for message in output.send:
            if message.data[KIND_AT] == STATUS:
                unit.reported(message.data, exact, true_ms, heart)
        return changed

    def _recheck(self, unit: UnitWatch, true_ms: int) -> None:
        """What a unit may draw has changed: whoever has authority now must cover it (I4, I12), and it must fit (I1)."""
        leader = self._leader
        if leader is not None and leader.voter.has_authority(true_ms):
            leader.ledger.covers(unit.number, leader.host.clock.exact(true_ms), true_ms)
        if unit.grown():
            self._sums.may_draw(unit, true_ms)
        unit.counted()

    def _lead(self, member: Member, exact: int, true_ms: int) -> None:
        node = member.host.node
        if node is None:
            return
        if member.voter.authority(self._voters, exact, true_ms):
            site = node.config.site
            fallbacks_ma = list(site.fallbacks.by_connector.values())
            member.ledger.begin(self._rows_of(site), fallbacks_ma, exact // MILLION)
            self._leader = member
        member.ledger.step(exact, true_ms)


def _weights(network: Network) -> list[int]:
    """Each member's vote: one, but two for the commissioned leader where the voters are even in number."""
    config = network.config
    connectors = [connector.id for connector in config.site.connectors]
    voters = set(connectors if config.voters is None else config.voters)
    weights = [int(name in voters or name not in connectors) for name in network.hosts]
    if sum(weights) % 2 == 0:
        weights[connectors.index(config.site.leader)] = 2
    return weights
