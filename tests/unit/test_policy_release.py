"""The order of changes: lowered at once, raised when there surely is room."""

import attrs
import pytest
from tests.support.steps import Bench, feeder

from powershare.demand import ExternalLimit
from powershare.errors import ContractError
from powershare.policy import Cause, Conditions, Policy, Report


def test_one_vehicle_alone_reaches_32_amps_within_twelve_seconds() -> None:
    bench = Bench(Policy(feeder(40_000, 3)))
    bench.step()
    bench.plug("c1")
    bench.run(12_000)
    assert bench.offered_ma("c1") == 32_000


def test_a_raise_waits_until_the_lowered_vehicle_was_seen_to_follow() -> None:
    bench = Bench(Policy(feeder(40_000, 2)))
    bench.plug("c0")
    bench.run(12_000)
    bench.plug("c1")
    bench.age_ms = 3_000
    bench.draws["c0"] = 32_000
    decision = bench.step(1_000)
    assert [(change.connector, change.offered_ma, change.cause) for change in decision.changes] == [
        ("c0", 20_000, Cause.SHARE),
        ("c1", 8_000, Cause.TURN),
    ]
    # Six seconds from the first report of the lower offer, and three until a measurement is as young as that.
    assert not any(decision.changes for decision in bench.run(6_000))
    assert [(change.connector, change.offered_ma) for change in bench.step(1_000).changes] == [("c1", 20_000)]


def test_without_a_meter_the_settle_time_counts() -> None:
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.draws = {"c0": None, "c1": None}
    bench.plug("c0")
    bench.run(12_000)
    assert bench.offered_ma("c0") == 32_000
    bench.plug("c1")
    assert [change.connector for change in bench.step(1_000).changes] == ["c0"]
    assert not any(decision.changes for decision in bench.run(6_000))  # the first of these reports the lower offer
    assert [change.connector for change in bench.step(1_000).changes] == ["c1"]


def test_a_fresh_measurement_of_a_vehicle_that_followed_frees_its_current_at_once() -> None:
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.plug("c0")
    bench.run(12_000)
    bench.plug("c1")
    bench.step(1_000)
    report = bench.reports["c0"]
    slow = attrs.evolve(report, measured_ma=31_900)
    bench.policy.step([slow, bench.reports["c1"]], Conditions(), bench.now_ms + 1_000)
    followed = attrs.evolve(report, measured_ma=15_900)
    decision = bench.policy.step([followed, bench.reports["c1"]], Conditions(), bench.now_ms + 2_000)
    assert [(change.connector, change.offered_ma) for change in decision.changes] == [("c1", 16_000)]


def test_drawing_little_all_along_proves_nothing() -> None:
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.draws["c0"] = 2_000
    bench.plug("c0")
    bench.run(12_000)
    bench.plug("c1")
    bench.step(1_000)
    assert not any(decision.changes for decision in bench.run(6_000))
    assert [change.connector for change in bench.step(1_000).changes] == ["c1"]


def test_a_vehicle_that_ignores_its_pilot_keeps_its_current_reserved() -> None:
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.plug("c0")
    bench.run(12_000)
    bench.plug("c1")
    bench.step(1_000)
    for now_ms in range(bench.now_ms + 1_000, bench.now_ms + 60_000, 1_000):
        stubborn = attrs.evolve(bench.reports["c0"], measured_ma=32_000)
        waiting = attrs.evolve(bench.reports["c1"], measured_ma=0)
        decision = bench.policy.step([stubborn, waiting], Conditions(), now_ms)
        assert not any(change.offered_ma and change.connector == "c1" for change in decision.changes)


def test_a_fallen_limit_lowers_at_once_and_whole() -> None:
    bench = Bench(Policy(feeder(64_000, 2)))
    bench.plug("c0")
    bench.plug("c1")
    bench.run(12_000)
    limit = ExternalLimit(circuit="feeder", limit_ma=20_000, source="utility")
    decision = bench.step(100, Conditions(external_limits=(limit,)))
    assert [(change.offered_ma, change.cause) for change in decision.changes] == [(10_000, Cause.LIMIT)] * 2


def test_a_silent_connector_takes_its_held_current_from_the_others() -> None:
    bench = Bench(Policy(feeder(40_000, 2)))
    bench.plug("c0")
    bench.run(12_000)
    decision = bench.step(1_000, Conditions(held_ma={"c1": 16_000}))
    assert [(change.connector, change.offered_ma) for change in decision.changes] == [("c0", 24_000)]
    assert "c1" not in decision.offers_ma


def test_an_order_that_was_not_carried_out_is_given_again() -> None:
    bench = Bench(Policy(feeder(40_000)))
    bench.plug("c0")
    first = bench.step(0, apply=False)
    again = bench.step(1_000, apply=False)
    assert (
        [change.offered_ma for change in first.changes] == [change.offered_ma for change in again.changes] == [16_000]
    )


def test_an_unplugged_connector_goes_to_zero() -> None:
    bench = Bench(Policy(feeder(40_000)))
    bench.plug("c0")
    bench.run(12_000)
    bench.unplug("c0")
    decision = bench.step(1_000)
    assert [(change.offered_ma, change.cause) for change in decision.changes] == [(0, Cause.IDLE)]


def test_a_policy_that_takes_over_counts_on_a_lowering_it_did_not_see() -> None:
    bench = Bench(Policy(feeder(32_000, 2)))
    bench.draws = {"c0": None, "c1": None}
    bench.plug("c0")
    bench.run(12_000)
    bench.plug("c1")
    bench.step(1_000)
    bench.policy = Policy(bench.policy.site)
    assert not any(decision.changes for decision in bench.run(6_000))
    assert [change.connector for change in bench.step(1_000).changes] == ["c1"]


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ([Report(connector="c0")], '"c1" neither reports nor is held'),
        ([Report(connector="c0"), Report(connector="c0"), Report(connector="c1")], '"c0" reports twice'),
        ([Report(connector="c0"), Report(connector="c1"), Report(connector="x")], '"x" reports and is none'),
    ],
)
def test_silence_and_strangers_are_errors(reports: list[Report], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Policy(feeder(40_000, 2)).step(reports, Conditions(), 0)


def test_time_that_goes_backwards_is_an_error() -> None:
    policy = Policy(feeder(40_000))
    policy.step([Report(connector="c0")], Conditions(), 5)
    with pytest.raises(ContractError, match="from 5 ms to 4 ms"):
        policy.step([Report(connector="c0")], Conditions(), 4)


def test_an_order_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ContractError, match="alphabetical"):
        Policy(feeder(40_000), "alphabetical")  # type: ignore[arg-type]
