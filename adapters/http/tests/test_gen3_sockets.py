"""A Wall Connector behind a real server: what it does to its answers is survived, or an error of adapters."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from powershare.adapter import HostClock
from powershare.cli.app import run as program
from powershare.errors import AdapterError, AdapterTimeout
from powershare.metering import MeterReading
from powershare.registry import create_meter
from powershare.simulation.vehicle import Traits
from powershare_http.gen3.emulated import Gen3HttpEmulator, emulator

from .benches import ENERGY_WH, Elsewhere


class Far:
    """An emulated Wall Connector behind a real server, on a loop and thread of its own."""

    def __init__(self, **options: str) -> None:
        self.clock = HostClock()
        self._elsewhere = Elsewhere()

        def build() -> Gen3HttpEmulator:
            return emulator(options, units=1, clock=self.clock, changed=lambda *_: None)

        self.emulator = self._elsewhere.call(build)
        self._elsewhere.there(self.emulator.start())
        self.unit = self.emulator.units[0]
        traits = Traits(max_ma=16_000, lines_used=None, identity="", reaction_ms=100, ramp_up_ma_per_s=16_000)
        self._elsewhere.call(lambda: self.unit.connector.outlet.plug_in(traits, ENERGY_WH, self.clock.now_ms()))

    def fail(self, failure: str) -> None:
        self._elsewhere.call(lambda: self.emulator.fail(0, failure))

    def end(self) -> None:
        self._elsewhere.there(self.emulator.stop())
        self._elsewhere.end()

    def read(self, query: str = "") -> MeterReading:
        """Open a meter to it, read it once, and close it."""

        async def once() -> MeterReading:
            meter = create_meter(self.emulator.addresses[0] + query, clock=self.clock)
            try:
                await meter.open()
                return await meter.read()
            finally:
                await meter.close()

        return asyncio.run(once())


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.end()


class TestOnRealSockets:
    def test_it_reads_what_the_vehicle_draws(self, far: Far) -> None:
        time.sleep(1.5)  # its vehicle is at its most by then
        assert far.read().load_ma == (16_000, 16_000, 16_000)

    @pytest.mark.parametrize("failure", ["nan", "no-brace", "drift"])
    def test_what_real_ones_do_to_their_answers_is_survived(self, far: Far, failure: str) -> None:
        far.fail(failure)
        assert len(far.read().load_ma) == 3

    @pytest.mark.parametrize("failure", ["nan-current", "cut", "vanish", "error", "html", "endless", "elsewhere"])
    def test_what_is_no_reading_is_an_error_of_adapters(self, far: Far, failure: str) -> None:
        far.fail(failure)
        with pytest.raises(AdapterError) as caught:
            far.read()
        assert str(caught.value)
        far.fail("none")
        assert len(far.read().load_ma) == 3

    def test_slow_answers_are_waited_for_and_silence_is_not(self, far: Far) -> None:
        far.fail("slow")
        assert len(far.read().load_ma) == 3
        far.fail("silent")
        with pytest.raises(AdapterTimeout, match="within 500 ms"):
            far.read("&reply_s=0.5")

    def test_meters_that_share_one_wait_for_each_other(self, far: Far) -> None:
        async def all_at_once() -> None:
            meters = [create_meter(far.emulator.addresses[0], clock=far.clock) for _ in range(4)]
            await asyncio.gather(*(meter.open() for meter in meters))
            await asyncio.gather(*(meter.close() for meter in meters))

        asyncio.run(all_at_once())
        assert far.unit.server.most_at_once == 1
        assert far.unit.connector.alarms == []

    def test_two_questions_at_once_offend_the_emulated_one(self, far: Far) -> None:
        """What the rule above is for: without it, nobody gets an answer, and none for a while."""

        async def rude() -> None:
            host, port = "127.0.0.1", far.unit.server.tcp_port
            lines = [await asyncio.open_connection(host, port) for _ in range(2)]
            for _, writer in lines:
                writer.write(b"GET /api/1/vitals HTTP/1.1\r\nHost: there\r\n\r\n")
            heard = [asyncio.ensure_future(reader.read(1)) for reader, _ in lines]
            done, _ = await asyncio.wait(heard, timeout=0.5)
            assert not done
            for task in heard:
                task.cancel()
            for _, writer in lines:
                writer.transport.abort()

        asyncio.run(rude())
        assert far.unit.connector.alarms == ["alarm: two questions at once"]
        with pytest.raises(AdapterTimeout):
            far.read("&reply_s=0.5")


def test_a_site_of_connectors_is_not_printed_of_meters(capsys: pytest.CaptureFixture[str]) -> None:
    assert program(["emulate", "gen3-http", "--print-site", "--seconds", "1"]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert "[[meter]]" in printed.err
