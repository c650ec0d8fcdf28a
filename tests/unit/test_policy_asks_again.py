"""Nothing is left hanging: what a policy waits for it asks to see, and what may still happen keeps its room."""

import attrs
import pytest
from tests.support.steps import Bench, feeder

from powershare.demand import ExternalLimit
from powershare.errors import InputError
from powershare.policy import Cause, Conditions, Policy, Report
from powershare.site import Circuit, Connector, Site, Supply

HALF = Conditions(external_limits=(ExternalLimit(circuit="feeder", limit_ma=20_000, source="utility"),))


def shared(limit_ma: int = 40_000) -> Bench:
    bench = Bench(Policy(feeder(limit_ma, 2)))
    bench.plug("c0")
    bench.plug("c1")
    bench.run(60_000)
    return bench


def asked(bench: Bench, conditions: Conditions, until_ms: int) -> None:
    """Only when it asks to be called, until then."""
    due_ms = bench.step(1_000, conditions, apply=False).due_ms
    while due_ms is not None and due_ms <= until_ms:
        due_ms = bench.step(due_ms - bench.now_ms, conditions).due_ms


def test_a_lowering_that_got_lost_is_given_again() -> None:
    bench = shared()
    assert {change.cause for change in bench.step(1_000, HALF, apply=False).changes} == {Cause.LIMIT}
    again = bench.step(1_000, HALF, apply=False)
    assert {(change.offered_ma, change.cause) for change in again.changes} == {(10_000, Cause.LIMIT)}
    asked(bench, HALF, bench.now_ms + 10_000)
    assert [bench.offered_ma(name) for name in ("c0", "c1")] == [10_000, 10_000]


def test_a_raise_that_got_lost_is_given_again() -> None:
    bench = shared()
    bench.run(10_000, conditions=HALF)
    until_ms = bench.now_ms + 60_000
    asked(bench, Conditions(), until_ms)
    assert [bench.offered_ma(name) for name in ("c0", "c1")] == [20_000, 20_000]


def test_it_asks_for_nothing_when_everything_is_as_it_shall_be() -> None:
    bench = Bench(Policy(feeder(64_000, 2)))
    bench.plug("c0")
    bench.plug("c1")
    assert bench.run(60_000)[-1].due_ms is None


def test_an_unused_share_is_found_after_the_hold_off_though_nothing_is_reported() -> None:
    bench = shared()
    bench.draws["c0"] = 10_000
    asked(bench, Conditions(), bench.now_ms + 300_000)
    assert bench.offered_ma("c1") > 24_000


def test_who_uses_all_of_its_capped_share_gets_more_though_the_caps_left_nobody_short() -> None:
    bench = Bench(Policy(feeder(46_000, 2)))
    bench.plug("c0")
    bench.plug("c1")
    bench.draws["c0"] = 8_000
    bench.run(300_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (9_300, 32_000)
    del bench.draws["c0"]
    asked(bench, Conditions(), bench.now_ms + 300_000)
    assert bench.offered_ma("c0") > 20_000


def test_a_raise_on_its_way_when_the_vehicle_changes_keeps_its_room() -> None:
    """It may land after the next vehicle was plugged in."""
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.plug("c0")
    bench.step(apply=False)  # the raise to 16 A is under way
    bench.unplug("c0")
    bench.plug("c0")
    bench.plug("c1")
    bench.reports["c0"] = attrs.evolve(bench.reports["c0"], wants=False)
    bench.run(6_000)
    assert bench.offered_ma("c1") <= 16_000
    bench.run(20_000)
    assert bench.offered_ma("c1") == 32_000


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"offered_ma": -1}, "offered_ma"),
        ({"offered_ma": 6_000.0}, "offered_ma"),
        ({"measured_ma": -1}, "measured_ma"),
        ({"measured_age_ms": -1}, "measured_age_ms"),
        ({"wanted_ma": -1}, "wanted_ma"),
        ({"lines_used": 0}, "lines_used"),
        ({"lines_used": 4}, "lines_used"),
        ({"lines_used": True}, "lines_used"),
        ({"energy_needed_wh": -1}, "energy_needed_wh"),
        ({"departs_in_s": 1.5}, "departs_in_s"),
        ({"session": "1"}, "session"),
    ],
)
def test_a_report_that_cannot_be_is_refused_where_it_is_built(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        Report(connector="c0", **fields)  # type: ignore[arg-type]
    assert [(problem.where, problem.field) for problem in caught.value.problems] == [('report of "c0"', field)]


def test_lines_that_a_vehicle_left_keep_their_room_until_it_surely_has() -> None:
    """It is told that the vehicle loads one line now; what flows on the others ends some seconds later."""
    first, second, third = Supply.THREE_PHASE.lines
    site = Site(
        supply=Supply.THREE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=32_000),),
        connectors=(
            Connector(id="c0", circuit="feeder", lines=(first, second, third)),
            Connector(id="c1", circuit="feeder", lines=(second, third, first)),
        ),
    )
    bench = Bench(Policy(site))
    bench.plug("c0")
    bench.reports["c0"] = attrs.evolve(bench.reports["c0"], lines_used=3, wanted_ma=26_000)
    bench.run(60_000)
    bench.plug("c1")
    bench.reports["c1"] = attrs.evolve(bench.reports["c1"], lines_used=1, wanted_ma=6_000)
    bench.run(60_000)
    bench.reports["c0"] = attrs.evolve(bench.reports["c0"], lines_used=1)
    bench.reports["c1"] = attrs.evolve(bench.reports["c1"], wanted_ma=32_000)
    bench.run(5_000)
    assert bench.offered_ma("c1") == 6_000
    bench.run(20_000)
    assert bench.offered_ma("c1") == 32_000
