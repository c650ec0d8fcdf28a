"""authority.pml in milliseconds: who may promise, what may be counted, and who has authority."""

import attrs
from tests.model.vocabulary import (
    MILLION,
    NO_TERM,
    Answer,
    Ask,
    Climb,
    Count,
    Event,
    Free,
    Gain,
    Issue,
    Learn,
    Lose,
    Network,
    Release,
    Report,
    Restart,
    Term,
    found,
    remember,
    require,
)

Leader = tuple[int, int]
"""Member number and boot: a restarted leader is another one."""


@attrs.define
class Voter:
    """One voter, as its steps have left it."""

    promised: Leader | None = None
    """To whom; None: to nobody."""
    until_ms: int = 0
    fence: Term = NO_TERM
    heard: dict[Leader, int] = attrs.field(factory=dict)
    """By leader: when the newest heartbeat that it answered was sent."""


@attrs.define
class Candidate:
    """One member in the role of a candidate or leader."""

    boot: int | None = None
    asked: dict[tuple[int, Term, bool], bool] = attrs.field(factory=dict)
    """Heartbeats sent: when, with which term, and whether authority was claimed."""
    counted: dict[int, int] = attrs.field(factory=dict)
    """By voter: until when its promise counts."""
    term: Term | None = None
    """Of its authority; None: it has none."""
    highest: Term = NO_TERM
    released_ms: int | None = None
    last_at_ms: int = 0
    last_clock_ms: int = 0


