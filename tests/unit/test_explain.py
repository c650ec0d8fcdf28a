"""Why: every connector below its ceiling names the limit that bound it, and words say what became of the others."""

import attrs
import pytest

from powershare import (
    Allocation,
    BoundBy,
    BoundKind,
    Circuit,
    CircuitAllocation,
    Connector,
    Counts,
    Demand,
    ExternalLimit,
    Line,
    Site,
    Status,
    Supply,
    allocate,
)
from powershare.files import allocation_to_json

ROOT = Circuit(id="root", breaker_ma=50_000)  # 40 A usable
BRANCH = Circuit(id="branch", parent="root", limit_ma=32_000)


def garage(*circuits: Circuit, supply: Supply = Supply.SINGLE_PHASE) -> Site:
    connectors = tuple(
        Connector(id=f"{circuit.id}{place}", circuit=circuit.id, max_offer_ma=48_000)
        for circuit in circuits
        for place in range(2)
    )
    return Site(supply=supply, circuits=circuits, connectors=connectors)


def bound(answer: Allocation, connector: str) -> BoundBy:
    found = answer[connector].bound_by
    assert found is not None
    return found


def test_the_breaker_is_named_with_its_usable_share() -> None:
    """Two on 40 of 50 A: bound by the breaker of the root, on L1, at 40 A."""
    answer = allocate(garage(ROOT), [Demand("root0"), Demand("root1")])
    assert bound(answer, "root0") == BoundBy(
        kind=BoundKind.CIRCUIT, id="root", line=Line.L1, limit_ma=40_000, source="breaker"
    )


def test_an_explicit_limit_is_named_as_such() -> None:
    """A limit under the breaker's share is the source."""
    answer = allocate(garage(attrs.evolve(ROOT, limit_ma=30_000)), [Demand("root0"), Demand("root1")])
    assert (bound(answer, "root0").source, bound(answer, "root0").limit_ma) == ("limit", 30_000)


def test_of_several_full_circuits_the_nearest_is_named() -> None:
    """32 A fill the branch and the root at once: the branch is nearer."""
    site = garage(attrs.evolve(ROOT, limit_ma=32_000), BRANCH)
    answer = allocate(site, [Demand("branch0"), Demand("branch1")])
    assert bound(answer, "branch0").id == "branch"


def test_a_circuit_with_just_one_step_left_does_not_bind() -> None:
    """32 A fill the root; the branch has 0.1 A left, which is a whole step: the root is named, though farther."""
    site = garage(attrs.evolve(ROOT, limit_ma=32_000), attrs.evolve(BRANCH, limit_ma=32_100))
    answer = allocate(site, [Demand("branch0"), Demand("branch1")])
    assert bound(answer, "branch0").id == "root"


def test_a_circuit_with_less_than_a_step_left_binds() -> None:
    """The same with 0.099 A left on the branch: the step does not fit there, and it is nearer."""
    site = garage(attrs.evolve(ROOT, limit_ma=32_000), attrs.evolve(BRANCH, limit_ma=32_099))
    answer = allocate(site, [Demand("branch0"), Demand("branch1")])
    assert bound(answer, "branch0").id == "branch"


def test_of_several_full_lines_the_lowest_is_named() -> None:
    """A three-phase car wired L3, L2, L1 fills all three: L1 is named."""
    connector = Connector(id="k", circuit="root", lines=(Line.L3, Line.L2, Line.L1), max_offer_ma=48_000)
    site = Site(supply=Supply.THREE_PHASE, circuits=(ROOT,), connectors=(connector,))
    assert bound(allocate(site, [Demand("k")]), "k").line is Line.L1


def test_the_line_that_binds_is_named_and_not_a_free_one() -> None:
    """Only L2 is short."""
    circuit = Circuit(id="root", limit_ma=(40_000, 16_000, 40_000))
    site = garage(circuit, supply=Supply.THREE_PHASE)
    assert bound(allocate(site, [Demand("root0")]), "root0").line is Line.L2


def test_a_vehicle_at_its_most_is_bound_by_itself() -> None:
    """It takes 10 A, no more: the vehicle, with its own figure though the step is coarser."""
    answer = allocate(garage(ROOT), [Demand("root0", wanted_ma=10_050)])
    assert answer["root0"].allocated_ma == 10_000
    assert bound(answer, "root0") == BoundBy(
        kind=BoundKind.VEHICLE, id="root0", line=None, limit_ma=10_050, source="vehicle"
    )


