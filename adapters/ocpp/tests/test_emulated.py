"""Emulated stations: their profiles stack as the standard has them, and they fail as they say."""

import asyncio
from typing import Any

import pytest

from powershare.adapter import HostClock
from powershare.errors import FormatError
from powershare.registry import Emulators
from powershare.simulation.vehicle import Traits
from powershare_ocpp.emulated.emulator import OcppEmulator, emulator
from powershare_ocpp.emulated.profiles import ProfileStore
from powershare_ocpp.emulated.station import FAILURES
from powershare_ocpp.profiles import time_text

from .stations import Yard

T_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


def profile(
    purpose: str,
    amps: float,
    *,
    level: int = 0,
    number: int = 1,
    schedule: dict[str, Any] | None = None,
    **more: str,
) -> dict[str, Any]:
    plain = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}]}
    told: dict[str, Any] = {"chargingProfileId": number, "chargingProfilePurpose": purpose, "stackLevel": level}
    return told | {"chargingProfileKind": "Relative", "chargingSchedule": plain | (schedule or {})} | more


def store(*kept: tuple[int, dict[str, Any]]) -> ProfileStore:
    profiles = ProfileStore(230, 3, 32_000)
    for connector, one in kept:
        profiles.put(connector, one)
    return profiles


def test_without_profiles_all_is_offered() -> None:
    assert store().offered_ma(1, T_MS, T_MS) == 32_000


def test_the_highest_level_that_is_valid_counts() -> None:
    low = (1, profile("TxDefaultProfile", 10, level=0, number=1))
    high = (1, profile("TxDefaultProfile", 20, level=1, number=2, validTo=time_text(T_MS + 1_000)))
    assert store(low, high).offered_ma(1, T_MS, T_MS) == 20_000
    assert store(low, high).offered_ma(1, T_MS + 1_000, T_MS) == 10_000


def test_a_profile_of_the_transaction_counts_before_a_default_of_any_level() -> None:
    default = (1, profile("TxDefaultProfile", 10, level=8, number=1))
    own = (1, profile("TxProfile", 20, number=2))
    assert store(default, own).offered_ma(1, T_MS, T_MS) == 20_000
    assert store(default, own).offered_ma(1, T_MS, None) == 10_000, "without a transaction"


def test_the_connectors_own_default_counts_before_the_stations() -> None:
    stations = (0, profile("TxDefaultProfile", 20, level=5, number=1))
    own = (1, profile("TxDefaultProfile", 10, number=2))
    assert store(stations, own).offered_ma(1, T_MS, T_MS) == 10_000
    assert store(stations, own).offered_ma(2, T_MS, T_MS) == 20_000


def test_the_stations_greatest_bounds_every_profile() -> None:
    most = (0, profile("ChargePointMaxProfile", 8, number=1))
    own = (1, profile("TxProfile", 20, number=2))
    assert store(most, own).offered_ma(1, T_MS, T_MS) == 8_000
    assert store(most).offered_ma(1, T_MS, T_MS) == 8_000


def test_the_same_id_or_the_same_place_is_taken_over() -> None:
    first = (1, profile("TxDefaultProfile", 10, level=0, number=1))
    assert len(store(first, (1, profile("TxDefaultProfile", 9, level=0, number=2)))) == 1
    assert len(store(first, (1, profile("TxDefaultProfile", 9, level=1, number=1)))) == 1
    assert len(store(first, (1, profile("TxDefaultProfile", 9, level=1, number=2)))) == 2
    assert len(store(first, (2, profile("TxDefaultProfile", 9, level=0, number=2)))) == 2


def test_a_duration_ends_a_schedule() -> None:
    own = (1, profile("TxDefaultProfile", 10, schedule={"duration": 60}))
    assert store(own).offered_ma(1, T_MS + 59_999, T_MS) == 10_000
    assert store(own).offered_ma(1, T_MS + 60_000, T_MS) == 32_000


def test_a_schedule_that_has_not_begun_does_not_count() -> None:
    start = {"startSchedule": time_text(T_MS + 1_000)}
    own = (1, profile("TxDefaultProfile", 10, chargingProfileKind="Absolute", schedule=start))
    assert store(own).offered_ma(1, T_MS, T_MS) == 32_000
    assert store(own).offered_ma(1, T_MS + 1_000, T_MS) == 10_000


