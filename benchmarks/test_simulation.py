"""A simulated year: what a planner waits for."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import scenarios
from powershare.policy import OrderName
from powershare.simulation import replay


@pytest.mark.parametrize(("order", "days"), [("fair", 365), ("deadline", 60)])
def test_nights(benchmark: BenchmarkFixture, order: OrderName, days: int) -> None:
    """Six cars a night at six connectors on one feeder; a plan with departures is looked at every few minutes."""
    site, sessions = scenarios.site("one_line", 6), scenarios.nights(days)
    report = benchmark.pedantic(replay, args=(site, sessions), kwargs={"order": order}, rounds=2)
    assert report.sessions == 6 * days
    assert report.limits_broken == 0
    assert report.unsendable_offers == 0
