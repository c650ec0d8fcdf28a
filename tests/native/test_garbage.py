"""What the kernel was given may be part of a garbage cycle like anything else."""

import subprocess
import sys

import pytest

from powershare import _native

CYCLE = """
import gc
import powershare as ps
from powershare.leases import Ledger
from powershare.constraints import compile_site

site = ps.Site(
    supply=ps.Supply.SINGLE_PHASE,
    circuits=[ps.Circuit(id="feeder", limit_ma=36_000)],
    connectors=[ps.Connector(id="one", circuit="feeder")],
)
for _ in range(20):
    held = [ps.Allocator(site), Ledger(compile_site(site), [6_000], ps.Timing())]
    held[0].allocate([ps.Demand("one")])
    held.append(held)
    del held
    gc.collect()
print("collected")
"""


@pytest.mark.skipif(_native.backend != "native", reason="needs the C kernel")
def test_a_cycle_with_all_that_c_points_into_is_collected() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CYCLE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "collected\n", "")