def test_a_connector_at_its_greatest_offer_is_named() -> None:
    """The vehicle would take more, the breaker would carry more."""
    site = garage(Circuit(id="root", limit_ma=100_000))
    assert bound(allocate(site, [Demand("root0")]), "root0") == BoundBy(
        kind=BoundKind.CONNECTOR, id="root0", line=None, limit_ma=48_000, source="connector"
    )


def test_a_limit_that_counts_connectors_is_named_where_it_leaves_the_least() -> None:
    """25 A for connectors alone, beside 40 A less 10 A of other load: the outside binds, though 5 A closer."""
    limit = ExternalLimit(circuit="root", limit_ma=25_000, source="utility", counts=Counts.CONNECTORS)
    answer = allocate(garage(ROOT), [Demand("root0")], other_load_ma={"root": 10_000}, external_limits=[limit])
    assert (answer["root0"].allocated_ma, bound(answer, "root0").source) == (25_000, "utility")
    more = allocate(garage(ROOT), [Demand("root0")], other_load_ma={"root": 20_000}, external_limits=[limit])
    assert (more["root0"].allocated_ma, bound(more, "root0").source) == (20_000, "breaker")


def test_of_equal_limits_the_installed_one_is_named() -> None:
    """An external limit of the same 40 A changes nothing, and is not blamed."""
    limit = ExternalLimit(circuit="root", limit_ma=40_000, source="utility")
    answer = allocate(garage(ROOT), [Demand("root0")], external_limits=[limit])
    assert bound(answer, "root0").kind is BoundKind.CIRCUIT


def test_idle_and_held_need_no_reason() -> None:
    """Nobody kept them from anything."""
    answer = allocate(garage(ROOT), [], held_ma={"root1": 6_000})
    assert [(answer[name].bound_by, answer[name].reason) for name in answer] == [(None, None), (None, None)]
    assert [answer[name].counted_lines for name in answer] == [(), (Line.L1,)]


def test_a_held_connector_counts_on_all_its_lines_whatever_it_said() -> None:
    """Nobody knows what a silent connector's vehicle does: an earlier word about one line does not count."""
    connector = Connector(id="k", circuit="root", lines=(Line.L2, Line.L1))
    site = Site(supply=Supply.THREE_PHASE, circuits=(ROOT,), connectors=(connector,))
    answer = allocate(site, [Demand("k", wanted_ma=0, lines_used=1)], held_ma={"k": 6_000})
    assert answer["k"].counted_lines == (Line.L2, Line.L1)
    assert answer.circuits["root"].held_ma == (6_000, 6_000, 0)


def test_a_served_connector_needs_no_words() -> None:
    """The reason is for those who get nothing."""
    assert allocate(garage(ROOT), [Demand("root0")])["root0"].reason is None


def test_words_for_a_car_that_takes_too_little() -> None:
    """Refused, for good: it can never be served as asked."""
    said = allocate(garage(ROOT), [Demand("root0", wanted_ma=5_999)])["root0"]
    assert (said.status, said.reason) == (
        Status.REFUSED,
        "the vehicle takes 5.999 A at most, under the least offer of 6 A",
    )


def test_words_for_a_car_that_does_not_fit_now() -> None:
    """Shed: which limit, on which line, how much, by whom."""
    said = allocate(garage(ROOT), [Demand("root0")], other_load_ma={"root": 35_000})["root0"]
    assert (said.status, said.reason) == (
        Status.SHED,
        "the least offer of 6 A does not fit now: root on L1 is limited to 40 A by breaker",
    )


def test_words_for_a_car_that_the_network_limit_sheds() -> None:
    """The network limit has no id, and is called by its name."""
    site = attrs.evolve(garage(ROOT), network_limit_ma=11_000)
    said = allocate(site, [Demand("root0"), Demand("root1")])["root1"]
    assert said.reason == ("the least offer of 6 A does not fit now: the network on L1 is limited to 11 A")


