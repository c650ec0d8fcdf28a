"""Joins a device and its line to the contract of `powershare.adapter`."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Hashable, Mapping

from powershare.adapter import Applied, Clock, Declaration, Offer, Reading
from powershare.addressing import HostPort
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import Milliamps, down_to_step
from powershare_serial.addresses import DevicePath
from powershare_serial.modbus.client import LINES, Line, Lines
from powershare_serial.modbus.registers import Register
from powershare_serial.modbus.settings import settings_of
from powershare_serial.modbus.unit import Unit, state_of
from powershare_serial.ports import Connect, open_port

_OPENING_MS = 10_000
"""The longest that an opening may take: looking at a device takes some questions."""


class ModbusAdapter:
    """A device that its register map describes.

    It measures (SupportsMetering) where its map says so, and can be told its fallback (SupportsFallback) likewise.

    Args:
        rest: What follows `serial+modbus:` in a site file; the README lists the settings.
        clock: Where the time comes from.
        connect: How to open the wire; None: as the address says.
        lines: Who shares lines; None: all adapters of this process that name the same wire.

    Raises:
        FormatError: The address or its map means nothing; every problem at once.
    """

    metered_lines: int
    """How many lines it measures (SupportsMetering); there only where its map has a meter."""

    def __init__(self, rest: str, /, *, clock: Clock, connect: Connect | None = None, lines: Lines = LINES) -> None:
        self._settings = settings_of(rest)
        self._declaration = self._settings.declaration()
        self._clock = clock
        self._connect = connect or functools.partial(open_port, self._settings.place, self._settings.wiring)
        self._lines = lines
        self._key: Hashable = (self._settings.place, self._settings.tcp, connect)
        self._line: Line | None = None
        self._unit: Unit | None = None
        self._before: Unit | None = None
        self._ordered: tuple[Milliamps, int] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._closings = 0
        if self._settings.lines:
            self.metered_lines = self._settings.lines
        watchdog = self._settings.map.watchdog
        if watchdog is not None and watchdog.failsafe is not None:
            self.set_fallback = self._set_fallback

    @property
    def declaration(self) -> Declaration:
        """What map and address promise."""
        return self._declaration

    async def open(self) -> None:
        """Dial, look whether the device is what its map says, and set its watchdog. No offer is raised.

        Raises:
            AdapterRejected: It is something else; the text says what to do.
            AdapterError: It cannot be reached.
        """
        if self._unit is not None:
            return
        closings = self._closings
        line: Line | None = None
        try:
            async with _in_time(_OPENING_MS):
                line = await self._lines.take(self._key, self._make_line)
                self._must_be_wired_alike(line)
                unit = Unit(line, self._settings, self._clock, self._declaration.fallback_ma, self._before)
                await unit.set_up()
            self._must_not_be_closed_since(closings)
        except BaseException:
            if line is not None:
                await self._lines.give_back(self._key, line)
            raise
        self._line, self._unit = line, unit

    async def close(self) -> None:
        """Let go of the line; the device's watchdog, if it has one, does the rest."""
        self._closings += 1
        line, self._line = self._line, None
        unit, self._unit = self._unit, None
        if unit is not None:
            self._before = unit
        try:
            if unit is not None:
                await unit.leave()
            await self._stop_beating()
        finally:
            if line is not None:
                await self._lines.give_back(self._key, line)

    async def offer(self, offer: Offer) -> Applied:
        """Order whole steps, rounded down. That the device wrote it proves nothing: `read()` says what it offers."""
        sendable_ma = self._declaration.sendable_ma(offer.offered_ma)
        if self._clock.now_ms() >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        unit = self._opened()
        async with _in_time(self._declaration.longest_write_ms):
            if not unit.is_set_up:
                await unit.set_up()
            await unit.order(sendable_ma, offer.valid_until_ms)
            await unit.feed(offer.valid_until_ms)
            await unit.grant()
            if not unit.is_set_up:  # the connection broke on the way: the device may have restarted
                await unit.set_up()
        if self._unit is not unit:
            await unit.leave()  # what was repeated for it since it was left
            raise AdapterUnavailable("the adapter was closed while it ordered")
        self._ordered = (sendable_ma, offer.valid_until_ms)
        await self._stop_beating()
        if self._beats_by_itself():
            self._beating = asyncio.create_task(self._beat(unit, offer.valid_until_ms))
        return Applied(offered_ma=None, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask the device for everything, and set its watchdog again if it has lost it."""
        unit = self._opened()
        async with _in_time(_OPENING_MS):
            if not unit.is_set_up:
                await unit.set_up()
            words = await unit.look()
            if unit.watchdog_lost(words):
                unit.forget()
                await unit.set_up()
                words = await unit.look()
            await unit.grant(unit.map.states[0].register.raw_of(words[unit.map.states[0].register]))
        return self._reading(words)

    async def _set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Have the device offer at most this when it is left alone (SupportsFallback)."""
        declared = self._declaration
        wanted_ma = down_to_step(min(fallback_ma, declared.fallback_ma), declared.step_ma)
        unit = self._opened()
        async with _in_time(_OPENING_MS):
            return await unit.set_fallback(wanted_ma if wanted_ma >= declared.least_offer_ma else 0)

    def _make_line(self) -> Line:
        settings = self._settings
        redials = isinstance(settings.place, HostPort)
        line = Line(self._connect, self._clock, tcp=settings.tcp, gap_ms=settings.gap_ms, redials=redials)
        line.wiring = settings.wiring
        return line

    def _must_be_wired_alike(self, line: Line) -> None:
        line.needs(self._settings.gap_ms)
        if isinstance(self._settings.place, DevicePath) and line.wiring != self._settings.wiring:
            told = ", ".join(
                "none" if wiring is None else f"baud={wiring.baud} parity={wiring.parity} stop_bits={wiring.stop_bits}"
                for wiring in (line.wiring, self._settings.wiring)
            )
            raise AdapterRejected(f"all units of {self._settings.place} must be wired alike; there are {told}")

    def _must_not_be_closed_since(self, closings: int) -> None:
        if closings != self._closings:  # close() may come at any moment, and then counts
            raise AdapterUnavailable("the adapter was closed while it opened")

    def _opened(self) -> Unit:
        if self._unit is None:
            raise AdapterUnavailable("the adapter is not open")
        return self._unit

    def _beats_by_itself(self) -> bool:
        """Whether orders, repeated every half watchdog, are not often enough."""
        dog, refresh_ms = self._settings.map.watchdog, self._declaration.refresh_ms
        if dog is None or dog.heartbeat is None or refresh_ms is None:
            return False
        return dog.heartbeat.every_ms < refresh_ms

    async def _beat(self, unit: Unit, until_ms: int) -> None:
        """Send heartbeats for as long as an order holds."""
        dog = unit.map.watchdog
        every_ms = 0 if dog is None or dog.heartbeat is None else dog.heartbeat.every_ms
        while self._clock.now_ms() + every_ms < until_ms:
            await asyncio.sleep(every_ms / 1000)
            with contextlib.suppress(AdapterError):  # a line that is gone for a while is tried again
                await unit.feed(until_ms)

    async def _stop_beating(self) -> None:
        task, self._beating = self._beating, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _reading(self, words: Mapping[Register, tuple[int, ...]]) -> Reading:
        found = self._settings.map
        state, offering = state_of(found, words)
        offered_ma = self._offered_ma(words)
        if found.release is not None and found.release.readable:
            raw = found.release.register.raw_of(words[found.release.register])
            offering = offering and raw != found.release.off
        drawn_ma = None
        if self._settings.lines:
            meters = found.drawn[: self._settings.lines]
            drawn_ma = tuple(_known_ma(register, words, "what it draws; write lines=1") for register in meters)
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=offered_ma if offering else 0,
            state=state,
            drawn_ma=drawn_ma,
            fault=self._fault(state, offered_ma if offering else 0, words),
        )

    def _offered_ma(self, words: Mapping[Register, tuple[int, ...]]) -> Milliamps:
        register = self._settings.map.reported.register
        if register is not None:
            return _known_ma(register, words, "what it offers")
        told_ma = None if self._unit is None else self._unit.told_ma
        return self._declaration.greatest_offer_ma if told_ma is None else told_ma

    def _fault(self, state: str, offered_ma: Milliamps, words: Mapping[Register, tuple[int, ...]]) -> str | None:
        honoured = self._settings.map.honoured
        ordered_ma, until_ms = self._ordered or (offered_ma, 0)
        above = offered_ma > ordered_ma and self._clock.now_ms() < until_ms
        # Below the order some other limit of the device counts, and that is none of ours.
        if above and honoured is not None and not honoured.holds(honoured.register.raw_of(words[honoured.register])):
            return honoured.remedy
        if state not in {"E", "F"}:
            return None
        rules = self._settings.map.states
        return ", ".join(f"{rule.register} is {rule.register.raw_of(words[rule.register])}" for rule in rules)


def _known_ma(register: Register, words: Mapping[Register, tuple[int, ...]], what: str) -> Milliamps:
    current_ma = register.thousandths_of(words[register])
    if current_ma is None:
        raise AdapterUnavailable(f"{register}: the device does not know {what}")
    return current_ma


@contextlib.asynccontextmanager
async def _in_time(longest_ms: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(longest_ms / 1000):
            yield
    except AdapterTimeout:
        raise
    except TimeoutError:
        raise AdapterTimeout(f"it took more than {longest_ms} ms") from None
