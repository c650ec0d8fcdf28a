"""What the RAPI adapter makes of a unit, and of one that misbehaves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from powershare.adapter import Offer
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare_serial.ports import Port
from powershare_serial.rapi.adapter import RapiAdapter
from powershare_serial.rapi.device import OpenEvse, UnitTraits
from powershare_serial.rapi.frames import Command, Lines, encode


class Bench:
    """A unit, an adapter to it, and everything that the adapter ever said, in virtual time."""

    def __init__(self, rest: str = "", traits: UnitTraits | None = None) -> None:
        self.clock = VirtualClock()
        outlet = Outlet(self.clock.now_ms(), greatest_ma=48_000, step_ma=1_000)
        outlet.plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())
        self.unit = OpenEvse(outlet, self.clock, traits or UnitTraits())
        self.adapter = RapiAdapter(f"///dev/ttyUSB0{rest}", clock=self.clock, connect=self._connect)
        self.said = Lines()
        self.commands: list[Command] = []
        self.lost = 0

    async def _connect(self) -> Port:
        return Wire(self)

    def offer(self, offered_ma: int, for_ms: int = 10_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=0)

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(test())

    def names(self) -> list[str]:
        return [" ".join((command.name, *command.words)) for command in self.commands]


class Wire:
    """A wire that writes down what the adapter says, and loses commands when it is told to."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.arrived = bench, bytearray()

    async def send(self, data: bytes) -> None:
        heard = self.bench.said.feed(data)
        self.bench.commands += [message for message in heard if isinstance(message, Command)]
        if self.bench.lost:
            self.bench.lost -= 1
            return
        asyncio.get_running_loop().call_later(0.004, self.bench.unit.hear, data)

    async def receive(self) -> bytes:
        while not (data := self.pending()):  # noqa: ASYNC110 - the unit has no event to wait for
            await asyncio.sleep(0.004)
        return data

    def pending(self) -> bytes:
        self.bench.unit.advance()
        return self.bench.unit.take()

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("rest", "traits", "remedy"),
    [
        ("?greatest_a=48", UnitTraits(hardware_a=32), "write greatest_a=32"),
        ("", UnitTraits(ammeter=False), "add meter=no"),
        ("", UnitTraits(supervision=False), "write watchdog_s=0"),
        ("", UnitTraits(boot_lock=False), "write boot_lock=no"),
        ("?boot_lock=no&greatest_a=16", UnitTraits(saved_a=32), "write greatest_a=32"),
        ("?watchdog_s=0&greatest_a=16", UnitTraits(saved_a=32), "write greatest_a=32"),
    ],
)
def test_a_unit_that_is_not_what_its_address_says_is_refused_with_the_remedy(
    rest: str, traits: UnitTraits, remedy: str
) -> None:
    bench = Bench(rest, traits)

    async def test() -> None:
        with pytest.raises((AdapterRejected, AdapterUnavailable), match=remedy):
            await bench.adapter.open()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await bench.adapter.read()

    bench.run(test)


def test_a_supervision_that_is_not_to_be_there_is_refused_with_its_interval() -> None:
    bench = Bench("?watchdog_s=0")

    async def test() -> None:
        bench.unit.hear(encode(Command("SY", ("45", "6"))))
        with pytest.raises(AdapterRejected, match="write watchdog_s=45"):
            await bench.adapter.open()

    bench.run(test)


def test_orders_are_volatile_and_a_trip_is_never_acknowledged() -> None:
    """`$SC` without V wears the memory; `$SY 165` and `$SY 0 n` make the unit offer its saved capacity."""
    bench = Bench("?watchdog_s=5")

    async def test() -> None:
        adapter, unit = bench.adapter, bench.unit
        await adapter.open()
        saved = unit.saved
        for _ in range(20):
            await adapter.offer(bench.offer(8_000))
            await adapter.offer(bench.offer(16_000))
        await asyncio.sleep(7)
        unit.advance()
        assert unit.outlet.offered_ma == 6_000, "the supervision has acted"
        await adapter.offer(bench.offer(7_000))
        assert unit.outlet.offered_ma == 7_000
        await asyncio.sleep(4)
        await adapter.close()
        assert unit.saved == saved
        assert unit.outlet.offered_ma == 7_000, "set anew, the supervision runs again from the last order"
        assert not [name for name in bench.names() if name.startswith(("SY 165", "SY 0"))]
        assert all(name.endswith(" V") for name in bench.names() if name.startswith("SC"))

    bench.run(test)


def test_opening_again_and_again_keeps_no_old_order_alive() -> None:
    bench = Bench("?watchdog_s=5")

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(16_000, for_ms=500))
        for _ in range(4):
            await bench.adapter.close()
            await asyncio.sleep(1.5)
            await bench.adapter.open()
            await bench.adapter.read()
        assert bench.unit.outlet.offered_ma == 6_000
        await bench.adapter.close()

    bench.run(test)


def test_a_hot_unit_that_refuses_a_raise_says_what_it_offers() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(10_000))
        bench.unit.fail("hot")
        assert (await bench.adapter.offer(bench.offer(20_000))).offered_ma == 10_000
        assert (await bench.adapter.offer(bench.offer(8_000))).offered_ma == 8_000
        await bench.adapter.close()

    bench.run(test)


def test_a_unit_that_says_yes_and_does_nothing_is_found_out_by_reading() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(20_000))
        bench.unit.fail("ignores")
        await bench.adapter.offer(bench.offer(8_000))
        assert (await bench.adapter.read()).offered_ma == 20_000
        await bench.adapter.close()

    bench.run(test)


