"""One node's part in the election: votes, asks, counts, and knows at every instant whether it has authority.

# Rule 1: this file knows ticks, not seconds, and terms, not sockets; what a heartbeat grants is not its concern.
# Rule 2: authority is lost at the first event at or after its end, even if that same event brings new promises.
# Rule 3: every change from no authority to authority is a new one, with a counter of its own.
# Rule 4: nobody who leads is pre-empted: a rank only orders who asks first after silence.
"""

from collections.abc import Sequence

from powershare.election.authority import Authority
from powershare.election.promise import Answer, Promise
from powershare.election.roles import TRANSITIONS, Cause, Role
from powershare.election.term import Term
from powershare.errors import InternalError
from powershare.timing import Timing

QUIET_DOUBLINGS = 4
"""A candidate that fails waits twice as long, at most 16 promise lengths."""

_MASK = (1 << 64) - 1


class Elector:
    """Voter, candidate and leader of one member.

    Call `tick` before anything else at each event.

    Args:
        member: Its number.
        boot: Its process, at random at each start.
        weights: Each member's weight.
        rank: How many ask before it when a leader falls silent; None: it votes and never asks.
        timing: The network's times.
        now_ms: When it starts.
        counter: Of its last claim, under whatever configuration: no process makes one claim twice.

    Attributes:
        role: What it is.
        term: Its own newest claim; the one it leads with while it leads.
        promise: Its vote.
        authority: The votes it counts.
    """

    __slots__ = (
        "_asked_until_ms",
        "_boot",
        "_candidacies",
        "_deaf",
        "_doublings",
        "_given_back_ms",
        "_heard_ms",
        "_member",
        "_rank",
        "_silence_ms",
        "_timing",
        "authority",
        "promise",
        "role",
        "term",
    )

    def __init__(
        self,
        member: int,
        boot: int,
        weights: Sequence[int],
        rank: int | None,
        timing: Timing,
        now_ms: int,
        counter: int = 0,
    ) -> None:
        self._member, self._boot, self._rank, self._timing = member, boot, rank, timing
        self.role = Role.FOLLOWER
        self.term = Term(counter, member, boot)
        self.promise = Promise(timing.promise_ms, now_ms)
        self.authority = Authority(weights, timing.counted_ms)
        self._heard_ms: dict[tuple[int, int], int] = {}
        self._doublings = self._candidacies = 0
        self._deaf = False
        self._given_back_ms = now_ms - timing.promise_ms
        self._asked_until_ms = now_ms
        self._silence_ms = self._silent_until(timing.promise_ms, now_ms)

    @property
    def leads(self) -> bool:
        """Whether it has authority, as of the last event."""
        return self.role is Role.LEADER

    @property
    def asks(self) -> bool:
        """Whether it sends heartbeats."""
        return self.role is not Role.FOLLOWER

    @property
    def fence(self) -> Term:
        """The newest term it has bowed to."""
        return self.promise.fence

    def next_ms(self) -> int | None:
        """When its role changes by time alone; None: never."""
        if self.role is Role.LEADER:
            return self.authority.until_ms
        if self.role is Role.CANDIDATE:
            return self._asked_until_ms
        return None if self._rank is None else self._silence_ms

    def tick(self, now_ms: int) -> Cause | None:
        """Let time pass.

        Returns:
            Why its role changed; None where it did not.
        """
        if self.role is Role.LEADER:
            if now_ms < self.authority.until_ms:
                return None
            self._asked_until_ms = now_ms + self._timing.promise_ms
            return self._turn(Cause.LAPSED)
        if self.role is Role.CANDIDATE:
            if now_ms < self._asked_until_ms:
                return None
            self._deaf = True
            self._doublings = min(self._doublings + 1, QUIET_DOUBLINGS)
            self._silence_ms = self._silent_until(self._timing.promise_ms << self._doublings, now_ms)
            return self._turn(Cause.NO_MAJORITY)
        if self._rank is None or now_ms < self._silence_ms:
            return None
        # Who has heard nobody since it failed may be deaf: it asks again, or two such would be silent for ever, but
        # with the term it had: a deaf node must not drive the counter up.
        if not self._deaf or self.term.counter == 0:
            self.term = self._above(self.fence)
        self._asked_until_ms = now_ms + self._timing.promise_ms
        return self._turn(Cause.SILENCE)

    def ask(self, now_ms: int) -> Cause | None:
        """Cast its own vote; call it whenever it sends a round of heartbeats, at the instant of sending.

        Returns:
            `MAJORITY` where its own vote gave it authority.
        """
        if self.promise.heard(self.term, self.leads, now_ms) is not Answer.YES:
            return None
        return self._counted(self._member, now_ms, now_ms)

    def heard(self, term: Term, *, claims: bool, releases: bool, sent_ms: int, now_ms: int) -> Answer | None:
        """Take in a heartbeat of another member.

        Args:
            term: Its term.
            claims: Whether it claims authority.
            releases: Whether its sender gives back the promises made to it.
            sent_ms: Its sender's time of sending, on the sender's clock.
            now_ms: When it was received.

        Returns:
            The answer; None: it is no newer than the last of that sender, and to be dropped silently.
        """
        sender = (term.leader, term.boot)
        if sent_ms <= self._heard_ms.get(sender, sent_ms - 1):
            return None
        self._deaf = False
        if term < self.fence:
            return Answer.BELOW  # not remembered either: it must not crowd out those that count
        self._remember(sender, sent_ms)
        if claims and term > self.term and self.role is not Role.FOLLOWER:
            self._step_down(Cause.OUTRANKED, now_ms)
        if releases:
            self.promise.released(sender, now_ms)
            if self.role is Role.FOLLOWER:
                self._silence_ms = min(self._silence_ms, self._silent_until(0, now_ms))
            return Answer.NO
        answer = self.promise.heard(term, claims, now_ms)
        if answer is Answer.YES or (claims and answer is Answer.NO):
            self._doublings = 0
            self._silence_ms = self._silent_until(self._timing.promise_ms, now_ms)
        return answer

    def answered(self, member: int, *, promised: bool, sent_ms: int, now_ms: int) -> Cause | None:
        """Take in a member's answer to a heartbeat of this process.

        Args:
            member: Who answers.
            promised: Whether it said yes.
            sent_ms: When the heartbeat that it answers was sent.
            now_ms: When the answer was received.

        Returns:
            `MAJORITY` where it gave this node authority.
        """
        self._deaf = False
        lately = max(now_ms - self._timing.promise_ms, self._given_back_ms) < sent_ms <= now_ms
        if not promised or self.role is Role.FOLLOWER or not lately:
            return None
        return self._counted(member, sent_ms, now_ms)

    def refused(self, fence: Term) -> bool:
        """Take in that a member's fence is above a heartbeat of this process.

        Returns:
            Whether the counter was raised; authority, where there is any, goes on.
        """
        self._deaf = False
        if self.role is Role.FOLLOWER or fence <= self.term:
            return False
        self.term = self._above(fence)
        return True

    def hand_over(self, now_ms: int) -> None:
        """Stop leading on purpose; whoever is next in rank asks at once."""
        if self.role is not Role.LEADER:
            return
        self._step_down(Cause.HANDED_OVER, now_ms)
        self._given_back_ms = now_ms  # who answers what was sent before may be free by now
        # Every other member is asked before this one would ask again.
        self._silence_ms = self._silent_until(2 * self._timing.promise_ms, now_ms)

    def heard_of(self) -> None:
        """Note that another member can be heard, whatever it said."""
        self._deaf = False

    def _counted(self, member: int, sent_ms: int, now_ms: int) -> Cause | None:
        self.authority.count(member, sent_ms)
        if self.role is not Role.CANDIDATE or now_ms >= self.authority.until_ms:
            return None
        self.term = self._above(self.fence)
        self._doublings = 0
        cause = self._turn(Cause.MAJORITY)
        # Its own vote bows to the new claim as everybody's will; the promise is already its own.
        self.promise.fence = max(self.promise.fence, self.term)
        return cause

    def _step_down(self, cause: Cause, now_ms: int) -> None:
        """Give up every claim, its own vote included."""
        self.promise.released((self._member, self._boot), now_ms)
        self.authority.drop()
        self._turn(cause)

    def _turn(self, cause: Cause) -> Cause:
        after = TRANSITIONS.get((self.role, cause))
        if after is None:
            raise InternalError(f"a {self.role.value} cannot change by: {cause.value}")
        self.role = after
        return cause

    def _above(self, fence: Term) -> Term:
        return Term(max(fence.counter, self.term.counter) + 1, self._member, self._boot)

    def _silent_until(self, quiet_ms: int, now_ms: int) -> int:
        """When to ask if nobody is heard until then."""
        timing = self._timing
        self._candidacies += 1
        mixed = (self._boot ^ (self._candidacies * 0x9E3779B97F4A7C15)) * 0xD1342543DE82EF95 & _MASK
        jitter_ms = (mixed >> 32) % (timing.cycle_ms // 2 + 1)
        return now_ms + quiet_ms + (self._rank or 0) * timing.cycle_ms + jitter_ms

    def _remember(self, sender: tuple[int, int], sent_ms: int) -> None:
        if sender not in self._heard_ms:
            # A member's earlier boots say nothing any more but what is late; their terms are below its present one.
            for other in [other for other in self._heard_ms if other[0] == sender[0]][:-1]:
                del self._heard_ms[other]
        self._heard_ms[sender] = sent_ms
