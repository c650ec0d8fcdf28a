"""A site is checked where it is built: every problem at once, each naming its node and field."""

import time
from typing import Any

import attrs
import pytest

from powershare import Circuit, Connection, Connector, Line, Meter, Network, Site, Supply, TopologyError

FEEDER = Circuit(id="feeder", limit_ma=80_000)
NORTH = Connector(id="north", circuit="feeder")


def site(supply: Supply = Supply.THREE_PHASE, **fields: Any) -> Site:  # noqa: ANN401 - wrong types are the point
    return Site(**{"supply": supply, "circuits": (FEEDER,), "connectors": (NORTH,), **fields})


def problems_of(**fields: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as above
    with pytest.raises(TopologyError) as caught:
        site(**fields)
    return [(problem.where, problem.field) for problem in caught.value.problems]


def test_usable_limit_is_80_percent_of_the_breaker_rounded_down() -> None:
    """A 20.001 A breaker carries 16.0008 A continuously, so 16 000 mA."""
    assert Circuit(id="c", breaker_ma=20_001).usable_limit_ma(Line.L1) == (16_000, "breaker")


def test_a_listed_breaker_carries_its_rating() -> None:
    """At 100 percent the rating itself is usable."""
    assert Circuit(id="c", breaker_ma=20_000, continuous_percent=100).usable_limit_ma(Line.L2) == (20_000, "breaker")


def test_of_breaker_and_limit_the_smaller_counts_on_each_line() -> None:
    """80 percent of 50 A is 40 A: the limit counts on L1 alone."""
    circuit = Circuit(id="c", breaker_ma=50_000, limit_ma=(39_999, 40_001, 63_000))
    assert [circuit.usable_limit_ma(line) for line in Line] == [
        (39_999, "limit"),
        (40_000, "breaker"),
        (40_000, "breaker"),
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "breaker"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"parent": " "}, "parent"),
        ({"limit_ma": 0}, "limit"),
        ({"limit_ma": -1}, "limit"),
        ({"limit_ma": ()}, "limit"),
        ({"limit_ma": (16_000, 0, 16_000)}, "limit"),
        ({"limit_ma": 16_000.0}, "limit"),
        ({"limit_ma": [16_000]}, "limit"),
        ({"limit_ma": True}, "limit"),
        ({"limit_ma": (1 << 40) + 1}, "limit"),
        ({"breaker_ma": 0}, "breaker"),
        ({"continuous_percent": 0}, "continuous_percent"),
        ({"continuous_percent": 101}, "continuous_percent"),
        ({"other_load_worst_ma": -1}, "other_load_worst"),
        ({"other_load_worst_ma": (0, 0, None)}, "other_load_worst"),
    ],
)
def test_a_faulty_circuit_is_one_named_problem(fields: dict[str, Any], named: str) -> None:
    """Zero is no limit but a mistake, and never means that there is none."""
    fields = {"id": "left", **({"limit_ma": 1} if fields and "limit_ma" not in fields else {}), **fields}
    with pytest.raises(TopologyError) as caught:
        Circuit(**fields)
    assert [problem.field for problem in caught.value.problems] == [named]
    assert caught.value.problems[0].where == f'circuit "{fields["id"]}"'


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": "  "}, "id"),
        ({"circuit": None}, "circuit"),
        ({"lines": ()}, "lines"),
        ({"lines": (Line.L1, Line.L1)}, "lines"),
        ({"lines": ("L1",)}, "lines"),
        ({"lines": (0, 1)}, "lines"),
        ({"connection": "line_to_line"}, "connection"),
        ({"step_ma": 0}, "step"),
        ({"min_offer_ma": 0}, "min_offer"),
        ({"min_offer_ma": 6_050}, "min_offer"),
        ({"min_offer_ma": 33_000}, "min_offer"),
        ({"max_offer_ma": 16_050}, "max_offer"),
        ({"max_offer_ma": 10_000_001}, "max_offer"),
        ({"max_offer_ma": 32_000.0}, "max_offer"),
        ({"fallback_ma": -1}, "fallback"),
        ({"fallback_ma": 5_900}, "fallback"),
        ({"fallback_ma": 32_100}, "fallback"),
        ({"fallback_ma": 6_001}, "fallback"),
        ({"weight": 0}, "weight"),
        ({"weight": 1_001}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"priority": True}, "priority"),
        ({"generation": 0}, "generation"),
        ({"firmware": 24}, "firmware"),
        ({"adapter": 1}, "adapter"),
        ({"vehicles": ("",)}, "vehicles"),
        ({"vehicles": "5YJ3"}, "vehicles"),
        ({"fail_safe": 0}, "fail_safe"),
        ({"fail_safe": "no"}, "fail_safe"),
    ],
)
def test_a_faulty_connector_is_one_named_problem(fields: dict[str, Any], named: str) -> None:
    """One mistake, one problem, with the field's name."""
    with pytest.raises(TopologyError) as caught:
        Connector(**{"id": "north", "circuit": "feeder", **fields})
    assert [problem.field for problem in caught.value.problems] == [named]


