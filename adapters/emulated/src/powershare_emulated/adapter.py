"""The emulated device behind the contract of `powershare.adapter`."""

import asyncio
from typing import cast

from powershare.adapter import Applied, Clock, Deadman, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import Milliamps
from powershare_emulated.device import EmulatedDevice
from powershare_emulated.settings import LONGEST_WRITE_MS, settings_of

_READ_MS = 5


class EmulatedAdapter:
    """An emulated connector with a vehicle.

    It meters, identifies its vehicle, has a contactor to open, and can be told what to offer when it is left alone.

    Args:
        rest: Empty or `?settings`, what follows `emulated:` in a site file; the README lists them.
        clock: Where the time comes from; a test hands in one that jumps.
        device: A device that is there already; None: a new one of these settings.

    Raises:
        FormatError: A setting cannot be; every problem at once.
    """

    identity_kind = "vin"
    """What an identity is (SupportsVehicleIdentity)."""

    def __init__(self, rest: str = "", /, *, clock: Clock, device: EmulatedDevice | None = None) -> None:
        self._clock = clock
        self.device = EmulatedDevice(settings_of(rest), clock) if device is None else device
        self._declaration = self.device.settings.declaration()
        self._open = False

    @property
    def declaration(self) -> Declaration:
        """What the settings promise; what they make it do wrong is not in it."""
        return self._declaration

    @property
    def metered_lines(self) -> int:
        """How many lines it measures (SupportsMetering)."""
        return self.device.settings.lines

    async def open(self) -> None:
        """Find the device."""
        if self.device.silent:
            raise AdapterUnavailable("the emulated device is silent")
        self._open = True

    async def close(self) -> None:
        """Let go of the device."""
        self._open = False

    async def offer(self, offer: Offer) -> Applied:
        """Order amps; the device says what it then offers."""
        settings = self.device.settings
        sendable_ma = self._declaration.sendable_ma(offer.offered_ma)
        self._must_be_open()
        await self._must_answer()
        if self._clock.now_ms() >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        if settings.refuses and sendable_ma > self.device.offered_ma:
            raise AdapterRejected("the emulated device refuses every raise")
        self.device.order(offer, after_ms=settings.write_ms)
        if settings.write_ms > LONGEST_WRITE_MS:
            await self._time_out()
        await asyncio.sleep(settings.write_ms / 1000)
        return Applied(offered_ma=self.device.reported_ma, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask the device."""
        self._must_be_open()
        await self._must_answer()
        await asyncio.sleep(_READ_MS / 1000)
        outlet = self.device.outlet
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=self.device.reported_ma,
            state=cast("PilotState", outlet.state),
            drawn_ma=outlet.drawn_per_line_ma,
            vehicle=outlet.vehicle,
            contactor_closed=outlet.closed,
        )

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Have the device offer at most this when it is left alone (SupportsFallback).

        The declared fallback stays the most that it ever is: nothing above it is written.
        """
        self._must_be_open()
        await self._must_answer()
        device, declaration = self.device, self._declaration
        if declaration.deadman is Deadman.NONE or not device.settings.sets_fallback:
            raise AdapterRejected(
                "the emulated device offers what it offers when it is left alone: deadman, sets_fallback"
            )
        wanted_ma = declaration.sendable_ma(min(fallback_ma, declaration.fallback_ma))
        if device.fallback_ma != wanted_ma:
            device.set_fallback(wanted_ma)
        return device.fallback_ma

    async def open_contactor(self) -> None:
        """Cut the vehicle off (SupportsContactor)."""
        self._must_be_open()
        await self._must_answer()
        self.device.hold_open(True)

    async def release_contactor(self) -> None:
        """Let the contactor close again (SupportsContactor)."""
        self._must_be_open()
        await self._must_answer()
        self.device.hold_open(False)

    def _must_be_open(self) -> None:
        if not self._open:
            raise AdapterUnavailable("the adapter is not open")

    async def _must_answer(self) -> None:
        if self.device.silent:
            await self._time_out()

    async def _time_out(self) -> None:
        await asyncio.sleep(LONGEST_WRITE_MS / 1000)
        raise AdapterTimeout(f"the emulated device did not answer within {LONGEST_WRITE_MS} ms")
