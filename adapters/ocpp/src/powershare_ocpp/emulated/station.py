"""An emulated station: it dials in, keeps profiles as the standard has them, and fails on purpose.

What it says and understands is its version's (`voice16`, `voice201`); what it is and does is here.
Where it is not faithful: it starts a transaction for every vehicle by itself, has one unit of time for everything it
does, samples its meter at the instant it is asked, and knows only the messages that a load manager sends.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Protocol, TypeAlias

import attrs

from powershare.adapter import Clock
from powershare.errors import AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare_ocpp.emulated.line import Saying, StationLine
from powershare_ocpp.emulated.profiles import PURPOSES, ProfileStore
from powershare_ocpp.profiles import instant_ms
from powershare_ocpp.wire.frames import Call, Message, Payload
from powershare_ocpp.wire.links import Link

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
        units: What it takes: `Current`, `Power` or both, as 1.6 says it.
        most_level: Its greatest stack level, as it says itself.
        takes_level: The greatest that it takes; None: what it says is true.
        most_periods: How many periods its schedules may have.
        takes_tx: Whether it takes a `TxProfile`.
        renews_tx: Whether a `TxProfile` may take the place of one of its own id, as it should.
        composite: Whether it knows GetCompositeSchedule.
        triggers: Whether it knows TriggerMessage.
        metered: Whether it has a meter.
        most_variables: How many it is asked for at once (2.0.1).
        firmware: The version that it says it has.
        volts: By which it tells watts as amps.
        ahead_ms: By how much its clock is ahead of what it was told.
        redial_ms: How long after a broken connection it dials again.
    """

    units: str = "Current,Power"
    most_level: int = 9
    takes_level: int | None = None
    most_periods: int = 24
    takes_tx: bool = True
    renews_tx: bool = True
    composite: bool = True
    triggers: bool = True
    metered: bool = True
    most_variables: int = 50
    firmware: str = "1"
    volts: int = 230
    ahead_ms: int = 0
    redial_ms: int = 100


@attrs.define
class Served:
    """A transaction.

    Attributes:
        since_ms: When it began, by the station's clock.
        number: The number that it was given (1.6), or the name that it has (2.0.1); None: none yet.
    """

    since_ms: int
    number: int | str | None = None


class Voice(Protocol):
    """How a station speaks: one version of OCPP."""

    subprotocol: ClassVar[str]
    """Its name in a WebSocket's handshake."""

    @property
    def sampled_every_s(self) -> int:
        """So often it says by itself what its meter measures; 0: never."""
        ...

    def boot(self) -> Payload:
        """A BootNotification."""
        ...

    def answer(self, call: Call) -> Message:
        """The answer to what the central system asks."""
        ...

    def dialled(self) -> None:
        """A new connection: whoever is there may know nothing."""
        ...

    def tell_state(self, connector: int) -> None:
        """Say what state a connector is in, where that is news."""
        ...

    def tell_start(self, connector: int, served: Served) -> None:
        """Say that a transaction begins."""
        ...

    def tell_stop(self, connector: int, served: Served) -> None:
        """Say that it ends."""
        ...

    def tell_meter(self, connector: int) -> None:
        """Say what the meter measures."""
        ...


NewVoice: TypeAlias = Callable[["EmulatedStation"], Voice]


