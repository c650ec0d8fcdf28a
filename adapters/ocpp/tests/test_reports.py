"""What the adapter reports of stations: what they say themselves, and the worst where they do not."""

import asyncio

import pytest

from powershare.adapter import SupportsMetering
from powershare.errors import AdapterUnavailable
from powershare.simulation.vehicle import Traits
from powershare.testing import VirtualClock
from powershare_ocpp.emulated.line import Saying
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.obedience import Obedience
from powershare_ocpp.strangers import Strangers

from .stations import Yard

pytestmark = pytest.mark.usefixtures("spoken")


def test_a_station_that_accepts_and_ignores_is_found_out_by_its_meter() -> None:
    yard = Yard()
    yard.station.obeys = False

    async def test() -> None:
        adapter = yard.adapter(more="&offered=meter")
        await adapter.open()
        await adapter.offer(yard.offer(6_000))
        await asyncio.sleep(60)
        reading = await adapter.read()
        assert reading.offered_ma == 32_000
        assert reading.drawn_ma == (32_000,)
        await adapter.close()

    yard.run(test)


def test_a_station_that_ignores_its_profile_counts_with_its_greatest_offer_and_is_told_of() -> None:
    """Its composite schedule shows the profile that it ignores: nothing but its meter tells."""
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter(more="&greatest_a=25")
        await adapter.open()
        seen = []
        for second in range(90):
            if second == 10:
                yard.station.fail("ignores")
            if second == 60:
                yard.station.fail("none")
            await adapter.offer(yard.offer(6_000))
            await asyncio.sleep(1)
            reading = await adapter.read()
            assert reading.drawn_ma is not None
            seen.append((reading.offered_ma, reading.fault))
        assert seen[9] == (6_000, None)
        assert seen[30] == (6_000, None), "a vehicle may take so long to follow"
        words = "it says it offers 6 A, and 32 A are drawn: it, or its vehicle, ignores its profile"
        assert seen[50] == (25_000, words)
        assert seen[-1] == (6_000, None)
        await adapter.close()

    yard.run(test)


def test_a_vehicle_that_follows_slowly_is_no_station_that_ignores_its_profile() -> None:
    clock = VirtualClock()
    obedience = Obedience(clock, 32_000)
    for drawn_ma in (32_000, 32_000, 7_600, 7_601, 32_000):
        assert obedience.counted(6_000, (drawn_ma, 0)) == (6_000, None)
        clock.now_s += 29 if drawn_ma == 32_000 else 1
        assert obedience.counted(6_000, (7_600, 0)) == (6_000, None)
    assert obedience.counted(6_000, None) == (6_000, None)
    for drawn_ma in range(80_000, 7_000, -500):
        assert obedience.counted(6_000, (drawn_ma, 0)) == (6_000, None)
        clock.now_s += 20


@pytest.mark.parametrize("more", ["", "&offered=nobody"])
def test_a_station_that_does_not_say_what_it_offers_counts_with_all_it_can(more: str) -> None:
    yard = Yard(StationTraits(composite=bool(more)))

    async def test() -> None:
        adapter = yard.adapter(more=f"&greatest_a=20{more}")
        await adapter.open()
        await adapter.offer(yard.offer(6_000))
        assert (await adapter.read()).offered_ma == 20_000
        await adapter.close()

    yard.run(test)


def test_a_meter_that_says_nothing_counts_as_drawing_all_that_is_offered() -> None:
    yard = Yard(StationTraits(metered=False), lines=3)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(11_000))
        assert isinstance(adapter, SupportsMetering)
        assert (await adapter.read()).drawn_ma == (11_000, 11_000, 11_000)
        await adapter.close()

    yard.run(test)


def test_a_station_without_a_vehicle_offers_and_draws_nothing() -> None:
    yard = Yard(plugged=False)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        reading = await adapter.read()
        assert (reading.state, reading.offered_ma, reading.drawn_ma) == ("A", 0, (0,))
        await adapter.close()

    yard.run(test)


def test_a_vehicle_begins_with_what_stays_and_is_raised_by_the_next_order() -> None:
    yard = Yard(plugged=False)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        yard.station.outlets[0].plug_in(Traits(max_ma=32_000), 60_000, yard.clock.now_ms())
        await asyncio.sleep(1)
        assert yard.offered_ma() == 6_000
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert yard.offered_ma() == 16_000
        assert (await adapter.read()).offered_ma == 16_000
        await adapter.close()

    yard.run(test)


def test_without_a_meter_nothing_is_said_of_it_and_it_is_not_asked_for() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter(more="&meter=no")
        await adapter.open()
        assert not hasattr(adapter, "metered_lines")
        assert (await adapter.read()).drawn_ma is None
        assert not yard.asked("ChangeConfiguration")
        await adapter.close()

    yard.run(test)


def test_a_station_that_cannot_be_asked_says_by_itself_what_it_draws() -> None:
    yard = Yard(StationTraits(triggers=False))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, for_ms=60_000))
        await adapter.read()
        await asyncio.sleep(50)
        assert (await adapter.read()).drawn_ma == (16_000,)
        await adapter.close()

    yard.run(test)


