"""RAPI: messages as the firmware's own text gives them, and addresses."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.adapter import Deadman, SupportsFallback, SupportsMetering
from powershare.errors import FormatError
from powershare.registry import create_adapter
from powershare.testing import VirtualClock
from powershare_serial.rapi.adapter import RapiAdapter
from powershare_serial.rapi.device import FAILURES
from powershare_serial.rapi.emulated import emulator
from powershare_serial.rapi.frames import LONGEST_LINE, Answer, Command, Lines, Notice, encode, parse

DATA = Path(os.environ.get("POWERSHARE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
PUBLISHED = DATA / "protocols" / "openevse_rapi.jsonl"


# Published in the comments of OpenEVSE/open_evse, firmware/open_evse/rapi_proc.h.
@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"$F0 1^43", Command("F0", ("1",))),
        (b"$F0 0^42", Command("F0", ("0",))),
        (b"$FB 7*03", Command("FB", ("7",))),
        (b"$FD*AE", Command("FD")),
        (b"$FE*AF", Command("FE")),
        (b"$FS*BD", Command("FS")),
        (b"$SL A*24", Command("SL", ("A",))),
        (b"$ST 0 0 0 0^23", Command("ST", ("0", "0", "0", "0"))),
        (b"$GC^20", Command("GC")),
        (b"$GS^30", Command("GS")),
    ],
)
def test_commands_as_the_firmware_publishes_them_are_read(line: bytes, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published messages are not here; set POWERSHARE_DATA")
def test_all_published_messages_are_read_and_written_to_the_letter() -> None:
    records = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    assert records
    for record in records:
        message = parse(record["command"].encode())
        assert (message is not None) == record["checksum_valid"], record
        if message is not None and record["checksum"] == "xor":
            assert encode(message).decode() == record["command"] + "\r"


@pytest.mark.parametrize(
    "line",
    [
        b"$OK 16",
        b"$OK 16^",
        b"$OK 16^1",
        b"$OK 17^3D",
        b"OK 16^3C",
        b"$OK 16^3C9",
        b"$^24",
        b"$OK \xff16^00",
        b"",
        b"$",
    ],
)
def test_a_line_without_a_right_checksum_is_no_message(line: bytes) -> None:
    assert parse(line) is None


WORDS = st.lists(st.from_regex(r"[0-9A-Za-z.-]{1,6}", fullmatch=True), max_size=4).map(tuple)
SEQUENCES = st.none() | st.integers(1, 255)


@given(
    st.builds(Answer, st.booleans(), WORDS, SEQUENCES)
    | st.builds(Notice, st.sampled_from(["AT", "AB", "AN", "WF"]), WORDS)
    | st.builds(Command, st.sampled_from(["SC", "GS", "FE", "SY"]), WORDS, SEQUENCES)
)
def test_what_is_written_is_read_back_the_same(message: Answer | Notice | Command) -> None:
    assert Lines().feed(encode(message)) == [message]


def test_a_message_that_begins_within_another_counts_and_the_broken_one_does_not() -> None:
    lines = Lines()
    assert lines.feed(b"$OK 1" + encode(Notice("AT", ("03", "03", "16", "0140"))) + encode(Answer(True, ("16",)))) == [
        Notice("AT", ("03", "03", "16", "0140")),
        Answer(True, ("16",)),
    ]
    assert lines.spoiled == 0


def test_a_peer_that_never_ends_its_line_fills_no_memory() -> None:
    lines = Lines()
    for _ in range(1_000):
        assert lines.feed(b"$" + b"A" * 500) == []
    assert len(lines._rest) <= LONGEST_LINE + 1
    assert lines.feed(b"\r" + encode(Answer(True))) == [Answer(True)]


@pytest.mark.parametrize(
    ("rest", "problems"),
    [
        ("", ["names no device and no host"]),
        ("///dev/ttyUSB0?watchdog_s=3", ["watchdog_s: is '3'; write whole seconds from 4 to 65"]),
        ("///dev/ttyUSB0?watchdog_s=100", ["write whole seconds from 4 to 65, or 0 for a unit without $SY"]),
        ("///dev/ttyUSB0?fallback_a=20&greatest_a=16", ["fallback_a: is 20, above greatest_a 16"]),
        ("///dev/ttyUSB0?fallback_a=5&watchdog=9", ["fallback_a: is '5'", "did you mean watchdog_s?"]),
        ("///dev/ttyUSB0?watchdog_s=0&boot_lock=no", ["boot_lock: means nothing with watchdog_s=0"]),
        ("//host", ["without a port"]),
    ],
)
def test_a_bad_address_is_refused_with_every_problem(rest: str, problems: list[str]) -> None:
    with pytest.raises(FormatError) as refusal:
        RapiAdapter(rest, clock=VirtualClock())
    assert all(problem in str(refusal.value) for problem in problems), refusal.value


def test_it_is_found_by_name_and_declares_what_its_address_says() -> None:
    adapter = create_adapter("serial+rapi:///dev/ttyUSB0?greatest_a=24&fallback_a=10&watchdog_s=20&lines=2")
    declaration = adapter.declaration
    assert (declaration.greatest_offer_ma, declaration.fallback_ma) == (24_000, 10_000)
    assert (declaration.deadman, declaration.watchdog_ms) == (Deadman.WATCHDOG, 21_000)
    assert isinstance(adapter, SupportsMetering)
    assert adapter.metered_lines == 2
    assert isinstance(adapter, SupportsFallback)


def test_without_a_boot_lock_its_fallback_is_its_greatest_offer() -> None:
    adapter = create_adapter("serial+rapi:///dev/ttyUSB0?boot_lock=no&fallback_a=10")
    assert not isinstance(adapter, SupportsFallback)
    declaration = adapter.declaration
    assert declaration.fallback_ma == declaration.greatest_offer_ma == 32_000


def test_without_a_supervision_there_is_no_dead_mans_switch() -> None:
    adapter = create_adapter("serial+rapi://192.0.2.7:8023?watchdog_s=0&meter=no")
    assert not isinstance(adapter, SupportsFallback)
    assert not isinstance(adapter, SupportsMetering)
    declaration = adapter.declaration
    assert declaration.deadman is Deadman.NONE


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"saved_a": "99"}, "saved_a: is '99'; write a whole number from 6 to 80"),
        ({"saved_a": "40", "hardware_a": "32"}, "saved_a: is 40, above hardware_a 32"),
        ({"boot": "yes"}, "boot: is no setting; did you mean boot_lock?"),
    ],
)
def test_a_bad_option_of_the_emulator_is_refused(options: dict[str, str], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        emulator(options, units=1, clock=VirtualClock(), changed=lambda *_: None)


def test_an_emulated_unit_has_the_failures_it_names_and_no_others() -> None:
    units = emulator({}, units=2, clock=VirtualClock(), changed=lambda *_: None)
    assert set(units.failures) == set(FAILURES)
    for failure in units.failures:
        units.fail(1, failure)
    units.fail(1, "none")
    with pytest.raises(ValueError, match="'melts' is no failure; there are noise"):
        units.fail(0, "melts")
    with pytest.raises(ValueError, match="there is no unit 2"):
        units.fail(2, "silent")
