"""Lost answers, dead lines, noise, clocks that are set: nothing of it makes an order longer or higher."""

import asyncio

import pytest

from powershare.errors import AdapterTimeout, AdapterUnavailable
from powershare.simulation.vehicle import Traits
from powershare_ocpp.emulated.line import Saying
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.profiles import time_text
from powershare_ocpp.wire.frames import LONGEST_TEXT
from powershare_ocpp.wire.links import MemoryLink

from .stations import Yard

pytestmark = pytest.mark.usefixtures("spoken")


def link_of(yard: Yard) -> MemoryLink:
    link = yard.station.line.link
    assert isinstance(link, MemoryLink)
    return link


def test_what_stays_is_told_again_when_nobody_knows_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a raise of it was lost: it may have been raised, so that the same as before is news."""
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=0, for_ms=60_000))
        heard = len(yard.asked("SetChargingProfile"))

        async def lost(text: str) -> None:
            """Nothing arrives once the second profile has been heard."""
            if len(yard.asked("SetChargingProfile")) < heard + 2:
                await MemoryLink.send(link, text)

        link = link_of(yard)
        monkeypatch.setattr(link, "send", lost)
        with pytest.raises(AdapterTimeout, match=r"station GARAGE-1 did not answer within 5000 ms"):
            await adapter.offer(yard.offer(16_000, then_ma=6_000))
        monkeypatch.undo()
        await adapter.offer(yard.offer(16_000, then_ma=0, for_ms=2_000))
        await asyncio.sleep(3)
        assert yard.offered_ma() == 0
        await adapter.close()

    yard.run(test)


def test_a_dead_line_is_noticed_where_there_is_nothing_to_tell() -> None:
    """Without a vehicle an order changes nothing at the station; it is a question all the same."""
    yard = Yard(plugged=False)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        yard.station.line.silent = True
        with pytest.raises(AdapterTimeout):
            await adapter.offer(yard.offer(16_000))
        await adapter.close()

    yard.run(test)


def test_some_noise_is_survived_and_nothing_but_noise_is_hung_up_on() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        link = link_of(yard)
        for noise in ("", "noise", "[]", "[2]", '{"a":1}', "x" * (LONGEST_TEXT + 1), '[4,"a"]', '[3,"unknown",{}]'):
            await link.send(noise)
        assert (await adapter.read()).offered_ma == 32_000
        with pytest.raises(AdapterUnavailable, match="gone"):  # noqa: PT012 - it is one of these
            for _ in range(30):
                await link.send("noise")
        await asyncio.sleep(0.01)
        with pytest.raises(AdapterUnavailable, match="not on the line"):
            await adapter.read()
        await adapter.close()

    yard.run(test)


def test_hostile_payloads_are_refused_and_cost_nothing() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        link = link_of(yard)
        for action in ("StatusNotification", "MeterValues", "StartTransaction", "StopTransaction", "BootNotification"):
            for payload in ("{}", '{"connectorId":-1}', '{"connectorId":true}', '{"connectorId":1e9}', '{"status":[]}'):
                await link.send(f'[2,"x","{action}",{payload}]')
        for info in ("7", "{}", '{"transactionId":""}', '{"transactionId":[]}', '{"transactionId":"x"}'):
            for evse in ("7", "{}", '{"id":-1}', '{"id":1e99}', '{"id":true}', '{"id":65}'):
                event = f'{{"eventType":"Updated","transactionInfo":{info},"evse":{evse},"meterValue":7}}'
                await link.send(f'[2,"x","TransactionEvent",{event}]')
        for number in range(200):
            await link.send(f'[2,"x","MeterValues",{{"connectorId":{number},"meterValue":7}}]')
        await link.send('[2,"x","Odd",{}]')
        reading = await adapter.read()
        assert (reading.offered_ma, reading.state) == (16_000, "C")
        await adapter.close()

    yard.run(test)


def test_a_message_about_the_past_does_not_make_the_clock_wrong() -> None:
    """Stations send what they could not send before: such a time stamp says less than a newer one."""
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        past = {"connectorId": 1, "meterValue": [{"timestamp": time_text(yard.station.utc_ms() - 40_000)}]}
        yard.station.line.say(Saying("MeterValues", past))
        await asyncio.sleep(1)
        order = yard.offer(16_000, for_ms=5_000)
        await adapter.offer(order)
        await asyncio.sleep(4.9)
        assert yard.offered_ma() == 16_000
        await asyncio.sleep(0.2)
        assert yard.offered_ma() == 0
        await adapter.close()

    yard.run(test)


def test_a_host_whose_clock_is_set_back_brings_no_order_to_life_again() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, for_ms=3_000))
        await adapter.close()
        await asyncio.sleep(4)
        assert yard.offered_ma() == 0
        yard.host_set_back_ms = 60_000
        await adapter.open()
        assert yard.offered_ma() == 0
        await adapter.close()

    yard.run(test)


def test_a_default_profile_that_still_runs_is_not_what_the_next_vehicle_gets() -> None:
    """A station without TxProfiles was told much, its vehicle went, and then it was told less."""
    yard = Yard(StationTraits(takes_tx=False))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(30_000, for_ms=60_000))
        assert yard.offered_ma() == 30_000
        outlet = yard.station.outlets[0]
        outlet.unplug(yard.clock.now_ms())
        await asyncio.sleep(1)
        yard.station.hang_up()
        await asyncio.sleep(1)
        await adapter.offer(yard.offer(6_000, for_ms=10_000))
        outlet.plug_in(Traits(max_ma=32_000), 60_000, yard.clock.now_ms())
        assert yard.offered_ma() <= 6_000
        await asyncio.sleep(15)
        assert yard.offered_ma() == 0
        await adapter.close()

    yard.run(test)


def test_what_a_station_could_not_say_before_does_not_make_its_clock_wrong() -> None:
    yard = Yard(StationTraits(composite=False))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        yard.station.hang_up()
        stamp = time_text(yard.station.utc_ms())
        for _ in range(2):
            past = {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": stamp}
            yard.station.line.say(Saying("StatusNotification", past))
            yard.station.line.say(Saying("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": stamp}]}))
        await adapter.close()
        await asyncio.sleep(70)
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        assert yard.offered_ma() == 16_000
        await adapter.close()

    yard.run(test)
