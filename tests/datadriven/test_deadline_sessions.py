"""The deadline order on sessions, made up and real, against a linear program and against how peers sort."""

from functools import cache
from random import Random

import attrs
import pytest
from tests.support import garage
from tests.support.conflicts import most_met
from tests.support.orders import earliest_deadline_first, least_laxity_first

from powershare.files import import_norway
from powershare.policy import Policy
from powershare.simulation.replay import Replay, replay, uncontrolled_peak_ma
from powershare.simulation.report import SimulationReport
from powershare.simulation.session import Sessions
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import ALL_LINES

MINUTE_MS = 60_000
ORDERS = {"earliest deadline": earliest_deadline_first, "least laxity": least_laxity_first}

needs_data = pytest.mark.skipif(
    not garage.NORWAY.exists(), reason="the Norwegian apartment data is not here; name its directory in POWERSHARE_DATA"
)


def stated(stays: list[garage.Stay], error_min: float, seed: int) -> list[garage.Stay]:
    """The same stays, each departure stated with an error."""
    random = Random(seed)
    return [
        attrs.evolve(stay, stated_ms=stay.until_ms + round(random.gauss(0, error_min) * MINUTE_MS)) for stay in stays
    ]


def made_up(seed: int) -> list[garage.Stay]:
    """Ten days in a garage of eight places: overnight stays, and short ones with little slack."""
    random = Random(seed)
    stays = []
    for place in range(8):
        now_min = random.randrange(0, 600)
        while now_min < 10 * 1_440:
            length_min = random.choice((40, 90, 150, 600, 700))
            share = random.uniform(0.1, 0.8 if length_min < 200 else 0.4)
            energy_wh = round(share * length_min / 60 * 7_360)
            stays.append(garage.Stay(f"p{place}", now_min * MINUTE_MS, (now_min + length_min) * MINUTE_MS, energy_wh))
            now_min += length_min + random.randrange(60, 900)
    return sorted(stays, key=lambda stay: (stay.from_ms, stay.connector))


def outcome(stays: list[garage.Stay], limit_ma: int) -> garage.Outcome:
    site = garage.flat_site((stay.connector for stay in stays), limit_ma)
    return garage.drive(stays, garage.by_policy(site, Policy(site, "deadline")))


@pytest.mark.parametrize("error_min", [0, 30])
def test_made_up_sessions_lose_hardly_any_energy_and_most_are_met(error_min: float) -> None:
    ours = {"met": 0, "earliest": 0, "laxity": 0}
    for seed in range(3):
        stays = stated(made_up(seed), error_min, seed)
        limit_ma = garage.uncontrolled_peak_ma(stays) // 2
        result = outcome(stays, limit_ma)
        assert result.delivered >= 0.985 * garage.optimum(stays, limit_ma)
        assert result.unsendable == 0
        assert result.peak_ma <= limit_ma
        assert result.pauses <= result.stays
        assert result.pauses_most <= 3
        ours["met"] += result.met
        ours["earliest"] += garage.drive(stays, garage.by_sorting(limit_ma, garage.earliest_deadline)).met
        ours["laxity"] += garage.drive(stays, garage.by_sorting(limit_ma, garage.least_laxity)).met
    assert ours["met"] >= max(ours["earliest"], ours["laxity"]) - (1 if error_min else 0)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("error_min", [0, 30])
def test_bl2_at_half_its_peak_is_within_a_hair_of_the_optimum(error_min: float) -> None:
    stays = stated(garage.norway("Bl2"), error_min, 1)
    limit_ma = garage.uncontrolled_peak_ma(stays) // 2
    result = outcome(stays, limit_ma)
    assert result.delivered >= 0.985 * garage.optimum(stays, limit_ma)
    assert (result.unsendable, result.peak_ma <= limit_ma) == (0, True)
    assert result.pauses <= result.stays


