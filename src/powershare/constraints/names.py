"""Do demands, readings and limits speak of this site? Every name that does not is reported at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from powershare.demand import Demand, Demands, ExternalLimit, whole_problem
from powershare.errors import DemandError, Problem
from powershare.site import Connection, Site
from powershare.site.checks import Names
from powershare.site.values import PerLine
from powershare.units import MAX_CONNECTOR_MA, Milliamps


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
    circuits, connectors = Names(site.circuit_by_id, "circuit"), Names(site.connector_by_id, "connector")
    yield from asked.problems()
    yield from _demand_problems(site, asked, connectors)
    for connector_id in asked.held_ma:
        if connector_id not in site.connector_by_id:
            yield Problem(f'held of "{connector_id}"', "connector", connectors.unknown(connector_id))
    for circuit_id, load_ma in asked.other_load_ma.items():
        where = f'other load of "{circuit_id}"'
        if circuit_id not in site.circuit_by_id:
            yield Problem(where, "circuit", circuits.unknown(circuit_id))
        yield from _line_count(site, where, load_ma)
    for limit in asked.external_limits:
        if limit.circuit is not None and limit.circuit not in site.circuit_by_id:
            yield Problem(limit.where, "circuit", circuits.unknown(limit.circuit))
        if limit.connector is not None and limit.connector not in site.connector_by_id:
            yield Problem(limit.where, "connector", connectors.unknown(limit.connector))
        yield from _line_count(site, limit.where, limit.limit_ma)


def _demand_problems(site: Site, asked: Demands, connectors: Names) -> Iterator[Problem]:
    seen: set[str] = set()
    for demand in asked.demands:
        where = f'demand of "{demand.connector}"'
        if demand.connector not in site.connector_by_id:
            yield Problem(where, "connector", connectors.unknown(demand.connector))
            continue
        if demand.connector in seen:
            yield Problem(where, "connector", "has a second demand; give one per connector")
        seen.add(demand.connector)
        if demand.connector in asked.held_ma and demand.wanted_ma != 0:
            yield Problem(where, "connector", "is held as well; a silent connector cannot ask: drop one of the two")
        yield from _lines_used_problems(site, where, demand.connector, demand.lines_used)


def require_loads(site: Site, load_ma: Mapping[str, Milliamps], lines_used: Mapping[str, int | None]) -> None:
    """Raise with every problem when currents that are to be added up are no currents of this site's connectors.

    Raises:
        DemandError: Unknown connectors, no whole number of mA from 0 to 10 kA, lines that a connector has not.
    """
    connectors = Names(site.connector_by_id, "connector")
    problems: list[Problem] = []
    for connector_id, current_ma in load_ma.items():
        where = f'load of "{connector_id}"'
        if connector_id not in site.connector_by_id:
            problems.append(Problem(where, "connector", connectors.unknown(connector_id)))
            continue
        used = lines_used.get(connector_id)
        problems += whole_problem(where, "amps", current_ma, "mA", (0, MAX_CONNECTOR_MA))
        wrong = () if used is None else tuple(whole_problem(where, "lines_used", used, "lines", (1, 3)))
        problems += wrong or _lines_used_problems(site, where, connector_id, used)
    if problems:
        raise DemandError(problems)


def _lines_used_problems(site: Site, where: str, connector_id: str, lines_used: int | None) -> Iterator[Problem]:
    wiring = site.wiring[connector_id]
    if lines_used is not None and lines_used > len(wiring.lines):
        lines = "line to line" if wiring.connection is Connection.LINE_TO_LINE else ", ".join(map(str, wiring.lines))
        yield Problem(where, "lines_used", f"is {lines_used}; the connector has only {lines}")


def _line_count(site: Site, where: str, figure: PerLine) -> Iterator[Problem]:
    lines = len(site.supply.lines)
    if isinstance(figure, tuple) and len(figure) != lines:
        message = f"has {len(figure)} figures; this {site.supply.value} supply has {lines}: give one, or one per line"
        yield Problem(where, "amps", message)
