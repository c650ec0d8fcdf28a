"""What an emulated station says and understands of OCPP 1.6: written apart from the side that asks."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from powershare.errors import AdapterRejected
from powershare_ocpp.emulated.station import EmulatedStation, Served, amps
from powershare_ocpp.profiles import time_text
from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result


class Voice16:
    """OCPP 1.6J.

    Args:
        station: Whose it is.
    """

    subprotocol: ClassVar[str] = "ocpp1.6"

    def __init__(self, station: EmulatedStation) -> None:
        self._station, traits = station, station.traits
        self._configuration = {
            "ChargeProfileMaxStackLevel": str(traits.most_level),
            "ChargingScheduleAllowedChargingRateUnit": traits.units,
            "ChargingScheduleMaxPeriods": str(traits.most_periods),
            "MeterValuesSampledData": "Energy.Active.Import.Register",
            "MeterValueSampleInterval": "0",
        }
        self._told: dict[int, str] = {}

    @property
    def sampled_every_s(self) -> int:
        """As it is configured."""
        return int(self._configuration["MeterValueSampleInterval"])

    def boot(self) -> Payload:
        """A BootNotification."""
        firmware = self._station.traits.firmware
        return {"chargePointVendor": "powershare", "chargePointModel": "emulated", "firmwareVersion": firmware}

    # Saying

    def dialled(self) -> None:
        """Whoever is there may know nothing."""
        self._told.clear()

    def tell_state(self, connector: int) -> None:
        """A StatusNotification, where it is news."""
        if self._told.get(connector) != self.status(connector):
            self._tell_status(connector)

    def status(self, connector: int) -> str:
        """The state of a connector, in the protocol's words."""
        outlet = self._station.outlets[connector - 1]
        if outlet.state in ("E", "F"):
            return "Faulted"
        if not outlet.plugged:
            return "Available"
        if outlet.state in ("C", "D"):
            return "Charging"
        return "SuspendedEV" if outlet.offered_ma else "SuspendedEVSE"

    def _tell_status(self, connector: int) -> None:
        status = self._told[connector] = self.status(connector)
        error = "OtherError" if status == "Faulted" else "NoError"
        stamp = time_text(self._station.utc_ms())
        told = {"connectorId": connector, "errorCode": error, "status": status, "timestamp": stamp}
        self._station.say("StatusNotification", told)

    def tell_start(self, connector: int, served: Served) -> None:
        """A StartTransaction, whose answer has its number."""

        def numbered(answer: Payload) -> None:
            served.number = answer.get("transactionId")

        stamp = time_text(served.since_ms)
        told = {"connectorId": connector, "idTag": "FREE", "meterStart": 0, "timestamp": stamp}
        self._station.say("StartTransaction", told, numbered)

    def tell_stop(self, connector: int, served: Served) -> None:
        """A StopTransaction."""
        meter_wh = self._station.outlets[connector - 1].delivered_wh
        stamp = time_text(self._station.utc_ms())
        told = {"transactionId": served.number or 0, "meterStop": meter_wh, "timestamp": stamp}
        self._station.say("StopTransaction", told)

    def tell_meter(self, connector: int) -> None:
        """MeterValues."""
        outlet = self._station.outlets[connector - 1]
        wanted = self._configuration["MeterValuesSampledData"].split(",")
        samples: list[dict[str, str]] = []
        if "Current.Import" in wanted:
            samples += [
                {"value": f"{amps(drawn_ma):.3f}", "measurand": "Current.Import", "unit": "A", "phase": f"L{line}"}
                for line, drawn_ma in enumerate(outlet.drawn_per_line_ma, 1)
            ]
        if "Current.Offered" in wanted:
            offered = f"{amps(outlet.offered_ma):.3f}"
            samples.append({"value": offered, "measurand": "Current.Offered", "unit": "A"})
        stamp = time_text(self._station.utc_ms())
        payload: dict[str, Any] = {
            "connectorId": connector,
            "meterValue": [{"timestamp": stamp, "sampledValue": samples}],
        }
        served = self._station.served.get(connector)
        if served is not None and served.number is not None:
            payload["transactionId"] = served.number
        if samples:
            self._station.say("MeterValues", payload)

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
            return Refusal(call.id, "FormationViolation", repr(error))

    def _on_configuration(self, payload: Payload) -> Payload:
        asked = payload.get("key") or list(self._configuration)
        known = [
            {"key": key, "readonly": key.startswith("Charg"), "value": self._configuration[key]}
            for key in asked
            if key in self._configuration
        ]
        return {"configurationKey": known, "unknownKey": [key for key in asked if key not in self._configuration]}

    def _on_change(self, payload: Payload) -> Payload:
        key, value = payload["key"], payload["value"]
        if key not in self._configuration:
            return {"status": "NotSupported"}
        if key.startswith("Charg") or not self._station.traits.metered:
            return {"status": "Rejected"}
        self._configuration[key] = value
        return {"status": "Accepted"}

    def _on_profile(self, payload: Payload) -> Payload:
        connector, profile = payload["connectorId"], payload["csChargingProfiles"]
        if self._station.refuses(connector, profile) is not None:
            return {"status": "Rejected"}
        self._station.takes(connector, profile)
        return {"status": "Accepted"}

    def _on_clear(self, payload: Payload) -> Payload:
        return {"status": "Accepted" if self._station.store.clear(payload) else "Unknown"}

    def _on_composite(self, payload: Payload) -> Payload:
        if not self._station.traits.composite:
            raise AdapterRejected("GetCompositeSchedule")
        connector, duration_s = payload["connectorId"], payload["duration"]
        unit = payload.get("chargingRateUnit", "A")
        periods = self._station.schedule(connector, duration_s, unit)
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": time_text(self._station.utc_ms()),
            "chargingSchedule": {"duration": duration_s, "chargingRateUnit": unit, "chargingSchedulePeriod": periods},
        }

    def _on_trigger(self, payload: Payload) -> Payload:
        if not self._station.traits.triggers:
            raise AdapterRejected("TriggerMessage")
        what, connector = payload["requestedMessage"], payload.get("connectorId", 1)
        if what == "StatusNotification":
            self._tell_status(connector)
        elif what == "MeterValues" and self._station.traits.metered:
            self.tell_meter(connector)
        else:
            return {"status": "NotImplemented"}
        return {"status": "Accepted"}

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Payload], Payload]]] = MappingProxyType(
        {
            "GetConfiguration": _on_configuration,
            "ChangeConfiguration": _on_change,
            "SetChargingProfile": _on_profile,
            "ClearChargingProfile": _on_clear,
            "GetCompositeSchedule": _on_composite,
            "TriggerMessage": _on_trigger,
        }
    )