def bl2_site(sessions: Sessions, supply: Supply, limit_ma: int) -> Site:
    """All places on one feeder; on three phases each with the next rotation."""
    rotations = [ALL_LINES[turn:] + ALL_LINES[:turn] for turn in range(3)]
    return Site(
        supply=supply,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
        connectors=tuple(
            Connector(id=name, circuit="feeder", lines=rotations[place % 3] if len(supply.lines) == 3 else None)
            for place, name in enumerate(sorted({session.connector for session in sessions.sessions}))
        ),
    )


@cache
def bl2() -> Sessions:
    return import_norway(garage.NORWAY, "Bl2")


@cache
def uncontrolled(supply: Supply) -> SimulationReport:
    return replay(bl2_site(bl2(), supply, 10_000_000), bl2(), order="uncontrolled")


def limit_ma(supply: Supply, percent: int) -> int:
    return uncontrolled_peak_ma(uncontrolled(supply), "feeder") * percent // 100


def replayed(supply: Supply, percent: int, order: str, error_s: int = 0, seed: int = 0) -> SimulationReport:
    site = bl2_site(bl2(), supply, limit_ma(supply, percent))
    run = Replay(site, bl2(), order="deadline", departure_error_s=error_s, seed=seed)
    if order in ORDERS:
        run.garage.policy = ORDERS[order](site)
    run.run()
    return run.report()


def most_that_can_be_met(supply: Supply, percent: int) -> int:
    line = {
        connector.id: connector.lines[0] if connector.lines else None
        for connector in bl2_site(bl2(), supply, 10_000_000).connectors
    }
    alone = [outcome.session for outcome in uncontrolled(supply).outcomes if outcome.met]
    return most_met(alone, lambda one: line[one.connector], limit_ma(supply, percent), garage.VOLTS)


def check_deadline(ours: SimulationReport) -> None:
    """What holds of the order wherever vehicles react late and stay below their offers."""
    assert (ours.limits_broken, ours.unsendable_offers) == (0, 0)
    assert ours.energy_delivered_kwh >= 0.985 * ours.energy_asked_kwh  # and so of any optimum
    assert sum(one.pauses for one in ours.outcomes) <= ours.sessions
    assert ours.pauses_most <= 3


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("percent", "supply"),
    [
        (40, Supply.THREE_PHASE),
        pytest.param(40, Supply.SINGLE_PHASE, marks=pytest.mark.long),
        pytest.param(50, Supply.THREE_PHASE, marks=pytest.mark.long),
        pytest.param(50, Supply.SINGLE_PHASE, marks=pytest.mark.long),
    ],
    ids=lambda value: value.value if isinstance(value, Supply) else str(value),
)
def test_bl2_meets_more_sessions_than_sorting_by_deadline_or_laxity(percent: int, supply: Supply) -> None:
    """More than either order, unless that order is within one session of what any schedule can meet.

    Half the peak leaves next to no conflicts: on one line every session can be met, as deadline and least laxity
    do. On three lines two sessions cannot be by any schedule, and a third only by one that fills the line to 99 %
    for four hours, with vehicles that follow at once; deadline and earliest deadline both miss just these three.
    """
    ours, most = replayed(supply, percent, "deadline"), most_that_can_be_met(supply, percent)
    check_deadline(ours)
    assert ours.sessions_met <= most
    for name in ORDERS:
        theirs = replayed(supply, percent, name).sessions_met
        assert ours.sessions_met > theirs or ours.sessions_met == theirs >= most - 1, (name, theirs, most)


@needs_data
@pytest.mark.slow
@pytest.mark.long
def test_bl2_with_wrong_departures_meets_more_sessions_than_the_others_over_seeds() -> None:
    """At half the peak, departures wrong by 30 min: a seed moves one or two sessions either way, six runs do not."""
    met = dict.fromkeys(("deadline", *ORDERS), 0)
    for supply in (Supply.SINGLE_PHASE, Supply.THREE_PHASE):
        for seed in range(3):
            ours = replayed(supply, 50, "deadline", 1_800, seed)
            check_deadline(ours)
            met["deadline"] += ours.sessions_met
            for name in ORDERS:
                met[name] += replayed(supply, 50, name, 1_800, seed).sessions_met
    assert met["deadline"] > max(met[name] for name in ORDERS), met
