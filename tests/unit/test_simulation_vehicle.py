"""A vehicle follows its pilot as slowly as real ones do, and its books are exact."""

import attrs
import pytest

from powershare.errors import ContractError
from powershare.simulation.vehicle import Traits, Vehicle

PLAIN = Traits(max_ma=32_000, reaction_ms=5_000)
PLENTY = 1 << 60


def plugged(traits: Traits = PLAIN, *, charge2: int = PLENTY, step_ma: int = 0) -> Vehicle:
    vehicle = Vehicle(traits, charge2, 0, step_ma)
    vehicle.offer(20_000, 0)
    vehicle.connect(0, closed=True)
    return vehicle


def at(vehicle: Vehicle, now_ms: int) -> int:
    vehicle.advance(now_ms)
    return vehicle.current_ma


def test_it_reacts_after_five_seconds_and_ramps_up_at_650_ma_a_second() -> None:
    vehicle = plugged()
    assert at(vehicle, 4_999) == 0
    assert at(vehicle, 5_000) == 0
    assert at(vehicle, 6_000) == 650
    assert at(vehicle, 5_000 + 10_000) == 6_500
    assert at(vehicle, 60_000) == 20_000


def test_it_ramps_down_at_one_amp_a_second_after_its_reaction() -> None:
    vehicle = plugged()
    vehicle.advance(60_000)
    vehicle.offer(8_000, 60_000)
    assert at(vehicle, 65_000) == 20_000
    assert at(vehicle, 70_000) == 15_000
    assert at(vehicle, 77_000) == 8_000
    assert at(vehicle, 99_000) == 8_000


def test_it_acts_on_the_pilot_as_it_is_when_it_reacts() -> None:
    vehicle = plugged()
    vehicle.advance(1_000)
    vehicle.offer(8_000, 1_000)
    assert at(vehicle, 60_000) == 8_000


def test_it_stays_below_its_offer_by_its_shortfall() -> None:
    assert at(plugged(attrs.evolve(PLAIN, shortfall_ma=800)), 60_000) == 19_200


def test_it_takes_no_more_than_it_can() -> None:
    assert at(plugged(attrs.evolve(PLAIN, max_ma=16_000)), 60_000) == 16_000


def test_it_sleeps_and_wakes_by_itself() -> None:
    vehicle = plugged(attrs.evolve(PLAIN, sleeps_ms=100_000))
    assert vehicle.asleep
    assert at(vehicle, 99_999) == 0
    assert at(vehicle, 101_000) == 650
    assert not vehicle.asleep


def test_an_offer_after_a_pause_wakes_it() -> None:
    vehicle = plugged(attrs.evolve(PLAIN, sleeps_ms=10_000_000))
    vehicle.advance(50_000)
    vehicle.offer(0, 50_000)
    vehicle.advance(60_000)
    vehicle.offer(10_000, 60_000)
    assert at(vehicle, 120_000) == 10_000


def test_it_gives_up_after_too_many_pauses() -> None:
    vehicle = plugged(attrs.evolve(PLAIN, gives_up_after=1))
    for pause in range(2):
        vehicle.advance(100_000 * pause + 50_000)
        vehicle.offer(0, 100_000 * pause + 50_000)
        assert vehicle.wants is (pause == 0)
        vehicle.advance(100_000 * pause + 90_000)
        vehicle.offer(20_000, 100_000 * pause + 90_000)
    assert at(vehicle, 1_000_000) == 0
    assert vehicle.pauses == 2


def test_one_that_ignores_its_pilot_draws_all_until_the_contactor_opens() -> None:
    vehicle = plugged(attrs.evolve(PLAIN, ignores_pilot=True))
    assert at(vehicle, 100_000) == 32_000
    vehicle.offer(0, 100_000)
    assert at(vehicle, 200_000) == 32_000
    vehicle.connect(200_000, closed=False)
    assert vehicle.current_ma == 0
    assert not vehicle.traits.obeys


def test_opening_the_contactor_ends_the_current_at_once_and_it_resumes_after_closing() -> None:
    vehicle = plugged()
    vehicle.advance(60_000)
    vehicle.connect(60_000, closed=False)
    assert vehicle.current_ma == 0
    assert vehicle.reading_ma == 0
    vehicle.advance(70_000)
    vehicle.connect(70_000, closed=True)
    assert at(vehicle, 200_000) == 20_000


def test_it_stops_with_exactly_the_charge_it_asked_for() -> None:
    charge2 = 2 * 20_000 * 3_600_000
    vehicle = plugged(charge2=charge2)
    vehicle.advance(10_000_000)
    assert vehicle.current_ma == 0
    assert not vehicle.wants
    # It stops at a whole millisecond, so it may be over by what one of them carries.
    assert charge2 <= vehicle.charge2 < charge2 + 2 * 20_000


def test_it_stops_within_a_ramp_when_it_asked_for_little() -> None:
    vehicle = plugged(charge2=1_000_000)
    vehicle.advance(1_000_000)
    assert 1_000_000 <= vehicle.charge2 < 1_000_000 + 2 * 20_000


def test_its_charge_is_the_trapezoid_of_its_ramp() -> None:
    vehicle = plugged()
    vehicle.advance(15_000)
    assert vehicle.charge2 == 6_500 * 10_000


def test_its_battery_takes_less_and_less_at_the_end() -> None:
    charge2 = 2 * 20_000 * 3_600_000
    vehicle = plugged(attrs.evolve(PLAIN, max_ma=20_000, taper_percent=20), charge2=charge2)
    seen: list[int] = []
    while vehicle.wants:
        next_ms = vehicle.next_ms()
        assert next_ms is not None
        vehicle.advance(next_ms)
        seen.append(vehicle.reading_ma)
    falling = seen[seen.index(20_000) :]
    assert falling == sorted(falling, reverse=True)
    assert len(set(falling)) >= 8
    assert vehicle.charge2 >= charge2


@pytest.mark.parametrize("step_ma", [0, 500, 1_000, 4_000])
def test_the_reading_is_never_below_the_current_and_changes_only_when_announced(step_ma: int) -> None:
    vehicle = plugged(step_ma=step_ma)
    offers = {0: 20_000, 20_000: 9_000, 23_000: 31_000, 90_000: 0, 130_000: 7_000, 133_000: 6_000}
    next_ms = vehicle.next_ms()
    before_ma = vehicle.reading_ma
    for now_ms in range(0, 200_000, 7):
        offer_ma = next((ma for at_ms, ma in offers.items() if now_ms - 7 < at_ms <= now_ms), None)
        vehicle.advance(now_ms)
        announced = next_ms is not None and next_ms <= now_ms
        if not announced:
            assert vehicle.reading_ma == before_ma, now_ms
        if offer_ma is not None:
            vehicle.offer(offer_ma, now_ms)
        assert vehicle.reading_ma >= vehicle.current_ma
        if step_ma:
            assert vehicle.reading_ma <= vehicle.current_ma + step_ma
        before_ma, next_ms = vehicle.reading_ma, vehicle.next_ms()
    assert vehicle.current_ma == 6_000
    assert vehicle.reading_ma == 6_000


def test_time_does_not_go_back() -> None:
    vehicle = plugged()
    vehicle.advance(10)
    with pytest.raises(ContractError, match="time goes back"):
        vehicle.advance(9)
