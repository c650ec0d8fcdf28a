"""A garage of emulated devices that a driver regulates in virtual time, judged by the devices and by nobody else."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

from powershare.adapter import Adapter
from powershare.driver import Driver
from powershare.registry import create_meter
from powershare.site import Circuit, Connector, Meter, Site, Supply
from powershare.testing import VirtualClock
from powershare_emulated import EmulatedAdapter, EmulatedDevice

LOOK_MS = 50
NAMES = "abcdefgh"


class Garage:
    """Some connectors on one circuit.

    Args:
        rests: The settings of each emulated device.
        limit_ma: The circuit's limit.
        fallback_ma: The fallback of each connector.
        fail_safe: Whether a device may do no more than that when it is left alone.
        wrap: What stands between the driver and an adapter, if anything.
        meter: The rest of an emulated meter's address; None: there is none.
        other_load_worst_ma: What else the circuit may carry.
        follows: Whether every vehicle follows within its time, or is cut off (A2); else only offers are judged.
        clock: Its clock; None: a new one.

    Attributes:
        above: Every instant at which more was offered, or drawn, than the limit: the instant and how much.
        said: What the driver said.
        judging: Whether the devices are being judged.
    """

    def __init__(
        self,
        *rests: str,
        limit_ma: int = 32_000,
        fallback_ma: int | None = 6_000,
        fail_safe: bool = True,
        wrap: Callable[[str, Adapter], Adapter] = lambda _name, adapter: adapter,
        meter: str | None = None,
        other_load_worst_ma: int = 0,
        follows: bool = True,
        clock: VirtualClock | None = None,
    ) -> None:
        self.follows = follows
        self.clock, self.limit_ma, self.fallback_ma = clock or VirtualClock(), limit_ma, fallback_ma
        names = NAMES[: len(rests)]
        meters = () if meter is None else (Meter(circuit="feeder", adapter=f"emulated:{meter}", stale_after_ms=5_000),)
        self.site = Site(
            supply=Supply.SINGLE_PHASE,
            circuits=(Circuit(id="feeder", limit_ma=limit_ma, other_load_worst_ma=other_load_worst_ma),),
            connectors=tuple(
                Connector(id=name, circuit="feeder", fallback_ma=fallback_ma, fail_safe=fail_safe) for name in names
            ),
            meters=meters,
        )
        plain = [EmulatedAdapter(rest, clock=self.clock) for rest in rests]
        self.devices = dict(zip(names, (adapter.device for adapter in plain), strict=True))
        self.meters = {one.circuit: create_meter(one.adapter, clock=self.clock) for one in meters}
        self.said: list[str] = []
        self.above: list[tuple[int, int]] = []
        self.judging = True
        boots = itertools.count(1)
        self.driver = Driver(
            self.site,
            {name: wrap(name, adapter) for name, adapter in zip(names, plain, strict=True)},
            meters=self.meters,
            clock=self.clock,
            boot=lambda: next(boots),
            said=lambda about, words: self.said.append(f"{about}: {words}"),
        )
        self.stopping: asyncio.Event | None = None

    def __getitem__(self, name: str) -> EmulatedDevice:
        return self.devices[name]

    def offers_ma(self) -> list[int]:
        """What each device really offers."""
        return [device.offered_ma for device in self.devices.values()]

    def total_ma(self) -> int:
        """What they offer or still draw, added up."""
        if not self.follows:
            return sum(self.offers_ma())
        return sum(max(device.offered_ma, device.outlet.drawn_ma) for device in self.devices.values())

    def play(self, story: Callable[["Garage"], Awaitable[None]], *, left_ma: Sequence[int] | None = None) -> None:
        """Prepare, regulate while the story is told, stop in order, and look that nothing is left behind.

        Args:
            story: What happens.
            left_ma: What the devices offer once nobody speaks to them any more; None: their fallback.
        """

        async def whole() -> None:
            judge = asyncio.ensure_future(self._judge())
            await self.driver.prepare()
            self.stopping = asyncio.Event()
            regulating = asyncio.ensure_future(self.driver.run(self.stopping))
            telling = asyncio.ensure_future(story(self))
            await asyncio.wait([regulating, telling], return_when=asyncio.FIRST_COMPLETED)
            if regulating.done():
                regulating.result()
            telling.result()
            self.stopping.set()
            await regulating
            await asyncio.sleep(120)
            judge.cancel()
            await asyncio.gather(judge, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        self.go(whole())
        assert not self.above, self.above[:3]
        if left_ma is not None:
            assert self.offers_ma() == list(left_ma)

    def go(self, whole: Awaitable[object]) -> None:
        """Run it on this garage's clock."""

        async def run() -> None:
            await whole

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(run())

    async def _judge(self) -> None:
        while True:
            total_ma = self.total_ma()
            if self.judging and total_ma > self.limit_ma:
                self.above.append((self.clock.now_ms(), total_ma))
            await asyncio.sleep(LOOK_MS / 1000)

    def stand_still(self, seconds: float) -> None:
        """The process is stopped for so long, between two things that it does; the devices are not."""
        for _ in range(int(seconds * 1000 / LOOK_MS)):
            self.clock.now_s += LOOK_MS / 1000
            if self.judging and self.total_ma() > self.limit_ma:
                self.above.append((self.clock.now_ms(), self.total_ma()))

    async def until(self, holds: Callable[[], bool], within_s: float) -> float:
        """Wait until something holds; answers after how many seconds."""
        start_s = self.clock.now_s
        while not holds():
            waited_s = self.clock.now_s - start_s
            assert waited_s <= within_s, f"not within {within_s} s: {self.offers_ma()}, {self.said[-5:]}"
            await asyncio.sleep(0.1)
        return self.clock.now_s - start_s
