"""The compiled site: rows, headroom and violations, added up by hand."""

import time
from typing import Any

import pytest

from powershare import (
    Circuit,
    Connector,
    Counts,
    Demand,
    DemandError,
    ExternalLimit,
    Line,
    Site,
    Supply,
    allocate,
)
from powershare.constraints import compile_site
from powershare.constraints.compiled import Violation

ROOT = Circuit(id="root", breaker_ma=50_000)  # 40 A usable
BRANCH = Circuit(id="branch", parent="root", limit_ma=(20_000, 16_000, 16_000), other_load_worst_ma=1_000)


def site(network_limit_ma: int | None = None) -> Site:
    connectors = (
        Connector(id="three", circuit="branch", lines=tuple(Line)),
        Connector(id="one", circuit="branch", lines=(Line.L2,)),
        Connector(id="unknown", circuit="root"),
    )
    return Site(
        supply=Supply.THREE_PHASE,
        circuits=(BRANCH, ROOT),  # the child first, as a file may have it
        connectors=connectors,
        network_limit_ma=network_limit_ma,
    )


def test_circuits_stand_parents_first() -> None:
    """Whatever the order of the file, a parent has the smaller place."""
    compiled = compile_site(site())
    assert [circuit.id for circuit in compiled.circuits if circuit] == ["root", "branch"]
    assert compiled.parents == (-1, 0)


def test_the_network_limit_is_above_all_roots() -> None:
    """It is one more circuit, without a name."""
    compiled = compile_site(site(30_000))
    assert compiled.circuits[0] is None
    assert compiled.parents == (-1, 0, 1)


def test_headroom_beside_the_worst_other_load() -> None:
    """10 A on three lines and 6 A on L2: 9, 0 and 5 A left on the branch; 29, 23 and 29 A on the root."""
    room = compile_site(site()).headroom_ma({"three": 10_000, "one": 6_000})
    assert room == {"root": (29_000, 23_000, 29_000), "branch": (9_000, -1_000, 5_000)}


def test_a_reading_takes_the_place_of_the_worst_case() -> None:
    """A fresh reading of 0 on the branch gives its ampere back, there and above."""
    room = compile_site(site()).headroom_ma({}, other_load_ma={"branch": 0})
    assert room == {"root": (40_000, 40_000, 40_000), "branch": (20_000, 16_000, 16_000)}


def test_held_current_counts_on_every_line_of_its_wiring() -> None:
    """What a silent connector may draw is taken off its circuit and every circuit above."""
    room = compile_site(site(30_000)).headroom_ma({}, held_ma={"one": 8_000, "unknown": 2_000})
    assert room["branch"] == (19_000, 7_000, 15_000)
    assert room["root"] == (37_000, 29_000, 37_000)
    assert room[None] == (28_000, 20_000, 28_000)


def test_other_load_does_not_reduce_the_network_limit() -> None:
    """The network limit is on the sum of the connectors."""
    room = compile_site(site(30_000)).headroom_ma({"three": 10_000}, other_load_ma={"root": 39_000})
    assert room[None] == (20_000, 20_000, 20_000)
    assert room["root"] == (-10_000, -10_000, -10_000)


def test_fewer_lines_in_use_count_on_fewer_lines() -> None:
    """A one-phase car on a three-phase connector loads its first line; on an unknown rotation all lines."""
    compiled = compile_site(site())
    one_each = {"three": 1, "unknown": 1}
    room = compiled.headroom_ma({"three": 10_000, "unknown": 5_000}, lines_used=one_each, other_load_ma={"branch": 0})
    assert room == {"root": (25_000, 35_000, 35_000), "branch": (10_000, 16_000, 16_000)}


def test_an_external_limit_counts_like_the_limit_it_tightens() -> None:
    """One that counts all leaves 10 A less 1 A of other load; one that counts connectors leaves all 10 A."""
    compiled = compile_site(site())
    for counts, left_ma in ((Counts.ALL, 9_000), (Counts.CONNECTORS, 10_000)):
        limit = ExternalLimit(circuit="branch", limit_ma=10_000, source="utility", counts=counts)
        assert compiled.headroom_ma({}, external_limits=[limit])["branch"] == (left_ma,) * 3


def test_an_external_limit_never_loosens() -> None:
    """The smaller counts: 100 A from outside change nothing, line by line."""
    limit = ExternalLimit(circuit="branch", limit_ma=(100_000, 100_000, 3_000), source="utility")
    assert compile_site(site()).headroom_ma({}, external_limits=[limit])["branch"] == (19_000, 15_000, 2_000)


def test_check_names_every_exceeded_line_parents_first() -> None:
    """The load is all that the limit counts: connectors, held currents and other load."""
    compiled = compile_site(site(40_000))
    violations = compiled.check({"three": 20_000, "unknown": 20_000}, held_ma={"one": 1_000})
    assert violations == (
        Violation(None, Line.L2, 40_000, 41_000),
        Violation("root", Line.L1, 40_000, 41_000),
        Violation("root", Line.L2, 40_000, 42_000),
        Violation("root", Line.L3, 40_000, 41_000),
        Violation("branch", Line.L1, 20_000, 21_000),
        Violation("branch", Line.L2, 16_000, 22_000),
        Violation("branch", Line.L3, 16_000, 21_000),
    )


def test_a_full_line_is_not_exceeded() -> None:
    """Exactly the limit is within it; one milliampere more is not."""
    compiled = compile_site(site())
    assert compiled.check({"one": 15_000}) == ()
    assert compiled.check({"one": 15_001}) == (Violation("branch", Line.L2, 16_000, 16_001),)


