"""A small device and its adapter, right unless told to be wrong in one way: what the kit itself is tested with."""

import asyncio
import socket
import threading
from typing import cast

import attrs

from powershare.adapter import Applied, Deadman, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.limiting import OutsideLimit
from powershare.testing import VirtualClock
from powershare.units import MAX_CONNECTOR_MA, Milliamps

LEAKED: list[socket.socket] = []


class Device:
    """A device that keeps its declaration, unless told to break it."""

    def __init__(self, declaration: Declaration, fault: str) -> None:
        self.declaration, self.fault, self.clock = declaration, fault, VirtualClock()
        self.ordered_ma = 0 if declaration.can_pause else 6_000
        self.fallback_ma, self.fallback_writes = declaration.fallback_ma, 0
        self.lease: Offer | None = None
        self.fed_ms = self.clock.now_ms()
        self.silent = self.was_silent = self.opened_contactor = False
        self.held_until_ms = self.held_ma = self.highest_ma = 0
        self.vehicle = ""

    @property
    def offered_ma(self) -> Milliamps:
        now_ms, declaration = self.clock.now_ms(), self.declaration
        if now_ms < self.held_until_ms:
            return self.held_ma
        endless = self.fault in {"lease in the adapter", "lease has no end"}
        if declaration.deadman is Deadman.LEASE and self.lease is not None and not endless:
            late_ms = 200 if self.fault == "lease is a little late" else 0
            if now_ms >= self.lease.valid_until_ms + late_ms:
                return declaration.sendable_ma(self.lease.then_ma)
        if declaration.deadman is Deadman.WATCHDOG and self.fault != "has no watchdog":
            late_ms = {"watchdog is late": 2_000, "watchdog is a little late": 200}.get(self.fault, 0)
            if now_ms >= self.fed_ms + (declaration.watchdog_ms or 0) + late_ms:
                return 16_000 if self.fault == "watchdog raises" else self.fallback_ma
        if self.fault == "has a watchdog after all" and now_ms >= self.fed_ms + 4_000:
            return 16_000
        return self.ordered_ma

    def order(self, offered_ma: Milliamps, lease: Offer | None) -> None:
        if self.fault == "filters zero" and offered_ma == 0:
            return
        now_ms, before_ma = self.clock.now_ms(), self.offered_ma
        if self.fault == "lowers late" and offered_ma < before_ma:
            self.held_ma, self.held_until_ms = before_ma, now_ms + 2_000
        if self.fault == "lowers in steps" and offered_ma < before_ma:
            self.held_ma, self.held_until_ms = (offered_ma + before_ma) // 2_000 * 1_000, now_ms + 150
        if self.fault == "is down later than declared" and offered_ma < before_ma:
            self.held_ma, self.held_until_ms = before_ma, now_ms + 200
        if self.fault == "settles late":
            self.held_ma, self.held_until_ms = before_ma, now_ms + 400
        self.ordered_ma, self.lease, self.fed_ms = offered_ma, lease, now_ms

    def feed(self) -> None:
        if self.fault != "reads revive":
            self.ordered_ma = self.offered_ma  # what its watchdog has ended stays ended
        self.fed_ms = self.clock.now_ms()

    def restart(self) -> None:
        self.ordered_ma = 16_000 if self.fault == "device restarts high" else self.fallback_ma
        if self.fault == "forgets its fallback":
            self.ordered_ma = self.declaration.fallback_ma
        self.lease, self.fed_ms = None, self.clock.now_ms()


