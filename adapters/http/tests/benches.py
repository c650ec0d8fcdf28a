"""Emulated devices on the bench: in virtual time without sockets, and behind a real server on a loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from powershare.adapter import Adapter, HostClock, Offer
from powershare.registry import create_adapter
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare_http.charger.adapter import HttpAdapter
from powershare_http.charger.emulated import HttpEmulator
from powershare_http.charger.emulated_device import EmulatedDevice
from powershare_http.charger.http_map import HttpMap
from powershare_http.charger.map_file import load_map
from powershare_http.exchange import Answer, Request

_T = TypeVar("_T")

VEHICLE = Traits(max_ma=32_000, lines_used=None, identity="", reaction_ms=1_000, ramp_up_ma_per_s=16_000)
ENERGY_WH = 1_000_000

WATCHDOG_MAP = """
name = "A box with a watchdog"
sources = ["its manual, page 7"]

[offers]
greatest_a = 16
step_a = 1
settle_s = 1

[amount]
unit_a = 0.1

[[offer]]
method = "PUT"
path = "/limit"
body = '{"tenths":{order}}'

[[pause]]
method = "PUT"
path = "/limit"
body = '{"tenths":0}'

[[read]]
name = "state"
path = "/state"

[offered]
field = "pilot"
unit_a = 0.1
says = "applied"

[[state]]
field = "cp"
values = { A = "A", B = "B", C = "C", E = "E" }

[watchdog]
after_s = 20
fallback_a = 6
fed_by_reads = false
time = { field = "guard.seconds" }
failsafe = { field = "guard.amps" }
"""


class Wire:
    """A `Fetch` to an emulated device in this process: for virtual time, where no real socket can be."""

    def __init__(self, bench: "VirtualBench") -> None:
        self._bench = bench
        self.closed = False

    async def fetch(self, request: Request) -> Answer:
        bench = self._bench
        bench.asked.append(request)
        bench.under_way += 1
        bench.most_at_once = max(bench.most_at_once, bench.under_way)
        try:
            await asyncio.sleep(bench.way_ms / 1000)
            if bench.silent:
                await asyncio.Event().wait()
            answer = bench.device.answer(request, bench.clock.now_ms())
            await asyncio.sleep(bench.way_ms / 1000)
        finally:
            bench.under_way -= 1
        return bench.spoil(answer)

    async def close(self) -> None:
        self.closed = True


class VirtualBench:
    """An emulated device in virtual time."""

    def __init__(self, found: HttpMap, scheme: str, query: str = "") -> None:
        self.clock = VirtualClock()
        self.map = found
        offers, now_ms = found.offers, self.clock.now_ms()
        outlet = Outlet(
            now_ms,
            lines=1 if found.drawn is None else len(found.drawn.places),
            least_ma=offers.least_ma,
            greatest_ma=offers.greatest_ma,
            step_ma=offers.step_ma,
        )
        self.device = EmulatedDevice(found, outlet, now_ms)
        outlet.plug_in(VEHICLE, ENERGY_WH, now_ms)
        self.scheme, self.rest = scheme, f"//device{query}"
        self.silent = False
        self.way_ms = 2
        self.asked: list[Request] = []
        self.under_way = self.most_at_once = 0
        self.wires: list[Wire] = []
        self.spoil: Callable[[Answer], Answer] = lambda answer: answer

    def new_adapter(self) -> HttpAdapter:
        return HttpAdapter(self.scheme, self.rest, clock=self.clock, fetch=self._wire)

    def _wire(self) -> Wire:
        self.wires.append(Wire(self))
        return self.wires[-1]

    def device_offered_ma(self) -> int:
        self.device.catch_up(self.clock.now_ms())
        assert not self.device.alarms, self.device.alarms
        return self.device.outlet.offered_ma

    def silence(self, silent: bool) -> None:
        self.silent = silent

    def restart_device(self) -> None:
        self.device.restart(self.clock.now_ms())

    def order(self, offered_ma: int, for_ms: int = 60_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=0)

    def run(self, talk: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test's conversation, and see that it leaves no task behind."""

        async def whole() -> None:
            await talk()
            for _ in range(3):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(whole())


def shipped_bench(name: str, query: str = "") -> VirtualBench:
    return VirtualBench(load_map(name), name, query)


class Elsewhere:
    """A loop on a thread of its own, for the far end of a real connection."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def there(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def call(self, work: Callable[[], _T]) -> _T:
        async def called() -> _T:
            return work()

        return self.there(called())

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class RealBench:
    """An emulated device behind a real server, on a loop and thread of its own."""

    def __init__(self, emulator: Callable[[HostClock], HttpEmulator], query: str = "") -> None:
        self.clock = HostClock()
        self._far = Elsewhere()
        self.emulator = self._far.call(lambda: emulator(self.clock))
        self._far.there(self.emulator.start())
        self.device, self.server = self.emulator.devices[0], self.emulator.servers[0]
        self._far.call(lambda: self.device.outlet.plug_in(VEHICLE, ENERGY_WH, self.clock.now_ms()))
        address = self.emulator.addresses[0]
        self.address = f"{address}{'&' if '?' in address else '?'}settle_s=0.05{query}"

    def new_adapter(self) -> Adapter:
        return create_adapter(self.address, clock=self.clock)

    def device_offered_ma(self) -> int:
        def look() -> int:
            self.device.catch_up(self.clock.now_ms())
            assert not self.device.alarms, self.device.alarms
            return self.device.outlet.offered_ma

        return self._far.call(look)

    def silence(self, silent: bool) -> None:
        self.fail("silent" if silent else "none")

    def restart_device(self) -> None:
        self.fail("restart")

    def fail(self, failure: str) -> None:
        self._far.call(lambda: self.emulator.fail(0, failure))

    def order(self, offered_ma: int, for_ms: int = 60_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=0)

    def end(self) -> None:
        self._far.there(self.emulator.stop())
        self._far.end()
