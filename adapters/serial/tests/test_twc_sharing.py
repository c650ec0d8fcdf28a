"""A wire is shared by the adapters of its units, and by no other controller; ids that clash are noticed."""

import asyncio

import pytest

from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare_serial.twc.adapter import TwcAdapter
from powershare_serial.twc.frames import Frames
from powershare_serial.twc.messages import ControllerReady
from powershare_serial.twc.sending import Beat, encoded

from .twc_bench import TwcBench


@pytest.mark.parametrize("options", [{}, {"echo": "yes"}])
@pytest.mark.parametrize("when", ["before", "while open"])
def test_another_controller_ends_it(options: dict[str, str], when: str) -> None:
    bench = TwcBench(options, units=2)

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(2)]
        if when == "before":
            bench.emulator.fail(0, "second-controller")
        else:
            for adapter in adapters:
                await adapter.open()
                await adapter.offer(bench.order(16_000))
            bench.emulator.fail(0, "second-controller")
            await asyncio.sleep(4)
        quiet_ms = bench.clock.now_ms()
        for adapter in adapters:
            with pytest.raises(AdapterUnavailable, match=r"another controller, 32AB,.*rotary switch"):
                await (adapter.open() if when == "before" else adapter.offer(bench.order(6_000)))
            with pytest.raises(AdapterUnavailable):
                await adapter.read()
        await asyncio.sleep(10)
        assert not [said for at_ms, said in bench.sent if at_ms >= quiet_ms], "nothing is said any more"
        bench.emulator.fail(0, "none")
        for adapter in adapters:
            await adapter.close()
            await adapter.open()
            await adapter.read()
            await adapter.close()

    bench.run(test)


def test_a_second_controller_of_our_own_id_is_one_too() -> None:
    """To the letter what we said ourselves a moment ago; but on this wire nothing of ours has ever come back."""
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(3.5)
        assert bench.beats()[-1][1].command == 0
        beat = Beat(sender=0x7777, receiver=bench.wire.units[0].unit_id, offered_ma=None, session=False, protocol=2)
        (body,) = Frames().bodies(encoded(beat))
        await bench.inject(body, times=1)
        with pytest.raises(AdapterUnavailable, match="another controller, 7777"):
            await adapter.read()
        await adapter.close()

    bench.run(test)


def test_of_two_units_with_one_id_neither_is_spoken_to_for_the_other() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        unit = bench.wire.units[0]
        await adapter.offer(bench.order(16_000))
        for sign in (1, 2, 1):
            await asyncio.sleep(6)
            await bench.announce(unit.unit_id, sign)
        with pytest.raises(AdapterUnavailable, match="two units have the id"):
            await adapter.offer(bench.order(16_000))
        with pytest.raises(AdapterUnavailable, match="two units have the id"):
            await adapter.read()
        assert not [beat for _, beat in bench.beats(bench.clock.now_ms() - 100) if beat.amount_ma]
        await asyncio.sleep(31)
        await adapter.read()
        await adapter.close()

    bench.run(test)


def test_a_clash_that_the_units_settle_leaves_an_adapter_without_its_unit_until_it_opens_anew() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        adapter = bench.adapter(1)
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        bench.emulator.fail(1, "id-clash")
        await asyncio.sleep(20)
        assert len({unit.unit_id for unit in bench.wire.units}) == 2
        with pytest.raises(AdapterTimeout, match="did not answer"):
            await adapter.read()
        await adapter.close()
        await asyncio.sleep(30)
        with pytest.raises(AdapterTimeout, match="does not answer; there are: "):
            await adapter.open()
        other = bench.adapter(1)
        await other.open()
        await other.close()

    bench.run(test)


def test_closing_tells_0_and_the_others_go_on() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(2)]
        for adapter in adapters:
            await adapter.open()
            await adapter.offer(bench.order(16_000))
        await asyncio.sleep(20)
        await adapters[0].close()
        await asyncio.sleep(2)
        assert (bench.offered_ma(0), bench.offered_ma(1)) == (0, 16_000)
        await adapters[1].close()
        await asyncio.sleep(0.1)
        assert bench.offered_ma(1) == 0
        closed_ms = bench.clock.now_ms()
        await asyncio.sleep(60)
        assert not [said for at_ms, said in bench.sent if at_ms >= closed_ms]

    bench.run(test)


def test_the_bus_is_opened_by_the_first_and_closed_by_the_last() -> None:
    bench = TwcBench({}, units=3)

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(3)]
        await asyncio.gather(*(adapter.open() for adapter in adapters))
        assert bench.ports == 1
        assert sum(isinstance(said, ControllerReady) for _, said in bench.sent) == 10
        opening = asyncio.ensure_future(bench.adapter(0).open())
        with pytest.raises(AdapterRejected, match="belongs to another adapter already"):
            await opening
        stranger = TwcAdapter(f"//{'/dev/there-is-none'}?controller_id=1234", clock=bench.clock, connect=bench.connect)
        with pytest.raises(AdapterRejected, match="controller_id=7777 already"):
            await stranger.open()
        for adapter in adapters[:2]:
            await adapter.close()
        await adapters[2].read()
        await adapters[2].close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    bench.run(test)


def test_opening_again_waits_until_the_port_is_closed() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        first, second = bench.adapter(0), bench.adapter(1)
        await first.open()
        closing = asyncio.ensure_future(first.close())
        await asyncio.sleep(0)
        await second.open()
        await closing
        await second.read()
        await second.close()
        assert bench.ports == 2

    bench.run(test)


def test_an_order_under_way_when_its_adapter_closes_is_not_taken_up_again() -> None:
    bench = TwcBench({}, units=2)

    async def test() -> None:
        first, second = bench.adapter(0), bench.adapter(1)
        await first.open()
        await second.open()
        await first.offer(bench.order(16_000))
        await asyncio.sleep(3)
        bench.wire.units[0].allowed_ma = 0  # it has forgotten its order, and the next one meets that
        bench.emulator.outlets[0].offer(0, bench.clock.now_ms())
        under_way = asyncio.ensure_future(first.offer(bench.order(16_000)))
        await asyncio.sleep(0.01)
        await first.close()
        with pytest.raises(AdapterUnavailable, match="closed"):
            await under_way
        await asyncio.sleep(10)
        assert bench.offered_ma(0) == 0
        await second.close()

    bench.run(test)
