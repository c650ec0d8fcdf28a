"""OCPP 1.6 on a line: the questions that stations of this version understand, and what they ask."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from powershare.errors import AdapterRejected
from powershare_ocpp.dialect import MEASURANDS, SAMPLED_EVERY_S, Handler, News
from powershare_ocpp.dialects import messages16
from powershare_ocpp.messages import Abilities, Composite, Metered, listed, metered_of
from powershare_ocpp.profiles import Profile, Scale, time_text
from powershare_ocpp.session import HEARTBEAT_S, Session, fixed
from powershare_ocpp.wire.frames import Payload

_KEYS = (
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MeterValuesSampledData",
    "MeterValueSampleInterval",
)


class Dialect16:
    """OCPP 1.6J.

    Args:
        session: The line.
    """

    subprotocol: ClassVar[str] = "ocpp1.6"
    transaction_named: ClassVar[bool] = False
    sampled_setting: ClassVar[str] = "MeterValueSampleInterval"
    idle_question: ClassVar[tuple[str, Payload]] = ("GetConfiguration", {"key": [_KEYS[0]]})

    def __init__(self, session: Session) -> None:
        self._session = session
        self._configuration: Mapping[str, str] = {}

    # Asking

    async def learn(self) -> Abilities:
        """Ask for its configuration."""
        answer = await self._session.call("GetConfiguration", {"key": list(_KEYS)})
        self._configuration = messages16.configuration_of(answer)
        return messages16.abilities_of(self._configuration)

    async def measure(self) -> None:
        """Have it measure current too, where it does not already; one that refuses may measure it all the same."""
        configuration = self._configuration
        measured = listed(configuration.get("MeterValuesSampledData"))
        for wanted in (MEASURANDS, MEASURANDS[:1]):
            missing = [name for name in wanted if name not in measured]
            if not missing or await self._changed("MeterValuesSampledData", ",".join([*measured, *missing])):
                break
        every_s = configuration.get("MeterValueSampleInterval", "")
        if not every_s.isdecimal() or not 0 < int(every_s[:9]) <= SAMPLED_EVERY_S:
            await self._changed("MeterValueSampleInterval", str(SAMPLED_EVERY_S))

    async def _changed(self, key: str, value: str) -> bool:
        try:
            answer = await self._session.call("ChangeConfiguration", {"key": key, "value": value})
        except AdapterRejected:
            return False
        return answer.get("status") == "Accepted"

    async def look(self, connector: int) -> None:
        """Have it say what state a connector is in, if it has not."""
        if self._session.record(connector).status is None:
            question = {"requestedMessage": "StatusNotification", "connectorId": connector}
            await self._session.have_said(News.STATUS, connector, question)

    def meter_questions(self, connector: int) -> Sequence[Payload]:
        """Questions for what its meter measures."""
        return [{"requestedMessage": "MeterValues", "connectorId": connector}]

    def metered(self, payload: Payload, lines: int) -> Metered:
        """Read MeterValues."""
        return metered_of(payload, lines, messages16.amount_ma)

    def profile_message(self, connector: int, profile: Profile) -> Payload:
        """A SetChargingProfile."""
        return messages16.profile_message(connector, profile)

    def composite_question(self, connector: int, duration_s: int, unit: str) -> Payload:
        """A GetCompositeSchedule."""
        return messages16.composite_question(connector, duration_s, unit)

    def composite(self, payload: Payload, scale: Scale) -> Composite:
        """What the answer to it says."""
        return messages16.composite(payload, scale)

    # What stations ask

    def _on_boot(self, payload: Payload) -> Payload:
        self._session.memory.starts(self._session.station, self.subprotocol, messages16.kind_of(payload))
        return {"status": "Accepted", "currentTime": time_text(self._session.utc_ms()), "interval": HEARTBEAT_S}

    def _on_heartbeat(self, _payload: Payload) -> Payload:
        return {"currentTime": time_text(self._session.utc_ms())}

    def _on_status(self, payload: Payload) -> Payload:
        connector, record = self._session.record_of(payload.get("connectorId"))
        record.status = messages16.status_of(payload)
        if record.status.transaction is False:
            record.transaction = None
        self._session.stamped(payload)
        self._session.tell(News.STATUS, connector)
        return {}

    def _on_meter_values(self, payload: Payload) -> Payload:
        connector, record = self._session.record_of(payload.get("connectorId"))
        self._session.metered(connector, payload)
        transaction = payload.get("transactionId")
        if isinstance(transaction, int) and not isinstance(transaction, bool):
            record.transaction = transaction
        self._session.stamped(payload)
        self._session.tell(News.METER, connector)
        return {}

    def _on_start(self, payload: Payload) -> Payload:
        session = self._session
        _, record = session.record_of(payload.get("connectorId"))
        record.transaction = session.transactions.started(session.station, payload, session.utc_ms() // 1_000)
        if record.status is not None and record.status.transaction is False:
            record.status = None  # it was of before; the next one follows
        return {"transactionId": record.transaction, "idTagInfo": {"status": "Accepted"}}

    def _on_stop(self, payload: Payload) -> Payload:
        for record in self._session.records():
            if record.transaction is not None and record.transaction == payload.get("transactionId"):
                record.transaction = None
                if record.status is not None and record.status.transaction:
                    record.status = messages16.state("Finishing")
        return {"idTagInfo": {"status": "Accepted"}}

    handlers: ClassVar[Mapping[str, Handler]] = MappingProxyType(
        {
            "BootNotification": _on_boot,
            "Heartbeat": _on_heartbeat,
            "StatusNotification": _on_status,
            "MeterValues": _on_meter_values,
            "StartTransaction": _on_start,
            "StopTransaction": _on_stop,
            # Who may charge is not ours to say: everybody may.
            "Authorize": fixed(idTagInfo={"status": "Accepted"}),
            "DataTransfer": fixed(status="UnknownVendorId"),
            "SignCertificate": fixed(status="Rejected"),
            "DiagnosticsStatusNotification": fixed(),
            "FirmwareStatusNotification": fixed(),
            "LogStatusNotification": fixed(),
            "SecurityEventNotification": fixed(),
            "SignedFirmwareStatusNotification": fixed(),
        }
    )
