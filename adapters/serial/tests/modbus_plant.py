"""Emulated devices of one map on one wire in virtual time, and what was sent to them."""

import asyncio
from collections.abc import Awaitable, Callable

from powershare.adapter import Offer
from powershare.errors import AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare_serial.modbus.adapter import ModbusAdapter
from powershare_serial.modbus.client import Lines
from powershare_serial.modbus.emulated_line import EmulatedLine, EmulatedWire
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.map_file import load_map

READS = {1, 2, 3, 4}


class TappedWire(EmulatedWire):
    """A wire on which somebody listens, and which may echo."""

    def __init__(self, plant: "Plant") -> None:
        super().__init__(plant.line, tcp=plant.tcp, answer_ms=plant.answer_ms)
        self._plant = plant

    async def send(self, data: bytes) -> None:
        self._must_be_open()
        body_at = 7 if self._plant.tcp else 1
        self._plant.sent.append((self._plant.clock.now_ms(), data[body_at - 1], data[body_at], data[body_at + 1 :]))
        if self._plant.echoes:
            self._inbox += data
        await super().send(data)


class Plant:
    """Some emulated devices of one map on one wire in virtual time, and what was sent to them."""

    def __init__(self, name: str, *, units: int = 1, tcp: bool | None = None, answer_ms: int = 4) -> None:
        self.clock = VirtualClock()
        self.name, self.answer_ms = name, answer_ms
        found = load_map(name)
        self.tcp = found.connection.tcp if tcp is None else tcp
        self.echoes = self.unreachable = False
        self.first = min(found.connection.unit, 200)
        self.units: list[EmulatedUnit] = []
        now_ms = self.clock.now_ms()
        for _ in range(units):
            outlet = Outlet(
                now_ms,
                lines=max(1, len(found.drawn)),
                least_ma=found.offers.least_ma,
                greatest_ma=found.offers.greatest_ma,
                step_ma=found.offers.step_ma,
            )
            self.units.append(EmulatedUnit(found, found.connection.connector_step, outlet, now_ms))
            outlet.plug_in(Traits(max_ma=32_000, reaction_ms=500), 100_000, now_ms)
        numbered = {self.first + at: unit for at, unit in enumerate(self.units)}
        self.line = EmulatedLine(numbered, self.clock, lambda: None)
        self.lines = Lines()
        self.wires: list[TappedWire] = []
        self.sent: list[tuple[int, int, int, bytes]] = []

    async def connect(self) -> TappedWire:
        await asyncio.sleep(0)
        if self.unreachable:
            raise AdapterUnavailable("the cable was pulled")
        self.wires.append(TappedWire(self))
        return self.wires[-1]

    def adapter(self, at: int = 0, settings: str = "") -> ModbusAdapter:
        place = "//device" if self.tcp else "///dev/ttyUSB0"
        rest = f"{place}?map={self.name}&unit={self.first + at}{settings}"
        return ModbusAdapter(rest, clock=self.clock, connect=self.connect, lines=self.lines)

    def order(self, offered_ma: int, for_ms: int = 60_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=0)

    def writes(self) -> list[tuple[int, str]]:
        """Addresses and data of what was written since the last time it was asked."""
        found = [
            (int.from_bytes(data[:2], "big"), data[2 if function < 15 else 5 :].hex())
            for _, _, function, data in self.sent
            if function not in READS
        ]
        self.sent.clear()
        return [(address, data if self.tcp else data[:-4]) for address, data in found]

    def offered_ma(self, at: int = 0) -> int:
        self.units[at].catch_up(self.clock.now_ms())
        return self.units[at].outlet.offered_ma

    def run(self, talk: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await talk()
            for _ in range(3):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(whole())
