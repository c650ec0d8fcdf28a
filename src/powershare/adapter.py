"""The contract between the library and a device: what an adapter declares, is asked, answers and may raise.

Rule 1: an order is never bare amps. It is an `Offer`: amps, until when, and what then (a dead man's switch).
Rule 2: "accepted" proves nothing. What counts is `Reading.offered_ma`, what the device says it offers now.
Rule 3: every method raises only `AdapterError` and its kinds, and `asyncio.CancelledError`.
Rule 4: a constructor stores; `open()` dials. Neither ever raises what the device offers.

`powershare.testing.AdapterConformance` checks all of it against a device. How to write one: docs/writing-an-adapter.md.
"""

import enum
import time
from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

import attrs

from powershare.errors import AdapterRejected, ContractError
from powershare.units import MAX_CONNECTOR_MA, LineMilliamps, Milliamps, down_to_step

PilotState: TypeAlias = Literal["A", "B", "C", "D", "E", "F"]
"""The control pilot (IEC 61851-1): A no vehicle, B connected, C wants energy, D with ventilation, E and F fault."""

PILOT_STATES: tuple[PilotState, ...] = get_args(PilotState)


class Deadman(enum.Enum):
    """What stops a device when nobody speaks to it any more."""

    LEASE = "lease"
    """The device itself knows until when an offer holds and what follows it."""
    WATCHDOG = "watchdog"
    """The device has one timer, fed by messages, and one failsafe current."""
    NONE = "none"
    """The device keeps its last offer for ever."""


