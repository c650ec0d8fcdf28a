"""Hostile bytes for every parser of this distribution: nothing but messages and AdapterErrors may come out of them.

    python adapters/serial/tests/fuzz_parsers.py --parser twc|modbus|rapi|gen3|all --inputs 1000000 --seed 1

An input is made of genuine messages: their insides are spoiled and their checksums made right again, or they are cut,
flipped, spliced, repeated and mixed with noise as they are. Each is parsed whole, byte by byte, and in two portions,
and must come out the same. The first that does not ends the run with status 1 and its bytes in hexadecimal; the same
seed makes the same inputs.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import TypeAlias

import attrs

from powershare.errors import AdapterError
from powershare_serial.gen3.frames import Answers, Published, Question, Questions, encode_question
from powershare_serial.gen3.frames import checksum as modbus_checksum
from powershare_serial.modbus import frames as modbus
from powershare_serial.rapi import frames as rapi
from powershare_serial.twc import frames as twc

_REFUSED = "refused"
_NOISE = (0x00, 0xFF, 0x0D, 0x24, 0x2A, 0x5E, 0x01, 0x03, 0x83, 0xC0, 0xDB, 0xDC, 0xDD, 0xFB, 0xFC, 0xFD)
_LONGEST = 400

Parsed: TypeAlias = list[object]
Parse: TypeAlias = Callable[[Iterable[bytes]], Parsed]


@attrs.frozen
class Target:
    """A parser under fire.

    Attributes:
        name: What it is called here.
        bodies: Genuine messages without their checksums.
        framed: Puts a body into a frame with a right checksum.
        parse: A fresh parser over some portions; AdapterErrors come out of it.
        also: Other readers of the same bytes, which must not raise anything.
    """

    name: str
    bodies: Sequence[bytes]
    framed: Callable[[bytes, Random], bytes]
    parse: Parse
    also: Callable[[bytes], object] = len


@attrs.define
class Tally:
    """What came of some inputs."""

    inputs: int = 0
    read: int = 0
    refused: int = 0


class Escaped(Exception):
    """Something came out of a parser that may not.

    Attributes:
        data: The input.
    """

    def __init__(self, target: Target, data: bytes, what: str) -> None:
        super().__init__(f"{target.name}: {what}: {data.hex(' ')}")
        self.data = data


def _twc(portions: Iterable[bytes]) -> Parsed:
    parser = twc.Frames()
    return [message for portion in portions for message in parser.feed(portion)]


def _twc_framed(body: bytes, dice: Random) -> bytes:
    return twc.wrapped(body)


def _twc_bodies() -> Iterator[bytes]:
    for tail in (7, 9):  # the data bytes of both generations
        yield bytes.fromhex("fce1 7777 77") + bytes(tail + 1)
        yield bytes.fromhex("fbe2 7777 77") + bytes(tail + 1)
        yield bytes.fromhex("fde2 1234 55 0c80") + bytes(tail - 1)
        yield bytes.fromhex("fbe0 7777 1234 05 0c80") + bytes(tail - 3)
        yield bytes.fromhex("fde0 1234 7777 01 0c80 0640") + bytes(tail - 5)
        yield bytes.fromhex("fbeb 7777 1234") + bytes(tail)
    yield bytes.fromhex("fdeb 1234 00851e4a 00e6 00e7 00c0 101112 00 00")
    yield bytes.fromhex("fdec 1234 04050300") + bytes(11)
    yield bytes.fromhex("fdee 1234 35594a33453145") + bytes(8)


def _rapi(portions: Iterable[bytes]) -> Parsed:
    lines = rapi.Lines()
    messages = [message for portion in portions for message in lines.feed(portion)]
    return [*messages, *(meaning for message in messages for meaning in _rapi_meanings(message))]


def _rapi_meanings(message: object) -> Iterator[object]:
    """What the adapter would make of an answer, were it the one to each of its questions."""
    if not isinstance(message, rapi.Answer):
        return
    for read in (rapi.capacity_of, rapi.status_of, rapi.metered_ma, _supervision):
        try:
            meaning = read(message)
        except AdapterError:
            yield _REFUSED
            continue
        yield meaning
        if isinstance(meaning, rapi.Status):
            yield meaning.state_letter, meaning.fault, meaning.offers, meaning.boot_locked, meaning.contactor_closed


def _supervision(answer: rapi.Answer) -> rapi.Supervision:
    return rapi.supervision_of("SY", answer)


def _rapi_framed(body: bytes, dice: Random) -> bytes:
    if dice.random() < 0.2:
        return body + b"*%02X\r" % rapi.additive(body)
    return body + b"^%02X\r" % rapi.exclusive_or(body)


_RAPI_BODIES = (
    b"$OK",
    b"$NK 32",
    b"$OK 32 :7F",
    b"$OK 6 48 16 32",
    b"$OK 30 6 0 :01",
    b"$NK 30 6 2",
    b"$OK 03 125 03 0140",
    b"$OK fe 0 02 4100 :FF",
    b"$OK 15730 230000",
    b"$OK -1 0",
    b"$OK 8.2.1 5.1.0",
    b"$AT 03 03 16 0140",
    b"$AB 00 8.2.1",
    b"$WF 01",
    b"$ST 01",
    b"$SC 16 V :0A",
)


_METER = Published(line_ma=(1_500, 0, 21_950), volts=230, serial="POWERSHARE001")
_GEN3_QUESTIONS = (Question(0x9C42, 6), Question(1, 55), Question(0, 1), Question(0x88, 10), Question(0xF4, 8))


def _gen3(portions: Iterable[bytes]) -> Parsed:
    questions = Questions()
    asked = [question for portion in portions for question in questions.feed(portion)]
    return [*asked, *(_METER.answer(question) for question in asked)]


def _gen3_answers(data: bytes) -> object:
    return [Answers(question).feed(data) for question in _GEN3_QUESTIONS]


def _gen3_framed(body: bytes, dice: Random) -> bytes:
    return body + modbus_checksum(body)


def _gen3_bodies() -> Iterator[bytes]:
    for question in _GEN3_QUESTIONS:
        yield encode_question(question)[:-2]
        yield (_METER.answer(question) or b"")[:-2]


def _modbus_line(portions: Iterable[bytes]) -> Parsed:
    reader = modbus.LineFrames()
    return [frame for portion in portions for frame in reader.feed(portion)]


def _modbus_tcp(portions: Iterable[bytes]) -> Parsed:
    reader = modbus.TcpFrames()
    return [frame for portion in portions for frame in reader.feed(portion)]


def _modbus_tcp_framed(body: bytes, dice: Random) -> bytes:
    return dice.randbytes(2) + bytes(2) + len(body).to_bytes(2, "big") + body


_MODBUS_BODIES = tuple(
    bytes.fromhex(text)
    for text in (
        "01 03 04 00 00 3e 80",
        "01 04 02 00 a0",
        "01 03 0c 00 01 00 00 3e 80 00 06 00 00 00 00",
        "01 01 01 01",
        "01 02 02 01 00",
        "01 06 01 05 00 a0",
        "01 05 01 90 ff 00",
        "01 10 40 00 00 02",
        "01 0f 00 10 00 03",
        "01 83 02",
        "ff 90 04",
    )
)

TARGETS: dict[str, tuple[Target, ...]] = {
    "twc": (Target("twc", tuple(_twc_bodies()), _twc_framed, _twc, twc.parse_any),),
    "modbus": (
        Target("modbus on a line", _MODBUS_BODIES, _gen3_framed, _modbus_line, modbus.parse_any),
        Target("modbus over tcp", _MODBUS_BODIES, _modbus_tcp_framed, _modbus_tcp, modbus.parse_any),
    ),
    "rapi": (Target("rapi", _RAPI_BODIES, _rapi_framed, _rapi),),
    "gen3": (Target("gen3", tuple(_gen3_bodies()), _gen3_framed, _gen3, _gen3_answers),),
}


def spoiled(data: bytes, dice: Random, others: Sequence[bytes]) -> bytes:
    """Bytes that were changed once: cut, flipped, spliced, repeated, or mixed with noise."""
    at = dice.randrange(len(data) + 1)
    match dice.randrange(8):
        case 0:
            return data[:at]
        case 1:
            return data[at:]
        case 2 if at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        case 3 if at < len(data):
            return data[:at] + bytes([dice.choice(_NOISE)]) + data[at + 1 :]
        case 4:
            return data[:at] + dice.choice(others)[dice.randrange(8) :]
        case 5:
            return data[:at] + data[dice.randrange(at + 1) : at] * dice.randrange(1, 4) + data[at:]
        case 6:
            return data[:at] + dice.randbytes(dice.randrange(6)) + data[at:]
        case _:
            return data[:at] + data[at + dice.randrange(1, 4) :]


def hostile(target: Target, dice: Random) -> bytes:
    """One input."""
    stream = b""
    for _ in range(dice.randrange(1, 4)):
        body = dice.choice(target.bodies)
        while dice.random() < 0.4:
            body = spoiled(body, dice, target.bodies)
        stream += target.framed(body[:_LONGEST], dice)
    while dice.random() < 0.5:
        stream = spoiled(stream, dice, target.bodies)
    return stream[:_LONGEST]


def outcome(target: Target, data: bytes, portions: Iterable[bytes]) -> Parsed | None:
    """What a fresh parser makes of some portions; None: it refused them.

    Raises:
        Escaped: Anything but messages or an AdapterError came out.
    """
    try:
        return target.parse(portions)
    except AdapterError:
        return None
    except Exception as error:
        raise Escaped(target, data, repr(error)) from error


def check(target: Target, data: bytes, dice: Random) -> Parsed | None:
    """Parse an input in every portioning.

    Raises:
        Escaped: Something came out that may not, or the portions made a difference.
    """
    whole = outcome(target, data, [data])
    cut = dice.randrange(len(data) + 1)
    for how, portions in (
        ("byte by byte", [data[at : at + 1] for at in range(len(data))]),
        (f"cut after {cut} bytes", [data[:cut], data[cut:]]),
    ):
        other = outcome(target, data, portions)
        if other != whole:
            raise Escaped(target, data, f"whole it is {whole}, {how} it is {other}")
    try:
        target.also(data)
    except Exception as error:
        raise Escaped(target, data, repr(error)) from error
    return whole


def fuzz(name: str, inputs: int, seed: int) -> Tally:
    """Fire so many inputs at a parser.

    Args:
        name: One of `TARGETS`.
        inputs: How many.
        seed: The same number makes the same inputs.

    Raises:
        Escaped: One of them made something come out that may not.
    """
    dice = Random(f"{name} {seed}")
    tally = Tally()
    targets = TARGETS[name]
    for number in range(inputs):
        target = targets[number % len(targets)]
        parsed = check(target, hostile(target, dice), dice)
        tally.inputs += 1
        if parsed is None:
            tally.refused += 1
        else:
            tally.read += len(parsed)
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fire hostile bytes at the parsers of powershare-serial.")
    parser.add_argument("--parser", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--inputs", type=int, default=100_000, help="how many for each parser")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it has a word for every frame that makes no sense
    for name in TARGETS if wanted.parser == "all" else [wanted.parser]:
        began_s = time.monotonic()
        try:
            tally = fuzz(name, wanted.inputs, wanted.seed)
        except Escaped as escaped:
            sys.stdout.write(f"{escaped}\nagain: --parser {name} --inputs {wanted.inputs} --seed {wanted.seed}\n")
            return 1
        spent_s = max(time.monotonic() - began_s, 1e-9)
        sys.stdout.write(
            f"{name}: {tally.inputs} inputs of seed {wanted.seed}, {tally.read} messages read, "
            f"{tally.refused} inputs refused, {tally.inputs / spent_s:.0f} inputs/s\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
