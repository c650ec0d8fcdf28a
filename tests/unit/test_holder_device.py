"""What a unit says of its device: what is on its way to it, what it has answered, and what it does left alone."""

import pytest
from tests.support.holders import (
    CONNECTOR,
    NOW,
    TIMING,
    A,
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

from powershare.leases import GrantKind
from powershare.leases.commands import MOST_UNDER_WAY


def test_a_cap_is_told_only_for_as_long_as_the_device_has_answered_to_keep_it() -> None:
    """Or a process that dies after its report leaves a device that rises before the cap's end, as others count it."""
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms)
    later_ms = now_ms + 10_000
    unit.accept(grant(GrantKind.CAP, 0, unit, later_ms), later_ms)
    pilot = unit.pilot(later_ms)
    assert pilot is not None
    assert pilot.keeps_low
    assert unit.cap_left_ms(later_ms) == K - 10_000
    unit.answered(pilot.write, 0, later_ms + 40, closed=True)
    assert unit.cap_left_ms(later_ms + 40) == K - 40


def test_a_raise_in_between_shortens_what_the_device_keeps() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms)
    unit.accept(grant(GrantKind.RAISE, 9_000, unit, now_ms + 900, 0), now_ms + 1_000)
    answer(unit, now_ms + 1_000)
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms + 1_900), now_ms + 2_000)
    assert unit.pilot(now_ms + 2_000) is not None
    assert unit.cap_left_ms(now_ms + 2_000) == U - 1_100, "the device rings when the raise would have ended"


def test_a_lowering_that_a_write_under_way_brings_about_ends_with_its_answer() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms, 8_000), now_ms)
    pilot = unit.pilot(now_ms)
    assert pilot is not None
    unit.accept(grant(GrantKind.TRIM, 8_000, unit, now_ms, 8_000), now_ms)
    assert unit.pilot(now_ms) is None, "it says so already"
    unit.answered(pilot.write, 8_000, now_ms + 100, closed=True)
    assert unit.most_ma(now_ms + 100 + D) == 8_000


def test_without_an_answer_a_raise_counts_until_the_device_left_alone_has_surely_fallen_back() -> None:
    unit, now_ms = raised()
    unit.expire(now_ms + U)
    assert unit.most_ma(now_ms + U + A + D - 1) == 32_000
    assert unit.most_ma(now_ms + U + A + D) == F


def test_after_a_cap_ended_the_device_may_be_at_the_fallback_whatever_it_answered_before() -> None:
    """The device left alone went there by itself; a cap that is granted in the same instant finds it there."""
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms)
    late_ms = now_ms + K + 5
    unit.expire(late_ms)
    unit.accept(grant(GrantKind.CAP, 0, unit, late_ms - 100), late_ms)
    pilot = unit.pilot(late_ms)
    assert pilot is not None
    assert pilot.offer_ma == 0
    assert unit.most_ma(late_ms + D) == F, "it has not answered the write that takes it down again"
    unit.answered(pilot.write, 0, late_ms + 30, closed=True)
    assert unit.most_ma(late_ms + 30 + D) == 0


def test_prolonging_needs_no_answer_and_any_other_offer_is_a_new_write() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms + 900), now_ms + 1_000)
    longer = unit.pilot(now_ms + 1_000)
    assert longer is not None
    assert longer.until_ms == now_ms + 900 + U
    assert unit.pilot(now_ms + 1_001) is None
    unit.accept(grant(GrantKind.RAISE, 16_000, unit, now_ms + 900), now_ms + 1_100)
    lower = unit.pilot(now_ms + 1_100)
    assert lower is not None
    assert lower.write == longer.write + 1


def test_a_write_that_came_too_late_says_nothing_of_the_one_that_prolongs_it() -> None:
    """Its device answers that it has fallen back already; what is on its way yet raises it."""
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms), now_ms)
    late = unit.pilot(now_ms)
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms + 200), now_ms + 200)
    prolonging = unit.pilot(now_ms + 200)
    assert late is not None
    assert prolonging is not None
    assert prolonging.write > late.write
    unit.answered(late.write, F, now_ms + 400, closed=False)
    unit.accept(grant(GrantKind.FALL_BACK, F, unit, now_ms + 400), now_ms + 410)
    assert unit.most_ma(now_ms + 410) == 32_000


@pytest.mark.parametrize("then_ma", [F, 18_000])
def test_a_device_that_leaves_a_cap_before_its_renewal_comes_counts_with_what_it_goes_to(then_ma: int) -> None:
    unit, now_ms = at_fallback(then_ma)
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms)
    now_ms += K
    renewed_ms = now_ms - 300
    unit.expire(renewed_ms)
    unit.accept(grant(GrantKind.CAP, 0, unit, renewed_ms), renewed_ms)
    pilot = unit.pilot(renewed_ms)
    assert pilot is not None
    assert unit.next_ms() == now_ms
    assert not unit.expire(now_ms)
    assert (unit.ceiling_ma, unit.most_ma(now_ms), unit.cap_left_ms(now_ms)) == (0, then_ma, 0)
    unit.answered(pilot.write, 0, now_ms + 150, closed=True)
    assert unit.most_ma(now_ms + 150 + D - 1) == then_ma
    assert unit.most_ma(now_ms + 150 + D) == 0
    assert unit.cap_left_ms(now_ms + 150) == K - 300 - 150


