"""What a family of devices is like, as a value: which registers it has, what feeds its watchdog, what follows."""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import attrs

from powershare.adapter import PilotState
from powershare.units import Milliamps
from powershare_serial.modbus.registers import Kind, Register

Ends: TypeAlias = Literal["order", "message"]
"""What brings a device back after its watchdog has acted: an order alone, or any message, with its old order."""


@attrs.frozen(kw_only=True)
class Connection:
    """How a device is reached.

    Attributes:
        unit: Its address on a line as it comes out of its box.
        tcp: Whether it speaks Modbus TCP by itself.
        baud: Bits per second on a serial line.
        parity: Parity bit.
        stop_bits: 1 or 2.
        gap_ms: The least silence between two frames.
        block_reads: Whether figures that lie side by side may be read at once.
        connector_step: How far apart the registers of two connectors of one station lie; 0: there is one connector.
    """

    unit: int
    tcp: bool
    baud: int
    parity: Literal["none", "even", "odd"]
    stop_bits: Literal[1, 2]
    gap_ms: int
    block_reads: bool
    connector_step: int


@attrs.frozen(kw_only=True)
class Range:
    """What can be ordered.

    Attributes:
        least_ma: The least offer above 0.
        greatest_ma: The greatest offer.
        step_ma: The step of offers.
        settle_ms: The longest from an answer to the pilot.
    """

    least_ma: Milliamps
    greatest_ma: Milliamps
    step_ma: Milliamps
    settle_ms: int


@attrs.frozen(kw_only=True)
class Setpoint:
    """Where an order goes.

    Attributes:
        register: The register.
        zero_pauses: Whether 0 in it pauses. If not, 0 is never written: on some devices it means "no limit".
        wears: Whether it is kept in a memory that wears out; then it is read first, and written only to change it.
    """

    register: Register
    zero_pauses: bool
    wears: bool


@attrs.frozen(kw_only=True)
class Release:
    """A switch beside the order.

    Attributes:
        register: The switch.
        on: What lets the device charge.
        off: What pauses it.
        readable: Whether it can be read.
    """

    register: Register
    on: int
    off: int
    readable: bool


@attrs.frozen(kw_only=True)
class Reported:
    """Where the device says what it offers.

    Attributes:
        register: The register, in milliamps; None: it does not say, and what it was told last counts.
        applied: Whether it says what the pilot says; if not, it repeats the order, tripped or not.
    """

    register: Register | None
    applied: bool


@attrs.frozen(kw_only=True)
class StateRule:
    """What a register says of the state of the pilot. The first rule that knows its value decides.

    Attributes:
        register: The register.
        values: What stands in it, and which state that is.
        not_offering: Values at which nothing is offered, whatever else is said.
    """

    register: Register
    values: Mapping[int | str, PilotState]
    not_offering: tuple[int | str, ...]


@attrs.frozen(kw_only=True)
class Failsafe:
    """Where the device is told what to offer when it is left alone.

    Attributes:
        register: The register, in milliamps.
        least_ma: The least that it can be told.
        zero_raw: What is written for a pause.
        off_raw: What stands for "offer what you like"; never written.
    """

    register: Register
    least_ma: Milliamps
    zero_raw: int
    off_raw: int | None

    def words_for(self, fallback_ma: Milliamps) -> tuple[int, ...]:
        """The words for a current, rounded down, or for the least that can be told.

        Raises:
            AdapterRejected: They cannot be said.
        """
        fallback_ma = max(fallback_ma, self.least_ma)
        words = self.register.words_below(fallback_ma)
        if self.register.kind is Kind.FLOAT32:
            return words
        # Less than one unit is a pause, and never what means "offer what you like".
        special = fallback_ma == 0 or self.register.raw_of(words) in {0, self.off_raw, self.zero_raw}
        return self.register.words_of(self.zero_raw) if special else words

    def current_ma(self, words: tuple[int, ...]) -> Milliamps | None:
        """What words mean, rounded up; None: the device will offer what it likes, or does not know."""
        raw = self.register.raw_of(words) if self.register.kind is not Kind.FLOAT32 else None
        if raw is not None and raw == self.off_raw:
            return None
        return 0 if raw is not None and raw == self.zero_raw else self.register.thousandths_of(words)


@attrs.frozen(kw_only=True)
class Heartbeat:
    """What is written to show that somebody is there.

    Attributes:
        register: Where to.
        raw: What.
        every_ms: How often at the least.
    """

    register: Register
    raw: int
    every_ms: int


