"""Frames of Gen 2 Wall Connectors are read in any portions, spoiled ones skipped, and dangerous ones cannot be sent."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import ContractError
from powershare_serial.twc.frames import Frames, parse_any, wrapped
from powershare_serial.twc.messages import (
    ControllerBeat,
    ControllerIdle,
    ControllerReady,
    Firmware,
    Message,
    Meter,
    Protocol,
    Query,
    Question,
    Serial,
    UnitBeat,
    UnitReady,
    Unknown,
    VinPart,
)
from powershare_serial.twc.sending import Announcement, Beat, Contactor, Gate, Sendable, check, encoded

# Frames that others recorded and published.
ANNOUNCED = "C0 FC E1 77 77 77 00 00 00 00 00 00 00 00 46 C0"  # github.com/dracoventions/TWCManager issue 9
STARTING = "C0 FD E0 20 19 77 77 08 02 58 02 10 00 00 00 00 7B C0"  # github.com/ngardiner/TWCManager issue 453
METERED = "C0 FD EB 60 61 00 A3 20 EC 00 F1 00 00 00 00 00 00 00 00 00 4C C0 FC"  # the source W of twc/messages.py

IDS = st.integers(0, 0xFFFF)
CURRENTS_MA = st.integers(0, 80_000)
PROTOCOLS: st.SearchStrategy[Protocol] = st.sampled_from([1, 2])
SENDABLE: st.SearchStrategy[Sendable] = st.one_of(
    st.builds(Announcement, sender=IDS, sign=st.integers(0, 255), second=st.booleans()),
    st.builds(
        Beat,
        sender=IDS,
        receiver=IDS,
        offered_ma=st.none() | CURRENTS_MA,
        session=st.booleans(),
        protocol=PROTOCOLS,
    ),
    st.builds(Query, sender=IDS, receiver=IDS, question=st.sampled_from(Question)),
    st.builds(Contactor, sender=IDS, receiver=IDS, closed=st.booleans(), protocol=PROTOCOLS),
)
DANGEROUS = (b"\xfc\x19", b"\xfc\x1a", b"\xfb\xe8")


def one(text: str) -> Message:
    """The one message of a recording."""
    (message,) = parse_any(bytes.fromhex(text))
    return message


def long(code: str, payload: bytes) -> bytes:
    """A long answer of unit 6061."""
    return wrapped(bytes.fromhex(code) + b"\x60\x61" + payload.ljust(15, b"\0"))


def test_published_frames_mean_what_their_finders_say() -> None:
    assert one(ANNOUNCED) == ControllerReady(sender=0x7777, sign=0x77, second=False, protocol=1)
    assert one(STARTING) == UnitBeat(
        sender=0x2019, receiver=0x7777, state=8, allowed_ma=6_000, actual_ma=5_280, protocol=2
    )
    meter = Meter(sender=0x6061, energy=10_690_796, volts=(241, 0, 0), lines_ma=(0, 0, 0))
    assert one(METERED) == meter


def test_every_message_is_a_value() -> None:
    ready = UnitReady(sender=0x1839, sign=0x52, nameplate_ma=32_000, protocol=2)
    assert one("C0 FD E2 18 39 52 0C 80 00 00 00 00 00 00 00 00 11 C0") == ready
    beat = ControllerBeat(sender=0x7777, receiver=0x02BB, command=5, amount_ma=48_000, protocol=2)
    assert one("C0 FB E0 77 77 02 BB 05 12 DB DC 00 00 00 00 00 00 62 C0") == beat
    assert parse_any(wrapped(b"\xfc\x1d".ljust(13, b"\0"))) == [ControllerIdle()]
    query = Query(sender=0x7777, receiver=0x2019, question=Question.VIN_2)
    assert parse_any(encoded(query)) == [query]
    assert parse_any(long("FD EC", bytes([4, 5, 3, 1]))) == [Firmware(sender=0x6061, version=(4, 5, 3, 1))]
    assert parse_any(long("FD ED", b"A17G0006061")) == [Serial(sender=0x6061, text="A17G0006061")]
    meter = Meter(sender=0x6061, energy=7, volts=(230, 231, 232), lines_ma=(16_000, 15_500, 0))
    assert parse_any(long("FD EB", bytes([0, 0, 0, 7, 0, 230, 0, 231, 0, 232, 32, 31, 0]))) == [meter]
    assert parse_any(wrapped(bytes.fromhex("FB 19 77 77").ljust(13, b"\0")))[0].__class__ is Unknown


def test_a_vin_is_seven_seven_and_three_letters_and_zeros_are_none() -> None:
    parts = [("FD EE", b"5YJ3E1E"), ("FD EF", b"A7KF317"), ("FD F1", b"000")]
    texts = [parse_any(long(code, text + b"JUNK"))[0] for code, text in parts]
    assert "".join(part.text for part in texts if isinstance(part, VinPart)) == "5YJ3E1EA7KF317000"
    assert parse_any(long("FD EE", b"")) == [VinPart(sender=0x6061, part=Question.VIN_1, text="")]
    assert parse_any(long("FD EE", b"5YJ\xff")) == [VinPart(sender=0x6061, part=Question.VIN_1, text="")]


def test_a_short_meter_answer_is_nothing_that_is_known() -> None:
    assert isinstance(parse_any(wrapped(bytes.fromhex("FD EB 60 61").ljust(15, b"\0")))[0], Unknown)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C0 FC C0", "noise"),
        ("C0 FC FE F8 C0", "noise"),
        (ANNOUNCED.replace("46", "47"), "checksum"),
        # An RS-485-to-Ethernet converter with three units: github.com/ngardiner/TWCManager issue 473
        ("C0 FD E2 00 F2 8B 3F 47 46 F6 FF FF FF FF FF FF C0", "checksum"),
        ("C0 FC E1 77 77 46 C0", "length"),
        ("C0 FC E1 77 77 77 DB 00 00 00 00 00 00 00 46 C0", "escape"),
        ("C0 FC E1 77 77 77 00 00 00 00 00 00 00 46 DB C0", "escape"),
        ("C0" + " 11" * 41 + " C0", "too long"),
    ],
)
def test_what_is_spoiled_is_skipped_and_counted_by_reason(text: str, reason: str) -> None:
    frames = Frames()
    assert frames.feed(bytes.fromhex(text)) == []
    assert frames.skipped == {reason: 1}
    assert frames.feed(bytes.fromhex(STARTING)) == [one(STARTING)]


def test_noise_after_a_frame_costs_nothing() -> None:
    frames = Frames()
    noisy = b"".join(bytes.fromhex(STARTING) + bytes([noise]) for noise in (0xFC, 0xFE, 0xF8, 0xFF, 0xFD))
    assert frames.feed(noisy) == [one(STARTING)] * 5


@given(st.lists(SENDABLE, min_size=1, max_size=4), st.binary(max_size=30), st.data())
def test_whole_and_in_any_portions_the_same_is_read(
    messages: list[Sendable], noise: bytes, data: st.DataObject
) -> None:
    stream = noise + b"".join(map(encoded, messages)) + noise
    whole = Frames()
    expected = whole.feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    portions = Frames()
    found = [
        message
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for message in portions.feed(stream[start:end])
    ]
    single = Frames()
    assert [message for at in range(len(stream)) for message in single.feed(stream[at : at + 1])] == expected
    assert found == expected
    assert whole.skipped == portions.skipped == single.skipped


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert all(isinstance(message, Message) for message in parse_any(data))


@given(SENDABLE)
def test_nothing_that_can_be_sent_is_dangerous(message: Sendable) -> None:
    """Whatever the values say, no frame of theirs is one that disables a unit, and commands are of the known kinds."""
    frame = encoded(message)
    (body,) = Frames().bodies(frame)
    assert body[:2] not in DANGEROUS
    if body[:2] == b"\xfb\xe0":
        assert body[6] in {0x00, 0x05, 0x09}
    check(frame, contactor=isinstance(message, Contactor))
    if isinstance(message, Contactor):
        with pytest.raises(ContractError, match="not on the list"):
            check(frame)


@given(CURRENTS_MA, st.booleans(), PROTOCOLS)
def test_a_current_on_the_wire_is_never_above_the_one_offered(
    offered_ma: int, session: bool, protocol: Protocol
) -> None:
    frame = encoded(Beat(sender=1, receiver=2, offered_ma=offered_ma, session=session, protocol=protocol))
    (beat,) = parse_any(frame)
    assert isinstance(beat, ControllerBeat)
    assert offered_ma - 10 < beat.amount_ma <= offered_ma
    assert beat.command == (9 if session and protocol == 2 else 5)
    assert beat.protocol == protocol


class Recorded:
    """A port that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self) -> bytes:
        raise AssertionError

    def pending(self) -> bytes:
        raise AssertionError

    async def close(self) -> None:
        raise AssertionError