_FIGURES = ("step_ma", "least_offer_ma", "greatest_offer_ma", "fallback_ma", "settle_ms", "longest_write_ms")
"""Fields of a declaration that are always whole numbers."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_report(report: object, at_ms: object, currents_ma: tuple[object, ...]) -> None:
    """Refuse what no device can have said: NaN and halves of a milliamp would pass every later comparison."""
    if not all(map(_is_whole, (at_ms, *currents_ma))):
        raise ContractError(f"{report}: a figure is no whole number of milliamps or milliseconds")
    if any(isinstance(current_ma, int) and current_ma < 0 for current_ma in currents_ma):
        raise ContractError(f"{report}: a current is negative")


@attrs.frozen(kw_only=True)
class Offer:
    """An order: offer this much, until then, and afterwards that much.

    Attributes:
        offered_ma: The most the device may offer now; 0 pauses. The device may offer less, never more.
        valid_until_ms: The instant of the adapter's clock at which `then_ma` counts, unless renewed before.
        then_ma: The most the device may offer afterwards.

    Raises:
        ContractError: A figure is negative, or no whole number.
    """

    offered_ma: Milliamps
    valid_until_ms: int
    then_ma: Milliamps

    def __attrs_post_init__(self) -> None:
        for name, value in (("offered_ma", self.offered_ma), ("then_ma", self.then_ma)):
            if not _is_whole(value) or not 0 <= value <= MAX_CONNECTOR_MA:
                raise ContractError(f"Offer.{name} is {value!r}; it must be 0 to {MAX_CONNECTOR_MA} mA")
        if not _is_whole(self.valid_until_ms):
            raise ContractError(f"Offer.valid_until_ms is {self.valid_until_ms!r}; it must be whole milliseconds")


@attrs.frozen(kw_only=True)
class Applied:
    """The device's answer to an order.

    Attributes:
        offered_ma: What the device says it has applied; None where its answer does not say.
        at_ms: The adapter's clock, read after the answer came.

    Raises:
        ContractError: A figure is negative, or no whole number.
    """

    offered_ma: Milliamps | None
    at_ms: int

    def __attrs_post_init__(self) -> None:
        _check_report(self, self.at_ms, () if self.offered_ma is None else (self.offered_ma,))


@attrs.frozen(kw_only=True)
class Reading:
    """What the device reports of itself.

    Attributes:
        at_ms: The adapter's clock, read after the answer came.
        offered_ma: What the control pilot says now; 0 when it pauses.
        state: State of the control pilot.
        drawn_ma: Current into the vehicle per line, in the connector's own order, rounded up; None without a meter.
        vehicle: Identity of the vehicle; None when unknown.
        contactor_closed: Whether the contactor is closed; None when the device does not say.
        fault: The device's own words for what is wrong with it; None when nothing is.

    Raises:
        ContractError: A figure is negative, or no whole number, or there is no such state.
    """

    at_ms: int
    offered_ma: Milliamps
    state: PilotState
    drawn_ma: LineMilliamps | None = None
    vehicle: str | None = None
    contactor_closed: bool | None = None
    fault: str | None = None

    def __attrs_post_init__(self) -> None:
        _check_report(self, self.at_ms, (self.offered_ma, *(self.drawn_ma or ())))
        if self.state not in PILOT_STATES:
            raise ContractError(f"Reading.state is {self.state!r}; it must be one of {', '.join(PILOT_STATES)}")


@attrs.frozen(kw_only=True)
class Declaration:
    """What an adapter promises about its device; the conformance kit holds it to every word.

    Attributes:
        step_ma: Offers are multiples of it. Units of the device round down to it, never up.
        least_offer_ma: The least offer above 0. 6 A is the least a control pilot can say (IEC 61851-1, SAE J1772).
        greatest_offer_ma: The greatest offer.
        can_pause: Whether 0 can be ordered.
        deadman: What stops the device when nobody speaks to it.
        watchdog_ms: With a watchdog, and only then: the longest time from the last message until it acts. With
            several timers, the shortest.
        fallback_ma: What the device offers at the most when left alone: once its watchdog has acted, and after a
            restart of its own. Without a dead man's switch that is its greatest offer.
        settle_ms: The longest time from the return of `offer()` until the pilot and the device's report have changed.
        lowers_ms: The same for an order that lowers, where that is sooner: others wait for it; None: as long.
        longest_write_ms: The longest that `offer()` may take, to its return or its error.
        confirms_applied: Whether the answer to an order carries what was applied.
        fed_by_reads: Whether asking the device feeds its watchdog, too; it is then not asked once an order is over.

    Raises:
        ContractError: The figures contradict each other; the message names every contradiction.
    """

    step_ma: Milliamps
    least_offer_ma: Milliamps = 6_000
    greatest_offer_ma: Milliamps
    can_pause: bool
    deadman: Deadman
    watchdog_ms: int | None = None
    fallback_ma: Milliamps
    settle_ms: int
    lowers_ms: int | None = None
    longest_write_ms: int = 500
    confirms_applied: bool
    fed_by_reads: bool = False

    def __attrs_post_init__(self) -> None:
        problems = "; ".join(self._problems())
        if problems:
            raise ContractError(f"Declaration: {problems}")

    def _problems(self) -> Iterator[str]:
        optional = ("watchdog_ms", "lowers_ms")
        figures = (*_FIGURES, *(name for name in optional if getattr(self, name) is not None))
        fractions = [name for name in figures if not _is_whole(getattr(self, name))]
        if fractions:
            yield from (f"{name} is {getattr(self, name)!r}, no whole number" for name in fractions)
            return
        if self.step_ma <= 0:
            yield f"step_ma is {self.step_ma}, not above 0"
            return
        if not 0 < self.least_offer_ma <= self.greatest_offer_ma <= MAX_CONNECTOR_MA:
            yield f"least_offer_ma {self.least_offer_ma} and greatest_offer_ma {self.greatest_offer_ma} are no range"
        for name in ("least_offer_ma", "greatest_offer_ma", "fallback_ma"):
            if getattr(self, name) % self.step_ma:
                yield f"{name} {getattr(self, name)} is no multiple of step_ma {self.step_ma}"
        if self.fallback_ma and not self.least_offer_ma <= self.fallback_ma <= self.greatest_offer_ma:
            yield f"fallback_ma {self.fallback_ma} is neither 0 nor between the least and the greatest offer"
        if (self.deadman is Deadman.WATCHDOG) != (self.watchdog_ms is not None):
            yield f"watchdog_ms is {self.watchdog_ms} with deadman {self.deadman.value}; it belongs to a watchdog"
        if self.watchdog_ms is not None and self.watchdog_ms < 2:
            yield f"watchdog_ms is {self.watchdog_ms}; half of it must be a time"
        if self.deadman is Deadman.NONE and self.fallback_ma != self.greatest_offer_ma:
            yield "without a dead man's switch fallback_ma is the greatest offer: nothing lowers it"
        if self.lowers_ms is not None and not 0 <= self.lowers_ms <= self.settle_ms:
            yield f"lowers_ms {self.lowers_ms} is not within settle_ms {self.settle_ms}"
        if self.settle_ms < 0 or self.longest_write_ms <= 0:
            yield f"settle_ms {self.settle_ms} and longest_write_ms {self.longest_write_ms} are no times"

    @property
    def lowered_ms(self) -> int:
        """The longest time until an order that lowers shows."""
        return self.settle_ms if self.lowers_ms is None else self.lowers_ms

    @property
    def refresh_ms(self) -> int | None:
        """How often to repeat an order, unchanged ones and 0 too: half the watchdog; None without one."""
        return None if self.watchdog_ms is None else self.watchdog_ms // 2

    def sendable_ma(self, wanted_ma: Milliamps) -> Milliamps:
        """The greatest offer the device can say that is not above the one wanted.

        Raises:
            AdapterRejected: It would be a pause, and the device cannot pause.
        """
        sendable_ma = down_to_step(min(wanted_ma, self.greatest_offer_ma), self.step_ma)
        if sendable_ma >= self.least_offer_ma:
            return sendable_ma
        if not self.can_pause:
            raise AdapterRejected(f"{wanted_ma} mA is below {self.least_offer_ma} mA, and the device cannot pause")
        return 0

    def most_offered_ma(self, last: Offer, now_ms: int) -> Milliamps:
        """The most the device may be offering if `last` was the last order that may have reached it.

        A watchdog may act at any moment, and a device without one may restart, so that neither ever counts less than
        its fallback.
        """
        if self.deadman is Deadman.LEASE:
            return last.offered_ma if now_ms < last.valid_until_ms else last.then_ma
        if self.watchdog_ms is None or now_ms >= last.valid_until_ms + self.watchdog_ms:
            return self.fallback_ma
        return max(last.offered_ma, self.fallback_ma)


class Clock(Protocol):
    """Where an adapter gets the time from: handed to it, never read from elsewhere."""

    def now_ms(self) -> int:
        """Whole milliseconds, monotonic, starting anywhere."""
        ...


class HostClock:
    """The host's own clock: monotonic, and where the system has such a one, counting while the host is suspended."""

    _clock_id = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

    def now_ms(self) -> int:
        """Whole milliseconds since some instant before the program started."""
        now_ns = time.monotonic_ns() if self._clock_id is None else time.clock_gettime_ns(self._clock_id)
        return now_ns // 1_000_000