def test_a_station_that_does_not_come_is_told_of_with_those_that_did() -> None:
    yard = Yard(stations=2)

    async def test() -> None:
        first = yard.adapter(1)
        await first.open()
        with pytest.raises(AdapterUnavailable, match=r"GARAGE-3 has not dialled in .*'GARAGE-2' \(no address names"):
            await yard.adapter(3).open()
        await first.close()

    yard.run(test)


def test_a_faulted_connector_is_reported_with_the_stations_words() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        yard.station.fail("faults")
        await asyncio.sleep(1)
        reading = await adapter.read()
        assert reading.state == "F"
        assert reading.fault in ("OtherError", "Faulted")  # 2.0.1 has no words for it there
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize("spoken", [Voice16], indirect=True)
@pytest.mark.parametrize("status", ["Preparing", "Finishing"])
def test_a_vehicle_without_a_transaction_holds_no_share_and_its_meter_counts(status: str) -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000, for_ms=60_000))
        await asyncio.sleep(30)
        told = {"connectorId": 1, "errorCode": "NoError", "status": status}
        yard.station.line.say(Saying("StatusNotification", told))
        await asyncio.sleep(1)
        reading = await adapter.read()
        assert (reading.state, reading.offered_ma) == ("A", 0)
        assert reading.drawn_ma == (16_000,), "it draws though it has no transaction"
        await adapter.close()

    yard.run(test)


def test_what_a_station_measures_already_it_goes_on_measuring() -> None:
    yard = Yard()

    async def test() -> None:
        for _ in range(2):
            adapter = yard.adapter()
            await adapter.open()
            assert len(yard.asked("ChangeConfiguration")) + len(yard.asked("SetVariables")) in (0, 2, 3)
            await adapter.read()
            await adapter.read()
            await adapter.close()
        changed = [call.payload["value"] for call in yard.asked("ChangeConfiguration")]
        changed += [call.payload["setVariableData"][0]["attributeValue"] for call in yard.asked("SetVariables")]
        measured = "Energy.Active.Import.Register,Current.Import,Current.Offered"
        assert changed == ([measured, "10"] if yard.spoken is Voice16 else [measured, measured, "10"])

    yard.run(test)


def test_a_station_says_what_it_is_and_nothing_of_it_is_changed_for_that() -> None:
    yard = Yard(StationTraits(takes_level=0, ahead_ms=1_000), stations=2)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await asyncio.sleep(1)
        said = await adapter.evidence()
        version = yard.spoken.subprotocol.removeprefix("ocpp")
        assert said["station"] == f"powershare emulated, firmware 1; OCPP {version}"
        assert said["charging profiles"].startswith("A and W, stack levels to 9, 24 periods; orders are told as TxPr")
        assert said["clock"].endswith("s ahead at the most")
        assert said["waiting to be admitted"] == "'GARAGE-2' (no address names this station)"
        changes = ("SetChargingProfile", "ChangeConfiguration", "SetVariables", "ClearChargingProfile")
        assert not [call for action in changes for call in yard.asked(action)]
        await adapter.offer(yard.offer(16_000))
        assert "stack levels to 9 (found out: to 0)" in (await adapter.evidence())["charging profiles"]
        await adapter.close()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await adapter.evidence()

    yard.run(test)


def test_who_goes_on_dialling_is_told_of_once_with_what_to_write(caplog: pytest.LogCaptureFixture) -> None:
    yard = Yard(stations=2)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await asyncio.sleep(5)
        assert not caplog.records, "its address may only not have been opened yet"
        await asyncio.sleep(60)
        await adapter.close()

    yard.run(test)
    (record,) = caplog.records
    who, remedy = record.getMessage().split("; ")
    assert who == "a station waits at 0.0.0.0:8887: 'GARAGE-2' (no address names this station)"
    assert remedy == "to admit it, give a connector the adapter 'ocpp:GARAGE-2/1?listen=0.0.0.0:8887'"


def test_who_is_admitted_waits_no_more() -> None:
    yard = Yard(stations=2)

    async def test() -> None:
        first, second = yard.adapter(1), yard.adapter(2)
        await first.open()
        await asyncio.sleep(1)
        assert "GARAGE-2" in (await first.evidence())["waiting to be admitted"]
        await second.open()
        assert (await first.evidence())["waiting to be admitted"] == "nobody"
        await first.close()
        await second.close()

    yard.run(test)


def test_of_a_flood_of_strangers_a_few_are_kept_and_not_many_told_of(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    strangers = Strangers("0.0.0.0:8887", clock)
    for number in range(1_000):
        strangers.refused(f"S{number}\x1b[2J", "why", unnamed=True)
        clock.now_s += 11
        strangers.refused(f"S{number}\x1b[2J", "why", unnamed=True)
    assert len(strangers.words().split(", ")) == 8
    assert len(caplog.records) == 32
    assert not [record for record in caplog.records if "\x1b" in record.getMessage()]
