"""Worked examples of the allocator, with figures computed by hand; one rule each."""

from itertools import permutations

import attrs
import pytest

from powershare import (
    Allocator,
    BoundBy,
    BoundKind,
    Circuit,
    Connection,
    Connector,
    Counts,
    Demand,
    Demands,
    ExternalLimit,
    Line,
    Site,
    Status,
    Supply,
    allocate,
)

L1, L2, L3 = Line


def one_feeder(
    limit_ma: int,
    count: int,
    supply: Supply = Supply.SINGLE_PHASE,
    *,
    step_ma: int = 100,
    max_offer_ma: int = 32_000,
    lines: tuple[Line, ...] | None = None,
) -> Site:
    connectors = tuple(
        Connector(id=f"k{place}", circuit="feeder", step_ma=step_ma, max_offer_ma=max_offer_ma, lines=lines)
        for place in range(count)
    )
    return Site(supply=supply, circuits=(Circuit(id="feeder", limit_ma=limit_ma),), connectors=connectors)


def everybody(site: Site, wanted_ma: int | None = None) -> list[Demand]:
    return [Demand(connector.id, wanted_ma=wanted_ma) for connector in site.connectors]


def utility(
    limit_ma: int | tuple[int, ...],
    counts: Counts = Counts.ALL,
    circuit: str | None = None,
    connector: str | None = None,
) -> ExternalLimit:
    return ExternalLimit(limit_ma=limit_ma, source="utility", counts=counts, circuit=circuit, connector=connector)


# How much


@pytest.mark.parametrize("order", list(permutations(("a", "b"))))
@pytest.mark.parametrize("asking", list(permutations(("a", "b"))))
def test_the_order_of_the_file_does_not_matter(order: tuple[str, ...], asking: tuple[str, ...]) -> None:
    """A 24 A root with branches of 8 A and 32 A gives 8 and 16 A, in any order of points and of demands."""
    circuits = (
        Circuit(id="root", limit_ma=24_000),
        Circuit(id="left", parent="root", limit_ma=8_000),
        Circuit(id="right", parent="root", limit_ma=32_000),
    )
    connectors = {"a": Connector(id="a", circuit="left"), "b": Connector(id="b", circuit="right")}
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=tuple(connectors[name] for name in order))
    answer = allocate(site, [Demand(name) for name in asking])
    assert dict(answer.allocated_ma) == {"a": 8_000, "b": 16_000}


def test_six_units_on_36_amps() -> None:
    """36 A is just the least offer of six: each gets its 6 A, nobody is shed."""
    site = one_feeder(36_000, 6)
    answer = allocate(site, everybody(site))
    assert set(answer.allocated_ma.values()) == {6_000}
    assert answer.circuits["feeder"].headroom_ma == (0,)


def test_one_milliampere_less_sheds_the_last_of_six() -> None:
    """No tolerance: on 35.999 A five share, 7.1 A each and a step of 0.1 A for the first four; the last pauses."""
    site = one_feeder(35_999, 6)
    answer = allocate(site, everybody(site))
    assert list(answer.allocated_ma.values()) == [7_200, 7_200, 7_200, 7_200, 7_100, 0]
    assert answer["k5"].status is Status.SHED


def test_four_cars_on_20_amps() -> None:
    """Three fit with 6 A; the fourth holds nothing, and 20 A are shared as 6.7, 6.7 and 6.6 A."""
    site = one_feeder(20_000, 4)
    answer = allocate(site, everybody(site))
    assert list(answer.allocated_ma.values()) == [6_700, 6_700, 6_600, 0]


def test_the_longest_wait_is_admitted_first() -> None:
    """Of four cars on 20 A the one that does not fit is the one that came last, wherever it stands in the file."""
    site = one_feeder(20_000, 4)
    waits = (0, 300, 200, 100)
    answer = allocate(site, [Demand(f"k{place}", waiting_s=wait) for place, wait in enumerate(waits)])
    assert list(answer.allocated_ma.values()) == [0, 6_700, 6_700, 6_600]


