"""Random sites and demands from a seeded generator: every feature, mostly small, mostly contradictory.

A `Shape` narrows what comes out, so that the properties which hold only of some sites meet enough of them.
"""

from random import Random

import attrs

from powershare import Circuit, Connection, Connector, Counts, Demand, Demands, ExternalLimit, Line, Site, Supply
from powershare.site.values import PerLine

STEPS_MA = (1, 10, 100, 250, 500, 1_000, 2_000)
DEEPEST = 5


@attrs.frozen(kw_only=True)
class Shape:
    """What kind of site is wanted."""

    connectors: int = 14
    circuits: int = 7
    wiring: str = "any"  # "any", "one" line each, "same" lines for all
    step_ma: int | None = None  # None: each its own
    roomy: bool = False  # so much room that all leasts fit
    weights: bool = True
    priorities: bool = True


TINY = Shape(connectors=4, circuits=4, wiring="one", step_ma=1_000, roomy=True)
SHAPES = {
    "anything": Shape(),
    "anything large": Shape(connectors=40, circuits=18),
    "scarce, one step": Shape(step_ma=100),
    "tiny, one line each": TINY,
    "tiny, same lines": attrs.evolve(TINY, wiring="same"),
    "one line each": Shape(wiring="one", step_ma=100, roomy=True),
    "same lines, milliamps": Shape(wiring="same", step_ma=1, roomy=True),
    "plain": Shape(wiring="same", step_ma=100, roomy=True, weights=False, priorities=False),
    "plain, one line each": Shape(wiring="one", step_ma=500, roomy=True, weights=False, priorities=False),
    "mixed lines, milliamps": Shape(step_ma=1, roomy=True),
    "mixed lines, milliamps, large": Shape(connectors=40, circuits=12, step_ma=1, roomy=True, priorities=False),
}


def random_problem(random: Random, shape: Shape) -> tuple[Site, Demands]:
    """One site and what is asked of it."""
    site = random_site(random, shape)
    return site, random_demands(random, shape, site)


def random_site(random: Random, shape: Shape) -> Site:
    """One site: any depth up to five, any supply."""
    supply = random.choice((Supply.SINGLE_PHASE, Supply.SPLIT_PHASE, Supply.THREE_PHASE, Supply.THREE_PHASE))
    circuits = _circuits(random, shape, supply)
    count = random.randint(1, shape.connectors)
    same_lines = _lines(random, supply, "any")
    connectors = [_connector(random, shape, supply, circuits, same_lines, place) for place in range(count)]
    if shape.roomy:
        circuits = [_made_roomy(random, supply, circuit, circuits, connectors) for circuit in circuits]
    network_ma = random.randint(1, 40 * count) * 1_000 if random.random() < 0.4 else None
    if shape.roomy and network_ma is not None:
        network_ma += sum(connector.min_offer_ma for connector in connectors)
    random.shuffle(circuits)  # a parent may well stand after its children
    return Site(supply=supply, circuits=tuple(circuits), connectors=tuple(connectors), network_limit_ma=network_ma)


def _made_roomy(
    random: Random, supply: Supply, circuit: Circuit, circuits: list[Circuit], connectors: list[Connector]
) -> Circuit:
    """The circuit with room for every least offer and worst load below it, and something on top."""
    parents = {each.id: each.parent for each in circuits}

    def is_below(name: str | None) -> bool:
        while name is not None and name != circuit.id:
            name = parents[name]
        return name is not None

    reserve_ma = sum(connector.min_offer_ma for connector in connectors if is_below(connector.circuit))
    for each in circuits:
        if is_below(each.id):
            worst = each.other_load_worst_ma
            reserve_ma += max(worst) if isinstance(worst, tuple) else worst

    def one() -> int:
        return max(1, reserve_ma) + random.choice((0, random.randint(0, 5_000), random.randint(0, 2 * reserve_ma)))

    limit = one() if random.random() < 0.5 else tuple(one() for _ in supply.lines)
    worst = circuit.other_load_worst_ma
    return Circuit(id=circuit.id, parent=circuit.parent, limit_ma=limit, other_load_worst_ma=worst)


def _circuits(random: Random, shape: Shape, supply: Supply) -> list[Circuit]:
    circuits: list[Circuit] = []
    depth: dict[str | None, int] = {None: 0}
    for place in range(random.randint(1, shape.circuits)):
        parents = [None] * 2 + [circuit.id for circuit in circuits if depth[circuit.id] < DEEPEST] * 2
        parent = random.choice(parents) if circuits else None
        name = f"c{place}"
        depth[name] = depth[parent] + 1
        has_breaker, has_limit = random.choice(((True, False), (False, True), (True, True)))
        limit = (
            random.randint(1, 120_000)
            if random.random() < 0.5
            else tuple(random.randint(1, 120_000) for _ in supply.lines)
        )
        circuits.append(
            Circuit(
                id=name,
                parent=parent,
                breaker_ma=random.choice((16_000, 20_000, 40_001, 63_000, 100_000)) if has_breaker else None,
                continuous_percent=random.choice((80, 100, 33)),
                limit_ma=limit if has_limit else None,
                other_load_worst_ma=_load(random, supply) if random.random() < 0.3 else 0,
            )
        )
    return circuits


