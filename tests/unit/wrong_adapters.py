"""Right adapters, and for each rule of the kit wrong ones that break it.

Not collected by itself: `test_conformance_kit.py` runs it in a process of its own and reads which tests failed.
"""

from collections.abc import Sequence

import attrs
import pytest
from tests.unit.plain_adapter import AbleAdapter, Device, PlainAdapter

from powershare.adapter import Deadman, Declaration
from powershare.testing import AdapterConformance
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
    "takes a late answer": ("a_late_answer_is_not_taken_for_the_next",),
    "opens after it was closed": ("closing_may_come_at_any_moment",),
    "a call outlives close": ("closing_may_come_at_any_moment",),
    "leaves a task": ("reopening_leaks_nothing",),
    "leaks a handle": ("reopening_leaks_nothing",),
    "rounds up": ("amounts_round_down", "it_never_offers_more_than_asked"),
    "raises the least": ("below_the_least_offer_it_pauses",),
    "ignores zero": ("zero_pauses", "lowering_is_whole_and_in_time"),
    "sends what is too much": ("above_the_greatest_offer_it_clamps_or_refuses",),
    "lowers late": ("lowering_is_whole_and_in_time",),
    "lowers in steps": ("lowering_is_whole_and_in_time",),
    "settles late": ("the_settle_time_is_true",),
    "is down later than declared": ("the_settle_time_is_true",),
    "reports late": ("the_settle_time_is_true",),
    "ignores orders": ("a_raise_reaches_the_device_and_is_reported",),
    "reports the wish": ("an_order_that_is_not_renewed_ends",),
    "reads from memory": ("a_reading_is_fresh_and_true",),
    "writes slowly": (
        "it_never_offers_more_than_asked",
        "the_answer_says_what_was_applied",
        "the_longest_write_is_true",
    ),
    "confirms the wish": ("the_answer_says_what_was_applied",),
    "stamps early": ("the_answer_says_what_was_applied",),
    "does not confirm": ("the_answer_says_what_was_applied",),
    "applies what is over": ("an_order_that_is_over_is_not_applied",),
    "has no watchdog": ("an_order_that_is_not_renewed_ends",),
    "watchdog is late": ("an_order_that_is_not_renewed_ends",),
    "watchdog is a little late": ("the_dead_man_is_not_later_than_declared",),
    "lease is a little late": ("the_dead_man_is_not_later_than_declared",),
    "lease has no end": ("an_order_that_is_not_renewed_ends",),
    "lease in the adapter": ("closing_leaves_the_device_at_its_fallback",),
    "has a watchdog after all": ("the_end_of_an_order_never_raises",),
    "reads feed": ("reading_keeps_no_order_alive_that_is_over",),
    "reads revive": ("a_device_that_comes_back_is_reached_again_without_a_raise",),
    "reads do not feed": ("reading_keeps_no_order_alive_that_is_over",),
    "watchdog raises": ("the_end_of_an_order_never_raises",),
    "filters unchanged orders": ("renewing_an_unchanged_order_keeps_it", "a_repeated_order_is_really_sent"),
    "repeats no zero": ("a_repeated_order_is_really_sent",),
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
    "promises a fallback": ("a_fallback_that_is_set_is_what_it_does",),
    "answers too much": ("a_fallback_that_is_set_is_what_it_does",),
    "forgets its fallback": ("a_fallback_that_is_set_outlives_a_restart",),
    "writes its fallback always": ("setting_a_fallback_again_changes_and_writes_nothing",),
    "answers differently": ("setting_a_fallback_again_changes_and_writes_nothing",),
    "a fallback is an order": ("setting_a_fallback_does_not_raise_the_offer",),
    "sets a fallback when closed": ("a_closed_adapter_sets_no_fallback",),
    "meters without saying so": ("metering_is_per_line",),
    "meters too few lines": ("metering_is_per_line",),
    "wrong vehicle": ("a_vehicle_is_identified",),
    "any number of lines": ("lines_are_switched",),
    "order closes the contactor": ("the_contactor_cuts_off_and_stays_off",),
    "limited to a bare number": ("an_outside_limit_is_said_whether_open_or_not",),
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
FED = attrs.evolve(DECLARATION, fed_by_reads=True)
FALLBACK = attrs.evolve(DECLARATION, fallback_ma=8_000)
CANNOT_PAUSE = attrs.evolve(DECLARATION, can_pause=False, fallback_ma=6_000, confirms_applied=False)


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
    """One with a vehicle, a memory and a parser: messages of three bytes, `<`, a digit, `>`."""

    frames = (b"<1>", b"<2>")

    def new_adapter(self) -> AbleAdapter:
        return AbleAdapter(self.device)

    def fallback_writes(self) -> int:
        return self.device.fallback_writes

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

    class TestFed(AdapterConformance):
        @pytest.fixture
        def bench(self) -> PlainBench:
            return PlainBench(FED)

    class TestAble(AdapterConformance):
        @pytest.fixture
        def bench(self) -> AbleBench:
            return AbleBench()

    class TestFallback(AdapterConformance):
        @pytest.fixture
        def bench(self) -> AbleBench:
            return AbleBench(FALLBACK)


_ABLE = ("meters too", "wrong vehicle", "any number", "order closes", "limited to", "parser")
_DECLARED = {
    "lease is a little late": LEASE,
    "lease in the adapter": LEASE,
    "lease has no end": LEASE,
    "has a watchdog after all": NONE,
    "is down later than declared": attrs.evolve(DECLARATION, lowers_ms=50),
    "reads do not feed": FED,
    "reads revive": FED,
}


def bench_of(fault: str) -> PlainBench:
    """A device that can break its rule at all."""
    if "fallback" in fault or fault.startswith("answers "):
        return AbleBench(FALLBACK, fault)
    if fault.startswith(_ABLE):
        return AbleBench(fault=fault)
    return PlainBench(_DECLARED.get(fault, DECLARATION), fault)


class TestWrong(AdapterConformance):
    """Each rule of the kit against the wrong adapters that it must notice."""

    reopenings = 10
    hostile_inputs = 200

    @pytest.fixture
    def bench(self, fault: str) -> PlainBench:
        return bench_of(fault)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pair each rule with its faults; the rest of the suite would only take time."""
    if metafunc.cls is TestWrong:
        rule = metafunc.function.__name__.removeprefix("test_")
        metafunc.parametrize("fault", [fault for fault, rules in WRONG.items() if rule in rules])
