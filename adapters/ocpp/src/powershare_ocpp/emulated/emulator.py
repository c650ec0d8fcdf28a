"""`powershare emulate ocpp16` and `ocpp201`: emulated stations of one connector each, which dial in to an adapter."""

import asyncio
import functools
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from powershare.adapter import Clock
from powershare.addressing import HostPort, Readers, amps, one_of, options_of, seconds, whole, yes_no
from powershare.emulation import Changed
from powershare.errors import AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare_ocpp.dialects.messages16 import profile_message
from powershare_ocpp.emulated.station import FAILURES, EmulatedStation, NewVoice, StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.profiles import Scale, fallback_profile
from powershare_ocpp.settings import listening_place, station_name
from powershare_ocpp.wire.door import WebSocketLink
from powershare_ocpp.wire.frames import LONGEST_TEXT
from powershare_ocpp.wire.links import Link

_KINDS: Mapping[str, StationTraits] = MappingProxyType(
    {
        "plain": StationTraits(),
        "only-watts": StationTraits(units="Power"),
        "only-amps": StationTraits(units="Current"),
        "level-0": StationTraits(most_level=0, takes_tx=False),
        "no-composite": StationTraits(composite=False),
        "less-levels": StationTraits(takes_level=0),
        "no-renewal": StationTraits(renews_tx=False),
    }
)
"""Kinds of stations, after what real ones were seen to take and to refuse."""

_VOICES: Mapping[str, NewVoice] = MappingProxyType({"ocpp16": Voice16, "ocpp201": Voice201})

_DIAL_S = 5

_OPTIONS: Readers = MappingProxyType(
    {
        "listen": listening_place,
        "name": station_name,
        "kind": one_of(*_KINDS),
        "lines": whole(1, 3),
        "volts": whole(90, 400),
        "greatest_a": ("greatest_ma", amps(6_000, 1_000_000)),
        "obeys": yes_no,
        "ahead_s": ("ahead_ms", seconds(0, 3_600_000)),
        "stays_a": ("stays_ma", amps(0, 1_000_000)),
    }
)


async def dial(
    host: str,
    tcp_port: int,
    station: str,
    *,
    subprotocol: str = "ocpp1.6",
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Link:
    """Dial in at a central system.

    Args:
        host: Where it listens.
        tcp_port: Where it listens.
        station: As which station.
        subprotocol: What it speaks.
        password: The station's; None: it has none.
        tls: With which certificates; None: without TLS.

    Raises:
        AdapterUnavailable: Nobody is there, or one is not let in.
    """
    shown = f"[{host}]" if ":" in host else host
    secret = "" if password is None else f"{station}:{password}@"
    uri = f"{'ws' if tls is None else 'wss'}://{secret}{shown}:{tcp_port}/ocpp/{station}"
    try:
        connection = await connect(
            uri,
            subprotocols=[Subprotocol(subprotocol)],
            ssl=tls,
            proxy=None,
            open_timeout=_DIAL_S,
            compression=None,
            max_size=LONGEST_TEXT,
        )
    except (OSError, WebSocketException) as error:
        raise AdapterUnavailable(f"station {station} is not let in at {shown}:{tcp_port}: {error}") from error
    return WebSocketLink(connection)


class OcppEmulator:
    """Some emulated stations.

    Args:
        traits: What kind of stations.
        new_voice: The version that they speak.
        listen: Where they dial in.
        name: What the name of each begins with.
        lines: Lines each is wired to.
        greatest_ma: The greatest offer of each.
        stays_ma: What each was told last to offer when it is left alone.
        obeys: Whether they do what they accept.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.
    """

    def __init__(
        self,
        traits: StationTraits,
        new_voice: NewVoice,
        listen: HostPort,
        *,
        name: str,
        lines: int,
        greatest_ma: int,
        stays_ma: int,
        obeys: bool,
        units: int,
        clock: Clock,
        changed: Changed,
    ) -> None:
        self._listen, self._greatest_ma, self._traits = listen, greatest_ma, traits
        self._tasks: list[asyncio.Task[None]] = []
        self._stations = []
        for unit in range(units):
            told = functools.partial(changed, unit)
            outlet = Outlet(clock.now_ms(), lines=lines, greatest_ma=greatest_ma, step_ma=100, changed=told)
            station = EmulatedStation(f"{name}-{unit + 1}", [outlet], clock, traits, new_voice, greatest_ma=greatest_ma)
            station.obeys = obeys
            scale = Scale("A" if "Current" in traits.units else "W", traits.volts, lines)
            stays = profile_message(1, fallback_profile(1, stays_ma, scale, max(0, traits.most_level - 1)))
            station.store.put(1, stays["csChargingProfiles"])
            station.advance()
            self._stations.append(station)

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The stations' connectors."""
        return [station.outlets[0] for station in self._stations]

    @property
    def stations(self) -> Sequence[EmulatedStation]:
        """The stations themselves."""
        return self._stations

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each station."""
        settings = f"listen={self._listen}&lines={self.outlets[0].lines}&greatest_a={self._greatest_ma / 1_000:g}"
        settings += f"&volts={self._traits.volts}"
        settings += "" if self._traits.composite else "&offered=meter"
        return [f"ocpp:{station.name}/1?{settings}" for station in self._stations]

    async def start(self) -> None:
        """Begin to dial, and go on until somebody listens."""
        if not self._tasks:
            host, tcp_port = self._listen.host, self._listen.tcp_port

            async def run(station: EmulatedStation) -> None:
                await station.run(lambda name: dial(host, tcp_port, name, subprotocol=station.voice.subprotocol))

            self._tasks = [asyncio.create_task(run(station)) for station in self._stations]

    async def stop(self) -> None:
        """Hang up, and dial no more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one station."""
        if not 0 <= unit < len(self._stations):
            raise ValueError(f"there is no unit {unit}; there are {len(self._stations)}, counted from 0")
        self._stations[unit].fail(failure)

    @property
    def failures(self) -> Mapping[str, str]:
        """The failures that there are."""
        return FAILURES


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> OcppEmulator:
    """Build emulated stations of OCPP 1.6, without touching the world.

    Args:
        options: `listen`, `name`, `kind`, `lines`, `volts`, `greatest_a`, `obeys`, `ahead_s`, `stays_a`.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    return _built("ocpp16", options, units, clock, changed)


def emulator201(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> OcppEmulator:
    """Build emulated stations of OCPP 2.0.1: as `emulator` does.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    return _built("ocpp201", options, units, clock, changed)


def _built(name: str, options: Mapping[str, str], units: int, clock: Clock, changed: Changed) -> OcppEmulator:
    values = options_of(f'emulator "{name}"', options, _OPTIONS)
    kind = values.get("kind", "plain")
    # What one kind refuses is remembered of all that say they are of it: each says which it is.
    traits = attrs.evolve(_KINDS[kind], volts=values.get("volts", 230), firmware=kind)
    return OcppEmulator(
        attrs.evolve(traits, ahead_ms=values.get("ahead_ms", 0)),
        _VOICES[name],
        values.get("listen", HostPort("127.0.0.1", 8887)),
        name=values.get("name", "EMULATED"),
        lines=values.get("lines", 1),
        greatest_ma=values.get("greatest_ma", 32_000),
        stays_ma=values.get("stays_ma", 0),
        obeys=values.get("obeys", True),
        units=units,
        clock=clock,
        changed=changed,
    )
