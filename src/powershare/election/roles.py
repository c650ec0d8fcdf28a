"""Who leads: every role, and everything that changes it. The diagram in the documentation is drawn from this table."""

import enum
from types import MappingProxyType


class Role(enum.Enum):
    """What one node is in the election."""

    FOLLOWER = "follower"
    """Obeys who leads; waits for its own turn to ask."""
    CANDIDATE = "candidate"
    """Asks for promises; grants nothing."""
    LEADER = "leader"
    """Has authority: promises of more than half of the weight, none of them over."""


class Cause(enum.Enum):
    """What changes a role."""

    SILENCE = "no heartbeat for its time"
    MAJORITY = "more than half of the weight promised"
    NO_MAJORITY = "no majority within one promise length"
    LAPSED = "promises ran out"
    OUTRANKED = "heard a newer claim of authority"
    HANDED_OVER = "handed over"


TRANSITIONS = MappingProxyType(
    {
        (Role.FOLLOWER, Cause.SILENCE): Role.CANDIDATE,
        (Role.CANDIDATE, Cause.MAJORITY): Role.LEADER,
        (Role.CANDIDATE, Cause.NO_MAJORITY): Role.FOLLOWER,
        (Role.CANDIDATE, Cause.OUTRANKED): Role.FOLLOWER,
        (Role.LEADER, Cause.LAPSED): Role.CANDIDATE,
        (Role.LEADER, Cause.OUTRANKED): Role.FOLLOWER,
        (Role.LEADER, Cause.HANDED_OVER): Role.FOLLOWER,
    }
)
"""From a role, by a cause, to the next. What is not here cannot happen."""
