"""Modbus RTU as the meter hears and says it, without I/O: the Wall Connector asks, the meter answers.

A question is eight bytes: unit, function 3, first register, number of registers, checksum. The Wall Connector asks for
a maker, an identity, powers and line currents; nothing else was ever seen, and nothing else is answered.

Sources: swebigmac/twc-neurio-moxa-bridge, docs/protocol.md; frankenbubble/twc3-modbus. Modbus over serial line V1.02.
"""

import struct
from collections.abc import Sequence
from fractions import Fraction

import attrs

from powershare.units import LineMilliamps, Milliamps

METER_UNIT = 1
READ_HOLDING = 3

MAKER = 0x9C42
IDENTITY = 0x0001
PROBE = 0x0000
POWERS = 0x0088
CURRENTS = 0x00F4

_QUESTION_BYTES = 8
_MOST_REGISTERS = 125
_LINES = 3
_MAKER_WORDS = (0x0001, 0x0042)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def checksum(data: bytes) -> bytes:
    """The two bytes that end a message, the lower first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


@attrs.frozen
class Question:
    """What the Wall Connector wants to read.

    Attributes:
        first: The first register.
        count: How many, 1 to 125.
        unit: Whom it asks.
    """

    first: int
    count: int
    unit: int = METER_UNIT


def encode_question(question: Question) -> bytes:
    """The bytes of a question."""
    body = struct.pack(">BBHH", question.unit, READ_HOLDING, question.first, question.count)
    return body + checksum(body)


def encode_answer(question: Question, registers: Sequence[int]) -> bytes:
    """The bytes of the answer to a question."""
    body = struct.pack(">BBB", question.unit, READ_HOLDING, 2 * len(registers))
    body += struct.pack(f">{len(registers)}H", *registers)
    return body + checksum(body)


class Questions:
    """Collects bytes as they come, in whatever portions, and gives back the questions in them.

    What is no question, such as noise, the echo of an answer or a message to another unit, is passed over byte by byte.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Question]:
        """Take some bytes; return the questions that are complete now."""
        buffer, at, questions = self._rest + data, 0, []
        while len(buffer) - at >= _QUESTION_BYTES:
            question = _question_at(buffer, at)
            if question is None:
                at += 1
            else:
                questions.append(question)
                at += _QUESTION_BYTES
        self._rest = buffer[at:]
        return questions


def _question_at(buffer: bytes, at: int) -> Question | None:
    unit, function, first, count = struct.unpack_from(">BBHH", buffer, at)
    if unit != METER_UNIT or function != READ_HOLDING or not 1 <= count <= _MOST_REGISTERS:
        return None
    end = at + _QUESTION_BYTES
    return Question(first, count, unit) if checksum(buffer[at : end - 2]) == buffer[end - 2 : end] else None


class Answers:
    """Collects bytes as they come, and gives back the registers of the answer to a question.

    This is the Wall Connector's side, for its emulation.

    Args:
        question: The question that was put.
    """

    def __init__(self, question: Question) -> None:
        self._head = struct.pack(">BBB", question.unit, READ_HOLDING, 2 * question.count)
        self._count = question.count
        self._rest = b""

    def feed(self, data: bytes) -> tuple[int, ...] | None:
        """Take some bytes; return the registers once they are complete, with a right checksum."""
        self._rest += data
        length = len(self._head) + 2 * self._count + 2
        at = self._rest.find(self._head)
        while at >= 0 and len(self._rest) - at >= length:
            message = self._rest[at : at + length]
            if checksum(message[:-2]) == message[-2:]:
                return struct.unpack(f">{self._count}H", message[3:-2])
            at = self._rest.find(self._head, at + 1)
        return None


def float_registers(thousandths: int) -> tuple[int, int]:
    """A figure in thousandths, such as milliamps, as the least float32 that is not below it: two registers.

    What is published is a load, and a load rounds up.

    Args:
        thousandths: Not negative, at most 10^9.
    """
    bits: int = struct.unpack(">I", struct.pack(">f", thousandths / 1000))[0]
    value: float = struct.unpack(">f", struct.pack(">I", bits))[0]
    if Fraction(value) * 1000 < thousandths:
        bits += 1  # of positive floats the next one has the next pattern
    return bits >> 16, bits & 0xFFFF


def thousandths_of(registers: Sequence[int]) -> int:
    """Two registers, a float32, in whole thousandths, rounded up; the Wall Connector's side.

    Raises:
        ValueError: It is no number.
    """
    value: float = struct.unpack(">f", struct.pack(">HH", *registers))[0]
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN is what differs from itself
        raise ValueError(f"{value} is no current")
    return -int(-Fraction(value) * 1000 // 1)


@attrs.frozen(kw_only=True)
class Published:
    """What the meter says.

    Attributes:
        line_ma: The current of each of three lines.
        volts: Between a line and neutral, for the powers.
        serial: The meter's serial number, as an installer sees it; at most 13 letters.
    """

    line_ma: LineMilliamps
    volts: int
    serial: str

    def answer(self, question: Question) -> bytes | None:
        """The answer to a question; None: a meter would not know it either."""
        registers = self._registers(question.first)
        if registers is None or question.count > len(registers):
            return None
        return encode_answer(question, registers[: question.count])

    def _registers(self, first: int) -> tuple[int, ...] | None:
        if first == CURRENTS:
            return _floats((*self.line_ma, sum(self.line_ma)))
        if first == POWERS:
            powers_mw = tuple(line_ma * self.volts for line_ma in self.line_ma)
            return _floats((*powers_mw, sum(powers_mw), 0))
        if first == MAKER:
            return (*_MAKER_WORDS, *_text("Generac", 4))
        if first == IDENTITY:
            return _identity(self.serial)
        if first == PROBE:
            return _identity(self.serial)[:1]
        return None


def symmetric(line_ma: Milliamps) -> LineMilliamps:
    """The same current on every line: what acts on their mean and what acts on the worst of them then agree."""
    return (line_ma,) * _LINES


def _floats(thousandths: Sequence[int]) -> tuple[int, ...]:
    return tuple(register for figure in thousandths for register in float_registers(figure))


def _text(text: str, words: int) -> tuple[int, ...]:
    """A text in so many registers, filled up with zeros."""
    return struct.unpack(f">{words}H", text.encode("ascii")[: 2 * words].ljust(2 * words, b"\0"))


def _identity(serial: str) -> tuple[int, ...]:
    """The identity block, 55 registers: what a meter says of itself, its own numbers replaced."""
    blank = 0xFFFF
    return (
        *_text("0x0000000000000001", 10),
        *_text("1.6.1-Tesla", 6),
        *(blank,) * 4,
        *_text("012.00020A.H", 7),
        blank,
        *_text("00000", 3),
        *_text(serial, 7),
        *(blank,) * 8,
        *_text("02:00:00:00:00:01", 9),
    )
