"""Between a node and its device, without I/O: which order is due, and what the device's reports prove.

# Rule 1: an acknowledgement proves nothing. A write is answered once a report that was asked for after it, and after
#         the device's settling time, shows an offer at or below what was ordered.
# Rule 2: what is above the fallback is fed only while the device, left alone now, would still be down before the lease
#         ends: an order ends a watchdog before its lease does.
# Rule 3: an order is repeated within half the watchdog, whether it changed or not, 0 included.
# Rule 4: a device that cannot be reached offers the most that its orders, and its own dead man, still allow. When that
#         is no more than what was ordered last, the write counts as answered; before, it does not.
# Rule 5: a device that may hold more than it is to do, the time of that being over, is not spoken to until its
#         watchdog has acted: what does not lower it may feed it. One order at that instant, and its proof, may be.
# Rule 6: a device that says it offers more than it was told counts with what it says, and so does one that nobody has
#         spoken to yet: with its greatest offer.
"""

from collections.abc import Iterator, Sequence

import attrs

from powershare.adapter import Deadman, Declaration, Offer, Reading
from powershare.driver.held import Held
from powershare.driver.wishes import Standing, Wishes, closed_by, drawn_most_ma
from powershare.leases import Pilot
from powershare.node import Applied, DeviceState, Event, Measured
from powershare.units import Milliamps

AGAIN_MS = 1_000
"""An order that failed, or that a report contradicts, is repeated after so long."""

REPEATED_MS = 60_000
"""Every order is repeated after so long: some devices have a watchdog that nobody wrote down."""

LEAST_VALIDITY_MS = 3_000
"""An order without an end of its own holds for so long at least, and is renewed while the driver lives."""

RENEWED_MS = 3_000
"""An order is renewed at the latest when so much of its time is left, but not more often than four times in it."""

SILENT_MS = 5_000
"""A device that has said nothing for so long is not reached: its vehicle counts as wanting nothing more."""

LATE_MS = 250
"""So long after the time of an order is over what follows it may still go out; a driver that is later was held up."""


@attrs.frozen
class Sent:
    """An order that went to the device.

    Attributes:
        write: The node's number of it.
        offer: It.
        at_ms: When it began to go.
    """

    write: int
    offer: Offer
    at_ms: int


