"""The performance gates: this tree against another commit, on this machine, in this run.

    python -m benchmarks.gate --base main~1         both gates; exit code 1 when one of them finds a regression
    python -m benchmarks.gate --self-test           do the gates pass identical trees and catch planted slowdowns?

Two instruments, because each is blind where the other sees: instruction counts of the kernel are exact
to the last instruction but know nothing of Python; wall clock sees everything, from about 20 % on.
Numbers are never compared across machines, compilers or runs.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import instructions, wall_clock
from benchmarks.trees import checkout, here, planted


def compare(base: Path, head: Path, work: Path, *, quick: bool) -> bool:
    """Run both gates; True when nothing became slower."""
    counted = instructions.gate(base, head, work)
    timed = wall_clock.gate(base, head, work, chosen=wall_clock.QUICK if quick else "not test_import")
    return counted and timed


def self_test(work: Path) -> bool:
    """Identical trees must pass; a slower kernel and a slower allocator must be caught."""
    same = planted(work / "same")
    kernel = planted(work / "slow-kernel", "src/powershare/_native/src/allocate.c", *KERNEL_PLANT)
    allocator = planted(work / "slow-allocator", "src/powershare/allocator.py", *ALLOCATOR_PLANT)
    outcomes = {
        "instructions: identical trees pass": instructions.gate(here(), same, work),
        "instructions: a kernel with more work is caught": not instructions.gate(same, kernel, work),
        "wall clock: identical trees pass": wall_clock.gate(here(), same, work, chosen=wall_clock.FEWEST),
        "wall clock: demands written twice are caught": not wall_clock.gate(
            same, allocator, work, chosen=wall_clock.FEWEST
        ),
    }
    print("\nself-test of the gates")
    for name, good in outcomes.items():
        print(f"  {'ok    ' if good else 'FAILED'}  {name}")
    return all(outcomes.values())


KERNEL_PLANT = (
    "int32_t ps_allocate(ps_problem *problem)\n{\n",
    "int32_t ps_allocate(ps_problem *problem)\n{\n    for (volatile int32_t k = 0; k < 8; k++) { }\n",
)
ALLOCATOR_PLANT = (
    "        refused = self._write(asked, force)\n",
    "        self._write(asked, force)\n        refused = self._write(asked, force)\n",
)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description="Is this tree slower than another?")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--base", metavar="COMMIT", help="compare this tree with that commit")
    what.add_argument("--self-test", action="store_true", help="plant slowdowns and see whether they are caught")
    parser.add_argument("--quick", action="store_true", help="fewer benchmarks by wall clock")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="powershare-gate-") as folder:
        work = Path(folder)
        if chosen.self_test:
            return 0 if self_test(work) else 1
        try:
            base = checkout(chosen.base, work / "base")
        except subprocess.CalledProcessError:
            print(f"{parser.prog}: {chosen.base} is no commit that can be checked out", file=sys.stderr)
            return 2
        return 0 if compare(base, here(), work, quick=chosen.quick) else 1


if __name__ == "__main__":
    sys.exit(main())
