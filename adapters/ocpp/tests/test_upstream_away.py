"""A central system behind this one: what is kept while it is away, what of it is hostile, and its other version."""

import asyncio
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterError, AdapterUnavailable
from powershare_ocpp import OcppAdapter
from powershare_ocpp.central import Hub
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.upstream import behind

from .upstreams import Between, Csms, accepting, limit_ma, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_times")]


# What is kept


def test_a_transaction_while_nobody_is_behind_is_kept_through_a_restart_and_told_in_order(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        station = between.station
        await until(lambda: station.served[1].number is not None)
        number = station.served[1].number
        assert number != 77
        assert await between.order(16_000) == 16_000, "nobody behind is needed to lead it"
        await between.adapters[0].read()  # has it measure
        station.voice.tell_meter(1)
        await asyncio.sleep(0.3)
        await between.adapters[0].close()
        await between.open()
        station.outlets[0].unplug(between.clock.now_ms())
        await asyncio.sleep(0.3)
        await between.csms.open()
        await until(lambda: bool(between.csms.of("StopTransaction")))
        told = [action for action, _ in between.csms.heard if "Transaction" in action or action == "MeterValues"]
        assert told[0] == "StartTransaction"
        assert told[-1] == "StopTransaction"
        assert "MeterValues" in told
        assert between.csms.of("StopTransaction")[0]["transactionId"] == 77, "under the number that it has there"
        assert {values["transactionId"] for values in between.csms.of("MeterValues")} == {77}
        await asyncio.sleep(0.2)
        assert len(between.csms.of("StopTransaction")) == len(between.csms.of("StartTransaction")) == 1

    Between(tmp_path, ports).play(story, csms=False)


def test_a_station_that_repeats_itself_is_told_the_same_and_nobody_hears_it_twice(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        station = between.station
        await until(lambda: station.served[1].number is not None)
        number = station.served[1].number
        for back in (False, True):
            if back:
                await between.csms.open()
                await until(lambda: bool(between.csms.of("StartTransaction")))
            station.served[1].number = None
            station.voice.tell_start(1, station.served[1])
            await until(lambda: station.served[1].number is not None)
            assert station.served[1].number == number
        station.outlets[0].unplug(between.clock.now_ms())
        await until(lambda: bool(between.csms.of("StopTransaction")))
        assert between.csms.of("StopTransaction")[0]["transactionId"] == 77
        assert len(between.csms.of("StartTransaction")) == 1

    Between(tmp_path, ports).play(story, csms=False)


def test_one_behind_that_never_answers_holds_up_nobody_and_loses_nothing(
    tmp_path: Path, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "_QUEUED_PATIENCE_S", 0.5)

    def silent(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        return accepting(action, payload) if action == "BootNotification" else None

    async def story(between: Between) -> None:
        for number in range(10):
            since_ms = between.clock.now_ms()
            assert await between.order(10_000 + 100 * number) == 10_000 + 100 * number
            assert between.clock.now_ms() - since_ms < 1_000
        await until(lambda: between.station.served[1].number is not None)
        between.csms.answer = accepting
        number = len(between.csms.of("StartTransaction"))
        await until(lambda: len(between.csms.of("StartTransaction")) > number)

    between = Between(tmp_path, ports)
    between.csms.answer = silent
    between.play(story)


def test_what_is_refused_again_and_again_is_set_aside_and_not_lost(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def story(between: Between) -> None:
        await until(lambda: between.station.served[1].number is not None)
        await until(lambda: bool(_waiting(tmp_path)))
        between.csms._take = refuse  # type: ignore[method-assign] # it is to refuse, which it never does
        await between.csms.open()
        await until(lambda: any(refused for *_, refused in _waiting(tmp_path)))

    async def refuse(connection: Any, parts: list[Any]) -> None:  # noqa: ANN401 - a connection
        if parts[2] == "StartTransaction":
            await connection.send(json.dumps([4, parts[1], "InternalError", "no", {}]))
        else:
            await connection.send(json.dumps([3, parts[1], accepting(parts[2], parts[3])]))

    def _waiting(folder: Path) -> list[tuple[Any, ...]]:
        with sqlite3.connect(folder / "store") as database:
            return list(database.execute("SELECT action, refused FROM waiting"))

    Between(tmp_path, ports).play(story, csms=False)


@pytest.mark.parametrize(
    ("rule", "before", "after"), [("known", "Accepted", "Invalid"), ("all", "Accepted", "Accepted")]
)
def test_who_may_charge_while_nobody_is_behind(
    tmp_path: Path, ports: tuple[int, int], rule: str, before: str, after: str
) -> None:
    async def authorized(between: Between, tag: str) -> str:
        answers: list[str] = []
        between.station.say("Authorize", {"idTag": tag}, lambda payload: answers.append(payload["idTagInfo"]["status"]))
        await until(lambda: bool(answers))
        return answers[0]

    async def story(between: Between) -> None:
        assert await authorized(between, "KNOWN") == "Accepted"
        await between.csms.close()
        await asyncio.sleep(0.2)
        assert await authorized(between, "KNOWN") == before
        assert await authorized(between, "STRANGER") == after

    Between(tmp_path, ports, plugged=False, more=f"&upstream_away={rule}").play(story)


# What is hostile


def test_noise_and_a_flood_from_behind_hold_up_no_order(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def flood(csms: Csms) -> None:
        hostile: list[Any] = [
            *(
                [2, f"n{number}", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": number}]
                for number in range(30)
            ),
            *([2, f"m{number}", "ClearChargingProfile", {"id": [number]}] for number in range(30)),
            *(
                [2, f"o{number}", "GetCompositeSchedule", {"connectorId": 1, "duration": 2**31 - 1}]
                for number in range(30)
            ),
            *([2, f"p{number}", "DataTransfer", {"data": "x" * 30_000}] for number in range(60)),
            *([2, f"r{number}", "GetConfiguration", {}] for number in range(300)),
        ]
        texts = [json.dumps(parts) for parts in hostile] + [
            "[",
            "[]",
            "[2]",
            "{}",
            "\x00",
            "[2,1,1,1]",
            "9" * 5_000,
        ] * 2
        for text in itertools.cycle(texts):
            try:
                if (line := csms.line) is None:
                    return
                await line.send(text)
            except ConnectionClosed:  # it was hung up on, and is dialled again
                await asyncio.sleep(0.05)

    async def story(between: Between) -> None:
        await until(lambda: between.station.served[1].number == 77)
        flooding = asyncio.create_task(flood(between.csms))
        took_ms = []
        for number in range(40):
            since_ms = between.clock.now_ms()
            wanted = 6_000 + 100 * (number % 20)
            assert await between.order(wanted) == wanted
            took_ms.append(between.clock.now_ms() - since_ms)
            assert (await between.adapters[0].read()).offered_ma == wanted
        assert max(took_ms) < 2_500, took_ms
        assert limit_ma(between.adapters[0]) is None, "nothing of that was a profile"
        await between.csms.close()
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)

    Between(tmp_path, ports).play(story, within_s=90)


# Addresses


def test_a_store_that_cannot_be_used_is_named_when_it_opens(tmp_path: Path, ports: tuple[int, int]) -> None:
    (tmp_path / "store").mkdir()

    async def test() -> None:
        adapter = Between(tmp_path, ports).new_adapters()[0]
        with pytest.raises(AdapterUnavailable, match=r"upstream_store .*store cannot be used"):
            await adapter.open()

    asyncio.run(test())


def test_connectors_of_a_station_have_one_central_system_behind_them(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def test() -> None:
        hub, clock = Hub(), HostClock()
        rest = f"?listen=127.0.0.1:{ports[0]}&wait_s=0.2"
        behind_it = f"&upstream=ws://127.0.0.1:{ports[1]}/&upstream_store={tmp_path}/store"
        first, other = (
            OcppAdapter(f"GARAGE/{number}{rest}{more}", clock=clock, hub=hub)
            for number, more in ((1, behind_it), (2, ""))
        )
        opening = asyncio.create_task(first.open())
        await asyncio.sleep(0.05)
        with pytest.raises(AdapterError, match="upstream settings differ"):
            await other.open()
        with pytest.raises(AdapterUnavailable, match="has not dialled in"):
            await opening

    asyncio.run(test())


# OCPP 2.0.1


def test_a_station_of_the_newer_version_is_passed_on_and_limited_too(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def story(between: Between) -> None:
        csms, adapter = between.csms, between.adapters[0]
        assert csms.paths[0][2] == "ocpp2.0.1"
        await until(lambda: any(event["eventType"] == "Started" for event in csms.of("TransactionEvent")))
        assert await between.order(16_000) == 16_000
        schedule = {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.0}],
        }
        profile = {
            "id": 4,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": [schedule],
        }
        answer = await csms.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
        assert answer[2] == {"status": "Accepted"}
        assert limit_ma(adapter) == 9_000
        assert await between.order(16_000) == 9_000
        answer = await csms.ask("GetCompositeSchedule", {"evseId": 1, "duration": 60})
        assert answer[2]["schedule"]["chargingSchedulePeriod"][0]["limit"] == 9.0
        answer = await csms.ask("ClearChargingProfile", {"chargingProfileCriteria": {"evseId": 1}})
        assert answer[2] == {"status": "Accepted"}
        assert limit_ma(adapter) is None
        assert (await csms.ask("SetNetworkProfile", {"configurationSlot": 1}))[2] == {"status": "Rejected"}

    Between(tmp_path, ports, voice=Voice201).play(story)


def test_an_order_is_within_what_is_allowed_at_any_instant_of_it(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def story(between: Between) -> None:
        await until(lambda: between.station.served[1].number == 77)
        schedule = {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}, {"startPeriod": 20, "limit": 6}],
        }
        assert await between.csms.limits(0, chargingSchedule=schedule) == "Accepted"
        adapter, until_ms = between.adapters[0], between.clock.now_ms() + 9_000
        await adapter.offer(Offer(offered_ma=20_000, valid_until_ms=until_ms, then_ma=0))
        between.station.advance()
        assert between.station.outlets[0].offered_ma == 16_000
        await adapter.offer(Offer(offered_ma=20_000, valid_until_ms=until_ms + 12_000, then_ma=0))
        between.station.advance()
        assert between.station.outlets[0].offered_ma == 6_000
        limit = adapter.outside_limit()
        assert limit is not None
        assert limit.most_ma == 16_000
        assert limit.until_ms is not None
        assert 10_000 < limit.until_ms - between.clock.now_ms() <= 20_000

    Between(tmp_path, ports).play(story)