@pytest.mark.parametrize("failure", ["noise", "wrong-checksum", "chatty"])
def test_on_a_bad_wire_every_answer_that_comes_is_true(failure: str) -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        bench.unit.fail(failure)
        heard = 0
        for number in range(40):
            offered_ma = (6 + number % 20) * 1_000
            try:
                applied = await bench.adapter.offer(bench.offer(offered_ma))
                await asyncio.sleep(0.5)
                reading = await bench.adapter.read()
            except (AdapterTimeout, AdapterUnavailable):
                continue
            heard += 1
            assert applied.offered_ma == reading.offered_ma == offered_ma == bench.unit.outlet.offered_ma
        assert heard >= 10, f"only {heard} of 40 orders came through"
        await bench.adapter.close()

    bench.run(test)


def test_a_lost_command_is_repeated_where_the_firmware_repeats_ids() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        bench.lost = 2
        assert (await bench.adapter.offer(bench.offer(9_000))).offered_ma == 9_000
        await bench.adapter.close()

    bench.run(test)


def test_an_older_firmware_is_asked_once_and_left_when_it_does_not_answer() -> None:
    bench = Bench(traits=UnitTraits(sequences=False))

    async def test() -> None:
        await bench.adapter.open()
        bench.lost = 1
        with pytest.raises(AdapterTimeout):
            await bench.adapter.read()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await bench.adapter.read()
        await bench.adapter.open()
        assert (await bench.adapter.offer(bench.offer(9_000))).offered_ma == 9_000
        await bench.adapter.close()

    bench.run(test)


def test_an_order_that_ends_between_two_questions_is_not_sent_on() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        sent = len(bench.commands)
        bench.lost = 1
        with pytest.raises(AdapterRejected, match="over before"):
            await bench.adapter.offer(bench.offer(20_000, for_ms=100))
        assert len(bench.commands) == sent + 1
        assert bench.unit.outlet.offered_ma == 0
        await bench.adapter.close()

    bench.run(test)


def test_a_pause_leaves_the_least_for_whoever_presses_the_button() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(32_000))
        await bench.adapter.offer(bench.offer(0))
        assert (await bench.adapter.read()).offered_ma == 0
        bench.unit.press_button()
        await asyncio.sleep(1)
        bench.unit.advance()
        assert bench.unit.outlet.offered_ma == 6_000
        assert (await bench.adapter.read()).offered_ma == 6_000
        await bench.adapter.close()

    bench.run(test)


def test_after_a_restart_it_stays_off_until_the_next_order() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(32_000))
        bench.unit.restart()
        await asyncio.sleep(2)
        assert (await bench.adapter.read()).offered_ma == bench.unit.outlet.offered_ma == 0
        await bench.adapter.offer(bench.offer(10_000))
        await asyncio.sleep(1)
        assert (await bench.adapter.read()).offered_ma == bench.unit.outlet.offered_ma == 10_000
        await bench.adapter.close()

    bench.run(test)


def test_a_fault_is_named_and_offers_nothing() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(10_000))
        bench.unit.fail("fault")
        reading = await bench.adapter.read()
        assert (reading.offered_ma, reading.state, reading.fault) == (0, "F", "residual current")
        await bench.adapter.close()

    bench.run(test)


def test_its_fallback_is_set_once_and_counts_what_the_unit_says() -> None:
    bench = Bench("?fallback_a=20&watchdog_s=5")

    async def test() -> None:
        adapter, unit = bench.adapter, bench.unit
        await adapter.open()
        assert await adapter.set_fallback(10_900) == 10_000
        saved = unit.saved
        assert await adapter.set_fallback(10_000) == 10_000
        await adapter.close()
        await adapter.open()
        assert unit.saved == saved, "what is so already is not written"
        assert await adapter.set_fallback(32_000) == 20_000, "no more than the address says"
        assert await adapter.set_fallback(0) == 6_000, "the firmware falls to no less"
        await adapter.offer(bench.offer(32_000))
        await asyncio.sleep(7)
        unit.advance()
        assert unit.outlet.offered_ma == 6_000
        await adapter.close()

    bench.run(test)


def test_the_meter_counts_for_every_line_it_is_wired_to() -> None:
    bench = Bench("?lines=3")

    async def test() -> None:
        await bench.adapter.open()
        for _ in range(30):
            await bench.adapter.offer(bench.offer(16_000))
            await asyncio.sleep(1)
        assert (await bench.adapter.read()).drawn_ma == (16_000,) * 3
        await bench.adapter.close()

    bench.run(test)


def test_whoever_puts_it_to_sleep_by_its_button_is_not_overruled_by_a_renewed_order() -> None:
    bench = Bench()

    async def test() -> None:
        await bench.adapter.open()
        await bench.adapter.offer(bench.offer(16_000))
        await asyncio.sleep(1)
        bench.unit.press_button()
        assert (await bench.adapter.offer(bench.offer(16_000))).offered_ma == 0
        await asyncio.sleep(1)
        assert (await bench.adapter.read()).offered_ma == bench.unit.outlet.offered_ma == 0
        bench.unit.press_button()
        await asyncio.sleep(1)
        assert (await bench.adapter.offer(bench.offer(16_000))).offered_ma == 16_000
        bench.unit.press_button()
        await bench.adapter.offer(bench.offer(0))
        await bench.adapter.offer(bench.offer(8_000))
        await asyncio.sleep(1)
        assert (await bench.adapter.read()).offered_ma == 8_000, "the end of a pause wakes it"
        await bench.adapter.close()

    bench.run(test)
