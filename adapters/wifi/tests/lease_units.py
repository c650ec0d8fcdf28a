"""Units with leases in a process of their own, which outlive whoever regulates them, and their adapter.

    python -m adapters.wifi.tests.lease_units NAMES TRACE SITE HOST     serves them there, and writes their trace

One line of JSON asks, one answers. Who asks may be on a host whose clock shows another time.
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

from powershare.adapter import Applied, Clock, HostClock, Offer, Reading
from powershare.cli.emulate_trace import Recorder
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable
from powershare.files import TraceHeader, TraceWriter, load_site
from powershare.simulation.outlet import Outlet

from .lease_device import DECLARED, LeaseAdapter, LeaseDevice

LOOK_S = 0.05


class Units:
    """The units of one process.

    Args:
        names: Their connectors.
        trace: The trace that they write.
        site: The site file of its header.
    """

    def __init__(self, names: list[str], trace: Path, site: Path) -> None:
        clock = HostClock()
        header = TraceHeader(load_site(site), datetime.now(UTC), "monotonic")
        recorder = Recorder(clock, header.site, names, TraceWriter(trace, header, live=True).write)

        def changed(number: int, outlet: Outlet, at_ms: int, word: str | None) -> None:
            recorder.changed(number, outlet, at_ms, word)

        self._devices = {name: LeaseDevice(clock, partial(changed, number)) for number, name in enumerate(names)}
        self._adapters = {name: LeaseAdapter(device, clock) for name, device in self._devices.items()}
        for number, device in enumerate(self._devices.values()):
            recorder.changed(number, device.outlet, clock.now_ms())

    async def look(self) -> None:
        """Let units notice what is due, for ever."""
        while True:
            for device in self._devices.values():
                _ = device.outlet
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
        adapter, device = self._adapters[name], self._devices[name]
        try:
            if what == "hello":
                return {"now_ms": HostClock().now_ms()}
            if what == "offer":
                return attrs.asdict(await adapter.offer(Offer(**asked["offer"])))
            if what == "read":
                return attrs.asdict(await adapter.read())
        except AdapterError as error:
            return {"refused": str(error)}
        if what == "plug_in":
            device.plug_in(asked["max_ma"], name)
        elif what == "unplug":
            device.unplug()
        return {"offered_ma": device.offered_ma, "drawn_ma": device.outlet.drawn_ma}


class FarAdapter:
    """The adapter of such a unit: `lease:HOST:PORT/NAME`."""

    def __init__(self, rest: str, /, *, clock: Clock) -> None:
        place, _, self._name = rest.partition("/")
        self._host, _, port = place.partition(":")
        self._port, self._clock, self.declaration = int(port), clock, DECLARED
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._ahead_ms = 0

    async def open(self) -> None:
        """Dial."""
        if self._pair is None:
            with _reached():
                self._pair = await asyncio.open_connection(self._host, self._port)
            # Read after the answer came: by the units' clock a lease rather ends too early than too late.
            self._ahead_ms = (await self._ask("hello"))["now_ms"] - self._clock.now_ms()

    async def close(self) -> None:
        """Hang up."""
        pair, self._pair = self._pair, None
        if pair is not None:
            pair[1].close()

    async def offer(self, offer: Offer) -> Applied:
        """Order."""
        theirs = attrs.evolve(offer, valid_until_ms=offer.valid_until_ms + self._ahead_ms)
        found = await self._ask("offer", offer=attrs.asdict(theirs))
        return Applied(offered_ma=found["offered_ma"], at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask."""
        found = await self._ask("read")
        return Reading(**{**found, "at_ms": self._clock.now_ms(), "drawn_ma": tuple(found["drawn_ma"])})

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
    (info / "entry_points.txt").write_text(
        "[powershare.adapters]\nlease = adapters.wifi.tests.lease_units:FarAdapter\n"
    )


async def main(names: str, trace: str, site: str, host: str) -> None:
    """Serve until killed."""
    units = Units(names.split(","), Path(trace), Path(site))
    server = await asyncio.start_server(units.serve, host, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await units.look()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
