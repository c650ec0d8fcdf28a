"""The garage's own bookkeeping: who wakes the policy, what the trace says of limits that come and go."""

import itertools

import pytest

from powershare.demand import ExternalLimit
from powershare.policy import Policy
from powershare.simulation.engine import Engine
from powershare.simulation.garage import FOREIGN_LOAD_MS, Garage
from powershare.simulation.meter import LoadProfile, MeterTraits
from powershare.simulation.vehicle import Traits, Vehicle
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import CircuitEvent, TraceEvent


def site(limit_ma: int, other_worst_ma: int = 0) -> Site:
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma, other_load_worst_ma=other_worst_ma),),
        connectors=tuple(Connector(id=f"c{number}", circuit="feeder", step_ma=1_000) for number in range(2)),
    )


def car(max_ma: int = 32_000, shortfall_ma: int = 0) -> Vehicle:
    return Vehicle(Traits(max_ma=max_ma, shortfall_ma=shortfall_ma), 1 << 60, 0)


def offers_ma(garage: Garage) -> list[int]:
    return [connector.offered_ma for connector in garage.connectors]


def test_a_reading_that_is_still_on_its_way_is_looked_at_though_something_else_happens_before() -> None:
    engine = Engine()
    place = site(32_000, other_worst_ma=20_000)
    garage = Garage(place, engine, Policy(place), meter=MeterTraits(period_ms=5_000, delay_ms=5_000))
    garage.load("feeder", LoadProfile((0, 600_000), ((0,), (20_000,))))
    garage.plug("c0", car())
    garage.plug("c1", car(6_000))
    engine.run(600_500)
    garage.unplug("c1")
    engine.run(1_200_000)
    assert offers_ma(garage) == [12_000, 0]
    assert not garage.audit.result().inside


def test_a_share_that_is_not_used_is_given_away_though_nothing_else_happens() -> None:
    engine, place = Engine(), site(40_000)
    garage = Garage(place, engine, Policy(place))
    garage.plug("c0", car(shortfall_ma=10_000))
    garage.plug("c1", car())
    engine.run(600_000)
    assert offers_ma(garage)[1] > 24_000


def test_a_limit_that_is_lifted_is_lifted_in_the_trace() -> None:
    engine, place = Engine(), site(40_000)
    told: list[TraceEvent] = []
    garage = Garage(place, engine, Policy(place), on_event=told.append)
    garage.plug("c0", car())
    garage.plug("c1", car())
    engine.run(60_000)
    garage.impose([ExternalLimit(circuit="feeder", limit_ma=20_000, source="utility")])
    engine.run(300_000)
    assert offers_ma(garage) == [10_000, 10_000]
    garage.impose([])
    engine.run(600_000)
    assert offers_ma(garage) == [20_000, 20_000]
    assert not garage.audit.result().inside
    limits = [(event.t_ms, event.limit_ma, event.outside) for event in told if isinstance(event, CircuitEvent)]
    assert [(t_ms, limit_ma) for t_ms, limit_ma, _ in limits] == [
        (60_000, (20_000,)),
        (60_000 + FOREIGN_LOAD_MS, (20_000,)),
        (300_000, (40_000,)),
    ]
    assert [outside for _, _, outside in limits[:2]] == ["A7", None]
    assert limits[2][2] != "A7", "a limit that rises excuses nothing"


def test_an_excuse_lasts_its_time_from_the_last_fall_of_a_limit() -> None:
    engine, place = Engine(), site(40_000)
    told: list[TraceEvent] = []
    garage = Garage(place, engine, Policy(place), on_event=told.append)
    garage.impose([ExternalLimit(circuit="feeder", limit_ma=30_000, source="utility")])
    engine.run(50_000)
    garage.impose([ExternalLimit(circuit="feeder", limit_ma=20_000, source="utility")])
    engine.run(300_000)
    ends = [event.t_ms for event in told if isinstance(event, CircuitEvent) and event.outside is None]
    assert ends == [50_000 + FOREIGN_LOAD_MS]


def test_a_vehicle_that_stays_far_below_its_offer_draws_nothing_rather_than_less() -> None:
    vehicle = car(shortfall_ma=10_000)
    vehicle.offer(6_000, 0)
    vehicle.connect(0, closed=True)
    for now_ms in range(0, 60_000, 1_000):
        vehicle.advance(now_ms)
    assert (vehicle.current_ma, vehicle.charge2) == (0, 0)


def test_a_load_that_changes_often_is_not_read_from_its_start_at_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirteen months of a household are a hundred thousand changes."""
    looks = itertools.count()

    class Starts(tuple[int, ...]):
        __slots__ = ()

        def __iter__(self) -> "itertools.chain[int]":
            for _ in self[:]:
                next(looks)
            return itertools.chain(self[:])

    engine, place = Engine(), site(40_000)
    garage = Garage(place, engine, Policy(place))
    starts = Starts(range(0, 300_000, 1_000))
    garage.load("feeder", LoadProfile(starts, tuple((1_000 * (place % 2),) for place in range(300))))
    engine.run(400_000)
    assert next(looks) < 1_000
