"""Departures in view: who is protected, who can wait, and what becomes of those who say nothing."""

import attrs
from tests.support.steps import Bench, feeder

from powershare.policy import Cause, Policy

HOUR_S = 3_600


def test_who_leaves_soon_gets_all_it_can_take_and_who_can_wait_waits() -> None:
    bench = Bench(Policy(feeder(34_000, 2), "deadline"))
    assert bench.policy.needs_departure
    bench.plug("c0", energy_needed_wh=7_000, departs_in_s=12 * HOUR_S)
    bench.plug("c1", energy_needed_wh=7_000, departs_in_s=HOUR_S)
    decisions = bench.run(30_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (0, 32_000)
    assert Cause.DEADLINE in {change.cause for decision in decisions for change in decision.changes}


def test_with_room_for_both_both_are_served() -> None:
    bench = Bench(Policy(feeder(40_000, 2), "deadline"))
    bench.plug("c0", energy_needed_wh=7_000, departs_in_s=12 * HOUR_S)
    bench.plug("c1", energy_needed_wh=7_000, departs_in_s=HOUR_S)
    bench.run(30_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (8_000, 32_000)


def test_one_that_cannot_be_met_does_not_cost_another_its_energy() -> None:
    """Serving the earliest departure first would leave both unmet (the domino of overload)."""
    bench = Bench(Policy(feeder(32_000, 2), "deadline"))
    bench.plug("c0", energy_needed_wh=20_000, departs_in_s=HOUR_S)
    bench.plug("c1", energy_needed_wh=13_500, departs_in_s=2 * HOUR_S)
    bench.run(30_000)
    assert bench.offered_ma("c1") > 26_000


def test_without_a_departure_a_vehicle_gets_its_fair_share() -> None:
    bench = Bench(Policy(feeder(36_000, 3), "deadline"))
    bench.plug("c0", energy_needed_wh=7_000, departs_in_s=12 * HOUR_S)
    bench.plug("c1", energy_needed_wh=5_000, departs_in_s=HOUR_S)
    bench.plug("c2")
    bench.run(60_000)
    assert bench.offered_ma("c2") == 12_000
    assert bench.offered_ma("c1") > bench.offered_ma("c0")


def test_nobody_with_a_departure_is_the_fair_order() -> None:
    bench = Bench(Policy(feeder(36_000, 3), "deadline"))
    for name in ("c0", "c1", "c2"):
        bench.plug(name)
    bench.run(60_000)
    assert {bench.offered_ma(name) for name in ("c0", "c1", "c2")} == {12_000}


def test_a_departure_that_is_past_still_leaves_a_vehicle_served() -> None:
    bench = Bench(Policy(feeder(36_000, 2), "deadline"))
    bench.plug("c0", energy_needed_wh=7_000, departs_in_s=-600)
    bench.plug("c1", energy_needed_wh=7_000, departs_in_s=12 * HOUR_S)
    bench.run(30_000)
    assert bench.offered_ma("c0") >= 30_000


def test_the_plan_is_looked_at_again_while_somebody_is_short() -> None:
    bench = Bench(Policy(feeder(40_000, 2), "deadline"))
    bench.plug("c0", energy_needed_wh=7_000, departs_in_s=12 * HOUR_S)
    bench.plug("c1", energy_needed_wh=7_000, departs_in_s=HOUR_S)
    last = bench.run(120_000)[-1]
    assert last.due_ms == bench.now_ms + bench.policy.settings.replan_ms
    bench.reports["c1"] = attrs.evolve(bench.reports["c1"], wants=False)
    assert bench.run(60_000)[-1].due_ms is None
