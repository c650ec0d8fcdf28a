"""Calls of code that is not ours: they end, whatever it does."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable

OPEN_MS = 15_000
"""The longest that dialling may take."""

READ_MS = 5_000
"""The longest that an answer to a question may take."""

SPARE_MS = 3_000
"""What a call may take beyond what its adapter declares before it is given up."""

RETRY_MS = (500, 1_000, 2_000, 5_000)
"""After how long a connection is tried again: the first time, the second, ..., and ever after."""

_T = TypeVar("_T")


async def within(call: Awaitable[_T], longest_ms: int, what: str) -> _T:
    """Wait for a call that must end.

    Args:
        call: It.
        longest_ms: How long it may take.
        what: Its name, for the error.

    Raises:
        AdapterTimeout: It did not end.
        AdapterUnavailable: It was cancelled from within, and nobody here asked for that.
    """
    try:
        async with asyncio.timeout((longest_ms + SPARE_MS) / 1000):
            return await call
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise AdapterUnavailable(f"{what}() of its adapter was cancelled from within") from None
    except TimeoutError as error:
        if isinstance(error, AdapterError):
            raise
        raise AdapterTimeout(f"{what}() of its adapter did not end") from None


def words_of(error: Exception) -> str:
    """What to say of an error: an adapter's own words, or that it failed in a way that no adapter may."""
    return str(error) if isinstance(error, AdapterError) else f"its adapter failed: {type(error).__name__}: {error}"