class EmulatedStation:
    """One station.

    Args:
        name: Its identifier.
        outlets: Its connectors, wired to as many lines each.
        clock: Where the time comes from.
        traits: What kind it is.
        new_voice: The version that it speaks.
        greatest_ma: What it offers without any profile.

    Attributes:
        store: Its profiles.
        line: What it says and hears.
        obeys: Whether it does what it accepts.
        served: Its transactions, by connector.
        writes: How many profiles that last were written.
    """

    def __init__(
        self,
        name: str,
        outlets: Sequence[Outlet],
        clock: Clock,
        traits: StationTraits,
        new_voice: NewVoice,
        *,
        greatest_ma: int,
    ) -> None:
        self.name, self.outlets, self.traits = name, outlets, traits
        self._clock, self._greatest_ma = clock, greatest_ma
        self._since_1970_ms = 0
        self.store = ProfileStore(traits.volts, outlets[0].lines, greatest_ma)
        self.obeys, self.writes = True, 0
        self.served: dict[int, Served] = {}
        self._booted = False
        self.voice = new_voice(self)
        self.line = StationLine(name, self.voice.answer, self._look)
        self._sampled_ms = clock.now_ms()
        self.advance()

    # The device

    def advance(self) -> None:
        """Let pass what changes by itself up to now."""
        now_ms = self._clock.now_ms()
        for connector, outlet in enumerate(self.outlets, 1):
            outlet.advance(now_ms)
            if outlet.plugged and connector not in self.served:
                self._starts(connector)
            elif not outlet.plugged and connector in self.served:
                self._stops(connector)
            ordered_ma = self._ordered_ma(connector)
            if ordered_ma != outlet.ordered_ma:
                outlet.offer(ordered_ma, now_ms)
            if self.line.link is not None and self._booted:
                self.voice.tell_state(connector)

    def utc_ms(self) -> int:
        """The present by its own clock, since 1970."""
        return self._clock.now_ms() + self._since_1970_ms

    def restart(self) -> None:
        """Lose power for a moment."""
        self.store.forget_transactions()
        self.line.lose()
        for connector in list(self.served):
            self._stops(connector)
            self._starts(connector)
        self._booted = False
        self.voice.dialled()
        self.advance()
        self.hang_up()

    def hang_up(self) -> None:
        """Break the connection."""
        if self.line.link is not None:
            self.line.link.abort()

    def _ordered_ma(self, connector: int) -> int:
        served = self.served.get(connector)
        if served is None:
            return 0
        if not self.obeys:
            return self._greatest_ma
        return self.store.offered_ma(connector, self.utc_ms(), served.since_ms)

    def _starts(self, connector: int) -> None:
        served = self.served[connector] = Served(self.utc_ms())
        self.voice.tell_start(connector, served)

    def _stops(self, connector: int) -> None:
        served = self.served.pop(connector)
        self.store.end_transaction(connector)
        self.voice.tell_stop(connector, served)

    # Profiles

    def refuses(self, connector: int, profile: Payload) -> str | None:
        """Why it does not take a profile, in the words of 2.0.1; None: it does.

        Args:
            connector: Where.
            profile: As 1.6 writes it.
        """
        schedule, purpose = profile["chargingSchedule"], profile["chargingProfilePurpose"]
        unit = {"A": "Current", "W": "Power"}[schedule["chargingRateUnit"]]
        if unit not in self.traits.units:
            return "UnsupportedRateUnit"
        if purpose not in PURPOSES or connector > len(self.outlets):
            return "InvalidValue"
        most_level = self.traits.most_level if self.traits.takes_level is None else self.traits.takes_level
        if profile["stackLevel"] > most_level:
            return "InvalidStackLevel"
        if len(schedule["chargingSchedulePeriod"]) > self.traits.most_periods:
            return "InvalidSchedule"
        if purpose != "TxProfile":
            return None if connector == 0 or purpose == "TxDefaultProfile" else "InvalidValue"
        served = self.served.get(connector)
        if served is None or profile.get("transactionId", served.number) != served.number:
            return "TxNotFound"
        if not self.traits.renews_tx and self.store.has(connector, profile):
            return "InvalidStackLevel"
        return None if self.traits.takes_tx else "UnsupportedRequest"

    def takes(self, connector: int, profile: Payload) -> None:
        """Keep a profile, as 1.6 writes it."""
        self.store.put(connector, profile)
        self.writes += profile["chargingProfilePurpose"] != "TxProfile"

    def schedule(self, connector: int, duration_s: int, unit: str) -> list[Payload]:
        """The periods of its composite schedule, which both versions write alike."""
        served, lines = self.served.get(connector), self.outlets[0].lines
        since_ms = None if served is None else served.since_ms
        factor = 1 if unit == "A" else self.traits.volts * lines
        return [
            {"startPeriod": start_s, "limit": offered_ma * factor // 100 / 10, "numberPhases": lines}
            for start_s, offered_ma in self.store.schedule(connector, self.utc_ms(), duration_s, since_ms)
        ]

    # The line

    async def run(self, dial: Dial) -> None:
        """Dial in, again and again, and answer, until cancelled."""
        while True:
            if not self.line.silent:
                with contextlib.suppress(AdapterUnavailable):
                    link = await dial(self.name)
                    self.voice.dialled()
                    await self.line.serve(link, self._first())
            self.advance()
            await asyncio.sleep(self.traits.redial_ms / 1_000)

    def say(self, action: str, payload: Payload, done: Callable[[Payload], None] = lambda _: None) -> None:
        """Say something as soon as what comes before it was answered."""
        self.line.say(Saying(action, payload, done))

    def _first(self) -> Saying:
        if self._booted:
            return Saying("Heartbeat", {}, self._set_clock)
        return Saying("BootNotification", self.voice.boot(), self._set_clock)

    def _look(self) -> None:
        self.advance()
        every_ms = self.voice.sampled_every_s * 1_000
        if self.traits.metered and every_ms and self._clock.now_ms() - self._sampled_ms >= every_ms:
            self._sampled_ms = self._clock.now_ms()
            for connector in self.served:
                self.voice.tell_meter(connector)

    def _set_clock(self, answer: Payload) -> None:
        self._booted = True
        told_ms = instant_ms(answer.get("currentTime"))
        if told_ms is not None:
            self._since_1970_ms = told_ms + self.traits.ahead_ms - self._clock.now_ms()

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


def amps(current_ma: int) -> float:
    """A current as a meter says it."""
    return current_ma / 1_000