class PlainAdapter:
    """An adapter that keeps the contract, unless told to break it."""

    def __init__(self, device: Device) -> None:
        self.device, self.fault = device, device.fault
        self.is_open = self.was_open = False
        self.closings = 0
        self.heartbeat: asyncio.Task[None] | None = None
        self.last: Offer | None = None
        self.remembered: Reading | None = None
        self.before_ma = 0
        self.late_ma: Milliamps | None = None
        if self.fault == "constructor opens a socket":
            socket.socket().close()
        if self.fault == "constructor starts a thread":
            threading.Timer(0.2, lambda: None).start()
        if self.fault == "constructor needs a loop":
            asyncio.get_running_loop()
        if self.fault == "constructor starts a task":
            try:
                self.heartbeat = asyncio.get_running_loop().create_task(asyncio.sleep(0.001))
            except RuntimeError:
                self.heartbeat = None

    @property
    def declaration(self) -> Declaration:
        if self.fault == "declaration changes" and self.last is not None:
            return attrs.evolve(self.device.declaration, greatest_offer_ma=20_000)
        if self.fault == "declaration is missing":
            return None  # type: ignore[return-value] # which is what is wrong with it
        return self.device.declaration

    async def open(self) -> None:
        device, closings = self.device, self.closings
        if self.fault == "does not come back" and device.was_silent:
            raise AdapterUnavailable("gone for good")
        await self._answer()
        if self.is_open:
            return
        if closings != self.closings and self.fault != "opens after it was closed":
            raise AdapterUnavailable("closed while it opened")
        self.is_open = True
        if self.fault == "open raises" or (self.fault == "raises on return" and device.was_silent):
            device.order(16_000, None)
        if self.fault == "reopening repeats the last order" and device.highest_ma:
            device.order(device.highest_ma, None)
        if self.fault == "leaves a task":
            asyncio.get_running_loop().create_task(asyncio.sleep(3600))
        if self.fault == "leaks a handle":
            LEAKED.append(socket.socket())

    async def close(self) -> None:
        if self.fault == "close raises when new" and not self.was_open and not self.is_open:
            raise AdapterUnavailable("not open")
        if self.fault == "second close fails" and self.was_open and not self.is_open:
            raise OSError("already closed")
        if self.fault == "close waits for an answer" and self.device.silent:
            await asyncio.sleep(60)
        self.was_open = self.was_open or self.is_open
        self.is_open = False
        self.closings += 1
        if self.heartbeat is not None and self.fault != "heartbeats after close":
            self.heartbeat.cancel()
            self.heartbeat = None

    async def offer(self, offer: Offer) -> Applied:
        device, clock = self.device, self.device.clock
        self._must_be_open()
        sendable_ma = self._sendable(offer.offered_ma)
        if clock.now_ms() >= offer.valid_until_ms and self.fault != "applies what is over":
            raise AdapterRejected("over")
        unchanged = self.last is not None and sendable_ma == device.ordered_ma
        if unchanged and (
            self.fault == "filters unchanged orders" or (self.fault == "repeats no zero" and not sendable_ma)
        ):
            return Applied(offered_ma=sendable_ma, at_ms=clock.now_ms())
        await self._answer()
        self.last, self.before_ma = offer, device.offered_ma
        device.highest_ma = max(device.highest_ma, sendable_ma)
        if self.fault != "ignores orders":
            device.order(sendable_ma, offer)
        if self.fault == "order closes the contactor":
            device.opened_contactor = False
        if self.heartbeat is None:
            if self.fault in {"heartbeats for ever", "heartbeats after close"}:
                self.heartbeat = asyncio.get_running_loop().create_task(self._beat())
            if self.fault == "lease in the adapter":
                self.heartbeat = asyncio.get_running_loop().create_task(self._expire())
        confirmed_ma = offer.offered_ma if self.fault == "confirms the wish" else sendable_ma
        confirms = self.declaration.confirms_applied and self.fault != "does not confirm"
        at_ms = clock.now_ms() - (1_000 if self.fault == "stamps early" else 0)
        return Applied(offered_ma=self._heard(confirmed_ma) if confirms else None, at_ms=at_ms)

    async def read(self) -> Reading:
        device = self.device
        self._must_be_open()
        if self.fault == "reads from memory" and self.remembered is not None:
            return self.remembered
        await self._answer(reads=True)
        if self.declaration.fed_by_reads != (self.fault in {"reads feed", "reads do not feed"}):
            device.feed()
        reported_ma = self._heard(device.offered_ma)
        if self.fault == "reports the wish" and self.last:
            reported_ma = self.last.offered_ma
        if self.fault == "reports late" and device.clock.now_ms() < device.fed_ms + 600:
            reported_ma = self.before_ma
        state: PilotState = "C" if device.offered_ma else "B"
        self.remembered = Reading(
            at_ms=device.clock.now_ms(),
            offered_ma=reported_ma,
            state=state,
            drawn_ma=(6_000,) if self.fault == "meters without saying so" else None,
        )
        return self.remembered

    def _must_be_open(self) -> None:
        if not self.is_open and self.fault != "works when closed":
            raise AdapterUnavailable("not open")

    def _heard(self, present_ma: Milliamps) -> Milliamps:
        """What is taken for the answer."""
        late_ma, self.late_ma = self.late_ma, None
        return present_ma if late_ma is None else late_ma

    def _sendable(self, asked_ma: Milliamps) -> Milliamps:
        declaration = self.declaration
        if self.fault == "rounds up":
            asked_ma = min(-(-asked_ma // 1_000) * 1_000, declaration.greatest_offer_ma)
        if self.fault == "raises the least" and 0 < asked_ma < declaration.least_offer_ma:
            asked_ma = declaration.least_offer_ma
        if self.fault == "ignores zero" and asked_ma == 0:
            return self.device.ordered_ma
        if self.fault == "sends what is too much" and asked_ma > declaration.greatest_offer_ma:
            return asked_ma // 1_000 * 1_000
        return declaration.sendable_ma(asked_ma)

    async def _answer(self, *, reads: bool = False) -> None:
        """Wait for the device to answer, 20 ms, or for the answer that does not come."""
        closings = self.closings
        try:
            await asyncio.sleep(0.9 if self.fault == "writes slowly" else 0.02)
            if self.device.silent and self.fault != "answers for a silent device":
                await asyncio.sleep(60.0 if self.fault == "waits for ever" else 0.4)
                raise KeyError("no answer") if self.fault == "wrong kind of error" else AdapterTimeout("no answer")
        except asyncio.CancelledError:
            if reads and self.fault == "takes a late answer":
                self.late_ma = self.device.offered_ma
            if self.fault != "swallows cancellation":
                raise
        if closings != self.closings and self.fault == "a call outlives close":
            await asyncio.sleep(60)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.device.feed()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            lease = self.device.lease
            if lease is not None and self.device.clock.now_ms() >= lease.valid_until_ms:
                self.device.order(lease.then_ma, None)


class AbleAdapter(PlainAdapter):
    """One with every ability."""

    metered_lines = 3
    identity_kind = "vin"
    line_counts = frozenset({1, 3})

    async def read(self) -> Reading:
        lines = 2 if self.fault == "meters too few lines" else 3
        vehicle = "another" if self.fault == "wrong vehicle" else self.device.vehicle or None
        reading = await super().read()
        closed = reading.offered_ma > 0 and not self.device.opened_contactor
        return attrs.evolve(reading, drawn_ma=(0,) * lines, vehicle=vehicle, contactor_closed=closed)

    async def use_lines(self, count: int) -> None:
        if count not in self.line_counts and self.fault != "any number of lines":
            raise AdapterRejected("no such number of lines")

    def outside_limit(self) -> OutsideLimit | None:
        if self.fault == "limited to a bare number":
            return cast("OutsideLimit", 16_000)
        return OutsideLimit(most_ma=MAX_CONNECTOR_MA, source="somebody")

    async def open_contactor(self) -> None:
        self.device.opened_contactor = True

    async def release_contactor(self) -> None:
        self.device.opened_contactor = False

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        device = self.device
        if self.fault != "sets a fallback when closed":
            self._must_be_open()
        wanted_ma = min(self._sendable(fallback_ma), self.declaration.fallback_ma)
        if self.fault == "promises a fallback":
            return wanted_ma
        if self.fault == "answers too much":
            return self.declaration.greatest_offer_ma
        if wanted_ma != device.fallback_ma or self.fault == "writes its fallback always":
            device.fallback_ma = wanted_ma
            device.fallback_writes += 1
        if self.fault == "a fallback is an order":
            device.order(16_000, None)
        if self.fault == "answers differently" and device.fallback_writes:
            device.fallback_writes += 1
            return wanted_ma + device.fallback_writes
        return device.fallback_ma