def through_the_gate(frame: bytes, *, contactor: bool) -> list[bytes]:
    """What reaches the port."""
    port = Recorded()
    sending = Gate(port).send(frame, contactor=contactor)
    with pytest.raises(StopIteration):
        sending.send(None)
    return port.sent


@pytest.mark.parametrize("contactor", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        *(code + rest for code in DANGEROUS for rest in (b"\x77\x77\x20\x19", b"\0" * 11)),
        b"\xfb\xe0\x77\x77\x20\x19\x05\x1f\x41",  # 80.01 A, more than any unit is built for
        b"\xfb\xe0\x77\x77\x20\x19\x09\xff\xff",
        *(b"\xfb\xe0\x77\x77\x20\x19" + bytes([command]) for command in (1, 2, 3, 4, 6, 7, 8, 10, 0xF0, 0xFF)),
        b"\xfb\x19\x77\x77",
        b"\xfd\xe0\x77\x77",
        b"\x19\xfc\x77\x77",
    ],
)
@pytest.mark.parametrize("length", [12, 13, 14, 15, 19])
def test_the_gate_refuses_what_is_not_on_the_list(body: bytes, length: int, contactor: bool) -> None:
    with pytest.raises(ContractError, match="not on the list"):
        through_the_gate(wrapped(body.ljust(length, b"\0")), contactor=contactor)


