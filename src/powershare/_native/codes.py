"""Numbers that the C kernel, its twin and their callers share; `include/powershare_kernel.h` says the same in C."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

MAX_CONNECTORS: Final = 1 << 20
MAX_CIRCUITS: Final = 1 << 20
MAX_OFFER_MA: Final = 10_000_000
MAX_WEIGHT: Final = 1000
MAX_LIMIT_MA: Final = 1 << 40
NO_LIMIT: Final = (1 << 63) - 1
"""A row without a limit. Zero never means that."""
NO_CAP: Final = (1 << 31) - 1
"""A connector without an external cap."""
NOT_HELD: Final = -1
MAX_ROWS: Final = 1 << 22
MIN_ROW_LIMIT_MA: Final = -(1 << 41)
"""Other load may leave a row with less than nothing."""
MAX_TIME_MS: Final = 1 << 52
"""Either side of zero."""
MAX_WAIT_MS: Final = (1 << 31) - 1
MAX_MEASURED_MA: Final = (1 << 31) - 1
NOT_MEASURED: Final = -1

BOUND_NONE: Final = -1
"""Nothing to explain: the connector is idle or held."""
BOUND_VEHICLE: Final = -2
BOUND_GREATEST: Final = -3
BOUND_CAP: Final = -4


class KernelCode(IntEnum):
    """Why the kernel refused its input. Where several apply, the one nearest to zero is answered."""

    OK = 0
    NULL = -1
    COUNT = -2
    LENGTH = -3
    CYCLE = -4
    CIRCUIT = -5
    MASK = -6
    OFFERS = -7
    NOT_COMPILED = -8
    WANTED = -9
    LINES_USED = -10
    WAITING = -11
    WEIGHT = -12
    HELD = -13
    CAP = -14
    LIMIT = -15
    OTHER_LOAD = -16
    UNIT = -17
    TOPOLOGY = -18
    FALLBACK = -19
    TIME = -20
    WAIT = -21
    AMOUNT = -22
    KIND = -23
    ROW_LIMIT = -24
    ENTRY = -25


class KernelStatus(IntEnum):
    """What became of a connector in one allocation."""

    IDLE = 0
    ALLOCATED = 1
    SHED = 2
    REFUSED = 3
    HELD = 4


class GrantKind(IntEnum):
    """What a grant does to a unit's ceiling."""

    NONE = 0
    """For messages that carry no grant; a ledger issues none of these."""
    RAISE = 1
    """Above the fall-back, until its lease ends."""
    CAP = 2
    """Below the fall-back, until its lease ends."""
    FALL_BACK = 3
    TRIM = 4
    """Down to at least the fall-back, never up."""


class KernelRefusal(ValueError):
    """The kernel refused its input before it wrote anything."""

    def __init__(self, code: int) -> None:
        self.code = KernelCode(code)
        super().__init__(f"kernel refused its input: {self.code.name.lower()} ({code})")
