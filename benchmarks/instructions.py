"""Gate one: instructions per kernel call, counted by callgrind inside `ps_allocate` alone, exact and repeatable."""

import re
import subprocess
import sys
from pathlib import Path

LIMIT_PERCENT = 3.0
"""A kernel that needs more instructions than this beyond the base, in any scenario, does not pass."""

SCENARIOS = (("one_line", 6), ("one_line", 100), ("one_line", 1_000), ("mixed", 6), ("mixed", 100), ("mixed", 1_000))
_CALLS = 20


def build(tree: Path, target: Path) -> Path:
    """The tree's kernel with its driver, as one program without hidden or stripped symbols."""
    native = tree / "src" / "powershare" / "_native"
    sources = sorted(str(path) for path in (native / "src").glob("*.c"))
    command = ["gcc", "-std=c11", "-O2", "-g", "-I", str(native / "include"), *sources]
    subprocess.run([*command, str(tree / "benchmarks" / "kernel_driver.c"), "-o", str(target)], check=True)
    return target


def count(program: Path, shape: str, connectors: int) -> float:
    """Instructions per call of `ps_allocate`.

    Raises:
        RuntimeError: Nothing was counted: the symbol is gone, and the gate would be blind.
    """
    output = program.with_suffix(".callgrind")
    run = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--toggle-collect=ps_allocate",
            f"--callgrind-out-file={output}",
            str(program),
            shape,
            str(connectors),
            str(_CALLS),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if collected is None or int(collected[1]) == 0:
        raise RuntimeError("callgrind counted nothing inside ps_allocate; is the symbol hidden or renamed?")
    return int(collected[1]) / _CALLS


def gate(base: Path, head: Path, work: Path) -> bool:
    """Compare two trees; True when no scenario needs noticeably more instructions."""
    if not (base / "benchmarks" / "kernel_driver.c").exists():
        print("instructions: the base has no kernel driver; nothing to compare")
        return True
    programs = [build(tree, work / f"kernel-{tree.name}-{place}") for place, tree in enumerate((base, head))]
    good = True
    print(f"{'instructions per call':28}{'base':>12}{'head':>12}  change")
    for shape, connectors in SCENARIOS:
        before, after = (count(program, shape, connectors) for program in programs)
        change = 100 * (after / before - 1)
        slower = change > LIMIT_PERCENT
        good &= not slower
        mark = f"  above {LIMIT_PERCENT:g} %" if slower else ""
        print(f"  {shape + ' ' + str(connectors):26}{before:12.1f}{after:12.1f}  {change:+.2f} %{mark}")
    sys.stdout.flush()
    return good
