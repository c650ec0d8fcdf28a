"""A central system behind this one, over real WebSockets: what is passed on, what is kept, and what only lowers."""

import asyncio
import itertools
import json
import shutil
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.wire.frames import Call, Message, Result

from .upstreams import Between, accepting, limit_ma, profile_of, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_times")]


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
