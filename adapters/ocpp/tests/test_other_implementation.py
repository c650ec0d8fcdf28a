"""Another implementation of the protocol, the `ocpp` package: its schemas hold every message, and a station made of it
is led like any other."""

import asyncio
import logging
import socket
from typing import Any

import pytest
from ocpp import messages, routing, v16, v201
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterRejected
from powershare_ocpp import OcppAdapter
from powershare_ocpp.dialect import Dialect
from powershare_ocpp.dialects.version16 import Dialect16
from powershare_ocpp.dialects.version201 import Dialect201
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.wire.frames import Call, Message, Result, message_of
from powershare_ocpp.wire.links import MemoryLink

from .stations import Yard

HOST = "127.0.0.1"


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
        yard.station.restart()
        await asyncio.sleep(1)
        yard.station.outlets[0].unplug(yard.clock.now_ms())
        await asyncio.sleep(61)
        yard.station.hang_up()
        await asyncio.sleep(1)
        await adapter.read()
        await adapter.close()

    yard.run(test)
    return said


@pytest.mark.usefixtures("spoken")
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
            await messages.validate_payload(payload, Yard.spoken.subprotocol.removeprefix("ocpp"))

    asyncio.run(check())
    heard = {message.action for message in said if isinstance(message, Call)}
    transactions = {"StartTransaction", "StopTransaction"} if Yard.spoken is Voice16 else {"TransactionEvent"}
    assert {"SetChargingProfile", "BootNotification"} | transactions <= heard


@pytest.mark.parametrize(("dialect", "version"), [(Dialect16, "1.6"), (Dialect201, "2.0.1")])
def test_what_is_not_for_us_is_answered_within_the_schemas(dialect: type[Dialect], version: str) -> None:
    fixed = {action: handler for action, handler in dialect.handlers.items() if "fixed" in handler.__qualname__}

    async def check() -> None:
        for action, handler in fixed.items():
            await messages.validate_payload(messages.CallResult("1", dict(handler(None, {})), action), version)

    asyncio.run(check())
    assert len(fixed) > 6


class Told:
    """What a station of the other implementation was told."""

    def __init__(self) -> None:
        logging.getLogger("ocpp").setLevel(logging.CRITICAL)
        self.amps_told: dict[str, float] = {}

    def offered_a(self) -> float:
        return self.amps_told.get("TxProfile", self.amps_told.get("TxDefaultProfile", 32.0))


class OtherStation16(v16.ChargePoint):  # type: ignore[misc] # which is not typed
    """A station of one connector that serves somebody."""

    def __init__(self, connection: object) -> None:
        super().__init__("OTHER", connection)
        self.told = Told()
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
            period = cs_charging_profiles["charging_schedule"]["charging_schedule_period"][0]
            self.told.amps_told[cs_charging_profiles["charging_profile_purpose"]] = float(period["limit"])
        return v16.call_result.SetChargingProfile("Rejected" if wrong else "Accepted")

    @routing.on("GetCompositeSchedule")  # type: ignore[untyped-decorator] # as above
    def on_composite(self, connector_id: int, duration: int, **_: object) -> object:
        periods = [{"start_period": 0, "limit": self.told.offered_a()}]
        return v16.call_result.GetCompositeSchedule(
            status="Accepted",
            connector_id=connector_id,
            schedule_start=_now(),
            charging_schedule={"duration": duration, "charging_rate_unit": "A", "charging_schedule_period": periods},
        )


