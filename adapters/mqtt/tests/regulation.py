"""A driver as a bridge sees it, whose figures the test sets: what it is limited to is kept for looking at."""

from typing import Any

import attrs

from powershare.adapter import HostClock, Reading
from powershare.allocation import BoundBy, BoundKind
from powershare.driver import CircuitView, ConnectorView, Snapshot
from powershare.errors import ContractError
from powershare.leases import Pilot
from powershare.node import Limited
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import LineMilliamps, Milliamps

SITE = Site(
    supply=Supply.THREE_PHASE,
    circuits=(
        Circuit(id="panel", breaker_ma=60_000, other_load_worst_ma=10_000),
        Circuit(id="left wing/1", parent="panel", limit_ma=(32_000, 32_000, 20_000)),
    ),
    connectors=(
        Connector(id="north", circuit="panel", max_offer_ma=32_000, step_ma=1_000),
        Connector(id="süd+1", circuit="left wing/1", max_offer_ma=16_000, step_ma=100),
    ),
)


def view(connector: str, **changes: Any) -> ConnectorView:  # noqa: ANN401 - fields of many types
    """A connector that charges, but for what is changed."""
    plain = ConnectorView(
        connector=connector,
        reached=True,
        reading=Reading(at_ms=1, offered_ma=16_000, state="C", drawn_ma=(15_400, 15_900, 0)),
        pilot=Pilot(write=1, offer_ma=16_000, until_ms=None, then_ma=0, open=False, now_ms=1, why="raise"),
        most_offered_ma=16_000,
        bound_by=BoundBy(kind=BoundKind.CIRCUIT, id="panel", line=None, limit_ma=48_000, source="breaker"),
        reason=None,
        errors={},
    )
    return attrs.evolve(plain, **changes)


def circuit_view(
    circuit: str,
    limit_ma: LineMilliamps,
    offered_ma: LineMilliamps = (0, 0, 0),
    other_load_ma: LineMilliamps | None = None,
) -> CircuitView:
    return CircuitView(
        circuit=circuit,
        limit_ma=limit_ma,
        offered_ma=offered_ma,
        other_load_ma=other_load_ma,
        metered=other_load_ma is not None,
    )


@attrs.define
class Regulated:
    """The driver."""

    site: Site = SITE
    connectors: list[ConnectorView] = attrs.field(factory=lambda: [view("north"), view("süd+1")])
    circuits: list[CircuitView] = attrs.field(
        factory=lambda: [
            circuit_view("panel", (48_000,) * 3, (32_000, 16_000, 16_000), (10_200, 3_100, 0)),
            circuit_view("left wing/1", (32_000, 32_000, 20_000)),
        ]
    )
    limited: list[Limited] = attrs.field(factory=list)
    refuses: str | None = None

    def snapshot(self) -> Snapshot:
        return Snapshot(
            now_ms=HostClock().now_ms(),
            leader="north",
            connectors=tuple(self.connectors),
            circuits=tuple(self.circuits),
        )

    def limit(self, event: Limited, /) -> None:
        if self.refuses is not None:
            raise ContractError(self.refuses)
        self.limited.append(event)

    def in_force_ma(self, place: str, now_ms: int) -> Milliamps | LineMilliamps | None:
        """What the last word about a place says now; None: no limit."""
        events = [event for event in self.limited if place in {event.limit.connector, event.limit.circuit}]
        if not events or events[-1].until_ms <= now_ms:
            return None
        return events[-1].limit.limit_ma
