"""Emulated devices for `powershare emulate http`, `http-go-e` and `http-openevse`: any map, a real server for each."""

import asyncio
import contextlib
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

from powershare.adapter import Clock
from powershare.addressing import Readers, options_of, some_text, whole
from powershare.emulation import Changed
from powershare.errors import FormatError, Problem
from powershare.simulation.outlet import Outlet
from powershare_http import OWN_MAP
from powershare_http.charger.emulated_device import EmulatedDevice
from powershare_http.charger.http_map import HttpMap
from powershare_http.charger.map_file import load_map
from powershare_http.emulated_server import FAILURES, HOST, DeviceServer
from powershare_http.exchange import Answer, Request

_OWN_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "ignores": "it accepts orders, and does nothing (outside A4)",
        "restart": "it restarts, once, and offers its saved maximum, or its failsafe current where it has a watchdog",
    }
)

_READERS: Readers = MappingProxyType(
    {
        "map": some_text,
        "port": whole(0, 65_535),
        "lines": whole(1, 3),
    }
)


class HttpEmulator:
    """Some emulated devices of one map.

    Args:
        found: What they are like.
        name: What an address calls the map: a shipped one's name, or a path.
        units: How many there are.
        lines: Lines that each is wired to.
        tcp_port: Where the first one listens, and the others after it; 0: at free ports.
        clock: Where the time comes from.
        changed: Told of every change.

    Attributes:
        devices: The devices.
        servers: Their servers.
    """

    def __init__(
        self, found: HttpMap, name: str, *, units: int, lines: int, tcp_port: int, clock: Clock, changed: Changed
    ) -> None:
        self._name, self._clock = name, clock
        measured = 0 if found.drawn is None else len(found.drawn.places)
        self._settings = {"map": quote(name)} if name.endswith(".toml") else {}
        if measured and lines != measured:
            self._settings["lines"] = str(lines)
        self._wake = asyncio.Event()
        self._living: asyncio.Task[None] | None = None
        offers, now_ms = found.offers, clock.now_ms()
        self.devices: list[EmulatedDevice] = []
        self.servers: list[DeviceServer] = []
        for at in range(units):
            outlet = Outlet(
                now_ms,
                lines=lines,
                least_ma=offers.least_ma,
                greatest_ma=offers.greatest_ma,
                step_ma=offers.step_ma,
                changed=functools.partial(changed, at),
            )
            device = EmulatedDevice(found, outlet, now_ms)
            self.devices.append(device)
            answer = functools.partial(self._answer, device)
            self.servers.append(DeviceServer(answer, tcp_port=tcp_port + at if tcp_port else 0))

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The connectors of the devices, in order."""
        return [device.outlet for device in self.devices]

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each device."""
        scheme = OWN_MAP if "map" in self._settings else self._name
        query = "&".join(f"{key}={text}" for key, text in self._settings.items())
        return [f"http+{scheme}://{HOST}:{server.tcp_port}{'?' if query else ''}{query}" for server in self.servers]

    @property
    def failures(self) -> Mapping[str, str]:
        """What can fail."""
        return {**FAILURES, **_OWN_FAILURES}

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            AdapterUnavailable: A port is in use.
        """
        if self._living is not None:
            return
        try:
            for server in self.servers:
                await server.start()
        except BaseException:
            await self.stop()
            raise
        self._living = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """Fall silent and let go of everything."""
        living, self._living = self._living, None
        if living is not None:
            living.cancel()
            await asyncio.wait([living])
        for server in self.servers:
            await server.stop()

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one device.

        Raises:
            ValueError: There is no such failure, or no such device.
        """
        known = self.failures
        if failure != "none" and failure not in known:
            raise ValueError(f"there is no failure {failure!r}; there are {', '.join(known)} and none")
        if not 0 <= unit < len(self.devices):
            raise ValueError(f"there is no unit {unit}; there are {len(self.devices)}, counted from 0")
        device, server = self.devices[unit], self.servers[unit]
        if failure == "restart":
            device.restart(self._clock.now_ms())
            server.hang_up()
        else:
            device.ignores = failure == "ignores"
            server.begin("none" if failure == "ignores" else failure)
        self._wake.set()

    def _answer(self, device: EmulatedDevice, request: Request) -> Answer:
        answer = device.answer(request, self._clock.now_ms())
        self._wake.set()
        return answer

    async def _live(self) -> None:
        """Let happen what is due when nobody asks: watchdogs, and vehicles that react."""
        while True:
            self._wake.clear()
            now_ms = self._clock.now_ms()
            due: list[int] = []
            for device in self.devices:
                device.catch_up(now_ms)
                due += [at_ms for at_ms in (device.due_ms(), device.outlet.next_ms()) if at_ms is not None]
            wait_ms = max(1, min(due) - now_ms) if due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._wake.wait()


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> HttpEmulator:
    """Build an emulator of devices of one map.

    Args:
        options: `map=NAME|FILE`, `port=0`, `lines=3`.
        units: How many devices there are.
        clock: Where it gets the time from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    return _built("http", options, units, clock, changed)


def go_e(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> HttpEmulator:
    """Build an emulator of go-e Chargers; see `emulator`."""
    return _built("http-go-e", {"map": "go-e", **options}, units, clock, changed)


def openevse(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> HttpEmulator:
    """Build an emulator of OpenEVSEs with their Wi-Fi module; see `emulator`."""
    return _built("http-openevse", {"map": "openevse", **options}, units, clock, changed)


def _built(kind: str, options: Mapping[str, str], units: int, clock: Clock, changed: Changed) -> HttpEmulator:
    where = f'emulator "{kind}"'
    needed = {"map": "write map=NAME of a family of devices, or a .toml file"}
    values = options_of(where, options, _READERS, needed=needed)
    found = load_map(values["map"])
    tcp_port = values.get("port", 0)
    if tcp_port + units - 1 > 65_535:
        raise FormatError([Problem(where, "port", f"is {tcp_port}; there is no room for {units} after it")])
    measured = 1 if found.drawn is None else len(found.drawn.places)
    return HttpEmulator(
        found,
        values["map"],
        units=units,
        lines=values.get("lines", measured),
        tcp_port=tcp_port,
        clock=clock,
        changed=changed,
    )
