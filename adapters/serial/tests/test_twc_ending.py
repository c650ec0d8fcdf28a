"""An order ends: the unit is told 0 before, hears nothing after, and one that has begun anew is not told it again."""

import asyncio

import pytest

from .twc_bench import TwcBench


def test_when_the_order_ends_the_unit_has_been_told_0_and_hears_nothing_more() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000, for_ms=50_000))
        over_ms = bench.clock.now_ms() + 50_000
        await asyncio.sleep(48)
        assert (bench.offered_ma(), bench.drawn_ma()) == (16_000, 16_000)
        await asyncio.sleep(60)
        assert bench.offered_ma() == 0
        beats = bench.beats()
        assert beats[-1][0] < over_ms
        assert beats[-1][1].amount_ma == 0
        assert beats[-1][1].command == 9
        await adapter.close()

    bench.run(test)


def test_a_unit_that_does_not_answer_is_left_alone_when_its_order_ends() -> None:
    """Its watchdog is what stops it, and every further word would feed that."""
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000, for_ms=20_000))
        over_ms = bench.clock.now_ms() + 20_000
        await asyncio.sleep(15)
        bench.emulator.fail(0, "mute")
        await asyncio.sleep(40)
        assert bench.beats()[-1][0] < over_ms
        await adapter.close()

    bench.run(test)


def test_the_0_before_the_end_is_told_again_where_it_was_lost() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        order = bench.order(16_000, for_ms=20_000)
        await adapter.offer(order)
        await asyncio.sleep((order.valid_until_ms - 520 - bench.clock.now_ms()) / 1000)
        bench.silence(True)
        await asyncio.sleep(0.1)
        bench.silence(False)
        await asyncio.sleep(0.6)
        assert bench.offered_ma() == 0
        assert bench.beats()[-1][0] < order.valid_until_ms
        await adapter.close()

    bench.run(test)


def test_a_process_that_was_stopped_tells_no_order_that_ended_meanwhile() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(2)]
        for adapter in adapters:
            await adapter.open()
            await adapter.offer(bench.order(16_000, for_ms=10_000))
        woken_ms = 0
        for stopped_s in (7.3, 20):
            bench.clock.now_s += stopped_s
            woken_ms = bench.clock.now_ms()
            await asyncio.sleep(5)
        for place in range(2):
            late = [beat for at_ms, beat in bench.beats(woken_ms, place) if at_ms > woken_ms - 5]
            assert not [beat for beat in late if beat.amount_ma or not beat.command], late
        for adapter in adapters:
            await adapter.close()

    bench.run(test)


def test_a_unit_that_begins_anew_is_told_0_until_there_is_a_new_order() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(3)
        bench.emulator.fail(0, "reset")
        await asyncio.sleep(20)
        assert bench.offered_ma() == 0
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(2)
        assert bench.offered_ma() == 16_000
        await adapter.close()

    bench.run(test)


@pytest.mark.parametrize("how", ["it allows 0 by itself", "it announces itself"])
def test_either_sign_of_a_unit_begun_anew_ends_its_order(how: str) -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(7.2)
        if how == "it allows 0 by itself":
            bench.wire.units[0].allowed_ma = 0
            bench.emulator.outlets[0].offer(0, bench.clock.now_ms())
        else:
            await bench.announce(bench.wire.units[0].unit_id)
        changed_ms = bench.clock.now_ms()
        await asyncio.sleep(20)
        assert not [beat for at_ms, beat in bench.beats(changed_ms + 1_100) if beat.amount_ma or not beat.command]
        await adapter.close()

    bench.run(test)


def test_an_order_that_meets_a_unit_begun_anew_is_carried_out() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(3.2)
        bench.wire.units[0].allowed_ma = 0
        bench.emulator.outlets[0].offer(0, bench.clock.now_ms())
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(4)
        assert bench.offered_ma() == 16_000
        await adapter.close()

    bench.run(test)