def test_priority_is_admitted_before_waiting() -> None:
    """A higher priority without any wait comes before the longest wait."""
    site = one_feeder(6_000, 2)
    answer = allocate(site, [Demand("k0", waiting_s=9_999), Demand("k1", priority=1)])
    assert dict(answer.allocated_ma) == {"k0": 0, "k1": 6_000}


def test_who_is_not_admitted_blocks_nobody() -> None:
    """A car that needs 16 A does not fit on 13 A; the two behind it that need 6 A do."""
    connectors = tuple(
        Connector(id=name, circuit="feeder", min_offer_ma=least_ma)
        for name, least_ma in (("big", 16_000), ("a", 6_000), ("b", 6_000))
    )
    site = Site(supply=Supply.SINGLE_PHASE, circuits=(Circuit(id="feeder", limit_ma=13_000),), connectors=connectors)
    answer = allocate(site, [Demand("big", waiting_s=9), Demand("a"), Demand("b")])
    assert dict(answer.allocated_ma) == {"big": 0, "a": 6_500, "b": 6_500}


def test_what_one_leaves_the_others_share() -> None:
    """30 A: one car takes 8 A at most, the other two 11 A each."""
    site = one_feeder(30_000, 3)
    answer = allocate(site, [Demand("k0", wanted_ma=8_000), Demand("k1"), Demand("k2")])
    assert dict(answer.allocated_ma) == {"k0": 8_000, "k1": 11_000, "k2": 11_000}


def test_weights_share_in_proportion() -> None:
    """36 A by 2 to 1 is 24 and 12 A."""
    site = one_feeder(36_000, 2)
    answer = allocate(site, [Demand("k0", weight=2), Demand("k1")])
    assert dict(answer.allocated_ma) == {"k0": 24_000, "k1": 12_000}


def test_the_least_offer_is_a_floor_on_the_level_and_not_a_base() -> None:
    """20 A by 3 to 1: the level is 14/3 A, the lighter stands on its floor of 6 A, the heavier has 14 A."""
    site = one_feeder(20_000, 2)
    answer = allocate(site, [Demand("k0", weight=3), Demand("k1")])
    assert dict(answer.allocated_ma) == {"k0": 14_000, "k1": 6_000}


def test_a_higher_class_is_filled_before_the_next_beside_its_least() -> None:
    """40 A: the least of both is set aside, the higher class fills up to its 32 A, 8 A go to the other."""
    site = one_feeder(40_000, 2)
    answer = allocate(site, [Demand("k0"), Demand("k1", priority=5)])
    assert dict(answer.allocated_ma) == {"k0": 8_000, "k1": 32_000}


def test_a_spare_step_goes_to_the_smaller_weight_and_then_in_site_order() -> None:
    """At an equal share per weight the lighter is raised first; of equals the first of the file."""
    site = one_feeder(18_100, 2, step_ma=100)
    heavy_first = allocate(site, [Demand("k0", weight=2), Demand("k1", weight=1)])
    assert dict(heavy_first.allocated_ma) == {"k0": 12_000, "k1": 6_100}
    equal = allocate(site, everybody(site))
    assert dict(equal.allocated_ma) == {"k0": 9_100, "k1": 9_000}


def test_offers_are_multiples_of_the_step() -> None:
    """20 A for three in whole amperes: 7, 7 and 6 A."""
    site = one_feeder(20_999, 3, step_ma=1_000)
    assert list(allocate(site, everybody(site)).allocated_ma.values()) == [7_000, 7_000, 6_000]


def test_unequal_steps_leave_nothing_that_somebody_could_take() -> None:
    """21.5 A in steps of 2 and 0.5 A: 10.75 A each goes down to 10 and 10.5 A; the last ampere is for the finer."""
    connectors = (
        Connector(id="coarse", circuit="feeder", step_ma=2_000),
        Connector(id="fine", circuit="feeder", step_ma=500),
    )
    site = Site(supply=Supply.SINGLE_PHASE, circuits=(Circuit(id="feeder", limit_ma=21_500),), connectors=connectors)
    assert dict(allocate(site, everybody(site)).allocated_ma) == {"coarse": 10_000, "fine": 11_500}


# Lines


