"""A stranger's adapter: a device that knows when an order ends and what follows, and its car, in the same process.

Tests hand it to `powershare run` as a distribution of its own (`plant.py`), so that they need no other adapter's.
"""

import asyncio
from functools import partial
from typing import cast

from powershare.adapter import Applied, Clock, Deadman, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterRejected
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits

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
CAR = partial(Traits, lines_used=None, ramp_up_ma_per_s=10_000, ramp_down_ma_per_s=20_000)


class PlantAdapter:
    """The device and its adapter.

    Args:
        rest: Means nothing.
        clock: Its clock.
    """

    declaration = DECLARED

    def __init__(self, rest: str, /, *, clock: Clock) -> None:
        self._clock, self._then = clock, cast("Offer | None", None)
        self._outlet = Outlet(clock.now_ms(), step_ma=DECLARED.step_ma)
        self._outlet.plug_in(CAR(max_ma=32_000, identity="car"), 1_000_000, clock.now_ms())

    async def open(self) -> None:
        """Nothing has to be dialled."""

    async def close(self) -> None:
        """Nor hung up."""

    async def offer(self, offer: Offer) -> Applied:
        """Order."""
        await asyncio.sleep(0.02)
        now_ms, outlet = self._clock.now_ms(), self._looked_at()
        if now_ms >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        outlet.offer(DECLARED.sendable_ma(offer.offered_ma), now_ms)
        self._then = offer
        return Applied(offered_ma=outlet.offered_ma, at_ms=now_ms)

    async def read(self) -> Reading:
        """Ask."""
        await asyncio.sleep(0.005)
        outlet = self._looked_at()
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=outlet.offered_ma,
            state=cast("PilotState", outlet.state),
            drawn_ma=outlet.drawn_per_line_ma,
            vehicle=outlet.vehicle,
            contactor_closed=outlet.closed,
        )

    def _looked_at(self) -> Outlet:
        """Its connector and car, as they are now: what was due since the last look has happened."""
        now_ms, then = self._clock.now_ms(), self._then
        if then is not None and then.valid_until_ms <= now_ms:
            self._then = None
            self._outlet.advance(then.valid_until_ms)
            self._outlet.offer(then.then_ma, then.valid_until_ms, "left alone")
        self._outlet.advance(now_ms)
        return self._outlet
