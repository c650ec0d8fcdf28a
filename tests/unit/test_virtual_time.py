"""The loop that jumps: time moves only when everybody waits, and a program that waits for nothing is told so."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from powershare.testing import VirtualClock, virtual_time


def run(clock: VirtualClock, main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(main)


def test_a_day_passes_at_once_and_in_order() -> None:
    clock = VirtualClock()
    start_ms, woke = clock.now_ms(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woke.append((seconds, clock.now_ms() - start_ms))

    async def main() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (86_400, 0.25, 3_600)))

    before_s = time.monotonic()
    run(clock, main())
    assert woke == [(0.25, 250), (3_600, 3_600_000), (86_400, 86_400_000)]
    assert time.monotonic() - before_s < 5


def test_timeouts_run_by_the_same_clock() -> None:
    clock = VirtualClock()

    async def main() -> None:
        before_ms = clock.now_ms()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        assert clock.now_ms() - before_ms == 30_000

    run(clock, main())


def test_threads_and_sockets_are_waited_for_in_real_time() -> None:
    """Time does not jump over an answer that somebody is still working on, as long as nothing else is due."""
    clock = VirtualClock()

    async def main() -> None:
        before_ms = clock.now_ms()
        await asyncio.to_thread(time.sleep, 0.05)
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        server.close()
        assert clock.now_ms() == before_ms

    run(clock, main())


def test_waiting_for_nothing_is_an_error_and_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "_HANG_S", 0.05)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="virtual time cannot bring about"):
        run(VirtualClock(), main())