@attrs.frozen(kw_only=True)
class Watchdog:
    """The device's timer.

    Attributes:
        after_ms: How long after the last message it acts, unless told otherwise.
        least_ms: The least it can be told.
        greatest_ms: The most it can be told.
        fallback_ma: What follows, unless told otherwise.
        fed_by_reads: Whether reading any register may feed it, too.
        ends: What brings the device back.
        time: Where the time is written; None: it cannot be.
        time_read: Where the time is read; None: it cannot be.
        rewrite_time: Whether writing the time is what feeds the timer.
        failsafe: Where the current is written; None: it cannot be.
        failsafe_read: Where the current is read; None: it cannot be.
        left: Where the time that is left is read; None: it cannot be.
        heartbeat: What feeds the timer beside orders; None: nothing is needed.
    """

    after_ms: int
    least_ms: int
    greatest_ms: int
    fallback_ma: Milliamps
    fed_by_reads: bool
    ends: Ends
    time: Register | None
    time_read: Register | None
    rewrite_time: bool
    failsafe: Failsafe | None
    failsafe_read: Failsafe | None
    left: Register | None
    heartbeat: Heartbeat | None


@attrs.frozen(kw_only=True)
class Fixed:
    """A register that must hold one value: written at the opening, or looked at.

    Attributes:
        register: The register.
        raw: The value; with `least_raw` or `greatest_raw`, None.
        least_raw: The least it may be; None: no bound.
        greatest_raw: The most it may be; None: no bound.
        remedy: What to do if it is not so.
    """

    register: Register
    raw: int | None
    least_raw: int | None = None
    greatest_raw: int | None = None
    remedy: str = ""

    def holds(self, raw: int | str) -> bool:
        """Whether it is so."""
        if not isinstance(raw, int) or (self.raw is not None and raw != self.raw):
            return False
        return (self.least_raw is None or raw >= self.least_raw) and (
            self.greatest_raw is None or raw <= self.greatest_raw
        )


@attrs.frozen(kw_only=True)
class Broadcast:
    """One frame that orders several units at once, each by its own word.

    Attributes:
        unit: The address that all of them listen to.
        first: The register of the first word.
        slots: How many words there are.
        first_unit: The address of the unit that the first word is for.
        every_ms: How often it is repeated.
    """

    unit: int
    first: Register
    slots: int
    first_unit: int
    every_ms: int


@attrs.frozen(kw_only=True)
class Grants:
    """A device that asks before it goes on, and what it is answered.

    Attributes:
        register: Where the answer goes, in several words.
        answers: What stands in the first rule's state register, and the words of the answer.
    """

    register: Register
    answers: Mapping[int, tuple[int, ...]]


@attrs.frozen(kw_only=True)
class RegisterMap:
    """A family of devices.

    Attributes:
        where: The file, in the words of an error.
        name: What it is called.
        sources: Where its registers are documented, as public addresses.
        notes: What a user should know.
        connection: How it is reached.
        offers: What can be ordered.
        setpoint: Where an order goes.
        release: The switch beside it; None: there is none.
        reported: Where it says what it offers.
        states: What says the state of the pilot.
        drawn: Where measured currents are read, one for each line; empty: it does not measure.
        watchdog: Its timer; None: it has none.
        init: What is written at the opening.
        expect: What is looked at then.
        honoured: What must hold for orders to count; None: they always do.
        broadcast: How several are ordered at once; None: each by itself.
        grants: What it is answered when it asks; None: it does not.
    """

    where: str
    name: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    connection: Connection
    offers: Range
    setpoint: Setpoint
    release: Release | None
    reported: Reported
    states: tuple[StateRule, ...]
    drawn: tuple[Register, ...]
    watchdog: Watchdog | None
    init: tuple[Fixed, ...]
    expect: tuple[Fixed, ...]
    honoured: Fixed | None
    broadcast: Broadcast | None
    grants: Grants | None

    @property
    def can_pause(self) -> bool:
        """Whether 0 can be ordered."""
        return self.setpoint.zero_pauses or self.release is not None

    @property
    def writes_per_order(self) -> int:
        """How many exchanges an order takes at the most."""
        dog = self.watchdog
        return sum(
            (
                1 + self.setpoint.wears,
                self.release is not None,
                dog is not None and (dog.rewrite_time or dog.heartbeat is not None),
                2 * (self.grants is not None),
                self.broadcast is not None,
            )
        )

    def registers(self) -> Iterator[Register]:
        """Every register there is."""
        dog = self.watchdog
        yield self.setpoint.register
        if self.reported.register is not None:
            yield self.reported.register
        yield from self.drawn
        yield from (rule.register for rule in self.states)
        yield from (fixed.register for fixed in (*self.init, *self.expect))
        others: list[Release | Fixed | Grants | Failsafe | Heartbeat | None] = [
            self.release,
            self.honoured,
            self.grants,
        ]
        if dog is not None:
            others += [dog.failsafe, dog.failsafe_read, dog.heartbeat]
            yield from (register for register in (dog.time, dog.time_read, dog.left) if register is not None)
        yield from (other.register for other in others if other is not None)
