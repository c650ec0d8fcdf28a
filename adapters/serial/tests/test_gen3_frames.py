"""What a Gen 3 Wall Connector asks its meter, what a meter answers, and addresses."""

import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.adapter import Deadman, SupportsMetering
from powershare.errors import FormatError
from powershare.testing import VirtualClock
from powershare_serial.gen3.adapter import Gen3MeterAdapter
from powershare_serial.gen3.emulated import FAILURES, emulator
from powershare_serial.gen3.frames import (
    CURRENTS,
    IDENTITY,
    MAKER,
    POWERS,
    PROBE,
    Answers,
    Published,
    Question,
    Questions,
    encode_answer,
    encode_question,
    float_registers,
    symmetric,
    thousandths_of,
)

DATA = Path(os.environ.get("POWERSHARE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")) / "protocols"
METER = Published(line_ma=(1_500, 2_500, 3_500), volts=230, serial="POWERSHARE001")

# https://github.com/swebigmac/twc-neurio-moxa-bridge, docs/protocol.md
PUBLISHED = {
    "01 03 9c 42 00 06 4b 8c": Question(MAKER, 6),
    "01 03 00 01 00 37 55 dc": Question(IDENTITY, 55),
    "01 03 00 00 00 01 84 0a": Question(PROBE, 1),
    "01 03 00 f4 00 08 05 fe": Question(CURRENTS, 8),
}


@pytest.mark.parametrize(("text", "question"), PUBLISHED.items())
def test_published_questions_are_read_and_written_to_the_letter(text: str, question: Question) -> None:
    assert Questions().feed(bytes.fromhex(text)) == [question]
    assert encode_question(question) == bytes.fromhex(text)


@pytest.mark.skipif(not (DATA / "neurio_registers.json").exists(), reason="the recorded answers are not here")
def test_recorded_answers_of_a_real_meter_have_the_shape_of_ours() -> None:
    blocks = json.loads((DATA / "neurio_registers.json").read_text(encoding="utf-8"))["blocks"]
    for address, block in blocks.items():
        question = Question(int(address, 16), block["count"])
        recorded = tuple(int(word, 16) for word in block["words"])
        ours = Answers(question).feed(METER.answer(question) or b"")
        assert ours is not None
        assert len(ours) == len(recorded) == block["count"]
        if question.first == MAKER:
            assert ours == recorded
        if question.first == IDENTITY:
            blank = [at for at, word in enumerate(recorded) if word == 0xFFFF]
            assert [at for at, word in enumerate(ours) if word == 0xFFFF] == blank
        for at, value in enumerate(block.get("float32_be", ())):
            if value >= 0:
                assert thousandths_of(recorded[2 * at : 2 * at + 2]) == pytest.approx(value * 1000, abs=1.1)


@pytest.mark.skipif(not (DATA / "modbus_rtu_frames.jsonl").exists(), reason="the recorded questions are not here")
def test_recorded_messages_are_questions_or_passed_over_as_their_record_says() -> None:
    lines = (DATA / "modbus_rtu_frames.jsonl").read_text(encoding="utf-8").splitlines()
    for record in map(json.loads, lines):
        asked = Questions().feed(bytes.fromhex(record["hex"]))
        assert bool(asked) == (record["id"].startswith("ne-") and record.get("crc_valid", True)), record


def test_currents_and_powers_are_big_endian_floats_with_their_sum() -> None:
    answer = METER.answer(Question(CURRENTS, 8)) or b""
    assert struct.unpack(">4f", answer[3:-2]) == (1.5, 2.5, 3.5, 7.5)
    answer = METER.answer(Question(POWERS, 10)) or b""
    assert struct.unpack(">5f", answer[3:-2]) == (345.0, 575.0, 805.0, 1725.0, 0.0)


def test_the_probe_is_the_first_word_of_the_identity() -> None:
    identity = Answers(Question(IDENTITY, 55)).feed(METER.answer(Question(IDENTITY, 55)) or b"")
    probe = Answers(Question(PROBE, 1)).feed(METER.answer(Question(PROBE, 1)) or b"")
    assert identity is not None
    assert probe == identity[:1] == (0x3078,)
    assert b"POWERSHARE001\0" in struct.pack(">55H", *identity)


@pytest.mark.parametrize(
    "question", [Question(0x0100, 2), Question(CURRENTS, 9), Question(0x00F5, 1), Question(MAKER, 7)]
)
def test_what_a_meter_does_not_know_is_not_answered(question: Question) -> None:
    assert METER.answer(question) is None


@given(st.integers(0, 10**9))
def test_a_published_figure_is_never_below_the_one_that_was_meant(thousandths: int) -> None:
    read = thousandths_of(float_registers(thousandths))
    assert thousandths <= read <= thousandths + max(1, thousandths >> 22)


