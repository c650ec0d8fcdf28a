"""What is outside the assumptions, and bounded all the same: limits that fall, and vehicles that ignore their pilot.

The times are those of the protocol (3.8). With messages getting through: a cycle, their way to the leader and back, and
what a write takes, for what is offered; a vehicle's time to follow more for what is drawn.
With none: a raise ends, and then the same.
"""

import pytest

from powershare.node import NetworkConfig
from powershare.simulation.network import INSIDE, Campaign, Outcome, Storm, Tally, parse, tally
from powershare.simulation.network.links import LinkTraits
from powershare.site import Circuit, Connector, Meter, Site, Supply
from powershare.timing import Timing
from powershare.trace import Breach, LoadKind

TIMES = Timing()
STALE_MS = 10_000
READ_MS = 1_000
"""How long a change of other load may stand before a meter reads it."""

LINKS = LinkTraits()
WITH_MESSAGES_MS = TIMES.cycle_ms + TIMES.write_ms + 2 * LINKS.delay_ms[1]
WITHOUT_MS = TIMES.raise_lease_ms * 101 // 100 + TIMES.write_ms
FOLLOWS_MS = TIMES.follow_ms * 101 // 100

CONFIG = NetworkConfig(
    site=Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="main", limit_ma=60_000, other_load_worst_ma=24_000),),
        connectors=tuple(Connector(id=name, circuit="main", step_ma=1_000) for name in "abcdef"),
        meters=(Meter(circuit="main", adapter="emulated", stale_after_ms=STALE_MS),),
    )
)
CARS = [
    "1 plug a 32",
    "2 plug b 16 reacts 3 ramps 32",
    "3 plug c 32 reacts 2 ramps 1",
    "4 load main 0",
    "5 meter main at d",
]

HOUSE = [f"{60 + 50 * number} load main {amps}" for number, amps in enumerate([24, 0, 12, 24, 4, 20, 0, 24])]
"""What the house draws, time after time."""


def load_rises_during(fault: str) -> list[str]:
    """The house draws most from the instant at which something fails for a minute, three times."""
    lines = []
    for start in (100, 300, 500):
        lines += [f"{start} {fault} for 60", f"{start} load main 24", f"{start + 70} load main 0"]
    return lines


def run(lines: list[str], seed: int, loss_percent: int = 0) -> Outcome:
    storm = Storm(
        names=frozenset({"drift"}), ppm=10_000, links=LinkTraits(loss_percent=loss_percent), write_ms=(5, 495)
    )
    outcome = Campaign(CONFIG, seed, 600 / 3_600, storm=storm, deeds=list(parse([*CARS, *lines]))).run()
    assert not outcome.broken, outcome.failures
    return outcome


def longest_ms(breaches: list[Breach], kind: LoadKind) -> int:
    return max(
        (breach.until_ms - breach.t_ms for breach in breaches if breach.kind is kind and breach.until_ms), default=0
    )


def back_under(outcome: Outcome, within_ms: int, at_least: int) -> None:
    """Every stretch above a fallen limit is over in time; there were so many."""
    found = [breach for breach in outcome.audit.outside if breach.connectors_ma]
    assert all(breach.until_ms is not None for breach in found)
    assert sum(breach.kind is LoadKind.OFFERED for breach in found) >= at_least
    assert longest_ms(found, LoadKind.OFFERED) <= within_ms
    assert longest_ms(found, LoadKind.DRAWN) <= within_ms + FOLLOWS_MS


@pytest.mark.parametrize("seed", range(4))
def test_a_limit_from_outside_holds_within_a_cycle_and_a_write(seed: int) -> None:
    """Also one under the sum of the fallbacks, and whoever is told of it."""
    lines = [
        f"{60 + 100 * number} limit main {amps} for 50 told {told}"
        for number, (amps, told) in enumerate([(30, "a"), (20, "d"), (8, "b"), (0, "f"), (40, "c")])
    ]
    back_under(run(lines, seed), WITH_MESSAGES_MS, at_least=4)


@pytest.mark.parametrize("seed", range(4))
def test_a_house_that_draws_more_has_its_room_within_a_reading_a_cycle_and_a_write(seed: int) -> None:
    back_under(run(HOUSE, seed), READ_MS + WITH_MESSAGES_MS, at_least=3)


@pytest.mark.parametrize("seed", range(4))
def test_with_no_message_getting_through_it_takes_until_raises_have_ended(seed: int) -> None:
    back_under(run(load_rises_during("partition a b c d e f"), seed), WITHOUT_MS, at_least=3)


@pytest.mark.parametrize("seed", range(4))
def test_a_meter_that_fell_silent_reads_the_worst_once_its_last_reading_is_too_old(seed: int) -> None:
    back_under(run(load_rises_during("silence"), seed), STALE_MS + WITH_MESSAGES_MS, at_least=3)


@pytest.mark.parametrize("loss_percent", [10, 30])
def test_messages_that_get_lost_cost_cycles_and_never_more_than_none_getting_through(loss_percent: int) -> None:
    back_under(run(HOUSE, 1, loss_percent), READ_MS + WITHOUT_MS, at_least=3)


def test_what_is_offered_is_never_above_a_limit_while_vehicles_ignore_their_pilot() -> None:
    """With every fault inside the assumptions beside that."""
    total = Tally()
    for seed in range(6):
        one, outcome = tally(Campaign(CONFIG, seed, 0.25, names=frozenset({*INSIDE, "ignore"})))
        assert not outcome.broken, outcome.failures
        assert [breach for breach in outcome.audit.outside if breach.kind is LoadKind.OFFERED] == []
        total += one
    assert total.outside["ignores"] >= 5
    assert total.outside_limits_broken > 0  # by what is drawn, for as long as a contactor takes
