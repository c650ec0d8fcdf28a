"""One controller per wire: it lowers at once, raises late, keeps its beat, ends in time, and is the only one."""

import asyncio
from itertools import pairwise
from random import Random

import pytest

from powershare.errors import AdapterError
from powershare_serial.twc.messages import ControllerBeat, Query
from powershare_serial.twc.sending import Beat, encoded

from .twc_bench import TwcBench


def left_charging(bench: TwcBench, place: int, amps: int) -> None:
    """A unit that another program has left charging a moment ago."""
    now_ms = bench.clock.now_ms()
    beat = Beat(
        sender=0x1234, receiver=bench.wire.units[place].unit_id, offered_ma=amps * 1000, session=False, protocol=2
    )
    bench.wire.hear(encoded(beat), now_ms)
    assert bench.offered_ma(place) == amps * 1000


def test_every_unit_is_brought_low_before_any_is_raised() -> None:
    bench = TwcBench({}, units=3)
    left_charging(bench, 1, 16)
    left_charging(bench, 2, 32)

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        assert [bench.offered_ma(place) for place in range(3)] == [0, 0, 0]
        await adapter.offer(bench.order(32_000))
        assert bench.offered_ma(0) == 32_000
        await adapter.close()

    bench.run(test)
    first_raise = next(
        at for at, (_, said) in enumerate(bench.sent) if isinstance(said, ControllerBeat) and said.amount_ma
    )
    told_before = {said.receiver for _, said in bench.sent[:first_raise] if isinstance(said, ControllerBeat)}
    assert told_before == {unit.unit_id for unit in bench.wire.units}


def test_a_unit_that_comes_late_is_brought_low_before_any_is_raised_further() -> None:
    bench = TwcBench({}, units=2)
    left_charging(bench, 1, 32)
    bench.wire.units[1].failure = "silence"

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(6_000))
        bench.wire.units[1].failure = "mute"
        bench.wire.units[1].restart(bench.clock.now_ms())
        bench.wire.units[1].failure = "none"
        bench.wire.units[1].outlet.offer(32_000, bench.clock.now_ms())
        bench.wire.units[1].allowed_ma = 32_000
        await asyncio.sleep(1.6)  # it announces itself after its start
        await adapter.offer(bench.order(32_000))
        await asyncio.sleep(2)
        assert bench.offered_ma(1) == 0
        await asyncio.sleep(6)
        assert bench.offered_ma(0) == 32_000
        await adapter.close()

    bench.run(test)


def test_a_unit_that_announces_itself_and_does_not_listen_blocks_raises_until_its_own_watchdog_has_acted() -> None:
    bench = TwcBench({}, units=2)
    bench.wire.units[1].failure = "mute"

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        deaf = bench.wire.units[1]
        await bench.announce(deaf.unit_id)
        for second in range(0, 36, 6):
            await adapter.offer(bench.order(16_000))
            assert bench.offered_ma(0) == (0 if second < 30 else 16_000), second
            await asyncio.sleep(6)
        await adapter.close()

    bench.run(test)


def test_lowering_is_told_at_once_and_raises_are_five_seconds_apart() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        start_ms = bench.clock.now_ms()
        for offered_ma in (10_000, 20_000, 8_000, 32_000, 0, 30_000, 6_000):
            await adapter.offer(bench.order(offered_ma))
            assert bench.offered_ma() <= offered_ma, "lowering waits for nothing"
            await asyncio.sleep(1)
        await adapter.offer(bench.order(32_000))
        await asyncio.sleep(12)
        assert bench.offered_ma() == 32_000
        told_ma, raises = 0, []
        for at_ms, beat in bench.beats(start_ms):
            if beat.command:
                if beat.amount_ma > told_ma:
                    raises.append(at_ms)
                told_ma = beat.amount_ma
        assert len(raises) >= 2
        assert all(later - earlier >= 5_000 for earlier, later in pairwise(raises))
        await adapter.close()

    bench.run(test)


@pytest.mark.parametrize("options", [{}, {"noise": "yes", "echo": "yes"}])
def test_three_units_get_their_heartbeats_about_once_a_second_whatever_is_asked(options: dict[str, str]) -> None:
    bench = TwcBench(options, units=3, settings="&meter=yes")

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(3)]
        for adapter in adapters:
            await adapter.open()
        for _ in range(6):
            for adapter in adapters:
                await adapter.offer(bench.order(16_000))
                await asyncio.sleep(0.23)  # as if by several callers, each at its own moments
            await asyncio.sleep(10)
        since_ms = bench.clock.now_ms() - 50_000
        for place in range(3):
            instants = [at_ms for at_ms, _ in bench.beats(since_ms, place)]
            gaps = [later - earlier for earlier, later in pairwise(instants)]
            assert max(gaps) <= 1_400, gaps
        assert sum(isinstance(said, Query) for at_ms, said in bench.sent if at_ms >= since_ms) > 20
        assert bench.ports == 1, "one port for all"
        for adapter in adapters:
            await adapter.close()

    bench.run(test)


