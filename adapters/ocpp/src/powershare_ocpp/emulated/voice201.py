"""What an emulated station says and understands of OCPP 2.0.1: written apart from the side that asks.

Each EVSE has one connector. Where the standard leaves a choice it takes the harder one for whoever listens: it names
the EVSE of a transaction once, and another profile of the same purpose and level is refused (part 2, K01.FR.06, 39).
"""

import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from powershare.errors import AdapterRejected
from powershare_ocpp.emulated.station import EmulatedStation, Served, amps
from powershare_ocpp.profiles import time_text
from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result

_READ_ONLY = "SmartChargingCtrlr"
_UNITS = {"Current": "A", "Power": "W"}


class Voice201:
    """OCPP 2.0.1.

    Args:
        station: Whose it is.
    """

    subprotocol: ClassVar[str] = "ocpp2.0.1"

    def __init__(self, station: EmulatedStation) -> None:
        self._station, traits = station, station.traits
        self._variables = {
            ("SmartChargingCtrlr", "ProfileStackLevel"): str(traits.most_level),
            ("SmartChargingCtrlr", "RateUnit"): ",".join(_UNITS[unit] for unit in traits.units.split(",")),
            ("SmartChargingCtrlr", "PeriodsPerSchedule"): str(traits.most_periods),
            ("SampledDataCtrlr", "TxUpdatedMeasurands"): "Energy.Active.Import.Register",
            ("SampledDataCtrlr", "TxUpdatedInterval"): "0",
            ("AlignedDataCtrlr", "Measurands"): "Energy.Active.Import.Register",
        }
        self._told: dict[int, str] = {}
        self._charging: dict[int, str] = {}
        self._names, self._numbers = itertools.count(1), itertools.count()

    @property
    def sampled_every_s(self) -> int:
        """As its variables say."""
        return int(self._variables["SampledDataCtrlr", "TxUpdatedInterval"])

    def boot(self) -> Payload:
        """A BootNotification."""
        firmware = self._station.traits.firmware
        maker = {"vendorName": "powershare", "model": "emulated", "firmwareVersion": firmware}
        return {"reason": "PowerUp", "chargingStation": maker}

    # Saying

    def dialled(self) -> None:
        """Whoever is there may know nothing of its connectors; of its transactions it is told what changes."""
        self._told.clear()

    def tell_state(self, connector: int) -> None:
        """A StatusNotification, and of a transaction an event, where it is news."""
        outlet = self._station.outlets[connector - 1]
        state = "Faulted" if outlet.state in ("E", "F") else "Occupied" if outlet.plugged else "Available"
        if self._told.get(connector) != state:
            self._told[connector] = state
            stamp = time_text(self._station.utc_ms())
            told = {"timestamp": stamp, "connectorStatus": state, "evseId": connector, "connectorId": 1}
            self._station.say("StatusNotification", told)
        if connector in self._station.served and self._charging.get(connector) != self._charges(connector):
            self._tell_event(connector, "Updated", "ChargingStateChanged")

    def _charges(self, connector: int) -> str:
        outlet = self._station.outlets[connector - 1]
        if outlet.state in ("C", "D"):
            return "Charging"
        return "SuspendedEV" if outlet.offered_ma else "SuspendedEVSE"

    def _tell_event(self, connector: int, kind: str, reason: str, **more: object) -> None:
        served = self._station.served[connector]
        self._charging[connector] = self._charges(connector)
        info = {"transactionId": served.number, "chargingState": self._charging[connector]}
        self._station.say("TransactionEvent", self._event(kind, reason, info) | more)

    def _event(self, kind: str, reason: str, info: Payload) -> dict[str, Any]:
        return {
            "eventType": kind,
            "timestamp": time_text(self._station.utc_ms()),
            "triggerReason": reason,
            "seqNo": next(self._numbers),
            "transactionInfo": info,
        }

    def tell_start(self, connector: int, served: Served) -> None:
        """The event that a transaction begins, which alone says where it is."""
        served.number = f"{self._station.name[-16:]}-{served.since_ms}-{next(self._names)}"
        token = {"idToken": "", "type": "NoAuthorization"}
        self._tell_event(
            connector, "Started", "CablePluggedIn", evse={"id": connector, "connectorId": 1}, idToken=token
        )

    def tell_stop(self, connector: int, served: Served) -> None:
        """The event that it ends."""
        info = {"transactionId": served.number, "stoppedReason": "EVDisconnected"}
        self._station.say("TransactionEvent", self._event("Ended", "EVDeparted", info))
        self._charging.pop(connector, None)

    def tell_meter(self, connector: int) -> None:
        """The event of a transaction that its meter is read from time to time."""
        self._tell_event(connector, "Updated", "MeterValuePeriodic", **self._values(connector, "SampledDataCtrlr"))

    def _values(self, connector: int, controller: str) -> dict[str, Any]:
        """Meter values; nothing where the station has no meter, or does not measure what is known here."""
        name = "TxUpdatedMeasurands" if controller == "SampledDataCtrlr" else "Measurands"
        wanted = self._variables[controller, name].split(",")
        outlet = self._station.outlets[connector - 1]
        ampere = {"unit": "A"}
        samples: list[dict[str, Any]] = []
        if "Current.Import" in wanted:
            samples += [
                {"value": drawn_ma, "measurand": "Current.Import", "phase": f"L{line}"}
                | {"unitOfMeasure": ampere | {"multiplier": -3}}
                for line, drawn_ma in enumerate(outlet.drawn_per_line_ma, 1)
            ]
        if "Current.Offered" in wanted:
            offered = amps(outlet.offered_ma)
            samples.append({"value": offered, "measurand": "Current.Offered", "unitOfMeasure": ampere})
        if not samples or not self._station.traits.metered:
            return {}
        return {"meterValue": [{"timestamp": time_text(self._station.utc_ms()), "sampledValue": samples}]}

    # What it is asked

    def answer(self, call: Call) -> Message:
        """Answer what the central system asks."""
        handler = self._HANDLERS.get(call.action)
        if handler is None:
            return Refusal(call.id, "NotImplemented", call.action)
        try:
            return Result(call.id, handler(self, call.payload))
        except AdapterRejected as error:
            return Refusal(call.id, "NotSupported", str(error))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            return Refusal(call.id, "FormatViolation", repr(error))

    def _known(self, asked: Payload) -> tuple[tuple[str, str], str]:
        variable = (asked["component"]["name"], asked["variable"]["name"])
        if variable in self._variables:
            return variable, "Accepted"
        components = {component for component, _ in self._variables}
        return variable, "UnknownVariable" if variable[0] in components else "UnknownComponent"

    def _on_get(self, payload: Payload) -> Payload:
        asked = payload["getVariableData"]
        if len(asked) > self._station.traits.most_variables:
            raise ValueError("more variables than ItemsPerMessage")
        results = []
        for one in asked:
            variable, status = self._known(one)
            value = {"attributeValue": self._variables[variable]} if status == "Accepted" else {}
            results.append(
                {"attributeStatus": status, "component": one["component"], "variable": one["variable"]} | value
            )
        return {"getVariableResult": results}

    def _on_set(self, payload: Payload) -> Payload:
        results = []
        for one in payload["setVariableData"]:
            variable, status = self._known(one)
            if status == "Accepted" and (variable[0] == _READ_ONLY or not self._station.traits.metered):
                status = "Rejected"
            if status == "Accepted":
                self._variables[variable] = one["attributeValue"]
            results.append({"attributeStatus": status, "component": one["component"], "variable": one["variable"]})
        return {"setVariableResult": results}

    def _on_profile(self, payload: Payload) -> Payload:
        evse, profile = payload["evseId"], payload["chargingProfile"]
        kept = _as_kept(profile)
        refused = self._station.refuses(evse, kept)
        if refused is None and profile["chargingProfilePurpose"] == "TxProfile" and "transactionId" not in profile:
            refused = "MissingParam"
        if refused is None and self._station.store.has_other(evse, kept, self._station.utc_ms()):
            refused = "DuplicateProfile"
        if refused is not None:
            return {"status": "Rejected", "statusInfo": {"reasonCode": refused}}
        self._station.takes(evse, kept)
        return {"status": "Accepted"}

    def _on_clear(self, payload: Payload) -> Payload:
        criteria = payload.get("chargingProfileCriteria", {})
        matches = {key: criteria[key] for key in ("chargingProfilePurpose", "stackLevel") if key in criteria}
        matches |= {"connectorId": criteria["evseId"]} if "evseId" in criteria else {}
        matches |= {"id": payload["chargingProfileId"]} if "chargingProfileId" in payload else {}
        return {"status": "Accepted" if self._station.store.clear(matches) else "Unknown"}

    def _on_composite(self, payload: Payload) -> Payload:
        if not self._station.traits.composite:
            raise AdapterRejected("GetCompositeSchedule")
        evse, duration_s, unit = payload["evseId"], payload["duration"], payload.get("chargingRateUnit", "A")
        schedule = {
            "evseId": evse,
            "duration": duration_s,
            "scheduleStart": time_text(self._station.utc_ms()),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": self._station.schedule(evse, duration_s, unit),
        }
        return {"status": "Accepted", "schedule": schedule}

    def _on_trigger(self, payload: Payload) -> Payload:
        if not self._station.traits.triggers:
            raise AdapterRejected("TriggerMessage")
        what, evse = payload["requestedMessage"], payload.get("evse", {})
        number = evse.get("id", 1)
        if what == "StatusNotification":
            if "connectorId" not in evse:  # F06.FR.12
                return {"status": "Rejected"}
            self._told.pop(number, None)
            self.tell_state(number)
        elif what == "TransactionEvent":
            if number not in self._station.served:
                return {"status": "Rejected"}
            self._tell_event(number, "Updated", "Trigger", **self._values(number, "SampledDataCtrlr"))
        elif what == "MeterValues" and (values := self._values(number, "AlignedDataCtrlr")):
            self._station.say("MeterValues", {"evseId": number} | values)
        else:
            return {"status": "NotImplemented"}
        return {"status": "Accepted"}

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Payload], Payload]]] = MappingProxyType(
        {
            "GetVariables": _on_get,
            "SetVariables": _on_set,
            "SetChargingProfile": _on_profile,
            "ClearChargingProfile": _on_clear,
            "GetCompositeSchedule": _on_composite,
            "TriggerMessage": _on_trigger,
        }
    )


def _as_kept(profile: Payload) -> dict[str, Any]:
    """A profile as 1.6 would write it."""
    kept = dict(profile) | {"chargingProfileId": profile["id"], "chargingSchedule": profile["chargingSchedule"][0]}
    if profile["chargingProfilePurpose"] == "ChargingStationMaxProfile":
        kept["chargingProfilePurpose"] = "ChargePointMaxProfile"
    return kept
