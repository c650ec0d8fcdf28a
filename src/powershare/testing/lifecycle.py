"""Rules of a connection: built without I/O, opened and closed at will, cancelled anywhere, and never a raise."""

import asyncio
import contextlib
import gc
import threading

import pytest

from powershare.adapter import Adapter, Deadman, Declaration, Offer
from powershare.errors import AdapterError
from powershare.testing.bench import Bench
from powershare.testing.watched import Watched, WorldWatch, fail, late_ms, open_handles, opened, run

CANCEL_AFTER_MS = (0, 1, 5, 20, 100)
CLOSE_AFTER_MS = (0, 5, 20)
_ENDS_WITHIN_MS = 5_000
_LOOKS = 20


class LifecycleRules:
    """What holds of opening, closing and cancelling."""

    reopenings = 1_000
    """How often the leak test opens and closes. A bench whose device or line takes real time says a smaller number."""

    def test_it_is_an_adapter_with_a_declaration(self, bench: Bench) -> None:
        """The contract's methods are there, and there is a declaration before anything is dialled."""
        adapter = bench.new_adapter()
        assert isinstance(adapter, Adapter), f"{type(adapter).__name__} lacks a method of powershare.adapter.Adapter"
        assert isinstance(adapter.declaration, Declaration)

    def test_construction_does_no_io(self, bench: Bench) -> None:
        """A constructor stores: no file, no socket, no process, no thread, and no event loop needed."""
        bench.new_adapter()  # what is imported on first use is imported now
        with WorldWatch() as world:
            bench.new_adapter()
        assert not world.seen, f"the constructor touches the world: {world.seen}"

    def test_construction_starts_no_task(self, bench: Bench) -> None:
        """Nor does it start anything when an event loop happens to run."""

        async def test() -> None:
            bench.new_adapter()
            assert asyncio.all_tasks() == {asyncio.current_task()}, "the constructor started a task"

        run(bench.clock, test)

    def test_the_declaration_does_not_change(self, bench: Bench) -> None:
        """What is declared when it opens is declared for as long as it is open, orders or not."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                await adapter.order(declaration.greatest_offer_ma)
                await adapter.settle()
                await adapter.read()
                assert adapter.declaration == declaration

        run(bench.clock, test)

    def test_opening_does_not_raise_the_offer(self, bench: Bench) -> None:
        """Whoever connects has no lease yet: the device offers no more than before."""

        async def test() -> None:
            before_ma = bench.device_offered_ma()
            async with opened(bench) as adapter:
                await adapter.settle()
                await adapter.read()
                assert bench.device_offered_ma() <= before_ma, "open() raised the device's offer"

        run(bench.clock, test)

    def test_opening_again_does_not_raise_the_offer(self, bench: Bench) -> None:
        """A reconnection neither repeats the last order nor invents one."""

        async def test() -> None:
            async with opened(bench) as adapter:
                await adapter.order(adapter.declaration.greatest_offer_ma, for_ms=2_000)
                await adapter.settle()
                await adapter.order(adapter.declaration.least_offer_ma, for_ms=2_000)
                await adapter.settle()
            before_ma = bench.device_offered_ma()
            async with opened(bench) as adapter:
                allowed_ma = max(before_ma, _left_alone_ma(adapter))
                await adapter.settle()
                assert bench.device_offered_ma() <= allowed_ma, "a new connection raised the device's offer"

        run(bench.clock, test)

    def test_open_and_close_may_be_repeated(self, bench: Bench) -> None:
        """Open twice is open once, close twice is close once, and a closed adapter opens again."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            await adapter.close()
            await adapter.open()
            await adapter.open()
            await adapter.read()
            await adapter.close()
            await adapter.close()
            await adapter.open()
            await adapter.read()
            await adapter.close()

        run(bench.clock, test)

    @pytest.mark.parametrize("state", ["new", "closed"])
    def test_an_adapter_that_is_not_open_refuses(self, bench: Bench, state: str) -> None:
        """An order to a closed adapter is an error, and does not reach the device."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            if state == "closed":
                await adapter.open()
                await adapter.close()
            before_ma = bench.device_offered_ma()
            with pytest.raises(AdapterError):
                await adapter.read()
            with pytest.raises(AdapterError):
                await adapter.order(adapter.declaration.greatest_offer_ma)
            assert bench.device_offered_ma() <= before_ma, "an order reached the device through a closed adapter"

        run(bench.clock, test)

    def test_closing_leaves_the_device_at_its_fallback(self, bench: Bench) -> None:
        """Once its dead man's switch has acted, the device is where the declaration says, and stays there."""

        async def test() -> None:
            then_ma = 0
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                last = Offer(
                    offered_ma=declaration.greatest_offer_ma,
                    valid_until_ms=bench.clock.now_ms() + 2_000,
                    then_ma=then_ma,
                )
                await adapter.offer(last)
                await adapter.settle()
            over_ms = last.valid_until_ms + (declaration.watchdog_ms or 0) + late_ms(bench)
            for instant_ms in (over_ms, over_ms + 5_000):
                await adapter.wait(instant_ms - bench.clock.now_ms())
                allowed_ma = declaration.most_offered_ma(last, bench.clock.now_ms())
                offered_ma = bench.device_offered_ma()
                assert offered_ma <= allowed_ma, f"closed and left alone, it offers {offered_ma} mA, not {allowed_ma}"

        run(bench.clock, test)

    @pytest.mark.parametrize("after_ms", CANCEL_AFTER_MS)
    @pytest.mark.parametrize("what", ["open", "offer", "read", "close"])
    def test_a_cancelled_call_leaves_nothing_behind(self, bench: Bench, what: str, after_ms: int) -> None:
        """It ends at once, the device is within the old and the new order, and the adapter still works."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            before_ma = bench.device_offered_ma()
            asked_ma = adapter.declaration.least_offer_ma
            if what != "open":
                await adapter.open()
            call = {
                "open": adapter.open,
                "offer": lambda: adapter.order(asked_ma),
                "read": adapter.read,
                "close": adapter.close,
            }[what]
            task: asyncio.Task[object] = asyncio.ensure_future(call())
            await asyncio.sleep(after_ms / 1000)
            asked_at_ms = bench.clock.now_ms()
            was_running = not task.done() and task.cancel()
            with contextlib.suppress(asyncio.CancelledError, AdapterError):
                await task
                if was_running:
                    fail(f"{what}() swallowed its cancellation")
            took_ms = bench.clock.now_ms() - asked_at_ms
            assert took_ms <= 100 + late_ms(bench), f"{what}() went on for {took_ms} ms after its cancellation"
            await adapter.settle()
            allowed_ma = max(before_ma, asked_ma, adapter.declaration.fallback_ma)
            assert bench.device_offered_ma() <= allowed_ma, "a cancelled call raised the offer"
            await adapter.close()
            await adapter.open()
            await adapter.read()
            await adapter.close()

        run(bench.clock, test)

    @pytest.mark.parametrize("after_ms", CANCEL_AFTER_MS)
    def test_a_late_answer_is_not_taken_for_the_next(self, bench: Bench, after_ms: int) -> None:
        """What a cancelled call had asked for is not what the following calls are told."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                await adapter.order(declaration.greatest_offer_ma)
                await adapter.settle()
                task = asyncio.ensure_future(adapter.read())
                await asyncio.sleep(after_ms / 1000)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, AdapterError):
                    await task
                asked_ma = declaration.least_offer_ma
                try:
                    applied = await adapter.order(asked_ma)
                except AdapterError:  # the cancellation cost it its connection
                    await adapter.close()
                    await adapter.open()
                    applied = await adapter.order(asked_ma)
                assert applied.offered_ma in {None, asked_ma}, f"{asked_ma} mA were ordered; {applied} is of before"
                await adapter.settle()
                assert (await adapter.read()).offered_ma == bench.device_offered_ma(), "the reading is of before"

        run(bench.clock, test)

    @pytest.mark.parametrize("after_ms", CLOSE_AFTER_MS)
    @pytest.mark.parametrize("what", ["open", "offer", "read"])
    def test_closing_may_come_at_any_moment(self, bench: Bench, what: str, after_ms: int) -> None:
        """A call that is under way then ends, closed is closed whatever it was, and the adapter opens again."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            if what != "open":
                await adapter.open()
            asked_ma = adapter.declaration.least_offer_ma
            call = {"open": adapter.open, "offer": lambda: adapter.order(asked_ma), "read": adapter.read}[what]
            task: asyncio.Task[object] = asyncio.ensure_future(call())
            await asyncio.sleep(after_ms / 1000)
            await adapter.close()
            done, _ = await asyncio.wait([task], timeout=_ENDS_WITHIN_MS / 1000)
            if not done:
                task.cancel()
                fail(f"{what}() was still under way {_ENDS_WITHIN_MS} ms after close()")
            with contextlib.suppress(AdapterError):
                await task
            with pytest.raises(AdapterError):
                await adapter.read()
            await adapter.open()
            await adapter.read()
            await adapter.close()

        run(bench.clock, test)

    def test_reopening_leaks_nothing(self, bench: Bench) -> None:
        """Tasks, threads and handles are as many after many connections as after the first."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            gc.collect()
            counts = []
            for _ in range(self.reopenings + 1):
                await adapter.open()
                await adapter.read()
                await adapter.close()
                await asyncio.sleep(0)
                counts.append(_held())
            # The other end may live in this process too, and let go of its own a little later.
            some = min(20, self.reopenings // 10)
            firsts = tuple(map(min, zip(*counts[: some + 1], strict=True)))
            lasts = counts[-1]
            for _ in range(_LOOKS):
                if all(last <= first for first, last in zip(firsts, lasts, strict=True)):
                    return
                await asyncio.sleep(0.1)
                lasts = _held()
            for name, first, last in zip(("tasks", "threads", "handles"), firsts, lasts, strict=True):
                assert last <= first, f"{self.reopenings} reopenings: {name} went from {first} to {last}"

        run(bench.clock, test)


def _held() -> tuple[int, int, int]:
    """How many tasks, threads and handles there are now."""
    return len(asyncio.all_tasks()), threading.active_count(), open_handles() or 0


def _left_alone_ma(adapter: Watched) -> int:
    """What the device may rise to by itself between two connections."""
    declaration = adapter.declaration
    return 0 if declaration.deadman is Deadman.NONE else declaration.fallback_ma
