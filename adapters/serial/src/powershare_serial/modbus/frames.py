"""Questions and answers as bytes, framed for a serial line (RTU) and for TCP, without I/O.

pymodbus makes and reads what lies within a frame, and its checksum. Where a frame begins and ends is decided here: its
own framers believe the first bytes that look like a frame and drop everything behind a wrong checksum.
"""

import struct
from collections.abc import Sequence
from types import MappingProxyType
from typing import Protocol

import attrs
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_serial.modbus.registers import Register, Table

_DECODER = DecodePDU(is_server=False)
_RTU = FramerRTU(_DECODER)
_TCP = FramerSocket(_DECODER)

_READS = MappingProxyType(
    {
        Table.COIL: (1, ReadCoilsRequest),
        Table.DISCRETE: (2, ReadDiscreteInputsRequest),
        Table.HOLDING: (3, ReadHoldingRegistersRequest),
        Table.INPUT: (4, ReadInputRegistersRequest),
    }
)
_REFUSED = 0x80
_REFUSAL_BYTES = 5
_WRITE_BYTES = 8
_MBAP_BYTES = 7
_MOST_LINE_BYTES = 256
_MOST_PDU_BYTES = 253
"""The most that a frame may carry (Modbus application protocol 1.1b3, 4.1)."""
_UNREADABLE = (ModbusException, ValueError, IndexError, KeyError, struct.error)


@attrs.frozen
class Frame:
    """What one frame carries.

    Attributes:
        unit: Address of the device it is from.
        transaction: Number of the question; None on a serial line, which has none.
        body: Function and data.
    """

    unit: int
    transaction: int | None
    body: bytes


@attrs.frozen
class Question:
    """A request to one unit.

    Attributes:
        unit: Its address.
        function: Function code.
        address: First address.
        count: How many bits or words.
        values: What is written; empty for a question that reads.
    """

    unit: int
    function: int
    address: int
    count: int
    values: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"function {self.function} at {self.address} of unit {self.unit}"

    @property
    def answer_bytes(self) -> int:
        """How many bytes the frame of its answer has on a serial line, unless it is refused."""
        if self.function in {1, 2}:
            return 5 + (self.count + 7) // 8
        return 5 + 2 * self.count if self.function in {3, 4} else _WRITE_BYTES

    def body(self) -> bytes:
        """Function and data, as they are sent."""
        request = _request(self)
        return bytes([self.function]) + request.encode()

    def on_line(self) -> bytes:
        """The frame for a serial line."""
        return _RTU.encode(self.body(), self.unit, 0)

    def on_tcp(self, transaction: int) -> bytes:
        """The frame for TCP.

        Args:
            transaction: 0 to 65535, which the answer repeats.
        """
        return _TCP.encode(self.body(), self.unit, transaction)

    def answered_by(self, body: bytes) -> bool:
        """Whether function, length and, where it is repeated, address fit this question."""
        if body[0] == self.function | _REFUSED:
            return len(body) == 2
        if body[0] != self.function or len(body) != self.answer_bytes - 3:
            return False
        if self.values:
            return body[1:3] == self.address.to_bytes(2, "big")
        return body[1] == len(body) - 2


def _request(question: Question) -> ModbusPDU:
    address, count, values = question.address, question.count, list(question.values)
    match question.function:
        case 1 | 2 | 3 | 4:
            kinds = dict(_READS.values())
            return kinds[question.function](address=address, count=count)
        case 5:
            return WriteSingleCoilRequest(address=address, bits=[bool(values[0])])
        case 6:
            return WriteSingleRegisterRequest(address=address, registers=values)
        case 15:
            return WriteMultipleCoilsRequest(address=address, bits=list(map(bool, values)))
        case _:
            return WriteMultipleRegistersRequest(address=address, registers=values)


def read_question(unit: int, register: Register, count: int | None = None) -> Question:
    """Ask for a register, and with `count` for so many words from it on."""
    code, _ = _READS[register.table]
    return Question(unit, code, register.address, register.words if count is None else count)


def write_question(unit: int, register: Register, words: Sequence[int]) -> Question:
    """Write words to a register; more than one word, or bit, needs the function that writes several."""
    single = register.write_single and len(words) == 1
    if register.table is Table.COIL:
        return Question(unit, 5 if single else 15, register.address, len(words), tuple(words))
    return Question(unit, 6 if single else 16, register.address, len(words), tuple(words))