class Actuator:
    """One device's orders and reports.

    Args:
        declaration: What its adapter promises.
        now_ms: When the driver begins; what a former process ordered may have been fed until then.
        follow_ms: How long a vehicle may take to follow, clocks that drift included (`Timing.tail_ms`).
        trusted: Whether somebody has accepted that it may do more when it is left alone than its fallback.

    Attributes:
        pilot: What the node wants of it; None: nothing yet.
        reading: Its last report; None: none yet, or it is not reached.
        refused: How often it was found to offer more than it was ordered.
    """

    def __init__(self, declaration: Declaration, now_ms: int, *, follow_ms: int = 0, trusted: bool = False) -> None:
        self._declaration, self._trusted = declaration, trusted
        self._kind, self._held = declaration.deadman, Held(declaration, now_ms, follow_ms)
        self._wishes = Wishes()
        self.pilot: Pilot | None = None
        self.reading: Reading | None = None
        self._last = DeviceState(plugged=False, wants=False, closed=True)
        self.refused = 0
        self._sent: Sent | None = None
        self._confirm_from_ms: int | None = None
        self._failed_ms: int | None = None
        self._answered = 0
        self._heard_ms = now_ms

    @property
    def left_alone_ma(self) -> Milliamps:
        """The most it offers once its dead man has acted; to be set where the device was."""
        return self._held.left_alone_ma

    @left_alone_ma.setter
    def left_alone_ma(self, left_alone_ma: Milliamps) -> None:
        self._held.left_alone_ma = left_alone_ma

    # Orders

    def order(self, pilot: Pilot) -> None:
        """The node wants this from now on."""
        if self.pilot is None:
            # So long it is tried to bring a device down from what a former process ordered: then Rule 5 holds for that.
            self._held.begin(pilot.now_ms + LEAST_VALIDITY_MS)
        self.pilot = pilot

    def due(self, now_ms: int) -> Offer | None:
        """The order that is to go out now; None: none is."""
        pilot = self.pilot
        if pilot is None:
            return None
        if self._due_ms(pilot, now_ms) > now_ms or self.quiet_until_ms(now_ms) is not None:
            return None
        return self._offer(pilot, now_ms)

    def next_ms(self, now_ms: int) -> int | None:
        """When an order is due by time alone; None: none is."""
        if self.pilot is None:
            return None
        quiet_ms = self.quiet_until_ms(now_ms)
        return self._due_ms(self.pilot, now_ms) if quiet_ms is None else quiet_ms

    def quiet_until_ms(self, now_ms: int) -> int | None:
        """Until when nothing is to be said to it that may feed its watchdog; None: it may be spoken to."""
        pilot = self.pilot
        if self._kind is not Deadman.WATCHDOG or pilot is None:
            return None
        allowed_ma = max(self.left_alone_ma, self._offer(pilot, now_ms).offered_ma)
        ends_ms = [one.valid_until_ms for one in self._held.above(allowed_ma)]
        spare_ms = LATE_MS
        if self._sent is not None and self._confirm_from_ms is not None and self._sent.offer.offered_ma <= allowed_ma:
            # It acknowledged what lowers it: time for the proof of that.
            spare_ms += self._declaration.lowered_ms + 2 * self._declaration.longest_write_ms
        if not ends_ms or now_ms <= min(ends_ms) + spare_ms:
            return None
        down_ms = max(self._held.fed_ms, *ends_ms) + self._held.watchdog_ms
        return down_ms if now_ms < down_ms else None

    def _due_ms(self, pilot: Pilot, now_ms: int) -> int:
        sent = self._sent
        if sent is None:
            return self._failed_ms + AGAIN_MS if self._failed_ms is not None else now_ms
        offer = self._offer(pilot, now_ms)
        if self._is_another(pilot, sent, offer):
            return now_ms
        if self._failed_ms is not None:
            return self._failed_ms + AGAIN_MS
        refresh_ms = self._declaration.refresh_ms
        dues = [sent.at_ms + (REPEATED_MS if refresh_ms is None else refresh_ms)]
        ends_ms = self._ends_ms(pilot)
        if ends_ms is not None and offer.offered_ma > pilot.then_ma:
            dues.append(ends_ms)
        if offer.offered_ma and offer.valid_until_ms > sent.offer.valid_until_ms:
            # Renewed when half of its time is over, and in good time: a slow wire must not let it lapse.
            early_ms = max(RENEWED_MS, (offer.valid_until_ms - now_ms) // 2)
            dues.append(max(sent.offer.valid_until_ms - early_ms, sent.at_ms + RENEWED_MS // 4))
        return min(dues)

    def _is_another(self, pilot: Pilot, sent: Sent, offer: Offer) -> bool:
        """Whether this is news to the device, and not only a later end of what it does already."""
        if offer.offered_ma != sent.offer.offered_ma:
            return True
        if self._kind is not Deadman.LEASE:
            return False  # it does not know when an order ends, nor what follows
        return pilot.write != sent.write or offer.then_ma != sent.offer.then_ma

    def _offer(self, pilot: Pilot, now_ms: int) -> Offer:
        """The pilot as an order of the device's kind."""
        declaration = self._declaration
        offered_ma = declaration.sendable_ma(pilot.offer_ma)
        horizon_ms = max(LEAST_VALIDITY_MS, declaration.refresh_ms or REPEATED_MS)
        if self._kind is Deadman.LEASE:
            until_ms = now_ms + horizon_ms if pilot.until_ms is None else pilot.until_ms
            return Offer(offered_ma=offered_ma, valid_until_ms=until_ms, then_ma=pilot.then_ma)
        until_ms, ends_ms = now_ms + horizon_ms, self._ends_ms(pilot)
        if ends_ms is not None and offered_ma > pilot.then_ma:
            until_ms = min(until_ms, ends_ms)
            if until_ms <= now_ms:
                # Fed now it would outlive its lease: what follows the lease comes before its end.
                offered_ma, until_ms = declaration.sendable_ma(pilot.then_ma), now_ms + horizon_ms
        return Offer(offered_ma=offered_ma, valid_until_ms=until_ms, then_ma=min(self.left_alone_ma, offered_ma))

    def _ends_ms(self, pilot: Pilot) -> int | None:
        """From when on a device that does not know the lease's end is to be told what follows; None: no need."""
        if self._kind is Deadman.LEASE or pilot.until_ms is None:
            return None
        if self._kind is Deadman.NONE:
            return pilot.until_ms  # what it does left alone ends nothing
        return None if pilot.offer_ma <= self.left_alone_ma else pilot.until_ms - self._held.watchdog_ms

    def sending(self, offer: Offer, now_ms: int) -> Sequence[Event]:
        """An order is about to go: from now on it may hold.

        Returns:
            What the node has to know before it goes: nothing but the order itself ends what a device without a dead
            man is told, however long this process may then stand still.
        """
        before = self._sent
        self._sent = Sent(0 if self.pilot is None else self.pilot.write, offer, now_ms)
        if before is None or not self._says_the_same(before.offer, offer):
            self._confirm_from_ms = None  # what says the same once more is proven by what proves the first
        self._held.add(offer, now_ms)
        told, floor_ma = self._last, self._floor_ma(reached=self.reading is not None)
        self._last = attrs.evolve(told, left_alone_ma=max(told.left_alone_ma, floor_ma))
        return () if self._last == told else (self._last,)

    def _says_the_same(self, former: Offer, offer: Offer) -> bool:
        """Whether a device that still holds the former order does no more than the later one says, at any time."""
        if former.offered_ma != offer.offered_ma:
            return False
        if self._kind is not Deadman.LEASE:
            return True
        ends_lower = former.then_ma == offer.then_ma <= offer.offered_ma
        return ends_lower and former.valid_until_ms <= offer.valid_until_ms

    def sent(self, now_ms: int) -> None:
        """The adapter says that it went."""
        self._held.fed_ms, self._failed_ms = now_ms, None
        if self._confirm_from_ms is None:
            self._confirm_from_ms = now_ms + self.shows_after_ms

    @property
    def shows_after_ms(self) -> int:
        """How long after it went a report surely shows the last order; sooner where that only lowers."""
        lowers = self._sent is not None and self._held.only_lowers(self._sent.offer)
        return self._declaration.lowered_ms if lowers else self._declaration.settle_ms

    def failed(self, now_ms: int) -> None:
        """The adapter does not know whether it went."""
        self._held.fed_ms = self._failed_ms = now_ms
        self._confirm_from_ms = None

    def asking(self, now_ms: int) -> None:
        """A question is about to go, or has remained without an answer; it may have been heard in either case."""
        if self._declaration.fed_by_reads:
            self._held.end_what_is_over(now_ms)
            self._held.fed_ms = now_ms

    # Reports

    @property
    def confirming(self) -> bool:
        """Whether a report is waited for: it shows a write, or which order it is that holds."""
        return self._confirm_from_ms is not None and (self._pending or not self._held.is_certain)

    @property
    def _pending(self) -> bool:
        return self.pilot is not None and self.pilot.write != self._answered

    @property
    def confirm_from_ms(self) -> int | None:
        """From when on a report shows what was ordered last; None: nothing has been ordered that it could show."""
        return self._confirm_from_ms

    def read(self, reading: Reading, asked_ms: int) -> Iterator[Event]:
        """Take in a report, and say what it means for the node.

        Args:
            reading: It.
            asked_ms: When it was asked for.
        """
        sent, made_ms = self._sent, min(asked_ms, reading.at_ms)  # a report that was kept says what was so
        allowed_ma = self._held.most_ma(made_ms - LATE_MS)
        self._held.end_what_is_over(made_ms)
        self.asking(reading.at_ms)
        self.reading, self._heard_ms = reading, reading.at_ms
        self._held.forget_astray(made_ms)
        standing = self._wishes.observe(reading)
        proves = sent is not None and self._confirm_from_ms is not None and made_ms >= self._confirm_from_ms
        contradicts = sent is not None and proves and reading.offered_ma > sent.offer.offered_ma
        astray = contradicts or reading.offered_ma > allowed_ma
        if astray or (self._failed_ms is not None and not self._answered):  # at a start everything is possible
            astray = True
            self._held.goes_astray(max(reading.offered_ma, allowed_ma))
        self._last = self._state(reading, standing)
        yield self._last
        measured_ma = self._measured_ma(reading, beyond=reading.offered_ma > allowed_ma)
        if measured_ma is not None:
            yield Measured(measured_ma, reading.at_ms)
        if sent is not None and contradicts:
            self.refused += 1
            self._failed_ms, self._confirm_from_ms = sent.at_ms, None
        elif sent is not None and proves:
            yield from self._confirmed(sent, reading, closed=standing.closed)
        if astray and self._pending and self.pilot is not None:
            yield self._answer(self.pilot, reading.at_ms, closed=standing.closed)  # it counts with what it does

    def _confirmed(self, sent: Sent, reading: Reading, *, closed: bool) -> Iterator[Event]:
        """The report shows what was ordered; perhaps that is the node's write."""
        pilot = self.pilot
        self._failed_ms = None
        self._held.proven(sent.offer, reading.at_ms)
        if pilot is None:
            return
        if sent.offer.offered_ma > pilot.offer_ma or self._is_another(pilot, sent, sent.offer):
            self._confirm_from_ms = None  # what is wanted now has still to go out
        elif self._pending:
            yield self._answer(pilot, reading.at_ms, closed=closed)

    def _answer(self, pilot: Pilot, at_ms: int, *, closed: bool) -> Applied:
        """The device does no more than the pilot says; it may come to do as much, without being told again."""
        self._answered = pilot.write
        return Applied(pilot.write, self._declaration.sendable_ma(pilot.offer_ma), at_ms, closed)

    def _measured_ma(self, reading: Reading, *, beyond: bool) -> Milliamps | None:
        """The current that counts as measured; an offer beyond every order counts as drawn."""
        if beyond and closed_by(reading):
            return max(reading.offered_ma, drawn_most_ma(reading))
        return None if reading.drawn_ma is None else drawn_most_ma(reading)

    def _state(self, reading: Reading, standing: Standing) -> DeviceState:
        return DeviceState(
            plugged=standing.plugged,
            wants=standing.wants,
            closed=standing.closed,
            offered_ma=reading.offered_ma,
            vehicle=reading.vehicle,
            left_alone_ma=self._floor_ma(reached=True),
        )

    def _floor_ma(self, *, reached: bool) -> Milliamps:
        """The most that it may do at any moment, whatever it was told."""
        return self._held.floor_ma(trusted=self._trusted and reached)

    # Silence

    def is_silent(self, now_ms: int) -> bool:
        """Whether it has not been reached for a while."""
        return now_ms - self._heard_ms >= SILENT_MS

    def down_ms(self) -> int | None:
        """From when on its dead man has surely acted, if nobody reaches it before; None: never."""
        if self._kind is Deadman.NONE:
            return None
        last_ms = self._held.last_until_ms
        return last_ms if self._kind is Deadman.LEASE else max(self._held.fed_ms, last_ms) + self._held.watchdog_ms

    def unreached(self, now_ms: int) -> Iterator[Event]:
        """What its silence means for the node."""
        self.reading, pilot, down_ms = None, self.pilot, self.down_ms()
        self._held.end_what_is_over(now_ms)
        if self._kind is Deadman.NONE:
            self._held.goes_astray(self._declaration.greatest_offer_ma)  # it may restart, and it may stay as it is
        elif self._kind is Deadman.LEASE and down_ms is not None and now_ms >= down_ms:
            self._held.lapse(-1 if pilot is None else pilot.offer_ma)
        elif self._kind is Deadman.LEASE:
            if self.left_alone_ma and (pilot is None or self.left_alone_ma > pilot.offer_ma):
                self._held.goes_astray(self.left_alone_ma)  # it may have restarted
            pilot = None  # it may yet leave what it knows of for what follows that
        yield from self._gone()
        counted_ma = self._floor_ma(reached=False)
        if pilot is not None and self._pending and self._held.most_ma(now_ms) <= max(pilot.offer_ma, counted_ma):
            yield self._answer(pilot, now_ms, closed=True)

    def _gone(self) -> Iterator[DeviceState]:
        """The device as it counts while nobody reaches it."""
        gone = attrs.evolve(self._last, wants=False, closed=True, left_alone_ma=self._floor_ma(reached=False))
        if gone != self._last:
            self._last = gone
            yield gone

    def most_offered_ma(self, now_ms: int) -> Milliamps:
        """The most that it may be offering now, reached or not."""
        return max(self._floor_ma(reached=self.reading is not None), self._held.most_ma(now_ms))

    def forget(self) -> None:
        """The connection is a new one: whatever the device was told must be told again."""
        self._sent = None
        self._confirm_from_ms = self._failed_ms = None
