"""Messages of OCPP 1.6, payload by payload: what is asked, and what is read of the answers; no I/O."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from powershare.adapter import PilotState
from powershare.errors import AdapterRejected
from powershare.units import load_ma_from_amps
from powershare_ocpp.learnt import Kind
from powershare_ocpp.messages import Abilities, Composite, Status, abilities, composite_of, words
from powershare_ocpp.profiles import Profile, Scale, time_text
from powershare_ocpp.wire.frames import Payload, shown

PILOTS: Mapping[str, PilotState] = MappingProxyType(
    {
        "Available": "A",
        "Reserved": "A",
        "Preparing": "A",
        "Charging": "C",
        "SuspendedEV": "B",
        "SuspendedEVSE": "B",
        "Finishing": "A",
        "Unavailable": "F",
        "Faulted": "F",
    }
)
"""States of a connector (OCPP 1.6, 7.7), and the control pilot's of IEC 61851-1 that each counts as.

A vehicle without a transaction, before or after it, cannot be served. It counts as none, or it would hold a share
for as long as nobody shows a card, or until it is driven away.
"""

_NO_VEHICLE = frozenset({"Available", "Reserved"})
_IN_TRANSACTION = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
_NO_TRANSACTION = frozenset({"Available", "Reserved", "Preparing", "Unavailable"})


def kind_of(payload: Payload) -> Kind:
    """Read what a BootNotification says the station is."""
    return Kind(
        *(words(payload.get(key)) for key in ("chargePointVendor", "chargePointModel", "firmwareVersion")),
    )


def status_of(payload: Payload) -> Status:
    """Read a StatusNotification.

    Raises:
        AdapterRejected: It is none.
    """
    name = payload.get("status")
    if not isinstance(name, str) or name not in PILOTS:
        raise AdapterRejected(f"a connector is in no state that there is: {shown(name)}")
    fault = None
    if name in ("Faulted", "Unavailable"):
        said = [words(payload.get(key)) for key in ("errorCode", "info", "vendorErrorCode")]
        said = [word for word in said if word and word != "NoError"]
        fault = ", ".join(said) or name
    return state(name, fault)


def state(name: str, fault: str | None = None) -> Status:
    """A state by its name."""
    transaction = True if name in _IN_TRANSACTION else False if name in _NO_TRANSACTION else None
    return Status(name, PILOTS[name], vehicle=name not in _NO_VEHICLE, transaction=transaction, fault=fault)


def amount_ma(sample: Mapping[str, Any]) -> int | None:
    """The amps of a sampled value as milliamps, rounded up; None: it is none of amps."""
    if sample.get("format", "Raw") != "Raw" or sample.get("unit", "A") != "A":
        return None
    try:
        return load_ma_from_amps(str(sample.get("value"))[:30])
    except ValueError:
        return None


def composite_question(connector: int, duration_s: int, unit: str) -> Payload:
    """A GetCompositeSchedule."""
    return {"connectorId": connector, "duration": duration_s, "chargingRateUnit": unit}


def composite(payload: Payload, scale: Scale) -> Composite:
    """What the answer to it says."""
    return composite_of(payload.get("chargingSchedule") if payload.get("status") == "Accepted" else None, scale)


def profile_message(connector: int, profile: Profile) -> Payload:
    """A SetChargingProfile."""
    schedule: dict[str, Any] = {"chargingRateUnit": profile.unit}
    told: dict[str, Any] = {
        "chargingProfileId": profile.number,
        "stackLevel": profile.level,
        "chargingProfilePurpose": profile.purpose,
        "chargingProfileKind": profile.kind,
        "chargingSchedule": schedule,
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
    return {"connectorId": connector, "csChargingProfiles": told}


def configuration_of(payload: Payload) -> dict[str, str]:
    """Read the answer to GetConfiguration: what is known, by key."""
    entries = payload.get("configurationKey")
    return {
        entry["key"]: entry["value"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("value"), str)
    }


def abilities_of(configuration: Mapping[str, str]) -> Abilities:
    """What a configuration says (OCPP 1.6, 9.4)."""
    return abilities(
        configuration.get("ChargingScheduleAllowedChargingRateUnit"),
        configuration.get("ChargeProfileMaxStackLevel"),
        configuration.get("ChargingScheduleMaxPeriods"),
    )
