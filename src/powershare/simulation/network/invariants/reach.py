"""Who can reach a majority, and what becomes of those that cannot (I11)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.unit import UnitWatch
from powershare.simulation.network.invariants.voter import VoterWatch

if TYPE_CHECKING:
    from powershare.simulation.network.network import Network

LOOKS_MS = 2_000
"""How often it is looked at who can reach whom."""


class Reach:
    """Looks once a second at who can reach whom.

    A unit is in contact while some living member that it reaches, both ways, has or may still have authority: has had
    more than half of the weight within its reach at any time of the last promise length. Every doubt counts as contact:
    links that carry one way only, a network that fell apart anew since the last look, a process that stood still at
    both looks and ran in between. So what is claimed of the others is surely owed.

    Args:
        network: The network.
        voters: Every member.
        units: Every unit, by its place in the site.
        times: The protocol's times.
        book: Where results go.

    Attributes:
        whole_ms: Since when everybody lives and reaches everybody, and nothing is lost; None: it is not so.
    """

    def __init__(
        self,
        network: "Network",
        voters: Sequence[VoterWatch],
        units: Sequence[UnitWatch],
        times: Times,
        book: Book,
    ) -> None:
        self._network, self._voters, self._units, self._times, self._book = network, voters, units, times, book
        self._partitions = 0
        self._majority_ms = [0] * len(voters)
        self._contact_ms = [0] * len(units)
        self._together = False
        self._ways: list[list[bool]] = []
        self.whole_ms: int | None = None
        self.seen_ms = [0] * len(voters)
        self._looked_ms = 0

    def look(self) -> None:
        """Look at who can reach whom now, and at everybody who has been out of reach for long."""
        network, voters = self._network, self._voters
        now_ms = network.engine.now_ms
        alive = [self.seen_ms[voter.number] >= self._looked_ms or _runs(voter) for voter in voters]
        size = range(len(voters))
        fell_apart = network.partitions != self._partitions
        if fell_apart or not self._together or not self._ring():
            passes, names = network.links.passes, [voter.member for voter in voters]
            self._ways = [[one == other or passes(names[one], names[other]) for other in size] for one in size]
            self._together = all(all(row) for row in self._ways)
        ways = self._ways
        calm = self._together and all(_runs(voter) for voter in voters) and self._lossless()
        if not calm or fell_apart:
            self.whole_ms = None
        elif self.whole_ms is None:
            self.whole_ms = now_ms
        doubtful = fell_apart or (
            not self._together and any(ways[one][other] != ways[other][one] for one in size for other in range(one))
        )
        self._partitions = network.partitions
        total = sum(voter.weight for voter in voters)
        for one in size:
            reached = sum(voters[other].weight for other in size if ways[one][other] and alive[other])
            if alive[one] and (doubtful or 2 * reached > total):
                self._majority_ms[one] = now_ms
        # A promise counts for less than its length from its heartbeat; one look more for what lay between two.
        since_ms = now_ms - self._times.promise_ms - LOOKS_MS
        led = [one for one in size if alive[one] and self._majority_ms[one] >= since_ms]
        for place, unit in enumerate(self._units):
            if doubtful or (alive[unit.number] and any(ways[unit.number][one] for one in led)):
                self._contact_ms[place] = now_ms
            else:
                self._out_of_reach(place, unit, now_ms)
        self._looked_ms = now_ms + 1

    def _ring(self) -> bool:
        """Whether everybody reaches the next one: who falls apart into groups does not, and blocks are counted."""
        passes, voters = self._network.links.passes, self._voters
        return all(passes(one.member, other.member) for one, other in pairwise([*voters, voters[0]]))

    def disturbed(self) -> None:
        """Something happened that is no calm."""
        self.whole_ms = None

    def _lossless(self) -> bool:
        traits = self._network.links.traits
        return not traits.loss_percent and not traits.late_percent

    def _out_of_reach(self, place: int, unit: UnitWatch, now_ms: int) -> None:
        """I11: at most the fallback, once the last raise that its last contact can have given it is over."""
        times = self._times
        # One look for the contact that there may have been until just before the next look.
        over_ms = times.true_within(times.raise_ms + times.write_ms) + times.true_within(times.tail_exact // MILLION)
        if now_ms < self._contact_ms[place] + LOOKS_MS + over_ms:
            return
        self._book.results["I11"].checked += 1
        exact = unit.host.clock.exact(now_ms)
        unit.look(exact)
        most_ma = unit.ceiling_ma
        if now_ms >= unit.changed_ms + over_ms:
            most_ma = max(unit.most_ma(exact, now_ms), unit.drawn_ma)
        if most_ma > unit.fallback_ma:
            self._book.fail(
                "I11",
                unit.member,
                f"is out of reach of a majority for {now_ms - self._contact_ms[place]} ms and may draw {most_ma} mA: "
                f"{unit.said()}",
            )

    def started(self, unit: UnitWatch) -> None:
        """A process started: at the end of its cold hold it is at its fallback, unless it was granted more or less."""
        times, engine = self._times, self._network.engine
        due_ms = engine.now_ms + times.true_within(times.cold_ms + times.write_ms) + 1
        boot, steps, fallback_ma = unit.boot, unit.steps, unit.fallback_ma

        def warm() -> None:
            # A step in between may have let it wait for longer, also where it came back to the same fallback.
            if unit.boot != boot or unit.granted or unit.steps != steps:
                return
            self._book.results["I11"].checked += 1
            unit.look(unit.host.clock.exact(engine.now_ms))
            node = unit.host.node
            # Left alone, just resumed, or with a vehicle that did not follow, it may be at less.
            resumed = engine.now_ms <= unit.host.resumed_ms + times.write_ms
            less = node is None or node.unit is None or unit.host.paused or resumed or node.unit.holder.tripped
            pilot_ma, ceiling_ma = unit.pilot_ma, unit.ceiling_ma
            # A process that died in its very first write has told its device nothing: that stays as it was left.
            cold = ceiling_ma == fallback_ma or (node is None and ceiling_ma < fallback_ma)
            if not cold or pilot_ma > fallback_ma or (pilot_ma < fallback_ma and not less):
                self._book.fail(
                    "I11",
                    unit.member,
                    f"started a cold hold ago and is not at its fall-back: pilot {unit.pilot_ma} mA, {unit.said()}",
                )

        engine.at(due_ms, warm)


def _runs(voter: VoterWatch) -> bool:
    return voter.host.node is not None and not voter.host.paused
