"""An emulated station of OCPP 1.6J: it dials in, keeps profiles as the standard has them, and fails on purpose.

Where it is not faithful: it starts a transaction for every vehicle by itself, has one unit of time for everything it
does, samples its meter at the instant it is asked, and knows only the messages that a load manager sends.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import attrs

from powershare.adapter import Clock
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare_ocpp.emulated_line import Saying, StationLine
from powershare_ocpp.emulated_profiles import PURPOSES, ProfileStore
from powershare_ocpp.frames import Call, Message, Payload, Refusal, Result
from powershare_ocpp.links import Link
from powershare_ocpp.profiles import instant_ms, time_text

Dial: TypeAlias = Callable[[str], Awaitable[Link]]
"""Dials in as the station of this identifier."""

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "vanishes": "it falls silent: it hears nothing, says nothing, and goes on",
        "ignores": "it accepts profiles and offers what it can all the same (outside A3)",
        "restarts": "it restarts once, and forgets its transactions' profiles",
        "faults": "its connectors are out of order",
    }
)


@attrs.frozen(kw_only=True)
class StationTraits:
    """What kind of station.

    Attributes:
        units: What it takes: `Current`, `Power` or both, as it says itself.
        most_level: Its greatest stack level.
        most_periods: How many periods its schedules may have.
        takes_tx: Whether it takes a `TxProfile`.
        composite: Whether it knows GetCompositeSchedule.
        triggers: Whether it knows TriggerMessage.
        metered: Whether it has a meter.
        volts: By which it tells watts as amps.
        ahead_ms: By how much its clock is ahead of what it was told.
        redial_ms: How long after a broken connection it dials again.
    """

    units: str = "Current,Power"
    most_level: int = 9
    most_periods: int = 24
    takes_tx: bool = True
    composite: bool = True
    triggers: bool = True
    metered: bool = True
    volts: int = 230
    ahead_ms: int = 0
    redial_ms: int = 100


@attrs.define
class Served:
    """A transaction.

    Attributes:
        since_ms: When it began, by the clock.
        number: The one that it was given; None: none yet.
    """

    since_ms: int
    number: int | None = None


class EmulatedStation:
    """One station.

    Args:
        name: Its identifier.
        outlets: Its connectors, wired to as many lines each.
        clock: Where the time comes from.
        traits: What kind it is.

    Attributes:
        store: Its profiles.
        line: What it says and hears.
        obeys: Whether it does what it accepts.
        writes: How many profiles that last were written.
    """

    def __init__(
        self, name: str, outlets: Sequence[Outlet], clock: Clock, traits: StationTraits, *, greatest_ma: int
    ) -> None:
        self.name, self.outlets, self.traits = name, outlets, traits
        self._clock, self._greatest_ma = clock, greatest_ma
        self._since_1970_ms = 0
        self.store = ProfileStore(traits.volts, outlets[0].lines, greatest_ma)
        self.obeys, self.writes = True, 0
        self._configuration = {
            "ChargeProfileMaxStackLevel": str(traits.most_level),
            "ChargingScheduleAllowedChargingRateUnit": traits.units,
            "ChargingScheduleMaxPeriods": str(traits.most_periods),
            "MeterValuesSampledData": "Energy.Active.Import.Register",
            "MeterValueSampleInterval": "0",
        }
        self._served: dict[int, Served] = {}
        self._told: dict[int, str] = {}
        self._booted = False
        self.line = StationLine(name, self._answer, self._look)
        self._sampled_ms = clock.now_ms()
        self.advance()

    # The device

    def advance(self) -> None:
        """Let pass what changes by itself up to now."""
        now_ms = self._clock.now_ms()
        for connector, outlet in enumerate(self.outlets, 1):
            outlet.advance(now_ms)
            if outlet.plugged and connector not in self._served:
                self._starts(connector)
            elif not outlet.plugged and connector in self._served:
                self._stops(connector)
            ordered_ma = self._ordered_ma(connector)
            if ordered_ma != outlet.ordered_ma:
                outlet.offer(ordered_ma, now_ms)
            if self.line.link is not None and self._booted:
                self._tell_status(connector)

    def utc_ms(self) -> int:
        """The present by its own clock, since 1970."""
        return self._clock.now_ms() + self._since_1970_ms

    def restart(self) -> None:
        """Lose power for a moment."""
        self.store.forget_transactions()
        self.line.lose()
        for connector in list(self._served):
            self._served[connector] = Served(self.utc_ms())
            self._say_start(connector)
        self._booted = False
        self._told.clear()
        self.advance()
        self.hang_up()

    def hang_up(self) -> None:
        """Break the connection."""
        if self.line.link is not None:
            self.line.link.abort()

    def status(self, connector: int) -> str:
        """The state of a connector, in the protocol's words."""
        outlet = self.outlets[connector - 1]
        if outlet.state in ("E", "F"):
            return "Faulted"
        if not outlet.plugged:
            return "Available"
        if outlet.state in ("C", "D"):
            return "Charging"
        return "SuspendedEV" if outlet.offered_ma else "SuspendedEVSE"

    def _ordered_ma(self, connector: int) -> int:
        served = self._served.get(connector)
        if served is None:
            return 0
        if not self.obeys:
            return self._greatest_ma
        return self.store.offered_ma(connector, self.utc_ms(), served.since_ms)

    def _starts(self, connector: int) -> None:
        self._served[connector] = Served(self.utc_ms())
        self._say_start(connector)

    def _say_start(self, connector: int) -> None:
        served = self._served[connector]

        def numbered(answer: Payload) -> None:
            served.number = answer.get("transactionId")

        self._say(
            "StartTransaction",
            {"connectorId": connector, "idTag": "FREE", "meterStart": 0, "timestamp": time_text(served.since_ms)},
            numbered,
        )

    def _stops(self, connector: int) -> None:
        served = self._served.pop(connector)
        self.store.end_transaction(connector)
        meter_wh = self.outlets[connector - 1].delivered_wh
        self._say(
            "StopTransaction",
            {"transactionId": served.number or 0, "meterStop": meter_wh, "timestamp": time_text(self.utc_ms())},
        )

    # The line

    async def run(self, dial: Dial) -> None:
        """Dial in, again and again, and answer, until cancelled."""
        while True:
            if not self.line.silent:
                with contextlib.suppress(AdapterUnavailable):
                    link = await dial(self.name)
                    self._told.clear()
                    await self.line.serve(link, self._first())
            self.advance()
            await asyncio.sleep(self.traits.redial_ms / 1_000)

    def _first(self) -> Saying:
        if self._booted:
            return Saying("Heartbeat", {}, self._set_clock)
        return Saying(
            "BootNotification", {"chargePointVendor": "powershare", "chargePointModel": "emulated"}, self._set_clock
        )

    def _look(self) -> None:
        self.advance()
        self._sample()

    def _set_clock(self, answer: Payload) -> None:
        self._booted = True
        told_ms = instant_ms(answer.get("currentTime"))
        if told_ms is not None:
            self._since_1970_ms = told_ms + self.traits.ahead_ms - self._clock.now_ms()

    def _say(self, action: str, payload: Payload, done: Callable[[Payload], None] = lambda _: None) -> None:
        self.line.say(Saying(action, payload, done))

    def _tell_status(self, connector: int, *, again: bool = False) -> None:
        status = self.status(connector)
        if again or self._told.get(connector) != status:
            self._told[connector] = status
            error = "OtherError" if status == "Faulted" else "NoError"
            stamp = time_text(self.utc_ms())
            self._say(
                "StatusNotification",
                {"connectorId": connector, "errorCode": error, "status": status, "timestamp": stamp},
            )

    def _sample(self) -> None:
        every_ms = int(self._configuration["MeterValueSampleInterval"]) * 1_000
        if self.traits.metered and every_ms and self._clock.now_ms() - self._sampled_ms >= every_ms:
            for connector in self._served:
                self._tell_meter(connector)

    def _tell_meter(self, connector: int) -> None:
        self._sampled_ms = self._clock.now_ms()
        outlet = self.outlets[connector - 1]
        wanted = self._configuration["MeterValuesSampledData"].split(",")
        samples: list[dict[str, str]] = []
        if "Current.Import" in wanted:
            samples += [
                {"value": _amps(drawn_ma), "measurand": "Current.Import", "unit": "A", "phase": f"L{line}"}
                for line, drawn_ma in enumerate(outlet.drawn_per_line_ma, 1)
            ]
        if "Current.Offered" in wanted:
            samples.append({"value": _amps(outlet.offered_ma), "measurand": "Current.Offered", "unit": "A"})
        payload: dict[str, Any] = {
            "connectorId": connector,
            "meterValue": [{"timestamp": time_text(self.utc_ms()), "sampledValue": samples}],
        }
        served = self._served.get(connector)
        if served is not None and served.number is not None:
            payload["transactionId"] = served.number
        if samples:
            self._say("MeterValues", payload)

    # What it is asked

    def _answer(self, call: Call) -> Message:
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
        if key.startswith("Charg") or not self.traits.metered:
            return {"status": "Rejected"}
        self._configuration[key] = value
        return {"status": "Accepted"}

    def _on_profile(self, payload: Payload) -> Payload:
        connector, profile = payload["connectorId"], payload["csChargingProfiles"]
        accepted = {"status": "Accepted" if self._takes(connector, profile) else "Rejected"}
        if accepted["status"] == "Accepted":
            self.store.put(connector, profile)
            self.writes += profile["chargingProfilePurpose"] != "TxProfile"
        return accepted

    def _takes(self, connector: int, profile: Payload) -> bool:
        schedule, purpose = profile["chargingSchedule"], profile["chargingProfilePurpose"]
        unit = {"A": "Current", "W": "Power"}[schedule["chargingRateUnit"]]
        if unit not in self.traits.units or purpose not in PURPOSES or connector > len(self.outlets):
            return False
        if profile["stackLevel"] > self.traits.most_level:
            return False
        if len(schedule["chargingSchedulePeriod"]) > self.traits.most_periods:
            return False
        if purpose != "TxProfile":
            return connector == 0 or bool(purpose == "TxDefaultProfile")
        served = self._served.get(connector)
        if served is None or not self.traits.takes_tx:
            return False
        return bool(profile.get("transactionId", served.number) == served.number)

    def _on_clear(self, payload: Payload) -> Payload:
        return {"status": "Accepted" if self.store.clear(payload) else "Unknown"}

    def _on_composite(self, payload: Payload) -> Payload:
        if not self.traits.composite:
            raise AdapterRejected("GetCompositeSchedule")
        connector, duration_s = payload["connectorId"], payload["duration"]
        served, now_ms = self._served.get(connector), self.utc_ms()
        periods = self.store.schedule(connector, now_ms, duration_s, None if served is None else served.since_ms)
        unit = payload.get("chargingRateUnit", "A")
        lines = self.outlets[0].lines
        factor = 1 if unit == "A" else self.traits.volts * lines
        told = [
            {"startPeriod": start_s, "limit": offered_ma * factor // 100 / 10, "numberPhases": lines}
            for start_s, offered_ma in periods
        ]
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": time_text(now_ms),
            "chargingSchedule": {"duration": duration_s, "chargingRateUnit": unit, "chargingSchedulePeriod": told},
        }

    def _on_trigger(self, payload: Payload) -> Payload:
        if not self.traits.triggers:
            raise AdapterRejected("TriggerMessage")
        what, connector = payload["requestedMessage"], payload.get("connectorId", 1)
        if what == "StatusNotification":
            self._tell_status(connector, again=True)
        elif what == "MeterValues" and self.traits.metered:
            self._tell_meter(connector)
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

    # Failures

    def fail(self, failure: str, /) -> None:
        """Begin a failure, or end what can end with `none`.

        Raises:
            ValueError: There is no such failure.
        """
        now_ms = self._clock.now_ms()
        if failure == "vanishes":
            self.line.silent = True
        elif failure == "ignores":
            self.obeys = False
        elif failure == "restarts":
            self.restart()
        elif failure == "faults":
            for outlet in self.outlets:
                outlet.fail(True, now_ms)
        elif failure == "none":
            self.line.silent, self.obeys = False, True
            for outlet in self.outlets:
                outlet.fail(False, now_ms)
        else:
            raise ValueError(f"there is no failure {failure!r}; there are {', '.join(FAILURES)} and none")
        self.advance()


def _amps(current_ma: int) -> str:
    return f"{current_ma / 1_000:.3f}"