def test_a_daily_schedule_comes_again() -> None:
    start: dict[str, Any] = {"startSchedule": time_text(T_MS), "duration": 3_600}
    own = (1, profile("TxDefaultProfile", 10, chargingProfileKind="Recurring", recurrencyKind="Daily", schedule=start))
    offered = [store(own).offered_ma(1, T_MS + hours * HOUR_MS, T_MS) for hours in (0, 1, 24, 25)]
    assert offered == [10_000, 32_000, 10_000, 32_000]


def test_watts_are_shared_by_the_lines_that_it_reckons_with() -> None:
    watts: dict[str, Any] = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900.0}]}
    assert store((1, profile("TxDefaultProfile", 0, schedule=watts))).offered_ma(1, T_MS, T_MS) == 10_000
    watts["chargingSchedulePeriod"] = [{"startPeriod": 0, "limit": 6900.0, "numberPhases": 1}]
    assert store((1, profile("TxDefaultProfile", 0, schedule=watts))).offered_ma(1, T_MS, T_MS) == 30_000


def test_a_composite_schedule_tells_what_comes() -> None:
    low = (1, profile("TxDefaultProfile", 6, number=1))
    own = (1, profile("TxProfile", 16, number=2, schedule={"duration": 30}))
    assert store(low, own).schedule(1, T_MS + 10_000, 60, T_MS) == [(0, 16_000), (20, 6_000)]


def test_what_fits_is_cleared() -> None:
    profiles = store((1, profile("TxDefaultProfile", 6, number=1)), (1, profile("TxProfile", 16, number=2)))
    assert not profiles.clear({"id": 3})
    assert profiles.clear({"chargingProfilePurpose": "TxProfile"})
    assert profiles.clear({"connectorId": 1})
    assert len(profiles) == 0


def test_profiles_of_a_transaction_end_with_it() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert len(yard.station.store) == 2
        yard.station.outlets[0].unplug(yard.clock.now_ms())
        yard.station.advance()
        assert len(yard.station.store) == 1
        await adapter.close()

    yard.run(test)


def built(options: dict[str, str], units: int = 1) -> OcppEmulator:
    return emulator(options, units=units, clock=HostClock(), changed=lambda *_: None)


def test_it_is_found_by_its_name() -> None:
    for name in ("ocpp16", "ocpp201"):
        assert isinstance(Emulators().create(name, {"lines": "3"}, units=2), OcppEmulator)


def test_addresses_say_what_an_adapter_must_know() -> None:
    device = built({"kind": "no-composite", "lines": "3", "greatest_a": "16", "listen": "[::1]:9000"}, units=2)
    assert device.addresses[1] == "ocpp:EMULATED-2/1?listen=[::1]:9000&lines=3&greatest_a=16&volts=230&offered=meter"


def test_options_that_mean_nothing_are_told_all_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        built({"kind": "odd", "linse": "3", "volts": "a", "name": "a/b"})
    assert len(caught.value.problems) == 4
    assert "did you mean lines?" in str(caught.value)


def test_every_failure_can_begin_and_end() -> None:
    device = built({})
    assert device.failures is FAILURES
    for failure in (*FAILURES, "none"):
        device.fail(0, failure)
    with pytest.raises(ValueError, match="no failure 'odd'; there are vanishes"):
        device.fail(0, "odd")
    with pytest.raises(ValueError, match="there is no unit 1; there are 1"):
        device.fail(1, "none")


def test_it_starts_and_stops_though_nobody_listens() -> None:
    async def test() -> None:
        device = built({"listen": "127.0.0.1:9"}, units=3)
        await device.start()
        await device.start()
        await asyncio.sleep(0.1)
        await device.stop()
        await device.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(test())


@pytest.mark.parametrize("kind", ["plain", "only-watts", "level-0"])
@pytest.mark.parametrize(("options", "offered_ma"), [({}, 0), ({"stays_a": "8"}, 8_000), ({"stays_a": "32"}, 32_000)])
def test_it_begins_with_what_it_was_left_with(kind: str, options: dict[str, str], offered_ma: int) -> None:
    device = built({"kind": kind, "lines": "3"} | options)
    device.outlets[0].plug_in(Traits(max_ma=32_000), 60_000, HostClock().now_ms())
    device.stations[0].advance()
    assert device.outlets[0].offered_ma == offered_ma
