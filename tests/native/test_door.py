"""The door: which backend serves and why, columns that stay where they are, many problems at once."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from attrs.exceptions import FrozenInstanceError

from powershare import _native as door
from powershare._native.codes import KernelCode, KernelRefusal

SITE = ([-1], [0, 0], [7] * 8, [6000] * 2, [32000] * 2, [1000] * 2)


def asked(wish: str) -> subprocess.CompletedProcess[str]:
    """What a fresh interpreter says of its backend when POWERSHARE_NATIVE is set."""
    program = "from powershare import _native as door; print(door.backend, '|', door.why)"
    environment = {**os.environ, "POWERSHARE_NATIVE": wish}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_0_asks_for_the_twin() -> None:
    assert asked("0").stdout.strip() == "python | POWERSHARE_NATIVE=0 asks for plain Python"


def test_1_insists_on_c() -> None:
    answer = asked("1")
    if find_spec("powershare._native._ffi") is None:
        assert answer.returncode != 0
        assert "ImportError" in answer.stderr or "ModuleNotFoundError" in answer.stderr
    else:
        assert answer.stdout.strip() == "native |"


def test_anything_else_is_an_error_that_says_what_it_can_be() -> None:
    assert "it can be 0 (plain Python), 1 (C or nothing) or unset" in asked("yes").stderr


def test_why_is_empty_only_where_c_serves() -> None:
    assert (door.backend == "native") == (door.why == "")


def test_a_refused_site_says_what_is_wrong_with_it() -> None:
    with pytest.raises(KernelRefusal, match=r"cycle \(-4\)") as refused:
        door.KernelSite([0], *SITE[1:])
    assert refused.value.code is KernelCode.CYCLE


def test_columns_cannot_be_replaced_or_values_out_of_range_be_written() -> None:
    problem = door.KernelProblem(door.KernelSite(*SITE))
    with pytest.raises(FrozenInstanceError):
        problem.wanted = problem.held  # type: ignore[misc]
    with pytest.raises(OverflowError):
        problem.wanted[0] = 1 << 31


@pytest.mark.skipif(door.backend != "native", reason="only C pins the columns")
def test_pinned_columns_cannot_be_resized() -> None:
    problem = door.KernelProblem(door.KernelSite(*SITE))
    with pytest.raises(BufferError):
        problem.wanted.append(0)


def test_the_site_keeps_copies() -> None:
    least = [6000, 6000]
    site = door.KernelSite(*SITE[:3], least, *SITE[4:])
    least[0] = 0
    assert list(site.least) == [6000, 6000]


def test_a_compiled_site_cannot_be_written_to() -> None:
    site = door.KernelSite(*SITE)
    with pytest.raises(TypeError, match="read-only"):
        site.circuit[0] = 1 << 20


def test_many_problems_run_and_the_first_refusal_is_answered() -> None:
    site = door.KernelSite(*SITE)
    problems = [door.KernelProblem(site) for _ in range(4)]
    for limit, problem in zip((20_000, 30_000, 40_000, 50_000), problems, strict=True):
        problem.wanted[0] = problem.wanted[1] = 32_000
        problem.limit[0] = limit
    assert door.run_each(problems) == 0
    assert [list(problem.allocated) for problem in problems] == [
        [10_000, 10_000],
        [15_000, 15_000],
        [20_000, 20_000],
        [25_000, 25_000],
    ]
    problems[1].weight[0], problems[2].cap[0], problems[3].limit[0] = 0, -1, 26_000
    assert door.run_each(problems) == KernelCode.WEIGHT
    assert list(problems[2].allocated) == [20_000, 20_000], "a refused problem keeps its answers"
    assert list(problems[3].allocated) == [13_000, 13_000], "those after a refused one run all the same"
    assert door.run_each([]) == 0
