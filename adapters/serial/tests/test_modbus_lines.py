"""A line takes the answer to its question and no other, whatever else comes."""

import asyncio
from collections.abc import Sequence

import pytest

from powershare.errors import AdapterTimeout, AdapterUnavailable
from powershare.testing import VirtualClock
from powershare_serial.modbus.client import Line, Lines
from powershare_serial.modbus.frames import Question
from powershare_serial.ports import Port

QUESTION = Question(3, 3, 10, 2)
WRITE = Question(3, 16, 10, 2, (1, 2))
BODY = bytes.fromhex("03 04 00 01 00 02")


def checked(unit: int, body: bytes) -> bytes:
    data = bytes([unit]) + body
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return data + crc.to_bytes(2, "little")


def numbered(number: int, unit: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + b"\0\0" + (len(body) + 1).to_bytes(2, "big") + bytes([unit]) + body


class Script:
    """A port that answers each question with what it was told to, once."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self._waiting = bytearray()
        self._arrived = asyncio.Event()
        self.closed = False

    async def send(self, data: bytes) -> None:
        if self.closed:
            raise AdapterUnavailable("closed")
        if self._answers:
            self._waiting += self._answers.pop(0)
            self._arrived.set()

    async def receive(self) -> bytes:
        while not self._waiting:
            if self.closed:
                raise AdapterUnavailable("closed")
            self._arrived.clear()
            await self._arrived.wait()
        return self.pending()

    def pending(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    async def close(self) -> None:
        self.closed = True
        self._arrived.set()


def ask(question: Question, answers: Sequence[bytes], *, tcp: bool) -> tuple[int, ...]:
    """Ask one question over a scripted port in virtual time."""
    clock = VirtualClock()

    async def talk() -> tuple[int, ...]:
        async def connect() -> Port:
            return Script(answers)

        line = Line(connect, clock, tcp=tcp, gap_ms=0, redials=tcp)
        try:
            return await line.ask(question)
        finally:
            await line.close()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        return runner.run(talk())


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION, checked(4, BODY)),
        (QUESTION, checked(3, b"\4" + BODY[1:])),
        (QUESTION, checked(3, bytes.fromhex("03 02 00 01"))),
        (QUESTION, checked(3, bytes.fromhex("03 06 00 01 00 02 00 03"))),
        (QUESTION, checked(3, bytes.fromhex("84 02"))),
        (QUESTION, checked(3, BODY)[:-1] + b"\0"),
        (WRITE, checked(3, bytes.fromhex("10 00 0B 00 02"))),
        (WRITE, checked(3, bytes.fromhex("06 00 0A 00 02"))),
    ],
    ids=["unit", "function", "short", "long", "refusal of another", "checksum", "address", "another write"],
)
def test_what_does_not_fit_the_question_on_a_serial_line_is_not_its_answer(question: Question, answer: bytes) -> None:
    with pytest.raises(AdapterTimeout, match="of unit 3 within 500 ms"):
        ask(question, [answer], tcp=False)
    after = checked(3, BODY if question is QUESTION else bytes.fromhex("10 00 0A 00 02"))
    assert ask(question, [answer + after], tcp=False) == ((1, 2) if question is QUESTION else ())


@pytest.mark.parametrize(
    "answer",
    [
        numbered(1, 4, BODY),
        numbered(0, 3, BODY),
        numbered(2, 3, BODY),
        numbered(1, 3, b"\4" + BODY[1:]),
        numbered(1, 3, BODY[:-2]),
    ],
    ids=["unit", "the one before", "the one after", "function", "short"],
)
def test_what_does_not_fit_the_question_over_tcp_is_not_its_answer(answer: bytes) -> None:
    with pytest.raises(AdapterTimeout, match="of unit 3 within 500 ms"):
        ask(QUESTION, [answer], tcp=True)
    assert ask(QUESTION, [answer + numbered(1, 3, BODY)], tcp=True) == (1, 2)


@pytest.mark.parametrize("tcp", [True, False])
def test_a_wire_that_breaks_while_it_is_waited_for_is_said_so_and_dialled_anew(tcp: bool) -> None:
    clock = VirtualClock()
    ports: list[Script] = []

    async def connect() -> Port:
        answer = numbered(2, 3, BODY) if tcp else checked(3, BODY)
        ports.append(Script([answer] if ports else []))
        return ports[-1]

    async def talk() -> None:
        line = Line(connect, clock, tcp=tcp, gap_ms=0, redials=tcp)
        asking = asyncio.create_task(line.ask(QUESTION))
        await asyncio.sleep(0.01)
        await ports[0].close()
        with pytest.raises(AdapterUnavailable):
            await asking
        assert await line.ask(QUESTION) == (1, 2)
        assert line.dialled == len(ports) == 2
        await line.close()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(talk())


def test_a_wire_that_cannot_be_opened_leaves_no_line_behind() -> None:
    clock = VirtualClock()
    lines = Lines()

    async def connect() -> Port:
        raise AdapterUnavailable("no such device")

    async def talk() -> None:
        for _ in range(2):
            with pytest.raises(AdapterUnavailable, match="no such device"):
                await lines.take("wire", lambda: Line(connect, clock, tcp=False, gap_ms=0, redials=False))
        assert list(lines._by_loop.values()) == [{}]

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(talk())
