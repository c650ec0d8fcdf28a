"""The voter's side: one promise at a time, and a fence that never falls.

# Rule 1: a promise is exclusive and ends by this clock alone; nobody can take it back, but the one it was given to.
# Rule 2: a restarted voter may have promised anything before, so it promises nothing for one promise length.
# Rule 3: the fence moves with a yes, or with a claim of authority, and with nothing else.
"""

import enum

from powershare.election.term import NO_TERM, Term

NOBODY = (-1, 0)
"""Whom a restarted voter is promised to."""


class Answer(enum.IntEnum):
    """What a voter answers a heartbeat."""

    YES = 1
    """It is promised to this leader for one promise length from now."""
    NO = 0
    """It is promised to somebody else."""
    BELOW = -1
    """The term is below the fence: no promise, no state, nothing learnt."""


class Promise:
    """Whom one voter is promised to, until when, and the newest term it has bowed to.

    Attributes:
        to: Member number and boot of the leader it is promised to.
        until_ms: From this instant on it is free.
        fence: No term below it is obeyed.
    """

    __slots__ = ("_promise_ms", "fence", "to", "until_ms")

    def __init__(self, promise_ms: int, now_ms: int) -> None:
        self._promise_ms = promise_ms
        self.to = NOBODY
        self.until_ms = now_ms + promise_ms
        self.fence = NO_TERM

    def free(self, now_ms: int) -> bool:
        """Whether it is promised to nobody."""
        return now_ms >= self.until_ms

    def heard(self, term: Term, claims: bool, now_ms: int) -> Answer:
        """Answer a heartbeat.

        Args:
            term: Its term.
            claims: Whether it claims authority.
            now_ms: When it was received.
        """
        if term < self.fence:
            return Answer.BELOW
        leader = (term.leader, term.boot)
        if now_ms >= self.until_ms or leader == self.to:
            self.to, self.until_ms, self.fence = leader, now_ms + self._promise_ms, term
            return Answer.YES
        if claims:
            self.fence = term
        return Answer.NO

    def released(self, leader: tuple[int, int], now_ms: int) -> None:
        """The leader gives the promise back; nobody else's counts."""
        if leader == self.to:
            self.until_ms = min(self.until_ms, now_ms)