def test_the_command_fits_the_generation_and_0_is_told_every_time() -> None:
    """Protocol 2 ignores command 05 while a vehicle charges; 00 and 05 in turn would switch the relay each second."""
    for protocol, in_session in (("1", 5), ("2", 9)):
        bench = TwcBench({"protocol": protocol})

        async def test(bench: TwcBench = bench, in_session: int = in_session) -> None:
            adapter = bench.adapter()
            await adapter.open()
            await adapter.offer(bench.order(16_000))
            assert bench.beats()[-1][1].command == 5
            await asyncio.sleep(30)
            assert bench.beats()[-1][1].command == 0, "what is agreed is not told again"
            await adapter.offer(bench.order(10_000))
            assert (bench.beats()[-1][1].command, bench.offered_ma()) == (in_session, 10_000)
            paused_ms = bench.clock.now_ms()
            await adapter.offer(bench.order(0))
            assert bench.offered_ma() == 0
            await asyncio.sleep(30)
            commands = {beat.command for _, beat in bench.beats(paused_ms + 1)}
            assert commands == {5, in_session}
            assert bench.beats()[-1][1].command == 5
            await adapter.close()

        bench.run(test)


def test_after_a_flap_heartbeats_go_on_at_once() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(20)
        bench.silence(True)
        await asyncio.sleep(12)
        bench.silence(False)
        joined_ms = bench.clock.now_ms()
        await asyncio.sleep(2.5)
        assert (await adapter.read()).offered_ma == 16_000
        assert bench.beats(joined_ms)[0][0] - joined_ms <= 2_000
        await asyncio.sleep(20)
        assert bench.drawn_ma() == 16_000, "its own watchdog was fed again in time"
        await adapter.close()

    bench.run(test)


def test_a_spike_stays_within_the_order() -> None:
    """A raise to 21 A or more stops at 21 A for 5 s; an order of less is never exceeded."""
    bench = TwcBench({}, settings="&spike_a=21")

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        told: list[tuple[int, int]] = []
        for offered_ma, amounts in (
            (16_000, {16_000}),
            (20_000, {20_000}),
            (6_000, {6_000}),
            (32_000, {21_000, 32_000}),
        ):
            await asyncio.sleep(6)
            since_ms = bench.clock.now_ms()
            await adapter.offer(bench.order(offered_ma))
            await asyncio.sleep(13)
            told = [(at_ms, beat.amount_ma) for at_ms, beat in bench.beats(since_ms) if beat.command]
            assert {amount_ma for _, amount_ma in told} - {bench.offered_ma()} == amounts - {offered_ma}
            assert bench.offered_ma() == offered_ma
        spikes = [at_ms for at_ms, amount_ma in told if amount_ma == 21_000]
        rest = [at_ms for at_ms, amount_ma in told if amount_ma == 32_000]
        assert rest[0] - spikes[0] >= 5_000
        await adapter.close()

    bench.run(test)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_no_unit_is_ever_told_more_than_its_order(seed: int) -> None:
    """A walk through orders, losses, restarts and noise on three units; every heartbeat is held against the orders."""
    dice = Random(seed)
    bench = TwcBench({"seed": str(seed + 1), "echo": dice.choice(["yes", "no"])}, units=3)
    orders: list[list[tuple[int, int, int]]] = [[] for _ in range(3)]

    async def test() -> None:
        adapters = [bench.adapter(place) for place in range(3)]
        for adapter in adapters:
            await adapter.open()
        for _ in range(60):
            place = dice.randrange(3)
            act = dice.randrange(8)
            try:
                if act < 5:
                    order = bench.order(
                        dice.choice([0, 3_000, 6_000, 10_500, 16_000, 32_000, 99_000]),
                        dice.choice([900, 5_000, 40_000]),
                    )
                    orders[place].append((bench.clock.now_ms(), order.valid_until_ms, min(order.offered_ma, 32_000)))
                    await adapters[place].offer(order)
                elif act == 5:
                    await adapters[place].read()
                else:
                    bench.emulator.fail(
                        place, dice.choice(["silence", "none", "none", "reset", "wrong-checksums", "noise"])
                    )
            except AdapterError:
                await adapters[place].close()
            try:
                await adapters[place].open()
            except AdapterError:
                bench.emulator.fail(place, "none")
            await asyncio.sleep(dice.choice([0, 0.2, 1, 7]))
        for adapter in adapters:
            await adapter.close()

    bench.run(test)
    told = [0, 0, 0]
    nonzero = 0
    for at_ms, said in bench.sent:
        if not isinstance(said, ControllerBeat):
            continue
        place = next(at for at, unit in enumerate(bench.wire.units) if unit.unit_id == said.receiver)
        told[place] = said.amount_ma if said.command else told[place]
        given = [entry for entry in orders[place] if entry[0] <= at_ms]
        allowed_ma = given[-1][2] if given and at_ms < given[-1][1] else 0
        assert told[place] <= allowed_ma, (at_ms, said, given[-1:])
        nonzero += told[place] > 0
    assert nonzero > 50