@pytest.mark.parametrize(
    ("vehicle", "reason"),
    [
        ("mine", None),
        ("yours", 'vehicle "yours" is not on this connector\'s list'),
        (None, "the vehicle is not identified, and this connector serves listed vehicles only"),
    ],
)
def test_a_connector_with_a_list_serves_listed_vehicles(vehicle: str | None, reason: str | None) -> None:
    """Unlisted and unidentified vehicles are refused, each with its reason, and hold nothing."""
    listed = Connector(id="k", circuit="root", vehicles=("mine",))
    site = Site(supply=Supply.SINGLE_PHASE, circuits=(ROOT,), connectors=(listed,))
    answer = allocate(site, [Demand("k", vehicle=vehicle)])
    assert (answer["k"].status is Status.REFUSED, answer["k"].reason) == (reason is not None, reason)
    assert answer.circuits["root"].headroom_ma == ((40_000,) if reason else (8_000,))


def test_an_empty_list_serves_nobody() -> None:
    """An empty list is a list, and not the absence of one."""
    site = Site(
        supply=Supply.SINGLE_PHASE, circuits=(ROOT,), connectors=(Connector(id="k", circuit="root", vehicles=()),)
    )
    assert allocate(site, [Demand("k", vehicle="mine")])["k"].status is Status.REFUSED


def test_an_idle_connector_with_a_list_is_idle() -> None:
    """A demand of 0 A asks for nothing, whoever stands there."""
    listed = Connector(id="k", circuit="root", vehicles=("mine",))
    site = Site(supply=Supply.SINGLE_PHASE, circuits=(ROOT,), connectors=(listed,))
    assert allocate(site, [Demand("k", wanted_ma=0, vehicle="yours")])["k"].status is Status.IDLE


def test_the_report_stays_what_it_was_when_the_caller_changes_his_own() -> None:
    """An answer explains itself when it is read; what the caller does to his mappings meanwhile has no effect."""
    held, other = {"root1": 10_000}, {"root": 5_000}
    answer = allocate(garage(ROOT), [Demand("root0")], held_ma=held, other_load_ma=other)
    held["root1"], other["root"] = 0, 0
    feeder = answer.circuits["root"]
    assert (feeder.held_ma, feeder.other_load_ma, feeder.headroom_ma) == ((10_000,), (5_000,), (0,))


def test_the_greatest_loads_that_values_allow_do_not_wrap() -> None:
    """Other load of 2^40 mA on each of five nested circuits: every sum is exact, and everything is exceeded."""
    most_ma = 1 << 40
    circuits = tuple(
        Circuit(
            id=f"c{depth}", parent=f"c{depth - 1}" if depth else None, limit_ma=most_ma, other_load_worst_ma=most_ma
        )
        for depth in range(5)
    )
    connector = Connector(id="k", circuit="c4", max_offer_ma=10_000_000)
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=(connector,))
    answer = allocate(site, [Demand("k")])
    assert [answer.circuits[f"c{depth}"].other_load_ma for depth in range(5)] == [
        (n * most_ma,) for n in (5, 4, 3, 2, 1)
    ]
    assert [answer.circuits[f"c{depth}"].exceeded for depth in range(5)] == [True] * 4 + [False]
    assert answer["k"].allocated_ma == 0


def test_an_exceeded_network_limit_is_said_as_well() -> None:
    """15 A held under a network limit of 14 A: other load is no part of it, and no circuit is exceeded."""
    site = attrs.evolve(garage(ROOT), network_limit_ma=14_000)
    answer = allocate(site, [Demand("root1")], held_ma={"root0": 15_000}, other_load_ma={"root": 6_000})
    assert not answer.circuits["root"].exceeded
    assert answer.network == CircuitAllocation(
        circuit=None,
        limit_ma=(14_000,),
        allocated_ma=(0,),
        held_ma=(15_000,),
        other_load_ma=(0,),
        headroom_ma=(0,),
        exceeded=True,
    )
    assert answer["root1"].status is Status.SHED
    assert allocation_to_json(answer)["network"] == {
        "limit_a": [14],
        "allocated_a": [0],
        "held_a": [15],
        "headroom_a": [0],
        "exceeded": True,
    }


def test_without_a_network_limit_there_are_no_sums_of_it() -> None:
    """None, and nothing in the JSON."""
    answer = allocate(garage(ROOT), [])
    assert answer.network is None
    assert "network" not in allocation_to_json(answer)
