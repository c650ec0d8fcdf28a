"""A small right adapter, and many wrong ones that each break one rule: what the kit's own tests are run against.

Not collected by itself: `test_conformance_kit.py` runs it in a process of its own and reads which tests failed.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence

import attrs
import pytest

from powershare.adapter import Applied, Deadman, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.testing import AdapterConformance, VirtualClock
from powershare.units import Milliamps

# fault -> the tests of the kit that must notice it.
WRONG: dict[str, tuple[str, ...]] = {
    "constructor opens a socket": ("construction_does_no_io",),
    "constructor starts a thread": ("construction_does_no_io",),
    "constructor starts a task": ("construction_starts_no_task",),
    "constructor needs a loop": ("it_is_an_adapter_with_a_declaration",),
    "declaration is missing": ("it_is_an_adapter_with_a_declaration",),
    "declaration changes": ("the_declaration_does_not_change",),
    "open raises": ("opening_does_not_raise_the_offer",),
    "reopening repeats the last order": ("opening_again_does_not_raise_the_offer",),
    "close raises when new": ("open_and_close_may_be_repeated",),
    "second close fails": ("open_and_close_may_be_repeated",),
    "works when closed": ("an_adapter_that_is_not_open_refuses",),
    "heartbeats after close": ("closing_leaves_the_device_at_its_fallback",),
    "swallows cancellation": ("a_cancelled_call_leaves_nothing_behind",),
    "leaves a task": ("reopening_leaks_nothing",),
    "leaks a handle": ("reopening_leaks_nothing",),
    "rounds up": ("amounts_round_down", "it_never_offers_more_than_asked"),
    "raises the least": ("below_the_least_offer_it_pauses",),
    "ignores zero": ("zero_pauses", "lowering_is_whole_and_in_time"),
    "sends what is too much": ("above_the_greatest_offer_it_clamps_or_refuses",),
    "lowers in pieces": ("lowering_is_whole_and_in_time",),
    "ignores orders": ("a_raise_reaches_the_device_and_is_reported",),
    "reports the wish": ("an_order_that_is_not_renewed_ends",),
    "reads from memory": ("a_reading_is_fresh_and_true",),
    "writes slowly": ("it_never_offers_more_than_asked", "the_answer_says_what_was_applied"),
    "confirms the wish": ("the_answer_says_what_was_applied",),
    "does not confirm": ("the_answer_says_what_was_applied",),
    "applies what is over": ("an_order_that_is_over_is_not_applied",),
    "has no watchdog": ("an_order_that_is_not_renewed_ends",),
    "watchdog is late": ("an_order_that_is_not_renewed_ends",),
    "watchdog raises": ("the_end_of_an_order_never_raises",),
    "filters unchanged orders": ("renewing_an_unchanged_order_keeps_it",),
    "filters zero": ("zero_pauses",),
    "heartbeats for ever": ("an_order_that_is_not_renewed_ends",),
    "waits for ever": ("a_silent_device_is_an_error_in_time",),
    "answers for a silent device": (
        "a_silent_device_is_an_error_in_time",
        "opening_to_a_silent_device_fails_and_can_be_repeated",
    ),
    "close waits for an answer": ("closing_beside_a_silent_device_ends",),
    "does not come back": ("a_device_that_comes_back_is_reached_again_without_a_raise",),
    "raises on return": ("a_device_that_comes_back_is_reached_again_without_a_raise",),
    "device restarts high": ("a_device_that_restarted_offers_no_more_than_its_fallback",),
    "wrong kind of error": ("a_silent_device_is_an_error_in_time",),
    "meters without saying so": ("metering_is_per_line",),
    "meters too few lines": ("metering_is_per_line",),
    "wrong vehicle": ("a_vehicle_is_identified",),
    "any number of lines": ("lines_are_switched",),
    "order closes the contactor": ("the_contactor_cuts_off_and_stays_off",),
    "parser breaks": ("hostile_bytes_are_refused_and_not_more",),
    "parser wants whole reads": ("genuine_messages_are_read_in_any_portions",),
    "parser never recovers": ("the_parser_survives_noise_before_a_message",),
}

DECLARATION = Declaration(
    step_ma=1_000,
    greatest_offer_ma=32_000,
    can_pause=True,
    deadman=Deadman.WATCHDOG,
    watchdog_ms=4_000,
    fallback_ma=0,
    settle_ms=300,
    confirms_applied=True,
)
LEASE = attrs.evolve(DECLARATION, deadman=Deadman.LEASE, watchdog_ms=None)
NONE = attrs.evolve(DECLARATION, deadman=Deadman.NONE, watchdog_ms=None, fallback_ma=32_000)
CANNOT_PAUSE = attrs.evolve(DECLARATION, can_pause=False, fallback_ma=6_000, confirms_applied=False)


class Device:
    """A device that keeps its declaration, unless told to break it."""

    def __init__(self, declaration: Declaration, fault: str) -> None:
        self.declaration, self.fault, self.clock = declaration, fault, VirtualClock()
        self.ordered_ma = 0 if declaration.can_pause else 6_000
        self.lease: Offer | None = None
        self.fed_ms = self.clock.now_ms()
        self.silent = self.was_silent = self.opened_contactor = False
        self.pieces_until_ms, self.high_ma = 0, 0
        self.vehicle = ""

    @property
    def offered_ma(self) -> Milliamps:
        now_ms, declaration = self.clock.now_ms(), self.declaration
        if now_ms < self.pieces_until_ms:
            return max(self.high_ma, self.ordered_ma)
        if declaration.deadman is Deadman.LEASE and self.lease is not None and now_ms >= self.lease.valid_until_ms:
            return declaration.sendable_ma(self.lease.then_ma)
        watchdog_ms = (declaration.watchdog_ms or 0) + (2_000 if self.fault == "watchdog is late" else 0)
        fires = declaration.deadman is Deadman.WATCHDOG and self.fault != "has no watchdog"
        if fires and now_ms >= self.fed_ms + watchdog_ms:
            return 16_000 if self.fault == "watchdog raises" else declaration.fallback_ma
        return self.ordered_ma

    def order(self, offered_ma: Milliamps, lease: Offer | None) -> None:
        if self.fault == "filters zero" and offered_ma == 0:
            return
        if self.fault == "lowers in pieces" and offered_ma < self.offered_ma:
            self.high_ma, self.pieces_until_ms = self.offered_ma, self.clock.now_ms() + 2_000
        self.ordered_ma, self.lease, self.fed_ms = offered_ma, lease, self.clock.now_ms()

    def restart(self) -> None:
        self.ordered_ma = 16_000 if self.fault == "device restarts high" else self.declaration.fallback_ma
        self.lease, self.fed_ms = None, self.clock.now_ms()


class PlainAdapter:
    """An adapter that keeps the contract, unless told to break it."""

    def __init__(self, device: Device) -> None:
        self.device, self.fault = device, device.fault
        self.is_open = self.was_open = False
        self.heartbeat: asyncio.Task[None] | None = None
        self.last: Offer | None = None
        self.remembered: Reading | None = None
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
            return None  # type: ignore[return-value]
        return self.device.declaration

    async def open(self) -> None:
        device = self.device
        if self.fault == "does not come back" and device.was_silent:
            raise AdapterUnavailable("gone for good")
        await self._answer()
        if self.is_open:
            return
        self.is_open = True
        if self.fault == "open raises" or (self.fault == "raises on return" and device.was_silent):
            device.order(16_000, None)
        if self.fault == "reopening repeats the last order" and device.high_ma:
            device.order(device.high_ma, None)
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
        if self.heartbeat is not None and self.fault != "heartbeats after close":
            self.heartbeat.cancel()

    async def offer(self, offer: Offer) -> Applied:
        device, clock = self.device, self.device.clock
        if not self.is_open and self.fault != "works when closed":
            raise AdapterUnavailable("not open")
        sendable_ma = self._sendable(offer.offered_ma)
        if clock.now_ms() >= offer.valid_until_ms and self.fault != "applies what is over":
            raise AdapterRejected("over")
        if self.fault == "filters unchanged orders" and self.last is not None and sendable_ma == device.ordered_ma:
            return Applied(offered_ma=sendable_ma, at_ms=clock.now_ms())
        await self._answer()
        self.last = offer
        device.high_ma = max(device.high_ma, sendable_ma)
        if self.fault != "ignores orders":
            device.order(sendable_ma, offer)
        if self.fault == "order closes the contactor":
            device.opened_contactor = False
        if self.fault in {"heartbeats for ever", "heartbeats after close"} and self.heartbeat is None:
            self.heartbeat = asyncio.get_running_loop().create_task(self._beat())
        confirmed_ma = offer.offered_ma if self.fault == "confirms the wish" else sendable_ma
        confirms = self.declaration.confirms_applied and self.fault != "does not confirm"
        return Applied(offered_ma=confirmed_ma if confirms else None, at_ms=clock.now_ms())

    async def read(self) -> Reading:
        device = self.device
        if not self.is_open and self.fault != "works when closed":
            raise AdapterUnavailable("not open")
        if self.fault == "reads from memory" and self.remembered is not None:
            return self.remembered
        await self._answer()
        wish_ma = self.last.offered_ma if self.fault == "reports the wish" and self.last else None
        state: PilotState = "C" if device.offered_ma else "B"
        self.remembered = Reading(
            at_ms=device.clock.now_ms(),
            offered_ma=device.offered_ma if wish_ma is None else wish_ma,
            state=state,
            drawn_ma=(6_000,) if self.fault == "meters without saying so" else None,
        )
        return self.remembered

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

    async def _answer(self) -> None:
        """Wait for the device to answer, 20 ms, or for the answer that does not come."""
        try:
            await asyncio.sleep(0.9 if self.fault == "writes slowly" else 0.02)
            if self.device.silent and self.fault != "answers for a silent device":
                await asyncio.sleep(60.0 if self.fault == "waits for ever" else 0.4)
                raise KeyError("no answer") if self.fault == "wrong kind of error" else AdapterTimeout("no answer")
        except asyncio.CancelledError:
            if self.fault != "swallows cancellation":
                raise

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.device.fed_ms = self.device.clock.now_ms()


LEAKED: list[socket.socket] = []


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

    async def open_contactor(self) -> None:
        self.device.opened_contactor = True

    async def release_contactor(self) -> None:
        self.device.opened_contactor = False


class PlainBench:
    def __init__(self, declaration: Declaration = DECLARATION, fault: str = "") -> None:
        self.device = Device(declaration, fault)
        self.clock = self.device.clock

    def new_adapter(self) -> PlainAdapter:
        return PlainAdapter(self.device)

    def device_offered_ma(self) -> Milliamps:
        return self.device.offered_ma

    def silence(self, silent: bool) -> None:
        self.device.silent = silent
        self.device.was_silent = self.device.was_silent or silent

    def restart_device(self) -> None:
        self.device.restart()


class AbleBench(PlainBench):
    """One with a vehicle and a parser: messages of three bytes, `<`, a digit, `>`."""

    frames = (b"<1>", b"<2>")

    def new_adapter(self) -> AbleAdapter:
        return AbleAdapter(self.device)

    def plug_in(self, vehicle: str) -> None:
        self.device.vehicle = vehicle

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        fault = self.device.fault
        if fault == "parser wants whole reads":
            return [chunk for chunk in chunks if chunk in self.frames]
        data = b"".join(chunks)
        if fault == "parser never recovers" and not data.startswith(tuple(self.frames)):
            return []
        if fault == "parser breaks":
            return [int(part[:1]) for part in data.split(b"<")[1:]]
        found = []
        while len(data) >= 3:
            if data[:3] in self.frames:
                found.append(data[:3])
                data = data[3:]
            else:
                data = data[1:]
        return found


class TestRight:
    """Right adapters of each class, with few abilities and with all."""

    class TestWatchdog(AdapterConformance):
        @pytest.fixture
        def bench(self) -> PlainBench:
            return PlainBench()

    class TestLease(AdapterConformance):
        @pytest.fixture
        def bench(self) -> PlainBench:
            return PlainBench(LEASE)

    class TestNone(AdapterConformance):
        @pytest.fixture
        def bench(self) -> PlainBench:
            return PlainBench(NONE)

    class TestCannotPause(AdapterConformance):
        @pytest.fixture
        def bench(self) -> PlainBench:
            return PlainBench(CANNOT_PAUSE)

    class TestAble(AdapterConformance):
        @pytest.fixture
        def bench(self) -> AbleBench:
            return AbleBench()


_ABLE = tuple(f for f in WRONG if f.startswith(("meters too", "wrong vehicle", "any number", "order closes", "parser")))


class TestWrong(AdapterConformance):
    """Each rule of the kit against the wrong adapters that it must notice."""

    reopenings = 10
    hostile_inputs = 200

    @pytest.fixture
    def bench(self, fault: str) -> PlainBench:
        return AbleBench(fault=fault) if fault in _ABLE else PlainBench(fault=fault)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pair each rule with its faults; the rest of the suite would only take time."""
    if metafunc.cls is TestWrong:
        rule = metafunc.function.__name__.removeprefix("test_")
        metafunc.parametrize("fault", [fault for fault, rules in WRONG.items() if rule in rules])
