"""Gate two: wall clock, two trees interleaved in one run, each in its own process and environment.

What was found to be reliable on noisy machines: pytest-benchmark's `min`, never its mean; the least of
three processes each; order A B B A A B; and a benchmark that looks slower is measured three more times
on each side and must still look slower.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.trees import environment

LIMIT_PERCENT = 20.0
"""Identical trees stay under it on noisy machines; a true slowdown of a quarter does not."""

FEWEST = "test_allocate and one_line and not 1000"
QUICK = "test_allocate or (test_prepared and (6 or 1000) and not 10000) or test_compile"
_ORDER = (0, 1, 1, 0, 0, 1)


def measure(python: Path, benchmarks: Path, output: Path, chosen: str) -> dict[str, float]:
    """One process: the least time of each benchmark, in seconds, under its name."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(benchmarks / "test_allocation.py")]
    options = ["-k", chosen, "--benchmark-enable", "--benchmark-max-time=0.2", f"--benchmark-json={output}"]
    fixed = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [*command, *options], capture_output=True, text=True, env=fixed, cwd=benchmarks.parent, check=False
    )
    if run.returncode != 0:
        print(run.stdout[-2000:], file=sys.stderr)
        raise RuntimeError(f"the benchmarks did not run with {python}")
    return {entry["name"]: entry["stats"]["min"] for entry in json.loads(output.read_text())["benchmarks"]}


def least(pythons: tuple[Path, Path], benchmarks: Path, work: Path, chosen: str) -> tuple[dict[str, float], ...]:
    """The least of three processes on each side, interleaved."""
    times: tuple[dict[str, float], ...] = ({}, {})
    for turn, side in enumerate(_ORDER):
        for name, seconds in measure(pythons[side], benchmarks, work / f"times{turn}.json", chosen).items():
            times[side][name] = min(seconds, times[side].get(name, seconds))
    return times


def gate(base: Path, head: Path, work: Path, *, chosen: str = "not test_import") -> bool:
    """Compare two trees with this tree's benchmarks; True when none is noticeably slower."""
    if not (base / "src" / "powershare" / "allocator.py").exists():
        print("wall clock: the base has no allocator; nothing to compare")
        return True
    pythons = environment(base, work / f"env-{base.name}"), environment(head, work / f"env-{head.name}")
    benchmarks = Path(__file__).resolve().parent
    before, after = least(pythons, benchmarks, work, chosen)
    suspects = [name for name in before if after[name] > before[name] * (1 + LIMIT_PERCENT / 100)]
    if suspects:
        again = least(pythons, benchmarks, work, chosen)
        before = {name: min(before[name], again[0][name]) for name in before}
        after = {name: min(after[name], again[1][name]) for name in after}
    good = True
    print(f"{'least time':40}{'base':>12}{'head':>12}  ratio")
    for name in before:
        ratio = after[name] / before[name]
        slower = name in suspects and ratio > 1 + LIMIT_PERCENT / 100
        good &= not slower
        mark = f"  above {1 + LIMIT_PERCENT / 100:g}" if slower else ""
        print(f"  {name:38}{before[name] * 1e6:10.2f}us{after[name] * 1e6:10.2f}us  {ratio:.3f}{mark}")
    sys.stdout.flush()
    return good
