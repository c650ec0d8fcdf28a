"""Terms: which claim to lead is the newer."""

from typing import NamedTuple


class Term(NamedTuple):
    """One claim to lead; totally ordered, so that of any two the newer is known everywhere.

    A tuple, because terms are compared with every message.

    Attributes:
        counter: Raised by every candidacy and by every new authority; 64 bits.
        leader: The candidate's member number.
        boot: The candidate's process: a restarted one is another candidate.
    """

    counter: int
    leader: int
    boot: int


NO_TERM = Term(0, 0, 0)
"""Below every term that a candidate can have."""

MAX_COUNTER = (1 << 64) - 1
