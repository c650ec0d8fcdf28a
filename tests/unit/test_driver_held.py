"""What a device may hold: whatever was said to it, and never less; told apart only as far as that is worth anything."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.devices import NOW, declared

from powershare.adapter import Deadman, Offer
from powershare.driver.held import FOLLOWED_MS, MOST_HELD, Held, acted_ms


def order(offered_ma: int, valid_ms: int = 10_000, then_ma: int = 0) -> Offer:
    return Offer(offered_ma=offered_ma, valid_until_ms=NOW + valid_ms, then_ma=then_ma)


@pytest.mark.parametrize("kind", Deadman)
@given(seed=st.integers(0, 1 << 32))
def test_however_many_orders_it_was_given_it_may_do_what_any_of_them_allows(kind: Deadman, seed: int) -> None:
    chance = Random(seed)
    held, given_ma = Held(declared(kind), NOW), list[Offer]()
    held.proven(order(0), NOW)
    for _ in range(chance.randrange(1, 4 * MOST_HELD)):
        given_ma.append(order(chance.randrange(33) * 1_000, chance.randrange(1, 60_000), chance.randrange(9) * 1_000))
        held.add(given_ma[-1], NOW)
    assert len(tuple(held.above(-1))) <= MOST_HELD
    for later_ms in (0, 5_000, 30_000, 60_000):
        now_ms = NOW + later_ms
        over = [one for one in given_ma if now_ms >= one.valid_until_ms]
        running = [one for one in given_ma if now_ms < one.valid_until_ms]
        least_ma = [one.offered_ma for one in running]
        if kind is Deadman.LEASE:
            least_ma += [one.then_ma for one in over]
        elif kind is Deadman.NONE:
            least_ma += [one.offered_ma for one in over]
        assert held.most_ma(now_ms) >= max(least_ma, default=0)


def test_a_former_process_may_have_ordered_anything_until_its_watchdog_has_acted() -> None:
    held = Held(declared(Deadman.WATCHDOG, left_alone_ma=6_000), NOW)
    held.add(order(0, 60_000), NOW)
    assert held.most_ma(NOW + acted_ms(10_000) - 1) == 32_000
    assert held.most_ma(NOW + acted_ms(10_000)) == 6_000


@pytest.mark.parametrize("kind", [Deadman.LEASE, Deadman.NONE])
def test_without_a_watchdog_only_a_proof_ends_what_a_former_process_may_have_ordered(kind: Deadman) -> None:
    held = Held(declared(kind), NOW)
    held.add(order(0, 60_000), NOW)
    assert held.most_ma(NOW + 10_000_000) == 32_000
    held.proven(order(0, 60_000), NOW + 10_000_000)
    assert held.most_ma(NOW + 10_000_000) == 0
    assert held.is_certain


@pytest.mark.parametrize(("follow_ms", "until_ms"), [(0, FOLLOWED_MS), (6_061, FOLLOWED_MS), (25_000, 25_000)])
def test_what_went_astray_counts_until_a_vehicle_has_followed_the_proof_that_it_came_back(
    follow_ms: int, until_ms: int
) -> None:
    held = Held(declared(Deadman.LEASE), NOW, follow_ms)
    held.proven(order(0), NOW)
    held.goes_astray(12_000)
    held.forget_astray(NOW + 100_000)
    assert held.floor_ma(trusted=False) == 12_000, "nothing has shown that it came back"
    held.proven(order(0), NOW + 100_000)
    held.forget_astray(NOW + 100_000 + until_ms - 1)
    assert held.floor_ma(trusted=False) == 12_000
    held.forget_astray(NOW + 100_000 + until_ms)
    assert held.floor_ma(trusted=False) == 0


def test_a_device_with_leases_that_went_astray_may_yet_do_what_follows_any_of_them() -> None:
    held = Held(declared(Deadman.LEASE), NOW)
    held.proven(order(0, then_ma=9_000), NOW)
    held.goes_astray(5_000)
    assert held.floor_ma(trusted=False) == 9_000


@pytest.mark.parametrize(("watchdog_ms", "surely_ms"), [(10_000, 10_200), (1_001, 1_022)])
def test_a_watchdog_has_surely_acted_two_percent_later_than_it_says(watchdog_ms: int, surely_ms: int) -> None:
    assert acted_ms(watchdog_ms) == surely_ms


def test_an_order_only_lowers_what_may_hold_no_less() -> None:
    held = Held(declared(Deadman.WATCHDOG), NOW)
    held.proven(order(16_000), NOW)
    assert [held.only_lowers(order(wanted_ma)) for wanted_ma in (8_000, 16_000, 17_000)] == [True, True, False]
    held.add(order(6_000), NOW)
    assert not held.only_lowers(order(8_000)), "it may be at 6 A already"
