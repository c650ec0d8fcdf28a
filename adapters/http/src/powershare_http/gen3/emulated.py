"""Emulated Gen 3 Wall Connectors for `powershare emulate gen3-http`: their HTTP interface, with what is wrong with it.

They offer what they were commissioned for, whatever anybody asks for, as real ones do. Bodies have the members, and
the quirks, of recorded ones. Not faithful: temperatures, voltages under load, energy, and what evse_state is when.
"""

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from powershare.adapter import Clock
from powershare.addressing import Readers, amps, one_of, options_of, whole
from powershare.emulation import Changed
from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_http import GEN3
from powershare_http.emulated_server import FAILURES, HOST, DeviceServer
from powershare_http.exchange import Answer, Request

_WORKS_S = 0.05
_OFFENDED_S = 5.0
"""How long it says nothing after it was asked two things at once."""

_ALARM = "alarm: two questions at once"

OWN_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "nan": "some of its numbers are nan",
        "nan-current": "its currents are nan, too, and so is what its vehicle takes",
        "no-brace": "the last brace is missing from its answers",
        "drift": "its answers have the members of another firmware",
        "frozen": "it goes on saying what it said last",
    }
)
"""What can fail in its answers, each with a sentence."""

_READERS: Readers = MappingProxyType(
    {
        "greatest_a": amps(6_000, 80_000),
        "supply": one_of("single_phase", "split_phase", "three_phase"),
        "firmware": one_of("21.29", "25.34"),
        "port": whole(0, 65_535),
    }
)
_LINES = MappingProxyType({"single_phase": 1, "split_phase": 2, "three_phase": 3})