def answer_of(question: Question, body: bytes) -> tuple[int, ...]:
    """Read an answer.

    Args:
        question: What was asked.
        body: What the frame carries; `Question.answered_by` says that it fits.

    Returns:
        The words or bits that were asked for; nothing for a write.

    Raises:
        AdapterRejected: The device refused.
        AdapterUnavailable: The answer makes no sense.
    """
    if body[0] & _REFUSED:
        raise AdapterRejected(f"the device refused {question}: {_reason(body[1])}")
    try:
        answer = _DECODER.decode(body)
    except _UNREADABLE:  # nothing that fits the question has done so yet; the parser is not ours
        answer = None
    if answer is None:
        raise AdapterUnavailable(f"the answer to {question} cannot be read: {body.hex(' ')}")
    if question.values:
        if question.function in {5, 6} and body[3:5] != question.body()[3:5]:
            raise AdapterRejected(f"the device wrote {body[3:5].hex()} for {question}, not what it was told")
        return ()
    values = answer.bits if question.function in {1, 2} else answer.registers
    return tuple(map(int, values[: question.count]))


def _reason(code: int) -> str:
    try:
        return f"{ExcCodes(code).name} ({code})"
    except ValueError:
        return f"exception {code}"


class Frames(Protocol):
    """Bytes as they come, in whatever portions, to frames."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take some bytes; return the frames that are complete now.

        Raises:
            AdapterUnavailable: These are no frames, and no later ones can be found.
        """
        ...


class LineFrames:
    """Frames on a serial line: what has a right checksum at its end. Everything else is noise, and skipped.

    With each byte it is asked whether a frame ends there, wherever it began: so noise that looks like the head of a
    long frame holds nothing up, and portions do not matter.

    Args:
        question: What was asked: only frames as long as its answer, or a refusal, are looked for. None: all are.
    """

    def __init__(self, question: Question | None = None) -> None:
        self._question = question
        self._rest = bytearray()
        self._skipped = 0

    @property
    def noise_bytes(self) -> int:
        """How many bytes came that belong to no frame."""
        return self._skipped + len(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """Take some bytes; return the frames that are complete now."""
        found: list[Frame] = []
        for byte in data:
            self._rest.append(byte)
            frame = self._ending_here()
            if frame is not None:
                found.append(frame)
                self._rest.clear()
            elif len(self._rest) > _MOST_LINE_BYTES:
                del self._rest[0]
                self._skipped += 1
        return found

    def _ending_here(self) -> Frame | None:
        for start in range(len(self._rest) - _REFUSAL_BYTES + 1):
            if self._size(start) != len(self._rest) - start:
                continue
            frame = bytes(self._rest[start:])
            if FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
                self._skipped += start
                return Frame(frame[0], None, frame[1:-2])
        return None

    def _size(self, start: int) -> int:
        """How long a frame that begins here is; 0: none does."""
        function, count = self._rest[start + 1], self._rest[start + 2]
        if function & _REFUSED:
            return _REFUSAL_BYTES if 1 <= function & 0x7F <= 16 else 0
        if function in {5, 6, 15, 16}:
            size = _WRITE_BYTES
        else:
            size = count + 5 if function in {1, 2, 3, 4} and 0 < count <= 250 else 0
        return size if self._question is None or size == self._question.answer_bytes else 0


class TcpFrames:
    """Frames over TCP: each says how long it is."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take some bytes; return the frames that are complete now.

        Raises:
            AdapterUnavailable: This is not Modbus TCP.
        """
        self._rest += data
        found: list[Frame] = []
        while len(self._rest) >= _MBAP_BYTES:
            size = int.from_bytes(self._rest[4:6], "big")
            if self._rest[2:4] != b"\0\0" or not 3 <= size <= _MOST_PDU_BYTES + 1:
                broken, self._rest = self._rest, b""
                raise AdapterUnavailable(f"this is not Modbus TCP: {broken[:16].hex(' ')}; try framing=rtu")
            if len(self._rest) < 6 + size:
                break
            frame, self._rest = self._rest[: 6 + size], self._rest[6 + size :]
            found.append(Frame(frame[6], int.from_bytes(frame[:2], "big"), frame[7:]))
        return found


def parse_any(data: bytes) -> None:
    """Read bytes as answers in either framing, to whatever question they fit; for fuzzers.

    Only AdapterErrors are caught: whatever else comes out is a defect.
    """
    for reader in (LineFrames(), TcpFrames()):
        try:
            frames = reader.feed(data)
        except AdapterUnavailable:
            continue
        for frame in frames:
            for question in _questions_for(frame):
                try:
                    answer_of(question, frame.body)
                except (AdapterRejected, AdapterUnavailable):
                    continue


def _questions_for(frame: Frame) -> list[Question]:
    function = frame.body[0] & 0x7F
    address = int.from_bytes(frame.body[1:3], "big")
    candidates = [Question(frame.unit, function, address, count) for count in (1, 2, 6, 16)]
    candidates += [Question(frame.unit, function, address, len(words), words) for words in ((1,), (1, 2))]
    return [question for question in candidates if question.answered_by(frame.body)]
