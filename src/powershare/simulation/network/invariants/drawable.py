"""What one unit may be drawing (e), by what its device really is, and whether its vehicle keeps to it.

It is the greatest of ceiling and pilot now, and of what either was within the time that a vehicle has to follow; while
the contactor is open nothing of the past counts. Ceilings end in their time whatever a process does: so devices do. Of
a dead process only that counts which its device has taken in, and what may still be on the way to it.
"""

from powershare.simulation.network.device import Device
from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.wire import CAP, FALL_BACK, RAISE

COLD = 0
"""Beside the kinds of grants: what a ceiling rests on after a start."""

WORDS = {COLD: "cold hold", RAISE: "raise", CAP: "cap", FALL_BACK: "fall-back"}

NEVER = 1 << 80
"""After every instant of every clock."""


class Drawable:
    """What a unit may be drawing, across all processes of its host.

    Args:
        host: Its host.
        device: Its device.
        times: The protocol's times.
        book: Where results go.

    Attributes:
        kind: What its ceiling rests on.
        ceiling_ma: Its ceiling, as of the last look.
        until_ms: When its lease ends, on the host's clock; None: no timer.
        fallback_ma: What it may offer alone.
        changed_ms: When the ceiling changed last, in true time.
        formers: Ceilings and pilots that may still be drawn, each with its end on the host's clock.
        pending: Writes that may not have landed, each with what it offers and by when in true time it has.
        pilot_ma: What the device offers, or would to a vehicle.
        drawn_ma: What the vehicle draws.
    """

    __slots__ = (
        "_armed_exact",
        "_armed_ms",
        "_book",
        "_closed",
        "_counted",
        "_device",
        "_i2",
        "_i3",
        "_i22",
        "_promised_ms",
        "_raw_ma",
        "_thens",
        "ceiling_ma",
        "changed_ms",
        "drawn_ma",
        "fallback_ma",
        "formers",
        "host",
        "kind",
        "member",
        "offer_ma",
        "pending",
        "pilot_ma",
        "times",
        "until_ms",
    )

    def __init__(self, host: Host, device: Device, times: Times, book: Book) -> None:
        self.host, self.member, self.times, self._book, self._device = host, host.member, times, book, device
        self.kind, self.ceiling_ma, self.offer_ma, self.fallback_ma = COLD, 0, 0, 0
        self.until_ms: int | None = None
        self.pilot_ma = self.drawn_ma = self.changed_ms = 0
        self.formers: list[tuple[int, int]] = []
        self.pending: list[tuple[int, int, int]] = []
        self._i2, self._i3, self._i22 = (book.results[name] for name in ("I2", "I3", "I22"))
        self._closed = False
        self._armed_ms: int | None = None
        self._armed_exact = NEVER
        self._counted = (0, 0)
        self._raw_ma = 0
        self._thens: dict[int | None, int] = {}
        self._promised_ms = -NEVER

    # What may be drawn

    def most_ma(self, exact: int, true_ms: int) -> int:
        """The most that the vehicle may be drawing now (e), by what the device really is."""
        most = max(self.pilot_ma, self.ceiling_ma)
        if self.formers:
            self.formers = [former for former in self.formers if former[1] > exact]
            for former_ma, _ in self.formers:
                most = max(most, former_ma)
        if self.pending:
            self.pending = [one for one in self.pending if one[2] >= true_ms]
            for _, offer_ma, _ in self.pending:
                most = max(most, offer_ma)
        return most

    def pilot_left(self, exact: int, fallback_ma: int) -> int | None:
        """How long a pilot above its ceiling may still be drawn, on the host's clock; None: nothing ends it."""
        until_ms = self._device.until_ms
        ends = [] if until_ms is None else [until_ms * MILLION - exact]
        if any(offer_ma <= fallback_ma for _, offer_ma, _ in self.pending):
            ends.append(self.times.write_ms * self.times.fast)
        return None if not ends else max(0, min(ends)) + self.times.tail_exact

    def pass_time(self, exact: int) -> None:
        """Let the lease end where its time is over, whatever its process does: so the device behaves, too."""
        until_ms = self.until_ms
        if until_ms is None or exact < until_ms * MILLION:
            return
        if self.kind == RAISE and self.ceiling_ma > self.fallback_ma and self._closed:
            self.formers.append((self.ceiling_ma, until_ms * MILLION + self.times.tail_exact))
        self.kind, self.until_ms = FALL_BACK, None
        self.ceiling_ma = self.offer_ma = self.fallback_ma
        self.changed_ms = self.host.engine.now_ms

    def grown(self) -> bool:
        """Whether ceiling or pilot are above what they were when sums were last counted."""
        return self.ceiling_ma > self._counted[0] or self.pilot_ma > self._counted[1]

    def counted(self) -> None:
        """Ceiling and pilot are what they are, and every sum that they raised has been counted."""
        self._counted = (self.ceiling_ma, self.pilot_ma)

    def look(self, exact: int) -> None:
        """Take in what the device is now."""
        self.pass_time(exact)
        device, was_ma = self._device, self.pilot_ma
        connector, pilot_ma = device.connector, device.offer_ma
        if connector.vehicle is not None and connector.offered_ma == 0:
            pilot_ma = 0  # the contactor is held open: until the device closes it, nothing of this reaches the vehicle
        closed = self._closed = device.closed
        if not closed:
            self.formers.clear()
        elif pilot_ma < was_ma:
            self.formers.append((was_ma, exact + self.times.tail_exact))
            self._arm(exact)
        self.pilot_ma = pilot_ma

    def rises_ms(self) -> int | None:
        """When a unit that is below its fallback may leave it, if its process died now; None: not by time.

        Its device leaves it when the time is over that it knows of, whatever its process has been granted since.
        """
        ends = [end_ms for end_ms in (self.until_ms, self._device.until_ms) if end_ms is not None]
        return min(ends, default=None)

    def alone(self) -> None:
        """The process is dead: from now on the device does what it has taken in.

        A vehicle that was being lowered softly has its time from now on: the device cuts off one that takes longer.
        """
        pilot_ma, until_ms = self._device.offer_ma, self._device.until_ms
        then_ma = pilot_ma if until_ms is None else self._thens.get(until_ms, self.fallback_ma)
        if pilot_ma == then_ma:
            self.kind = FALL_BACK
        else:
            self.kind = RAISE if pilot_ma > then_ma else CAP
        self.until_ms, self.fallback_ma = None if pilot_ma == then_ma else until_ms, then_ma
        self.changed_ms = self.host.engine.now_ms
        exact = self.host.clock.exact(self.changed_ms)
        if self._closed and self.ceiling_ma > pilot_ma:
            self.formers.append((self.ceiling_ma, exact + self.times.tail_exact))
        self.ceiling_ma = self.offer_ma = pilot_ma
        self.pass_time(exact)
        self._arm(exact)

    def _check_rise(self, exact: int) -> None:
        """I3 and I22: what a device offers rises by a write, or by its own timer once nobody leans on it any more."""
        raw_ma, was_ma = self._device.offer_ma, self._raw_ma
        self._raw_ma = raw_ma
        if raw_ma <= was_ma or any(offer_ma == raw_ma for _, offer_ma, _ in self.pending):
            return
        self._i22.checked += 1
        until_ms = self._device.until_ms
        over = until_ms is not None and exact >= until_ms * MILLION
        if exact < self._promised_ms * MILLION or not over:
            self._book.fail(
                "I22" if until_ms is not None else "I3",
                self.member,
                f"rises by itself from {was_ma} mA to {raw_ma} mA, and has told that it stays low until "
                f"{self._promised_ms} on its clock: {self.said()}",
            )

    def _arm(self, exact: int) -> None:
        """Look again when what may be drawn falls by time alone."""
        dues = [end for _, end in self.formers]
        if self.until_ms is not None:
            dues.append(self.until_ms * MILLION)
        due = min((due for due in dues if due > exact), default=None)
        if due is None:
            return
        # A millisecond later: what falls at that very instant has fallen then.
        due_ms = self.host.clock.true_ms(-(-due // MILLION)) + 1
        if self._armed_ms is None or due_ms < self._armed_ms:
            self._armed_ms, self._armed_exact = due_ms, due
            self.host.engine.at(due_ms, self._due)

    def _due(self) -> None:
        now_ms = self.host.engine.now_ms
        if self._armed_ms is None or now_ms < self._armed_ms:
            return  # an earlier one looked already
        self._armed_ms, self._armed_exact = None, NEVER
        exact = self.host.clock.exact(now_ms)
        self.look(exact)
        self.check_drawn(exact, now_ms)
        self.check_pilot(now_ms)
        self._arm(exact)

    def _look_again(self) -> None:
        now_ms = self.host.engine.now_ms
        self.look(self.host.clock.exact(now_ms))
        self.check_pilot(now_ms)

    def _set(self, ceiling_ma: int, offer_ma: int) -> None:
        """The shadow's ceiling from now on."""
        exact = self.host.clock.exact(self.host.engine.now_ms)
        if ceiling_ma < self.ceiling_ma and self._closed:
            self.formers.append((self.ceiling_ma, exact + self.times.tail_exact))
            self._arm(exact)
        if ceiling_ma != self.ceiling_ma:
            self.changed_ms = self.host.engine.now_ms
        self.ceiling_ma, self.offer_ma = ceiling_ma, offer_ma

    # Checks of the device

    def device(self, true_ms: int, drawn_ma: int) -> None:
        """Something changed at the device, or its vehicle draws something else."""
        exact = self.host.clock.exact(true_ms)
        self._check_rise(exact)
        if self.host.node is None:
            self.alone()
        self.look(exact)
        self.drawn_ma = drawn_ma
        self.check_drawn(exact, true_ms)
        self.check_pilot(true_ms)

    def check_drawn(self, exact: int, true_ms: int) -> None:
        """I2: nobody draws more than may be drawn."""
        self._i2.checked += 1
        most_ma = self.most_ma(exact, true_ms)
        if self.drawn_ma > most_ma and (current_ma := self._current_ma(true_ms)) > most_ma:
            self._book.fail(
                "I2", self.member, f"draws {current_ma} mA where at most {most_ma} mA may be drawn: {self.said()}"
            )

    def _current_ma(self, true_ms: int) -> int:
        """What the vehicle really draws: what is told of a slow ramp are steps that are never below it."""
        connector = self._device.connector
        connector.advance(true_ms)
        return 0 if connector.vehicle is None else connector.vehicle.current_ma

    def check_pilot(self, true_ms: int) -> None:
        """I3: where no write is under way the pilot says at most the ceiling."""
        self.pending = [one for one in self.pending if one[2] >= true_ms]
        if self.pending:
            return
        self._i3.checked += 1
        if self.pilot_ma <= self.ceiling_ma:
            return
        if self.changed_ms == true_ms:
            # The device's timer may ring later within this very millisecond.
            self.host.engine.at(true_ms + 1, self._look_again)
            return
        self._book.fail("I3", self.member, f"its pilot says {self.pilot_ma} mA with no write under way: {self.said()}")

    def said(self) -> str:
        """The shadow's state, for people."""
        until = "" if self.until_ms is None else f" until {self.until_ms} on its clock"
        process = "dead" if self.host.node is None else "paused" if self.host.paused else "running"
        return f"{WORDS[self.kind]} of {self.ceiling_ma} mA{until}, fall-back {self.fallback_ma} mA, process {process}"
