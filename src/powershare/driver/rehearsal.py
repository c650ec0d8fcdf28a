"""A dry run: devices are dialled and asked, and told nothing."""

from collections.abc import Callable

import attrs

from powershare.adapter import Adapter, Applied, Clock, Declaration, Offer, Reading, SupportsFallback
from powershare.errors import AdapterRejected
from powershare.limiting import OutsideLimit, SupportsOutsideLimits
from powershare.units import Milliamps, amps_text


class Rehearsal:
    """An adapter that keeps every order to itself, and reports the device as if it had followed it.

    Args:
        adapter: The adapter of the device.
        clock: Its clock.
        told: Told what the device would have been told, when that changes.
    """

    def __init__(self, adapter: Adapter, clock: Clock, told: Callable[[str], None]) -> None:
        self._adapter, self._clock, self._told = adapter, clock, told
        self._ordered_ma: Milliamps | None = None

    @property
    def declaration(self) -> Declaration:
        """What the adapter promises of its device."""
        return self._adapter.declaration

    async def open(self) -> None:
        """Dial."""
        await self._adapter.open()

    async def offer(self, offer: Offer) -> Applied:
        """Keep the order."""
        now_ms = self._clock.now_ms()
        if now_ms >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        ordered_ma = self.declaration.sendable_ma(offer.offered_ma)
        if ordered_ma != self._ordered_ma:
            self._told(f"would be told {amps_text(ordered_ma)}")
        self._ordered_ma = ordered_ma
        return Applied(offered_ma=ordered_ma, at_ms=now_ms)

    async def read(self) -> Reading:
        """Ask the device, and put the order in the place of what it really offers."""
        reading = await self._adapter.read()
        return reading if self._ordered_ma is None else attrs.evolve(reading, offered_ma=self._ordered_ma)

    def outside_limit(self) -> OutsideLimit | None:
        """What somebody else limits the device to, where its adapter knows."""
        adapter = self._adapter
        return adapter.outside_limit() if isinstance(adapter, SupportsOutsideLimits) else None

    async def close(self) -> None:
        """Hang up."""
        await self._adapter.close()


class _SettableRehearsal(Rehearsal):
    """The same of a device that can be told what to do when it is left alone: it is not told that either."""

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Keep it."""
        would_ma = self.declaration.sendable_ma(min(fallback_ma, self.declaration.fallback_ma))
        self._told(f"would be told to offer {amps_text(would_ma)} when it is left alone")
        return would_ma


def rehearsed(adapter: Adapter, clock: Clock, told: Callable[[str], None]) -> Rehearsal:
    """The rehearsal of an adapter, as able as it is so far as the driver asks before it regulates.

    Args:
        adapter: The adapter of the device.
        clock: Its clock.
        told: Told what the device would have been told, when that changes.
    """
    kind = _SettableRehearsal if isinstance(adapter, SupportsFallback) else Rehearsal
    return kind(adapter, clock, told)