@attrs.define
class Voting:
    """All voters and candidates."""

    network: Network
    voters: list[Voter] = attrs.field(factory=list)
    candidates: list[Candidate] = attrs.field(factory=list)
    yes: dict[tuple[int, Leader, int], bool] = attrs.field(factory=dict)
    """Promises made: voter, leader, time of sending of the heartbeat."""

    def __attrs_post_init__(self) -> None:
        self.voters = [Voter() for _ in self.network.weights]
        self.candidates = [Candidate() for _ in self.network.weights]

    def until_ms(self, candidate: Candidate) -> int | None:
        """Return when more than half of the weight is no longer counted; None: it is not counted at all."""
        weight, need = 0, sum(self.network.weights) // 2 + 1
        for voter, until_ms in sorted(candidate.counted.items(), key=lambda counted: -counted[1]):
            weight += self.network.weights[voter]
            if weight >= need:
                return until_ms
        return None

    def has(self, event: Event) -> Candidate:
        """Refuse what only a leader may do, and what comes when its authority has lapsed unnoticed."""
        candidate = self.candidates[event.member]
        require(candidate.term is not None, "it has no authority")
        self.lapsed(event)
        return candidate

    def lapsed(self, event: Event) -> None:
        """Authority ends at its instant, even if the same event would restore it."""
        candidate = self.candidates[event.member]
        if candidate.term is None:
            return
        until_ms = self.until_ms(candidate)
        require(until_ms is not None and event.clock_ms < until_ms, f"its authority ended at {until_ms} on its clock")

    def restart(self, event: Restart) -> None:
        """It may have promised anything before, and has counted nothing."""
        times = self.network.times
        self.voters[event.member] = Voter(until_ms=event.clock_ms + times.promise_ms)
        self.candidates[event.member] = Candidate(boot=event.boot)

    def ask(self, event: Ask) -> None:
        """Authority is claimed by who has it, under its own term."""
        candidate = self.candidates[event.member]
        own = event.term[1:] == (event.member, candidate.boot)
        require(own, "the term is not its own")
        if event.claims:
            candidate = self.has(event)
            require(event.term == candidate.term, f"its authority has the term {candidate.term}")
        else:
            require(candidate.term is None, "a leader claims its authority")
        candidate.highest = max(candidate.highest, event.term)
        remember(candidate.asked, (event.clock_ms, event.term, event.claims), value=True)

    def answer(self, event: Answer) -> None:
        """One promise at a time, and never below the fence."""
        self.echo(event)
        voter, leader = self.voters[event.member], event.term[1:]
        require(event.heartbeat_ms >= voter.heard.get(leader, event.heartbeat_ms), "a newer heartbeat was answered")
        require(event.term >= voter.fence, "the term is below its fence")
        voter.heard[leader] = event.heartbeat_ms
        if event.yes or event.claims:
            voter.fence = event.term
        if not event.yes:
            return
        free = event.clock_ms >= voter.until_ms or leader == voter.promised
        require(free, f"it is promised until {voter.until_ms} on its clock, not to this leader")
        voter.promised, voter.until_ms = leader, event.clock_ms + self.network.times.promise_ms
        require(event.until_ms == voter.until_ms, f"the promise lasts until {voter.until_ms} on its clock")
        remember(self.yes, (event.member, leader, event.heartbeat_ms), value=True)

    def echo(self, event: Answer | Report) -> None:
        """What is echoed was sent, with this term and this claim."""
        candidate = self.candidates[event.term[1]]
        if candidate.boot == event.term[2]:  # what a leader sent before it restarted is no longer known here
            sent = (event.heartbeat_ms, event.term, event.claims) in candidate.asked
            require(sent, "no such heartbeat was sent")

    def free(self, event: Free) -> None:
        """Only the one it was given to can give a promise back."""
        voter, leader = self.voters[event.member], (event.leader, event.leader_boot)
        candidate = self.candidates[event.leader]
        if event.leader == event.member:
            require(candidate.term is None, "it leads still")
            candidate.counted.pop(event.member, None)
        elif candidate.boot == event.leader_boot:
            released_ms = found(candidate.released_ms, "the leader has not handed over")
            require(
                released_ms >= voter.heard.get(leader, released_ms), "it has promised anew since the leader handed over"
            )
        if voter.promised == leader:
            voter.until_ms = min(voter.until_ms, event.clock_ms)

    def count(self, event: Count) -> None:
        """A promise counts from the sending of the heartbeat that it answers."""
        self.lapsed(event)
        candidate = self.candidates[event.member]
        leader = (event.member, candidate.boot or 0)
        require((event.voter, leader, event.heartbeat_ms) in self.yes, "there is no such promise")
        given_back = candidate.released_ms is not None and event.heartbeat_ms <= candidate.released_ms
        require(not given_back, "the promise was given back")
        expected_ms = event.heartbeat_ms + self.network.times.surely_ms(self.network.times.promise_ms)
        expected_ms = max(expected_ms, candidate.counted.get(event.voter, expected_ms))
        exact = expected_ms - self.network.slack_ms <= event.until_ms <= expected_ms
        require(exact, f"the promise counts until {expected_ms} on its clock")
        candidate.counted[event.voter] = event.until_ms

    def gain(self, event: Gain) -> None:
        """More than half of the weight, a term never used before, and nobody else."""
        candidate = self.candidates[event.member]
        require(candidate.term is None, "it has authority already")
        until_ms = self.until_ms(candidate)
        counted = until_ms is not None and event.clock_ms < until_ms
        require(counted, "it does not count more than half of the weight")
        self._new_term(event.member, event.term)
        candidate.term = event.term
        voter = self.voters[event.member]
        voter.fence = max(voter.fence, event.term)
        for member, other in enumerate(self.candidates):
            if member != event.member and other.term is not None:
                elapsed_ms = event.at_ms - other.last_at_ms
                fastest_ms = elapsed_ms * (MILLION + self.network.times.drift_ppm) // MILLION + 1
                still = (self.until_ms(other) or 0) > other.last_clock_ms + fastest_ms
                require(not still, f"member {member} has authority at this instant")

    def climb(self, event: Climb) -> None:
        """The same authority under a higher term of its own."""
        candidate = self.has(event)
        self._new_term(event.member, event.term)
        candidate.term = event.term

    def lose(self, event: Lose) -> None:
        """It may give up any time."""
        candidate = self.candidates[event.member]
        require(candidate.term is not None, "it has no authority")
        candidate.term = None

    def release(self, event: Release) -> None:
        """Who hands over counts no promise any more that was made before."""
        candidate = self.candidates[event.member]
        require(candidate.term is None, "it still has authority")
        candidate.released_ms, candidate.counted = event.clock_ms, {}
        remember(candidate.asked, (event.clock_ms, candidate.highest, False), value=True)  # reports may echo it

    def decides(self, event: Learn | Issue) -> None:
        """The ledger lives as long as the authority."""
        self.has(event)

    def seen(self, event: Event) -> None:
        """Remember what a member's clock said, and when."""
        candidate = self.candidates[event.member]
        candidate.last_at_ms, candidate.last_clock_ms = event.at_ms, event.clock_ms

    def _new_term(self, member: int, term: Term) -> None:
        candidate = self.candidates[member]
        require(term[1:] == (member, candidate.boot), "the term is not its own")
        require(term > candidate.highest, f"a new authority has a term above {candidate.highest}, never used before")
        candidate.highest = term
