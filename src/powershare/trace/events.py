"""What devices did, event by event, and what an audit of it shows: values only."""

import enum
from typing import Final, Literal, TypeAlias

import attrs

from powershare.units import Line, LineMilliamps, Milliamps

PILOT_STATES = ("A", "B", "C", "D", "E", "F")
"""Control pilot states (IEC 61851-1, SAE J1772): A no vehicle, B connected, C and D charging, E and F fault."""


class Unchanged(enum.Enum):
    """The one value that says: this event leaves the mark as it was."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"""Neither the start nor the end of something outside the assumptions."""

Mark: TypeAlias = str | Literal[Unchanged.UNCHANGED] | None
"""An assumption that fails from now on (such as `A2`), None where it holds again, or `UNCHANGED`."""


@attrs.frozen(kw_only=True)
class ConnectorEvent:
    """What a connector offers and its vehicle draws from this instant on.

    Not validated here, since millions are built in one replay: the reader of trace files checks them.

    Attributes:
        t_ms: Milliseconds since the trace started; monotonic.
        connector: Its id.
        pilot_ma: What the control pilot offers.
        drawn_ma: What the vehicle draws on each line it loads.
        lines_used: How many of the connector's lines the vehicle loads; None: all.
        state: Control pilot state, A to F.
        event: What happened, a word for people; None: a change of current only.
        outside: The assumption that fails from now on, None where it holds again.
        term: Leader's term of the grant that did it, if any.
        by: Who granted it, if anyone.
        valid_until_ms: When the grant runs out, on the trace's clock.
        then_ma: What is offered after that.
    """

    t_ms: int
    connector: str
    pilot_ma: Milliamps
    drawn_ma: Milliamps
    lines_used: int | None = None
    state: str = "C"
    event: str | None = None
    outside: Mark = UNCHANGED
    term: int | None = None
    by: str | None = None
    valid_until_ms: int | None = None
    then_ma: Milliamps | None = None


@attrs.frozen(kw_only=True)
class CircuitEvent:
    """The limit of a circuit and the other load that hangs on it, from this instant on.

    Attributes:
        t_ms: Milliseconds since the trace started; monotonic.
        circuit: Its id.
        limit_ma: The limit in force, per line; it can lower the site's own limit, never raise it.
        other_load_ma: Loads that hang on this circuit itself and are no connectors, per line.
        source: Who set the limit or measured the load.
        outside: The assumption that fails from now on, None where it holds again.
    """

    t_ms: int
    circuit: str
    limit_ma: LineMilliamps
    other_load_ma: LineMilliamps
    source: str
    outside: Mark = UNCHANGED


TraceEvent: TypeAlias = ConnectorEvent | CircuitEvent


class LoadKind(enum.Enum):
    """Which current was above the limit."""

    OFFERED = "offered"
    DRAWN = "drawn"


@attrs.frozen(kw_only=True)
class Breach:
    """A stretch of time in which one line of a circuit was above its limit.

    Attributes:
        t_ms: The first instant at which it was above.
        until_ms: The first instant at which it no longer was; None: still so at the end.
        circuit: The circuit; None: the network limit.
        line: The line.
        limit_ma: The limit in force at the worst instant.
        load_ma: Connectors and other load at the worst instant.
        connectors_ma: The connectors' part of it; 0 means that other load alone was too much.
        kind: Whether the sum of the offers or of what was drawn was above.
        outside: Whether it happened outside the assumptions: at that time some connector or circuit
            that feeds into this limit was marked as outside. A stretch that is inside for a while
            and outside for a while is two breaches.
    """

    t_ms: int
    until_ms: int | None
    circuit: str | None
    line: Line
    limit_ma: Milliamps
    load_ma: Milliamps
    connectors_ma: Milliamps
    kind: LoadKind
    outside: bool


@attrs.frozen(kw_only=True)
class Peak:
    """The most that one line of a circuit carried, other load included.

    Attributes:
        circuit: The circuit; None: the network limit.
        line: The line.
        limit_ma: The site's own limit.
        offered_ma: The greatest sum of offers and other load.
        drawn_ma: The greatest sum of what was drawn and other load.
    """

    circuit: str | None
    line: Line
    limit_ma: Milliamps
    offered_ma: Milliamps
    drawn_ma: Milliamps


@attrs.frozen(kw_only=True)
class AuditResult:
    """What a trace shows.

    Attributes:
        breaches: Every breach, in order of time.
        peaks: One per circuit and line in site order, the network limit last.
        events: How many events were added up.
        first_ms: When the first one was; None without any.
        last_ms: When the last one was; None without any.
    """

    breaches: tuple[Breach, ...]
    peaks: tuple[Peak, ...]
    events: int
    first_ms: int | None
    last_ms: int | None

    @property
    def inside(self) -> tuple[Breach, ...]:
        """The breaches inside the assumptions: those that must not be."""
        return tuple(breach for breach in self.breaches if not breach.outside)

    @property
    def outside(self) -> tuple[Breach, ...]:
        """The breaches outside the assumptions."""
        return tuple(breach for breach in self.breaches if breach.outside)
