"""One problem as plain numbers: rows with their limits, connectors with what they ask.

Only the fields of the values are read, none of their methods: limits, wiring and paths are worked out here again.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

import attrs

from powershare import Circuit, Connection, Connector, Counts, Demands, ExternalLimit, Line, Site, Supply
from powershare.site.values import PerLine

Row: TypeAlias = tuple[str | None, Line]
"""A circuit's line; None stands for the network limit."""

LINE_COUNT = {Supply.SINGLE_PHASE: 1, Supply.SPLIT_PHASE: 2, Supply.THREE_PHASE: 3}


@attrs.frozen
class RowLimit:
    """One limit on one row, with who set it."""

    kind: str
    limit_ma: int
    source: str
    counts_other: bool


@attrs.frozen(kw_only=True)
class Asker:
    """One connector with what is asked for it."""

    id: str
    place: int
    wired: tuple[Line, ...]
    loaded: tuple[Line, ...]
    fewer_lines: bool  # the vehicle uses fewer lines than it is counted on, for nobody knows the rotation
    rows: tuple[Row, ...]  # nearest circuit first, then lowest line
    least_ma: int
    greatest_ma: int
    step_ma: int
    weight: int
    priority: int
    waiting_s: int
    wanted_ma: int
    cap_ma: int | None
    standing: (
        str  # "candidate", "capped" (its own external limit is under its least), "refused", "unlisted", "idle", "held"
    )

    @property
    def uncapped_ma(self) -> int:
        """What vehicle and connector take, on the step."""
        most_ma = min(self.wanted_ma, self.greatest_ma)
        return most_ma - most_ma % self.step_ma

    @property
    def ceiling_ma(self) -> int:
        """The same under the connector's own external limit."""
        most_ma = self.uncapped_ma if self.cap_ma is None else min(self.uncapped_ma, self.cap_ma)
        return most_ma - most_ma % self.step_ma

    def share(self, current_ma: int) -> Fraction:
        """The current per weight."""
        return Fraction(current_ma, self.weight)


@attrs.frozen(kw_only=True)
class Picture:
    """One problem as plain numbers."""

    site: Site
    asked: Demands
    lines: tuple[Line, ...]
    limits: dict[Row, tuple[RowLimit, ...]]
    other_ma: dict[Row, int]  # of the circuit and everything below
    held_ma: dict[Row, int]
    askers: tuple[Asker, ...]

    @property
    def candidates(self) -> list[Asker]:
        """Those who may be admitted."""
        return [asker for asker in self.askers if asker.standing == "candidate"]

    def left_ma(self, row: Row, limit: RowLimit) -> int:
        """What a limit leaves on its row to those who ask; negative where it is exceeded."""
        return limit.limit_ma - self.held_ma[row] - (self.other_ma[row] if limit.counts_other else 0)

    def room_ma(self) -> dict[Row, int]:
        """What every row leaves to those who ask."""
        return {row: min(self.left_ma(row, limit) for limit in limits) for row, limits in self.limits.items()}


def at(figure: PerLine, line: Line) -> int:
    """A figure on one line."""
    return figure[int(line)] if isinstance(figure, tuple) else figure


def path_of(site: Site, circuit_id: str) -> list[str | None]:
    """The circuits above a connector, nearest first, the network limit last where there is one."""
    by_id = {circuit.id: circuit for circuit in site.circuits}
    path: list[str | None] = []
    node: str | None = circuit_id
    while node is not None:
        path.append(node)
        node = by_id[node].parent
    if site.network_limit_ma is not None:
        path.append(None)
    return path


def wired_lines(connector: Connector, site: Site) -> tuple[Line, ...]:
    """The site lines of a connector, in the order of its own."""
    return connector.lines or tuple(Line)[: LINE_COUNT[site.supply]]


def loaded_lines(connector: Connector, site: Site, lines_used: int | None) -> tuple[Line, ...]:
    """The lines a vehicle's current counts on."""
    wired = wired_lines(connector, site)
    line_to_line = connector.connection is Connection.LINE_TO_LINE or (
        connector.connection is None and site.supply is Supply.SPLIT_PHASE and len(wired) == 2
    )
    unknown = site.supply is Supply.THREE_PHASE and connector.lines is None
    return wired if lines_used is None or line_to_line or unknown else wired[:lines_used]


