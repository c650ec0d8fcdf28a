"""Messages of OCPP 2.0.1, payload by payload: what is asked, and what is read of the answers; no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from powershare.adapter import PilotState
from powershare.errors import AdapterRejected
from powershare.units import load_ma_from_amps
from powershare_ocpp.learnt import Kind
from powershare_ocpp.messages import Abilities, Composite, Status, abilities, composite_of, words
from powershare_ocpp.profiles import Profile, Scale, time_text
from powershare_ocpp.wire.frames import Payload, shown

Variable: TypeAlias = tuple[str, str]
"""A component of a station and a variable of it, by their names (part 2, appendix 3)."""

STACK_LEVEL: Variable = ("SmartChargingCtrlr", "ProfileStackLevel")
RATE_UNIT: Variable = ("SmartChargingCtrlr", "RateUnit")
PERIODS: Variable = ("SmartChargingCtrlr", "PeriodsPerSchedule")
SAMPLED: Variable = ("SampledDataCtrlr", "TxUpdatedMeasurands")
SAMPLED_EVERY: Variable = ("SampledDataCtrlr", "TxUpdatedInterval")
ALIGNED: Variable = ("AlignedDataCtrlr", "Measurands")

MOST_EVSES = 64
"""A higher number is none."""

LONGEST_NAME = 36
"""Of a transaction's name."""

# The best one of an EVSE's connectors says what it can do: where one is broken another may serve.
_BEST_FIRST = ("Occupied", "Available", "Reserved", "Faulted", "Unavailable")

_CHARGING: Mapping[str, PilotState] = MappingProxyType(
    {"Charging": "C", "EVConnected": "B", "SuspendedEV": "B", "SuspendedEVSE": "B", "Idle": "A"}
)
"""States of a transaction (part 2, ChargingStateEnumType), and the control pilot's that each counts as."""


@attrs.define
class Evse:
    """What a station has said of one EVSE, from which its state follows.

    Attributes:
        connectors: States of its connectors, by number.
        transaction: The name of its transaction; None: none, or it is not known.
        charging: State of its transaction; None: it has not said.
        at: The connector that its transaction is at.
        known: Whether it is known if there is a transaction.
        authorised: Whether somebody has shown that the vehicle may charge; None: not known.
    """

    connectors: dict[int, str] = attrs.Factory(dict)
    transaction: str | None = None
    charging: str | None = None
    at: int = 1
    known: bool = False
    authorised: bool | None = None

    def connects(self, connector: int, name: str) -> None:
        """Take note of a connector's state. A free one has no transaction, unless one waits there for a vehicle."""
        self.connectors[connector] = name
        if name in ("Available", "Reserved") and connector == self.at and self.charging != "Idle":
            self._ends()

    def happens(self, event: "TransactionEvent") -> None:
        """Take note of an event; the end of another transaction than this one was long ago."""
        if event.kind == "Ended":
            if self.transaction in (None, event.transaction):
                self._ends()
            return
        if self.transaction != event.transaction:
            self.transaction, self.charging, self.known = event.transaction, None, True
            self.authorised = False if event.kind == "Started" else None
        self.charging = event.charging or self.charging
        self.authorised = True if event.authorised else self.authorised
        self.at = event.connector or self.at

    def _ends(self) -> None:
        self.transaction = self.charging = self.authorised = None
        self.known = True

    def status(self) -> Status | None:
        """Its state; None: it has said nothing.

        A vehicle without a transaction, or with one that nobody has authorised yet, cannot be served. It counts as
        none, or it would hold a share for as long as nobody shows a card. Of what is not known the worst counts.
        """
        name = next((name for name in _BEST_FIRST if name in self.connectors.values()), None)
        if name == "Faulted":
            return Status(name, "F", fault=name)
        if self.transaction is not None:
            waits = self.charging == "EVConnected" and self.authorised is False
            pilot = "A" if waits else _CHARGING.get(self.charging or "Charging", "C")
            return Status(self.charging or "Charging", pilot, transaction=True)
        if name == "Occupied" and not self.known:
            return Status(name, "C", transaction=True)
        if name == "Occupied":
            return Status(name, "A", transaction=False)
        if name == "Unavailable":
            return Status(name, "F", transaction=False, fault=name)
        return None if name is None else Status(name, "A", vehicle=False, transaction=False)


def kind_of(payload: Payload) -> Kind:
    """Read what a BootNotification says the station is."""
    station = payload.get("chargingStation")
    said = station if isinstance(station, dict) else {}
    return Kind(*(words(said.get(key)) for key in ("vendorName", "model", "firmwareVersion")))


def connector_status_of(payload: Payload) -> tuple[int, str]:
    """Read a StatusNotification: which connector of its EVSE, and its state.

    Raises:
        AdapterRejected: It is none.
    """
    connector, name = payload.get("connectorId"), payload.get("connectorStatus")
    if not isinstance(connector, int) or isinstance(connector, bool) or not 0 <= connector <= MOST_EVSES:
        raise AdapterRejected(f"an EVSE has no connector {shown(connector)}")
    if not isinstance(name, str) or name not in _BEST_FIRST:
        raise AdapterRejected(f"a connector is in no state that there is: {shown(name)}")
    return connector, name


@attrs.frozen(kw_only=True)
class TransactionEvent:
    """What a TransactionEvent says.

    Attributes:
        kind: `Started`, `Updated` or `Ended`.
        transaction: Its name.
        evse: Where it is; None: the station has said so before.
        connector: Of which connector; None: it does not say.
        charging: Its state; None: it is as before.
        authorised: Whether this event shows that somebody may charge.
        has_token: Whether it carries a token, which is to be answered.
    """

    kind: str
    transaction: str
    evse: int | None
    connector: int | None
    charging: str | None
    authorised: bool
    has_token: bool


