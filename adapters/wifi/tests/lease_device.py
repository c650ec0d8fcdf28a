"""A device that knows when an order ends and what follows, its car, and its adapter: what the tests' nodes regulate."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import attrs

from powershare.adapter import Applied, Clock, Deadman, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterRejected
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.units import Milliamps

DECLARED = Declaration(
    step_ma=1_000,
    greatest_offer_ma=32_000,
    can_pause=True,
    deadman=Deadman.LEASE,
    fallback_ma=0,
    settle_ms=100,
    longest_write_ms=500,
    confirms_applied=True,
)

FOLLOWS = partial(Traits, lines_used=None, ramp_up_ma_per_s=10_000, ramp_down_ma_per_s=20_000)
"""A car that is down in time (assumption A2) by itself, also where nobody is left to cut it off."""


class LeaseDevice:
    """The device; it acts by itself when somebody looks, at the instants at which it was due.

    Args:
        clock: The clock that its orders go by.
        changed: Told of every change, as an outlet tells.
    """

    def __init__(self, clock: Clock, changed: Callable[[Outlet, int, str | None], None] | None = None) -> None:
        self._clock, self._then = clock, cast("Offer | None", None)
        self._outlet = Outlet(clock.now_ms(), step_ma=DECLARED.step_ma, changed=changed)

    @property
    def outlet(self) -> Outlet:
        """Its connector and car, as they are now."""
        now_ms, then = self._clock.now_ms(), self._then
        if then is not None and then.valid_until_ms <= now_ms:
            self._then = None
            self._outlet.advance(then.valid_until_ms)
            self._outlet.offer(then.then_ma, then.valid_until_ms, "left alone")
        self._outlet.advance(now_ms)
        return self._outlet

    @property
    def offered_ma(self) -> Milliamps:
        """What its pilot says."""
        return self.outlet.offered_ma

    def order(self, offer: Offer) -> None:
        """Take an order."""
        self.outlet.offer(DECLARED.sendable_ma(offer.offered_ma), self._clock.now_ms())
        self._then = offer

    def plug_in(self, max_ma: Milliamps = 32_000, identity: str = "car") -> None:
        """A car comes."""
        self.outlet.plug_in(FOLLOWS(max_ma=max_ma, identity=identity), 1_000_000, self._clock.now_ms())

    def unplug(self) -> None:
        """It goes."""
        self.outlet.unplug(self._clock.now_ms())

    def reading(self) -> Reading:
        """What it reports."""
        outlet = self.outlet
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=outlet.offered_ma,
            state=cast("PilotState", outlet.state),
            drawn_ma=outlet.drawn_per_line_ma,
            vehicle=outlet.vehicle,
            contactor_closed=outlet.closed,
        )


class LeaseAdapter:
    """The adapter of a device in the same process.

    Args:
        device: It.
        clock: Its clock.
        **declared: What it declares in place of what is so.
    """

    def __init__(self, device: LeaseDevice, clock: Clock, **declared: Any) -> None:  # noqa: ANN401 - any field
        self._device, self._clock = device, clock
        self.declaration = attrs.evolve(DECLARED, **declared)

    async def open(self) -> None:
        """Nothing has to be dialled."""

    async def close(self) -> None:
        """Nor hung up."""

    async def offer(self, offer: Offer) -> Applied:
        """Order."""
        await asyncio.sleep(0.02)
        if self._clock.now_ms() >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        self._device.order(offer)
        return Applied(offered_ma=self._device.offered_ma, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask."""
        await asyncio.sleep(0.005)
        return self._device.reading()