def _load(random: Random, supply: Supply) -> PerLine:
    if random.random() < 0.5:
        return random.choice((0, random.randint(0, 10_000), random.randint(0, 60_000)))
    return tuple(random.randint(0, 12_000) for _ in supply.lines)


def _lines(random: Random, supply: Supply, wiring: str) -> tuple[Line, ...] | None:
    lines = supply.lines
    if wiring == "one":
        return (random.choice(lines),)
    if random.random() < 0.25:
        return None
    return tuple(random.sample(lines, random.randint(1, len(lines))))


def _connector(
    random: Random, shape: Shape, supply: Supply, circuits: list[Circuit], same: tuple[Line, ...] | None, place: int
) -> Connector:
    lines = same if shape.wiring == "same" else _lines(random, supply, shape.wiring)
    connection = None
    if supply is Supply.SPLIT_PHASE and len(lines or supply.lines) == 2 and shape.wiring != "one":
        connection = Connection.LINE_TO_LINE if shape.wiring == "same" else random.choice((None, *Connection))
    step_ma = shape.step_ma or random.choice(STEPS_MA)
    least_ma = -(-random.choice((6_000, 6_000, 6_000, 8_000, 1_000)) // step_ma) * step_ma
    return Connector(
        id=f"k{place}",
        circuit=random.choice(circuits).id,
        lines=lines,
        connection=connection,
        min_offer_ma=least_ma,
        max_offer_ma=least_ma + random.randint(0, 40_000) // step_ma * step_ma,
        step_ma=step_ma,
        weight=random.choice((1, 1, 1, 2, 3)) if shape.weights else 1,
        priority=random.choice((0, 0, 0, 1, -1)) if shape.priorities else 0,
        vehicles=("car", "other car") if random.random() < 0.1 else None,
    )


def random_demands(random: Random, shape: Shape, site: Site) -> Demands:
    """Demands, held currents, readings and external limits on a site."""
    demands, held = [], {}
    for connector in site.connectors:
        chance = random.random()
        if chance < 0.08 and not shape.roomy:
            held[connector.id] = random.choice((0, 6_000, random.randint(0, 40_000)))
            if random.random() < 0.3:  # silent now, but its last demand said that it wants nothing on one line
                demands.append(Demand(connector.id, wanted_ma=0, lines_used=1))
        elif chance < 0.88:
            demands.append(_demand(random, shape, site, connector))
    random.shuffle(demands)
    if shape.roomy:
        return Demands(tuple(demands))
    readings = {circuit.id: _load(random, site.supply) for circuit in site.circuits if random.random() < 0.25}
    return Demands(tuple(demands), held, readings, _external_limits(random, site))


def _demand(random: Random, shape: Shape, site: Site, connector: Connector) -> Demand:
    wanted = random.choice((None, connector.max_offer_ma, random.randint(0, 40_000), random.randint(6_000, 40_000)))
    if random.random() < 0.05:
        wanted = random.choice((0, 1, connector.min_offer_ma, connector.min_offer_ma - 1, 10_000_000))
    wired = len(connector.lines or site.supply.lines)
    lines_used = None if random.random() < 0.5 or shape.wiring == "same" else random.randint(1, wired)
    return Demand(
        connector.id,
        wanted_ma=wanted,
        lines_used=lines_used,
        waiting_s=random.choice((0, 0, 60, random.randint(0, 10_000))),
        weight=random.randint(1, 3) if shape.weights and random.random() < 0.15 else None,
        priority=random.randint(-2, 2) if shape.priorities and random.random() < 0.1 else None,
        vehicle=random.choice((None, "car", "stranger")),
    )


def _external_limits(random: Random, site: Site) -> tuple[ExternalLimit, ...]:
    limits = []
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        figure: PerLine = random.choice((0, random.randint(0, 60_000), random.randint(6_000, 30_000)))
        if random.random() < 0.4:
            figure = tuple(random.randint(0, 40_000) for _ in site.supply.lines)
        on_circuit = random.random() < 0.6
        limits.append(
            ExternalLimit(
                circuit=random.choice(site.circuits).id if on_circuit else None,
                connector=None if on_circuit else random.choice(site.connectors).id,
                limit_ma=figure,
                source=random.choice(("utility", "csms", "person")),
                counts=random.choice(tuple(Counts)),
            )
        )
    return tuple(limits)
