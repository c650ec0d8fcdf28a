"""Crashes that are known: each has a test that fails by it, and the fuzzer counts it and goes on."""

import traceback

KNOWN: frozenset[str] = frozenset()
"""What went wrong and where: `KernelRefusal in leases/ledger.py:learn`."""


def signature(error: Exception) -> str:
    """What went wrong and in which function: of this project where it passed through one."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "powershare/" in frame.filename]
    if not frames:
        return f"{type(error).__name__} outside the package"
    last = next((frame for frame in reversed(frames) if "_native/" not in frame.filename), frames[-1])
    return f"{type(error).__name__} in {last.filename.rpartition('powershare/')[2]}:{last.name}"