def test_all_problems_of_a_node_at_once() -> None:
    """Three wrong fields of a connector are three problems of one error."""
    with pytest.raises(TopologyError) as caught:
        Connector(id="", circuit="feeder", weight=0, priority=1 << 30)
    assert [problem.field for problem in caught.value.problems] == ["id", "weight", "priority"]


def test_all_problems_of_a_site_at_once() -> None:
    """Unknown parent, cycle, repeated ids, unknown circuit, wrong lines, meter, leader: one error names them all."""
    circuits = (
        Circuit(id="a", parent="b", limit_ma=1),
        Circuit(id="b", parent="a", limit_ma=1),
        Circuit(id="left", parent="fedeer", limit_ma=(1, 1)),
        FEEDER,
        FEEDER,
    )
    connectors = (
        NORTH,
        NORTH,
        Connector(id="south", circuit="nowhere"),
        Connector(id="east", circuit="feeder", connection=Connection.LINE_TO_LINE),
    )
    meters = (
        Meter(circuit="roof", adapter="x"),
        Meter(circuit="feeder", adapter="x"),
        Meter(circuit="feeder", adapter="y"),
    )
    found = problems_of(circuits=circuits, connectors=connectors, meters=meters, network=Network(leader="nroth"))
    assert sorted(found) == [
        ('circuit "a"', "parent"),
        ('circuit "feeder"', "id"),
        ('circuit "left"', "limit"),
        ('circuit "left"', "parent"),
        ('connector "east"', "connection"),
        ('connector "north"', "id"),
        ('connector "south"', "circuit"),
        ('meter of "feeder"', "circuit"),
        ('meter of "roof"', "circuit"),
        ("network", "leader"),
    ]


def test_an_unknown_name_is_answered_with_the_likeliest() -> None:
    """A slip of the pen is recognised."""
    with pytest.raises(TopologyError, match='names "feedr", which is no circuit of this site; did you mean "feeder"'):
        site(connectors=(Connector(id="north", circuit="feedr"),))


def test_a_cycle_is_reported_once_with_its_members() -> None:
    """Three circuits that feed each other are one problem; one that hangs on them is none of its own."""
    ring = [
        Circuit(id=name, parent=parent, limit_ma=1) for name, parent in (("a", "c"), ("b", "a"), ("c", "b"), ("d", "a"))
    ]
    with pytest.raises(TopologyError) as caught:
        site(circuits=(FEEDER, *ring))
    assert [str(problem) for problem in caught.value.problems] == [
        'circuit "a": parent: feeds itself: a -> c -> b -> a; one of them hangs on the supply'
    ]


def test_a_circuit_that_feeds_itself() -> None:
    """The shortest cycle."""
    assert problems_of(circuits=(FEEDER, Circuit(id="a", parent="a", limit_ma=1))) == [('circuit "a"', "parent")]


