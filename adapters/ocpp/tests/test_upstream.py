"""A central system behind this one, over real WebSockets: what is passed on, what is kept, and what only lowers."""

import asyncio
import itertools
import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterError, AdapterUnavailable
from powershare_ocpp import OcppAdapter, behind
from powershare_ocpp.central import Hub
from powershare_ocpp.emulated_voice16 import Voice16
from powershare_ocpp.emulated_voice201 import Voice201
from powershare_ocpp.frames import Call, Message, Result

from .upstreams import Between, Csms, accepting, profile_of, until

pytestmark = pytest.mark.slow  # it mostly waits


@pytest.fixture
def ports() -> tuple[int, int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(2)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return int(probes[0].getsockname()[1]), int(probes[1].getsockname()[1])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than needed; what is shortened is time, and nothing else."""
    monkeypatch.setattr(behind, "_RETRY_S", (0.05,))
    monkeypatch.setattr(behind, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(behind, "_AGAIN_S", 0.02)


def limit_ma(adapter: OcppAdapter) -> int | None:
    limit = adapter.outside_limit()
    return None if limit is None else limit.most_ma


# What is passed on


def test_a_station_is_dialled_for_as_itself_and_its_transaction_has_the_number_from_behind(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    password = tmp_path / "password"
    password.write_text("über/sec@ret\n", encoding="utf-8")

    async def story(between: Between) -> None:
        csms = between.csms
        assert csms.paths == [("/csms/GARAGE", "GARAGE:über/sec@ret", "ocpp1.6")]
        await until(lambda: bool(csms.of("StartTransaction")))
        await until(lambda: between.station.served[1].number == 77)
        await until(lambda: any(status.get("status") == "Charging" for status in csms.of("StatusNotification")), 30)
        action, boot = csms.heard[0]
        assert (action, boot["chargePointVendor"]) == ("BootNotification", "powershare")
        assert await between.order(16_000) == 16_000
        between.station.outlets[0].unplug(between.clock.now_ms())
        await until(lambda: bool(csms.of("StopTransaction")))
        assert csms.of("StopTransaction")[0]["transactionId"] == 77

    more = f"&upstream_password_file={password}"
    Between(tmp_path, ports, more=more).play(story)


def test_what_this_host_asks_the_meter_for_does_not_flood_the_one_behind(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        await until(lambda: between.station.served[1].number == 77)
        heard = len(between.csms.of("MeterValues"))
        for _ in range(10):
            assert (await between.adapters[0].read()).drawn_ma is not None
        assert len(between.csms.of("MeterValues")) == heard
        answer = await between.csms.ask("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        assert answer[2] == {"status": "Accepted"}
        await until(lambda: len(between.csms.of("MeterValues")) == heard + 1)

    Between(tmp_path, ports).play(story)


def test_questions_from_behind_reach_the_station_and_its_answers_go_back(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        csms = between.csms
        answer = await csms.ask("GetConfiguration", {"key": ["ChargeProfileMaxStackLevel", "Nonsense"]})
        assert answer[0] == 3
        assert answer[2]["unknownKey"] == ["Nonsense"]
        answer = await csms.ask("UnlockConnector", {"connectorId": 1})
        assert answer[:1] + answer[2:3] == [4, "NotImplemented"]
        for key in ("AuthorizationKey", "SecurityProfile"):
            answer = await csms.ask("ChangeConfiguration", {"key": key, "value": "3"})
            assert answer[2] == {"status": "Rejected"}
        assert not any(call.payload.get("key") == "AuthorizationKey" for call in between.station.line.heard)

    Between(tmp_path, ports).play(story)


def test_ids_that_are_made_to_collide_do_not(tmp_path: Path, ports: tuple[int, int]) -> None:
    """The one behind asks with ids of this host's own questions, one of them many times, and answers unasked."""

    async def story(between: Between) -> None:
        csms, line = between.csms, between.csms.line
        assert line is not None
        await until(lambda: between.station.served[1].number == 77)
        ids = itertools.cycle([*(f"ps{number}" for number in range(1, 60)), "ps1", "GARAGE-1", "x" * 36])
        csms.new_id = lambda: next(ids)
        for number in range(1, 40):
            for forged in ([3, f"ps{number}", {"status": "Accepted", "transactionId": 5}], [4, f"ps{number}", "E", ""]):
                await line.send(json.dumps(forged))
        for number in range(40):
            wanted = 6_000 + 100 * number
            asking = asyncio.create_task(csms.ask("GetConfiguration", {"key": [f"Key{number}"]}))
            assert await between.order(wanted) == wanted
            assert (await between.adapters[0].read()).offered_ma == wanted
            answer = await asking
            assert answer[0] == 3, answer
            assert answer[2]["unknownKey"] == [f"Key{number}"], "an answer went to another question"
        # One id for three questions at once: three answers, each to its own question.
        csms.answers.clear()
        for number in range(3):
            await line.send(json.dumps([2, "same", "GetConfiguration", {"key": [f"Same{number}"]}]))
        await until(lambda: len(csms.answers) == 3)
        assert [answer[2]["unknownKey"] for answer in csms.answers] == [["Same0"], ["Same1"], ["Same2"]]
        assert between.station.served[1].number == 77

    Between(tmp_path, ports).play(story)


def test_what_the_time_is_and_whether_a_station_is_accepted_is_said_here(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    """A central system behind that lies about the time would keep orders alive that are over."""

    def refusing(action: str, payload: dict[str, Any]) -> dict[str, Any]:
        if action == "BootNotification":
            return {"status": "Rejected", "currentTime": "2020-01-01T00:00:00Z", "interval": 1}
        return accepting(action, payload)

    async def story(between: Between) -> None:
        await until(lambda: bool(between.csms.of("BootNotification")))
        assert await between.order(16_000) == 16_000
        assert abs(between.station.utc_ms() - time.time() * 1_000) < 5_000
        await until(lambda: between.station.served[1].number is not None)
        assert between.station.served[1].number != 77
        assert not between.csms.of("StartTransaction"), "it has not accepted the station"

    between = Between(tmp_path, ports)
    between.csms.answer = refusing
    between.play(story)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to make a certificate with")
    words = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=csms", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "csms.pem"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=30)
    return tmp_path / "csms.pem"


@pytest.mark.parametrize("trusted", [True, False])
def test_one_behind_is_spoken_to_in_secret_if_its_certificate_is_trusted(
    tmp_path: Path, ports: tuple[int, int], certificate: Path, trusted: bool
) -> None:
    async def story(between: Between) -> None:
        assert await between.order(16_000) == 16_000
        await asyncio.sleep(0.5)
        assert bool(between.csms.paths) is trusted

    between = Between(tmp_path, ports, more=f"&upstream_ca={certificate}" if trusted else "")
    between.rest = between.rest.replace("upstream=ws:", "upstream=wss:")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, tmp_path / "key.pem")
    between.csms.tls = tls
    between.play(story, dialled=trusted)


# What only lowers


def test_profiles_from_behind_never_reach_the_station_and_lower_what_it_is_told(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        csms, adapter = between.csms, between.adapters[0]
        assert limit_ma(adapter) is None
        assert await csms.limits(8.5) == "Accepted"
        assert limit_ma(adapter) == 8_500
        assert adapter.outside_limit().source == "ocpp upstream"  # type: ignore[union-attr] # there is one
        assert await between.order(16_000, then_ma=10_000) == 8_500
        told = [
            call.payload["csChargingProfiles"] for call in between.station.line.heard if "csCh" in str(call.payload)
        ]
        assert {profile["chargingProfileId"] // 1_000 for profile in told} == {7}, "only ours"
        limits = {profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for profile in told}
        assert limits == {8.5}, "what follows is within it too"
        answer = await csms.ask("GetCompositeSchedule", {"connectorId": 1, "duration": 60, "chargingRateUnit": "A"})
        assert answer[2]["chargingSchedule"]["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 8.5, "numberPhases": 1}
        ]
        assert await csms.limits(40, stackLevel=3, chargingProfileId=2) == "Accepted"
        assert await between.order(16_000) == 16_000, "a higher level counts, and 40 A limit nothing"
        answer = await csms.ask("ClearChargingProfile", {"id": 2})
        assert answer[2] == {"status": "Accepted"}
        assert await between.order(16_000) == 8_500
        answer = await csms.ask("ClearChargingProfile", {})
        assert answer[2] == {"status": "Accepted"}
        assert limit_ma(adapter) is None
        assert await between.order(16_000) == 16_000
        assert not [call for call in between.station.line.heard if call.action == "ClearChargingProfile"]

    Between(tmp_path, ports).play(story)


def test_a_profile_that_comes_with_the_wish_to_begin_is_kept_here_for_that_transaction(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        csms, station = between.csms, between.station
        profile = profile_of(7, "TxProfile")
        wish = {"idTag": "TAG", "connectorId": 1, "chargingProfile": profile}
        assert (await csms.ask("RemoteStartTransaction", wish))[2] == {"status": "Accepted"}
        assert "chargingProfile" not in station.line.heard[-1].payload
        between.plug_in()
        await until(lambda: limit_ma(between.adapters[0]) == 7_000)
        assert await between.order(16_000) == 7_000
        station.outlets[0].unplug(between.clock.now_ms())
        await until(lambda: limit_ma(between.adapters[0]) is None)
        spoiled = {**wish, "chargingProfile": profile_of(7, "TxDefaultProfile")}
        assert (await csms.ask("RemoteStartTransaction", spoiled))[2] == {"status": "Rejected"}

    class Obliging(Voice16):
        """It starts by itself; here it accepts being asked to."""

        def answer(self, call: Call) -> Message:
            if call.action == "RemoteStartTransaction":
                return Result(call.id, {"status": "Accepted"})
            return super().answer(call)

    Between(tmp_path, ports, plugged=False, voice=Obliging).play(story)


def test_a_limit_of_the_whole_station_is_divided_among_its_connectors(tmp_path: Path, ports: tuple[int, int]) -> None:
    async def story(between: Between) -> None:
        assert await between.csms.limits(25, 0, chargingProfilePurpose="ChargePointMaxProfile") == "Accepted"
        assert [limit_ma(adapter) for adapter in between.adapters] == [12_500, 12_500]
        assert await between.order(16_000, connector=2) == 12_500

    Between(tmp_path, ports, connectors=2).play(story)


def test_a_limit_changes_at_its_time_and_holds_without_who_set_it_and_through_a_restart(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async def story(between: Between) -> None:
        adapter = between.adapters[0]
        schedule = {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 2_300}, {"startPeriod": 1, "limit": 1_610}],
        }
        await until(lambda: between.station.served[1].number == 77)
        profile = profile_of(0, "TxProfile", transactionId=77, chargingSchedule=schedule)
        profile["chargingProfileKind"] = "Relative"
        payload = {"connectorId": 1, "csChargingProfiles": profile}
        assert (await between.csms.ask("SetChargingProfile", payload))[2] == {"status": "Accepted"}
        await until(lambda: limit_ma(adapter) == 7_000)
        await between.csms.close()
        await asyncio.sleep(0.2)
        assert limit_ma(adapter) == 7_000
        assert await between.order(16_000) == 7_000
        await adapter.close()
        assert limit_ma(adapter) == 7_000, "whether it is open or not"
        again = await between.open()  # as another process would
        assert again is not adapter
        assert limit_ma(again) == 7_000
        assert await between.order(16_000) == 7_000
        await between.csms.open()
        await until(lambda: between.csms.line is not None)
        wrong = {"connectorId": 1, "csChargingProfiles": {**profile, "transactionId": 78}}
        assert (await between.csms.ask("SetChargingProfile", wrong))[2] == {"status": "Rejected"}

    Between(tmp_path, ports).play(story)


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
