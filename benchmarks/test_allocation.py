"""One allocation by every door, the compile, and the import."""

import subprocess
import sys
from collections.abc import Mapping

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import powershare as ps
from benchmarks import scenarios


@pytest.mark.parametrize("count", scenarios.SIZES)
@pytest.mark.parametrize("shape", scenarios.SHAPES)
def test_allocate(benchmark: BenchmarkFixture, shape: str, count: int) -> None:
    """The path for comfort: demands in, an explained allocation out."""
    allocator = ps.Allocator(scenarios.site(shape, count))
    result = benchmark(allocator.allocate, scenarios.demands(shape, count))
    assert any(entry.status is ps.Status.ALLOCATED for entry in result.connectors)
    assert not allocator.compiled.check({}, other_load_ma={})


@pytest.mark.parametrize("count", [*scenarios.SIZES, 10_000, 100_000])
@pytest.mark.parametrize("shape", scenarios.SHAPES)
def test_prepared(benchmark: BenchmarkFixture, shape: str, count: int) -> None:
    """The path for speed: long-lived arrays, one crossing."""
    handle = scenarios.prepared(shape, count)
    benchmark(handle.run)
    assert sum(handle.allocated_ma) > 0


@pytest.mark.parametrize("sites", [1, 1_000])
def test_batch_of_six(benchmark: BenchmarkFixture, sites: int) -> None:
    """Many sites of six connectors in one crossing."""
    batch = ps.Batch([scenarios.prepared("one_line", 6) for _ in range(sites)])
    benchmark(batch.run)
    assert batch.handles[-1].allocated_ma == batch.handles[0].allocated_ma


@pytest.mark.parametrize("count", [6, 1_000])
def test_reading_every_reason(benchmark: BenchmarkFixture, count: int) -> None:
    """All values of an answer, which are built only when somebody looks."""
    allocator = ps.Allocator(scenarios.site("one_line", count))
    asked = scenarios.demands("one_line", count)

    def read_all() -> tuple[tuple[ps.ConnectorAllocation, ...], Mapping[str, ps.CircuitAllocation]]:
        result = allocator.allocate(asked)
        return result.connectors, result.circuits

    entries, circuits = benchmark(read_all)
    assert len(entries) == count
    assert circuits["feeder"].allocated_ma[0] > 0


@pytest.mark.parametrize("count", [6, 1_000])
def test_compile(benchmark: BenchmarkFixture, count: int) -> None:
    """From a site to rows."""
    site = scenarios.site("mixed", count)
    allocator = benchmark(ps.Allocator, site)
    assert allocator.site is site


def test_import(benchmark: BenchmarkFixture) -> None:
    """A whole interpreter that imports powershare and ends."""
    run = benchmark.pedantic(
        subprocess.run, args=([sys.executable, "-c", "import powershare"],), kwargs={"check": True}, rounds=7
    )
    assert run.returncode == 0
