"""A unit that restarts while it is being ordered: whenever that is, it offers no more than it was told."""

import asyncio

import pytest

from .test_rapi import Bench


@pytest.mark.parametrize("restarts_after_ms", range(0, 60, 2))
def test_a_unit_that_restarts_within_an_order_is_not_unlocked_at_its_saved_capacity(restarts_after_ms: int) -> None:
    bench = Bench()
    seen_ma: list[int] = []

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(13_000))
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(restarts_after_ms / 1000, bench.unit.restart)
        for _ in range(3):
            await bench.adapter.offer(bench.offer(13_000))
            for _ in range(50):
                await asyncio.sleep(0.02)
                bench.unit.advance()
                seen_ma.append(bench.unit.outlet.ordered_ma)
        await bench.adapter.close()

    bench.run(test)
    assert max(seen_ma) == 13_000
    assert seen_ma[-1] == 13_000, "it was woken again"