class OtherStation201(v201.ChargePoint):  # type: ignore[misc] # as above
    """A station of one EVSE that serves somebody, and says where its transaction is when that begins, never again."""

    def __init__(self, connection: object) -> None:
        super().__init__("OTHER", connection)
        self.told = Told()
        self.measurands = ""

    async def begin(self) -> None:
        maker = v201.datatypes.ChargingStationType("model", "vendor")
        await self.call(v201.call.BootNotification(maker, "PowerUp"))
        await self.call(v201.call.StatusNotification(_now(), "Occupied", 1, 1))
        token = v201.datatypes.IdTokenType("TAG", "ISO14443")
        place = v201.datatypes.EVSEType(1, 1)
        started = self._event("Started", "Authorized", id_token=token, evse=place)
        assert (await self.call(started)).id_token_info["status"] == "Accepted"
        evse, variable = v201.datatypes.ComponentType("EVSE"), v201.datatypes.VariableType("Available")
        happened = v201.datatypes.EventDataType(1, _now(), "Delta", "true", "HardWiredMonitor", evse, variable)
        await self.call(v201.call.NotifyEvent(_now(), 0, [happened]))

    def _event(self, kind: str, reason: str, **more: object) -> object:
        info = v201.datatypes.TransactionType("TX", charging_state="Charging")
        return v201.call.TransactionEvent(kind, _now(), reason, 0, info, **more)

    @routing.on("GetVariables")  # type: ignore[untyped-decorator] # as above
    def on_variables(self, get_variable_data: list[dict[str, Any]]) -> object:
        values = {"ProfileStackLevel": "2", "RateUnit": "A,W", "PeriodsPerSchedule": "1"}
        return v201.call_result.GetVariables(
            [
                one | ({"attribute_status": "Accepted", "attribute_value": values[name]} if name in values else unknown)
                for one in get_variable_data
                for name in (one["variable"]["name"],)
                for unknown in ({"attribute_status": "UnknownVariable"},)
            ]
        )

    @routing.on("SetVariables")  # type: ignore[untyped-decorator] # as above
    def on_set_variables(self, set_variable_data: list[dict[str, Any]]) -> object:
        results = []
        for one in set_variable_data:
            self.measurands += f"{one['variable']['name']}={one['attribute_value']};"
            results.append({key: one[key] for key in ("component", "variable")} | {"attribute_status": "Accepted"})
        return v201.call_result.SetVariables(results)

    @routing.on("SetChargingProfile")  # type: ignore[untyped-decorator] # as above
    def on_profile(self, evse_id: int, charging_profile: dict[str, Any]) -> object:
        purpose = charging_profile["charging_profile_purpose"]
        wrong = evse_id != 1 or charging_profile.get("transaction_id") != ("TX" if purpose == "TxProfile" else None)
        if not wrong:
            period = charging_profile["charging_schedule"][0]["charging_schedule_period"][0]
            self.told.amps_told[purpose] = float(period["limit"])
        return v201.call_result.SetChargingProfile("Rejected" if wrong else "Accepted")

    @routing.on("GetCompositeSchedule")  # type: ignore[untyped-decorator] # as above
    def on_composite(self, duration: int, evse_id: int, **_: object) -> object:
        periods = [v201.datatypes.ChargingSchedulePeriodType(0, self.told.offered_a())]
        schedule = v201.datatypes.CompositeScheduleType(evse_id, duration, _now(), "A", periods)
        return v201.call_result.GetCompositeSchedule("Accepted", schedule=schedule)

    @routing.on("TriggerMessage")  # type: ignore[untyped-decorator] # as above
    def on_trigger(self, requested_message: str, **_: object) -> object:
        known = requested_message == "TransactionEvent"
        return v201.call_result.TriggerMessage("Accepted" if known else "NotImplemented")

    @routing.after("TriggerMessage")  # type: ignore[untyped-decorator] # as above
    async def after_trigger(self, requested_message: str, **_: object) -> None:
        if requested_message == "TransactionEvent":
            ampere = v201.datatypes.UnitOfMeasureType("A")
            current = v201.datatypes.SampledValueType(9.5, measurand="Current.Import", unit_of_measure=ampere)
            values = [v201.datatypes.MeterValueType(_now(), [current])]
            await self.call(self._event("Updated", "Trigger", meter_value=values))


def _now() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("new_station", "offers", "drawn_ma"),
    [
        (OtherStation16, "ocpp1.6", 16_100),  # it has no meter that answers, so that all counts
        (OtherStation201, "ocpp2.0.1", 9_500),
    ],
)
def test_a_station_of_the_other_implementation_is_led(
    free_port: int, new_station: type[OtherStation16 | OtherStation201], offers: str, drawn_ma: int
) -> None:
    async def station() -> OtherStation16 | OtherStation201:
        for _ in range(100):
            try:
                uri = f"ws://{HOST}:{free_port}/OTHER"
                connection = await connect(uri, subprotocols=[Subprotocol(offers)], proxy=None)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            return new_station(connection)
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
        assert device.told.amps_told == {"TxDefaultProfile": 6, "TxProfile": 16.1}
        reading = await adapter.read()
        assert (reading.offered_ma, reading.state, reading.drawn_ma) == (16_100, "C", (drawn_ma,))
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
