"""What is decided: how many amps each connector may offer, and which limit decided it."""

import enum
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import attrs

from powershare.units import Line, LineMilliamps, Milliamps


class Status(enum.Enum):
    """What became of one connector."""

    ALLOCATED = "allocated"
    SHED = "shed"
    """Its least offer does not fit now: it pauses."""
    REFUSED = "refused"
    """It can never be served as asked; the reason says why."""
    IDLE = "idle"
    HELD = "held"
    """Silent: what it may be drawing is set aside."""


class BoundKind(enum.Enum):
    """What kind of limit decided an allocation."""

    CIRCUIT = "circuit"
    NETWORK = "network"
    EXTERNAL = "external"
    VEHICLE = "vehicle"
    CONNECTOR = "connector"


@attrs.frozen(kw_only=True)
class BoundBy:
    """The limit that decided, and who set it.

    Attributes:
        kind: What kind of limit it is.
        id: The circuit, or the connector, it holds for; None for the network.
        line: The line on which it bound; None where it holds for the connector as a whole.
        limit_ma: The limit itself.
        source: Who set it: `breaker`, `limit`, `network`, `vehicle`, `connector`, or an external limit's own word.
    """

    kind: BoundKind
    id: str | None
    line: Line | None
    limit_ma: Milliamps
    source: str


@attrs.frozen(kw_only=True)
class ConnectorAllocation:
    """The answer for one connector.

    Attributes:
        connector: Its id.
        status: What became of it.
        allocated_ma: What it may offer: 0, or between its least and its greatest offer.
        bound_by: The limit that keeps it from more; None when it asks for nothing or is held.
        counted_lines: The lines its current counts on; empty when it is idle.
        rotation_unknown: Whether it counts on more lines than its vehicle uses, because nobody
            has said how the connector is wired.
        reason: Words for people: why it was refused or shed, or what is not known; else None.
    """

    connector: str
    status: Status
    allocated_ma: Milliamps
    bound_by: BoundBy | None = None
    counted_lines: tuple[Line, ...] = ()
    rotation_unknown: bool = False
    reason: str | None = None


@attrs.frozen(kw_only=True)
class CircuitAllocation:
    """What an allocation means for one circuit, or for the network limit, per line of the supply.

    Attributes:
        circuit: Its id; None: the network limit.
        limit_ma: The limit that counts now, external ones included.
        allocated_ma: Sum over the connectors below.
        held_ma: What silent connectors below may be drawing.
        other_load_ma: Other load of this circuit and of the circuits below it; none for the network limit,
            which counts connectors only.
        headroom_ma: What is left; never negative.
        exceeded: Whether held and other load alone are above the limit on some line.
    """

    circuit: str | None
    limit_ma: LineMilliamps
    allocated_ma: LineMilliamps
    held_ma: LineMilliamps
    other_load_ma: LineMilliamps
    headroom_ma: LineMilliamps
    exceeded: bool


class Answer(Protocol):
    """The raw outcome of one allocation, which an `Allocation` reads on demand.

    Most callers look at a few connectors; building every value of every call would cost more than
    the allocation itself.
    """

    @property
    def backend(self) -> str:
        """What computed it."""

    def allocated_ma(self) -> dict[str, Milliamps]:
        """What each connector may offer, in site order."""

    def connector(self, connector_id: str) -> ConnectorAllocation:
        """One connector's answer, with its reason; KeyError if there is no such connector."""

    def circuits(self) -> dict[str, CircuitAllocation]:
        """Every circuit's sums, in site order."""

    def network(self) -> CircuitAllocation | None:
        """The network limit's sums; None without one."""


class Allocation(Mapping[str, ConnectorAllocation]):
    """One answer: `allocation["north"]` for a connector, `allocation.circuits["feeder"]` for a circuit.

    An immutable mapping from connector id to its answer, in site order. Two are equal when they
    say the same of every connector and circuit, whichever backend computed them.
    """

    __slots__ = ("__dict__", "_answer")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def backend(self) -> str:
        """What computed it, `native` or `python`; the answers are the same to the bit."""
        return self._answer.backend

    @cached_property
    def allocated_ma(self) -> Mapping[str, Milliamps]:
        """What each connector may offer, without the reasons."""
        return MappingProxyType(self._answer.allocated_ma())

    @cached_property
    def connectors(self) -> tuple[ConnectorAllocation, ...]:
        """One entry per connector of the site, in its order."""
        return tuple(self._answer.connector(connector_id) for connector_id in self.allocated_ma)

    @cached_property
    def circuits(self) -> Mapping[str, CircuitAllocation]:
        """Each circuit's sums under its id, in site order."""
        return MappingProxyType(self._answer.circuits())

    @cached_property
    def network(self) -> CircuitAllocation | None:
        """The network limit's sums, per line; None where the site has none."""
        return self._answer.network()

    def __getitem__(self, connector_id: str) -> ConnectorAllocation:
        return self._answer.connector(connector_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.allocated_ma)

    def __len__(self) -> int:
        return len(self.allocated_ma)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Allocation):
            return NotImplemented
        mine, theirs = ((answer.connectors, answer.circuits, answer.network) for answer in (self, other))
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # compares by content, and mappings are not hashable

    def __repr__(self) -> str:
        offers = ", ".join(f"{name}={allocated / 1000:g} A" for name, allocated in self.allocated_ma.items())
        return f"<Allocation {offers}>"
