"""The made-up box, emulated on the level of its bytes: the counterparty of the tests, and of a dry run.

Not faithful: it answers at once, and its vehicle draws what it is offered without a delay.
"""

import asyncio

from powershare.adapter import Clock
from powershare.errors import AdapterUnavailable
from powershare.units import Milliamps

WATCHDOG_MS = 10_000
FAILSAFE_MA = 6_000


class EmulatedBox:
    """A box with a vehicle that wants 16 A, and failsafe amps of 6.

    Attributes:
        silent: It hears and says nothing, and goes on.
        failsafe_writes: How often its failsafe amps have been written.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ordered_ma = FAILSAFE_MA
        self._fed_ms = clock.now_ms()
        self._failsafe_ma = FAILSAFE_MA
        self.failsafe_writes = 0
        self.silent = False

    @property
    def offered_ma(self) -> Milliamps:
        """What its control pilot says now."""
        return self._ordered_ma if self._clock.now_ms() < self._fed_ms + WATCHDOG_MS else self._failsafe_ma

    def restart(self) -> None:
        """Start anew, without an order."""
        self._ordered_ma = self._failsafe_ma

    def answer(self, line: bytes) -> bytes:
        """What it says to one line."""
        command, _, argument = line.strip().partition(b" ")
        amps = int(argument) if argument.isdigit() else -1
        if argument and amps != 0 and not 6 <= amps <= 32:
            return b"NO 0 or 6 to 32\n"
        if command == b"F":
            if argument:
                self._failsafe_ma, self.failsafe_writes = amps * 1000, self.failsafe_writes + 1
            return b"FS %d\n" % (self._failsafe_ma // 1000)
        if command == b"S" and argument:
            self._ordered_ma, self._fed_ms = amps * 1000, self._clock.now_ms()
        elif command != b"G":
            return b"NO such command\n"
        offered_ma = self.offered_ma
        drawn_ma = min(offered_ma, 16_000)
        return b"ST %d %s %d.%d\n" % (offered_ma // 1000, b"C" if offered_ma else b"B", drawn_ma // 1000, 0)


class BoxLine:
    """A line to an emulated box that needs no socket: a `Transport`."""

    def __init__(self, box: EmulatedBox) -> None:
        self._box = box
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, data: bytes) -> None:
        """Give the box a line."""
        if not self._box.silent:
            self._answers.put_nowait(self._box.answer(data))

    async def receive(self) -> bytes:
        """Wait for an answer; from a silent box none comes."""
        return await self._answers.get()

    async def close(self) -> None:
        """Nothing to let go of."""

    @staticmethod
    async def connect(box: EmulatedBox) -> "BoxLine":
        """Connect to a box.

        Raises:
            AdapterUnavailable: It is silent.
        """
        if box.silent:
            raise AdapterUnavailable("nobody answers")
        return BoxLine(box)


async def serve(box: EmulatedBox, host: str, port: int) -> asyncio.Server:
    """Put an emulated box behind a real socket; port 0 takes a free one."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if not box.silent:
                writer.write(box.answer(line))
                await writer.drain()
        writer.close()

    return await asyncio.start_server(talk, host, port)
