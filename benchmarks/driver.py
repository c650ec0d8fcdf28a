"""The driver with many emulated connectors on one host, in real time: how soon it reacts, and what it costs.

    python -m benchmarks.driver --connectors 64 --seconds 60 --vehicles quick

Half the connectors have a vehicle, and the feeder carries a quarter of what all could take, so that whoever plugs in
takes from everybody. Quick vehicles follow their pilot after 2 s, by 10 A a second; slow ones after 3 s, by 1 A a
second, which is what soft lowering waits for. Reaction counts from the plug: until the first other pilot is lower, and
until its own is above 0. Processor time is that of this process, devices included, while nothing happens. Exit code 1
above 5 % of one core.
"""

import argparse
import asyncio
import resource
import secrets
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from powershare.adapter import HostClock
from powershare.driver import Driver
from powershare.registry import create_adapter
from powershare.simulation.vehicle import Traits
from powershare.site import Circuit, Connector, Site, Supply
from powershare_emulated import EmulatedAdapter

MOST_PERCENT = 5.0
"""What regulating 64 connectors may cost, of one core."""

AMPS_EACH = 8
SETTLED_S = 25.0
"""From the start until everybody has its share."""
PATIENCE_S = 60.0
BETWEEN_S = 8.0
LOOK_S = 0.02


VEHICLES = {
    "quick": Traits(max_ma=32_000, reaction_ms=2_000, ramp_up_ma_per_s=4_000, ramp_down_ma_per_s=10_000),
    "slow": Traits(max_ma=32_000, reaction_ms=3_000),
}
ENERGY_WH = 60_000


@attrs.frozen
class Reaction:
    """What followed a plug, in seconds from it; nobody is lowered where its fallback is free and all it gets."""

    lowered_s: float | None
    raised_s: float


@attrs.frozen
class Cost:
    """What regulation took while nothing happened."""

    percent: float
    megabytes: float


class Bench:
    """A driver and its emulated connectors.

    Args:
        count: How many connectors.
        deadman: The class of their dead man's switch.
        vehicles: What kind of vehicles come, of `VEHICLES`.
    """

    def __init__(self, count: int, deadman: str, vehicles: str) -> None:
        self._clock, self._traits = HostClock(), VEHICLES[vehicles]
        circuit = Circuit(id="feeder", limit_ma=count * AMPS_EACH * 1000)
        keeps = deadman == "none"
        connectors = tuple(
            Connector(
                id=f"c{place}",
                circuit="feeder",
                step_ma=1_000,
                fallback_ma=6_000 if keeps else None,
                fail_safe=not keeps,
            )
            for place in range(count)
        )
        self.site = Site(supply=Supply.THREE_PHASE, circuits=(circuit,), connectors=connectors)
        watchdog = "&watchdog_s=10" if deadman == "watchdog" else ""
        self.adapters: Mapping[str, EmulatedAdapter] = {
            connector.id: cast(
                "EmulatedAdapter",
                create_adapter(f"emulated:?deadman={deadman}{watchdog}&lines=3&plugged=no", clock=self._clock),
            )
            for connector in connectors
        }
        self.driver = Driver(self.site, self.adapters, clock=self._clock, boot=lambda: secrets.randbits(64))
        for place in range(1, count, 2):
            self.plug_in(f"c{place}")

    def plug_in(self, name: str) -> None:
        """A vehicle comes."""
        traits = attrs.evolve(self._traits, identity=f"GUEST{name}")
        self.adapters[name].device.outlet.plug_in(traits, ENERGY_WH, self._clock.now_ms())

    async def cost(self, seconds: float) -> Cost:
        """Wait, and look what it took."""
        used_s, since_s = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        share = (time.process_time() - used_s) / (time.monotonic() - since_s)
        return Cost(100 * share, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    async def reaction(self, name: str) -> Reaction:
        """Plug a vehicle in, and look until it is offered something; unplug it again."""
        devices = {other: adapter.device for other, adapter in self.adapters.items()}
        before_ma = {other: device.offered_ma for other, device in devices.items()}
        self.plug_in(name)
        since_s, lowered_s = time.monotonic(), None
        while not devices[name].offered_ma:
            await asyncio.sleep(LOOK_S)
            passed_s = time.monotonic() - since_s
            if lowered_s is None and any(devices[other].offered_ma < before_ma[other] for other in devices):
                lowered_s = passed_s
            if passed_s > PATIENCE_S:
                raise TimeoutError(f"{name} was offered nothing within {PATIENCE_S:g} s")
        raised_s = time.monotonic() - since_s
        await asyncio.sleep(BETWEEN_S)
        devices[name].unplug()
        await asyncio.sleep(BETWEEN_S)
        return Reaction(lowered_s, raised_s)


async def measure(count: int, deadman: str, vehicles: str, seconds: float, times: int) -> bool:
    """Measure one class, print it, and say whether it costs no more than it may."""
    bench = Bench(count, deadman, vehicles)
    await bench.driver.prepare()
    stopping = asyncio.Event()
    running = asyncio.ensure_future(bench.driver.run(stopping))
    await asyncio.sleep(SETTLED_S)
    cost = await bench.cost(seconds)
    reactions = [await bench.reaction(f"c{2 * place}") for place in range(times)]
    stopping.set()
    await running
    lowered = _spread([one.lowered_s for one in reactions if one.lowered_s is not None])
    raised = _spread([one.raised_s for one in reactions])
    print(
        f"{deadman:9} {count} connectors: {cost.percent:.1f} % of a core, {cost.megabytes:.0f} MB; {times} {vehicles} "
        f"vehicles: others lowered {lowered}, raised {raised}",
        flush=True,
    )
    return cost.percent <= MOST_PERCENT


def _spread(figures_s: Sequence[float]) -> str:
    if not figures_s:
        return "not needed"
    return f"after {statistics.median(figures_s):.1f} s (worst {max(figures_s):.1f} s)"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.driver", description="What does the driver cost?")
    parser.add_argument("--connectors", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60, help="how long the processor time is measured")
    parser.add_argument("--times", type=int, default=5, help="how many vehicles plug in")
    parser.add_argument("--deadman", choices=("lease", "watchdog", "none"), action="append")
    parser.add_argument("--vehicles", choices=tuple(VEHICLES), default="quick")
    told = parser.parse_args(arguments)
    classes = told.deadman or ["lease", "watchdog", "none"]
    within = [asyncio.run(measure(told.connectors, one, told.vehicles, told.seconds, told.times)) for one in classes]
    if not all(within):
        print(f"above {MOST_PERCENT:g} % of a core", file=sys.stderr)
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
