"""What a unit's ceiling rests on, and everything that changes it; the documentation draws its diagram from here."""

import enum
from types import MappingProxyType


class LeaseState(enum.Enum):
    """What one unit's ceiling rests on."""

    COLD = "cold hold"
    """Just started: 0, for longer than any cap that a former process may have promised."""
    FALL_BACK = "fall-back"
    """Its fallback, without a timer."""
    RAISED = "raised"
    """Above its fallback, for at most a raise lease."""
    CAPPED = "capped"
    """Below its fallback, for no less than a cap lease."""


class Change(enum.Enum):
    """What changes it."""

    RAISE = "raise granted"
    CAP = "cap granted"
    FALL_BACK = "fall-back granted"
    TRIM = "trim granted"
    ENDED = "time over"
    SESSION = "vehicle plugged in or unplugged"


_ALL = tuple(LeaseState)

TRANSITIONS = MappingProxyType(
    {
        **{(state, Change.RAISE): LeaseState.RAISED for state in _ALL},
        **{(state, Change.CAP): LeaseState.CAPPED for state in _ALL},
        **{(state, Change.FALL_BACK): LeaseState.FALL_BACK for state in _ALL},
        **{(state, Change.TRIM): state for state in _ALL},
        **{(state, Change.ENDED): LeaseState.FALL_BACK for state in _ALL if state is not LeaseState.FALL_BACK},
        (LeaseState.COLD, Change.SESSION): LeaseState.COLD,
        (LeaseState.FALL_BACK, Change.SESSION): LeaseState.FALL_BACK,
        (LeaseState.RAISED, Change.SESSION): LeaseState.FALL_BACK,
        (LeaseState.CAPPED, Change.SESSION): LeaseState.CAPPED,
    }
)
"""From a state, by a change, to the next. What is not here cannot happen."""
