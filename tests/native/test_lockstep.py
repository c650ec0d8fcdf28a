"""C and twin give the same bytes, and a refusal writes nothing. `lockstep.py` does the same for as long as wanted."""

import subprocess
import sys
from random import Random

import pytest

pytest.importorskip("powershare._native._ffi", reason="the C extension is not built here")

from tests.native import lockstep

SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_small_sites_sound_and_hostile(seed: int) -> None:
    rng = Random(seed)
    seen = {lockstep.step(rng) for _ in range(500)}
    assert len({code for _, code in seen}) > 8, "the inputs no longer reach the refusals"


@pytest.mark.parametrize("seed", SEEDS)
def test_larger_trees(seed: int) -> None:
    rng = Random(seed)
    seen = [lockstep.step(rng, most_connectors=60, most_circuits=20) for _ in range(30)]
    assert ("sound", 0) in seen


def test_the_script_counts_what_it_compared() -> None:
    command = [sys.executable, lockstep.__file__, "--count", "50", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split()[:2] == ["50", "inputs,"]
