"""The meter of a Wall Connector's own draw: asked, aged, dialled again, and let go of."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest

from powershare.errors import AdapterNotInstalled, AdapterUnavailable
from powershare.metering import MeterReading
from powershare.testing import VirtualClock
from powershare.units import LineMilliamps
from powershare_serial.gen3.adapter import Gen3MeterAdapter
from powershare_serial.gen3.draw import STALE_MS, HandedIn, Metered
from powershare_serial.gen3.emulated import emulator


class Meter:
    """A meter that says what it is told to say."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.load_ma: tuple[int, ...] = (6_000, -200, 0)
        self.fails = False
        self.age_ms = 0
        self.open_now = False
        self.opened = 0

    async def open(self) -> None:
        if self.fails:
            raise AdapterUnavailable("nobody there")
        self.open_now = True
        self.opened += 1

    async def read(self) -> MeterReading:
        await asyncio.sleep(0.01)
        if self.fails or not self.open_now:
            raise AdapterUnavailable("nobody there")
        return MeterReading(at_ms=self.clock.now_ms() - self.age_ms, load_ma=self.load_ma)

    async def close(self) -> None:
        self.open_now = False


def run(test: Callable[[Meter, Metered], Coroutine[Any, Any, None]]) -> None:
    clock = VirtualClock()
    meter = Meter(clock)

    async def whole() -> None:
        source = Metered(meter, clock)
        await source.open()
        try:
            await test(meter, source)
        finally:
            await source.close()
        assert source.newest() is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())


def test_what_flows_back_is_none_of_its_draw() -> None:
    async def test(meter: Meter, source: Metered) -> None:
        await asyncio.sleep(0.1)
        assert source.newest() == (6_000, 0, 0)

    run(test)


def test_the_same_figure_again_and_again_is_young_and_an_old_one_is_none() -> None:
    async def test(meter: Meter, source: Metered) -> None:
        await asyncio.sleep(60)
        assert source.newest() == (6_000, 0, 0)
        meter.age_ms = STALE_MS + 1
        await asyncio.sleep(1)
        assert source.newest() is None

    run(test)


def test_a_meter_that_falls_silent_grows_old_and_is_dialled_again() -> None:
    async def test(meter: Meter, source: Metered) -> None:
        await asyncio.sleep(1)
        meter.fails = True
        await asyncio.sleep(4)
        assert source.newest() == (6_000, 0, 0)
        await asyncio.sleep(2)
        assert source.newest() is None
        meter.fails, meter.load_ma = False, (7_000, 0, 0)
        await asyncio.sleep(1)
        assert source.newest() == (7_000, 0, 0)
        assert meter.opened == 2

    run(test)


def test_a_meter_that_is_not_there_at_first_is_an_error() -> None:
    clock = VirtualClock()
    meter = Meter(clock)
    meter.fails = True

    async def whole() -> None:
        with pytest.raises(AdapterUnavailable, match="nobody there"):
            await Metered(meter, clock).open()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())


@pytest.mark.parametrize("said", [[6_000], (6_000.5,), (-1,), (True,), (), "6", KeyError("charger")])
def test_what_a_program_hands_in_that_no_meter_says_is_no_measurement(said: object) -> None:
    def measured() -> LineMilliamps:
        if isinstance(said, Exception):
            raise said
        return cast("LineMilliamps", said)

    assert HandedIn(measured).newest() is None
    assert HandedIn(lambda: (6_000, 0)).newest() == (6_000, 0)


def test_a_meter_that_nobody_offers_is_an_error_of_the_address() -> None:
    address = "///dev/x?limit_a=21&greatest_a=16&i_accept_the_limits=yes&own_meter=nowhere%3Ax"
    with pytest.raises(AdapterNotInstalled, match="nowhere"):
        Gen3MeterAdapter(address, clock=VirtualClock())


def test_an_emulated_wall_connector_writes_its_draw_where_its_address_says(tmp_path: Path) -> None:
    clock = VirtualClock()
    units = emulator({"draw_dir": str(tmp_path), "lines": "2"}, units=2, clock=clock, changed=lambda *_: None)

    async def whole() -> None:
        await units.start()
        try:
            for unit, address in enumerate(units.addresses):
                path = tmp_path / f"draw{unit}"
                assert f"own_meter=emulated:?file={path}&i_accept_the_limits=yes" in unquote(unquote(address))
                assert path.read_text(encoding="ascii") == "0,0"
        finally:
            await units.stop()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())
