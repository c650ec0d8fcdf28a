"""The adapter is an adapter: the whole suite in virtual time, against stations of several kinds."""

from pathlib import Path

import pytest

from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing import AdapterConformance, VirtualClock, quality_scale_problems
from powershare_ocpp import OcppAdapter
from powershare_ocpp.central import Hub
from powershare_ocpp.emulated.station import EmulatedStation, NewVoice, StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.settings import Settings
from powershare_ocpp.wire.links import Hello, Link, MemoryDoor

SINCE_1970_MS = 1_790_000_000_123


class StationBench:
    """An emulated station with a vehicle, in virtual time, that dials in whenever somebody listens."""

    def __init__(self, traits: StationTraits, lines: int, rest: str, new_voice: NewVoice = Voice16) -> None:
        self.clock = VirtualClock()
        self.outlet = Outlet(self.clock.now_ms(), lines=lines)
        self.station = EmulatedStation("GARAGE", [self.outlet], self.clock, traits, new_voice, greatest_ma=32_000)
        self.outlet.plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())
        self.station.advance()
        self.hub = Hub(self.door, utc_ms=lambda: SINCE_1970_MS + self.clock.now_ms())
        self.rest = f"GARAGE/1?listen=0.0.0.0:8887&lines={lines}{rest}"

    def door(self, settings: Settings) -> MemoryDoor:
        async def caller(door: MemoryDoor) -> None:
            async def dial(name: str) -> Link:
                return await door.dial(Hello(station=name, offers=(self.station.voice.subprotocol,)))

            await self.station.run(dial)

        return MemoryDoor([caller])

    def new_adapter(self) -> OcppAdapter:
        return OcppAdapter(self.rest, clock=self.clock, hub=self.hub)

    def device_offered_ma(self) -> int:
        self.station.advance()
        return self.outlet.offered_ma

    def silence(self, silent: bool) -> None:
        self.station.line.silent = silent


class ForgetfulBench(StationBench):
    """One that forgets a lease when it restarts: it was the transaction's. A default profile is kept to its end."""

    def restart_device(self) -> None:
        self.station.restart()


class TestObeys(AdapterConformance):
    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(), 1, "")


class TestOnlyWatts(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(units="Power"), 3, "")


class TestOnlyLevelZero(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return StationBench(StationTraits(most_level=0, takes_tx=False, units="Current"), 3, "")


class TestNoTxProfile(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return StationBench(StationTraits(takes_tx=False, most_periods=1), 1, "")


class TestOnlyAMeter(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(composite=False), 3, "&offered=meter&step_a=1")


class TestObeys201(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(), 1, "", Voice201)


class TestOnlyWatts201(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(units="Power", most_variables=1), 3, "", Voice201)


class TestOnlyLevelZero201(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return StationBench(StationTraits(most_level=0, takes_tx=False, units="Current"), 3, "", Voice201)


class TestOnlyAMeter201(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self) -> StationBench:
        return ForgetfulBench(StationTraits(composite=False), 3, "&offered=meter&step_a=1", Voice201)


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(Path(__file__).parents[1] / "quality_scale.toml") == ()
