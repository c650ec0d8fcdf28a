"""One test for each sentence of the unit's side: grants, leases, tails, the guard."""

import pytest
from tests.support.holders import (
    BOOT,
    CONNECTOR,
    NOW,
    TIMING,
    D,
    F,
    K,
    U,
    Z,
    answer,
    at_fallback,
    grant,
    holder,
    raised,
)

from powershare.leases import Grant, GrantKind, LeaseState
from powershare.leases.guard import Guard
from powershare.leases.holder import TRIPPED_MS, TRIPS_MOST
from powershare.leases.tail import SLOTS, Tail

# Start


def test_a_process_starts_at_nothing_with_an_open_contactor_and_goes_to_its_fallback_after_the_cold_hold() -> None:
    unit = holder()
    pilot = unit.pilot(NOW)
    assert pilot is not None
    assert (pilot.offer_ma, pilot.open, pilot.until_ms, pilot.then_ma) == (0, True, NOW + Z, F)
    assert not unit.expire(NOW + Z - 1)
    assert unit.expire(NOW + Z)
    assert (unit.state, unit.ceiling_ma, unit.until_ms) == (LeaseState.FALL_BACK, F, None)


def test_it_may_not_speak_before_its_device_is_at_nothing_and_what_flowed_before_is_over() -> None:
    unit = holder()
    pilot = unit.pilot(NOW)
    assert pilot is not None
    silent_until_ms = unit.speaks_from_ms
    assert silent_until_ms is None
    unit.answered(pilot.write, 0, NOW + 100, closed=True)
    assert unit.speaks_from_ms == NOW + 100 + D
    other = holder()
    answer(other, NOW)
    assert other.speaks_from_ms == NOW, "an open contactor is proof enough"


# Grants


def test_a_raise_is_counted_from_the_report_that_it_answers_and_ends_at_the_fallback() -> None:
    unit, now_ms = at_fallback()
    assert unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms - 3_000), now_ms)
    assert (unit.ceiling_ma, unit.until_ms) == (32_000, now_ms - 3_000 + U)
    assert unit.expire(now_ms - 3_000 + U)
    assert (unit.ceiling_ma, unit.offer_ma) == (F, F)


def test_a_cap_is_counted_from_the_report_too_and_does_not_end_early() -> None:
    unit, now_ms = at_fallback()
    assert unit.accept(grant(GrantKind.CAP, 0, unit, now_ms - 2_000), now_ms)
    answer(unit, now_ms)
    assert unit.cap_left_ms(now_ms) == K - 2_000
    unit.expire(now_ms - 2_000 + K - 1)
    assert unit.ceiling_ma == 0
    unit.expire(now_ms - 2_000 + K)
    assert unit.ceiling_ma == F


def test_a_fall_back_has_no_timer() -> None:
    unit, now_ms = raised()
    assert unit.accept(grant(GrantKind.FALL_BACK, F, unit, now_ms), now_ms)
    assert (unit.state, unit.until_ms) == (LeaseState.FALL_BACK, None)


def test_a_trim_only_lowers_and_leaves_the_end_of_the_lease_as_it_was() -> None:
    unit, now_ms = raised(20_000)
    end_ms = unit.until_ms
    assert unit.accept(grant(GrantKind.TRIM, 30_000, unit, now_ms, 16_000), now_ms + 1_000)
    assert (unit.ceiling_ma, unit.offer_ma, unit.until_ms) == (20_000, 16_000, end_ms)
    assert unit.accept(grant(GrantKind.TRIM, 10_000, unit, now_ms), now_ms + 2_000)
    assert (unit.ceiling_ma, unit.offer_ma, unit.until_ms) == (10_000, 10_000, end_ms)


