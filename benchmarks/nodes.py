"""Six `powershare node` processes in real time, in weather and worse: `python -m benchmarks.nodes --minutes 60`.

One connector each on 36 A, fallbacks of 6 A. Between the processes stands what loses, delays, doubles and overtakes: a
relay on one host or, with `--namespaces`, a switch between hosts with links, addresses and clocks of their own, where
they find each other by multicast. Cars come and go; leaders are killed or stand still, the network falls apart, all
start again at once. Units in a process of their own write what they offer and what cars draw, and the limit is checked
at every instant of that.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import attrs
from adapters.wifi.tests.namespaces import Switch, missing
from adapters.wifi.tests.node_plant import NAMES, Plant
from adapters.wifi.tests.relay import Relay
from adapters.wifi.tests.weather import whole

from powershare import Allocator, Demand
from powershare.files import load_site
from powershare.trace import ConnectorEvent
from powershare.units import amps_text

_HALVES = ("abc", "def"), ("abcde", "f"), ("a", "bcdef"), ("bdf", "ace")


@attrs.frozen
class Weather:
    """What the network does, and how often something worse happens.

    Attributes:
        loss_percent: How many of a hundred datagrams are lost.
        twice_percent: How many come twice.
        latest_ms: By how much one may be late; so they overtake each other.
        fault_s: The mean time between two faults; 0: there are none.
        toggle_s: The mean time for which a car stays, or a connector stays empty.
    """

    loss_percent: int = 10
    twice_percent: int = 2
    latest_ms: int = 200
    fault_s: int = 90
    toggle_s: int = 300


class Run:
    """One run.

    Args:
        plant: The processes.
        weather: What happens to them.
        seed: Of the dice.
    """

    def __init__(self, plant: Plant, weather: Weather, seed: int) -> None:
        self._plant, self._weather, self._dice = plant, weather, random.Random(seed)
        self._cars: dict[str, int] = {}
        self._toggles_s = {name: self._dice.uniform(0, 20) for name in NAMES}
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._allocator = Allocator(load_site(plant.site))
        self._ideal_a = 0.0
        self.ideal_as = self.drawn_as = 0.0
        self.faults: Counter[str] = Counter()
        between = plant.weather
        assert between is not None
        self._between = between
        between.loss, between.twice = weather.loss_percent / 100, weather.twice_percent / 100
        between.delay_s = (0.002, weather.latest_ms / 1000)

    def play(self, seconds: float, shown: Callable[[str], None]) -> None:
        """Let so much time pass; the last minute is without faults."""
        self._plant.start()
        began_s = last_s = time.monotonic()
        fault_s, said_s = 45.0, 0.0
        while (now_s := time.monotonic() - began_s) < seconds:
            passed_s, last_s = time.monotonic() - last_s, time.monotonic()
            self.ideal_as += self._ideal_a * passed_s
            self._toggle(now_s)
            for due in [one for one in self._due if one[0] <= now_s]:
                self._due.remove(due)
                due[1]()
            if self._weather.fault_s and now_s >= fault_s and seconds - now_s > 100 and not self._due:
                self._fault(now_s)
                fault_s = now_s + self._dice.uniform(0.5, 1.5) * self._weather.fault_s
            if now_s - said_s >= 60:
                said_s = now_s
                shown(f"{now_s / 60:.0f} min: {self._plant.offers_a()}, {dict(self.faults)}")
            time.sleep(0.1)
        for _, end in self._due:
            end()

    def _toggle(self, now_s: float) -> None:
        changed = False
        for name, due_s in self._toggles_s.items():
            if now_s < due_s:
                continue
            changed = True
            self._toggles_s[name] = now_s + self._dice.expovariate(1 / self._weather.toggle_s)
            if name in self._cars:
                del self._cars[name]
                self._plant.ask(name, "unplug")
            else:
                self._cars[name] = self._dice.choice((16_000, 32_000))
                self._plant.plug_in(name, max_ma=self._cars[name])
        if changed:
            demands = [Demand(name, wanted_ma=max_ma) for name, max_ma in self._cars.items()]
            allocation = self._allocator.allocate(demands)
            self._ideal_a = sum(allocation[name].allocated_ma for name in self._cars) / 1000

    def _fault(self, now_s: float) -> None:
        plant, between, dice = self._plant, self._between, self._dice
        leader = plant.leader() or "a"
        victim = dice.choice((leader, leader, dice.choice(NAMES)))
        kind = dice.choice(("killed", "stood still", "in two", "one way", "all again"))
        self.faults[kind] += 1
        if kind == "killed":
            plant.kill(victim)
            self._due.append((now_s + dice.uniform(1, 40), partial(plant.start, victim)))
        elif kind == "stood still":
            plant.stop(victim)
            self._due.append((now_s + dice.uniform(1, 40), partial(plant.go_on, victim)))
        elif kind == "all again":
            plant.kill()
            plant.start()
        else:
            one, other = dice.choice(_HALVES)
            between.cut = partial(_in_two if kind == "in two" else _one_way, one, other)
            self._due.append((now_s + dice.uniform(5, 60), partial(setattr, between, "cut", whole)))


def _in_two(one: str, other: str, sender: str, receiver: str) -> bool:
    return (sender in one) == (receiver in other)


def _one_way(one: str, other: str, sender: str, receiver: str) -> bool:
    return sender in one and receiver in other


def drawn_as(events: Iterable[ConnectorEvent]) -> float:
    """What all cars drew, in ampere-seconds."""
    at: dict[str, tuple[int, int]] = {}
    total, last_ms = 0.0, 0
    for event in events:
        since_ms, drawn_ma = at.get(event.connector, (event.t_ms, 0))
        total += (event.t_ms - since_ms) * drawn_ma / 1e6
        at[event.connector] = (event.t_ms, event.drawn_ma)
        last_ms = event.t_ms
    return total + sum((last_ms - since_ms) * drawn_ma / 1e6 for since_ms, drawn_ma in at.values())


def report(run: Run, plant: Plant, minutes: float) -> bool:
    """Print the figures; answers whether every limit held."""
    result, between = plant.result(), plant.weather
    assert between is not None
    what = "frames" if isinstance(between, Switch) else "datagrams"
    changes = sum("is leader" in line for name in plant.hosts for line in plant.words(name))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    served_percent = 100 * drawn_as(plant.events()) / run.ideal_as if run.ideal_as else 100.0
    (peak,) = result.peaks
    print(f"{minutes:g} minutes, six processes; {what}: {between.passed:,} passed, {between.lost:,} lost or cut off")
    print(f"faults: {', '.join(f'{count} {kind}' for kind, count in sorted(run.faults.items())) or 'none'}")
    print(f"leaders: {changes}")
    processor_percent = 100 * (used.ru_utime + used.ru_stime) / (minutes * 60)
    print(f"served: {served_percent:.1f} % of {run.ideal_as / 3600:.1f} Ah that ideal control would have given")
    print(f"most offered {amps_text(peak.offered_ma)}, drawn {amps_text(peak.drawn_ma)}, of {amps_text(peak.limit_ma)}")
    inside, outside = len(result.inside), len(result.outside)
    print(f"{result.events:,} events; limits broke {inside} times inside the assumptions, {outside} outside")
    print(f"processor: {processor_percent:.1f} % of one, all processes and units together")
    return not result.breaches


def main() -> int:
    """Run it, and answer 1 where a limit broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--loss", type=int, default=10, help="datagrams lost each way, in percent")
    parser.add_argument("--latest-ms", type=int, default=200, help="by how much one may be late")
    parser.add_argument("--fault-s", type=int, default=90, help="mean time between faults; 0: none")
    parser.add_argument("--toggle-s", type=int, default=300, help="mean time for which a car stays")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--namespaces", action="store_true", help="each process on a host of its own; needs root")
    parser.add_argument("--keep", type=Path, help="copy the units' trace there")
    asked = parser.parse_args()
    weather = Weather(asked.loss, 2, asked.latest_ms, asked.fault_s, asked.toggle_s)
    if asked.namespaces and (lack := missing()) is not None:
        parser.error(f"--namespaces: {lack}")
    with tempfile.TemporaryDirectory() as directory:
        relay = None if asked.namespaces else partial(Relay, seed=asked.seed)
        switch = partial(Switch, seed=asked.seed) if asked.namespaces else None
        with Plant(Path(directory), relay, switch=switch) as plant:
            run = Run(plant, weather, asked.seed)
            run.play(asked.minutes * 60, partial(print, file=sys.stderr, flush=True))
            plant.end()
        held = report(run, plant, asked.minutes)
        if asked.keep is not None:
            asked.keep.write_bytes(plant.trace.read_bytes())
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