def test_an_empty_site_is_none() -> None:
    """There must be a circuit and a connector."""
    assert problems_of(circuits=(), connectors=()) == [("site", "circuit"), ("site", "connector")]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"network_limit_ma": 0}, "network_limit"),
        ({"network_limit_ma": (1 << 40) + 1}, "network_limit"),
        ({"network_limit_ma": 16_000.5}, "network_limit"),
        ({"network_limit_ma": True}, "network_limit"),
        ({"network_limit_ma": "16"}, "network_limit"),
        ({"nominal_voltage_v": 49}, "nominal_voltage"),
        ({"nominal_voltage_v": 1_001}, "nominal_voltage"),
        ({"nominal_voltage_v": 230.0}, "nominal_voltage"),
        ({"supply": "three_phase"}, "supply"),
    ],
)
def test_a_faulty_figure_of_the_site_is_one_named_problem(fields: dict[str, Any], named: str) -> None:
    """A network limit of zero is a mistake too, and what is no whole number never gets as far as the sums."""
    assert problems_of(**fields) == [("site", named)]


@pytest.mark.parametrize(
    ("supply", "lines"), [(Supply.SINGLE_PHASE, 1), (Supply.SPLIT_PHASE, 2), (Supply.THREE_PHASE, 3)]
)
def test_figures_per_line_fit_the_supply(supply: Supply, lines: int) -> None:
    """One figure, or as many as the supply has lines."""
    circuit = Circuit(id="feeder", limit_ma=(80_000,) * lines)
    assert site(supply, circuits=(circuit,)).circuits == (circuit,)
    wrong = attrs.evolve(circuit, limit_ma=(80_000,) * (lines + 1))
    assert problems_of(supply=supply, circuits=(wrong,)) == [('circuit "feeder"', "limit")]


@pytest.mark.parametrize(("supply", "line"), [(Supply.SINGLE_PHASE, Line.L2), (Supply.SPLIT_PHASE, Line.L3)])
def test_a_connector_uses_only_lines_that_the_supply_has(supply: Supply, line: Line) -> None:
    """No L2 on a single-phase supply, no L3 on a split-phase one."""
    assert problems_of(supply=supply, connectors=(attrs.evolve(NORTH, lines=(line,)),)) == [
        ('connector "north"', "lines")
    ]


def test_line_to_line_on_three_phases_is_refused_with_the_reason() -> None:
    """Its currents add as phasors; this version says so rather than approximate."""
    with pytest.raises(TopologyError, match="currents add as phasors"):
        site(connectors=(attrs.evolve(NORTH, lines=(Line.L1, Line.L2), connection=Connection.LINE_TO_LINE),))


@pytest.mark.parametrize("supply", [Supply.SINGLE_PHASE, Supply.SPLIT_PHASE])
def test_line_to_line_takes_two_lines(supply: Supply) -> None:
    """One line is not enough to hang between lines."""
    faulty = attrs.evolve(NORTH, lines=(Line.L1,), connection=Connection.LINE_TO_LINE)
    assert problems_of(supply=supply, connectors=(faulty,)) == [('connector "north"', "connection")]


@pytest.mark.parametrize(
    ("supply", "lines", "connection", "known"),
    [
        (Supply.SPLIT_PHASE, None, Connection.LINE_TO_LINE, True),
        (Supply.SPLIT_PHASE, (Line.L2, Line.L1), Connection.LINE_TO_LINE, True),
        (Supply.SPLIT_PHASE, (Line.L2,), Connection.LINE_TO_NEUTRAL, True),
        (Supply.SINGLE_PHASE, None, Connection.LINE_TO_NEUTRAL, True),
        (Supply.THREE_PHASE, None, Connection.LINE_TO_NEUTRAL, False),
        (Supply.THREE_PHASE, (Line.L3, Line.L1, Line.L2), Connection.LINE_TO_NEUTRAL, True),
    ],
)
def test_wiring_fills_in_what_was_left_open(
    supply: Supply, lines: tuple[Line, ...] | None, connection: Connection, known: bool
) -> None:
    """Two lines of split phase mean line to line; three lines that nobody named mean an unknown rotation."""
    wiring = site(supply, connectors=(attrs.evolve(NORTH, lines=lines),)).wiring["north"]
    assert (wiring.lines, wiring.connection, wiring.rotation_known) == (lines or supply.lines, connection, known)


