"""Charging sessions: who was plugged in where, from when to when, and how much energy they asked for."""

from datetime import datetime

import attrs

from powershare.errors import Problem
from powershare.units import Milliamps


@attrs.frozen(kw_only=True)
class Session:
    """One vehicle at one connector, from plugging in to unplugging.

    Attributes:
        connector: The connector's id.
        plugged_in_ms: When it was plugged in, in milliseconds since `Sessions.started`.
        unplugged_ms: When it was unplugged, on the same clock; after `plugged_in_ms`.
        energy_wh: Energy it asks for, in watt-hours, 0 or more.
        max_ma: The most the vehicle takes on each line; None: whatever the connector may offer.
        lines_used: How many of the connector's lines it loads, 1 to 3; None: all.
        vehicle: Its identity, where it is known.
    """

    connector: str
    plugged_in_ms: int
    unplugged_ms: int
    energy_wh: int
    max_ma: Milliamps | None = None
    lines_used: int | None = None
    vehicle: str | None = None


@attrs.frozen(kw_only=True)
class Sessions:
    """A list of sessions with one clock.

    Attributes:
        started: The instant that the sessions' milliseconds count from, with its offset to UTC.
        sessions: Every usable session; no two of one connector overlap.
        skipped: What could not be used, and why: one problem per skipped row.
    """

    started: datetime
    sessions: tuple[Session, ...]
    skipped: tuple[Problem, ...] = ()
