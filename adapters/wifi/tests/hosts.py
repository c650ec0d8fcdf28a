"""Hosts of one site in virtual time: a driver each, real envelopes between them, judged by the devices and nobody else.

A host can be killed, which leaves its devices alone, and started again, which finds them as they are by then.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import attrs

from powershare.driver import Driver, Part, shared_timing
from powershare.driver.hub import Hub
from powershare.networking import Keys
from powershare.node import WITNESS
from powershare.policy import OrderName
from powershare.site import Circuit, Connector, Network, Site, Supply
from powershare.testing import VirtualClock
from powershare_wifi.envelope import Envelope, Opened
from powershare_wifi.gate import Gate

from .lease_device import LeaseAdapter, LeaseDevice

LOOK_MS = 50
NAMES = "abcdef"


@attrs.define(kw_only=True)
class Weather:
    """What happens to datagrams between hosts."""

    loss: float = 0
    twice: float = 0
    delay_s: tuple[float, float] = (0.002, 0.02)
    cut: Callable[[str, str], bool] = lambda _sender, _receiver: False


class Host:
    """One process: its driver while it runs."""

    def __init__(self, members: Sequence[str]) -> None:
        self.members = tuple(members)
        self.driver: Driver | None = None
        self.envelope: Envelope | None = None
        self.gate = Gate()
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Town:
    """A site of six connectors on one feeder, each on a host of its own unless said otherwise.

    Args:
        hosts: The members of each host; None: one each.
        limit_ma: The feeder's limit.
        fallback_ma: Each connector's fallback.
        seed: Of the weather.
        witness: Whether the site has a witness.

    Attributes:
        above: Every instant at which more was offered, or drawn, than the limit.
        delivered: Every datagram that was handed to a host: sender, receiver, the message in it.
    """

    def __init__(
        self,
        hosts: Sequence[Sequence[str]] | None = None,
        *,
        limit_ma: int = 36_000,
        fallback_ma: int = 6_000,
        seed: int = 1,
        witness: bool = False,
    ) -> None:
        self.clock, self.limit_ma, self.fallback_ma = VirtualClock(), limit_ma, fallback_ma
        self.site = Site(
            supply=Supply.SINGLE_PHASE,
            circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
            connectors=tuple(
                Connector(id=name, circuit="feeder", step_ma=1_000, fallback_ma=fallback_ma) for name in NAMES
            ),
            network=Network(witness=witness),
        )
        self.keys, self.weather, self.random = Keys.new(), Weather(), random.Random(seed)
        self.devices = {name: LeaseDevice(self.clock) for name in NAMES}
        self.hosts = [Host(members) for members in (hosts or [[name] for name in NAMES])]
        self.said: list[str] = []
        self.above: list[tuple[int, int]] = []
        self.delivered: list[tuple[str, str, bytes]] = []
        self.sent = 0
        self._boots = itertools.count(1)

    # Hosts

    def host_of(self, member: str) -> Host:
        return next(host for host in self.hosts if member in host.members)

    def hub_of(self, member: str) -> Hub:
        driver = self.host_of(member).driver
        assert driver is not None
        assert driver._hub is not None
        return driver._hub

    async def start(self, host: Host, order: OrderName = "fair") -> None:
        """Start its process."""
        timing, _ = shared_timing(self.site, watchdog_ms=None)
        here = [name for name in host.members if name != WITNESS]
        host.envelope = Envelope(self.keys, self._members, host.members, self.random.randbytes)
        host.gate, host.stopping = Gate(), asyncio.Event()
        driver = Driver(
            self.site,
            {name: LeaseAdapter(self.devices[name], self.clock) for name in here},
            clock=self.clock,
            boot=lambda: next(self._boots),
            order=order,
            said=lambda about, words: self.said.append(f"{about}: {words}"),
            part=Part(members=host.members, timing=timing, elsewhere=partial(self.send, host)),
        )
        await driver.prepare()
        host.driver, host.task = driver, asyncio.ensure_future(driver.run(host.stopping))

    async def kill(self, host: Host) -> None:
        """End its process at once; what it was about to say is not said."""
        host.driver = None
        if host.task is not None:
            host.task.cancel()
            await asyncio.gather(host.task, return_exceptions=True)
        host.task = None

    async def stop(self, host: Host) -> None:
        """End its process in order."""
        host.stopping.set()
        assert host.task is not None
        await host.task
        host.driver = host.task = None

    @property
    def _members(self) -> list[str]:
        return [*NAMES, *[WITNESS] * self.site.network.witness]

    # Between them

    def send(self, host: Host, sender: str, receiver: str, data: bytes) -> None:
        """A host says something, and the weather does to it what it does."""
        envelope = host.envelope
        if envelope is None or host.driver is None:
            return
        datagram = envelope.seal(sender, receiver, data)
        weather = self.weather
        for _ in range(2 if self.random.random() < weather.twice else 1):
            self.sent += 1
            if self.random.random() >= weather.loss and not weather.cut(sender, receiver):
                delay_s = self.random.uniform(*weather.delay_s)
                asyncio.get_running_loop().call_later(delay_s, self.arrive, receiver, datagram)

    def arrive(self, receiver: str, datagram: bytes) -> None:
        """A datagram comes to the hosts of a member, as it would from a socket."""
        for host in self.hosts:
            if receiver not in host.members or host.driver is None or host.envelope is None:
                continue
            opened = host.envelope.open(datagram)
            if not isinstance(opened, Opened):
                continue
            if host.gate.passes(opened.sender, opened.start, opened.count, self.clock.now_ms()):
                self.delivered.append((opened.sender, opened.receiver, opened.data))
                host.driver.received(opened.sender, opened.receiver, opened.data)

    # What is so

    def offers_ma(self) -> dict[str, int]:
        return {name: device.offered_ma for name, device in self.devices.items()}

    def leaders(self) -> set[str]:
        return {
            name
            for host in self.hosts
            if host.driver is not None
            for name in host.members
            if self.hub_of(name).nodes[name].leads
        }

    async def until(self, holds: Callable[[], object], within_s: float) -> float:
        """Wait until something holds; answers after how many seconds."""
        start_s = self.clock.now_s
        while not holds():
            waited_s = self.clock.now_s - start_s
            assert waited_s <= within_s, f"not within {within_s} s: {self.offers_ma()}, {self.said[-5:]}"
            await asyncio.sleep(0.1)
        return self.clock.now_s - start_s

    def play(self, story: Callable[["Town"], Awaitable[None]]) -> None:
        """Start every host, tell the story, end what still runs; no limit may break, and nothing be left behind."""

        async def whole() -> None:
            judge = asyncio.ensure_future(self._judge())
            await asyncio.gather(*map(self.start, self.hosts))
            await story(self)
            await asyncio.gather(*(self.stop(host) for host in self.hosts if host.driver is not None))
            await asyncio.sleep(120)
            judge.cancel()
            await asyncio.gather(judge, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(whole())
        assert not self.above, self.above[:3]

    async def _judge(self) -> None:
        while True:
            total_ma = sum(max(device.offered_ma, device.outlet.drawn_ma) for device in self.devices.values())
            if total_ma > self.limit_ma:
                self.above.append((self.clock.now_ms(), total_ma))
            await asyncio.sleep(LOOK_MS / 1000)