@pytest.mark.parametrize("registers", [(0x7FC0, 0), (0x7F80, 0), (0xFF80, 0)])
def test_what_is_no_number_is_no_current(registers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no current"):
        thousandths_of(registers)


@given(
    st.lists(
        st.builds(Question, st.sampled_from([MAKER, IDENTITY, POWERS, CURRENTS]), st.integers(1, 125))
        | st.binary(max_size=12),
        max_size=6,
    ),
    st.integers(1, 9),
)
def test_questions_are_read_the_same_in_any_portions(parts: list[Question | bytes], size: int) -> None:
    stream = b"".join(part if isinstance(part, bytes) else encode_question(part) for part in parts)
    whole, portions = Questions(), Questions()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [question for piece in pieces for question in portions.feed(piece)] == whole.feed(stream)


def test_a_question_after_noise_and_after_the_echo_of_an_answer_is_read() -> None:
    question = Question(CURRENTS, 8)
    echo = METER.answer(question) or b""
    stream = b"\x01\x03\x00" + encode_question(question) + echo + encode_question(Question(POWERS, 10))
    assert Questions().feed(stream) == [question, Question(POWERS, 10)]


def test_questions_to_another_unit_or_of_another_function_are_passed_over() -> None:
    assert Questions().feed(encode_question(Question(CURRENTS, 8, unit=2))) == []
    written = bytearray(encode_question(Question(CURRENTS, 8)))
    written[1] = 6
    assert Questions().feed(bytes(written)) == []


def test_an_answer_with_a_wrong_checksum_is_none_and_the_next_one_counts() -> None:
    question = Question(PROBE, 1)
    good = encode_answer(question, (0x3078,))
    answers = Answers(question)
    assert answers.feed(good[:-1] + b"\0") is None
    assert answers.feed(good) == (0x3078,)


ADDRESS = "///dev/ttyUSB0?limit_a=21&greatest_a=16"


@pytest.mark.parametrize(
    ("rest", "problems"),
    [
        (ADDRESS, ["add i_accept_the_limits=yes", "nothing confirms", "own_meter: is missing"]),
        (ADDRESS + "&i_accept_the_limits=no&own_meter=emulated", ["add i_accept_the_limits=yes"]),
        ("///dev/x?i_accept_the_limits=yes&own_meter=emulated", ["limit_a: is missing", "greatest_a: is missing"]),
        (ADDRESS + "&i_accept_the_limits=yes&own_meter=+", ["own_meter: is '+'", "such as own_meter=mqtt%3Ahome"]),
        (ADDRESS + "&i_accept_the_limits=yes&own_meter=emulated&margin_a=0.5", ["margin_a: is '0.5'; write 1 to 6"]),
        (ADDRESS.replace("16", "7") + "&i_accept_the_limits=yes&own_meter=emulated", ["write at least 8"]),
    ],
)
def test_an_address_without_opt_in_or_with_mistakes_is_refused_with_every_problem(
    rest: str, problems: list[str]
) -> None:
    with pytest.raises(FormatError) as refusal:
        Gen3MeterAdapter(rest, clock=VirtualClock())
    assert all(problem in str(refusal.value) for problem in problems), refusal.value


def test_a_program_that_hands_in_the_draw_names_no_meter() -> None:
    accepted = ADDRESS + "&i_accept_the_limits=yes"
    with pytest.raises(FormatError, match="so leave it out"):
        Gen3MeterAdapter(accepted + "&own_meter=emulated", clock=VirtualClock(), own_draw_ma=lambda: None)


def test_its_declaration_is_conservative() -> None:
    address = ADDRESS + "&i_accept_the_limits=yes&lines=1"
    adapter = Gen3MeterAdapter(address, clock=VirtualClock(), own_draw_ma=lambda: None)
    declaration = adapter.declaration
    assert not declaration.confirms_applied
    assert (declaration.deadman, declaration.watchdog_ms) == (Deadman.WATCHDOG, 60_000)
    assert declaration.fallback_ma == declaration.least_offer_ma == 7_000, "6 A and the margin"
    assert declaration.settle_ms >= 10_000 + 16_000, "latency, car, and a ramp of 1 A a second"
    assert isinstance(adapter, SupportsMetering)
    assert adapter.metered_lines == 1


def test_a_bad_option_of_the_emulator_is_refused() -> None:
    with pytest.raises(FormatError, match="limit_a: is '3'; write 6 to 1000 amps"):
        emulator({"limit_a": "3"}, units=1, clock=VirtualClock(), changed=lambda *_: None)


def test_an_emulated_wall_connector_has_the_failures_it_names_and_no_others() -> None:
    units = emulator({}, units=1, clock=VirtualClock(), changed=lambda *_: None)
    assert set(units.failures) == set(FAILURES)
    for failure in units.failures:
        units.fail(0, failure)
    units.fail(0, "none")
    with pytest.raises(ValueError, match="'melts' is no failure"):
        units.fail(0, "melts")
    with pytest.raises(ValueError, match="there is no unit 1"):
        units.fail(1, "deaf")


def test_published_lines_are_alike() -> None:
    assert symmetric(21_950) == (21_950,) * 3
