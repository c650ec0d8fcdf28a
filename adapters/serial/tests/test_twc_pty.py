"""Emulated Wall Connectors on a real pseudo-terminal in real time: some of the suite, and a process that is stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from powershare.adapter import Adapter, HostClock, Offer
from powershare.emulation import Emulator
from powershare.errors import AdapterUnavailable, FormatError
from powershare.registry import create_adapter, create_emulator
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import AdapterConformance
from powershare_serial.twc.emulated import TwcEmulator, emulator

_T = TypeVar("_T")
VIN = "5YJ3E1EA7KF317000"


class PtyBench:
    """Two units on a real pseudo-terminal; their side runs on a loop and thread of its own."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.clock = HostClock()
        self.changes: list[tuple[int, int, int, str | None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.emulator = emulator(options, units=2, clock=self.clock, changed=self._changed)
        self.there(self.emulator.start())
        traits = Traits(max_ma=32_000, reaction_ms=200, ramp_up_ma_per_s=20_000, identity=VIN)
        self.emulator.outlets[0].plug_in(traits, 60_000, self.clock.now_ms())

    def _changed(self, place: int, outlet: Outlet, at_ms: int, word: str | None) -> None:
        self.changes.append((place, at_ms, outlet.offered_ma, word))

    def there(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def fail(self, failure: str) -> None:
        async def begin() -> None:
            self.emulator.fail(0, failure)

        self.there(begin())

    def end(self) -> None:
        self.there(self.emulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def new_adapter(self) -> Adapter:
        return create_adapter(f"{self.emulator.addresses[0]}&watchdog_s=10", clock=self.clock)

    def device_offered_ma(self) -> int:
        async def look() -> int:
            self.emulator.wire.catch_up(self.clock.now_ms())
            return self.emulator.outlets[0].offered_ma

        return self.there(look())

    def silence(self, silent: bool) -> None:
        self.fail("unplugged" if silent else "none")

    def plug_in(self, vehicle: str) -> None:
        async def plug() -> None:
            self.emulator.outlets[0].plug_in(Traits(max_ma=32_000, identity=vehicle), 60_000, self.clock.now_ms())

        self.there(plug())


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[PtyBench]:
    bench = PtyBench({"seed": "7", "echo": "yes", "noise": "yes", "lost_after_s": "3", "stopped_after_s": "8"})
    yield bench
    bench.end()
    assert not bench.emulator.alarms


class TestTwcOverAPty:
    """A selection of the suite in real time; virtual time has the rest."""

    longest_wait_ms = 60_000

    @pytest.mark.parametrize(
        "rule",
        [
            AdapterConformance.test_open_and_close_may_be_repeated,
            AdapterConformance.test_a_vehicle_is_identified,
        ],
        ids=lambda rule: rule.__name__.removeprefix("test_"),
    )
    def test_it_keeps_the_rule(self, bench: PtyBench, rule: Callable[..., None]) -> None:
        assert bench.device_offered_ma() == 0
        rule(self, bench)


def test_a_pulled_serial_adapter_is_unavailable_and_the_unit_stops_by_itself(bench: PtyBench) -> None:
    async def test() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        for offered_ma in (16_000, 6_000, 0, 16_000):
            await adapter.offer(Offer(offered_ma=offered_ma, valid_until_ms=bench.clock.now_ms() + 60_000, then_ma=0))
            if offered_ma < 16_000:
                assert bench.device_offered_ma() == offered_ma, "lowering waits for nothing"
        await asyncio.sleep(5.5)
        assert (await adapter.read()).offered_ma == bench.device_offered_ma() == 16_000
        bench.fail("hang-up")
        with pytest.raises(AdapterUnavailable, match=r"/dev/pts/\d+: .*unplugged"):
            await adapter.read()
        await adapter.close()
        with pytest.raises(AdapterUnavailable, match=r"no such device|cannot be opened"):
            await adapter.open()

    asyncio.run(test())
    assert bench.changes[-1][2] == 16_000


def test_a_converter_on_the_network_is_a_wire_too() -> None:
    """Bytes pass as they are between an emulated wire and a TCP connection, in pieces of any size."""

    async def test() -> None:
        clock = HostClock()
        far = emulator({"seed": "5"}, units=1, clock=clock, changed=lambda *_: None)
        far.outlets[0].plug_in(Traits(max_ma=32_000, identity=VIN), 60_000, clock.now_ms())
        connected: list[asyncio.StreamWriter] = []

        async def converter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.append(writer)
            while not reader.at_eof():
                for byte in far.wire.advance(clock.now_ms()):
                    writer.write(bytes([byte]))
                try:
                    async with asyncio.timeout(0.01):
                        far.wire.hear(await reader.read(7), clock.now_ms())
                except TimeoutError:
                    continue
            writer.close()

        server = await asyncio.start_server(converter, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        adapter = create_adapter(f"serial+twc://127.0.0.1:{port}", clock=clock)
        await adapter.open()
        await adapter.offer(Offer(offered_ma=16_000, valid_until_ms=clock.now_ms() + 10_000, then_ma=0))
        assert far.outlets[0].offered_ma == 16_000
        connected[0].transport.abort()
        with pytest.raises(AdapterUnavailable, match=rf"tcp://127\.0\.0\.1:{port}: "):
            await adapter.read()
        await adapter.close()
        server.close()
        await server.wait_closed()

    asyncio.run(test())


PROGRAM = """
import asyncio, sys
from powershare.adapter import HostClock, Offer
from powershare.registry import create_adapter

async def main():
    clock = HostClock()
    adapter = create_adapter(sys.argv[1], clock=clock)
    await adapter.open()
    until_ms = clock.now_ms() + 3_000
    await adapter.offer(Offer(offered_ma=16_000, valid_until_ms=until_ms, then_ma=0))
    print("told", flush=True)
    await asyncio.sleep(30)

asyncio.run(main())
"""


def test_a_process_that_was_stopped_and_goes_on_sends_no_order_that_is_over(bench: PtyBench) -> None:
    address = f"{bench.emulator.addresses[0]}&watchdog_s=10"
    heard: list[tuple[float, bytes]] = []
    hear = bench.emulator.wire.hear

    def listening(data: bytes, now_ms: int) -> None:
        heard.append((time.monotonic(), data))
        hear(data, now_ms)

    bench.emulator.wire.hear = listening  # type: ignore[method-assign] # an ear on the wire
    with subprocess.Popen([sys.executable, "-c", PROGRAM, address], stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"told\n"
            os.kill(program.pid, signal.SIGSTOP)
            time.sleep(5)
            resumed_s = time.monotonic()
            os.kill(program.pid, signal.SIGCONT)
            time.sleep(3)
        finally:
            program.kill()
    assert 16_000 in [offered_ma for _, _, offered_ma, _ in bench.changes]
    assert not [data for at_s, data in heard if at_s >= resumed_s - 0.2]


def test_the_emulator_is_found_by_name_and_refuses_what_it_does_not_know() -> None:
    def build(options: Mapping[str, str], units: int = 1) -> Emulator:
        return create_emulator("twc-gen2", options, units=units, clock=HostClock(), changed=lambda *_: None)

    found = build({"protocol": "1", "nameplate_a": "24", "stopped_after_s": "20"}, units=3)
    assert isinstance(found, TwcEmulator)
    assert len(found.outlets) == 3
    assert found.addresses == []
    with pytest.raises(FormatError) as caught:
        build({"protocl": "1", "nameplate_a": "5", "echo": "maybe"})
    assert [problem.field for problem in caught.value.problems] == ["protocl", "nameplate_a", "echo"]
    assert str(caught.value).startswith('emulator "twc-gen2": protocl: is no setting; did you mean protocol?')
    with pytest.raises(FormatError, match="units: are 9; one wire has 1 to 8"):
        build({}, units=9)
    with pytest.raises(ValueError, match="is 'fire'; there are none, silence, mute"):
        found.fail(0, "fire")
    for failure in found.failures:
        found.fail(1, failure)
    found.fail(1, "none")
