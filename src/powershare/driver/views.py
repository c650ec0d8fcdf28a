"""What a driver knows now, as values: for tables, traces and metrics."""

from collections.abc import Iterator, Mapping

import attrs

from powershare.adapter import Reading
from powershare.allocation import BoundBy
from powershare.leases import Pilot
from powershare.site import Site
from powershare.units import LineMilliamps, Milliamps


@attrs.frozen(kw_only=True)
class ConnectorView:
    """One connector and its device.

    Attributes:
        connector: Its id.
        reached: Whether its device answers.
        reading: The device's last report; None: it is not reached, or not yet.
        pilot: What its node wants of it; None: nothing yet.
        most_offered_ma: The most that the device may be offering, reached or not.
        bound_by: The limit that keeps it from more; None: none does, or nothing has been decided.
        reason: Words for people: why it gets nothing; None: no reason is needed.
        errors: How often its device did not answer, by kind of error.
    """

    connector: str
    reached: bool
    reading: Reading | None
    pilot: Pilot | None
    most_offered_ma: Milliamps
    bound_by: BoundBy | None
    reason: str | None
    errors: Mapping[str, int]


@attrs.frozen(kw_only=True)
class CircuitView:
    """One circuit.

    Attributes:
        circuit: Its id.
        limit_ma: Its limit per line.
        offered_ma: The sum of what its connectors may be offering, per line.
        other_load_ma: What counts as other load on it, per line; None: there is no decision yet.
        metered: Whether that is measured; False: it is the worst case.
    """

    circuit: str
    limit_ma: LineMilliamps
    offered_ma: LineMilliamps
    other_load_ma: LineMilliamps | None
    metered: bool


@attrs.frozen(kw_only=True)
class Snapshot:
    """Everything, at one instant.

    Attributes:
        now_ms: When.
        leader: The member whose node has authority; None: none of this driver's has.
        connectors: Those of this driver, in site order.
        circuits: In site order; none where others have connectors, too, and one of theirs leads.
    """

    now_ms: int
    leader: str | None
    connectors: tuple[ConnectorView, ...]
    circuits: tuple[CircuitView, ...]


def sums_ma(site: Site, offered_ma: Mapping[str, Milliamps]) -> Iterator[tuple[str, LineMilliamps]]:
    """What connectors offer, added up per circuit and line, each on every line that it is wired to.

    Args:
        site: The site.
        offered_ma: Per connector.
    """
    totals = {circuit.id: [0] * len(site.supply.lines) for circuit in site.circuits}
    for connector in site.connectors:
        for circuit in site.circuits_above(connector.circuit):
            for line in site.wiring[connector.id].lines:
                totals[circuit.id][line] += offered_ma[connector.id]
    for circuit_id, total in totals.items():
        yield circuit_id, tuple(total)
