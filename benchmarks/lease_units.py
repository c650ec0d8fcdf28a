"""Emulated units with leases in a process of their own, which outlive whoever regulates them, and their adapter.

    python -m benchmarks.lease_units NAMES TRACE SITE     serves them on a loopback socket and writes their trace

One line of JSON asks, one answers. Both ends read one clock, the host's, so a lease's end means the same to both.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from powershare.adapter import Applied, Clock, Declaration, HostClock, Offer, Reading
from powershare.cli.emulate_trace import Recorder
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable
from powershare.files import TraceHeader, TraceWriter, load_site
from powershare.simulation.vehicle import Traits
from powershare.units import Milliamps
from powershare_emulated import EmulatedAdapter, EmulatedDevice, listen, settings_of

LOOK_S = 0.05
_UNPLUGGED = "?plugged=no&energy_kwh=1000"
FOLLOWS = partial(Traits, lines_used=None, ramp_up_ma_per_s=10_000, ramp_down_ma_per_s=20_000)
"""A vehicle that is down in time (assumption A2) by itself, also where nobody is left to cut it off."""


class Units:
    """The units of one process.

    Args:
        names: Their connectors.
        trace: The trace that they write.
        site: The site file of its header.
    """

    def __init__(self, names: list[str], trace: Path, site: Path) -> None:
        self._clock = HostClock()
        header = TraceHeader(load_site(site), datetime.now(UTC), "monotonic")
        self._writer = TraceWriter(trace, header, live=True)
        self._devices: list[EmulatedDevice] = []
        recorder = Recorder(self._clock, header.site, names, self._writer.write)

        def changed(device: EmulatedDevice, at_ms: int, word: str | None) -> None:
            if device in self._devices:
                recorder.changed(self._devices.index(device), device._outlet, at_ms, word)

        self._stop = listen(changed)
        for _ in names:
            self._devices.append(EmulatedDevice(settings_of(_UNPLUGGED), self._clock))
            recorder.changed(len(self._devices) - 1, self._devices[-1].outlet, self._clock.now_ms())
        self.names = names
        self._adapters = {
            name: EmulatedAdapter(clock=self._clock, device=device)
            for name, device in zip(names, self._devices, strict=True)
        }

    async def look(self) -> None:
        """Let units notice what is due, for ever."""
        while True:
            for device in self._devices:
                device.catch_up()
            await asyncio.sleep(LOOK_S)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one who asks, until it is gone."""
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, what = asked["unit"], asked["do"]
        adapter = self._adapters[name]
        await adapter.open()
        device = adapter.device
        try:
            if what == "offer":
                return attrs.asdict(await adapter.offer(Offer(**asked["offer"])))
            if what == "read":
                return attrs.asdict(await adapter.read())
            if what == "set_fallback":
                return {"fallback_ma": await adapter.set_fallback(asked["fallback_ma"])}
        except AdapterError as error:
            return {"refused": str(error)}
        device.catch_up()
        if what == "plug_in":
            device._outlet.plug_in(FOLLOWS(max_ma=asked["max_ma"], identity=name), 1_000_000, device._now_ms)
        elif what == "unplug":
            device.unplug()
        return {"offered_ma": device.offered_ma, "drawn_ma": device.outlet.drawn_ma}


class LeaseAdapter:
    """The adapter: `lease:HOST:PORT/NAME`."""

    def __init__(self, rest: str, /, *, clock: Clock) -> None:
        place, _, self._name = rest.partition("/")
        self._host, _, port = place.partition(":")
        self._port, self._clock = int(port), clock
        self.declaration: Declaration = settings_of(_UNPLUGGED).declaration()
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Dial."""
        if self._pair is None:
            with _reached():
                self._pair = await asyncio.open_connection(self._host, self._port)

    async def close(self) -> None:
        """Hang up."""
        pair, self._pair = self._pair, None
        if pair is not None:
            pair[1].close()

    async def offer(self, offer: Offer) -> Applied:
        """Order."""
        return Applied(**await self._ask("offer", offer=attrs.asdict(offer)))

    async def read(self) -> Reading:
        """Ask."""
        found = await self._ask("read")
        return Reading(**{**found, "drawn_ma": tuple(found["drawn_ma"])})

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """What it is to offer when it is left alone."""
        found = await self._ask("set_fallback", fallback_ma=fallback_ma)
        return int(found["fallback_ma"])

    async def _ask(self, what: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON can say
        if self._pair is None:
            raise AdapterUnavailable("the units are not dialled")
        reader, writer = self._pair
        answered = False
        try:
            with _reached():
                writer.write(json.dumps({"unit": self._name, "do": what, **more}).encode() + b"\n")
                line = await reader.readline()
            answered = bool(line)
        finally:
            if not answered:
                await self.close()  # an answer that comes after all must not be taken for the next one's
        answer: dict[str, Any] = json.loads(line or b'{"refused": "the units are gone"}')
        if "refused" in answer:
            raise AdapterRejected(answer["refused"])
        return answer


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AdapterUnavailable(f"the units cannot be reached: {error}") from None


def plant(directory: Path) -> None:
    """Write down, for a process with this directory on its path, that there is such an adapter."""
    info = directory / "powershare_lease_units-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: powershare-lease-units\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[powershare.adapters]\nlease = benchmarks.lease_units:LeaseAdapter\n")


async def main(names: str, trace: str, site: str) -> None:
    """Serve until killed."""
    units = Units(names.split(","), Path(trace), Path(site))
    server = await asyncio.start_server(units.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await units.look()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
