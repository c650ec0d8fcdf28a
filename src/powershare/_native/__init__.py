"""The door to the allocation kernel: C where it is built, its plain Python twin where it is not.

Environment variable POWERSHARE_NATIVE: `0` asks for the twin, `1` insists on C (ImportError without it).
Everything above imports from here and cannot tell the two apart, but by `backend` and the clock.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

from powershare._native import codes
from powershare._native.codes import GrantKind, KernelCode, KernelRefusal, KernelStatus

__all__ = [
    "GrantKind",
    "KernelCode",
    "KernelLedger",
    "KernelProblem",
    "KernelRefusal",
    "KernelSite",
    "KernelStatus",
    "backend",
    "codes",
    "run_each",
    "why",
]


def _absence() -> str:
    """Why C does not serve; empty where it does."""
    wish = os.environ.get("POWERSHARE_NATIVE", "")
    if wish not in ("", "0", "1"):
        raise ImportError(f"POWERSHARE_NATIVE is {wish!r}; it can be 0 (plain Python), 1 (C or nothing) or unset")
    if wish == "0":
        return "POWERSHARE_NATIVE=0 asks for plain Python"
    try:
        import powershare._native.binding  # noqa: F401 - whether it can be imported is the question
    except ImportError as error:
        if wish == "1":
            raise
        return f"the C extension could not be imported: {error}"
    return ""


why: Final = _absence()
"""Why the twin serves; empty where C does."""
backend: Final[Literal["native", "python"]] = "python" if why else "native"

if TYPE_CHECKING or backend == "python":  # for a type checker the twin stands for both: their faces are the same
    from powershare._native.ledger_reference import ReferenceLedger as KernelLedger
    from powershare._native.reference import ReferenceProblem as KernelProblem
    from powershare._native.reference import ReferenceSite as KernelSite
    from powershare._native.reference import run_each
else:
    from powershare._native.binding import NativeLedger as KernelLedger
    from powershare._native.binding import NativeProblem as KernelProblem
    from powershare._native.binding import NativeSite as KernelSite
    from powershare._native.binding import run_each
