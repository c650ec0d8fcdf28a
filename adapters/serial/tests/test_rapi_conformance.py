"""The RAPI adapter is an adapter: the suite against emulated units in virtual time, and some of it over a real pty."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from powershare.adapter import Adapter, HostClock, Offer
from powershare.errors import AdapterUnavailable
from powershare.registry import create_adapter
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import AdapterConformance, VirtualClock
from powershare_serial.rapi.adapter import RapiAdapter
from powershare_serial.rapi.device import OpenEvse, UnitTraits
from powershare_serial.rapi.emulated import emulator
from powershare_serial.rapi.frames import Lines

_T = TypeVar("_T")


class Wire:
    """A wire to one unit in this process, whose answers take 4 ms."""

    def __init__(self, unit: OpenEvse) -> None:
        self.unit = unit
        self.open = True
        self._arrived = bytearray()

    async def send(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(0.004, self._heard, data)

    async def receive(self) -> bytes:
        while not (data := self.pending()):  # noqa: ASYNC110 - the unit has no event to wait for
            await asyncio.sleep(0.004)
        return data

    def pending(self) -> bytes:
        self.unit.advance()
        self._arrived += self.unit.take()
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    async def close(self) -> None:
        self.open = False

    def _heard(self, data: bytes) -> None:
        if self.open:
            self.unit.hear(data)
            self._arrived += self.unit.take()


class RapiBench:
    """An emulated unit in virtual time with a vehicle on it."""

    frames = (
        b"$OK 6 48 16 32^1C\r",
        b"$NK 32^00\r",
        b"$OK 30 6 0 :7F^6E\r",
        b"$AT 03 03 16 0140^33\r",
        b"$AB 00 8.2.1^1C\r",
        b"$OK 15730 230000*23\r",
    )

    def __init__(self, rest: str, traits: UnitTraits) -> None:
        self.clock = VirtualClock()
        outlet = Outlet(self.clock.now_ms(), greatest_ma=traits.hardware_a * 1_000, step_ma=1_000)
        outlet.plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())
        self.unit = OpenEvse(outlet, self.clock, traits)
        self._rest = rest

    def new_adapter(self) -> RapiAdapter:
        return RapiAdapter(f"///dev/ttyUSB0{self._rest}", clock=self.clock, connect=self._connect)

    async def _connect(self) -> Wire:
        return Wire(self.unit)

    def device_offered_ma(self) -> int:
        self.unit.advance()
        return self.unit.outlet.offered_ma

    def silence(self, silent: bool) -> None:
        if silent:
            self.unit.fail("silent")
        else:
            self.unit.fail("none")

    def restart_device(self) -> None:
        self.unit.restart()

    def fallback_writes(self) -> int:
        return self.unit.saved

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        lines = Lines()
        return [message for chunk in chunks for message in lines.feed(chunk)]


@pytest.mark.parametrize(
    ("rest", "traits"),
    [
        ("", UnitTraits()),
        ("?watchdog_s=10&fallback_a=8&lines=3", UnitTraits(sequences=False)),
        ("?boot_lock=no", UnitTraits(boot_lock=False)),
        ("?watchdog_s=0&meter=no", UnitTraits(supervision=False, boot_lock=False, ammeter=False)),
        ("?greatest_a=16", UnitTraits(saved_a=48)),
    ],
    ids=["as it comes", "old firmware", "without a boot lock", "without a supervision", "greater than declared"],
)
class TestRapi(AdapterConformance):
    @pytest.fixture
    def bench(self, rest: str, traits: UnitTraits) -> RapiBench:
        return RapiBench(rest, traits)


class PtyBench:
    """An emulated unit on a real pseudo-terminal in real time; its side runs on a loop and thread of its own."""

    def __init__(self) -> None:
        self.clock = HostClock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._emulator = emulator({"seed": "7"}, units=1, clock=self.clock, changed=lambda *_: None)
        self._there(self._emulator.start())
        self._emulator.outlets[0].plug_in(Traits(max_ma=32_000, reaction_ms=200), 60_000, self.clock.now_ms())

    def _there(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def new_adapter(self) -> Adapter:
        return create_adapter(f"{self._emulator.addresses[0]}&watchdog_s=4", clock=self.clock)

    def device_offered_ma(self) -> int:
        async def look() -> int:
            self._emulator.units[0].advance()
            return self._emulator.outlets[0].offered_ma

        return self._there(look())

    def silence(self, silent: bool) -> None:
        async def cut() -> None:
            self._emulator.fail(0, "silent" if silent else "none")

        self._there(cut())

    def end(self) -> None:
        self._there(self._emulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class TestRapiOverAPty:
    """A selection of the suite in real time; virtual time has the rest."""

    longest_wait_ms = 60_000

    @pytest.fixture
    def bench(self) -> Iterator[PtyBench]:
        bench = PtyBench()
        yield bench
        bench.end()

    @pytest.mark.parametrize(
        "rule",
        [
            AdapterConformance.test_a_raise_reaches_the_device_and_is_reported,
            AdapterConformance.test_zero_pauses,
            AdapterConformance.test_a_silent_device_is_an_error_in_time,
            AdapterConformance.test_open_and_close_may_be_repeated,
            AdapterConformance.test_opening_does_not_raise_the_offer,
        ],
        ids=lambda rule: rule.__name__.removeprefix("test_"),
    )
    def test_it_keeps_the_rule(self, bench: PtyBench, rule: Callable[..., None]) -> None:
        assert bench.device_offered_ma() == 0
        rule(self, bench)


def test_it_speaks_through_a_converter_over_a_real_socket() -> None:
    async def talk() -> None:
        clock = HostClock()
        outlet = Outlet(clock.now_ms(), greatest_ma=48_000, step_ma=1_000)
        outlet.plug_in(Traits(max_ma=32_000), 60_000, clock.now_ms())
        unit = OpenEvse(outlet, clock, UnitTraits())

        async def convert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(64):
                unit.hear(data)
                writer.write(unit.take())
            writer.close()

        server = await asyncio.start_server(convert, "127.0.0.1", 0)
        adapter = create_adapter(f"serial+rapi://127.0.0.1:{server.sockets[0].getsockname()[1]}", clock=clock)
        await adapter.open()
        offer = Offer(offered_ma=13_500, valid_until_ms=clock.now_ms() + 5_000, then_ma=0)
        assert (await adapter.offer(offer)).offered_ma == 13_000
        await asyncio.sleep(adapter.declaration.settle_ms / 1000)
        assert (await adapter.read()).offered_ma == 13_000
        await adapter.close()
        server.close()
        with pytest.raises(AdapterUnavailable, match="no connection"):
            await adapter.open()

    asyncio.run(talk())
