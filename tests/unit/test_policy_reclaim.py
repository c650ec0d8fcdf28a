"""Unused shares: given away, given back, and never in a flutter."""

from tests.support.steps import Bench, feeder

from powershare.policy import Cause, Policy


def two(limit_ma: int, step_ma: int = 100) -> Bench:
    bench = Bench(Policy(feeder(limit_ma, 2, step_ma=step_ma)))
    bench.plug("c0")
    bench.plug("c1")
    return bench


def test_what_one_does_not_draw_goes_to_the_other() -> None:
    bench = two(32_000)
    bench.draws["c0"] = 8_000
    decisions = bench.run(180_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (9_300, 22_700)
    assert Cause.UNUSED in {change.cause for decision in decisions for change in decision.changes}


def test_nothing_is_capped_while_nobody_is_short() -> None:
    bench = two(64_000)
    bench.draws["c0"] = 8_000
    bench.run(180_000)
    assert bench.offered_ma("c0") == 32_000


def test_who_uses_all_it_has_again_gets_its_share_back() -> None:
    bench = two(32_000)
    bench.draws["c0"] = 8_000
    bench.run(180_000)
    del bench.draws["c0"]
    bench.run(120_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (16_000, 16_000)


def test_a_vehicle_that_stays_a_little_below_its_offer_is_never_squeezed() -> None:
    bench = two(32_000)
    changes = 0
    for _ in range(600):
        bench.draws["c0"] = max(0, bench.offered_ma("c0") - 800)
        changes += sum(change.connector == "c0" for change in bench.step(1_000).changes)
    assert bench.offered_ma("c0") == 16_000
    assert changes == 1


def test_whole_ampere_steps_do_not_flap() -> None:
    bench = two(32_000, step_ma=1_000)
    bench.draws["c0"] = 15_600
    bench.run(60_000)
    assert not any(decision.changes for decision in bench.run(600_000))
    bench.draws["c0"] = 14_300
    bench.run(120_000)
    assert not any(decision.changes for decision in bench.run(600_000))
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (16_000, 16_000)
    bench.draws["c0"] = 11_600
    bench.run(120_000)
    assert not any(decision.changes for decision in bench.run(600_000))
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (13_000, 19_000)


def test_old_measurements_change_nothing() -> None:
    bench = two(32_000)
    bench.draws["c0"] = 8_000
    bench.age_ms = 20_000
    bench.run(300_000)
    assert bench.offered_ma("c0") == 16_000


def test_a_vehicle_that_draws_nothing_keeps_the_least_offer() -> None:
    bench = two(32_000)
    bench.draws["c0"] = 0
    bench.run(180_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (6_000, 26_000)


def test_after_a_raise_nothing_is_concluded_for_a_minute() -> None:
    bench = two(32_000)
    bench.draws["c0"] = 7_000
    assert all(change.cause is not Cause.UNUSED for decision in bench.run(90_000) for change in decision.changes)
