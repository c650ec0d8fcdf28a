"""Joins the wire's controller to the contract of `powershare.adapter`, one unit each."""

import asyncio
import functools
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from powershare.adapter import Applied, Clock, Declaration, Offer, Reading
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import Milliamps, amps, down_to_step
from powershare_serial.addresses import DevicePath, as_written
from powershare_serial.ports import Connect, Wiring, open_port
from powershare_serial.twc.bus import Bus
from powershare_serial.twc.linked import LinkedUnit, Order
from powershare_serial.twc.messages import Protocol, UnitBeat, shown
from powershare_serial.twc.sending import Contactor
from powershare_serial.twc.settings import LEAST_MA, LONGEST_WRITE_MS, Settings, settings_of
from powershare_serial.twc.sharing import shared_bus
from powershare_serial.twc.states import fault_of

_T = TypeVar("_T")

WIRING = Wiring(baud=9_600)
_WITHIN_S = (LONGEST_WRITE_MS - 100) / 1000
_LOOKS = 3
_VIN_QUESTIONS = 4


class TwcAdapter:
    """One Tesla Gen 2 Wall Connector on an RS-485 wire. It meters, and identifies a Tesla by its VIN.

    All adapters of units on one wire share its one controller, which is opened by the first and closed by the last.

    Args:
        rest: What follows `serial+twc:` in a site file: `///dev/ttyUSB0?id=7777`; the README lists the settings.
        clock: Where the time comes from.
        connect: How to open the wire; None: as the address says. A program that has a port already hands it in here.

    Raises:
        FormatError: The address cannot be; every problem at once.
    """

    identity_kind: str
    """What an identity is (SupportsVehicleIdentity). Units of protocol 1 tell none: where the address says so, this is
    not there."""

    def __init__(self, rest: str, /, *, clock: Clock, connect: Connect | None = None) -> None:
        self._settings = settings_of(rest)
        self._declaration = self._settings.declaration()
        self._clock = clock
        self._connect = connect or functools.partial(open_port, self._settings.place, WIRING)
        self._bus: Bus | None = None
        self._unit: LinkedUnit | None = None
        self._closed = asyncio.Event()
        if self._settings.protocol != 1:
            self.identity_kind = "vin"

    @property
    def declaration(self) -> Declaration:
        """What the address promises; `open()` refuses a unit that is built for less."""
        return self._declaration

    @property
    def metered_lines(self) -> int:
        """How many lines it tells a current for (SupportsMetering)."""
        return self._settings.lines

    async def open(self) -> None:
        """Find the units of the wire, bring all of them low, and take charge of one.

        Raises:
            AdapterUnavailable: There is no such port, it is in use, or another controller speaks on the wire.
            AdapterTimeout: The unit does not answer.
            AdapterRejected: It is not clear which unit is meant, or it is built for less than the address says.
        """
        if self._bus is not None:
            return
        settings, self._closed = self._settings, asyncio.Event()
        bus = shared_bus(_wire(settings), self._connect, self._clock, settings.controller_id)
        try:
            bus.watchdog_ms = max(bus.watchdog_ms, settings.watchdog_ms)
            unit = await _unless(self._closed, _found(bus, settings))
            self._claim(unit, bus)
        except BaseException:
            await bus.release()
            raise
        self._bus, self._unit = bus, unit

    def _claim(self, unit: LinkedUnit, bus: Bus) -> None:
        settings = self._settings
        if unit.owned:
            raise AdapterRejected(f"{bus.name}: unit {shown(unit.unit_id)} belongs to another adapter already")
        _must_fit(unit, bus, settings)
        if settings.protocol is not None:
            unit.be(settings.protocol)
        unit.owned, unit.metered = True, settings.meter
        unit.greatest_ma, unit.spike_ma = settings.greatest_ma, settings.spike_ma

    async def close(self) -> None:
        """Let go of the unit: it is told 0, and then left to its watchdog."""
        self._closed.set()
        bus, unit = self._bus, self._unit
        self._bus = self._unit = None
        if unit is not None:
            unit.release(self._clock.now_ms())
        if bus is not None:
            await bus.release()

    async def offer(self, offer: Offer) -> Applied:
        """Order amps, and have the unit told at once.

        A raise comes later where the last one was less than 5 s ago; lowering never waits.
        """
        sendable_ma = self._declaration.sendable_ma(offer.offered_ma)
        bus, unit = self._opened()
        now_ms = self._clock.now_ms()
        if now_ms >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        _must_fit(unit, bus, self._settings)
        order = Order(offered_ma=sendable_ma, given_ms=now_ms, valid_until_ms=offer.valid_until_ms)
        unit.take(order)
        try:
            async with asyncio.timeout(_WITHIN_S):
                await self._told(bus, unit, order)
        except AdapterError:
            raise
        except TimeoutError:
            raise AdapterTimeout(f"{bus.name}: unit {shown(unit.unit_id)} did not answer in time") from None
        return Applied(offered_ma=None, at_ms=self._clock.now_ms())

    async def _told(self, bus: Bus, unit: LinkedUnit, order: Order) -> None:
        """Have the unit say that it allows no more than the order."""
        beat: UnitBeat | None = None
        for _ in range(_LOOKS):
            beat = await bus.beat(unit)
            if self._unit is not unit:
                raise AdapterUnavailable(f"{bus.name}: the adapter was closed")
            now_ms = self._clock.now_ms()
            if now_ms >= order.valid_until_ms:
                raise AdapterRejected(f"{bus.name}: the order was over before unit {shown(unit.unit_id)} had answered")
            if not unit.ordered(now_ms):  # it had forgotten the last order; this one is newer
                unit.take(order)
            elif beat.allowed_ma <= order.offered_ma:
                return
        if beat is not None and beat.allowed_ma > order.offered_ma:
            said = f"still allows {amps(beat.allowed_ma):g} A though it was told {amps(order.offered_ma):g} A"
            raise AdapterRejected(f"{bus.name}: unit {shown(unit.unit_id)} {said}")

    async def read(self) -> Reading:
        """Ask the unit: a heartbeat, and its answer. Without an order that heartbeat tells it 0."""
        bus, unit = self._opened()
        beat = await bus.beat(unit)
        await self._identify(bus, unit)
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=beat.allowed_ma,
            state=unit.pilot,
            drawn_ma=(self._drawn_ma(unit, beat),) * self._settings.lines,
            vehicle=unit.vin.text,
            fault=fault_of(beat),
        )

    async def _identify(self, bus: Bus, unit: LinkedUnit) -> None:
        """Ask for the VIN of a vehicle that has just come."""
        for _ in range(_VIN_QUESTIONS):
            if unit.protocol != 2 or not unit.vin.sought:
                return
            if not await bus.question(unit, unit.vin.part):
                return

    def _drawn_ma(self, unit: LinkedUnit, beat: UnitBeat) -> Milliamps:
        """The most that any line may carry: which line is which, the sources do not agree on."""
        return max(beat.actual_ma, unit.meter_ma(self._clock.now_ms()) or 0)

    async def cut_off(self) -> None:
        """Have the unit open its contactor at once, whatever it is told to offer.

        Nothing else ever does that. A Tesla may show a fault afterwards, and the unit does not answer: look at what is
        drawn (D of `twc.messages`).

        Raises:
            AdapterUnavailable: The wire is gone, or the adapter is closed.
        """
        await self._contactor(closed=False)

    async def allow_again(self) -> None:
        """Let the unit close its contactor again.

        Raises:
            AdapterUnavailable: The wire is gone, or the adapter is closed.
        """
        await self._contactor(closed=True)

    async def _contactor(self, *, closed: bool) -> None:
        bus, unit = self._opened()
        protocol: Protocol = unit.protocol or 1
        command = Contactor(sender=bus.controller_id, receiver=unit.unit_id, closed=closed, protocol=protocol)
        await bus.contactor(command)

    def _opened(self) -> tuple[Bus, LinkedUnit]:
        if self._bus is None or self._unit is None:
            raise AdapterUnavailable("the adapter is not open")
        if self._unit.clashes(self._clock.now_ms()):
            message = f"two units have the id {shown(self._unit.unit_id)}; one of them will choose another"
            raise AdapterUnavailable(f"{self._bus.name}: {message}")
        return self._bus, self._unit


