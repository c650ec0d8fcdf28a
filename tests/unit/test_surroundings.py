"""External limits that members pass on: all of each member's newest report, all together, each to its own end."""

import attrs
import pytest
from tests.unit.test_node import Bus, site, take

from powershare.constraints import compile_site
from powershare.demand import ExternalLimit
from powershare.election import Term
from powershare.node import Limited, NetworkConfig, Node, Vote
from powershare.node.leading import Surroundings
from powershare.node.messages import Bound
from powershare.site import Circuit

CONFIG = NetworkConfig(site=site("abc"))
OTHER = NetworkConfig(
    site=attrs.evolve(
        site("ab"),
        circuits=(Circuit(id="garage", limit_ma=36_000),),
        connectors=tuple(attrs.evolve(one, circuit="garage") for one in site("ab").connectors),
    )
)
TERM = Term(1, 0, 1)
HOUR_MS = 3_600_000


def limit(amps: int, source: str = "utility") -> ExternalLimit:
    return ExternalLimit(circuit="feeder", limit_ma=1_000 * amps, source=source)


def bound(amps: int, left_ms: int = HOUR_MS, source: str = "utility") -> Bound:
    return Bound(0, None, (1_000 * amps,), left_ms, all_loads=True, source=source)


def vote(report_no: int, *bounds: Bound, member: int = 2, boot: int = 3) -> Vote:
    return Vote(
        member=member,
        boot=boot,
        report_no=report_no,
        stamp_ms=0,
        term=TERM,
        heartbeat_ms=0,
        promised=True,
        bounds=bounds,
    )


def surroundings() -> Surroundings:
    return Surroundings(CONFIG, compile_site(CONFIG.site))


