"""Every shipped map is an adapter: the suite against emulated devices, in virtual time over both framings, and on wires.

The device of each bench wants all it can get, so that its pilot always says what it is told.
"""

import asyncio
from collections.abc import Sequence

import pytest

from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import AdapterConformance, VirtualClock
from powershare_serial.modbus.adapter import ModbusAdapter
from powershare_serial.modbus.client import Lines
from powershare_serial.modbus.emulated_line import EmulatedLine, EmulatedWire
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.frames import LineFrames, TcpFrames
from powershare_serial.modbus.map_file import load_map, shipped
from powershare_serial.ports import Port

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
        framing = "" if tcp else "&framing=rtu"
        self.rest = f"//device?map={name}&unit={self.number}{framing}"

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