def transaction_event_of(payload: Payload) -> TransactionEvent:
    """Read a TransactionEvent.

    Raises:
        AdapterRejected: It is none.
    """
    kind, info, evse = payload.get("eventType"), payload.get("transactionInfo"), payload.get("evse")
    name = info.get("transactionId") if isinstance(info, dict) else None
    if kind not in ("Started", "Updated", "Ended"):
        raise AdapterRejected(f"a transaction has no event {shown(kind)}")
    if not isinstance(info, dict) or not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise AdapterRejected(f"a transaction has no name of 1 to {LONGEST_NAME} characters: {shown(name)}")
    place = evse if isinstance(evse, dict) else {}
    charging = info.get("chargingState")
    has_token = isinstance(payload.get("idToken"), dict)
    return TransactionEvent(
        kind=kind,
        transaction=name,
        evse=_whole(place.get("id")),
        connector=_whole(place.get("connectorId")),
        charging=charging if isinstance(charging, str) and charging in _CHARGING else None,
        authorised=has_token or payload.get("triggerReason") in ("Authorized", "RemoteStart"),
        has_token=has_token,
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_EVSES else None


def amount_ma(sample: Mapping[str, Any]) -> int | None:
    """The amps of a sampled value as milliamps, rounded up; None: it is none of amps."""
    unit = sample.get("unitOfMeasure") or {}
    if not isinstance(unit, dict) or unit.get("unit", "A") != "A":
        return None
    value, multiplier = sample.get("value"), unit.get("multiplier", 0)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(multiplier, bool) or not isinstance(multiplier, int) or abs(multiplier) > 9:
        return None
    try:
        return load_ma_from_amps(Decimal(str(value)[:30]).scaleb(multiplier))
    except (InvalidOperation, ValueError):
        return None


def composite_question(evse: int, duration_s: int, unit: str) -> Payload:
    """A GetCompositeSchedule."""
    return {"evseId": evse, "duration": duration_s, "chargingRateUnit": unit}


def composite(payload: Payload, scale: Scale) -> Composite:
    """What the answer to it says."""
    return composite_of(payload.get("schedule") if payload.get("status") == "Accepted" else None, scale)


def profile_message(evse: int, profile: Profile) -> Payload:
    """A SetChargingProfile.

    Which line a vehicle on one is to use (`phaseToUse`) is not said: it is wired to its lines, and a station that
    cannot choose refuses a profile that does (K01.FR.20).
    """
    schedule: dict[str, Any] = {"id": profile.number, "chargingRateUnit": profile.unit}
    told: dict[str, Any] = {
        "id": profile.number,
        "stackLevel": profile.level,
        "chargingProfilePurpose": profile.purpose,
        "chargingProfileKind": profile.kind,
        "chargingSchedule": [schedule],
    }
    if profile.start_ms is not None:
        schedule["startSchedule"] = time_text(profile.start_ms)
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    if profile.end_ms is not None:
        told["validTo"] = time_text(profile.end_ms)
    if profile.transaction is not None:
        told["transactionId"] = profile.transaction
    schedule["chargingSchedulePeriod"] = profile.told_periods()
    return {"evseId": evse, "chargingProfile": told}


_PARTS = ("component", "variable")


def _named(variable: Variable) -> dict[str, Any]:
    component, name = variable
    return {"component": {"name": component}, "variable": {"name": name}}


def variables_question(variables: Iterable[Variable]) -> Payload:
    """A GetVariables."""
    return {"getVariableData": [_named(variable) for variable in variables]}


def variables_of(payload: Payload) -> dict[Variable, str | None]:
    """Read the answer to it: values by name, None for what the station does not have or does not tell."""
    found: dict[Variable, str | None] = {}
    results = payload.get("getVariableResult")
    for result in results if isinstance(results, list) else ():
        if not isinstance(result, dict):
            continue
        names = [part.get("name") if isinstance(part := result.get(key), dict) else None for key in _PARTS]
        value = result.get("attributeValue") if result.get("attributeStatus") == "Accepted" else None
        if isinstance(names[0], str) and isinstance(names[1], str):
            found[names[0], names[1]] = value if isinstance(value, str) else None
    return found


def change_question(variable: Variable, value: str) -> Payload:
    """A SetVariables of one."""
    return {"setVariableData": [_named(variable) | {"attributeValue": value}]}


def is_changed(payload: Payload) -> bool:
    """Whether the answer to it says that it is so now."""
    results = payload.get("setVariableResult")
    return isinstance(results, list) and [
        result.get("attributeStatus") if isinstance(result, dict) else None for result in results
    ] == ["Accepted"]


def abilities_of(variables: Mapping[Variable, str | None]) -> Abilities:
    """What a station's variables say (part 2, K and appendix 3)."""
    return abilities(variables.get(RATE_UNIT), variables.get(STACK_LEVEL), variables.get(PERIODS))


def status_question(evse: int) -> Payload:
    """A TriggerMessage for a state; the connector must be named (F06.FR.12)."""
    return {"requestedMessage": "StatusNotification", "evse": {"id": evse, "connectorId": 1}}


def meter_questions(evse: int, *, in_transaction: bool) -> Sequence[Payload]:
    """TriggerMessages for what a meter says; in a transaction its event has it, and its state too (F06.FR.07)."""
    asked = ("TransactionEvent", "MeterValues") if in_transaction else ("MeterValues",)
    return [{"requestedMessage": what, "evse": {"id": evse}} for what in asked]
