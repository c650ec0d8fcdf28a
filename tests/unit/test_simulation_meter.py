"""Meters are late and coarse in a known way; loads and chances depend on their seed alone."""

import pytest

from powershare.errors import ContractError
from powershare.simulation.chance import Chance
from powershare.simulation.engine import Engine
from powershare.simulation.meter import LoadProfile, Meter, MeterTraits, household_load


def test_a_reading_is_the_last_sample_that_has_arrived() -> None:
    meter = Meter(MeterTraits(period_ms=1_000, delay_ms=300))
    assert meter.change(5_000, 1_400) == 2_300
    assert meter.read(1_500) == (0, 500)
    assert meter.read(2_299) == (0, 1_299)
    assert meter.read(2_300) == (5_000, 300)


def test_a_reading_that_is_ten_seconds_late_shows_the_past() -> None:
    meter = Meter(MeterTraits(period_ms=1_000, delay_ms=10_000))
    for second in range(20):
        meter.change(second * 1_000, second * 1_000)
        reading = meter.read(second * 1_000)
        assert reading == (max(0, second - 10) * 1_000, 10_000)


def test_readings_are_rounded_up() -> None:
    meter = Meter(MeterTraits(period_ms=1, delay_ms=0, step_ma=500))
    meter.change(6_001, 10)
    assert meter.read(10) == (6_500, 0)


def test_a_silent_meter_knows_nothing() -> None:
    meter = Meter(MeterTraits())
    meter.silent = True
    assert meter.read(10_000) is None


def test_a_profile_holds_each_load_until_the_next() -> None:
    profile = LoadProfile((100, 200), ((1,), (2,)))
    assert [profile.at(t_ms) for t_ms in (0, 99, 100, 199, 200, 999)] == [(0,), (0,), (1,), (1,), (2,), (2,)]


def test_a_household_stays_within_its_worst_case_and_follows_its_seed() -> None:
    first, second, other = (
        household_load(Chance(seed), lines=3, worst_ma=20_000, from_ms=0, until_ms=86_400_000) for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other
    assert max(max(load) for load in first.loads_ma) <= 20_000
    assert len(set(first.loads_ma)) > 50


def test_chance_follows_its_seed_on_every_machine() -> None:
    """The first numbers of the published generator for seed 1234567."""
    chance = Chance(1234567)
    assert [chance.next_bits() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_a_spread_has_its_standard_deviation() -> None:
    chance = Chance(5)
    drawn = [chance.spread(1_800_000) for _ in range(4_000)]
    mean = sum(drawn) / len(drawn)
    deviation = (sum((value - mean) ** 2 for value in drawn) / len(drawn)) ** 0.5
    assert abs(mean) < 100_000
    assert 1_700_000 < deviation < 1_900_000


def test_things_of_one_instant_happen_in_the_order_they_were_scheduled() -> None:
    engine, seen = Engine(), list[int]()
    for number in (3, 1, 2):
        engine.at(10, lambda number=number: seen.append(number))  # type: ignore[misc]
    engine.at(5, lambda: engine.at(10, lambda: seen.append(4)))
    engine.run(9)
    assert seen == []
    assert engine.now_ms == 9
    engine.run()
    assert seen == [3, 1, 2, 4]


def test_nothing_happens_in_the_past() -> None:
    engine = Engine(100)
    with pytest.raises(ContractError, match="is past"):
        engine.at(99, lambda: None)