def test_a_trim_after_the_lease_ended_changes_nothing() -> None:
    unit, now_ms = raised()
    unit.expire(now_ms + U)
    trim = grant(GrantKind.TRIM, 6_000, unit, now_ms + U - 1, 0)
    assert unit.accept(trim, now_ms + U)
    assert (unit.ceiling_ma, unit.offer_ma) == (F, F)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"boot": BOOT + 1}, "another process"),
        ({"session": 9}, "another session"),
        ({"seq": 1}, "not newer"),
        ({"stamp_ms": NOW + Z - U}, "older than a raise lease"),
        ({"stamp_ms": NOW + Z + 1}, "from the future"),
        ({"ceiling_ma": 40_000, "offer_ma": 40_000}, "above the greatest offer"),
        ({"offer_ma": 5_000}, "an offer that no pilot can say"),
        ({"offer_ma": 10_500}, "not in whole steps"),
        ({"kind": GrantKind.CAP}, "a cap above the fallback"),
        ({"ceiling_ma": 6_000, "offer_ma": 6_000}, "a raise that raises nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_grant_that_is_not_for_it_now_is_refused(change: dict[str, int], why: str) -> None:
    unit, now_ms = at_fallback()
    assert unit.accept(grant(GrantKind.FALL_BACK, F, unit, now_ms), now_ms)
    fields = {"seq": 2, "kind": GrantKind.RAISE, "ceiling_ma": 12_000, "offer_ma": 12_000, "boot": BOOT}
    rest = {"session": unit.session, "report_no": 1, "stamp_ms": now_ms}
    before = (unit.seq, unit.ceiling_ma, unit.state)
    assert not unit.accept(Grant(**{**fields, **rest, **change}), now_ms)  # type: ignore[arg-type]  # one field is another
    assert (unit.seq, unit.ceiling_ma, unit.state) == before


def test_when_the_fence_moves_numbers_begin_again() -> None:
    unit, now_ms = raised()
    unit.bow()
    assert unit.accept(Grant(1, GrantKind.RAISE, 9_000, 9_000, BOOT, unit.session, 1, now_ms), now_ms)


def test_with_a_new_session_a_raise_ends_and_a_cap_stays() -> None:
    unit, now_ms = raised()
    unit.device(session_ended=True, closed=False, idle_and_led=False, now_ms=now_ms)
    assert (unit.state, unit.ceiling_ma) == (LeaseState.FALL_BACK, F)
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    unit.device(session_ended=True, closed=True, idle_and_led=False, now_ms=now_ms)
    assert (unit.state, unit.ceiling_ma) == (LeaseState.CAPPED, 0)


def test_an_idle_unit_that_is_led_caps_itself() -> None:
    unit, now_ms = raised()
    unit.device(session_ended=True, closed=False, idle_and_led=True, now_ms=now_ms)
    answer(unit, now_ms, closed=False)
    assert (unit.state, unit.ceiling_ma, unit.cap_left_ms(now_ms)) == (LeaseState.CAPPED, 0, K)


# What may be drawn


def test_a_raise_counts_before_the_device_has_answered() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms), now_ms)
    assert unit.most_ma(now_ms) == 32_000


def test_a_lowering_counts_at_the_old_ceiling_until_the_device_answers_and_a_vehicle_has_had_its_time() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    pilot = unit.pilot(now_ms)
    assert pilot is not None
    assert unit.most_ma(now_ms + D) == 32_000, "the write stalls: nothing has been lowered yet"
    unit.answered(pilot.write, 0, now_ms + 300, closed=True)
    assert unit.most_ma(now_ms + 300 + D - 1) == 32_000
    assert unit.most_ma(now_ms + 300 + D) == 0


def test_a_ceiling_that_the_pilot_is_already_under_counts_from_the_decision() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms, 10_000), now_ms)
    answer(unit, now_ms)
    unit.accept(grant(GrantKind.TRIM, 20_000, unit, now_ms, 10_000), now_ms + 4_000)
    assert unit.most_ma(now_ms + 4_000 + D - 1) == 32_000
    assert unit.most_ma(now_ms + 4_000 + D) == 20_000


def test_a_ceiling_that_was_lowered_while_a_write_was_under_way_counts_from_the_decision_at_the_earliest() -> None:
    """The answer may be of before: a process that stood still takes in the trim first, and then the answer."""
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms), now_ms)
    answer(unit, now_ms)
    unit.accept(grant(GrantKind.TRIM, 21_000, unit, now_ms, 20_000), now_ms)
    pilot = unit.pilot(now_ms)
    assert pilot is not None
    unit.accept(grant(GrantKind.TRIM, 20_000, unit, now_ms, 20_000), now_ms + 3_000)
    unit.answered(pilot.write, 20_000, now_ms + 300, closed=True)
    assert unit.most_ma(now_ms + 300 + D - 1) == 32_000
    assert unit.most_ma(now_ms + 300 + D) == 21_000
    assert unit.most_ma(now_ms + 3_000 + D) == 20_000


def test_an_open_contactor_ends_what_was_drawn_at_once() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms + 50, closed=False)
    assert unit.most_ma(now_ms + 50) == 0


def test_an_open_contactor_does_not_end_what_the_pilot_may_still_say() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    unit.device(session_ended=False, closed=False, idle_and_led=False, now_ms=now_ms + 10)
    assert unit.most_ma(now_ms + 10) == 32_000, "another vehicle would still be offered 32 A"


def test_more_former_ceilings_than_there_are_slots_are_merged_upward() -> None:
    tail = Tail(1_000)
    for number in range(SLOTS + 3):
        tail.lowered(30_000 - number * 1_000, number, pilot_is_low=True, write=0)
    assert tail.most_ma(SLOTS + 3) == 30_000
    assert tail.most_ma(1_000 + SLOTS + 3) == 0


