"""Between a node and its device, without I/O: which order is due, and what the device's reports prove.

# Rule 1: an acknowledgement proves nothing. A write is answered once a report that was asked for after it, and after
#         the device's settling time, shows an offer at or below what was ordered.
# Rule 2: what is above the fallback is fed only while the device, left alone now, would still be down before the lease
#         ends: an order ends a watchdog before its lease does.
# Rule 3: an order is repeated within half the watchdog, whether it changed or not, 0 included.
# Rule 4: a device that cannot be reached offers the most that its orders, and its own dead man, still allow. When that
#         is no more than what was ordered last, the write counts as answered; before, it does not.
"""

from collections.abc import Iterator

import attrs

from powershare.adapter import Deadman, Declaration, Offer, Reading
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

SILENT_MS = 5_000
"""A device that has said nothing for so long is not reached: its vehicle counts as wanting nothing more."""

FOLLOWED_MS = 10_000
"""So long after it was seen to be low again a vehicle has surely followed (A2, and a clock that drifts)."""

DRIFT_PERCENT = 2
"""By how much a device's own timer may be slow."""


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
        trusted: Whether somebody has accepted that it may do more when it is left alone than its fallback.

    Attributes:
        left_alone_ma: The most it offers once its dead man has acted.
        pilot: What the node wants of it; None: nothing yet.
        reading: Its last report; None: none yet, or it is not reached.
        refused: How often it was found to offer more than it was ordered.
    """

    def __init__(self, declaration: Declaration, now_ms: int, *, trusted: bool = False) -> None:
        self._declaration, self._trusted = declaration, trusted
        self.left_alone_ma = declaration.fallback_ma
        self._kind = declaration.deadman
        self._watchdog_ms = -(-(declaration.watchdog_ms or 0) * (100 + DRIFT_PERCENT) // 100)
        self._wishes = Wishes()
        self.pilot: Pilot | None = None
        self.reading: Reading | None = None
        self._last: DeviceState | None = None
        self.refused = 0
        self._sent: Sent | None = None
        self._possible: list[Offer] = []  # orders of which any may be the one that holds
        self._confirm_from_ms: int | None = None
        self._failed_ms: int | None = None
        self._answered = 0
        self._lapsed_ma: Milliamps = 0  # what a lease that ran out in silence left it at, above what is wanted now
        self._lapsed_until_ms: int | None = None
        self._heard_ms: int | None = None
        self._fed_ms = now_ms

    # Orders

    def order(self, pilot: Pilot) -> None:
        """The node wants this from now on."""
        self.pilot = pilot

    def due(self, now_ms: int) -> Offer | None:
        """The order that is to go out now; None: none is."""
        pilot = self.pilot
        if pilot is None:
            return None
        return self._offer(pilot, now_ms) if self._due_ms(pilot, now_ms) <= now_ms else None

    def next_ms(self, now_ms: int) -> int | None:
        """When an order is due by time alone; None: none is."""
        return None if self.pilot is None else self._due_ms(self.pilot, now_ms)

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
        if offer.offered_ma and offer.valid_until_ms > sent.offer.valid_until_ms:
            # Renewed when half of its time is over, as often as there is something to gain.
            dues.append(sent.offer.valid_until_ms - max(0, offer.valid_until_ms - now_ms) // 2)
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
        until_ms = now_ms + horizon_ms
        if pilot.until_ms is not None and offered_ma > max(pilot.then_ma, self.left_alone_ma):
            until_ms = min(until_ms, pilot.until_ms - self._watchdog_ms)
            if until_ms <= now_ms:
                # Fed now it would outlive its lease: what follows the lease comes before its end.
                offered_ma, until_ms = declaration.sendable_ma(pilot.then_ma), now_ms + horizon_ms
        return Offer(offered_ma=offered_ma, valid_until_ms=until_ms, then_ma=min(self.left_alone_ma, offered_ma))

    def sending(self, offer: Offer, now_ms: int) -> None:
        """An order is about to go: from now on it may hold."""
        self._sent = Sent(0 if self.pilot is None else self.pilot.write, offer, now_ms)
        self._confirm_from_ms = None
        alike = [one for one in self._possible if one.offered_ma == offer.offered_ma]
        others = [one for one in self._possible if one.offered_ma != offer.offered_ma]
        worst = Offer(
            offered_ma=offer.offered_ma,
            valid_until_ms=max(one.valid_until_ms for one in (*alike, offer)),
            then_ma=max(one.then_ma for one in (*alike, offer)),
        )
        self._possible = [*others, worst]

    def sent(self, now_ms: int) -> None:
        """The adapter says that it went."""
        self._fed_ms, self._failed_ms = now_ms, None
        self._confirm_from_ms = now_ms + self._declaration.settle_ms

    def failed(self, now_ms: int) -> None:
        """The adapter does not know whether it went."""
        self._fed_ms = self._failed_ms = now_ms
        self._confirm_from_ms = None

    def rejected(self, now_ms: int) -> None:
        """The device said no: what it did before, it does still."""
        self.failed(now_ms)

    # Reports

    @property
    def confirming(self) -> bool:
        """Whether a write waits for a report that shows it."""
        return self._confirm_from_ms is not None and self._pending

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
        self.reading, self._heard_ms = reading, reading.at_ms
        if self._declaration.fed_by_reads:
            self._fed_ms = reading.at_ms
        if self._lapsed_until_ms is not None and reading.at_ms >= self._lapsed_until_ms:
            self._lapsed_ma, self._lapsed_until_ms = 0, None
        standing = self._wishes.observe(reading)
        self._last = self._state(reading, standing)
        yield self._last
        measured_ma = self._measured_ma(reading)
        if measured_ma is not None:
            yield Measured(measured_ma, reading.at_ms)
        yield from self._confirmed(reading, asked_ms, closed=standing.closed)

    def _confirmed(self, reading: Reading, asked_ms: int, *, closed: bool) -> Iterator[Event]:
        """Whether the report shows what was ordered, and with it the node's write."""
        sent, pilot = self._sent, self.pilot
        if sent is None or pilot is None or self._confirm_from_ms is None or asked_ms < self._confirm_from_ms:
            return
        if reading.offered_ma > sent.offer.offered_ma:
            self.refused += 1
            self._failed_ms, self._confirm_from_ms = reading.at_ms, None
            return
        self._failed_ms, self._possible = None, [sent.offer]
        if self._lapsed_ma and self._lapsed_until_ms is None:
            self._lapsed_until_ms = reading.at_ms + FOLLOWED_MS
        if sent.offer.offered_ma > pilot.offer_ma or self._is_another(pilot, sent, sent.offer):
            self._confirm_from_ms = None  # what is wanted now has still to go out
        elif self._pending:
            yield self._answer(pilot, reading.at_ms, closed=closed)

    def _answer(self, pilot: Pilot, at_ms: int, *, closed: bool) -> Applied:
        """The device does no more than the pilot says; it may come to do as much, without being told again."""
        self._answered = pilot.write
        return Applied(pilot.write, self._declaration.sendable_ma(pilot.offer_ma), at_ms, closed)

    def _measured_ma(self, reading: Reading) -> Milliamps | None:
        """The current that counts as measured; an offer beyond every order counts as drawn."""
        rogue = self._possible and reading.offered_ma > max(
            self.left_alone_ma, *(offer.offered_ma for offer in self._possible)
        )
        if rogue and closed_by(reading):
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
        if self._kind is Deadman.LEASE:
            return self._lapsed_ma
        if self._kind is Deadman.WATCHDOG:
            return self.left_alone_ma
        return 0 if self._trusted and reached else self._declaration.greatest_offer_ma

    # Silence

    def is_silent(self, now_ms: int) -> bool:
        """Whether it has not been reached for a while."""
        return self._heard_ms is not None and now_ms - self._heard_ms >= SILENT_MS

    def down_ms(self) -> int | None:
        """From when on its dead man has surely acted, if nobody reaches it before; None: never."""
        if self._kind is Deadman.NONE:
            return None
        last_ms = max((offer.valid_until_ms for offer in self._possible), default=None)
        if self._kind is Deadman.LEASE:
            return last_ms
        return max(self._fed_ms, self._fed_ms if last_ms is None else last_ms) + self._watchdog_ms

    def unreached(self, now_ms: int) -> Iterator[Event]:
        """What its silence means for the node."""
        before, self.reading = self.reading, None
        if before is not None:
            yield from self._gone()
        down_ms, pilot = self.down_ms(), self.pilot
        if down_ms is None or pilot is None or now_ms < down_ms or not self._pending:
            return
        if self._kind is Deadman.LEASE:
            then_ma = max((offer.then_ma for offer in self._possible), default=0)
            if then_ma > pilot.offer_ma:
                self._lapsed_ma, self._lapsed_until_ms = then_ma, None
        yield from self._gone()
        yield self._answer(pilot, down_ms, closed=True)

    def _gone(self) -> Iterator[DeviceState]:
        """The device as it counts while nobody reaches it."""
        if self._last is not None:
            floor_ma = self._floor_ma(reached=False)
            self._last = attrs.evolve(self._last, wants=False, closed=True, left_alone_ma=floor_ma)
            yield self._last

    def most_offered_ma(self, now_ms: int) -> Milliamps:
        """The most that it may be offering now, reached or not."""
        if not self._possible:
            return self._declaration.greatest_offer_ma
        return max(self._declaration.most_offered_ma(offer, now_ms) for offer in self._possible)

    def forget(self) -> None:
        """The connection is a new one: whatever the device was told must be told again."""
        self._sent = None
        self._confirm_from_ms = self._failed_ms = None