def circuit_limit(circuit: Circuit, line: Line) -> RowLimit:
    """The smaller of the breaker's continuous share, rounded down, and the explicit limit."""
    limits = []
    if circuit.breaker_ma is not None:
        limits.append(
            RowLimit("circuit", int(Fraction(circuit.breaker_ma * circuit.continuous_percent, 100)), "breaker", True)
        )
    if circuit.limit_ma is not None:
        limits.append(RowLimit("circuit", at(circuit.limit_ma, line), "limit", True))
    return min(limits, key=lambda limit: limit.limit_ma)


def picture_of(site: Site, asked: Demands) -> Picture:
    """Work out the plain numbers of one problem."""
    lines = tuple(Line)[: LINE_COUNT[site.supply]]
    limits: dict[Row, tuple[RowLimit, ...]] = {}
    for line in lines:
        for circuit in site.circuits:
            external = tuple(
                RowLimit("external", at(limit.limit_ma, line), limit.source, limit.counts is Counts.ALL)
                for limit in asked.external_limits
                if limit.circuit == circuit.id
            )
            limits[circuit.id, line] = (circuit_limit(circuit, line), *external)
        if site.network_limit_ma is not None:
            limits[None, line] = (RowLimit("network", site.network_limit_ma, "network", False),)
    other = dict.fromkeys(limits, 0)
    for circuit in site.circuits:
        own = asked.other_load_ma.get(circuit.id, circuit.other_load_worst_ma)
        for above in path_of(site, circuit.id):
            if above is not None:
                for line in lines:
                    other[above, line] += at(own, line)
    held = dict.fromkeys(limits, 0)
    for connector in site.connectors:
        for above in path_of(site, connector.circuit):
            for line in wired_lines(connector, site):
                held[above, line] += asked.held_ma.get(connector.id, 0)
    askers = tuple(_asker(site, asked, place) for place in range(len(site.connectors)))
    return Picture(site=site, asked=asked, lines=lines, limits=limits, other_ma=other, held_ma=held, askers=askers)


def _asker(site: Site, asked: Demands, place: int) -> Asker:
    connector = site.connectors[place]
    demand = next((demand for demand in asked.demands if demand.connector == connector.id), None)
    wanted_ma = 0 if demand is None else demand.wanted_ma
    lines_used = demand.lines_used if demand else None
    loaded = loaded_lines(connector, site, lines_used)
    asker = Asker(
        id=connector.id,
        place=place,
        wired=wired_lines(connector, site),
        loaded=loaded,
        fewer_lines=lines_used is not None
        and lines_used < len(loaded)
        and site.supply is Supply.THREE_PHASE
        and connector.lines is None,
        rows=tuple((above, line) for above in path_of(site, connector.circuit) for line in sorted(loaded)),
        least_ma=connector.min_offer_ma,
        greatest_ma=connector.max_offer_ma,
        step_ma=connector.step_ma,
        weight=connector.weight if demand is None or demand.weight is None else demand.weight,
        priority=connector.priority if demand is None or demand.priority is None else demand.priority,
        waiting_s=demand.waiting_s if demand else 0,
        wanted_ma=connector.max_offer_ma if wanted_ma is None else wanted_ma,
        cap_ma=_cap_ma(asked.external_limits, connector.id, loaded),
        standing="candidate",
    )
    return attrs.evolve(asker, standing=_standing(asker, connector, demand.vehicle if demand else None, asked.held_ma))


def _cap_ma(external_limits: tuple[ExternalLimit, ...], connector: str, loaded: tuple[Line, ...]) -> int | None:
    caps = [at(limit.limit_ma, line) for limit in external_limits if limit.connector == connector for line in loaded]
    return min(caps, default=None)


def _standing(asker: Asker, connector: Connector, vehicle: str | None, held_ma: Mapping[str, int]) -> str:
    if asker.wanted_ma == 0:
        return "held" if asker.id in held_ma else "idle"
    if connector.vehicles is not None and vehicle not in connector.vehicles:
        return "unlisted"
    if asker.uncapped_ma < asker.least_ma:
        return "refused"
    return "capped" if asker.ceiling_ma < asker.least_ma else "candidate"
