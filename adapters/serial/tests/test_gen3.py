"""The meter and an emulated Gen 3 Wall Connector in a closed loop, in virtual time and over a real pty."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from powershare.adapter import Applied, HostClock, Offer, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare.testing.abilities import AbilityRules
from powershare.testing.lifecycle import LifecycleRules
from powershare.units import LineMilliamps
from powershare_serial.gen3.adapter import Gen3MeterAdapter
from powershare_serial.gen3.device import ConnectorTraits, WallConnector
from powershare_serial.gen3.emulated import emulator
from powershare_serial.gen3.frames import CURRENTS, IDENTITY, MAKER, PROBE, Question, Questions, encode_question

ADDRESS = "///dev/ttyUSB0?limit_a=21&greatest_a=32&lost_after_s=10&i_accept_the_limits=yes"


class Side:
    """One side of a wire within this process."""

    def __init__(self) -> None:
        self.other: Side | None = None
        self._data = bytearray()
        self._arrived = asyncio.Event()
        self._lost = False

    async def send(self, data: bytes) -> None:
        if self.other is not None:
            self.other._data += data
            self.other._arrived.set()

    async def receive(self) -> bytes:
        while not self._data:
            if self._lost:
                raise AdapterUnavailable("the port is closed")
            self._arrived.clear()
            await self._arrived.wait()
        return self.pending()

    def pending(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data

    async def close(self) -> None:
        self._lost, self.other = True, None
        self._arrived.set()


class Bench:
    """A Wall Connector with a vehicle and the meter that it asks, in virtual time."""

    frames = tuple(
        encode_question(question)
        for question in (Question(MAKER, 6), Question(IDENTITY, 55), Question(PROBE, 1), Question(CURRENTS, 8))
    )

    def __init__(self, rest: str = "", *, lines: int = 3, vehicle: Traits | None = None) -> None:
        self.clock = VirtualClock()
        self.outlet = Outlet(self.clock.now_ms(), lines=lines, greatest_ma=32_000)
        self.vehicle = vehicle or Traits(max_ma=32_000, reaction_ms=5_000)
        self.outlet.plug_in(self.vehicle, 500_000, self.clock.now_ms())
        self.device = WallConnector(self.outlet, self.clock, ConnectorTraits())
        self.unmeasured = False
        self._rest = f"&lines={lines}{rest}"
        self.near: Side | None = None
        self.adapter = self.new_adapter()

    def new_adapter(self) -> Gen3MeterAdapter:
        return Gen3MeterAdapter(
            ADDRESS + self._rest, clock=self.clock, connect=self._connect, own_draw_ma=self._measured
        )

    async def _connect(self) -> Side:
        near, far = Side(), Side()
        near.other, far.other = far, near
        self.near = near
        return far

    def _measured(self) -> LineMilliamps | None:
        self.outlet.advance(self.clock.now_ms())
        return None if self.unmeasured else self.outlet.drawn_per_line_ma

    def device_offered_ma(self) -> int:
        self.outlet.advance(self.clock.now_ms())
        return self.outlet.offered_ma

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        questions = Questions()
        return [question for chunk in chunks for question in questions.feed(chunk)]

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def both() -> None:
            await self.adapter.open()
            assert self.near is not None
            asking = asyncio.create_task(self.device.ask_for_ever(self.near))
            try:
                await test()
            finally:
                asking.cancel()
                await asyncio.wait({asking})
                await self.adapter.close()

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(both())

    async def order(self, offered_ma: int, for_ms: int = 12_000) -> Applied:
        now_ms = self.clock.now_ms()
        return await self.adapter.offer(Offer(offered_ma=offered_ma, valid_until_ms=now_ms + for_ms, then_ma=0))

    async def hold(self, offered_ma: int, seconds: int, watch: Callable[[], None] = lambda: None) -> Reading:
        """Renew an order every 5 s, and look every second."""
        for second in range(seconds):
            if second % 5 == 0:
                await self.order(offered_ma)
            await asyncio.sleep(1)
            watch()
        return await self.adapter.read()

    @property
    def drawn_ma(self) -> int:
        self.outlet.advance(self.clock.now_ms())
        return max(self.outlet.drawn_per_line_ma)


class AskingBench(Bench):
    """A bench for the kit, which opens and closes by itself: the Wall Connector asks on whatever wire there is."""

    async def _connect(self) -> Side:
        far = await super()._connect()
        near = self.near
        assert near is not None
        asking = asyncio.create_task(self.device.ask_for_ever(near))
        closed = far.close

        async def close() -> None:
            asking.cancel()
            await closed()
            await asyncio.wait({asking})

        far.close = close  # type: ignore[method-assign] # an ear at the other end
        return far


class TestGen3(LifecycleRules, AbilityRules):
    """What the kit asks of opening, closing, cancelling and parsing.

    Its other rules suppose a device that reports its pilot, and changes it as ordered; this one does neither.
    """

    reopenings = 50
    test_a_late_answer_is_not_taken_for_the_next = None  # type: ignore[assignment]  # it supposes a pilot that obeys

    @pytest.fixture
    def bench(self) -> AskingBench:
        return AskingBench()


def test_a_share_that_falls_while_charging_is_kept_within_the_documented_time_and_stays_kept() -> None:
    bench = Bench()
    settle_s = bench.adapter.declaration.settle_ms // 1000
    after: list[int] = []

    async def test() -> None:
        await bench.hold(20_000, 480)
        assert bench.drawn_ma >= 17_000, "it has risen by about 1 A in 30 s"
        began_ms = bench.clock.now_ms()

        def watch() -> None:
            if bench.clock.now_ms() > began_ms + settle_s * 1000:
                after.append(bench.drawn_ma)

        reading = await bench.hold(8_000, settle_s + 300, watch)
        assert max(after) <= 8_000
        assert min(after) >= 6_000, "it charges on"
        assert reading.offered_ma == 8_000
        assert bench.device.cuts == 0, "and its contactor never opened under load"
        assert bench.device.trusts

    bench.run(test)


@pytest.mark.parametrize("share_a", [7, 10, 16, 20])
def test_its_draw_stays_within_its_share_and_comes_near_it(share_a: int) -> None:
    bench = Bench()
    draws: list[int] = []

    async def test() -> None:
        await bench.hold(share_a * 1_000, 900, lambda: draws.append(bench.drawn_ma))
        assert max(draws) <= share_a * 1_000
        assert draws[-1] >= share_a * 1_000 - 2_500
        assert bench.device.trusts

    bench.run(test)


@pytest.mark.parametrize("lines_used", [1, 3])
def test_a_vehicle_on_fewer_lines_is_held_by_its_worst_line(lines_used: int) -> None:
    bench = Bench(vehicle=Traits(max_ma=32_000, reaction_ms=5_000, lines_used=lines_used))
    settle_s = bench.adapter.declaration.settle_ms // 1000

    async def test() -> None:
        await bench.hold(20_000, 480)
        await bench.hold(10_000, settle_s)
        assert bench.outlet.drawn_per_line_ma.count(0) == 3 - lines_used
        assert bench.drawn_ma <= 10_000

    bench.run(test)


def test_a_pause_stops_it_and_the_next_share_starts_it_again() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.hold(16_000, 240)
        reading = await bench.hold(0, bench.adapter.declaration.settle_ms // 1000)
        assert bench.drawn_ma == bench.device_offered_ma() == reading.offered_ma == 0
        await bench.hold(10_000, 120)
        assert 6_000 <= bench.drawn_ma <= 10_000
        assert bench.device.trusts

    bench.run(test)


def test_when_the_order_is_over_nothing_is_answered_and_it_falls_to_6_a() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.hold(20_000, 300)
        assert bench.device_offered_ma() > 10_000
        await asyncio.sleep(12 + 10 + 1)
        assert bench.device_offered_ma() == 6_000
        reading = await bench.adapter.read()
        assert reading.offered_ma in {7_000, 32_000}, "6 A counts as its least offer, and only once it draws so little"
        await asyncio.sleep(30)
        assert (await bench.adapter.read()).offered_ma == 7_000
        assert bench.drawn_ma == 6_000

    bench.run(test)


def test_without_a_measurement_of_its_own_draw_it_falls_to_6_a_too() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.hold(16_000, 240)
        bench.unmeasured = True
        with pytest.raises(AdapterUnavailable, match="no young measurement"):
            await bench.order(16_000)
        with pytest.raises(AdapterUnavailable, match="no young measurement"):
            await bench.adapter.read()
        await asyncio.sleep(13)
        assert bench.device_offered_ma() == 6_000

    bench.run(test)


def test_until_it_must_have_obeyed_the_reading_says_what_it_was_offering() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.order(20_000)
        assert (await bench.adapter.read()).offered_ma == 32_000, "nobody knows what was before"
        await bench.hold(20_000, 60)
        assert (await bench.adapter.read()).offered_ma == 20_000
        await bench.order(8_000)
        assert (await bench.adapter.read()).offered_ma == 20_000
        await bench.hold(8_000, 25)
        assert (await bench.adapter.read()).offered_ma == 20_000, "though it draws less already"
        await bench.hold(12_000, 5)
        assert (await bench.adapter.read()).offered_ma == 20_000, "a raise in between does not confirm the lowering"
        await bench.hold(12_000, 60)
        assert (await bench.adapter.read()).offered_ma == 12_000

    bench.run(test)


def test_an_order_that_is_renewed_as_the_last_one_ends_goes_on() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.hold(16_000, 60)
        readings = set()
        for _ in range(12):
            await bench.order(0, for_ms=5_000)
            await asyncio.sleep(4.8)
            readings.add((await bench.adapter.read()).offered_ma)
        assert readings == {16_000, 0}
        assert (await bench.adapter.read()).offered_ma == 0

    bench.run(test)


def test_one_that_no_longer_trusts_its_meter_counts_at_its_greatest() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.hold(16_000, 120)
        bench.device.distrust()
        reading = await bench.hold(16_000, 90)
        assert bench.drawn_ma > 16_000
        assert reading.offered_ma == 32_000
        assert reading.fault is not None
        assert "does not follow its meter" in reading.fault

    bench.run(test)


def test_a_car_that_does_not_give_way_is_cut_off_in_time() -> None:
    bench = Bench(vehicle=Traits(max_ma=20_000, ignores_pilot=True))
    settle_ms = bench.adapter.declaration.settle_ms

    async def test() -> None:
        await bench.hold(32_000, 120)
        assert bench.drawn_ma == 20_000
        began_ms = bench.clock.now_ms()
        while bench.drawn_ma > 8_000:
            await bench.hold(8_000, 1)
            assert bench.clock.now_ms() <= began_ms + settle_ms
        assert bench.device_offered_ma() == 0

    bench.run(test)


def test_nobody_who_asks_is_an_error_in_time() -> None:
    bench = Bench()

    async def test() -> None:
        bench.device.silent = True
        await asyncio.sleep(1)
        with pytest.raises(AdapterTimeout, match="has not asked its meter"):
            await bench.order(16_000)
        with pytest.raises(AdapterTimeout, match="has not asked its meter"):
            await bench.adapter.read()

    bench.run(test)


def test_an_order_that_is_over_and_one_below_the_least_are_not_obeyed_upwards() -> None:
    bench = Bench()

    async def test() -> None:
        with pytest.raises(AdapterRejected, match="over before"):
            await bench.order(16_000, for_ms=0)
        await bench.hold(6_900, 60)
        assert bench.drawn_ma == 0, "below 7 A it pauses"

    bench.run(test)


def test_over_a_pty_it_is_asked_and_answers_in_real_time() -> None:
    async def talk() -> None:
        clock = HostClock()
        units = emulator({"lines": "1", "lost_after_s": "2"}, units=1, clock=clock, changed=lambda *_: None)
        await units.start()
        rest = units.addresses[0].removeprefix("serial+gen3:") + "&i_accept_the_limits=yes"
        adapter = Gen3MeterAdapter(rest, clock=clock, own_draw_ma=lambda: (0,))
        await adapter.open()
        try:
            assert (await adapter.read()).drawn_ma == (0,)
            offer = Offer(offered_ma=16_000, valid_until_ms=clock.now_ms() + 4_000, then_ma=0)
            assert (await adapter.offer(offer)).offered_ma is None
            for _ in range(4):
                await adapter.offer(offer)
            heard_ms = units.units[0].heard_ms
            assert clock.now_ms() - heard_ms < 500
            units.fail(0, "noise")
            await asyncio.sleep(1)
            assert units.units[0].heard_ms > heard_ms, "every third question is spoiled, and the others are answered"
            units.fail(0, "none")
            await asyncio.sleep(max(0, offer.valid_until_ms - clock.now_ms()) / 1000 + 0.1)
            heard_ms = units.units[0].heard_ms
            await asyncio.sleep(0.6)
            assert units.units[0].heard_ms == heard_ms, "the order is over"
            units.fail(0, "silent")
            await asyncio.sleep(0.3)
            with pytest.raises(AdapterTimeout):
                await adapter.read()
        finally:
            await adapter.close()
            await units.stop()

    asyncio.run(talk())
