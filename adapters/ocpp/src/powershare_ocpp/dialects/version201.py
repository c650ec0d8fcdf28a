"""OCPP 2.0.1 on a line: the questions that stations of this version understand, and what they ask.

What 1.6 has of connectors is here of EVSEs: a vehicle is served by one of them, whichever of its connectors it uses.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from powershare.errors import AdapterRejected
from powershare_ocpp.dialect import MEASURANDS, SAMPLED_EVERY_S, Handler, News
from powershare_ocpp.dialects import messages201
from powershare_ocpp.dialects.messages201 import Evse, TransactionEvent, Variable
from powershare_ocpp.messages import Abilities, Composite, Metered, listed, metered_of
from powershare_ocpp.profiles import Profile, Scale, time_text
from powershare_ocpp.session import HEARTBEAT_S, Session, fixed
from powershare_ocpp.wire.frames import Payload

_WANTED = (
    *(messages201.STACK_LEVEL, messages201.RATE_UNIT, messages201.PERIODS),
    *(messages201.SAMPLED, messages201.SAMPLED_EVERY, messages201.ALIGNED),
)


def _question(variables: Sequence[Variable]) -> tuple[str, Payload]:
    return "GetVariables", messages201.variables_question(variables)


class Dialect201:
    """OCPP 2.0.1.

    Args:
        session: The line.
    """

    subprotocol: ClassVar[str] = "ocpp2.0.1"
    transaction_named: ClassVar[bool] = True  # K01.FR.03
    sampled_setting: ClassVar[str] = "SampledDataCtrlr.TxUpdatedInterval"
    idle_question: ClassVar[tuple[str, Payload]] = _question([messages201.STACK_LEVEL])

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Mapping[Variable, str | None] = {}
        self._evses: dict[int, Evse] = {}
        self._looking = asyncio.Lock()

    # Asking

    async def learn(self) -> Abilities:
        """Ask for its variables."""
        self._known = await self._variables(_WANTED)
        return messages201.abilities_of(self._known)

    async def measure(self) -> None:
        """Have it measure current too, where it does not already, in a transaction and outside one."""
        await self._have_it_measure(messages201.SAMPLED)
        await self._have_it_measure(messages201.ALIGNED)
        every_s = self._known.get(messages201.SAMPLED_EVERY) or ""
        if not every_s.isdecimal() or not 0 < int(every_s[:9]) <= SAMPLED_EVERY_S:
            await self._changed(messages201.SAMPLED_EVERY, str(SAMPLED_EVERY_S))

    async def _variables(self, wanted: Sequence[Variable]) -> dict[Variable, str | None]:
        """Ask for all of them at once, and one by one for those that a station has left out: it may take one only."""
        found: dict[Variable, str | None] = {}
        for asked in (wanted, *([one] for one in wanted)):
            if found.keys() >= set(asked):
                continue
            try:
                found |= messages201.variables_of(await self._session.call(*_question(asked)))
            except AdapterRejected:
                if "GetVariables" in self._session.unable:
                    raise
        return found

    async def _have_it_measure(self, variable: Variable) -> None:
        """One that refuses may measure it all the same."""
        measured = listed(self._known.get(variable))
        for wanted in (MEASURANDS, MEASURANDS[:1]):
            missing = [name for name in wanted if name not in measured]
            if not missing or await self._changed(variable, ",".join([*measured, *missing])):
                break

    async def _changed(self, variable: Variable, value: str) -> bool:
        try:
            answer = await self._session.call("SetVariables", messages201.change_question(variable, value))
        except AdapterRejected:
            return False
        return messages201.is_changed(answer)

    async def look(self, connector: int) -> None:
        """Have it say what state an EVSE is in, and of an occupied one the name of its transaction, if it has not."""
        record = self._session.record(connector)
        async with self._looking:  # an answer need not say which EVSE it is about
            if record.status is None:
                await self._session.have_said(News.STATUS, connector, messages201.status_question(connector))
            status = record.status
            if status is not None and status.transaction and not self._evse(connector).known:
                question = messages201.meter_questions(connector, in_transaction=True)[0]
                if await self._session.asked_to_say(News.METER, connector, question) == "Rejected":
                    self._evse(connector).known = True  # there is none to say something of (F06.FR.07)
                    self._restate(connector)

    def meter_questions(self, connector: int) -> Sequence[Payload]:
        """Questions for what its meter measures."""
        in_transaction = self._session.record(connector).in_transaction
        return messages201.meter_questions(connector, in_transaction=in_transaction)

    def metered(self, payload: Payload, lines: int) -> Metered:
        """Read the meter values of a MeterValues or of a TransactionEvent."""
        return metered_of(payload, lines, messages201.amount_ma)

    def profile_message(self, connector: int, profile: Profile) -> Payload:
        """A SetChargingProfile."""
        return messages201.profile_message(connector, profile)

    def composite_question(self, connector: int, duration_s: int, unit: str) -> Payload:
        """A GetCompositeSchedule."""
        return messages201.composite_question(connector, duration_s, unit)

    def composite(self, payload: Payload, scale: Scale) -> Composite:
        """What the answer to it says."""
        return messages201.composite(payload, scale)

    # What stations ask

    def _on_boot(self, payload: Payload) -> Payload:
        self._session.memory.starts(self._session.station, self.subprotocol, messages201.kind_of(payload))
        return {"status": "Accepted", "currentTime": time_text(self._session.utc_ms()), "interval": HEARTBEAT_S}

    def _on_heartbeat(self, _payload: Payload) -> Payload:
        return {"currentTime": time_text(self._session.utc_ms())}

    def _on_status(self, payload: Payload) -> Payload:
        number, _ = self._session.record_of(payload.get("evseId"))
        self._evse(number).connects(*messages201.connector_status_of(payload))
        self._restate(number)
        self._session.stamped(payload)
        self._session.tell(News.STATUS, number)
        return {}

    def _on_transaction(self, payload: Payload) -> Payload:
        event = messages201.transaction_event_of(payload)
        self._session.stamped(payload)
        number = self._place(event)
        if number is not None:
            self._evse(number).happens(event)
            self._restate(number)
            # One that was asked for has all that the meter says, be it nothing; what is kept for later says nothing.
            says = "meterValue" in payload or payload.get("triggerReason") == "Trigger"
            if says and payload.get("offline") is not True:
                self._session.metered(number, payload)
                self._session.tell(News.METER, number)
        return {"idTokenInfo": {"status": "Accepted"}} if event.has_token else {}

    def _on_meter_values(self, payload: Payload) -> Payload:
        number, _ = self._session.record_of(payload.get("evseId"))
        self._session.metered(number, payload)
        self._session.stamped(payload)
        self._session.tell(News.METER, number)
        return {}

    # EVSEs

    def _evse(self, number: int) -> Evse:
        return self._evses.setdefault(number, Evse())

    def _restate(self, number: int) -> None:
        evse, record = self._evse(number), self._session.record(number)
        record.status, record.transaction = evse.status(), evse.transaction

    def _place(self, event: TransactionEvent) -> int | None:
        """Which EVSE an event is of: a station says so once, which may have been to somebody else.

        Then it is the one EVSE that was asked for its transaction, or the one of which it is not known if it has one,
        or the only one there is. Of several it is none: the next answer to a question will tell.
        """
        session = self._session
        if event.evse is not None:
            session.transactions.placed(session.station, event.transaction, event.evse)
            return event.evse
        known = session.transactions.place(session.station, event.transaction)
        if known is not None:
            return known
        there = [number for number in self._evses if number]
        unknown = [number for number in there if not self._evses[number].known]
        asked = [number for number in session.awaited(News.METER) if number in unknown]
        possible = asked or unknown or there
        return possible[0] if len(possible) == 1 else None

    handlers: ClassVar[Mapping[str, Handler]] = MappingProxyType(
        {
            "BootNotification": _on_boot,
            "Heartbeat": _on_heartbeat,
            "StatusNotification": _on_status,
            "TransactionEvent": _on_transaction,
            "MeterValues": _on_meter_values,
            # Who may charge is not ours to say: everybody may.
            "Authorize": fixed(idTokenInfo={"status": "Accepted"}),
            "DataTransfer": fixed(status="UnknownVendorId"),
            "SignCertificate": fixed(status="Rejected"),
            "Get15118EVCertificate": fixed(status="Failed", exiResponse=""),
            "GetCertificateStatus": fixed(status="Failed"),
            "NotifyEVChargingNeeds": fixed(status="Rejected"),
            "NotifyEVChargingSchedule": fixed(status="Accepted"),
            "ClearedChargingLimit": fixed(),
            "FirmwareStatusNotification": fixed(),
            "LogStatusNotification": fixed(),
            "NotifyChargingLimit": fixed(),
            "NotifyCustomerInformation": fixed(),
            "NotifyDisplayMessages": fixed(),
            "NotifyEvent": fixed(),
            "NotifyMonitoringReport": fixed(),
            "NotifyReport": fixed(),
            "PublishFirmwareStatusNotification": fixed(),
            "ReportChargingProfiles": fixed(),
            "ReservationStatusUpdate": fixed(),
            "SecurityEventNotification": fixed(),
        }
    )
