"""Side by side in one run: our answer and the time of others on the same problem (extra `peers`)."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import powershare as ps
from benchmarks import peers, scenarios

SIZES = (6, 24, 100)


def _shares(count: int) -> list[float]:
    """Our answer in amps, above 6 A throughout, so that the others solve the same problem."""
    result = ps.allocate(scenarios.site("one_line", count), scenarios.demands("one_line", count))
    shares = [allocated / 1000 for allocated in result.allocated_ma.values()]
    assert min(shares) > 6
    return shares


@pytest.mark.parametrize("count", SIZES)
def test_powershare(benchmark: BenchmarkFixture, count: int) -> None:
    """Ours, by the path for comfort."""
    benchmark.group = f"{count} connectors, one line"
    allocator = ps.Allocator(scenarios.site("one_line", count))
    result = benchmark(allocator.allocate, scenarios.demands("one_line", count))
    assert [allocated / 1000 for allocated in result.allocated_ma.values()] == _shares(count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize(("name", "package"), [("highs_levels", "highspy"), ("cvxpy_levels", "cvxpy")])
def test_linear_programs(benchmark: BenchmarkFixture, name: str, package: str, count: int) -> None:
    """An iterated linear program finds the same shares but for its tolerance and our step of 0.1 A."""
    pytest.importorskip(package, reason="needs the extra: pip install 'powershare[peers]'")
    benchmark.group = f"{count} connectors, one line"
    solve = getattr(peers, name)(scenarios.site("one_line", count), scenarios.demands("one_line", count))
    shares = benchmark.pedantic(solve, rounds=3, warmup_rounds=1)
    assert all(abs(theirs - ours) < 0.11 for theirs, ours in zip(shares, _shares(count), strict=True))


@pytest.mark.parametrize("count", SIZES)
def test_acn_round_robin(benchmark: BenchmarkFixture, count: int) -> None:
    """Round robin in steps of 0.1 A ends at the same shares but for a step."""
    pytest.importorskip("acnportal", reason="needs the extra: pip install 'powershare[peers]'")
    benchmark.group = f"{count} connectors, one line"
    solve = peers.acn_round_robin(scenarios.site("one_line", count), scenarios.demands("one_line", count))
    shares = benchmark.pedantic(solve, rounds=2, warmup_rounds=0)
    assert all(abs(theirs - ours) < 0.21 for theirs, ours in zip(shares, _shares(count), strict=True))
