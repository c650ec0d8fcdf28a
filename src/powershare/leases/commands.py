"""What a unit's device was told, what it has answered, and what it does left alone.

A device is told (offer, until, then), never a bare offer. What is on its way to it may come late, or never; any
part of it may be the last that it takes in.
"""

from typing import NamedTuple

from powershare.units import Milliamps

MOST_UNDER_WAY = 8
"""So many writes that a device has not answered are told apart; of more, the oldest two count as one, at its worst."""

NEVER = -(1 << 62)
"""Before every instant."""


class _Order(NamedTuple):
    """What a device was told: what to offer until when, and then."""

    offer_ma: Milliamps
    until_ms: int | None
    then_ma: Milliamps
    is_open: bool

    @property
    def keeps_low(self) -> bool:
        """Whether it keeps the device below its fallback for a time."""
        return self.until_ms is not None and self.offer_ma < self.then_ma

    def is_prolonged_by(self, other: "_Order") -> bool:
        """Whether another differs by its end alone."""
        return (self.offer_ma, self.then_ma, self.is_open) == (other.offer_ma, other.then_ma, other.is_open)

    @property
    def kept_low_until_ms(self) -> int:
        """Until when it keeps the device below its fallback; before every instant: it does not."""
        return NEVER if self.until_ms is None or not self.keeps_low else self.until_ms


class _Write(NamedTuple):
    """One write to the device, and the worst of it and of those before it that are no longer told apart."""

    number: int
    order: _Order
    most_ma: Milliamps
    then_most_ma: Milliamps
    kept_low_until_ms: int

    def after(self, earlier: "_Write") -> "_Write":
        """The same, an earlier one being counted in."""
        return _Write(
            self.number,
            self.order,
            max(self.most_ma, earlier.most_ma),
            max(self.then_most_ma, earlier.then_most_ma),
            min(self.kept_low_until_ms, earlier.kept_low_until_ms),
        )


class Commands:
    """The writes to one device, and its answers.

    Attributes:
        confirmed_ma: What the device answered last that it offers; None before its first answer.
    """

    __slots__ = ("_kept", "_number", "_sent", "_under_way", "confirmed_ma")

    def __init__(self) -> None:
        self._number = 0
        self._under_way: list[_Write] = []
        self._kept: _Order | None = None  # what the device does, by its last answer
        self._sent: _Order | None = None
        self.confirmed_ma: Milliamps | None = None

    @property
    def settled(self) -> bool:
        """Whether the device has answered everything that it was told."""
        return self.confirmed_ma is not None and not self._under_way

    @property
    def most_ma(self) -> Milliamps:
        """The most that the pilot may be saying: as answered, or as what is under way may have made it."""
        return max([self.confirmed_ma or 0, *(write.most_ma for write in self._under_way)])

    @property
    def then_most_ma(self) -> Milliamps:
        """The most that the device may go to when it is left alone."""
        kept_ma = 0 if self._kept is None else self._kept.then_ma
        return max([kept_ma, *(write.then_most_ma for write in self._under_way)])

    def lowering_to(self, ceiling_ma: Milliamps) -> int:
        """The number of the write that brings the pilot to a ceiling: the next, or one under way that none follows."""
        is_under_way = bool(self._under_way) and self._under_way[-1].order.offer_ma <= ceiling_ma
        return self._number if is_under_way else self._number + 1

    def kept_low_until_ms(self, until_ms: int) -> int | None:
        """Until when the device surely stays below its fallback, at most so long; None: it may leave it any time."""
        if self._kept is None:
            return None
        ends_ms = (self._kept.kept_low_until_ms, *(write.kept_low_until_ms for write in self._under_way))
        end_ms = min(until_ms, *ends_ms)
        return None if end_ms == NEVER else end_ms

    def rises_ms(self, ceiling_ma: Milliamps) -> int | None:
        """When the device rises above a ceiling by itself, what is on its way to it coming too late; None: never."""
        kept = self._kept
        return None if kept is None or kept.then_ma <= ceiling_ma else kept.until_ms

    def rises(self) -> tuple[Milliamps, int]:
        """The device has risen by itself: what it offers now, and the write under way whose answer ends that."""
        then_ma = 0 if self._kept is None else self._kept.then_ma
        self._fell_back(then_ma)
        return then_ma, self._number

    def lapse(self, fallback_ma: Milliamps) -> None:
        """What the device was told is over: it went to its fallback by itself, and must be told anew."""
        self._sent = None
        if self.confirmed_ma is None:
            self._kept = None
        else:
            self._fell_back(fallback_ma)

    def _fell_back(self, then_ma: Milliamps) -> None:
        """Up or down: what it says is not known before it answers again."""
        self._kept = None
        self.confirmed_ma = max(self.confirmed_ma or 0, then_ma)

    def answer(self, number: int, offer_ma: Milliamps) -> bool | None:
        """Take in the device's answer to a write.

        Args:
            number: The write; what was written before it is carried out or void.
            offer_ma: What the pilot says now.

        Returns:
            Whether that is less than it said before; None where it is no news, or the answer to nothing it was told.
        """
        done = [write for write in self._under_way if write.number <= number]
        if not done or number > self._number:
            return None
        self._under_way = [write for write in self._under_way if write.number > number]
        self._kept = done[-1].order
        # The pilot may have said, in between, what it was told in between.
        was_ma = max([self.confirmed_ma or 0, *(write.most_ma for write in done)])
        lowered = self.confirmed_ma is None or offer_ma < was_ma
        self.confirmed_ma = offer_ma
        return lowered

    def tell(
        self, offer_ma: Milliamps, until_ms: int | None, then_ma: Milliamps, *, is_open: bool, capped: bool
    ) -> int | None:
        """The number under which the device must be told this now; None: it knows.

        A raise that goes on for longer keeps its write's number, and needs no answer: a device that does not hear of it
        falls back too early, and nobody minds. What concerns a cap is a write of its own: others lean on it. So is
        what follows a write that is under way: that one may come too late to raise anything, and this one raise it.

        Args:
            offer_ma: What the pilot is to say.
            until_ms: When that ends by itself; None: no timer.
            then_ma: What the pilot says after that.
            is_open: Whether the contactor must be open.
            capped: Whether the unit is kept below its fallback.
        """
        sent, wanted = self._sent, _Order(offer_ma, until_ms, then_ma, is_open)
        if sent == wanted:
            return None
        if sent is None or self._under_way or capped or sent.keeps_low or not sent.is_prolonged_by(wanted):
            self._number += 1
            write = _Write(self._number, wanted, wanted.offer_ma, wanted.then_ma, wanted.kept_low_until_ms)
            self._under_way.append(write)
            if len(self._under_way) > MOST_UNDER_WAY:
                first, second, *rest = self._under_way
                self._under_way = [second.after(first), *rest]
        self._sent = wanted
        return self._number
