"""One member's votes and claims watched: promises are exclusive, fences never fall, authority is one at a time."""

from collections.abc import Sequence

from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.wire import Claim

NOBODY = (-1, 0)
"""Whom a started voter is promised to."""


class VoterWatch:
    """A member as voter and leader, across all processes of its host.

    Args:
        host: Its host.
        number: Its number in the network.
        times: The protocol's times.
        book: Where results go.

    Attributes:
        weight: Its vote.
        to: Whom it is promised to: member number and boot. A death does not end a promise.
        until_ms: Until when, on its clock.
        fence: The newest claim that it has bowed to.
        leading: Its authority at work, whichever object that is; None: it has none.
        authority_ms: Until when it has authority, on its clock.
        claim: The claim that it leads or led with last.
    """

    __slots__ = (
        "_book",
        "_boot",
        "authority_ms",
        "claim",
        "fence",
        "host",
        "leading",
        "member",
        "number",
        "since_ms",
        "times",
        "to",
        "until_ms",
        "weight",
    )

    def __init__(self, host: Host, number: int, times: Times, book: Book) -> None:
        self.host, self.member, self.number, self.times, self._book = host, host.member, number, times, book
        self.weight = 0
        self.to: tuple[int, int] = NOBODY
        self.until_ms = -(1 << 62)
        self.fence: Claim = (0, 0, 0)
        self.leading: object | None = None
        self.authority_ms = -(1 << 62)
        self.claim: Claim = (0, 0, 0)
        self.since_ms = 0
        self._boot = 0

    def started(self, boot: int, exact: int) -> None:
        """A new process: it remembers no claim, and promises nothing for one promise length."""
        node = self.host.node
        self._boot, self.fence, self.claim, self.leading = boot, (0, 0, 0), (0, 0, 0), None
        self._book.results["I6"].checked += 1
        if node is None:
            return
        promise = node.elector.promise
        if promise.to == NOBODY and promise.until_ms * MILLION + MILLION <= exact + self.times.promise_ms * MILLION:
            self._book.fail("I6", self.member, f"starts and is free to promise at {promise.until_ms} on its clock")

    def reconfigured(self) -> None:
        """Another configuration, or a step towards it: claims begin anew under its hash, promises do not."""
        self.fence = (0, 0, 0)

    def ended(self) -> None:
        """Its process is gone, and with it its authority."""
        self.leading = None

    def has_authority(self, true_ms: int) -> bool:
        """Whether it has authority at this true instant, whether or not its node has been told the time since."""
        return self.leading is not None and self.host.clock.exact(true_ms) < self.authority_ms * MILLION

    def step(self, exact: int) -> None:
        """I6 and I17 of the voter: promises are exclusive until they end, and the fence never falls."""
        node = self.host.node
        if node is None:
            return
        promise, book = node.elector.promise, self._book
        fence = promise.fence
        if fence is not self.fence:
            book.results["I17"].checked += 1
            if fence < self.fence:
                book.fail("I17", self.member, f"its fence falls from {self.fence} to {fence}")
            self.fence = fence
        to, until_ms = promise.to, promise.until_ms
        if to == self.to:
            self.until_ms = until_ms
            return
        if to == NOBODY:
            return  # it abstains; what its former process promised holds on
        book.results["I6"].checked += 1
        own = self.to == (self.number, self._boot)
        if exact < self.until_ms * MILLION and not own:
            book.fail(
                "I6",
                self.member,
                f"promises itself to {to} and is promised to {self.to} until {self.until_ms} on its clock",
            )
        self.to, self.until_ms = to, until_ms

    def authority(self, voters: Sequence["VoterWatch"], exact: int, true_ms: int) -> bool:
        """I6 and I16 of the leader: its authority stands on promises that outlast it; answers whether it is new.

        Args:
            voters: Everybody.
            exact: This host's clock.
            true_ms: The true time.
        """
        node, book = self.host.node, self._book
        leading = None if node is None else node.leading
        if node is None or leading is None:
            self.leading = None
            return False
        until_ms, claim = node.elector.authority.until_ms, node.elector.term
        begun = leading is not self.leading
        if begun:
            book.results["I16"].checked += 1
            if claim <= self.claim:
                book.fail("I16", self.member, f"has authority anew with claim {claim}, after {self.claim}")
            for other in voters:
                if other is not self and other.has_authority(true_ms):
                    book.fail("I6", self.member, f"has authority until {until_ms} on its clock, as {other.member} has")
            self.leading, self.since_ms = leading, true_ms
        elif exact >= self.authority_ms * MILLION:
            book.fail("I16", self.member, f"goes on with its ledger; its authority was over at {self.authority_ms}")
        self.claim = claim
        results = book.results["I6"]
        results.checked += 1
        if exact >= until_ms * MILLION:
            book.fail("I6", self.member, f"leads at {exact // MILLION} on its clock with authority until {until_ms}")
        if until_ms != self.authority_ms or begun:
            self.authority_ms = until_ms
            self._stands(voters, exact, true_ms)
        return begun

    def _stands(self, voters: Sequence["VoterWatch"], exact: int, true_ms: int) -> None:
        """Promises of more than half of the weight outlast this authority, whatever all clocks do from here on."""
        left = self.authority_ms * MILLION - exact
        me = (self.number, self._boot)
        times, weight, total = self.times, 0, 0
        for voter in voters:
            total += voter.weight
            if voter.to == me and times.surely_as_long(
                voter.until_ms * MILLION - voter.host.clock.exact(true_ms), left
            ):
                weight += voter.weight
        if 2 * weight <= total:
            self._book.fail(
                "I6",
                self.member,
                f"counts on authority until {self.authority_ms} on its clock; {weight} of {total} promised so long",
            )
