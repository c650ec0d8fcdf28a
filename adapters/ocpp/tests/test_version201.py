"""What only OCPP 2.0.1 has: EVSEs, named transactions whose place is said once, states that follow from both."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.adapter import Reading
from powershare.errors import AdapterRejected
from powershare.simulation.vehicle import Traits
from powershare_ocpp.dialects.messages201 import Evse, connector_status_of, transaction_event_of
from powershare_ocpp.emulated.line import Saying
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.emulated.voice201 import Voice201

from .stations import Yard, told_profile


@pytest.fixture(autouse=True)
def spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Yard, "spoken", Voice201)


def event(kind: str, transaction: str = "T", **more: object) -> dict[str, object]:
    info = {"transactionId": transaction} | ({"chargingState": more.pop("state")} if "state" in more else {})
    return {"eventType": kind, "triggerReason": "ChargingStateChanged", "transactionInfo": info} | more


def evse_of(*said: tuple[int, str] | dict[str, object]) -> Evse:
    evse = Evse()
    for one in said:
        if isinstance(one, dict):
            evse.happens(transaction_event_of(one))
        else:
            evse.connects(*one)
    return evse


TOKEN = {"idToken": "", "type": "NoAuthorization"}


@pytest.mark.parametrize(
    ("said", "pilot", "transaction"),
    [
        ([(1, "Available")], "A", False),
        ([(1, "Occupied")], "C", True),  # nobody knows what it does: the worst counts
        ([(1, "Available"), (1, "Occupied")], "A", False),  # nobody has authorised it
        ([(1, "Occupied"), event("Started", state="EVConnected")], "A", True),
        ([(1, "Occupied"), event("Started", state="EVConnected", idToken=TOKEN)], "B", True),
        ([(1, "Occupied"), event("Updated", state="EVConnected")], "B", True),  # it may have been authorised before
        ([event("Started"), event("Updated", state="EVConnected", triggerReason="Authorized")], "B", True),
        ([event("Started"), event("Updated", state="EVConnected", triggerReason="RemoteStart")], "B", True),
        ([event("Started")], "C", True),
        ([event("Updated", state="Charging")], "C", True),
        ([event("Updated", state="SuspendedEV")], "B", True),
        ([event("Updated", state="SuspendedEVSE")], "B", True),
        ([event("Updated", state="Idle")], "A", True),
        ([event("Updated", state="Charging"), event("Updated")], "C", True),
        ([event("Updated", state="Charging"), event("Updated", state="Odd")], "C", True),
        ([(1, "Occupied"), event("Updated", state="Charging"), event("Ended")], "A", False),
        ([event("Updated", state="Charging"), event("Ended", "of long ago")], "C", True),
        ([event("Updated", state="Charging"), (1, "Available")], "A", False),
        ([event("Updated", state="Idle"), (1, "Available")], "A", True),  # it waits for the vehicle
        ([event("Updated", state="Charging", evse={"id": 1, "connectorId": 2}), (1, "Available")], "C", True),
        ([event("Updated", state="Charging"), (1, "Unavailable")], "C", True),
        ([(1, "Unavailable")], "F", False),
        ([(1, "Faulted")], "F", None),
        ([(1, "Faulted"), (2, "Occupied"), event("Updated", state="Charging")], "C", True),
        ([(1, "Unavailable"), (2, "Available")], "A", False),
    ],
)
def test_the_state_of_an_evse_follows_from_its_connectors_and_its_transaction(
    said: list[tuple[int, str] | dict[str, object]], pilot: str, transaction: bool | None
) -> None:
    status = evse_of(*said).status()
    assert status is not None
    assert (status.pilot, status.transaction) == (pilot, transaction)


def test_an_evse_of_which_nothing_was_said_has_no_state() -> None:
    assert Evse().status() is None


connectors = st.tuples(st.integers(0, 3), st.sampled_from(["Available", "Occupied", "Reserved", "Unavailable"]))
events = st.builds(
    lambda kind, name, state: event(kind, name, state=state),
    st.sampled_from(["Started", "Updated", "Ended"]),
    st.sampled_from(["T", "U"]),
    st.sampled_from(["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle", None]),
)


@given(st.lists(connectors | events, max_size=12))
def test_whatever_was_said_a_vehicle_that_charges_is_seen(said: list[tuple[int, str] | dict[str, object]]) -> None:
    status = evse_of(*said, event("Updated", state="Charging")).status()
    assert status is not None
    assert (status.pilot, status.vehicle, status.transaction) == ("C", True, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "eventType": st.just("Updated") | json_values,
            "triggerReason": json_values,
            "transactionInfo": json_values
            | st.fixed_dictionaries({}, optional={"transactionId": json_values, "chargingState": json_values}),
            "evse": json_values | st.fixed_dictionaries({}, optional={"id": json_values, "connectorId": json_values}),
            "idToken": json_values,
        },
    )
)
def test_any_transaction_event_is_one_or_refused(payload: dict[str, object]) -> None:
    try:
        read = transaction_event_of(payload)
    except AdapterRejected:
        return
    assert 0 < len(read.transaction) <= 36
    assert read.evse is None or 1 <= read.evse <= 64


@given(st.dictionaries(st.sampled_from(["connectorId", "connectorStatus"]), json_values))
def test_any_connectors_state_is_one_or_refused(payload: dict[str, object]) -> None:
    try:
        connector, name = connector_status_of(payload)
    except AdapterRejected:
        return
    assert 0 <= connector <= 64
    assert Evse(connectors={connector: name}).status() is not None


async def read_after(yard: Yard, *said: tuple[str, dict[str, object]]) -> Reading:
    adapter = yard.adapter()
    await adapter.open()
    for action, payload in said:
        yard.station.line.say(Saying(action, payload))
    await asyncio.sleep(1)
    reading = await adapter.read()
    await adapter.close()
    return reading


def test_a_vehicle_that_nobody_has_authorised_holds_no_share() -> None:
    yard = Yard(StationTraits(triggers=False))

    async def test() -> None:
        place = {"evse": {"id": 1}}
        started = event("Started", "NEW", state="EVConnected") | place
        assert (await read_after(yard, ("TransactionEvent", started))).state == "A"
        shown = event("Updated", "NEW", idToken={"idToken": "1", "type": "ISO14443"}) | place
        reading = await read_after(yard, ("TransactionEvent", started), ("TransactionEvent", shown))
        assert reading.state == "B"

    yard.run(test)


def test_whoever_comes_later_learns_which_transaction_it_is() -> None:
    """A station says where a transaction is when it begins; another powershare was told so."""
    yard = Yard(connectors=3)

    async def test() -> None:
        for _ in range(2):
            adapters = [yard.adapter(connector=connector) for connector in (1, 2, 3)]
            await adapters[2].open()
            await asyncio.sleep(1)  # of the others it has said that somebody is there
            await asyncio.gather(*(adapter.open() for adapter in adapters))
            await asyncio.gather(*(adapter.offer(yard.offer(16_000)) for adapter in adapters))
            last = {call.payload["evseId"]: told_profile(call) for call in yard.asked("SetChargingProfile")}
            assert {profile["chargingProfilePurpose"] for profile in last.values()} == {"TxProfile"}
            names = {evse: profile["transactionId"] for evse, profile in last.items()}
            assert names == {connector: served.number for connector, served in yard.station.served.items()}
            await asyncio.sleep(1)  # it has said all that it had to say
            await asyncio.gather(*(adapter.close() for adapter in adapters))
            yard.forget()

    yard.run(test)


def test_a_vehicle_of_whose_transaction_the_station_knows_nothing_holds_no_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()

    async def test() -> None:
        monkeypatch.setattr(yard.station, "_starts", lambda _connector: None)  # nobody shows a card
        yard.station.served.clear()
        yard.station.line.lose()
        adapter = yard.adapter()
        await adapter.open()
        reading = await adapter.read()
        assert (reading.state, reading.offered_ma) == ("A", 0)
        await adapter.close()

    yard.run(test)


def test_without_the_name_of_its_transaction_an_order_is_a_default_profile_that_ends() -> None:
    yard = Yard(StationTraits(triggers=False))

    async def test() -> None:
        first = yard.adapter()
        await first.open()
        await first.offer(yard.offer(16_000, then_ma=6_000, for_ms=3_000))
        await first.close()
        await asyncio.sleep(5)
        yard.forget()
        adapter = yard.adapter()
        await adapter.open()
        assert (await adapter.read()).state == "C", "nobody knows what it does"
        await adapter.offer(yard.offer(12_000, then_ma=6_000))
        told = [told_profile(call) for call in yard.asked("SetChargingProfile")[2:]]
        assert {profile["chargingProfilePurpose"] for profile in told} == {"TxDefaultProfile"}
        assert yard.offered_ma() == 12_000
        await asyncio.sleep(11)
        assert yard.offered_ma() == 6_000
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize(("connectors", "purpose"), [(1, "TxProfile"), (2, "TxDefaultProfile")])
def test_where_an_event_is_that_does_not_say_so_is_known_of_one_evse_and_not_guessed_of_several(
    connectors: int, purpose: str
) -> None:
    yard = Yard(StationTraits(triggers=False), connectors=connectors)

    async def test() -> None:
        first = yard.adapter()
        await first.open()
        await first.read()  # from now on it says every few seconds what its meter measures
        await first.close()
        yard.forget()
        adapter = yard.adapter()
        await adapter.open()
        await asyncio.sleep(11)
        await adapter.offer(yard.offer(12_000, then_ma=6_000))
        assert told_profile(yard.asked("SetChargingProfile")[-1])["chargingProfilePurpose"] == purpose
        assert yard.offered_ma() == 12_000
        await adapter.close()

    yard.run(test)


def test_what_was_measured_while_nobody_listened_is_no_reading() -> None:
    yard = Yard(StationTraits(triggers=False))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, for_ms=60_000))
        await adapter.read()
        await asyncio.sleep(30)
        name = yard.station.served[1].number
        values = [{"timestamp": "2020-01-01T00:00:00Z", "sampledValue": [{"value": 1, "measurand": "Current.Import"}]}]
        past = event("Updated", str(name), meterValue=values, offline=True)
        yard.station.line.say(Saying("TransactionEvent", past))
        await asyncio.sleep(0.1)
        assert (await adapter.read()).drawn_ma == (16_000,)
        await adapter.close()

    yard.run(test)


def test_a_transaction_that_ends_while_nobody_listens_is_not_taken_for_the_next_one() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        await adapter.close()
        outlet = yard.station.outlets[0]
        outlet.unplug(yard.clock.now_ms())
        yard.station.advance()
        outlet.plug_in(Traits(max_ma=32_000), 60_000, yard.clock.now_ms())
        yard.station.advance()
        await adapter.open()
        await adapter.offer(yard.offer(13_000, then_ma=6_000))
        last = told_profile(yard.asked("SetChargingProfile")[-1])
        assert last["transactionId"] == yard.station.served[1].number
        assert yard.offered_ma() == 13_000
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize(
    "action",
    [
        "Authorize",
        "NotifyEvent",
        "NotifyReport",
        "NotifyMonitoringReport",
        "SecurityEventNotification",
        "NotifyChargingLimit",
        "Get15118EVCertificate",
        "DataTransfer",
    ],
)
def test_what_is_not_for_us_is_answered_all_the_same(action: str) -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        answers: list[object] = []
        yard.station.line.say(Saying(action, {}, answers.append))
        yard.station.line.say(Saying("Odd", {}, answers.append))
        await asyncio.sleep(1)
        assert len(answers) == 1, "refused, or an answer to what there is not"
        await adapter.close()

    yard.run(test)
