"""Which order is due, and what a device's reports prove: every rule at the head of the actuator, and of the protocol.

What is in brackets are invariants and assumptions of docs/safety.md.
"""

from itertools import pairwise

import pytest
from tests.support.devices import NOW, Bench, answers, declared, pilot, raised, told

from powershare.adapter import Deadman, Offer
from powershare.driver.actuator import AGAIN_MS, Actuator
from powershare.driver.held import acted_ms
from powershare.leases import GrantKind
from powershare.node import Applied

RAISE, CAP, TRIM, FALL_BACK = GrantKind.RAISE, GrantKind.CAP, GrantKind.TRIM, GrantKind.FALL_BACK
KINDS = tuple(Deadman)


# Rule 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_answers_only_if_it_was_asked_for_after_the_settling_time(kind: Deadman) -> None:
    actuator = Actuator(declared(kind, settle_ms=300), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    assert not answers(actuator, 0, NOW + 320, asked_ms=NOW + 299)
    assert answers(actuator, 0, NOW + 320, asked_ms=NOW + 300) == [Applied(1, 0, NOW + 320, True)]
    assert not answers(actuator, 0, NOW + 900), "once is enough"


def test_a_report_that_was_made_before_the_order_proves_nothing_of_it_whenever_it_was_asked_for() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG, settle_ms=300), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    assert not answers(actuator, 0, NOW + 200, asked_ms=NOW + 5_000)
    assert answers(actuator, 0, NOW + 5_010, asked_ms=NOW + 5_000)


@pytest.mark.parametrize("fate", ["lost", "unanswered", "no"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_order_without_an_acknowledgement_is_not_answered_by_a_device_that_stays_above_it(
    kind: Deadman, fate: str
) -> None:
    bench = raised(kind, ceiling_ma=20_000)
    bench.device.obeys = False
    before = len(bench.answers())
    bench.fate = lambda call: fate if call == "order" else "ok"
    assert bench.grant(TRIM, 10_000)
    bench.run(2_000)
    assert len(bench.answers()) == before
    assert bench.most_ma == 20_000


@pytest.mark.parametrize(("kind", "watchdog_ms"), [(Deadman.WATCHDOG, 4_000), (Deadman.LEASE, None)])
def test_an_order_that_is_repeated_faster_than_the_device_settles_is_proven_by_the_first_of_them(
    kind: Deadman, watchdog_ms: int | None
) -> None:
    """Or a slow device that is told the same each second would never be known to have been lowered."""
    bench = raised(kind, watchdog_ms=watchdog_ms, settle_ms=2_500, longest_write_ms=100)
    for _ in range(10):
        bench.grant(RAISE, 10_000)
        bench.run(1_000)
    assert bench.most_ma == 10_000


def test_a_lower_offer_that_was_on_its_way_does_not_answer_for_a_later_pilot() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG), NOW)
    actuator.order(pilot(1, 16_000, NOW + 20_000))
    told(actuator, NOW)
    actuator.order(pilot(2, 8_000, NOW + 20_000))
    assert not answers(actuator, 16_000, NOW + 500), "that shows the first, and the second has still to go"
    told(actuator, NOW + 500)
    assert not answers(actuator, 8_000, NOW + 510)
    assert [one.write for one in answers(actuator, 8_000, NOW + 900)] == [2]


def test_a_device_with_leases_must_have_been_told_the_write_itself() -> None:
    """Another end and another then: the amps alone do not show that it knows."""
    actuator = Actuator(declared(Deadman.LEASE), NOW)
    actuator.order(pilot(1, 0, NOW + 30_000, 6_000))
    told(actuator, NOW)
    answers(actuator, 0, NOW + 400)
    actuator.order(pilot(2, 0, NOW + 40_000, 6_000))
    assert not answers(actuator, 0, NOW + 800)
    assert told(actuator, NOW + 900) == Offer(offered_ma=0, valid_until_ms=NOW + 40_000, then_ma=6_000)
    assert answers(actuator, 0, NOW + 1_300)