def _wire(settings: Settings) -> str:
    """The wire's one name, whichever of its links an address names."""
    place = settings.place
    return os.path.realpath(place.path) if isinstance(place, DevicePath) else as_written(place)


async def _unless(closed: asyncio.Event, opening: Coroutine[Any, Any, _T]) -> _T:
    """Await the opening, unless somebody closes meanwhile: that may come at any moment, and then counts."""
    work, end = asyncio.ensure_future(opening), asyncio.ensure_future(closed.wait())
    try:
        await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
        if closed.is_set():
            raise AdapterUnavailable("the adapter was closed while it opened")
        return work.result()
    finally:
        work.cancel()
        end.cancel()
        await asyncio.gather(work, end, return_exceptions=True)


async def _found(bus: Bus, settings: Settings) -> LinkedUnit:
    await bus.start()
    heard = [unit for unit in bus.units.values() if unit.heard]
    names = ", ".join(sorted(shown(unit.unit_id) for unit in heard)) or "none"
    if settings.unit_id is None:
        if len(heard) == 1:
            return heard[0]
        if heard:
            raise AdapterRejected(f"{bus.name}: there are several units, {names}; write ?id= and one of them")
        remedy = "is it on, is its rotary switch at F, are the two wires the right way round?"
        raise AdapterTimeout(f"{bus.name}: no Wall Connector answers; {remedy}")
    found = bus.units.get(settings.unit_id)
    if found is not None and found.heard:
        return found
    if await bus.seek(settings.unit_id, settings.protocol):
        return bus.unit(settings.unit_id)
    raise AdapterTimeout(f"{bus.name}: unit {shown(settings.unit_id)} does not answer; there are: {names}")


def _must_fit(unit: LinkedUnit, bus: Bus, settings: Settings) -> None:
    """Refuse a unit that says it is built for less than it may be told."""
    nameplate_ma = unit.nameplate_ma
    if nameplate_ma is None or nameplate_ma >= settings.greatest_ma:
        return
    unit.void()
    fitting_ma = down_to_step(nameplate_ma, settings.step_ma)
    remedy = (
        "set its rotary switch to its breaker" if fitting_ma < LEAST_MA else f"write greatest_a={amps(fitting_ma):g}"
    )
    said = f"is built for {amps(nameplate_ma):g} A, less than the {amps(settings.greatest_ma):g} A of its address"
    raise AdapterRejected(f"{bus.name}: unit {shown(unit.unit_id)} {said}; {remedy}")
