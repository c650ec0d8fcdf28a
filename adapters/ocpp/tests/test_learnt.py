"""What a station was found to take or to refuse is remembered: beyond its connection, and for all of its kind."""

import asyncio
from collections.abc import Sequence

import attrs
import pytest

from powershare.errors import AdapterRejected
from powershare_ocpp.dialects.messages16 import kind_of
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.learnt import Kind, Learnt, Memory
from powershare_ocpp.profiles import Rung

from .stations import Yard, told_profile

pytestmark = pytest.mark.usefixtures("spoken")

DAY_S = 24 * 3_600


def told(yard: Yard, station: int = 1) -> Sequence[tuple[str, int]]:
    """Purposes and stack levels of what a station was told."""
    calls = [call for call in yard.stations[station - 1].line.heard if call.action == "SetChargingProfile"]
    return [
        (str(told_profile(call)["chargingProfilePurpose"]), int(told_profile(call)["stackLevel"])) for call in calls
    ]


async def orders(yard: Yard, count: int, station: int = 1, then_ma: int = 6_000) -> Sequence[tuple[str, int]]:
    """Give orders, and let the adapter go again; what the last one was."""
    adapter = yard.adapter(station)
    await adapter.open()
    before = 0
    for number in range(count):
        before = len(told(yard, station))
        await adapter.offer(yard.offer(12_000 + 100 * number, then_ma=then_ma))
        assert yard.offered_ma(station=station) == 12_000 + 100 * number
    await adapter.close()
    return told(yard, station)[before:]


def test_a_way_that_is_refused_is_not_tried_again_on_the_next_connection() -> None:
    yard = Yard(StationTraits(takes_tx=False))

    async def test() -> None:
        assert await orders(yard, 1) == [("TxDefaultProfile", 8), ("TxProfile", 9), ("TxDefaultProfile", 9)]
        assert await orders(yard, 4) == [("TxDefaultProfile", 9)]
        assert await orders(yard, 1) == [("TxDefaultProfile", 8), ("TxDefaultProfile", 9)]

    yard.run(test)


def test_what_one_station_refuses_others_of_its_kind_are_not_asked_for() -> None:
    yard = Yard(StationTraits(takes_tx=False), stations=3)
    yard.stations[2].traits = attrs.evolve(yard.stations[2].traits, firmware="2", takes_tx=True)

    async def test() -> None:
        await orders(yard, 4)
        assert await orders(yard, 1, station=2) == [("TxDefaultProfile", 8), ("TxDefaultProfile", 9)]
        assert await orders(yard, 1, station=3) == [("TxDefaultProfile", 8), ("TxProfile", 9)]

    yard.run(test)


def test_after_a_day_what_is_better_is_tried_again() -> None:
    yard = Yard(StationTraits(takes_tx=False))

    async def test() -> None:
        await orders(yard, 4)
        yard.station.traits = attrs.evolve(yard.station.traits, takes_tx=True)
        assert await orders(yard, 1) == [("TxDefaultProfile", 8), ("TxDefaultProfile", 9)]
        await asyncio.sleep(DAY_S)
        assert (await orders(yard, 1))[-1] == ("TxProfile", 9)

    yard.run(test)


@pytest.mark.parametrize(("takes", "found"), [(0, 0), (1, 1), (8, 8), (9, 9), (5, 1)])
@pytest.mark.parametrize("plugged", [True, False])
def test_a_station_that_takes_less_stack_levels_than_it_says_is_found_out(
    takes: int, found: int, plugged: bool
) -> None:
    yard = Yard(StationTraits(takes_level=takes), plugged=plugged)

    async def test() -> None:
        if not plugged:
            adapter = yard.adapter()
            await adapter.open()
            await adapter.offer(yard.offer(16_000, then_ma=6_000))
            await adapter.close()
            yard.plug_in()
            await asyncio.sleep(1)
            assert yard.offered_ma() == 6_000
        await orders(yard, 1)
        assert yard.offered_ma() == 12_000
        assert await orders(yard, 1) == [("TxDefaultProfile", max(0, found - 1)), ("TxProfile", found)]
        await asyncio.sleep(11)
        assert yard.offered_ma() == 6_000

    yard.run(test)


def test_a_profile_that_may_not_be_renewed_is_taken_over_and_in_the_end_avoided() -> None:
    """As EVerest did: a TxProfile of the same level and transaction was refused, its own successor too."""
    yard = Yard(StationTraits(renews_tx=False))

    async def test() -> None:
        assert (await orders(yard, 30))[-1] == ("TxDefaultProfile", 9)
        assert await orders(yard, 1) == [("TxDefaultProfile", 8), ("TxDefaultProfile", 9)]

    yard.run(test)


def put_by_others(yard: Yard, level: int) -> None:
    """A profile that a former central system has left, of 20 A."""
    place = {"stackLevel": level, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20.0}]}
    yard.station.store.put(1, place | {"chargingProfileId": level, "chargingSchedule": schedule})


def test_a_profile_of_others_that_would_count_when_an_order_ends_is_told_of_before_there_is_one() -> None:
    yard = Yard()
    put_by_others(yard, 9)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        with pytest.raises(AdapterRejected, match=r"would not be at 6 A .* of others, of 20 A, lies above .* remove"):
            await adapter.offer(yard.offer(16_000, then_ma=6_000))
        yard.station.store.clear({"id": 9})
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert yard.offered_ma() == 16_000
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize("spoken", [Voice201], indirect=True)
def test_below_a_profile_of_others_one_does_not_go() -> None:
    """A station of 2.0.1 refuses a second profile at a level, and what is lower would not count."""
    yard = Yard()
    put_by_others(yard, 8)
    put_by_others(yard, 9)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        words = "DuplicateProfile.*at stack level 1 a profile of others, of 20 A, lies above"
        with pytest.raises(AdapterRejected, match=words):
            await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert yard.offered_ma() == 20_000
        assert (await adapter.read()).offered_ma == 20_000
        await adapter.close()

    yard.run(test)


def test_what_is_below_a_profile_that_still_runs_is_no_order() -> None:
    yard = Yard(StationTraits(most_level=0))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        yard.station.traits = attrs.evolve(yard.station.traits, takes_tx=False)
        with pytest.raises(AdapterRejected, match="a profile with a duration still runs above it"):
            await adapter.offer(yard.offer(8_000, then_ma=6_000))
        await asyncio.sleep(10)
        await adapter.offer(yard.offer(8_000, then_ma=6_000))
        assert yard.offered_ma() == 8_000
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize("spoken", [Voice16], indirect=True)
def test_a_kind_is_what_a_station_says_when_it_starts() -> None:
    assert kind_of({"chargePointVendor": "V", "chargePointModel": ["M"], "firmwareVersion": "F" * 99}) == Kind(
        "V", "", "F" * 50
    )


@pytest.mark.parametrize("spoken", [Voice16], indirect=True)
def test_stations_that_did_not_say_what_they_are_share_nothing() -> None:
    memory = Memory(Yard().clock)
    memory.learn("A", Learnt(rung=Rung.STACKED))
    assert memory.of("A").rung is Rung.STACKED
    assert memory.of("B") == Learnt()
    for number in range(1_000):
        memory.learn(str(number), Learnt(level=0))
        memory.starts(str(number), "ocpp1.6", Kind("V", "M", str(number)))
    assert len(memory._kinds) == len(memory._learnt) == 256
