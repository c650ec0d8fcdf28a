"""Another implementation of the protocol, the `ocpp` package: its schemas hold every message, and a station made of it
is led like any other."""

import asyncio
import logging
import socket
from typing import Any

import pytest
from ocpp import messages, routing, v16
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterRejected
from powershare_ocpp import OcppAdapter
from powershare_ocpp.emulated_station import StationTraits
from powershare_ocpp.frames import Call, Message, Result, message_of
from powershare_ocpp.links import MemoryLink

from .stations import Yard

HOST = "127.0.0.1"
SUBPROTOCOL = Subprotocol("ocpp1.6")


def conversation(traits: StationTraits, lines: int, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Everything that an adapter and an emulated station say to each other in a session."""
    said: list[Message] = []
    send = MemoryLink.send

    async def noted(link: MemoryLink, text: str) -> None:
        said.append(message_of(text))
        await send(link, text)

    monkeypatch.setattr(MemoryLink, "send", noted)
    yard = Yard(traits, lines=lines)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        for offered_ma in (16_000, 6_100, 0):
            await adapter.offer(yard.offer(offered_ma, then_ma=6_000))
            await adapter.read()
            await asyncio.sleep(15)
        yard.station.fail("faults")
        await asyncio.sleep(1)
        yard.station.fail("none")
        yard.station.outlets[0].unplug(yard.clock.now_ms())
        await asyncio.sleep(61)
        yard.station.hang_up()
        await asyncio.sleep(1)
        await adapter.read()
        await adapter.close()

    yard.run(test)
    return said


@pytest.mark.parametrize(
    ("traits", "lines"),
    [
        (StationTraits(), 1),
        (StationTraits(units="Power"), 3),
        (StationTraits(takes_tx=False), 3),
        (StationTraits(takes_tx=False, most_level=0), 1),
        (StationTraits(composite=False, triggers=False), 1),
    ],
)
def test_every_message_of_both_sides_is_within_the_schemas(
    traits: StationTraits, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = conversation(traits, lines, monkeypatch)
    actions: dict[str, str] = {}  # ids are used again on another line

    async def check() -> None:
        for message in said:
            if isinstance(message, Call):
                actions[message.id] = message.action
                payload = messages.Call(message.id, message.action, dict(message.payload))
            elif isinstance(message, Result):
                payload = messages.CallResult(message.id, dict(message.payload), actions[message.id])
            else:
                continue
            await messages.validate_payload(payload, "1.6")

    asyncio.run(check())
    heard = {message.action for message in said if isinstance(message, Call)}
    assert {"SetChargingProfile", "BootNotification", "StartTransaction", "StopTransaction"} <= heard


class OtherStation(v16.ChargePoint):  # type: ignore[misc] # which is not typed
    """A station of one connector that serves somebody, made of the other implementation."""

    def __init__(self, connection: object) -> None:
        logging.getLogger("ocpp").setLevel(logging.CRITICAL)
        super().__init__("OTHER", connection)
        self.profiles: dict[str, dict[str, Any]] = {}
        self.number = 0

    async def begin(self) -> None:
        await self.call(v16.call.BootNotification("model", "vendor"))
        stamp = "2020-01-01T00:00:00Z"  # of long ago: it says when something was, and not what time it is
        started = await self.call(v16.call.StartTransaction(1, "TAG", 0, stamp))
        self.number = started.transaction_id
        await self.call(v16.call.StatusNotification(1, "NoError", "Charging"))

    @routing.on("GetConfiguration")  # type: ignore[untyped-decorator] # as above
    def on_configuration(self, **_: object) -> object:
        key = {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "Current"}
        return v16.call_result.GetConfiguration(configuration_key=[key])

    @routing.on("SetChargingProfile")  # type: ignore[untyped-decorator] # as above
    def on_profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> object:
        wrong = cs_charging_profiles.get("transaction_id", self.number) != self.number or connector_id != 1
        if not wrong:
            self.profiles[cs_charging_profiles["charging_profile_purpose"]] = cs_charging_profiles
        return v16.call_result.SetChargingProfile("Rejected" if wrong else "Accepted")

    @routing.on("GetCompositeSchedule")  # type: ignore[untyped-decorator] # as above
    def on_composite(self, connector_id: int, duration: int, **_: object) -> object:
        periods = [{"start_period": 0, "limit": self.offered_a()}]
        return v16.call_result.GetCompositeSchedule(
            status="Accepted",
            connector_id=connector_id,
            schedule_start=_now(),
            charging_schedule={"duration": duration, "charging_rate_unit": "A", "charging_schedule_period": periods},
        )

    def amps_told(self) -> dict[str, float]:
        return {
            purpose: float(profile["charging_schedule"]["charging_schedule_period"][0]["limit"])
            for purpose, profile in self.profiles.items()
        }

    def offered_a(self) -> float:
        told = self.amps_told()
        return told.get("TxProfile", told.get("TxDefaultProfile", 32.0))


def _now() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def test_a_station_of_the_other_implementation_is_led(free_port: int) -> None:
    async def station() -> OtherStation:
        for _ in range(100):
            try:
                connection = await connect(f"ws://{HOST}:{free_port}/OTHER", subprotocols=[SUBPROTOCOL], proxy=None)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            return OtherStation(connection)
        raise AssertionError("nobody listens")

    async def test() -> None:
        clock = HostClock()
        adapter = OcppAdapter(f"OTHER/1?listen={HOST}:{free_port}", clock=clock)
        opening = asyncio.create_task(adapter.open())
        device = await station()
        hearing = asyncio.create_task(device.start())
        await device.begin()
        await opening
        await adapter.offer(Offer(offered_ma=16_100, valid_until_ms=clock.now_ms() + 5_000, then_ma=6_000))
        assert device.amps_told() == {"TxDefaultProfile": 6, "TxProfile": 16.1}
        reading = await adapter.read()
        assert (reading.offered_ma, reading.state) == (16_100, "C")
        assert reading.drawn_ma == (16_100,), "it has no meter that answers, so that all counts"
        with pytest.raises(AdapterRejected):
            await adapter.offer(Offer(offered_ma=16_100, valid_until_ms=clock.now_ms() - 1, then_ma=6_000))
        await adapter.close()
        await asyncio.wait([hearing])
        assert hearing.exception() is not None, "the line is not cut"

    asyncio.run(test())


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