def test_a_violation_names_the_external_limit_that_it_breaks() -> None:
    """Of several limits on a line, the figure is that of the one which leaves the least."""
    limit = ExternalLimit(circuit="branch", limit_ma=10_000, source="utility", counts=Counts.CONNECTORS)
    assert compile_site(site()).check({"one": 10_001}, external_limits=[limit]) == (
        Violation("branch", Line.L2, 10_000, 10_001),
    )


def test_every_unknown_name_at_once() -> None:
    """Readings, held currents and limits that speak of no node of this site are all named."""
    with pytest.raises(DemandError) as caught:
        compile_site(site()).in_force(
            {"brunch": 0, "root": (1, 2)},
            [
                ExternalLimit(circuit="attic", limit_ma=0, source="utility"),
                ExternalLimit(connector="noth", limit_ma=(0, 0), source="utility"),
            ],
            {"tree": 6_000},
        )
    assert [(problem.where, problem.field) for problem in caught.value.problems] == [
        ('held of "tree"', "connector"),
        ('other load of "brunch"', "circuit"),
        ('other load of "root"', "amps"),
        ('external limit of "attic"', "circuit"),
        ('external limit of "noth"', "connector"),
        ('external limit of "noth"', "amps"),
    ]


@pytest.mark.parametrize("wrong", [-1, 10_000_001, 1.5, True])
def test_a_held_current_out_of_range_is_refused(wrong: object) -> None:
    """Whole milliamps from 0 to 10 kA."""
    with pytest.raises(DemandError, match='held of "one": amps'):
        compile_site(site()).in_force(held_ma={"one": wrong})  # type: ignore[dict-item]


def test_readings_are_whole_milliamps() -> None:
    """A reading that is negative or broken is refused rather than summed."""
    for wrong in (-1, 0.5, (0, -1, 0)):
        with pytest.raises(DemandError, match='other load of "root": amps'):
            compile_site(site()).in_force({"root": wrong})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("load_ma", "lines_used", "message"),
    [
        ({"nobody": 1}, {}, 'load of "nobody": connector: names "nobody", which is no connector'),
        ({"one": -6_000}, {}, 'load of "one": amps: is -6000 mA; it must be between 0 and'),
        ({"one": 6.0}, {}, 'load of "one": amps: is 6.0; write a whole number of mA'),
        ({"three": 60_000}, {"three": 0}, 'load of "three": lines_used: is 0 lines; it must be between 1 and 3'),
        ({"one": 6_000}, {"one": 2}, 'load of "one": lines_used: is 2; the connector has only L2'),
        ({"one": 6_000}, {"one": "2"}, "load of \"one\": lines_used: is '2'; write a whole number of lines"),
    ],
)
def test_a_load_that_cannot_be_is_refused_and_not_added_up(load_ma: Any, lines_used: Any, message: str) -> None:  # noqa: ANN401 - wrong types are the point
    """On no line at all, 60 A would break nothing; and below nothing, they would hide another's breach."""
    compiled = compile_site(site())
    for judge in (compiled.check, compiled.headroom_ma):
        with pytest.raises(DemandError) as caught:
            judge(load_ma, lines_used=lines_used)
        (problem,) = caught.value.problems
        assert str(problem).startswith(message)


def test_a_site_with_an_external_limit_on_every_node_is_explained_in_linear_time() -> None:
    """A central system sets one for each; looking through all of them for each took 7 s."""
    count = 8_000
    circuits = tuple(Circuit(id=f"c{place}", limit_ma=32_000) for place in range(count))
    hanging = tuple(Connector(id=f"k{place}", circuit=f"c{place}", lines=(Line.L1,)) for place in range(count))
    one_each = Site(supply=Supply.THREE_PHASE, circuits=circuits, connectors=hanging)
    limits = [ExternalLimit(connector=f"k{place}", limit_ma=16_000, source="csms") for place in range(count)]
    limits += [ExternalLimit(circuit=f"c{place}", limit_ma=8_000 + place, source="utility") for place in range(count)]
    allocation = allocate(one_each, [Demand(connector.id) for connector in hanging], external_limits=limits)
    before_s = time.process_time()
    bounds = [answer.bound_by for answer in allocation.connectors]
    assert allocation.circuits["c7"].limit_ma == (8_007, 8_007, 8_007)
    assert time.process_time() - before_s < 3
    assert [(bound.id, bound.limit_ma, bound.source) for bound in (bounds[7], bounds[-1]) if bound] == [
        ("c7", 8_007, "utility"),
        ("c7999", 15_999, "utility"),
    ]


def test_of_equal_limits_on_a_connector_the_lowest_line_is_named() -> None:
    """Whoever set which first."""
    limits = (
        ExternalLimit(connector="three", limit_ma=(16_000, 10_000, 16_000), source="late"),
        ExternalLimit(connector="three", limit_ma=(10_000, 16_000, 16_000), source="early"),
    )
    bound_by = allocate(site(), [Demand("three")], external_limits=limits)["three"].bound_by
    assert bound_by is not None
    assert (bound_by.line, bound_by.source, bound_by.limit_ma) == (Line.L1, "early", 10_000)


def test_connectors_of_one_circuit_share_their_way_upward() -> None:
    """10,000 connectors under 10,000 circuits would otherwise keep 10^8 numbers."""
    paths = compile_site(site(30_000)).paths
    assert paths == ((2, 1, 0), (2, 1, 0), (1, 0))
    assert paths[0] is paths[1]
