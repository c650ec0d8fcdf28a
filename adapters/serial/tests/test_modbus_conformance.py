"""Every shipped map is an adapter: the suite against emulated devices, in virtual time and on real wires.

The device of each bench wants all it can get, so that its pilot always says what it is told.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from powershare.adapter import Adapter, HostClock
from powershare.registry import create_adapter
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import AdapterConformance, VirtualClock
from powershare_serial.modbus.adapter import ModbusAdapter
from powershare_serial.modbus.client import Lines
from powershare_serial.modbus.emulated import emulator
from powershare_serial.modbus.emulated_line import EmulatedLine, EmulatedWire
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.frames import LineFrames, TcpFrames
from powershare_serial.modbus.map_file import load_map, shipped
from powershare_serial.ports import Port

_T = TypeVar("_T")

VEHICLE = Traits(max_ma=32_000, lines_used=None, identity="", reaction_ms=1_000)
ENERGY_WH = 1_000_000


class ModbusBench:
    """An emulated device in virtual time, over a wire in this process."""

    def __init__(self, name: str, *, tcp: bool) -> None:
        self.clock = VirtualClock()
        self.lines = Lines()
        found = load_map(name)
        offers, now_ms = found.offers, self.clock.now_ms()
        outlet = Outlet(
            now_ms,
            lines=max(1, len(found.drawn)),
            least_ma=offers.least_ma,
            greatest_ma=offers.greatest_ma,
            step_ma=offers.step_ma,
        )
        self.unit = EmulatedUnit(found, found.connection.connector_step, outlet, now_ms)
        outlet.plug_in(VEHICLE, ENERGY_WH, now_ms)
        self.number = min(found.connection.unit, 247)
        self.line = EmulatedLine({self.number: self.unit}, self.clock, lambda: None)
        self.tcp = tcp
        place = "//device" if tcp else "///dev/ttyUSB0"
        self.rest = f"{place}?map={name}&unit={self.number}"

    async def connect(self) -> Port:
        await asyncio.sleep(0)
        return EmulatedWire(self.line, tcp=self.tcp)

    def new_adapter(self) -> ModbusAdapter:
        return ModbusAdapter(self.rest, clock=self.clock, connect=self.connect, lines=self.lines)

    def device_offered_ma(self) -> int:
        self.unit.catch_up(self.clock.now_ms())
        assert not self.unit.alarms, self.unit.alarms
        return self.unit.outlet.offered_ma

    def silence(self, silent: bool) -> None:
        self.line.failing[self.number] = "silence" if silent else "none"

    def restart_device(self) -> None:
        self.unit.restart(self.clock.now_ms())

    def fallback_writes(self) -> int:
        return self.unit.fallback_writes


class LineBench(ModbusBench):
    """Frames as they come from a serial line."""

    frames = (
        bytes.fromhex("03 04 10 00 06 00 00 00 3C 00 01 00 00 00 01 00 01 00 20 0A 8E"),
        bytes.fromhex("01 06 00 04 00 07 89 C9"),
        bytes.fromhex("01 03 02 00 07 F9 86"),
        bytes.fromhex("01 83 02 C0 F1"),
    )

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        frames = LineFrames()
        return [frame for chunk in chunks for frame in frames.feed(chunk)]


class TcpBench(ModbusBench):
    """Frames as they come over TCP."""

    frames = (
        bytes.fromhex("00 07 00 00 00 05 01 03 02 00 07"),
        bytes.fromhex("00 08 00 00 00 03 01 83 02"),
        bytes.fromhex("00 09 00 00 00 06 01 10 04 BA 00 02"),
    )

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        frames = TcpFrames()
        return [frame for chunk in chunks for frame in frames.feed(chunk)]


@pytest.mark.parametrize("name", [name for name in shipped() if load_map(name).connection.tcp])
class TestOverTcp(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self, name: str) -> TcpBench:
        return TcpBench(name, tcp=True)


@pytest.mark.parametrize("name", [name for name in shipped() if not load_map(name).connection.tcp])
class TestOnALine(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self, name: str) -> LineBench:
        return LineBench(name, tcp=False)


class WireBench:
    """An emulated device behind a real socket or pseudo-terminal; its side runs on a loop and thread of its own."""

    def __init__(self, name: str, transport: str, settings: str) -> None:
        self.clock = HostClock()
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        options = {"map": name, "transport": transport}
        self.emulator = emulator(options, units=1, clock=self.clock, changed=lambda *_: None)
        self._there(self.emulator.start())
        self.unit = next(iter(self.emulator.line.units.values()))
        self.unit.outlet.plug_in(VEHICLE, ENERGY_WH, self.clock.now_ms())

    def _there(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def new_adapter(self) -> Adapter:
        return create_adapter(f"{self.emulator.addresses[0]}&settle_s=0.05{self._settings}", clock=self.clock)

    def device_offered_ma(self) -> int:
        async def look() -> int:
            self.unit.catch_up(self.clock.now_ms())
            assert not self.unit.alarms, self.unit.alarms
            return self.unit.outlet.offered_ma

        return self._there(look())

    def silence(self, silent: bool) -> None:
        self._fail("silence" if silent else "none")

    def restart_device(self) -> None:
        self._fail("reset")

    def _fail(self, failure: str) -> None:
        async def fail() -> None:
            self.emulator.fail(0, failure)

        self._there(fail())

    def end(self) -> None:
        self._there(self.emulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


QUICK = [
    AdapterConformance.test_a_raise_reaches_the_device_and_is_reported,
    AdapterConformance.test_zero_pauses,
    AdapterConformance.test_opening_does_not_raise_the_offer,
]
COMES_BACK = AdapterConformance.test_a_device_that_comes_back_is_reached_again_without_a_raise
RESTARTED = AdapterConformance.test_a_device_that_restarted_offers_no_more_than_its_fallback
REOPENED = AdapterConformance.test_reopening_leaks_nothing
REPEATED = AdapterConformance.test_open_and_close_may_be_repeated
CASES = [
    *(("vestel-evc04", "tcp", "&watchdog_s=4", rule) for rule in (*QUICK, COMES_BACK, RESTARTED, REOPENED)),
    *(("keba", "tcp", "&watchdog_s=10", rule) for rule in (*QUICK, RESTARTED)),
    *(("go-e", "tcp", "", rule) for rule in (*QUICK, REOPENED)),
    # A port on a serial device is opened by a thread of a pool, which is no leak; so no counting there.
    *(("heidelberg", "rtu", "&watchdog_s=2", rule) for rule in (*QUICK, REPEATED, COMES_BACK, RESTARTED)),
    *(("smartevse-node", "rtu", "", rule) for rule in (*QUICK, RESTARTED)),
    *(("evse-din", "rtu", "", rule) for rule in (QUICK[0], REPEATED)),
]


class TestOnRealWires:
    """A selection of the suite in real time; virtual time has the rest."""

    longest_wait_ms = 60_000
    reopenings = 20

    @pytest.fixture
    def bench(self, name: str, transport: str, settings: str) -> Iterator[WireBench]:
        bench = WireBench(name, transport, settings)
        yield bench
        bench.end()

    @pytest.mark.parametrize(
        ("name", "transport", "settings", "rule"),
        CASES,
        ids=[f"{name}-{rule.__name__.removeprefix('test_')}" for name, _, _, rule in CASES],
    )
    def test_it_keeps_the_rule(self, bench: WireBench, rule: Callable[..., None]) -> None:
        before_ma = bench.device_offered_ma()
        assert before_ma <= bench.new_adapter().declaration.fallback_ma
        rule(self, bench)
