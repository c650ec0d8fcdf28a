"""Lines: one open wire for all units on it, on which one question at a time is asked and answered.

Rule 1: an answer that comes too late is not taken for the answer to a later question. Modbus TCP numbers its questions.
        A serial line does not: after a question that went unanswered nothing is asked for a while, and what arrives
        meanwhile is dropped. Any TCP connection on which a question went unanswered is given up.
Rule 2: a connection that broke is dialled anew by the next question. Dialling writes nothing.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Any

from powershare.adapter import Clock
from powershare.errors import AdapterTimeout, AdapterUnavailable
from powershare_serial.modbus.frames import Frame, LineFrames, Question, TcpFrames, answer_of
from powershare_serial.ports import Port, Wiring

REPLY_MS = 500
"""The longest that a unit may take to answer; most take under 100 ms."""

LATE_MS = 500
"""How much longer an unanswered question keeps a serial line from the next one."""

TURNAROUND_MS = 100
"""How long units are given to read a frame that they do not answer (Modbus over serial line 1.02, 2.4.1)."""


class _TcpAnswers:
    """Frames over TCP that carry the number of one question; those of others are dropped."""

    def __init__(self, transaction: int) -> None:
        self._frames = TcpFrames()
        self._transaction = transaction

    def feed(self, data: bytes) -> list[Frame]:
        """Take some bytes; return the frames that are complete now and have that number."""
        return [frame for frame in self._frames.feed(data) if frame.transaction == self._transaction]


class Line:
    """A wire, and whose turn it is on it.

    Args:
        connect: Opens the wire.
        clock: Where the time comes from.
        tcp: Whether frames are framed for TCP.
        gap_ms: The least silence between two frames.
        redials: Whether a connection on which a question went unanswered is given up, and what it still holds with it.

    Attributes:
        dialled: How often the wire was dialled; whoever sees it change does not know what became of its device.
        users: How many have taken the line.
        boards: What those on the line share, by its kind.
        wiring: How bytes are put on the wire, as whoever opened it said; None: it has none.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Port]], clock: Clock, *, tcp: bool, gap_ms: int, redials: bool
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._tcp = tcp
        self._redials = redials
        self._gap_ms = gap_ms
        self._turn = asyncio.Lock()
        self._urgent = 0
        self._port: Port | None = None
        self._transaction = 0
        self._busy_until_ms = clock.now_ms()
        self._echoes = False
        self.dialled = 0
        self.users = 0
        self.boards: dict[Hashable, Any] = {}
        self.wiring: Wiring | None = None

    def needs(self, gap_ms: int) -> None:
        """One of those on the line needs so much silence between two frames: then all get it."""
        self._gap_ms = max(self._gap_ms, gap_ms)

    async def open(self) -> None:
        """Dial, unless the wire is open.

        Raises:
            AdapterUnavailable: There is no wire.
        """
        async with self._turn:
            await self._open_port()

    async def close(self) -> None:
        """Let go of the wire; the next question dials anew. Never fails."""
        port, self._port = self._port, None
        if port is not None:
            await port.close()

    async def ask(
        self, question: Question, *, reply_ms: int = REPLY_MS, check: Callable[[], None] | None = None
    ) -> tuple[int, ...]:
        """Ask a unit, once it is this question's turn.

        Args:
            question: A question to one unit.
            reply_ms: The longest that the answer may take.
            check: Called right before it is asked, and raises what forbids it; None: nothing does.

        Returns:
            The words or bits of its answer; nothing for a write.

        Raises:
            AdapterTimeout: No answer in time.
            AdapterRejected: The unit refused.
            AdapterUnavailable: The wire is gone, or the answer makes no sense.
        """
        async with self._next(urgent=bool(question.values)):
            fresh = await self._open_port()
            await self._quiet()
            if check is not None:
                check()
            settled = False
            try:
                body = await self._exchange(question, reply_ms, fresh=fresh)
                settled = True
            finally:
                now_ms = self._clock.now_ms()
                self._busy_until_ms = now_ms + (self._gap_ms if settled or self._tcp else LATE_MS)
                if not settled and self._redials:
                    await self.close()
            return answer_of(question, body)

    async def tell(self, make: Callable[[], Question | None]) -> None:
        """Send what nobody answers.

        Args:
            make: What is sent, made right before it is; None: nothing is to be sent any more.

        Raises:
            AdapterUnavailable: The wire is gone.
        """
        async with self._next(urgent=True):
            fresh = await self._open_port()
            await self._quiet()
            question = make()
            if question is not None:
                await self._send(question, fresh=fresh)
                self._busy_until_ms = self._clock.now_ms() + max(self._gap_ms, TURNAROUND_MS)

    @contextlib.asynccontextmanager
    async def _next(self, *, urgent: bool) -> AsyncIterator[None]:
        """Wait for one's turn. What is told comes before what is asked, however many ask."""
        self._urgent += urgent
        try:
            await self._turn.acquire()
            while self._urgent and not urgent:
                self._turn.release()
                await asyncio.sleep(0)
                await self._turn.acquire()
        finally:
            self._urgent -= urgent
        try:
            yield
        finally:
            self._turn.release()

    async def _open_port(self) -> bool:
        """Return whether the wire was dialled just now."""
        if self._port is not None:
            return False
        self._port = await self._connect()
        self.dialled += 1
        return True

    async def _quiet(self) -> None:
        """Wait until the line may be used; what arrives meanwhile belongs to questions of before."""
        port = self._port
        while (wait_ms := self._busy_until_ms - self._clock.now_ms()) > 0:  # noqa: ASYNC110 - a clock has no event
            await asyncio.sleep(wait_ms / 1000)
        if port is not None:
            with contextlib.suppress(AdapterUnavailable):  # sending finds out, and dials
                port.pending()

    async def _exchange(self, question: Question, reply_ms: int, *, fresh: bool) -> bytes:
        frames: LineFrames | _TcpAnswers | None = None
        try:
            async with asyncio.timeout(reply_ms / 1000):
                request, frames = await self._send(question, fresh=fresh)
                return await self._answer(question, request, frames)
        except TimeoutError:
            raise AdapterTimeout(_unanswered(question, frames, reply_ms)) from None

    async def _send(self, question: Question, *, fresh: bool) -> tuple[bytes, LineFrames | _TcpAnswers]:
        self._transaction = (self._transaction + 1) & 0xFFFF
        frames: LineFrames | _TcpAnswers
        if self._tcp:
            request, frames = question.on_tcp(self._transaction), _TcpAnswers(self._transaction)
        else:
            request, frames = question.on_line(), LineFrames(question)
        try:
            await self._held().send(request)
        except AdapterUnavailable:
            await self.close()
            if fresh:
                raise
            # The device hung up while nobody spoke, as many do after a minute; nothing of the question has reached it.
            await self._open_port()
            await self._held().send(request)
        return request, frames

    async def _answer(self, question: Question, request: bytes, frames: LineFrames | _TcpAnswers) -> bytes:
        echo = self._expected_echo(question, request)
        while True:
            try:
                data = await self._held().receive()
            except AdapterUnavailable:
                await self.close()
                raise
            if isinstance(frames, LineFrames) and echo:
                data, echo = self._without(echo, data)
            for frame in frames.feed(data):
                if self._fits(frame, question):
                    return frame.body

    def _expected_echo(self, question: Question, request: bytes) -> bytes:
        """What an adapter for RS-485 that hears itself repeats before the answer.

        The answer to a single write looks like its question. It is taken for an echo only where one has been heard
        before: opening reads first.
        """
        return request if self._echoes or question.function not in {5, 6} else b""

    def _without(self, echo: bytes, data: bytes) -> tuple[bytes, bytes]:
        common = min(len(echo), len(data))
        if data[:common] != echo[:common]:
            return data, b""
        if common == len(echo):
            self._echoes = True
            return data[common:], b""
        return b"", echo[common:]

    def _fits(self, frame: Frame, question: Question) -> bool:
        return frame.unit == question.unit and question.answered_by(frame.body)

    def _held(self) -> Port:
        if self._port is None:
            raise AdapterUnavailable("the line was closed")
        return self._port


