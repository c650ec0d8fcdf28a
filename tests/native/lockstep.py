"""Runs the C kernel and its Python twin side by side on random inputs, and stops at the first byte that differs.

    python tests/native/lockstep.py --count 1000000 --seed 1

Under the sanitizers, with an extension that was built with them:

    ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \\
        python tests/native/lockstep.py --count 1000000
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.native import inputs

from powershare._native import binding, reference
from powershare._native.codes import KernelCode, KernelRefusal

INPUTS = (
    *("wanted", "lines_used", "waiting", "weight", "priority", "held", "cap"),
    *("limit", "limit_connectors", "other"),
)
ANSWERS = ("allocated", "status", "bound", "room")


def compiled(site_type: Any, columns: inputs.SiteInput) -> tuple[Any, int]:  # noqa: ANN401 - either backend's site
    """The compiled site and 0, or None and the code with which it was refused."""
    try:
        return site_type(*columns), 0
    except KernelRefusal as refusal:
        return None, refusal.code


def answers(problem: Any) -> dict[str, bytes]:  # noqa: ANN401 - either backend's problem
    """What a problem answers, byte for byte."""
    return {name: getattr(problem, name).tobytes() for name in ANSWERS}


def copy_inputs(source: Any, target: Any) -> None:  # noqa: ANN401 - either backend's problem
    """Writes the inputs of one problem into the other."""
    for name in INPUTS:
        memoryview(getattr(target, name))[:] = memoryview(getattr(source, name))


def step(rng: Random, most_connectors: int = 8, most_circuits: int = 5) -> tuple[str, int]:
    """One input for both; answers how it was made and the code that both gave. AssertionError where they differ."""
    alike = rng.random() < 0.2
    columns = inputs.alike_site(rng) if alike else inputs.site(rng, most_connectors, most_circuits)
    hostile = rng.random() < 0.15
    if hostile:
        columns = inputs.spoil_site(rng, columns)
    native_site, native_code = compiled(binding.NativeSite, columns)
    twin_site, twin_code = compiled(reference.ReferenceSite, columns)
    assert native_code == twin_code, ("site", native_code, twin_code, columns)
    if twin_site is None:
        return "hostile site", twin_code
    native, twin = binding.NativeProblem(native_site), reference.ReferenceProblem(twin_site)
    if hostile:
        inputs.spoil(rng, twin)
    else:
        if alike:
            inputs.fill_alike(rng, twin)
        else:
            inputs.fill(rng, twin, columns)
        if rng.random() < 0.15:
            hostile = True
            inputs.spoil(rng, twin)
    copy_inputs(twin, native)
    before = answers(native)
    native_code, twin_code = native.run(), twin.run()
    what = {"columns": columns, **{name: list(getattr(twin, name)) for name in INPUTS}}
    assert native_code == twin_code, (native_code, twin_code, what)
    assert answers(native) == answers(twin), (
        {name: (list(getattr(native, name)), list(getattr(twin, name))) for name in ANSWERS},
        what,
    )
    assert native_code == 0 or answers(native) == before, ("written after a refusal", native_code, what)
    return ("hostile" if hostile else "alike" if alike else "sound"), native_code


def main() -> None:
    """Counts inputs by kind and code, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connectors", type=int, default=8)
    parser.add_argument("--circuits", type=int, default=5)
    options = parser.parse_args()
    rng = Random(options.seed)
    seen = Counter(step(rng, options.connectors, options.circuits) for _ in range(options.count))
    for (kind, code), count in sorted(seen.items(), key=lambda item: (item[0][0], -item[0][1])):
        sys.stdout.write(f"{count:9}  {kind:12}  {KernelCode(code).name}\n")
    total = sum(seen.values())
    sys.stdout.write(f"{total:9}  inputs, C and twin the same to the last byte (seed {options.seed})\n")


if __name__ == "__main__":
    main()
