"""The kernel's twin (and C, where it is built) against allocation done the plainest way, and against its promises."""

# ruff: noqa: ANN401 - either backend's classes
from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.property.naive import Naive

import powershare._native as door
from powershare._native import codes, reference
from powershare._native.codes import KernelStatus

BACKENDS = [pytest.param((reference.ReferenceSite, reference.ReferenceProblem), id="python")]
if door.backend == "native":
    BACKENDS.append(pytest.param((door.KernelSite, door.KernelProblem), id="native"))
SAME_LINES = ((7,) * 4,)
ONE_LINE_EACH = ((1,) * 4, (2,) * 4, (4,) * 4)
MIXED = ((7, 1, 3, 7), (7, 2, 6, 7), (7, 4, 5, 7))
EXAMPLES = 250


def small(rng: Random, backend: Any, *, wirings: Any, steps: Any, weights: Any, priorities: Any) -> Any:
    """A problem small enough to be done one step at a time, with limits from plenty to famine."""
    site_type, problem_type = backend
    n, m = rng.randint(1, 6), rng.randint(1, 4)
    shared = rng.choice(steps)
    step = [shared if len(steps) > 1 and wirings is not MIXED else rng.choice(steps) for _ in range(n)]
    least = [s * rng.randint(1, 5) for s in step]
    greatest = [low + s * rng.randint(0, 12) for low, s in zip(least, step, strict=True)]
    parent = [rng.randint(-1, c - 1) for c in range(m)]
    masks = [mask for _ in range(n) for mask in rng.choice(wirings)]
    problem = problem_type(site_type(parent, [rng.randrange(m) for _ in range(n)], masks, least, greatest, step))
    for i in range(n):
        problem.wanted[i] = rng.choice((0, greatest[i], rng.randint(1, greatest[i]), 1000))
        problem.lines_used[i] = rng.randint(0, 3)
        problem.waiting[i] = rng.randint(0, 2)
        problem.weight[i] = rng.choice(weights)
        problem.priority[i] = rng.choice(priorities)
        if rng.random() < 0.1:
            problem.cap[i] = rng.randint(0, greatest[i])
        if rng.random() < 0.1:
            problem.wanted[i], problem.held[i] = 0, rng.randint(0, 9)
    for row in range(3 * m):
        if rng.random() < 0.7:
            problem.limit[row] = rng.randint(0, sum(greatest) + 5)
        if rng.random() < 0.3:
            problem.limit_connectors[row] = rng.randint(0, sum(greatest))
        if rng.random() < 0.2:
            problem.other[row] = rng.randint(0, 9)
    return problem


def given(problem: Any) -> dict[int, int]:
    """What the admitted were allocated."""
    assert problem.run() == 0
    return {
        i: problem.allocated[i] for i in range(len(problem.allocated)) if problem.status[i] == KernelStatus.ALLOCATED
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wirings", [SAME_LINES, ONE_LINE_EACH], ids=["same lines", "one line each"])
@pytest.mark.parametrize("weights", [(1,), (3,), (1, 2, 7), (999, 1000, 998)], ids=str)
def test_nested_classes_get_what_handing_out_single_steps_gives(backend: Any, wirings: Any, weights: Any) -> None:
    rng = Random(f"{wirings}{weights}")
    for _ in range(EXAMPLES):
        problem = small(rng, backend, wirings=wirings, steps=(1, 2, 3), weights=weights, priorities=(0, 0, 1, -9))
        assert given(problem) == Naive(problem).greedy()


@pytest.mark.parametrize("backend", BACKENDS)
def test_mixed_classes_are_within_milliamps_of_progressive_filling_in_fractions(backend: Any) -> None:
    rng = Random(5)
    for _ in range(3 * EXAMPLES):
        problem = small(rng, backend, wirings=MIXED, steps=(1,), weights=rng.choice(((1,), (1, 2, 5))), priorities=(0,))
        exact, got = Naive(problem).fractions(), given(problem)
        assert got.keys() == exact.keys()
        for i, amount in got.items():
            # What rounding down leaves on a row, under 1 mA each, may all go to the only one that nothing else stops.
            assert exact[i] - 2 < amount <= exact[i] + len(got), (got, exact)


@pytest.mark.parametrize("backend", BACKENDS)
def test_mixed_amounts_of_real_size_are_within_3_ma_where_few_share(backend: Any) -> None:
    site_type, problem_type = backend
    rng = Random(6)
    for _ in range(EXAMPLES):
        n = rng.randint(2, 4)
        masks = [mask for _ in range(n) for mask in rng.choice(MIXED)]
        problem = problem_type(site_type([-1, 0], [1] * n, masks, [6000] * n, [32000] * n, [1] * n))
        for i in range(n):
            problem.wanted[i], problem.lines_used[i] = 32000, rng.choice((1, 2, 3))
        for row in range(6):
            problem.limit[row] = rng.randint(6000 * n, 32000 * n)
        exact, got = Naive(problem).fractions(), given(problem)
        assert all(abs(got[i] - exact[i]) <= 3 for i in exact), (got, exact)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wirings", [SAME_LINES, ONE_LINE_EACH, MIXED], ids=["same lines", "one line each", "mixed"])
def test_promises_hold(backend: Any, wirings: Any) -> None:
    rng = Random(str(wirings))
    for _ in range(2 * EXAMPLES):
        problem = small(rng, backend, wirings=wirings, steps=(1, 2, 3), weights=(1, 1, 4), priorities=(0, 0, 1))
        naive, got = Naive(problem), given(problem)
        site, rows = problem.site, range(3 * problem.site.n_circuits)
        asked = {row for i in got for row in naive.rows[i]}
        assert naive.is_within(got, asked), "a limit is exceeded"
        assert list(got) == naive.admitted()
        assert [problem.room[row] for row in rows] == [naive.room(row, got) for row in rows]
        for i, amount in got.items():
            assert site.least[i] <= amount <= naive.ceiling[i]
            assert amount % site.step[i] == 0
            raised = {**got, i: amount + site.step[i]}
            if amount < naive.ceiling[i]:
                assert not naive.is_within(raised, naive.rows[i]), f"{i} could have been raised by a step"
                first = next(row for row in naive.rows[i] if naive.room(row, got) < site.step[i])
                assert problem.bound[i] == first
            else:
                assert problem.bound[i] in (codes.BOUND_VEHICLE, codes.BOUND_GREATEST, codes.BOUND_CAP)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_counter_example_of_the_mixed_case_is_not_hidden(backend: Any) -> None:
    """A three-phase vehicle that waited longest leaves 6 A a line; three one-phase vehicles would have shared 18 A."""
    site_type, problem_type = backend
    wiring = [7, 1, 3, 7, *(1, 1, 1, 1), *(2, 2, 2, 2), *(4, 4, 4, 4)]
    problem = problem_type(site_type([-1], [0] * 4, wiring, [6000] * 4, [32000] * 4, [1] * 4))
    for i in range(4):
        problem.wanted[i], problem.waiting[i] = 32000, 10 - i
    for row in range(3):
        problem.limit[row] = 6000
    assert given(problem) == {0: 6000}
    assert list(problem.status) == [KernelStatus.ALLOCATED, *[KernelStatus.SHED] * 3]
    assert list(problem.bound) == [0, 0, 1, 2]
