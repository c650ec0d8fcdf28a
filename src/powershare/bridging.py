"""The contract between a running driver and what shows it elsewhere, and may limit it: group `powershare.bridges`.

Rule 1: a bridge sees values and gives limits. It reaches no device, and a limit can only lower.
Rule 2: what goes wrong with a bridge is a word about that bridge. It is run again, and regulation goes on.
Rule 3: what a limit breaks in this library is a defect of this library, whoever gave it: `keep()` does not hide it.
Rule 4: a constructor stores; `run()` dials.
"""

import asyncio
from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

from powershare.adapter import Clock
from powershare.driver import Snapshot
from powershare.errors import AdapterError, ContractError
from powershare.node import Limited
from powershare.registry import Group, split_address
from powershare.site import Site

RETRY_S = (1, 2, 5, 10)
"""After how long a bridge is run again: the first time, the second, ..., and ever after."""

LASTED_S = 60
"""A bridge that ran so long was in order: it is run again as if for the first time."""


class Regulation(Protocol):
    """A running driver, as a bridge sees it."""

    @property
    def site(self) -> Site:
        """The site as its devices can serve it."""
        ...

    def snapshot(self) -> Snapshot:
        """Everything that is known now."""
        ...

    def limit(self, event: Limited, /) -> None:
        """Limit a circuit or a connector for a time, on the clock that the bridge was given.

        A limit ends by itself. Whoever wants one to last tells it again before it does, from a task that does not
        wait for whoever gave it.

        Raises:
            ContractError: It does not fit the site, or there are too many.
        """
        ...


class Bridge(Protocol):
    """A way out of the process, and back in for limits."""

    async def run(self, regulation: Regulation, /) -> None:
        """Show, and limit, until cancelled; then say goodbye, within a few seconds.

        It is run again after an error, as the same object: limits that it was told before stay in force, and are what
        it tells first.

        Args:
            regulation: What to show, and where to put limits.

        Raises:
            AdapterError: Whoever it speaks to cannot be reached, or is not what it should be.
        """
        ...


class BridgeFactory(Protocol):
    """What an entry point of the group `powershare.bridges` names."""

    def __call__(self, rest: str, /, *, clock: Clock, said: Callable[[str, str], None]) -> Bridge:
        """Build a bridge, without touching the world.

        Args:
            rest: What follows the name in an address; see `registry.split_address`.
            clock: Where it gets the time from: the driver's clock.
            said: Takes words for people: what it is about, a sentence.

        Raises:
            FormatError: The rest means nothing to this bridge; every problem at once.
        """
        ...


class Bridges(Group[BridgeFactory]):
    """The bridges of one environment."""

    group = "powershare.bridges"
    noun = "bridge"
    published_in = MappingProxyType({"mqtt": "powershare-mqtt"})

    def create(self, address: str, *, clock: Clock, said: Callable[[str, str], None]) -> Bridge:
        """Build the bridge an address names, without touching the world.

        Args:
            address: As on the command line, `name:rest`.
            clock: Where it gets the time from.
            said: Takes words for people.

        Raises:
            FormatError: The address, or its rest, cannot be understood.
            AdapterNotInstalled: As `resolve` says.
        """
        name, rest = split_address(address, self.noun)
        return self.resolve(name)(rest, clock=clock, said=said)


async def keep(bridge: Bridge, name: str, regulation: Regulation, said: Callable[[str, str], None]) -> None:
    """Run a bridge until cancelled, and again whenever it ends.

    Args:
        bridge: It.
        name: What to call it.
        regulation: What it shows.
        said: Takes words for people; the same words are said once in a row.

    Raises:
        Exception: What a limit of its broke in this library, a defect: nothing of the driver can be trusted any more.
    """
    door, loop = _Door(regulation), asyncio.get_running_loop()
    last, retries = "", 0
    while True:
        started_s = loop.time()
        words = await _words_of_a_run(bridge, door)
        if door.defect is not None:
            raise door.defect
        if loop.time() - started_s >= LASTED_S:
            last, retries = "", 0
        if words != last:
            said(name, f"{words}; it is tried again, and regulation goes on")
        last = words
        await asyncio.sleep(RETRY_S[min(retries, len(RETRY_S) - 1)])
        retries += 1


async def _words_of_a_run(bridge: Bridge, door: "_Door") -> str:
    """Run it once; how it ended, in words."""
    try:
        await bridge.run(door)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return "was cancelled from within"
    except AdapterError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bridge raises, it is a bridge that is not there
        return f"failed in a way that no bridge may: {type(error).__name__}: {error}"
    return "ended by itself"


class _Door:
    """The driver as a bridge sees it; remembers what a limit broke, which the bridge might hide."""

    def __init__(self, regulation: Regulation) -> None:
        self._regulation = regulation
        self.defect: Exception | None = None

    @property
    def site(self) -> Site:
        return self._regulation.site

    def snapshot(self) -> Snapshot:
        return self._regulation.snapshot()

    def limit(self, event: Limited, /) -> None:
        try:
            self._regulation.limit(event)
        except ContractError:
            raise  # refused at the node's door: nothing has changed
        except Exception as error:
            self.defect = error
            raise