@given(st.binary(max_size=60))
def test_the_gate_refuses_whatever_is_not_one_frame_in_order(data: bytes) -> None:
    beat = encoded(Beat(sender=1, receiver=2, offered_ma=0, session=False, protocol=2))
    for spoiled in (data, beat + data if data else b"", data + beat if data else b"", beat[:-1], beat[1:], beat + beat):
        if spoiled != beat:
            with pytest.raises(ContractError):
                through_the_gate(spoiled, contactor=True)


def test_the_gate_lets_through_what_is_on_the_list() -> None:
    beat = encoded(Beat(sender=1, receiver=2, offered_ma=None, session=False, protocol=1))
    assert through_the_gate(beat, contactor=False) == [beat]
    cut = encoded(Contactor(sender=1, receiver=2, closed=False, protocol=2))
    assert through_the_gate(cut, contactor=True) == [cut]


@pytest.mark.parametrize("offered_ma", [-1, 80_001])
def test_what_does_not_fit_the_wire_is_refused(offered_ma: int) -> None:
    with pytest.raises(ContractError, match="cannot be told"):
        encoded(Beat(sender=1, receiver=2, offered_ma=offered_ma, session=False, protocol=1))
    with pytest.raises(ContractError, match="does not fit the two bytes of an id"):
        encoded(Announcement(sender=0x1_0000, sign=0, second=False))
    with pytest.raises(ContractError, match="nothing that may be said"):
        encoded(Unknown(body=b""))  # type: ignore[arg-type] # which is the point


RECORDED = Path(os.environ.get("POWERSHARE_DATA", "no directory")) / "protocols" / "twc_gen2_frames.jsonl"
KINDS = {
    "master_linkready1": ControllerReady,
    "slave_linkready": UnitReady,
    "master_heartbeat": ControllerBeat,
    "slave_heartbeat": UnitBeat,
    "vin_mid_request": Query,
    "master_idle": ControllerIdle,
}


def recordings() -> Iterator[dict[str, Any]]:
    if RECORDED.exists():
        yield from map(json.loads, RECORDED.read_text(encoding="utf-8").splitlines())


@pytest.mark.skipif(
    not RECORDED.exists(), reason="the recorded frames are not here; name their directory in POWERSHARE_DATA"
)
def test_recorded_frames_are_read_or_refused_as_their_records_say() -> None:
    seen = 0
    for record in recordings():
        raw = bytes.fromhex(record["hex"])
        frames = Frames()
        found = frames.feed(raw if record["form"] == "wire" else b"\xc0" + raw + b"\xc0")
        if not record["checksum_valid"]:
            assert not found, record
            assert frames.skipped["checksum"] == 1, record
            continue
        (message,) = found
        assert type(message) is KINDS[record["kind"]], record
        fields = record["fields"]
        for name in {"sender", "receiver", "sign"} & fields.keys():
            assert getattr(message, name) == int(fields[name], 16), record
        for theirs, ours in (
            ("max_amps_x100", "allowed_ma"),
            ("actual_amps_x100", "actual_ma"),
            ("amps_x100", "amount_ma"),
        ):
            if theirs in fields and hasattr(message, ours):
                assert getattr(message, ours) == fields[theirs] * 10, record
        for name in {"state", "command"} & fields.keys():
            assert getattr(message, name) == fields[name], record
        seen += 1
    assert seen > 10
