"""Many OCPP stations at one controller, each side a process of its own: how soon it reacts, and what it costs.

    python -m benchmarks.ocpp --stations 100 --seconds 60

Half the stations have a vehicle, and the feeder carries 8 A for each, so that whoever plugs in takes from others. All
is read from the trace that the stations write of themselves: from a plug, until the first other pilot is lower, and
until its own is above 0. Processor time is that of the controller's process alone, from /proc, while nothing happens.
Before that, without a controller: from an order's beginning until the station offers what it says. Linux only.
"""

import argparse
import asyncio
import json
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
from adapters.ocpp.tests.processes import Process, Stations, Yard

from powershare.adapter import HostClock, Offer
from powershare.trace import ConnectorEvent
from powershare_ocpp import OcppAdapter
from powershare_ocpp.central import Hub

AMPS_EACH = 8
SETTLED_S = 40.0
"""From the start until everybody has its share."""
BETWEEN_S = 15.0
PATIENCE_S = 60.0
"""So long the last newcomer has until it must be offered something."""
ORDERED_MA = 12_300


@attrs.frozen
class Reaction:
    """What followed a plug, in seconds from it; None: nobody had to be lowered."""

    lowered_s: float | None
    raised_s: float


def vehicles(place: Path, count: int, newcomers: int, first_s: float) -> Path:
    """A script: every other station has a vehicle from the start, and some others get one later."""
    quick = {"max_a": 32, "energy_kwh": 60, "reaction_s": 2}
    deeds: list[dict[str, object]] = [{"t_s": 0, "unit": unit, "do": "plug_in", **quick} for unit in range(1, count, 2)]
    deeds += [
        {"t_s": first_s + number * BETWEEN_S, "unit": 2 * number, "do": "plug_in", **quick}
        for number in range(newcomers)
    ]
    path = place / "vehicles.ndjson"
    path.write_text("".join(json.dumps(deed) + "\n" for deed in deeds), encoding="utf-8")
    return path


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def orders(stations: Stations) -> list[float]:
    """Order every station once, one after another; answers how long each took until it offered that."""
    clock, hub = HostClock(), Hub()
    addresses = stations.addresses()
    plugged = [name for place, name in enumerate(addresses) if place % 2]
    adapters = {
        name: OcppAdapter(addresses[name].removeprefix("ocpp:") + "&wait_s=60", clock=clock, hub=hub)
        for name in plugged
    }
    await asyncio.gather(*(adapter.open() for adapter in adapters.values()))
    began_s = {}
    for name, adapter in adapters.items():
        began_s[name] = time.time()
        offer = Offer(offered_ma=ORDERED_MA, valid_until_ms=clock.now_ms() + 20_000, then_ma=0)
        await adapter.offer(offer)
    await asyncio.sleep(1)
    await asyncio.gather(*(adapter.close() for adapter in adapters.values()))
    took_s = []
    for name in plugged:
        found = [at_s for at_s, offered_ma in stations.offers(name) if offered_ma == ORDERED_MA]
        took_s.append(found[0] - began_s[name])
    return took_s


def reactions(stations: Stations, since_s: float) -> list[Reaction]:
    """What followed each plug, by the stations' own trace."""
    events = [(at_s, one) for at_s, one in stations.events() if at_s >= since_s]
    plugs = [(at_s, one.connector) for at_s, one in events if one.event == "plugged in"]
    return [_reaction(stations.events(), at_s, name) for at_s, name in plugs]


def _reaction(events: Sequence[tuple[float, ConnectorEvent]], plugged_s: float, name: str) -> Reaction:
    before_ma: dict[str, int] = {}
    lowered_s: float | None = None
    for at_s, one in events:
        if at_s <= plugged_s:
            before_ma[one.connector] = one.pilot_ma
        elif one.connector == name and one.pilot_ma:
            return Reaction(lowered_s, at_s - plugged_s)
        elif lowered_s is None and one.connector != name and one.pilot_ma < before_ma[one.connector]:
            lowered_s = at_s - plugged_s
    raise SystemExit(f"{name} was never offered anything")


def cost(controller: Process, seconds: float) -> float:
    """The share of one core that the controller takes, in percent."""
    used_s, since_s = controller.used_s(), time.monotonic()
    time.sleep(seconds)
    return 100 * (controller.used_s() - used_s) / (time.monotonic() - since_s)


def _spread(figures_s: Sequence[float], digits: int) -> str:
    if not figures_s:
        return "not needed"
    return f"{statistics.median(figures_s):.{digits}f} s (worst {max(figures_s):.{digits}f} s)"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocpp", description="What do many stations cost?")
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60, help="how long the processor time is measured")
    parser.add_argument("--newcomers", type=int, default=5, help="how many vehicles plug in")
    told = parser.parse_args(arguments)
    names = [f"c{place}" for place in range(told.stations)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        limit_a = told.stations * AMPS_EACH
        with Yard(place, names, limit_a=limit_a, fallback_a=0, tcp_port=free_port()) as yard:
            script = vehicles(place, told.stations, 0, 0)
            stations = yard.emulate(names, {}, "--vehicles", str(script))
            took_s = asyncio.run(orders(stations))
            stations.ends(signal.SIGTERM)
            print(f"{len(took_s)} orders: in force after {_spread(took_s, 3)}", flush=True)
        first_s = SETTLED_S + told.seconds + BETWEEN_S
        with Yard(place, names, limit_a=limit_a, fallback_a=0, tcp_port=free_port()) as yard:
            script = vehicles(place, told.stations, told.newcomers, first_s)
            stations = yard.emulate(names, {}, "--vehicles", str(script))
            controller = yard.regulate({})
            started_s = stations.events()[0][0]
            time.sleep(max(0.0, started_s + SETTLED_S - time.time()))
            percent = cost(controller, told.seconds)
            print(f"{told.stations} stations: {percent:.1f} % of a core", flush=True)
            time.sleep(max(0.0, started_s + first_s + told.newcomers * BETWEEN_S + PATIENCE_S - time.time()))
            controller.ends(signal.SIGTERM)
            stations.ends(signal.SIGTERM)
            found = reactions(stations, started_s + first_s - 1)
            lowered = _spread([one.lowered_s for one in found if one.lowered_s is not None], 1)
            raised = _spread([one.raised_s for one in found], 1)
            print(f"{len(found)} newcomers: others lowered after {lowered}, raised after {raised}")
            code, verdict = yard.judged()
            print(verdict.strip().splitlines()[-1])
    return code


if __name__ == "__main__":
    sys.exit(main())