def amps_in_force(known: Surroundings, now_ms: int) -> list[int]:
    figures = (one.limit_ma for one in known.in_force(now_ms)[1])
    return sorted((figure[0] if isinstance(figure, tuple) else figure) // 1_000 for figure in figures)


def charging() -> Bus:
    bus = Bus(CONFIG)
    bus.run(60_000)
    bus.plug("b")
    bus.run(80_000)
    assert bus.nodes["a"].leads
    assert bus.offers()["b"] == 32_000
    return bus


@pytest.mark.parametrize("told", ["a", "b", "c"])
def test_a_limit_that_is_taken_back_ends_at_the_leader(told: str) -> None:
    bus = charging()
    bus.tell(told, Limited(limit(18), bus.now_ms + 24 * HOUR_MS))
    bus.run(bus.now_ms + 30_000)
    assert bus.offers()["b"] == 18_000
    bus.tell(told, Limited(limit(18), bus.now_ms - 1))
    bus.run(bus.now_ms + 30_000)
    assert bus.offers()["b"] == 32_000
    assert bus.nodes["a"].leading is not None
    assert bus.nodes["a"].leading.surroundings.in_force(bus.now_ms) == ({}, ())


@pytest.mark.parametrize(("first", "second"), ["cb", "ca", "ac"])
def test_limits_of_one_name_at_two_members_count_both(first: str, second: str) -> None:
    bus = charging()
    bus.tell(first, Limited(limit(10), bus.now_ms + HOUR_MS))
    bus.tell(second, Limited(limit(30), bus.now_ms + HOUR_MS))
    bus.run(bus.now_ms + 10_000)
    offers = set()
    for _ in range(200):
        bus.run(bus.now_ms + 100)
        offers.add(bus.offers()["b"])
    assert offers == {10_000}


def test_who_begins_to_lead_hears_again_what_others_were_told() -> None:
    bus = charging()
    bus.tell("c", Limited(limit(18), bus.now_ms + HOUR_MS))
    bus.tell("b", Limited(limit(20, "owner"), bus.now_ms + HOUR_MS))
    bus.run(bus.now_ms + 10_000)
    bus.nodes["a"] = Node(CONFIG, "a", boot=99, now_ms=bus.now_ms)
    bus.wakes["a"] = bus.now_ms
    bus.run(bus.now_ms + 60_000)
    (leader,) = [node.leading for node in bus.nodes.values() if node.leading is not None]
    assert amps_in_force(leader.surroundings, bus.now_ms) == [18, 20]


def test_the_newest_report_of_a_member_counts_whole() -> None:
    known = surroundings()
    known.passed_on(vote(5, bound(10), bound(20, source="owner")), 1_000)
    assert amps_in_force(known, 1_000) == [10, 20]
    known.passed_on(vote(4, bound(6)), 1_100)
    known.passed_on(vote(4), 1_100)
    assert amps_in_force(known, 1_100) == [10, 20], "a report that comes late is not looked at"
    known.passed_on(vote(6, bound(20, source="owner")), 1_200)
    assert amps_in_force(known, 1_200) == [20]
    known.passed_on(vote(7), 1_300)
    known.passed_on(vote(6, bound(20, source="owner")), 1_400)
    assert amps_in_force(known, 1_400) == [], "what was taken back does not come back with a late report"


def test_a_limit_ends_when_the_newest_report_says() -> None:
    known = surroundings()
    known.passed_on(vote(1, bound(10, 5_000)), 1_000)
    assert amps_in_force(known, 5_999) == [10]
    assert amps_in_force(known, 6_000) == []
    known.passed_on(vote(2, bound(10, 500)), 2_000)
    assert amps_in_force(known, 2_499) == [10]
    assert amps_in_force(known, 2_500) == []


def test_another_process_of_a_member_takes_nothing_back() -> None:
    known = surroundings()
    known.passed_on(vote(50, bound(10, 5_000)), 1_000)
    known.passed_on(vote(1, boot=4), 2_000)
    known.passed_on(vote(2, bound(20, 60_000), boot=4), 2_100)
    assert amps_in_force(known, 2_100) == [10, 20]
    assert amps_in_force(known, 6_000) == [20]
    known.passed_on(vote(3, boot=4), 6_100)
    assert amps_in_force(known, 6_100) == []


def test_a_member_that_restarts_for_ever_does_not_fill_the_leader() -> None:
    known = surroundings()
    for boot in range(1_000):
        known.passed_on(vote(1, bound(10, 50), boot=boot), 100 * boot)
    assert len(known._told) == 1


def test_the_same_limit_told_twice_is_one() -> None:
    known = surroundings()
    known.replace(limit(30), 10_000, 0)
    for member in (1, 2):
        known.passed_on(vote(1, bound(10), member=member), 0)
    assert amps_in_force(known, 0) == [10, 30]


def test_what_this_node_was_told_is_kept_apart_from_what_is_passed_on() -> None:
    known = surroundings()
    known.replace(limit(30), 10_000, 0)
    known.passed_on(vote(1, bound(10)), 0)
    assert [one.limit_ma for one in known.bounds(0)] == [(30_000,)], "nothing is passed on twice"
    known.replace(limit(30), 0, 0)
    assert known.bounds(0) == ()
    assert amps_in_force(known, 0) == [10]


def test_a_limit_on_what_this_site_has_not_is_not_kept() -> None:
    known = surroundings()
    stray = (
        Bound(9, None, (1,), 1_000, all_loads=True, source="x"),
        Bound(None, 3, (1,), 1_000, all_loads=True, source="x"),
        Bound(0, None, (1, 1, 1), 1_000, all_loads=True, source="x"),
    )
    known.passed_on(vote(1, *stray), 0)
    assert known.in_force(0) == ({}, ())


@pytest.mark.parametrize("told", ["a", "b"])
def test_a_limit_goes_on_through_a_change_of_configuration(told: str) -> None:
    bus = charging()
    bus.tell(told, Limited(limit(10), bus.now_ms + HOUR_MS))
    bus.run(bus.now_ms + 5_000)
    assert bus.offers()["b"] == 10_000
    take(bus, attrs.evolve(CONFIG, order="priority"))
    bus.run(bus.now_ms + 40_000)
    assert bus.nodes["a"].leads
    assert bus.offers()["b"] == 10_000


def test_what_another_configuration_does_not_have_is_not_kept() -> None:
    former, following = surroundings(), Surroundings(OTHER, compile_site(OTHER.site))
    former.load("feeder", (5_000,), 900)
    former.replace(limit(10), HOUR_MS, 1_000)
    former.replace(ExternalLimit(connector="c", limit_ma=8_000, source="utility"), HOUR_MS, 1_000)
    former.replace(ExternalLimit(connector="a", limit_ma=7_000, source="utility"), HOUR_MS, 1_000)
    following.keep(former, 1_000)
    assert amps_in_force(following, 1_000) == [7]
    assert following.readings(1_000) == ()
