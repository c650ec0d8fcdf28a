"""One seed: a storm over a network for so many hours, everything counted, and the ideal beside it."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from powershare.node import Event, NetworkConfig, Output
from powershare.simulation.chance import Chance
from powershare.simulation.network.deeds import Deed
from powershare.simulation.network.faults import Storm, draw
from powershare.simulation.network.host import Host
from powershare.simulation.network.ideal import Ideal
from powershare.simulation.network.invariants import Checker, Counted, Failure
from powershare.simulation.network.network import Network
from powershare.simulation.network.plan import plan
from powershare.simulation.network.stage import Theatre
from powershare.trace import AuditResult, TraceEvent

HOUR_MS = 3_600_000
CHARGE2_PER_AH = 2 * HOUR_MS * 1_000


@attrs.frozen(kw_only=True)
class Outcome:
    """What one seed gave.

    Attributes:
        seed: It.
        storm: What went wrong, and how hard.
        connector_hours: Simulated.
        events: That nodes took in.
        leader_changes: How often a member got authority.
        messages: Sent.
        lost: Of those.
        crashes: Processes that died.
        partitions: How often the network fell apart.
        audit: What devices offered and vehicles drew, against the limits.
        invariants: Each with how often it was looked at, and how often it failed.
        failures: What failed, the first of them.
        drawn_ah: What vehicles drew, in ampere-hours over all lines.
        ideal_ah: What they would have drawn under ideal control.
        takeovers_ms: From each death of a leader to the next authority.
        recoveries_ms: From each death of a leader until all offers are what the allocator answers.
    """

    seed: int
    storm: Storm
    connector_hours: float
    events: int
    leader_changes: int
    messages: int
    lost: int
    crashes: int
    partitions: int
    audit: AuditResult
    invariants: dict[str, Counted]
    failures: tuple[Failure, ...]
    drawn_ah: float
    ideal_ah: float
    takeovers_ms: tuple[int, ...]
    recoveries_ms: tuple[int, ...]

    @property
    def broken(self) -> bool:
        """Whether anything that must hold inside the assumptions did not."""
        return bool(self.audit.inside) or any(counted.failed for counted in self.invariants.values())

    @property
    def first_broken_ms(self) -> int | None:
        """When anything broke first; None: nothing did."""
        times = [breach.t_ms for breach in self.audit.inside] + [failure.t_ms for failure in self.failures]
        return min(times, default=None)

    @property
    def back_under_ms(self) -> int:
        """The longest that anything was above a limit outside the assumptions."""
        spans = (breach.until_ms - breach.t_ms for breach in self.audit.outside if breach.until_ms is not None)
        return max(spans, default=0)


class Campaign:
    """One seed at work.

    Args:
        config: The network's configuration.
        seed: Everything accidental comes from it.
        hours: How long, in network hours.
        names: Which faults; None: drawn.
        loss_percent: How many messages of a hundred get lost; None: drawn.
        storm: The storm, where it is not to be drawn.
        deeds: What is done, where it is not to be planned.
        on_event: Told of every change at a device.

    Attributes:
        network: The network.
        storm: The storm.
        deeds: What is done.
    """

    def __init__(
        self,
        config: NetworkConfig,
        seed: int,
        hours: float,
        *,
        names: frozenset[str] | None = None,
        loss_percent: int | None = None,
        storm: Storm | None = None,
        deeds: Sequence[Deed] | None = None,
        on_event: Callable[[TraceEvent], None] | None = None,
    ) -> None:
        chance = Chance(seed)
        self._config, self._seed, self._hours = config, seed, hours
        self._until_ms = round(hours * HOUR_MS)
        self.storm = storm or draw(chance.fork(1), names, config.timing, loss_percent)
        self.deeds = plan(config, self.storm, chance.fork(2), self._until_ms) if deeds is None else tuple(deeds)
        self.network = Network(config, self.storm, chance.fork(3), on_event=on_event, observers=(self._stepped,))
        self._checker = Checker(self.network)
        self.network.watch(self._checker)
        self._ideal = Ideal(config, metered=self.storm.metered)
        self._theatre = Theatre(self.network, self._ideal)
        self._takeovers_ms: list[int] = []
        self._recoveries_ms: list[int] = []
        self._lost_ms: int | None = None  # when the leader died whose loss is not made good yet

    def run(self) -> Outcome:
        """Let it all happen."""
        network = self.network
        self._theatre.schedule(self.deeds)
        network.start()
        network.run(self._until_ms)
        self._ideal.engine.run(self._until_ms)
        self._checker.finish(network)
        self._ideal.finish()
        charge2 = self._theatre.charge2 + sum(network.drawn_charge2(member) for member in network.connectors)
        return Outcome(
            seed=self._seed,
            storm=self.storm,
            connector_hours=self._hours * len(self._config.site.connectors),
            events=network.events,
            leader_changes=network.leader_changes,
            messages=network.links.sent,
            lost=network.links.lost,
            crashes=network.crashes,
            partitions=network.partitions,
            audit=network.audit.result(),
            invariants=self._checker.results,
            failures=tuple(self._checker.failures),
            drawn_ah=charge2 / CHARGE2_PER_AH,
            ideal_ah=self._ideal.charge2 / CHARGE2_PER_AH,
            takeovers_ms=tuple(self._takeovers_ms),
            recoveries_ms=tuple(self._recoveries_ms),
        )

    def _stepped(self, network: Network, host: Host, _event: Event, _output: Output) -> None:
        """Notes how long nobody leads after a leader died, and how long offers are not what they would be."""
        died_ms, node = network.died_ms, host.node
        if died_ms is not None:
            self._lost_ms = None
            if node is not None and node.leads:
                self._takeovers_ms.append(network.engine.now_ms - died_ms)
                network.died_ms, self._lost_ms = None, died_ms
        elif self._lost_ms is not None and node is not None and node.leading is not None:
            decision = node.leading.decision
            if decision is not None and self._as_decided(decision.targets_ma):
                self._recoveries_ms.append(network.engine.now_ms - self._lost_ms)
                self._lost_ms = None

    def _as_decided(self, targets_ma: Mapping[str, int]) -> bool:
        """Whether every unit whose process runs offers what was decided."""
        for member, target_ma in targets_ma.items():
            node = self.network.hosts[member].node
            if node is not None and node.unit is not None and node.unit.holder.offer_ma != target_ma:
                return False
        return True