def test_a_cap_is_told_as_long_as_whatever_is_on_its_way_to_the_device_keeps_it() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    answer(unit, now_ms)
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms - 5_000), now_ms + 100)
    sooner = unit.pilot(now_ms + 100)
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms + 100), now_ms + 200)
    later = unit.pilot(now_ms + 200)
    assert sooner is not None
    assert later is not None
    assert unit.cap_left_ms(now_ms + 200) == K - 5_000 - 200
    unit.answered(sooner.write, 0, now_ms + 300, closed=True)
    assert unit.cap_left_ms(now_ms + 300) == K - 5_000 - 300
    unit.answered(later.write, 0, now_ms + 400, closed=True)
    assert unit.cap_left_ms(now_ms + 400) == K + 100 - 400


def test_nothing_is_told_of_a_cap_while_anything_else_may_be_the_last_that_the_device_takes_in() -> None:
    unit, now_ms = raised()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    pilot = unit.pilot(now_ms)
    assert pilot is not None
    assert unit.cap_left_ms(now_ms) == 0
    unit.answered(pilot.write, 0, now_ms + 50, closed=True)
    assert unit.cap_left_ms(now_ms + 50) == K - 50


def test_a_device_that_was_told_a_greater_fallback_may_go_there_when_it_is_left_alone() -> None:
    unit, now_ms = at_fallback(8_000)
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    unit.commission(6_000, CONNECTOR, TIMING, now_ms + 100)
    unit.pilot(now_ms + 100)
    surely_ms = now_ms + U + A + D
    unit.expire(surely_ms)
    assert unit.most_ma(surely_ms) >= 8_000


def test_a_lowering_is_seen_also_where_the_answer_to_the_raise_before_it_was_not() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.RAISE, 32_000, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    unit.accept(grant(GrantKind.FALL_BACK, F, unit, now_ms), now_ms + 3_000)
    lower = unit.pilot(now_ms + 3_000)
    assert lower is not None
    unit.answered(lower.write, F, now_ms + 3_400, closed=True)
    followed_ms = now_ms + 3_400 + TIMING.follow_ms - 1_000
    unit.measured(20_000, followed_ms, followed_ms)
    unit.expire(followed_ms)
    assert unit.tripped


def test_writes_to_a_device_that_answers_nothing_do_not_pile_up_and_count_at_their_worst() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.RAISE, 20_000, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    at_ms = now_ms
    for _ in range(100):
        at_ms += 1_000
        unit.expire(at_ms)
        unit.accept(grant(GrantKind.CAP, 0, unit, at_ms), at_ms)
        unit.pilot(at_ms)
    assert len(unit._commands._under_way) <= MOST_UNDER_WAY
    assert unit._commands.most_ma == 20_000
    assert unit.cap_left_ms(at_ms) == 0


def test_a_device_that_was_slow_to_start_and_is_at_the_fallback_then_does_not_silence_its_unit() -> None:
    unit = holder()
    unit.pilot(NOW)
    unit.expire(NOW + Z)
    pilot = unit.pilot(NOW + Z)
    assert pilot is not None
    unit.answered(pilot.write, F, NOW + Z + 100, closed=True)
    assert unit.speaks_from_ms == NOW + Z + 100 + D


def test_an_answer_to_what_was_never_told_says_nothing() -> None:
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.CAP, 0, unit, now_ms), now_ms)
    pilot = unit.pilot(now_ms)
    assert pilot is not None
    unit.answered(pilot.write + 1, 0, now_ms + 10, closed=True)
    assert not unit.settled
    assert unit.cap_left_ms(now_ms + 10) == 0


def test_of_writes_that_are_no_longer_told_apart_the_device_does_the_last_one_that_it_answers() -> None:
    """It leaves that cap at its end, whatever else was under way before it."""
    unit, now_ms = at_fallback()
    unit.accept(grant(GrantKind.RAISE, 20_000, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    unit.accept(grant(GrantKind.FALL_BACK, F, unit, now_ms), now_ms)
    unit.pilot(now_ms)
    caps = []
    for at_ms in range(now_ms, now_ms + 1_000 * MOST_UNDER_WAY, 1_000):
        unit.accept(grant(GrantKind.CAP, 0, unit, at_ms), at_ms)
        caps.append(unit.pilot(at_ms))
    first = caps[0]
    assert first is not None
    assert first.until_ms is not None
    unit.answered(first.write, 0, at_ms, closed=True)
    assert unit.cap_left_ms(at_ms) == first.until_ms - at_ms
    unit.expire(first.until_ms)
    assert unit.most_ma(first.until_ms) == F