def test_one_phase_cars_on_different_lines_do_not_share() -> None:
    """A three-phase breaker of 20 A, 16 A usable: three one-phase cars on three lines have 16 A each."""
    connectors = tuple(Connector(id=str(line), circuit="feeder", lines=(line,)) for line in Line)
    site = Site(supply=Supply.THREE_PHASE, circuits=(Circuit(id="feeder", breaker_ma=20_000),), connectors=connectors)
    answer = allocate(site, everybody(site))
    assert dict(answer.allocated_ma) == {"L1": 16_000, "L2": 16_000, "L3": 16_000}
    assert answer.circuits["feeder"].allocated_ma == (16_000, 16_000, 16_000)


def test_rotation_puts_one_phase_cars_on_different_lines() -> None:
    """Three-phase connectors, rotated: a one-phase car loads the first of its own lines alone."""
    connectors = (
        Connector(id="a", circuit="feeder", lines=(L1, L2, L3)),
        Connector(id="b", circuit="feeder", lines=(L2, L3, L1)),
    )
    site = Site(supply=Supply.THREE_PHASE, circuits=(Circuit(id="feeder", limit_ma=16_000),), connectors=connectors)
    answer = allocate(site, [Demand("a", lines_used=1), Demand("b", lines_used=1)])
    assert dict(answer.allocated_ma) == {"a": 16_000, "b": 16_000}
    assert answer["b"].counted_lines == (L2,)


def test_an_unknown_rotation_counts_on_every_line_and_says_so() -> None:
    """The same cars on connectors of unknown rotation share 16 A."""
    site = one_feeder(16_000, 2, Supply.THREE_PHASE)
    answer = allocate(site, [Demand("k0", lines_used=1), Demand("k1", lines_used=3)])
    assert dict(answer.allocated_ma) == {"k0": 8_000, "k1": 8_000}
    assert (answer["k0"].rotation_unknown, answer["k1"].rotation_unknown) == (True, False)
    assert answer["k0"].counted_lines == (L1, L2, L3)


def test_a_car_stopped_on_one_line_frees_the_others() -> None:
    """A three-phase car stopped at 8 A by L1 leaves 24 of 32 A on L2 to a one-phase car."""
    connectors = (
        Connector(id="three", circuit="feeder", lines=(L1, L2, L3)),
        Connector(id="second", circuit="feeder", lines=(L2,)),
    )
    circuits = (Circuit(id="feeder", limit_ma=(8_000, 32_000, 32_000)),)
    site = Site(supply=Supply.THREE_PHASE, circuits=circuits, connectors=connectors)
    assert dict(allocate(site, everybody(site)).allocated_ma) == {"three": 8_000, "second": 24_000}


def test_split_phase_connectors_load_both_lines() -> None:
    """Six 48 A connectors on 80 A, one car of 32 A: 13.3 A each, and two of them a spare step more."""
    site = one_feeder(80_000, 6, Supply.SPLIT_PHASE, max_offer_ma=48_000)
    answer = allocate(site, [Demand("k0", wanted_ma=32_000), *everybody(site)[1:]])
    assert list(answer.allocated_ma.values()) == [13_400, 13_400, 13_300, 13_300, 13_300, 13_300]
    assert answer.circuits["feeder"].allocated_ma == (80_000, 80_000)


def test_split_phase_mixes_both_connections() -> None:
    """16 A a line: one on L1 to neutral shares L1 with one between the lines, 8 A each; L2 keeps 8 A."""
    connectors = (
        Connector(id="between", circuit="feeder", connection=Connection.LINE_TO_LINE),
        Connector(id="neutral", circuit="feeder", lines=(L1,)),
    )
    site = Site(supply=Supply.SPLIT_PHASE, circuits=(Circuit(id="feeder", limit_ma=16_000),), connectors=connectors)
    answer = allocate(site, everybody(site))
    assert dict(answer.allocated_ma) == {"between": 8_000, "neutral": 8_000}
    assert answer.circuits["feeder"].headroom_ma == (0, 8_000)


# What is taken off first