def _unanswered(question: Question, frames: LineFrames | _TcpAnswers | None, reply_ms: int) -> str:
    if isinstance(frames, LineFrames) and frames.noise_bytes:
        return f"no answer to {question} within {reply_ms} ms, only noise; are speed, parity and wires right?"
    return f"no answer to {question} within {reply_ms} ms"


class Lines:
    """The lines that are open, shared by all adapters that name the same wire, in each event loop."""

    def __init__(self) -> None:
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Line]] = (
            weakref.WeakKeyDictionary()
        )

    async def take(self, key: Hashable, make: Callable[[], Line]) -> Line:
        """Return the open line of a wire, made and dialled if nobody has it yet. Each taking wants one giving back.

        Raises:
            AdapterUnavailable: There is no wire.
        """
        lines = self._by_loop.setdefault(asyncio.get_running_loop(), {})
        line = lines.setdefault(key, make()) if key not in lines else lines[key]
        line.users += 1
        try:
            await line.open()
        except BaseException:
            await self.give_back(key, line)
            raise
        return line

    async def give_back(self, key: Hashable, line: Line) -> None:
        """Let go of a line; the last one closes it. Never fails."""
        line.users -= 1
        if line.users <= 0:
            lines = self._by_loop.get(asyncio.get_running_loop(), {})
            if lines.get(key) is line:
                del lines[key]
            await line.close()


LINES = Lines()
"""The lines of this process."""