class EmulatedWallConnector:
    """One Wall Connector, without its server.

    Args:
        outlet: Its connector.
        greatest_ma: What it was commissioned for.
        newer: Whether its firmware is the newer of the two that it can have.
        now_ms: The present.

    Attributes:
        failing: What is wrong with its answers; `none`.
        alarms: What it was asked that must not be.
    """

    def __init__(self, outlet: Outlet, greatest_ma: Milliamps, *, newer: bool, now_ms: int) -> None:
        self.outlet = outlet
        self.failing = "none"
        self.alarms: list[str] = []
        self._newer, self._started_ms = newer, now_ms
        self._last_vitals: bytes | None = None
        outlet.offer(greatest_ma, now_ms)

    def answer(self, request: Request, now_ms: int) -> Answer:
        """Answer a question."""
        self.outlet.advance(now_ms)
        bodies = {
            "/api/1/vitals": self._vitals,
            "/api/1/lifetime": self._lifetime,
            "/api/1/version": self._version,
            "/api/1/wifi_status": self._wifi,
        }
        if request.method != "GET" or request.path not in bodies:
            # What a power-sharing group might be found at answers 500; there is no writing anything.
            known = request.path in {"/api/1/power_sharing", "/api/1/followers", "/api/1/group"}
            return Answer(status=500 if known else 404, body=b"")
        body = json.dumps(bodies[request.path]((now_ms - self._started_ms) // 1_000)).encode()
        if self.failing in {"nan", "nan-current"}:
            body = _with_nan(body, currents=self.failing == "nan-current")
        if self.failing == "no-brace":
            body = body[:-1]
        if request.path == "/api/1/vitals":
            if self.failing == "frozen" and self._last_vitals is not None:
                body = self._last_vitals
            self._last_vitals = body
        return Answer(status=200, body=body)

    @property
    def _newer_members(self) -> bool:
        return self._newer != (self.failing == "drift")

    def _vitals(self, uptime_s: int) -> object:
        outlet, lines = self.outlet, self.outlet.lines
        drawn_a = [line_ma / 1_000 for line_ma in outlet.drawn_per_line_ma]
        vehicle_a = max(drawn_a)
        voltages = [230.1, 230.2, 230.3]
        if lines == 2:  # split phase: both lines lie on grid_v, and the currents of the conductors are not what flows
            drawn_a = [round(vehicle_a * share, 1) for share in (0.37, 0.425, 0.41)]
            voltages = [242.6, 242.7, 119.2]
        if not outlet.plugged:  # unplugged its voltages are not measured
            voltages = [2.1, 0.0, 3.4]
        drawn_a += [0.0] * (3 - len(drawn_a))
        charging, plugged = outlet.drawn_ma > 0, outlet.plugged
        relays = {"relay_k1_v": 5.9, "relay_k2_v": 5.9} if self._newer_members else {"relay_coil_v": 5.9}
        return {
            "contactor_closed": outlet.closed,
            "vehicle_connected": plugged,
            "session_s": uptime_s if plugged else 0,
            "grid_v": 240.1 if lines == 2 else 230.4,
            "grid_hz": 49.982,
            "vehicle_current_a": vehicle_a,
            "currentA_a": drawn_a[0],
            "currentB_a": drawn_a[1],
            "currentC_a": drawn_a[2],
            "currentN_a": 0.1,
            "voltageA_v": voltages[0],
            "voltageB_v": voltages[1],
            "voltageC_v": voltages[2],
            **relays,
            "pcba_temp_c": 19.3,
            "handle_temp_c": 15.1,
            "mcu_temp_c": 25.4,
            "uptime_s": uptime_s,
            "input_thermopile_uv": -151,
            "prox_v": 1.5 if plugged else 0.0,
            "pilot_high_v": 6.0 if charging else 11.9,
            "pilot_low_v": -11.9,
            "session_energy_wh": outlet.delivered_wh + 0.301,
            "config_status": 5,
            "evse_state": (11 if charging else 9) if plugged else 1,
            "current_alerts": [],
            **({"evse_not_ready_reasons": [1]} if self._newer_members else {}),
        }

    def _lifetime(self, uptime_s: int) -> object:
        return {
            "contactor_cycles": 175,
            "contactor_cycles_loaded": 3,
            "alert_count": 1603,
            "thermal_foldbacks": 0,
            "avg_startup_temp": 27.8,
            "charge_starts": 175,
            "energy_wh": 386204 + self.outlet.delivered_wh,
            "connector_cycles": 23,
            "uptime_s": 1945056 + uptime_s,
            "charging_time_s": 183022,
        }

    def _version(self, _: int) -> object:
        firmware = "25.34.1+ge48cc9be91ebc7" if self._newer_members else "21.29.1+g4afdcbfa96d1e6"
        older = {} if self._newer_members else {"git_branch": "HEAD", "web_service": "enabled"}
        return {"firmware_version": firmware, **older, "part_number": "1457768-01-G", "serial_number": "PGT00000000001"}

    def _wifi(self, _: int) -> object:
        return {
            "wifi_ssid": "ZW11bGF0ZWQ=" if self._newer_members else "emulated",
            "wifi_signal_strength": 44,
            "wifi_rssi": -68,
            "wifi_snr": 18,
            "wifi_connected": True,
            "wifi_infra_ip": HOST,
            "internet": True,
            "wifi_mac": "02:00:00:00:00:01",
        }


def _with_nan(body: bytes, *, currents: bool) -> bytes:
    names = ["currentN_a", "pcba_temp_c", "handle_temp_c", "avg_startup_temp"]
    names += ["vehicle_current_a", "currentA_a", "currentB_a", "currentC_a"] if currents else []
    pattern = rf'("(?:{"|".join(names)})": )-?[\d.]+'
    return re.sub(pattern, r"\1nan", body.decode()).encode()


@attrs.frozen
class _Unit:
    """A Wall Connector and its server."""

    connector: EmulatedWallConnector
    server: DeviceServer


class Gen3HttpEmulator:
    """Some emulated Wall Connectors.

    Args:
        greatest_ma: What each was commissioned for.
        supply: What they are wired to.
        newer: Whether their firmware is the newer one.
        tcp_port: Where the first one listens, and the others after it; 0: at free ports.
        units: How many there are.
        clock: Where the time comes from.
        changed: Told of every change.
    """

    def __init__(
        self,
        *,
        greatest_ma: Milliamps,
        supply: str,
        newer: bool,
        tcp_port: int,
        units: int,
        clock: Clock,
        changed: Changed,
    ) -> None:
        self._clock, self._supply = clock, supply
        self._living: asyncio.Task[None] | None = None
        self.units: list[_Unit] = []
        now_ms = clock.now_ms()
        for at in range(units):
            told = functools.partial(changed, at)
            outlet = Outlet(now_ms, lines=_LINES[supply], greatest_ma=greatest_ma, changed=told)
            connector = EmulatedWallConnector(outlet, greatest_ma, newer=newer, now_ms=now_ms)
            server = DeviceServer(
                functools.partial(self._answer, connector),
                tcp_port=tcp_port + at if tcp_port else 0,
                works_s=_WORKS_S,
                crowded=functools.partial(self._offended, at),
            )
            self.units.append(_Unit(connector, server))

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The connectors, in order."""
        return [unit.connector.outlet for unit in self.units]

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes as the adapter of a meter, and of nothing else."""
        return [f"http+{GEN3}://{HOST}:{unit.server.tcp_port}?supply={self._supply}" for unit in self.units]

    @property
    def failures(self) -> Mapping[str, str]:
        """What can fail."""
        return {**FAILURES, **OWN_FAILURES}

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            AdapterUnavailable: A port is in use.
        """
        if self._living is not None:
            return
        try:
            for unit in self.units:
                await unit.server.start()
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
        for unit in self.units:
            await unit.server.stop()

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one Wall Connector.

        Raises:
            ValueError: There is no such failure, or no such Wall Connector.
        """
        known = self.failures
        if failure != "none" and failure not in known:
            raise ValueError(f"there is no failure {failure!r}; there are {', '.join(known)} and none")
        if not 0 <= unit < len(self.units):
            raise ValueError(f"there is no unit {unit}; there are {len(self.units)}, counted from 0")
        failing = self.units[unit]
        failing.connector.failing = failure if failure in OWN_FAILURES else "none"
        failing.server.begin(failure if failure in FAILURES else "none")

    def _answer(self, connector: EmulatedWallConnector, request: Request) -> Answer:
        return connector.answer(request, self._clock.now_ms())

    def _offended(self, at: int) -> None:
        """It was asked two things at once: it answers neither, and nothing else for a while."""
        unit, loop = self.units[at], asyncio.get_running_loop()
        unit.connector.alarms.append(_ALARM)
        outlet = unit.connector.outlet
        outlet.offer(outlet.ordered_ma, self._clock.now_ms(), _ALARM)
        if unit.server.failing == "none":
            unit.server.begin("silent")
            loop.call_later(_OFFENDED_S, unit.server.begin, "none")

    async def _live(self) -> None:
        """Let vehicles react when nobody asks."""
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                for unit in self.units:
                    unit.connector.outlet.advance(self._clock.now_ms())
                await asyncio.sleep(0.1)


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> Gen3HttpEmulator:
    """Build an emulator of Wall Connectors.

    Args:
        options: `greatest_a=32`, `supply=three_phase`, `firmware=21.29|25.34`, `port=0`.
        units: How many there are.
        clock: Where it gets the time from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    values = options_of('emulator "gen3-http"', options, _READERS)
    return Gen3HttpEmulator(
        greatest_ma=values.get("greatest_a", 32_000),
        supply=values.get("supply", "three_phase"),
        newer=values.get("firmware", "25.34") == "25.34",
        tcp_port=values.get("port", 0),
        units=units,
        clock=clock,
        changed=changed,
    )
