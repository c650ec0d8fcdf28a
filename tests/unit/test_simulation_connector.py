"""A connector says only what a pilot can say, and keeps its books."""

import attrs
import pytest

from powershare.errors import ContractError
from powershare.simulation import MeterTraits, SimulatedConnector, Traits, Vehicle
from powershare.simulation.connector import GRACE_MS
from powershare.site import Circuit, Connection, Connector, Site, Supply
from powershare.units import Line

CAR = Traits(max_ma=32_000, reaction_ms=3_000, lines_used=1)


def connector_of(
    supply: Supply = Supply.SINGLE_PHASE, lines: tuple[Line, ...] | None = None, connection: Connection | None = None
) -> SimulatedConnector:
    config = Connector(id="north", circuit="feeder", step_ma=1_000, lines=lines, connection=connection, fallback_ma=0)
    site = Site(supply=supply, circuits=(Circuit(id="feeder", limit_ma=40_000),), connectors=(config,))
    return SimulatedConnector(site, config, MeterTraits(period_ms=1_000, delay_ms=0))


def plugged(traits: Traits = CAR) -> SimulatedConnector:
    connector = connector_of()
    connector.plug(Vehicle(traits, connector.charge2_of(10_000, 1), 0), 0, energy_wh=10_000)
    return connector


def test_states_follow_vehicle_and_contactor() -> None:
    connector = connector_of()
    assert connector.state == "A"
    connector = plugged()
    assert connector.state == "B"
    connector.offer(10_000, 0)
    assert connector.state == "C"
    connector.fail(1_000, faulted=True)
    assert (connector.state, connector.offered_ma, connector.drawn_ma) == ("F", 0, 0)
    connector.fail(2_000, faulted=False)
    connector.offer(10_000, 2_000)
    connector.advance(20_000_000)
    assert connector.state == "B"
    assert not connector.wants
    connector.unplug(20_000_000)
    assert connector.state == "A"


def test_a_vehicle_that_asks_for_ventilation_is_in_state_d() -> None:
    connector = plugged(attrs.evolve(CAR, ventilation=True))
    connector.offer(10_000, 0)
    assert connector.state == "D"


@pytest.mark.parametrize(
    ("told_ma", "says_ma", "unsendable"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (5_999, 0, 1),
        (6_000, 6_000, 0),
        (7_999, 7_000, 0),
        (32_000, 32_000, 0),
        (40_000, 32_000, 0),
    ],
)
def test_its_pilot_says_nothing_between_zero_and_its_least_offer(told_ma: int, says_ma: int, unsendable: int) -> None:
    connector = plugged()
    connector.offer(told_ma, 0)
    assert connector.offered_ma == says_ma
    assert connector.unsendable == unsendable


def test_without_a_vehicle_it_offers_nothing() -> None:
    connector = connector_of()
    connector.offer(10_000, 0)
    assert connector.offered_ma == 0


def test_the_contactor_opens_after_the_grace_when_the_offer_fell_to_zero() -> None:
    connector = plugged()
    connector.offer(32_000, 0)
    connector.advance(60_000)
    connector.offer(0, 60_000)
    connector.advance(60_000 + GRACE_MS - 1)
    assert connector.drawn_ma > 0
    assert connector.next_ms() == 60_000 + GRACE_MS
    connector.advance(60_000 + GRACE_MS)
    assert connector.drawn_ma == 0


def test_an_offer_within_the_grace_keeps_the_contactor_closed() -> None:
    connector = plugged()
    connector.offer(32_000, 0)
    connector.advance(60_000)
    connector.offer(0, 60_000)
    connector.offer(16_000, 62_000)
    connector.advance(200_000)
    assert connector.drawn_ma == 16_000
    assert connector.state == "C"


def test_its_session_grows_and_its_turn_starts_anew_at_every_plug() -> None:
    connector = plugged()
    assert connector.session == 1
    connector.advance(5_000)
    assert connector.report(5_000).turn.waiting_ms == 5_000
    connector.unplug(6_000)
    assert connector.session == 2
    connector.plug(Vehicle(CAR, 1_000, 7_000), 7_000, energy_wh=1)
    assert connector.session == 3
    assert connector.report(7_000).turn.waiting_ms == 0


def test_it_counts_waiting_only_without_an_offer() -> None:
    connector = plugged()
    connector.offer(10_000, 4_000)
    connector.offer(0, 100_000)
    connector.advance(101_000)
    assert (connector.waited_ms, connector.longest_wait_ms) == (5_000, 4_000)


def test_its_report_tells_energy_and_departure_only_where_they_may_be_known() -> None:
    connector = connector_of()
    connector.plug(Vehicle(CAR, connector.charge2_of(10_000, 1), 0), 0, energy_wh=10_000, departs_ms=3_600_000)
    report = connector.report(0)
    assert (report.energy_needed_wh, report.departs_in_s) == (None, None)
    report = connector.report(0, tells_departure=True)
    assert (report.energy_needed_wh, report.departs_in_s) == (10_000, 3_600)


@pytest.mark.parametrize(
    ("supply", "lines", "connection", "lines_used", "watts_at_10_a"),
    [
        (Supply.SINGLE_PHASE, None, None, 1, 2_300),
        (Supply.SINGLE_PHASE, None, None, 3, 2_300),
        (Supply.SPLIT_PHASE, None, None, 3, 2_400),
        (Supply.SPLIT_PHASE, None, None, 1, 2_400),
        (Supply.THREE_PHASE, None, None, 1, 2_300),
        (Supply.THREE_PHASE, None, None, 2, 4_600),
        (Supply.THREE_PHASE, None, None, None, 6_900),
    ],
)
def test_energy_is_volts_times_amps_times_lines(
    supply: Supply,
    lines: tuple[Line, ...] | None,
    connection: Connection | None,
    lines_used: int | None,
    watts_at_10_a: int,
) -> None:
    connector = connector_of(supply, lines, connection)
    traits = Traits(max_ma=10_000, lines_used=lines_used, reaction_ms=0, ramp_up_ma_per_s=10_000_000)
    vehicle = Vehicle(traits, 1 << 60, 0)
    connector.plug(vehicle, 0, energy_wh=1 << 40)
    connector.offer(10_000, 0)
    connector.advance(3_600_000)
    assert connector.delivered_wh == pytest.approx(watts_at_10_a, abs=1)


def test_what_is_asked_is_what_is_delivered() -> None:
    connector = plugged()
    connector.offer(32_000, 0)
    connector.advance(100_000_000)
    assert connector.delivered_wh == 10_000


def test_two_vehicles_at_once_and_none_to_unplug_are_refused() -> None:
    connector = plugged()
    with pytest.raises(ContractError, match="has a vehicle"):
        connector.plug(Vehicle(CAR, 1, 0), 0, energy_wh=1)
    connector.unplug(0)
    with pytest.raises(ContractError, match="has no vehicle"):
        connector.unplug(0)
