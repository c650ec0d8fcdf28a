"""How the kit holds an adapter: each call is watched for what escapes it, each test for what it leaves behind."""

import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from powershare.adapter import Adapter, Applied, Clock, Declaration, Offer, Reading, SupportsFallback
from powershare.errors import AdapterError
from powershare.testing.bench import Bench
from powershare.testing.virtual_time import VirtualClock
from powershare.units import Milliamps

_T = TypeVar("_T")

LATE_MS = 250
"""What a busy host may add to a time measured on its own clock; none in virtual time."""


class Breach(AssertionError):
    """The adapter broke a rule of the contract."""


def fail(rule: str) -> NoReturn:
    """Fail the test with the rule that was broken."""
    raise Breach(rule)


def late_ms(bench: Bench) -> int:
    """How much later than promised counts as in time."""
    return 0 if isinstance(bench.clock, VirtualClock) else LATE_MS


class Watched:
    """An adapter under test. Whatever escapes a call that the contract does not allow fails the test."""

    def __init__(self, bench: Bench, adapter: Adapter) -> None:
        self.adapter = adapter
        self.bench = bench
        self.clock = bench.clock

    @property
    def declaration(self) -> Declaration:
        """What the adapter declares."""
        return self.adapter.declaration

    async def open(self) -> None:
        """Open, watched."""
        await self.call("open()", self.adapter.open())

    async def close(self) -> None:
        """Close, watched: it may not even raise an AdapterError."""
        try:
            await self.call("close()", self.adapter.close())
        except AdapterError as error:
            fail(f"close() raised {error!r}; it never fails")

    async def read(self) -> Reading:
        """Read, watched."""
        reading = await self.call("read()", self.adapter.read())
        if not isinstance(reading, Reading):
            fail(f"read() returned {reading!r}, no Reading")
        return reading

    async def order(self, offered_ma: Milliamps, *, for_ms: int = 60_000, then_ma: Milliamps | None = None) -> Applied:
        """Order amps from now on, watched; what follows is the fallback unless said otherwise."""
        then_ma = self.declaration.fallback_ma if then_ma is None else then_ma
        return await self.offer(
            Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=then_ma)
        )

    async def offer(self, offer: Offer) -> Applied:
        """Order, watched, within the longest write time."""
        before_ms = self.clock.now_ms()
        try:
            applied = await self.call("offer()", self.adapter.offer(offer))
        finally:
            took_ms = self.clock.now_ms() - before_ms
            if took_ms > self.declaration.longest_write_ms + late_ms(self.bench):
                fail(f"offer() took {took_ms} ms; longest_write_ms is {self.declaration.longest_write_ms}")
        if not isinstance(applied, Applied):
            fail(f"offer() returned {applied!r}, no Applied")
        return applied

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Set what it offers left alone, watched, on an adapter that can."""
        adapter = self.adapter
        if not isinstance(adapter, SupportsFallback):
            fail("it has no set_fallback()")
        answer_ma = await self.call("set_fallback()", adapter.set_fallback(fallback_ma))
        if type(answer_ma) is not int or answer_ma < 0:  # True is none either
            fail(f"set_fallback() returned {answer_ma!r}, no current")
        return answer_ma

    async def settle(self, *, lower: bool = False) -> None:
        """Wait until the device must have done what it was told; a lower order than before may take less time."""
        declaration = self.declaration
        await self.wait((declaration.lowered_ms if lower else declaration.settle_ms) + late_ms(self.bench))

    async def wait(self, duration_ms: int) -> None:
        """Let the clock go on by at least this much."""
        until_ms = self.clock.now_ms() + duration_ms
        while (left_ms := until_ms - self.clock.now_ms()) > 0:  # noqa: ASYNC110 - a clock has no event to wait for
            await asyncio.sleep(left_ms / 1000)

    async def call(self, name: str, awaitable: Awaitable[_T]) -> _T:
        """Await one call of the adapter; only AdapterError kinds and a cancellation of ours may come out."""
        try:
            return await awaitable
        except AdapterError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                fail(f"{name} raised CancelledError though nobody cancelled it")
            raise
        except Exception as error:
            raise Breach(f"{name} let {error!r} escape; only AdapterError kinds may") from error


@contextlib.asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[Watched]:
    """Open a new adapter to the device on the bench, and close it again whatever happens."""
    adapter = Watched(bench, bench.new_adapter())
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


def run(clock: Clock, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one asynchronous test on a loop that fits the clock; fail if it leaves a task or an unheard error behind."""
    unheard: list[str] = []
    left: set[asyncio.Task[Any]] = set()

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: unheard.append(str(context.get("exception", context["message"]))))
        await test()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        left.update(task for task in asyncio.all_tasks() if task is not asyncio.current_task())

    factory = clock.new_event_loop if isinstance(clock, VirtualClock) else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(whole())
    gc.collect(1)  # an error that nobody looked at speaks up when its young task or future goes
    if left:
        fail(f"left running after close(): {', '.join(sorted(str(task.get_coro()) for task in left))}")
    if unheard:
        fail(f"errors that nobody awaited: {'; '.join(unheard)}")


def open_handles() -> int | None:
    """How many files, sockets and the like this process has open; None where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.is_dir() else None


class WorldWatch:
    """Notes what touches files, the network, processes or threads while it is entered.

    Python's audit hooks cannot be removed, so that there is one for all, which listens while somebody watches.
    """

    _watching: list[str] | None = None
    _hooked = False
    _NOISY = ("open", "socket.", "subprocess.", "os.posix_spawn", "os.exec", "os.fork", "os.openpty", "ctypes.dlopen")

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        if not WorldWatch._hooked:
            sys.addaudithook(WorldWatch._listen)
            WorldWatch._hooked = True
        self._threads = set(threading.enumerate())
        WorldWatch._watching = self.seen
        return self

    def __exit__(self, *_: object) -> None:
        WorldWatch._watching = None
        self.seen.extend(f"thread {thread.name}" for thread in set(threading.enumerate()) - self._threads)

    @staticmethod
    def _listen(event: str, arguments: tuple[object, ...]) -> None:
        seen = WorldWatch._watching
        if seen is None or not event.startswith(WorldWatch._NOISY):
            return
        if event == "open" and str(arguments[0]).endswith(
            (".py", ".pyc", ".so", ".pyd", "entry_points.txt", "METADATA")
        ):
            return  # a module imported on first use is no device
        seen.append(f"{event}{arguments!r:.120}")
