"""Whatever happens inside the assumptions, no limit is broken; outside them, the offers still fit."""

import hashlib
import os
import subprocess
import sys
from collections import defaultdict

import pytest
from tests.property.simulation_scenarios import Scenario

from powershare.policy import OrderName
from powershare.simulation import MeterTraits
from powershare.trace import ConnectorEvent, LoadKind, audit

LATE = MeterTraits(period_ms=1_000, delay_ms=10_000)
ORDERS: tuple[OrderName, ...] = ("fair", "priority", "deadline")


def check_no_limit_broken(scenario: Scenario) -> None:
    result = scenario.garage.audit.result()
    assert result.inside == (), f"seed {scenario.seed}: {result.inside[:2]}"


def check_books(scenario: Scenario) -> None:
    """Energy from the vehicles' closed form is never above what the told staircase adds up to, nor far below."""
    told: dict[str, int] = defaultdict(int)
    last: dict[str, tuple[int, int]] = {}
    for event in scenario.events:
        if isinstance(event, ConnectorEvent):
            since_ms, drawn_ma = last.get(event.connector, (0, 0))
            told[event.connector] += 2 * drawn_ma * (event.t_ms - since_ms)
            last[event.connector] = (event.t_ms, event.drawn_ma)
    for name, (since_ms, drawn_ma) in last.items():
        told[name] += 2 * drawn_ma * (scenario.garage.engine.now_ms - since_ms)
    real: dict[str, int] = defaultdict(int)
    for name, vehicle in scenario.vehicles:
        real[name] += vehicle.charge2
    for name, charge2 in real.items():
        assert charge2 <= told[name]
        # A staircase of 1 A is above the line by at most 1 A, for as long as there are ramps.
        assert told[name] - charge2 <= 2 * 1_000 * scenario.garage.engine.now_ms


def check_offers_can_be_said(scenario: Scenario) -> None:
    site = scenario.garage.site
    assert sum(connector.unsendable for connector in scenario.garage.connectors) == 0
    for event in scenario.events:
        if isinstance(event, ConnectorEvent) and event.pilot_ma:
            config = site.connector_by_id[event.connector]
            assert config.min_offer_ma <= event.pilot_ma <= config.max_offer_ma
            assert event.pilot_ma % config.step_ma == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading_step_ma", [0, 1_000])
def test_no_limit_is_broken_and_the_books_balance(order: OrderName, reading_step_ma: int) -> None:
    for seed in range(12):
        scenario = Scenario(seed, order=order, reading_step_ma=reading_step_ma).run()
        assert scenario.events
        check_no_limit_broken(scenario)
        check_offers_can_be_said(scenario)
        if reading_step_ma:
            check_books(scenario)


@pytest.mark.parametrize("reading_step_ma", [0, 1_000])
def test_a_meter_that_is_ten_seconds_late_breaks_nothing(reading_step_ma: int) -> None:
    """Neither in quiet hours nor in a rush, where every reading shows what was before the last change."""
    for seed in range(100, 106):
        check_no_limit_broken(Scenario(seed, meter=LATE, reading_step_ma=reading_step_ma).run())
        check_no_limit_broken(Scenario(seed, meter=LATE, reading_step_ma=reading_step_ma, rush=True).run(1))


@pytest.mark.parametrize("reading_step_ma", [0, 1_000])
def test_a_rush_breaks_nothing(reading_step_ma: int) -> None:
    for seed in range(12):
        check_no_limit_broken(Scenario(seed, rush=True, reading_step_ma=reading_step_ma).run(1))


def test_a_vehicle_that_ignores_its_pilot_is_marked_and_never_pushes_the_offers_over() -> None:
    drawn_over = marked = 0
    for seed in range(200, 206):
        scenario = Scenario(seed, ignoring=True).run(3)
        result = scenario.garage.audit.result()
        assert [breach for breach in result.breaches if breach.kind is LoadKind.OFFERED] == []
        drawn_over += sum(breach.kind is LoadKind.DRAWN for breach in result.outside)
        marks = [event.outside for event in scenario.events if isinstance(event, ConnectorEvent)]
        marked += marks.count("A2")
        assert marks.count("A2") - marks.count(None) in range(len(scenario.garage.connectors) + 1)
    assert marked > 3
    assert drawn_over > 0


def test_other_load_that_rises_is_outside_for_a_bounded_time_only() -> None:
    for seed in range(300, 308):
        scenario = Scenario(seed, household=True).run()
        check_no_limit_broken(scenario)


def test_the_written_trace_says_what_the_report_says() -> None:
    for seed in range(400, 406):
        scenario = Scenario(seed, ignoring=True).run(3)
        assert audit(scenario.garage.site, scenario.events) == scenario.garage.audit.result()


def test_a_doctored_trace_is_found_out() -> None:
    scenario = Scenario(2).run()
    event = next(event for event in scenario.events if isinstance(event, ConnectorEvent) and event.drawn_ma)
    place = scenario.events.index(event)
    forged = ConnectorEvent(t_ms=event.t_ms, connector=event.connector, pilot_ma=event.pilot_ma, drawn_ma=200_000)
    result = audit(scenario.garage.site, [*scenario.events[: place + 1], forged, *scenario.events[place + 1 :]])
    assert result.inside


def test_the_same_seed_gives_the_same_events_and_another_does_not() -> None:
    first, second, other = (Scenario(seed).run().events for seed in (7, 7, 8))
    assert first == second
    assert first != other


def test_the_events_do_not_depend_on_the_hash_seed() -> None:
    """Two processes with different hash seeds write the same bytes."""
    program = (
        "from tests.property.simulation_scenarios import Scenario\n"
        "import sys\n"
        "for seed in (1, 2, 3):\n"
        "    for order in ('fair', 'deadline'):\n"
        "        for event in Scenario(seed, order=order, household=True).run(3).events: print(event)\n"
    )
    digests = set()
    for hash_seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert len(done.stdout) > 10_000
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1
