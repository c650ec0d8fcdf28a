"""Frames: what is sent is what the books say, and of what comes only the answer to the question is taken."""

import itertools
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_serial.modbus.frames import (
    Frame,
    LineFrames,
    Question,
    TcpFrames,
    answer_of,
    parse_any,
    read_question,
    write_question,
)
from powershare_serial.modbus.registers import Kind, Register, Table

DATA = Path(os.environ.get("POWERSHARE_DATA", "none")) / "protocols" / "modbus_rtu_frames.jsonl"

# Node 0 16.0 A, node 1 nothing, node 2 6.0 A, from the comments of
# https://github.com/dingo35/SmartEVSE-3.5/blob/master/SmartEVSE-3/src/main.cpp
BROADCAST = bytes.fromhex("09 10 00 20 00 08 10 00 A0 00 00 00 3C 00 00 00 00 00 00 00 00 00 00 99 24")
# Node 2 asks to go on to state C; from the same place.
ASKS = bytes.fromhex("03 04 10 00 06 00 00 00 3C 00 01 00 00 00 01 00 01 00 20 0A 8E")


def checksum(data: bytes) -> bytes:
    """By the book (Modbus over serial line 1.02, 6.2.2), bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def on_line(body: bytes, unit: int = 1) -> bytes:
    data = bytes([unit]) + body
    return data + checksum(data)


def test_a_published_broadcast_is_made_byte_for_byte() -> None:
    words = (160, 0, 60, 0, 0, 0, 0, 0)
    assert Question(9, 16, 0x0020, 8, words).on_line() == BROADCAST


def test_a_published_answer_is_read() -> None:
    question = Question(3, 4, 0, 8)
    (frame,) = LineFrames(question).feed(ASKS)
    assert question.answered_by(frame.body)
    assert answer_of(question, frame.body) == (6, 0, 60, 1, 0, 1, 1, 32)


@pytest.mark.skipif(
    not DATA.exists(), reason="the recorded frames are not here; name their directory in POWERSHARE_DATA"
)
def test_every_recorded_frame_is_what_its_record_says() -> None:
    records = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    assert records
    for record in records:
        data = bytes.fromhex(record["hex"])
        assert (checksum(data[:-2]) == data[-2:]) is record["crc_valid"]
        answers = LineFrames().feed(data)
        if record["id"] == "se-03":
            assert answers == [Frame(3, None, data[1:-2])]
            continue
        assert answers == []  # these are questions
        function, address, count = data[1], int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
        words = tuple(int.from_bytes(data[at : at + 2], "big") for at in range(7, len(data) - 3, 2))
        values = words if function == 16 else ()
        assert Question(data[0], function, address, count, values).on_line() == data


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (Question(1, 1, 400, 1), "01 01 90 00 01"),
        (Question(1, 2, 400, 1), "02 01 90 00 01"),
        (Question(1, 3, 0x9C42, 6), "03 9C 42 00 06"),
        (Question(1, 4, 5, 1), "04 00 05 00 01"),
        (Question(1, 5, 400, 1, (1,)), "05 01 90 ff 00"),
        (Question(1, 5, 400, 1, (0,)), "05 01 90 00 00"),
        (Question(1, 6, 4, 1, (7,)), "06 00 04 00 07"),
        (Question(1, 15, 4, 2, (1, 0)), "0f 00 04 00 02 01 01"),
        (Question(1, 16, 4, 2, (7, 8)), "10 00 04 00 02 04 00 07 00 08"),
    ],
)
def test_questions_are_framed_by_the_book(question: Question, text: str) -> None:
    body = bytes.fromhex(text)
    assert question.on_line() == on_line(body)
    assert question.on_tcp(0x1234) == bytes.fromhex("12 34 00 00") + (len(body) + 1).to_bytes(2, "big") + b"\1" + body


def test_registers_choose_the_function() -> None:
    single = Register(table=Table.HOLDING, address=4, kind=Kind.U16, write_single=True)
    pair = Register(table=Table.HOLDING, address=4, kind=Kind.U32, words=2, write_single=True)
    coil = Register(table=Table.COIL, address=4, kind=Kind.BIT, write_single=True)
    assert [
        write_question(1, each, words).function for each, words in ((single, [1]), (pair, [0, 1]), (coil, [1]))
    ] == [
        6,
        16,
        5,
    ]
    assert read_question(1, pair).count == 2
    assert read_question(1, coil).function == 1


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("03 04 00 01 00 02", True),
        ("03 02 00 01", False),
        ("04 04 00 01 00 02", False),
        ("03 04 00 01 00", False),
        ("83 02", True),
        ("83", False),
        ("84 02", False),
        ("03 03 00 01 00 02", False),
    ],
)
def test_only_the_answer_of_the_right_function_and_length_fits(body: str, fits: bool) -> None:
    assert Question(1, 3, 10, 2).answered_by(bytes.fromhex(body)) is fits


def test_a_write_is_answered_with_its_own_address() -> None:
    question = Question(1, 16, 10, 2, (1, 2))
    assert question.answered_by(bytes.fromhex("10 00 0A 00 02"))
    assert not question.answered_by(bytes.fromhex("10 00 0B 00 02"))


def test_another_value_than_the_one_written_is_a_refusal() -> None:
    with pytest.raises(AdapterRejected, match="not what it was told"):
        answer_of(Question(1, 6, 10, 1, (16,)), bytes.fromhex("06 00 0A 00 06"))


@pytest.mark.parametrize(("code", "name"), [(2, "ILLEGAL_ADDRESS"), (6, "DEVICE_BUSY"), (99, "exception 99")])
def test_a_refusal_is_named(code: int, name: str) -> None:
    with pytest.raises(AdapterRejected, match=name):
        answer_of(Question(1, 3, 10, 2), bytes([0x83, code]))


@given(
    noise=st.binary(max_size=40),
    words=st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2),
    cuts=st.lists(st.integers(0, 60), max_size=3),
)
def test_noise_before_an_answer_costs_nothing_in_any_portions(noise: bytes, words: list[int], cuts: list[int]) -> None:
    question = Question(1, 3, 10, 2)
    answer = on_line(bytes([3, 4]) + b"".join(word.to_bytes(2, "big") for word in words))
    data = noise + answer
    frames = LineFrames(question)
    found = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += frames.feed(data[start:end])
    assert found == LineFrames(question).feed(data)
    assert found[-1] == Frame(1, None, answer[1:-2])


def test_a_wrong_checksum_is_noise() -> None:
    frames = LineFrames(Question(1, 3, 10, 1))
    spoiled = on_line(bytes.fromhex("03 02 00 10"))[:-1] + b"\0"
    assert frames.feed(spoiled) == []
    assert frames.noise_bytes == len(spoiled)


def test_what_never_becomes_a_frame_is_not_kept_for_ever() -> None:
    frames = LineFrames()
    for _ in range(20):
        frames.feed(b"\x01\x03\xfa" * 40)
    assert len(frames._rest) <= 256
    assert frames.noise_bytes == 2_400


@pytest.mark.parametrize(
    "data", ["00 01 00 01 00 06 01 03 02 00 07 00", "00 01 00 00 00 00 01", "00 01 FF FF FF FF 01"]
)
def test_what_is_no_modbus_tcp_is_said_so(data: str) -> None:
    with pytest.raises(AdapterUnavailable, match="framing=rtu"):
        TcpFrames().feed(bytes.fromhex(data))


@given(st.binary(max_size=80))
def test_hostile_bytes_let_nothing_but_adapter_errors_out(data: bytes) -> None:
    for spoiled in (data, on_line(data[:60]), b"\0\1\0\0" + (len(data) + 1).to_bytes(2, "big") + b"\1" + data):
        parse_any(spoiled)  # which catches AdapterErrors alone
        assert LineFrames().feed(spoiled) == [
            frame for frame in LineFrames().feed(spoiled) if on_line(frame.body, frame.unit) in spoiled
        ]