@runtime_checkable
class Adapter(Protocol):
    """A device, as the library sees it.

    One caller at a time: calls on one adapter do not overlap, but for `close()`, which may come at any moment. A
    cancelled call leaves the device within its old and its new order, leaves no task behind, and the adapter usable.
    """

    @property
    def declaration(self) -> Declaration:
        """What the adapter promises; the same for as long as it is open."""
        ...

    async def open(self) -> None:
        """Dial, and learn what there is to learn. Open twice is open once; after `close()` it opens again.

        Raises:
            AdapterError: The device cannot be reached, or is not what it should be.
        """
        ...

    async def offer(self, offer: Offer) -> Applied:
        """Order the device, within `Declaration.longest_write_ms`, what it may offer.

        Amounts round down to the step and below the least offer to a pause, never up. An order that is already over
        is refused, or its `then_ma` is applied. An adapter that keeps a device alive on its own, with heartbeats,
        stops doing so when the order is over.

        Raises:
            AdapterRejected: The device refused, or cannot be told so.
            AdapterTimeout: No answer in time: the device may be at its old or at its new offer.
            AdapterUnavailable: The device cannot be reached, or the adapter is closed.
        """
        ...

    async def read(self) -> Reading:
        """What the device reports now, asked for now and not remembered.

        Raises:
            AdapterError: It did not answer, or not what can be understood.
        """
        ...

    async def close(self) -> None:
        """Let go of the device, which its dead man's switch brings to its fallback. Never fails; may be repeated."""
        ...


class AdapterFactory(Protocol):
    """What an entry point in the group `powershare.adapters` names: usually the adapter's class."""

    def __call__(self, rest: str, /, *, clock: Clock) -> Adapter:
        """Build an adapter, without touching the device.

        Args:
            rest: What follows the adapter's name in an address; see `registry.split_address`.
            clock: Where the adapter gets the time from.

        Raises:
            FormatError: The rest means nothing to this adapter; every problem at once.
        """
        ...


@runtime_checkable
class SupportsMetering(Protocol):
    """The device measures: `Reading.drawn_ma` is never None."""

    @property
    def metered_lines(self) -> int:
        """How many lines it measures: the length of `Reading.drawn_ma`."""
        ...


@runtime_checkable
class SupportsVehicleIdentity(Protocol):
    """The device can tell vehicles apart: `Reading.vehicle` names the one that is plugged in, once known."""

    @property
    def identity_kind(self) -> str:
        """What the identity is: `vin`, `mac`, `rfid`."""
        ...


@runtime_checkable
class SupportsPhaseSwitch(Protocol):
    """The device can connect the vehicle to fewer lines than it is wired to."""

    @property
    def line_counts(self) -> frozenset[int]:
        """The numbers of lines to choose from."""
        ...

    async def use_lines(self, count: int) -> None:
        """Connect this many lines.

        Raises:
            AdapterRejected: It is none of `line_counts`, or not possible now.
        """
        ...


@runtime_checkable
class SupportsContactor(Protocol):
    """The device lets us cut the vehicle off, whatever the pilot says: `Reading.contactor_closed` is never None."""

    async def open_contactor(self) -> None:
        """Cut the vehicle off now, and keep it so."""
        ...

    async def release_contactor(self) -> None:
        """Let the device close the contactor again when vehicle and pilot allow it."""
        ...


@runtime_checkable
class SupportsFallback(Protocol):
    """The device can be told what to offer when it is left alone, and keeps it."""

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Have the device offer at most this when it is left alone, from now on.

        Called once after `open()`, before the first order. It is written only where it is not so already, since some
        devices wear out, and read back.

        Returns:
            What the device says it will do; it counts in place of `Declaration.fallback_ma` where it is less.

        Raises:
            AdapterError: It cannot be told so, or did not answer.
        """
        ...
