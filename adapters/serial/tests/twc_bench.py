"""Emulated Wall Connectors on a wire in memory, for tests in virtual time: nothing runs but what the adapter runs."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from powershare.adapter import Clock, Offer
from powershare.errors import AdapterUnavailable
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare.testing.watched import run
from powershare_serial.twc.adapter import TwcAdapter
from powershare_serial.twc.emulated import TwcEmulator, emulator
from powershare_serial.twc.emulated_wire import EmulatedWire
from powershare_serial.twc.frames import Frames, parse_any, wrapped
from powershare_serial.twc.messages import ControllerBeat, Message, shown

TESLA = "5YJ3E1EA7KF000001"
PATH = "/dev/there-is-none"


class MemoryPort:
    """A port on an emulated wire, driven by whoever waits for its bytes."""

    def __init__(self, wire: EmulatedWire, clock: Clock, sent: list[tuple[int, Message]]) -> None:
        self._wire, self._clock, self._sent = wire, clock, sent
        self._spoke = asyncio.Event()
        self._closed = False

    async def send(self, data: bytes) -> None:
        self._must_be_open()
        now_ms = self._clock.now_ms()
        self._sent.extend((now_ms, message) for message in parse_any(data))
        self._wire.hear(data, now_ms)
        self._spoke.set()

    async def receive(self) -> bytes:
        while True:
            self._must_be_open()
            now_ms = self._clock.now_ms()
            if data := self._wire.advance(now_ms):
                return data
            self._spoke.clear()
            try:
                async with asyncio.timeout(max(1, self._wire.next_ms() - now_ms) / 1000):
                    await self._spoke.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Something was said that nobody expected."""
        self._spoke.set()

    def pending(self) -> bytes:
        self._must_be_open()
        return self._wire.advance(self._clock.now_ms())

    async def close(self) -> None:
        self._closed = True
        self._spoke.set()

    def _must_be_open(self) -> None:
        if self._closed:
            raise AdapterUnavailable("the port is closed")


class TwcBench:
    """Some units with vehicles on one wire; the kit looks at the first."""

    frames = (
        bytes.fromhex("C0 FD E2 18 39 52 0C 80 00 00 00 00 00 00 00 00 11 C0"),
        bytes.fromhex("C0 FD E0 20 19 77 77 08 02 58 02 10 00 00 00 00 7B C0"),
        bytes.fromhex("C0 FD EB 60 61 00 A3 20 EC 00 F1 00 00 00 00 00 00 00 00 00 4C C0"),
        bytes.fromhex("C0 FD E0 DB DC DB DD 77 77 01 02 58 02 0D 00 00 00 00 D3 C0"),
    )

    def __init__(self, options: Mapping[str, str], *, units: int = 1, settings: str = "", plugged: bool = True) -> None:
        self.clock = VirtualClock()
        self.emulator: TwcEmulator = emulator(
            options, units=units, clock=self.clock, changed=lambda place, outlet, now_ms, word: None
        )
        self.wire = self.emulator.wire
        self.settings = settings
        self.sent: list[tuple[int, Message]] = []
        self.ports = 0
        if plugged:
            for place in range(units):
                self.plug(place, Traits(max_ma=32_000, identity=TESLA))

    def plug(self, place: int, traits: Traits) -> None:
        self.emulator.outlets[place].plug_in(traits, 80_000, self.clock.now_ms())

    def adapter(self, place: int = 0, settings: str = "") -> TwcAdapter:
        unit_id = shown(self.wire.units[place].unit_id)
        rest = f"//{PATH}?id={unit_id}{self.settings}{settings}"
        return TwcAdapter(rest, clock=self.clock, connect=self.connect)

    async def connect(self) -> MemoryPort:
        self.ports += 1
        await asyncio.sleep(0.001)
        self.port = MemoryPort(self.wire, self.clock, self.sent)
        return self.port

    async def inject(self, body: bytes, *, times: int = 3) -> None:
        """Somebody says something on the wire, so often that it is heard between what others say."""
        for _ in range(times):
            self.wire.catch_up(self.clock.now_ms())
            self.wire.say(None, self.clock.now_ms(), wrapped(body))
            self.port.look()
            await asyncio.sleep(0.17)

    async def announce(self, unit_id: int, sign: int = 0x11) -> None:
        """A 32 A unit of this id announces itself."""
        await self.inject((b"\xfd\xe2" + unit_id.to_bytes(2) + bytes([sign]) + b"\x0c\x80").ljust(15, b"\0"))

    def offered_ma(self, place: int = 0) -> int:
        self.wire.catch_up(self.clock.now_ms())
        return self.emulator.outlets[place].offered_ma

    def drawn_ma(self, place: int = 0) -> int:
        self.wire.catch_up(self.clock.now_ms())
        return self.emulator.outlets[place].drawn_ma

    def beats(self, since_ms: int = 0, place: int = 0) -> list[tuple[int, ControllerBeat]]:
        """The heartbeats to one unit."""
        unit_id = self.wire.units[place].unit_id
        return [
            (at_ms, message)
            for at_ms, message in self.sent
            if at_ms >= since_ms and isinstance(message, ControllerBeat) and message.receiver == unit_id
        ]

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test on this bench; nothing may be left behind, and no unit may have been told what ruins it."""
        run(self.clock, test)
        assert not self.emulator.alarms, self.emulator.alarms

    def order(self, offered_ma: int, for_ms: int = 60_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=0)

    # What the conformance kit asks of a bench.

    def new_adapter(self) -> TwcAdapter:
        return self.adapter()

    def device_offered_ma(self) -> int:
        return self.offered_ma()

    def silence(self, silent: bool) -> None:
        self.wire.catch_up(self.clock.now_ms())
        self.wire.cut = silent

    def restart_device(self) -> None:
        self.wire.units[0].restart(self.clock.now_ms())

    def plug_in(self, vehicle: str) -> None:
        self.plug(0, Traits(max_ma=32_000, identity=vehicle))

    def parse(self, chunks: Sequence[bytes]) -> Sequence[Message]:
        frames = Frames()
        return [message for chunk in chunks for message in frames.feed(chunk)]
