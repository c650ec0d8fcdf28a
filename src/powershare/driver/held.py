"""What a device may be doing: the orders of which any may be the one that it holds, and its own dead man.

Nothing here is told by the device: it is what its declaration allows it after what was said to it, and when.
"""

from collections.abc import Iterator

import attrs

from powershare.adapter import Deadman, Declaration, Offer
from powershare.units import Milliamps

DRIFT_PERCENT = 2
"""By how much a device's own timer may be slow."""

MOST_HELD = 16
"""So many orders are told apart; of more, the oldest two count as one, at its worst."""

FOLLOWED_MS = 10_000
"""So long after it was seen to be low again a vehicle has followed, where a site commissions no longer time (A2)."""


def acted_ms(watchdog_ms: int) -> int:
    """After how long a watchdog has surely acted."""
    return -(-watchdog_ms * (100 + DRIFT_PERCENT) // 100)


def _worst(*orders: Offer) -> Offer:
    """One order that allows whatever any of these does."""
    return Offer(
        offered_ma=max(one.offered_ma for one in orders),
        valid_until_ms=max(one.valid_until_ms for one in orders),
        then_ma=max(one.then_ma for one in orders),
    )


class Held:
    """The orders that one device may hold.

    Args:
        declaration: What its adapter promises.
        now_ms: When the driver begins; what a former process ordered may have been fed until then.
        follow_ms: How long its vehicle may take to follow, clocks that drift included (`Timing.tail_ms`).

    Attributes:
        left_alone_ma: The most it offers once its dead man has acted.
        watchdog_ms: After how long that has surely happened; 0 without a watchdog.
        fed_ms: When somebody may have spoken to it last.
        astray_ma: What it does beyond what it was told, as far as anybody knows; 0: nothing.
    """

    def __init__(self, declaration: Declaration, now_ms: int, follow_ms: int = 0) -> None:
        self._followed_ms = max(FOLLOWED_MS, follow_ms)
        self._kind, self._greatest_ma = declaration.deadman, declaration.greatest_offer_ma
        self.left_alone_ma = declaration.fallback_ma
        self.watchdog_ms = acted_ms(declaration.watchdog_ms or 0)
        self.fed_ms = now_ms
        self.astray_ma: Milliamps = 0
        self._astray_until_ms: int | None = None
        # At first whatever a former process may have ordered.
        self._orders = [Offer(offered_ma=self._greatest_ma, valid_until_ms=now_ms, then_ma=self._greatest_ma)]

    @property
    def is_certain(self) -> bool:
        """Whether it is known which order holds."""
        return len(self._orders) == 1

    @property
    def last_until_ms(self) -> int:
        """When the last of them is over."""
        return max(one.valid_until_ms for one in self._orders)

    def above(self, allowed_ma: Milliamps) -> Iterator[Offer]:
        """Those that allow more than this."""
        return (one for one in self._orders if one.offered_ma > allowed_ma)

    def only_lowers(self, offer: Offer) -> bool:
        """Whether this order raises the device above nothing that it may hold."""
        return all(one.offered_ma >= offer.offered_ma for one in self._orders)

    def begin(self, until_ms: int) -> None:
        """The first order is about to be given: so long it is tried to bring the device down with it."""
        (former,) = self._orders
        self._orders = [attrs.evolve(former, valid_until_ms=until_ms)]

    def add(self, offer: Offer, now_ms: int) -> None:
        """One more may hold from now on."""
        self.end_what_is_over(now_ms)
        alike = [one for one in self._orders if one.offered_ma == offer.offered_ma]
        others = [one for one in self._orders if one.offered_ma != offer.offered_ma]
        self._orders = [*others, _worst(*alike, offer)]
        if len(self._orders) > MOST_HELD:
            first, second, *rest = self._orders
            self._orders = [_worst(first, second), *rest]

    def proven(self, offer: Offer, at_ms: int) -> None:
        """A report shows this one, and so no other holds any more."""
        if self._kind is Deadman.NONE and any(self.above(offer.offered_ma)):
            # Nothing but this order brought it down: its vehicle follows from now on.
            self.goes_astray(max(one.offered_ma for one in self._orders))
        self._orders = [offer]
        if self.astray_ma and self._astray_until_ms is None:
            self._astray_until_ms = at_ms + self._followed_ms

    def most_ma(self, now_ms: int) -> Milliamps:
        """The most that any of them, and the dead man, allow now."""
        return max(self._may_offer_ma(one, now_ms) for one in self._orders)

    def _may_offer_ma(self, order: Offer, now_ms: int) -> Milliamps:
        if self._kind is Deadman.LEASE:
            return order.offered_ma if now_ms < order.valid_until_ms else order.then_ma
        if self._kind is Deadman.NONE:
            return order.offered_ma
        is_over = now_ms >= max(self.fed_ms, order.valid_until_ms) + self.watchdog_ms
        return self.left_alone_ma if is_over else max(order.offered_ma, self.left_alone_ma)

    def end_what_is_over(self, now_ms: int) -> None:
        """What a watchdog has surely ended holds no longer: it left the device at what it does left alone."""
        if self._kind is Deadman.WATCHDOG:
            self._orders = [
                attrs.evolve(one, offered_ma=min(one.offered_ma, self.left_alone_ma))
                if self._may_offer_ma(one, now_ms) < one.offered_ma
                else one
                for one in self._orders
            ]

    def lapse(self, wanted_ma: Milliamps) -> None:
        """A lease ran out, or the device may have restarted: what follows may be more than is wanted now."""
        then_ma = max(self.left_alone_ma, *(one.then_ma for one in self._orders))
        if then_ma > wanted_ma:
            self.goes_astray(then_ma)

    def goes_astray(self, may_offer_ma: Milliamps) -> None:
        """It does more than it was told; of what it was told before, it may yet do anything."""
        thens_ma = [one.then_ma for one in self._orders] if self._kind is Deadman.LEASE else []
        self.astray_ma, self._astray_until_ms = max(self.astray_ma, may_offer_ma, *thens_ma), None

    def forget_astray(self, now_ms: int) -> None:
        """Its vehicle has followed by now, if it was seen to be low again long enough ago."""
        if self._astray_until_ms is not None and now_ms >= self._astray_until_ms:
            self.astray_ma, self._astray_until_ms = 0, None

    def floor_ma(self, *, trusted: bool) -> Milliamps:
        """The most that it may do at any moment, whatever it was told.

        Args:
            trusted: Whether one without a dead man is believed to keep to its orders.
        """
        if self._kind is Deadman.LEASE:
            return self.astray_ma
        if self._kind is Deadman.WATCHDOG:
            return max(self.astray_ma, self.left_alone_ma)
        if not trusted:
            return self._greatest_ma
        return max(self.astray_ma, *(one.offered_ma for one in self._orders))