def test_a_vehicle_loads_the_first_lines_of_its_connector() -> None:
    """Rotated L3, L1, L2: a one-phase car is on L3, a two-phase car on L3 and L1."""
    wiring = site(connectors=(attrs.evolve(NORTH, lines=(Line.L3, Line.L1, Line.L2)),)).wiring["north"]
    assert [wiring.loaded_lines(used) for used in (1, 2, 3, None)] == [
        (Line.L3,),
        (Line.L3, Line.L1),
        (Line.L3, Line.L1, Line.L2),
        (Line.L3, Line.L1, Line.L2),
    ]


def test_an_unknown_rotation_counts_on_every_line() -> None:
    """Nobody knows which line a one-phase car loads, so it counts on all."""
    assert site().wiring["north"].loaded_lines(1) == tuple(Line)


def test_line_to_line_always_loads_both_lines() -> None:
    """Its current flows in one line and back in the other."""
    assert site(Supply.SPLIT_PHASE).wiring["north"].loaded_lines(1) == (Line.L1, Line.L2)


def test_circuits_above_a_connector_nearest_first() -> None:
    """The path leads from the circuit itself to the supply."""
    circuits = (
        Circuit(id="top", limit_ma=1),
        Circuit(id="mid", parent="top", limit_ma=1),
        attrs.evolve(FEEDER, parent="mid"),
    )
    assert [circuit.id for circuit in site(circuits=circuits).circuits_above("feeder")] == ["feeder", "mid", "top"]


def test_the_first_connector_leads_unless_another_is_commissioned() -> None:
    """Leader: the named one, else the first."""
    two = (NORTH, Connector(id="south", circuit="feeder"))
    assert site(connectors=two).leader == "north"
    assert site(connectors=two, network=Network(leader="south")).leader == "south"


def test_the_voltage_is_that_of_the_supply_unless_it_is_given() -> None:
    """120 V to neutral on split phase, 230 V elsewhere."""
    assert [site(supply).voltage_v for supply in Supply] == [230, 120, 230]
    assert site(nominal_voltage_v=277).voltage_v == 277


def test_many_slips_of_the_pen_are_reported_in_time_and_the_first_with_a_hint() -> None:
    """Looking for what each of a thousand meant took a minute."""
    circuits = tuple(Circuit(id=f"circuit-{place}", limit_ma=32_000) for place in range(1_000))
    hanging = tuple(Connector(id=f"k{place}", circuit=f"circuitx-{place}") for place in range(1_000))
    before_s = time.process_time()
    with pytest.raises(TopologyError) as caught:
        site(circuits=circuits, connectors=hanging)
    assert time.process_time() - before_s < 5
    messages = [problem.message for problem in caught.value.problems]
    assert len(messages) == 1_000
    assert messages[0].endswith('did you mean "circuit-0"?')
    assert messages[-1].endswith("declare that circuit, or name one that is declared")


def test_a_long_cycle_is_named_in_a_few_words() -> None:
    """Where it begins, not all of its thousand circuits."""
    circuits = tuple(
        Circuit(id=f"c{place}", parent=f"c{(place + 1) % 1_000}", limit_ma=32_000) for place in range(1_000)
    )
    with pytest.raises(TopologyError) as caught:
        site(circuits=circuits, connectors=(Connector(id="k", circuit="c0"),))
    (problem,) = caught.value.problems
    assert problem.message.startswith("feeds itself: c0 -> c1 -> ")
    assert "c19 -> ... -> c0;" in problem.message


def test_a_name_of_another_type_is_a_problem_like_any_other() -> None:
    """It went through to the search for the likeliest name, and broke there."""
    assert problems_of(network=Network(leader=5)) == [("network", "leader")]  # type: ignore[arg-type]