def test_held_current_is_taken_off_first() -> None:
    """A silent connector may be drawing 10 of 30 A; the other two share 20 A."""
    site = one_feeder(30_000, 3)
    answer = allocate(site, [Demand("k1"), Demand("k2")], held_ma={"k0": 10_000})
    assert dict(answer.allocated_ma) == {"k0": 0, "k1": 10_000, "k2": 10_000}
    assert answer["k0"].status is Status.HELD
    assert answer.circuits["feeder"].held_ma == (10_000,)


def test_other_load_counts_at_its_worst_unless_it_is_read() -> None:
    """40 A with 20 A of other load at worst: 20 A for one car, or 30 A where a meter reads 10 A."""
    circuits = (Circuit(id="feeder", limit_ma=40_000, other_load_worst_ma=20_000),)
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=(Connector(id="k0", circuit="feeder"),))
    assert allocate(site, [Demand("k0")])["k0"].allocated_ma == 20_000
    assert allocate(site, [Demand("k0")], other_load_ma={"feeder": 10_000})["k0"].allocated_ma == 30_000


def test_the_network_limit_knows_held_current_but_no_other_load() -> None:
    """A network limit of 30 A less 10 A held leaves 20 A, whatever else the house draws on its 80 A."""
    site = attrs.evolve(one_feeder(80_000, 2), network_limit_ma=30_000)
    answer = allocate(site, [Demand("k0")], held_ma={"k1": 10_000}, other_load_ma={"feeder": 45_000})
    assert answer["k0"].allocated_ma == 20_000
    assert answer["k0"].bound_by == BoundBy(kind=BoundKind.NETWORK, id=None, line=L1, limit_ma=30_000, source="network")


def test_the_network_limit_is_shared_by_all_roots() -> None:
    """Two roots of 32 A under one network limit of 20 A: 10 A each."""
    circuits = (Circuit(id="a", limit_ma=32_000), Circuit(id="b", limit_ma=32_000))
    connectors = (Connector(id="x", circuit="a"), Connector(id="y", circuit="b"))
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=connectors, network_limit_ma=20_000)
    assert dict(allocate(site, everybody(site)).allocated_ma) == {"x": 10_000, "y": 10_000}


def test_an_exceeded_circuit_allocates_nothing_below_and_says_so() -> None:
    """Held and other load alone are above 20 A: nothing is offered, no headroom, exceeded."""
    site = one_feeder(20_000, 2)
    answer = allocate(site, [Demand("k1")], held_ma={"k0": 15_000}, other_load_ma={"feeder": 6_000})
    assert dict(answer.allocated_ma) == {"k0": 0, "k1": 0}
    assert (answer.circuits["feeder"].exceeded, answer.circuits["feeder"].headroom_ma) == (True, (0,))
    assert answer["k1"].status is Status.SHED


def test_a_circuit_that_is_just_full_is_not_exceeded() -> None:
    """14 A held and 6 A of other load fill 20 A exactly."""
    site = one_feeder(20_000, 2)
    answer = allocate(site, [], held_ma={"k0": 14_000}, other_load_ma={"feeder": 6_000})
    assert (answer.circuits["feeder"].exceeded, answer.circuits["feeder"].headroom_ma) == (False, (0,))


def test_an_exceeded_branch_does_not_stop_the_others() -> None:
    """Its own excess counts above, where room is left: the sibling has the 32 A of the root less 12 A."""
    circuits = (
        Circuit(id="root", limit_ma=32_000),
        Circuit(id="left", parent="root", limit_ma=10_000),
        Circuit(id="right", parent="root", limit_ma=32_000),
    )
    connectors = (Connector(id="a", circuit="left"), Connector(id="b", circuit="right"))
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=connectors)
    answer = allocate(site, everybody(site), other_load_ma={"left": 12_000})
    assert dict(answer.allocated_ma) == {"a": 0, "b": 20_000}
    assert [answer.circuits[name].exceeded for name in ("root", "left", "right")] == [False, True, False]


# Limits from outside


