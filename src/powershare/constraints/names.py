"""Do demands, readings and limits speak of this site? Every name that does not is reported at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from powershare.demand import Demand, Demands, ExternalLimit
from powershare.errors import DemandError, Problem
from powershare.site import Connection, Site
from powershare.site.checks import unknown_name
from powershare.site.values import PerLine
from powershare.units import Milliamps


def require_known(
    site: Site,
    demands: Collection[Demand],
    held_ma: Mapping[str, Milliamps],
    other_load_ma: Mapping[str, PerLine],
    external_limits: Iterable[ExternalLimit],
) -> None:
    """Raise with every problem when something does not speak of this site.

    Raises:
        DemandError: Unknown or repeated names, wrong numbers of lines, a connector both demanding and held.
    """
    external = tuple(external_limits)
    if not (demands or held_ma or other_load_ma or external):
        return
    problems = tuple(_problems(site, Demands(tuple(demands), held_ma, other_load_ma, external)))
    if problems:
        raise DemandError(problems)


def _problems(site: Site, asked: Demands) -> Iterator[Problem]:
    yield from asked.problems()
    yield from _demand_problems(site, asked)
    for connector_id in asked.held_ma:
        if connector_id not in site.connector_by_id:
            yield _unknown(f'held of "{connector_id}"', "connector", connector_id, site.connector_by_id)
    for circuit_id, load_ma in asked.other_load_ma.items():
        where = f'other load of "{circuit_id}"'
        if circuit_id not in site.circuit_by_id:
            yield _unknown(where, "circuit", circuit_id, site.circuit_by_id)
        yield from _line_count(site, where, load_ma)
    for limit in asked.external_limits:
        if limit.circuit is not None and limit.circuit not in site.circuit_by_id:
            yield _unknown(limit.where, "circuit", limit.circuit, site.circuit_by_id)
        if limit.connector is not None and limit.connector not in site.connector_by_id:
            yield _unknown(limit.where, "connector", limit.connector, site.connector_by_id)
        yield from _line_count(site, limit.where, limit.limit_ma)


def _demand_problems(site: Site, asked: Demands) -> Iterator[Problem]:
    seen: set[str] = set()
    for demand in asked.demands:
        where = f'demand of "{demand.connector}"'
        if demand.connector not in site.connector_by_id:
            yield _unknown(where, "connector", demand.connector, site.connector_by_id)
            continue
        if demand.connector in seen:
            yield Problem(where, "connector", "has a second demand; give one per connector")
        seen.add(demand.connector)
        if demand.connector in asked.held_ma and demand.wanted_ma != 0:
            yield Problem(where, "connector", "is held as well; a silent connector cannot ask: drop one of the two")
        wiring = site.wiring[demand.connector]
        if demand.lines_used is not None and demand.lines_used > len(wiring.lines):
            lines = (
                "line to line" if wiring.connection is Connection.LINE_TO_LINE else ", ".join(map(str, wiring.lines))
            )
            yield Problem(where, "lines_used", f"is {demand.lines_used}; the connector has only {lines}")


def _unknown(where: str, kind: str, name: str, known: Iterable[str]) -> Problem:
    return Problem(where, kind, unknown_name(name, known, kind))


def _line_count(site: Site, where: str, figure: PerLine) -> Iterator[Problem]:
    lines = len(site.supply.lines)
    if isinstance(figure, tuple) and len(figure) != lines:
        message = f"has {len(figure)} figures; this {site.supply.value} supply has {lines}: give one, or one per line"
        yield Problem(where, "amps", message)
