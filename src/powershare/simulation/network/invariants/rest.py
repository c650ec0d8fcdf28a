"""What must come to be once everything is at rest: I14 (progress), I23 (a tight ledger) and I24 (nobody waits in vain).

At rest means, without a break: everybody lives and reaches everybody, nothing is lost, late or limited from outside,
one leader, one configuration. What is claimed after so long, and only then:

- I23: after R + 2C and a look, in which neither changed, the ledger's entry of a unit is what the unit says (e); and
  after another A + D what the unit says is what its vehicle may draw.
- I14: after W + 3C and the longest soft lowering, in which neither demand nor the leader's targets changed, every unit
  offers its target; and, where nobody measures, no vehicle could get more but for one that has no more than it.
- I24: after the same time, in which it wanted current, no unit is below its fallback, unless it has the share that is
  fair beside others who want current, too.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.ledger import LedgerWatch
from powershare.simulation.network.invariants.reach import LOOKS_MS, Reach
from powershare.simulation.network.invariants.rows import Rows
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.unit import UnitWatch

if TYPE_CHECKING:
    from powershare.simulation.network.network import Network

SOFT_MS = 5_000
"""What a soft lowering may take beside the ramp and the time to follow."""

SLOWEST_MA_PER_S = 1_000
"""A vehicle lowers its current at least so fast, or its contactor is opened."""

SLACK_MS = LOOKS_MS
"""For what happened between two looks."""


class Rest:
    """Looks once a second whether the network is at rest, and for how long.

    Args:
        network: The network.
        rows: Its site.
        units: Every unit, by its place in the site.
        reach: Who reaches whom.
        times: The protocol's times.
        book: Where results go.
    """

    def __init__(
        self,
        network: "Network",
        rows: Rows,
        units: Sequence[UnitWatch],
        reach: Reach,
        times: Times,
        book: Book,
    ) -> None:
        self._network, self._rows, self._units = network, rows, units
        self._reach, self._times, self._book = reach, times, book
        most_ma = max((connector.max_offer_ma for connector in network.site.connectors), default=0)
        self.settled_ms = (
            times.wait_ms
            + 3 * times.cycle_ms
            + most_ma * 1_000 // SLOWEST_MA_PER_S
            + times.true_within(times.follow_ms + times.write_ms)
            + SOFT_MS
            + SLACK_MS
        )
        """After how long at rest I14 and I24 are owed."""
        self.tight_ms = times.echo_ms + 2 * times.cycle_ms + SLACK_MS
        """After how long at rest I23 is owed."""
        self.demand_ms = [0] * len(units)
        self._wants: list[object] = [None] * len(units)
        self._below_ms: list[int | None] = [None] * len(units)
        self._pair: list[tuple[int, int]] = [(0, 0)] * len(units)
        self._pair_ms = [0] * len(units)
        self._true_ms = [0] * len(units)
        self._targets: dict[str, int] = {}
        self._targets_ms = 0
        self._told: object = None
        self._told_ms = 0

    def demand(self, place: int, wants: object) -> None:
        """What a vehicle wants, whenever anything about it changes."""
        if wants != self._wants[place]:
            self._wants[place] = wants
            self.demand_ms[place] = self._network.engine.now_ms

    def look(self, ledger: LedgerWatch | None, since_ms: int) -> None:
        """Look at a network with this leader's ledger, under one authority since an instant."""
        network, now_ms = self._network, self._network.engine.now_ms
        whole_ms = self._reach.whole_ms
        node = None if ledger is None else ledger.host.node
        leading = None if node is None else node.leading
        if whole_ms is None or ledger is None or node is None or leading is None or network.foreign.limits:
            self._below_ms = [None] * len(self._units)
            return
        held = node.commissioning
        if held is not self._told or held.other is not None:
            self._told, self._told_ms = held, now_ms
        calm_ms = max(whole_ms, since_ms, self._told_ms)
        self._tight(ledger, calm_ms)
        decision = leading.decision
        targets_ma = {} if decision is None else dict(decision.targets_ma)
        if targets_ma != self._targets:
            self._targets, self._targets_ms = targets_ma, now_ms
        self._waiting(calm_ms, targets_ma)
        if now_ms - max(calm_ms, self._targets_ms, *self.demand_ms) >= self.settled_ms and targets_ma:
            self._reached(targets_ma)

    def _tight(self, ledger: LedgerWatch, calm_ms: int) -> None:
        """I23: the ledger says what the unit says."""
        now_ms = self._network.engine.now_ms
        reads_ms = ledger.host.clock.read_ms(now_ms)
        for place, unit in enumerate(self._units):
            node = unit.host.node
            if node is None or node.unit is None:
                continue
            own_ms = unit.host.clock.read_ms(now_ms)
            speaks_ms = node.unit.holder.speaks_from_ms
            if speaks_ms is None or own_ms < speaks_ms + self.tight_ms:
                continue
            running = ledger.until_ms[place] > reads_ms
            counted_ma = ledger.high_ma[place] if running else ledger.fallbacks_ma[place]
            said_ma = node.unit.holder.most_ma(own_ms)
            pair = (counted_ma, said_ma)
            self._honest(place, unit, said_ma, calm_ms)
            if pair != self._pair[place]:
                self._pair[place], self._pair_ms[place] = pair, now_ms
            if now_ms - max(calm_ms, self._pair_ms[place]) < self.tight_ms:
                continue
            if now_ms - self.demand_ms[place] < self._times.wait_ms + self.tight_ms:
                continue  # a grant that crossed a plug is void there; nothing is learnt here until its time is over
            self._book.results["I23"].checked += 1
            if pair[0] != pair[1]:
                self._book.fail(
                    "I23",
                    unit.member,
                    f"may draw {pair[1]} mA by its own account; {ledger.member} has counted {pair[0]} mA for "
                    f"{now_ms - self._pair_ms[place]} ms: {unit.said()}",
                )

    def _honest(self, place: int, unit: UnitWatch, said_ma: int, calm_ms: int) -> None:
        """I23: what a unit says does not stay above what its vehicle may draw."""
        now_ms, times = self._network.engine.now_ms, self._times
        most_ma = unit.most_ma(unit.host.clock.exact(now_ms), now_ms)
        if said_ma <= most_ma:
            self._true_ms[place] = now_ms
        elif now_ms - max(calm_ms, self._true_ms[place]) > self.tight_ms + times.true_within(
            times.ramp_exact // MILLION
        ):
            self._book.fail(
                "I23", unit.member, f"says for long that it may draw {said_ma} mA, and may {most_ma} mA: {unit.said()}"
            )

    def _waiting(self, calm_ms: int, targets_ma: dict[str, int]) -> None:
        """I24: nobody who wants current waits below its fallback."""
        now_ms = self._network.engine.now_ms
        for place, unit in enumerate(self._units):
            connector = self._network.connectors[unit.member]
            node = unit.host.node
            faulted = node is None or node.unit is None or node.unit.holder.faulted or node.unit.holder.tripped
            free = connector.config.vehicles is None and not faulted
            vehicle = connector.vehicle
            wants = free and connector.wants and vehicle is not None and vehicle.traits.max_ma >= unit.fallback_ma
            if wants and now_ms - calm_ms >= self.settled_ms:
                self._book.results["I24"].checked += 1
            share_ma = min(unit.fallback_ma, targets_ma.get(unit.member) or unit.fallback_ma)
            if not wants or connector.offered_ma >= share_ma:
                self._below_ms[place] = None
                continue
            below_ms = self._below_ms[place]
            if below_ms is None:
                below_ms = self._below_ms[place] = now_ms
            if now_ms - max(calm_ms, below_ms) < self.settled_ms or not self._all_fit():
                continue
            self._book.fail(
                "I24",
                unit.member,
                f"has wanted current for {now_ms - below_ms} ms and is offered {connector.offered_ma} mA, "
                f"less than its fall-back: {unit.said()}",
            )

    def _all_fit(self) -> bool:
        """Whether the least offers of all who want current fit at once, so that nobody has to wait for a turn."""
        needed_ma = [0] * len(self._rows.circuit)
        for unit in self._units:
            connector = self._network.connectors[unit.member]
            if connector.wants:
                for row in self._rows.of[unit.member]:
                    needed_ma[row] += connector.config.min_offer_ma
        return all(need_ma <= room_ma for need_ma, room_ma in zip(needed_ma, self._rows.commissioned_ma, strict=True))

    def _reached(self, targets_ma: dict[str, int]) -> None:
        """I14: every unit offers its target, and the targets leave nothing over that somebody could use."""
        for unit in self._units:
            target_ma = targets_ma.get(unit.member)
            node = unit.host.node
            if target_ma is None or node is None or node.unit is None:
                continue
            holder = node.unit.holder
            if holder.faulted or holder.tripped:
                continue
            self._book.results["I14"].checked += 1
            if holder.offer_ma != target_ma:
                self._book.fail(
                    "I14", unit.member, f"is to offer {target_ma} mA and offers {holder.offer_ma} mA: {unit.said()}"
                )
        if not self._network.storm.metered and self._alike() and self._all_fit():
            self._fair(targets_ma)

    def _alike(self) -> bool:
        """Whether sharing is plain: nobody comes before others, or has more than one part, or serves only some."""
        config = self._network.config
        return config.order == "fair" and all(
            one.weight == 1 and one.priority == 0 and one.vehicles is None for one in config.site.connectors
        )

    def _fair(self, targets_ma: dict[str, int]) -> None:
        """Of those who want more, each is kept from it by a full line on which nobody has a step more than it."""
        rows, sums_ma = self._rows, [0] * len(self._rows.circuit)
        for unit in self._units:
            for row in rows.of[unit.member]:
                sums_ma[row] += targets_ma.get(unit.member, 0)
        for unit in self._units:
            connector = self._network.connectors[unit.member]
            vehicle, config = connector.vehicle, connector.config
            if vehicle is None or not connector.wants or unit.member not in targets_ma:
                continue
            target_ma, step_ma = targets_ma[unit.member], config.step_ma
            if target_ma + step_ma > min(vehicle.traits.max_ma, config.max_offer_ma):
                continue
            self._book.results["I14"].checked += 1
            kept = any(
                sums_ma[row] + step_ma > rows.commissioned_ma[row]
                and all(
                    targets_ma.get(self._units[other].member, 0) <= target_ma + step_ma for other in rows.members[row]
                )
                for row in rows.of[unit.member]
            )
            if not kept:
                self._book.fail("I14", unit.member, f"could be offered more than {target_ma} mA: {targets_ma}")
