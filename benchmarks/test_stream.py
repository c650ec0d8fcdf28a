"""`powershare allocate --stream`: allocations a second for a program in another language."""

import json
import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import scenarios
from powershare.files import site_to_data

LINES = 500


@pytest.mark.parametrize("count", [6, 100])
def test_stream(benchmark: BenchmarkFixture, count: int) -> None:
    """So many lines through a process of its own, its start included; the site is told once."""
    asked = scenarios.demands_json(count)
    first = {"site": site_to_data(scenarios.site("one_line", count)), "demands": asked}
    text = "\n".join(map(json.dumps, [first, *[{"demands": asked}] * (LINES - 1)])) + "\n"
    command = [sys.executable, "-m", "powershare", "allocate", "--stream"]
    run = benchmark.pedantic(
        subprocess.run,
        args=(command,),
        kwargs={"input": text, "capture_output": True, "text": True, "check": True},
        rounds=3,
    )
    answers = run.stdout.splitlines()
    assert len(answers) == LINES
    assert "error" not in json.loads(answers[-1])