@pytest.mark.parametrize("limit", [utility(0, circuit="feeder"), utility(0, connector="k0")])
def test_an_external_limit_of_0_stops_what_is_below(limit: ExternalLimit) -> None:
    """Zero is a limit like any other, and never means that there is none."""
    site = one_feeder(32_000, 1)
    answer = allocate(site, everybody(site), external_limits=[limit])
    assert (answer["k0"].allocated_ma, answer["k0"].status) == (0, Status.SHED)
    bound = answer["k0"].bound_by
    assert bound is not None
    assert (bound.kind, bound.limit_ma, bound.source) == (BoundKind.EXTERNAL, 0, "utility")


def test_an_external_limit_that_counts_connectors_ignores_other_load() -> None:
    """20 A from outside beside 8 A of other load: 20 A where it counts connectors, 12 A where it counts all."""
    site = one_feeder(63_000, 1)
    for counts, allocated_ma in ((Counts.CONNECTORS, 20_000), (Counts.ALL, 12_000)):
        limits = [utility(20_000, counts, circuit="feeder")]
        answer = allocate(site, everybody(site), other_load_ma={"feeder": 8_000}, external_limits=limits)
        assert answer["k0"].allocated_ma == allocated_ma


def test_an_external_limit_of_a_connector_holds_on_the_lines_its_vehicle_loads() -> None:
    """A car on L1 alone does not mind that L2 is closed; a car on all three does."""
    site = one_feeder(32_000, 1, Supply.THREE_PHASE, lines=(L1, L2, L3))
    limits = [utility((16_000, 0, 20_000), connector="k0")]
    one, three = (allocate(site, [Demand("k0", lines_used=n)], external_limits=limits)["k0"] for n in (1, 3))
    assert (one.allocated_ma, three.allocated_ma) == (16_000, 0)
    assert one.bound_by == BoundBy(kind=BoundKind.EXTERNAL, id="k0", line=L1, limit_ma=16_000, source="utility")


def test_of_several_external_limits_the_smallest_counts_and_is_named() -> None:
    """Two on one circuit: 20 A from the utility and 10 A from the owner leave 10 A, by the owner."""
    site = one_feeder(63_000, 1)
    owner = attrs.evolve(utility(10_000, circuit="feeder"), source="owner")
    answer = allocate(site, everybody(site), external_limits=[utility(20_000, circuit="feeder"), owner])
    assert answer["k0"].allocated_ma == 10_000
    assert answer["k0"].bound_by == BoundBy(
        kind=BoundKind.EXTERNAL, id="feeder", line=L1, limit_ma=10_000, source="owner"
    )


def test_an_external_limit_of_an_idle_or_held_connector_changes_nothing() -> None:
    """It stops nobody else."""
    site = one_feeder(20_000, 3)
    limits = [utility(0, connector="k0"), utility(0, connector="k1")]
    answer = allocate(site, [Demand("k2")], held_ma={"k1": 4_000}, external_limits=limits)
    assert [answer[name].status for name in answer] == [Status.IDLE, Status.HELD, Status.ALLOCATED]
    assert answer["k2"].allocated_ma == 16_000


# One value for everything


def test_a_demands_value_brings_everything_along() -> None:
    """The same whether the arguments come one by one or as one value."""
    site = one_feeder(30_000, 3)
    limits, held, other = (utility(25_000, circuit="feeder"),), {"k2": 6_000}, {"feeder": 1_000}
    demands = (Demand("k0"), Demand("k1"))
    one_by_one = allocate(site, demands, held_ma=held, other_load_ma=other, external_limits=limits)
    assert allocate(site, Demands(demands, held, other, limits)) == one_by_one
    assert dict(one_by_one.allocated_ma) == {"k0": 9_000, "k1": 9_000, "k2": 0}


def test_demands_may_come_from_an_iterator() -> None:
    """Anything that can be gone through once will do."""
    site = one_feeder(20_000, 2)
    assert dict(Allocator(site).allocate(iter(everybody(site))).allocated_ma) == {"k0": 10_000, "k1": 10_000}


def test_no_demand_is_idle() -> None:
    """Nobody asks: nobody gets, and all the room is left."""
    answer = allocate(one_feeder(20_000, 2), [])
    assert [answer[name].status for name in answer] == [Status.IDLE, Status.IDLE]
    assert answer.circuits["feeder"].headroom_ma == (20_000,)