def test_a_former_ceiling_without_an_answer_stays_when_merged() -> None:
    tail = Tail(1_000)
    tail.lowered(30_000, 0, pilot_is_low=False, write=1)
    for number in range(SLOTS):
        tail.lowered(20_000, number, pilot_is_low=True, write=1)
    assert tail.most_ma(10**9) == 30_000
    tail.answered(1, 10**9)
    assert tail.most_ma(10**9 + 1_000) == 0


# Another fallback


@pytest.mark.parametrize("fallback_ma", [0, 6_000, 8_000])
def test_a_cap_goes_on_when_another_fallback_is_commissioned(fallback_ma: int) -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    unit.commission(fallback_ma, CONNECTOR, TIMING, now_ms + 1_000)
    unit.expire(now_ms + K - 1)
    assert unit.ceiling_ma == 0


def test_a_greater_fallback_waits_until_what_was_granted_beside_the_former_one_is_over() -> None:
    unit, now_ms = at_fallback()
    unit.commission(8_000, CONNECTOR, TIMING, now_ms)
    unit.expire(now_ms + TIMING.wait_ms - 1)
    assert unit.ceiling_ma == F
    unit.expire(now_ms + TIMING.wait_ms)
    assert unit.ceiling_ma == 8_000


def test_a_greater_fallback_waits_also_at_the_end_of_a_cold_hold() -> None:
    """Found by a storm: a unit that had started 28 s before a step went up while others still followed down."""
    unit = holder(0)
    answer(unit, NOW)
    late_ms = NOW + Z - 2_000
    unit.commission(12_000, CONNECTOR, TIMING, late_ms)
    pilot = answer(unit, late_ms)
    assert pilot is not None
    assert (pilot.offer_ma, pilot.until_ms, pilot.then_ma) == (0, late_ms + TIMING.wait_ms, 12_000)
    unit.expire(late_ms + TIMING.wait_ms - 1)
    assert unit.ceiling_ma == 0
    unit.expire(late_ms + TIMING.wait_ms)
    assert unit.ceiling_ma == 12_000


def test_a_raise_ends_and_a_smaller_fallback_holds_at_once() -> None:
    unit, now_ms = raised()
    unit.commission(0, CONNECTOR, TIMING, now_ms)
    assert (unit.state, unit.ceiling_ma, unit.offer_ma) == (LeaseState.FALL_BACK, 0, 0)


# The guard


def test_a_vehicle_above_its_ceiling_at_the_end_of_its_time_has_its_contactor_opened_and_latched_after_repeats() -> (
    None
):
    unit, now_ms = raised()
    for trip in range(1, TRIPS_MOST + 1):
        unit.accept(grant(GrantKind.RAISE, 20_000, unit, now_ms), now_ms)
        answer(unit, now_ms)
        unit.accept(grant(GrantKind.RAISE, 8_000, unit, now_ms), now_ms)
        answer(unit, now_ms)
        due_ms = now_ms + TIMING.follow_ms - 1_000
        unit.measured(18_000, due_ms - 200, due_ms)
        unit.expire(due_ms)
        pilot = unit.pilot(due_ms)
        assert pilot is not None
        assert (pilot.offer_ma, pilot.open) == (0, True)
        assert unit.faulted == (trip == TRIPS_MOST)
        now_ms = due_ms + TRIPPED_MS
        unit.answered(pilot.write, 0, due_ms, closed=False)
        unit.expire(now_ms)
        assert unit.tripped == unit.faulted
    unit.device(session_ended=True, closed=False, idle_and_led=False, now_ms=now_ms)
    assert not unit.faulted, "another vehicle starts anew"


def test_a_vehicle_that_follows_keeps_its_contactor() -> None:
    guard = Guard(TIMING, 500)
    guard.lowered(8_000, 0)
    guard.measured(8_400, 4_500, 8_000)
    assert not guard.must_open(8_000, 5_000)


def test_a_measurement_that_is_too_old_opens_nothing() -> None:
    guard = Guard(TIMING, 500)
    guard.lowered(8_000, 0)
    guard.measured(18_000, 1_000, 32_000)
    assert not guard.must_open(8_000, 5_000)
    assert guard.next_ms() is None


def test_a_ceiling_that_was_raised_since_allows_what_it_allows() -> None:
    guard = Guard(TIMING, 500)
    guard.lowered(8_000, 0)
    guard.raised(20_000)
    guard.lowered(6_000, 4_000)
    guard.measured(18_000, 4_900, 20_000)
    assert not guard.must_open(6_000, 5_000)
    guard.measured(18_000, 8_900, 20_000)
    assert guard.must_open(6_000, 9_000)


def test_a_vehicle_that_rises_above_its_ceiling_by_itself_is_cut_off_after_its_time() -> None:
    guard, opened = Guard(TIMING, 500), False
    for at_ms in range(0, 5_001, 1_000):
        guard.measured(12_000, at_ms, 10_000)
        opened = guard.must_open(10_000, at_ms)
    assert opened
