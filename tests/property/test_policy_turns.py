"""Turns over hours of scarcity: everybody gets one, nobody is paused more often than vehicles bear."""

from random import Random

import pytest
from tests.support.scarcity import HOUR_MS, LAG_MS, Scarcity, cars_for, scarce_site

from powershare.policy import Policy


def scene(kind: str, seed: int) -> tuple[Scarcity, Random]:
    random = Random(seed)
    places = random.randrange(1, 4)
    site, used = scarce_site(kind, random.randrange(places + 1, 4 * places + 3), places, random)
    cars = cars_for(site, used, random, arrive_by_ms=5 * HOUR_MS)
    return Scarcity(site, cars, Policy(site), lambda: random.randrange(0, LAG_MS + 1)), random


@pytest.mark.parametrize("kind", ["single", "lines", "nested"])
@pytest.mark.parametrize("seed", range(8))
def test_over_eight_hours_everybody_gets_a_turn_and_nobody_is_paused_more_than_three_times(
    kind: str, seed: int
) -> None:
    scarce, _ = scene(kind, seed)
    scarce.run(8 * HOUR_MS, 60_000)
    assert all(car.had_ms >= 10 * 60_000 for car in scarce.cars.values()), {
        car.connector: (car.from_ms, car.had_ms, car.turn) for car in scarce.cars.values()
    }
    assert max(car.turn.pauses for car in scarce.cars.values()) <= 3


@pytest.mark.parametrize("kind", ["single", "lines", "nested"])
def test_a_policy_that_takes_over_every_few_minutes_costs_no_turn_and_no_pause(kind: str) -> None:
    whole, _ = scene(kind, 3)
    whole.run(8 * HOUR_MS, 60_000)
    relay, _ = scene(kind, 3)
    while relay.now_ms < 8 * HOUR_MS:
        relay.policy = Policy(relay.site)
        relay.run(min(8 * HOUR_MS, relay.now_ms + 17 * 60_000), 60_000)
    assert all(car.had_ms >= 10 * 60_000 for car in relay.cars.values())
    assert max(car.turn.pauses for car in relay.cars.values()) <= 3
    most = sum(car.turn.pauses for car in whole.cars.values())
    assert sum(car.turn.pauses for car in relay.cars.values()) <= most + 1


def test_who_sleeps_through_its_turn_gives_it_up_and_is_not_charged_a_pause() -> None:
    random = Random(1)
    site, used = scarce_site("single", 3, 1, random)
    cars = cars_for(site, used, random, arrive_by_ms=0)
    cars[0].sleeps = True
    scarce = Scarcity(site, cars, Policy(site), lambda: 2_000)
    scarce.run(20 * 60_000, 30_000)
    assert cars[0].turn.pauses == 0
    assert not cars[0].offered_ma
    assert sum(car.offered_ma > 0 for car in cars[1:]) == 1
