"""What holds on any machine: how cost grows, and what the kernel gains; as ratios within one process."""

import timeit
from collections.abc import Callable
from typing import Any

import pytest
from benchmarks import scenarios

import powershare as ps
from powershare import _native
from powershare._native import reference

native_only = pytest.mark.skipif(_native.backend != "native", reason="compares the C kernel")


def least_time(run: Callable[[], Any], calls: int) -> float:
    """The least of many rounds: what the work costs when nobody disturbs it."""
    return min(timeit.repeat(run, number=calls, repeat=15)) / calls


@native_only
@pytest.mark.parametrize("shape", scenarios.SHAPES)
def test_cost_grows_close_to_linearly(shape: str) -> None:
    """Ten times the connectors cost at most 25 times: linear, and what larger memory costs."""
    small, large = (least_time(scenarios.prepared(shape, count).run, 30_000 // count) for count in (1_000, 10_000))
    assert large / small < 25


@native_only
def test_the_kernel_is_many_times_faster_than_its_twin() -> None:
    """At a thousand connectors the same arrays take the twin at least five times as long."""
    handle = scenarios.prepared("one_line", 1_000)
    compiled = handle.allocator.compiled
    site = reference.ReferenceSite(
        **{name: getattr(compiled.kernel, name) for name in ("parent", "circuit", "masks", "least", "greatest", "step")}
    )
    twin = reference.ReferenceProblem(site)
    for name in ("wanted", "limit", "limit_connectors", "other"):
        getattr(twin, name)[:] = getattr(handle.problem, name)
    assert twin.run() == 0
    handle.run()
    assert twin.allocated == handle.allocated_ma
    assert min(timeit.repeat(twin.run, number=1, repeat=3)) / least_time(handle.run, 50) > 5


def test_an_explained_answer_costs_nothing_before_somebody_looks() -> None:
    """At a thousand connectors building all reasons costs more than the allocation itself."""
    allocator = ps.Allocator(scenarios.site("one_line", 1_000))
    asked = scenarios.demands("one_line", 1_000)
    plain = min(timeit.repeat(lambda: allocator.allocate(asked), number=1, repeat=9))
    read = min(timeit.repeat(lambda: allocator.allocate(asked).connectors, number=1, repeat=9))
    assert plain < read