def test_a_contradicted_order_is_repeated_at_once_but_not_more_often_than_each_second() -> None:
    actuator = Actuator(declared(Deadman.LEASE), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    answers(actuator, 0, NOW + 400)
    answers(actuator, 6_000, NOW + 5_000)  # it has restarted
    told(actuator, NOW + 5_000)
    answers(actuator, 6_000, NOW + 5_400)
    assert actuator.due(NOW + 5_400) is None
    assert actuator.next_ms(NOW + 5_400) == NOW + 5_000 + AGAIN_MS
    assert actuator.refused == 2


# Rule 2


@pytest.mark.parametrize("watchdog_ms", [4_000, 10_000, 30_000, 60_000])
@pytest.mark.parametrize("fed_by_reads", [False, True])
def test_a_raise_that_nobody_renews_is_over_by_the_end_of_its_lease(watchdog_ms: int, fed_by_reads: bool) -> None:
    """(I11) Even if the host dies at the last moment at which it feeds the watchdog."""
    bench = raised(Deadman.WATCHDOG, watchdog_ms=watchdog_ms, fed_by_reads=fed_by_reads)
    until_ms = bench.told[-1].until_ms
    assert until_ms is not None
    bench.run(until_ms - acted_ms(watchdog_ms) - bench.now_ms - 1)
    bench.device.watchdog_ms = acted_ms(watchdog_ms)
    bench.alive = False
    bench.run(until_ms - bench.now_ms)
    assert bench.device.offered_ma == 0


@pytest.mark.parametrize("fed_by_reads", [False, True])
def test_what_follows_the_lease_is_told_a_watchdog_before_its_end(fed_by_reads: bool) -> None:
    bench = raised(Deadman.WATCHDOG, fed_by_reads=fed_by_reads)
    until_ms = bench.told[-1].until_ms
    assert until_ms is not None
    bench.run(until_ms - bench.now_ms - 100)
    at_ms, last = next(order for order in bench.device.orders[::-1] if order[1].offered_ma != 6_000)
    assert last.offered_ma == 20_000
    assert max(at_ms, last.valid_until_ms) <= until_ms - acted_ms(10_000)
    assert bench.device.offered_ma == 6_000, "fed before the lease ended, and with nothing above the fallback"


@pytest.mark.parametrize("watchdog_ms", [100_000, 150_000, 600_000])
def test_a_device_with_a_slow_watchdog_can_be_raised_all_the_same(watchdog_ms: int) -> None:
    """Its timer may be slow by a share of itself, and a lease must be longer than that by some cycles."""
    bench = raised(Deadman.WATCHDOG, watchdog_ms=watchdog_ms)
    for _ in range(20):
        bench.grant(RAISE, 20_000)
        bench.run(1_000)
        assert bench.device.offered_ma == 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_raise_that_has_grown_stale_in_a_driver_that_stood_still_is_not_sent(kind: Deadman) -> None:
    bench = Bench(declared(kind), trusted=kind is Deadman.NONE).started()
    bench.actuator.order(pilot(99, 30_000, bench.now_ms + 10_000, 6_000))
    bench.held_up(30_000)
    offer = bench.actuator.due(bench.now_ms)
    assert offer is not None
    assert offer.offered_ma <= 6_000 or offer.valid_until_ms <= bench.now_ms, "over, for a device that knows of ends"


# Rule 3


@pytest.mark.parametrize("ceiling_ma", [0, 20_000])
@pytest.mark.parametrize("watchdog_ms", [4_000, 30_000])
def test_an_order_is_repeated_within_half_the_watchdog_0_included(ceiling_ma: int, watchdog_ms: int) -> None:
    bench = Bench(declared(Deadman.WATCHDOG, watchdog_ms=watchdog_ms)).started()
    for _ in range(120):
        bench.grant(RAISE if ceiling_ma else CAP, ceiling_ma)
        bench.run(1_000)
    times_ms = [at_ms for at_ms, _ in bench.device.orders]
    assert max(after - before for before, after in pairwise(times_ms)) <= watchdog_ms // 2 + 150
    assert bench.device.offered_ma == ceiling_ma


@pytest.mark.parametrize("kind", [Deadman.LEASE, Deadman.NONE])
def test_an_order_without_an_end_is_renewed_before_it_ends(kind: Deadman) -> None:
    bench = Bench(declared(kind), trusted=True).started()
    bench.run(200_000)
    assert bench.device.offered_ma == 6_000
    assert len([at_ms for at_ms, _ in bench.device.orders if at_ms > bench.now_ms - 130_000]) >= 2
