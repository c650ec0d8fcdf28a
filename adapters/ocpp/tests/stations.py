"""Emulated stations in virtual time, and what tests do with them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from powershare.adapter import Offer
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare_ocpp import OcppAdapter
from powershare_ocpp.central import Hub
from powershare_ocpp.emulated.station import EmulatedStation, StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.settings import Settings
from powershare_ocpp.wire.frames import Call
from powershare_ocpp.wire.links import Caller, Hello, Link, MemoryDoor

SINCE_1970_MS = 1_790_000_000_123


def told_profile(call: Call) -> Mapping[str, Any]:
    """The profile of a SetChargingProfile, of either version."""
    profile = call.payload["csChargingProfiles" if "csChargingProfiles" in call.payload else "chargingProfile"]
    assert isinstance(profile, dict)
    return profile


def told_schedule(call: Call) -> Mapping[str, Any]:
    """Its schedule."""
    schedule = told_profile(call)["chargingSchedule"]
    found = schedule[0] if isinstance(schedule, list) else schedule
    assert isinstance(found, dict)
    return found


class Yard:
    """Stations that dial in whenever somebody listens, in virtual time.

    Args:
        traits: What kind of stations.
        stations: How many.
        connectors: How many each has.
        lines: Lines of each connector.
        plugged: Whether a vehicle is at each from the start.

    Attributes:
        spoken: The version that stations speak.
        host_set_back_ms: By how much somebody has set back the host's clock.
    """

    spoken: ClassVar[type[Voice16] | type[Voice201]] = Voice16

    def __init__(
        self,
        traits: StationTraits | None = None,
        *,
        stations: int = 1,
        connectors: int = 1,
        lines: int = 1,
        plugged: bool = True,
    ) -> None:
        self.clock = VirtualClock()
        self.lines = lines
        self.refusals: list[str] = []
        self.stations = []
        for number in range(1, stations + 1):
            outlets = [Outlet(self.clock.now_ms(), lines=lines) for _ in range(connectors)]
            name = f"GARAGE-{number}"
            station = EmulatedStation(
                name, outlets, self.clock, traits or StationTraits(), self.spoken, greatest_ma=32_000
            )
            self.stations.append(station)
            for outlet in outlets if plugged else ():
                outlet.plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())
            station.advance()
        self.station = self.stations[0]
        self.host_set_back_ms = 0
        self.forget()

    def forget(self) -> None:
        """Powershare starts anew, in another process."""
        self.hub = Hub(self.door, utc_ms=lambda: SINCE_1970_MS + self.clock.now_ms() - self.host_set_back_ms)

    def door(self, settings: Settings) -> MemoryDoor:
        def caller(station: EmulatedStation) -> Caller:
            async def run(door: MemoryDoor) -> None:
                async def dial(name: str) -> Link:
                    return await door.dial(Hello(station=name, offers=(station.voice.subprotocol,)))

                await station.run(dial)

            return run

        return MemoryDoor([caller(station) for station in self.stations])

    def adapter(self, station: int = 1, connector: int = 1, more: str = "") -> OcppAdapter:
        rest = f"GARAGE-{station}/{connector}?listen=0.0.0.0:8887&lines={self.lines}{more}"
        return OcppAdapter(rest, clock=self.clock, hub=self.hub)

    def offer(self, offered_ma: int, then_ma: int = 0, for_ms: int = 10_000) -> Offer:
        return Offer(offered_ma=offered_ma, valid_until_ms=self.clock.now_ms() + for_ms, then_ma=then_ma)

    def offered_ma(self, connector: int = 1, *, station: int = 1) -> int:
        self.stations[station - 1].advance()
        return self.stations[station - 1].outlets[connector - 1].offered_ma

    def plug_in(self) -> None:
        self.station.outlets[0].plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())

    def asked(self, action: str) -> Sequence[Call]:
        return [call for call in self.station.line.heard if call.action == action]

    def run(self, test: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await test()
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left running: {left}"

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(whole())
