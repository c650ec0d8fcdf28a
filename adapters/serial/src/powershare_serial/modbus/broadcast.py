"""One frame that orders every unit of a line, and the task that repeats it while any order holds."""

import asyncio
import contextlib
import typing

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterRejected
from powershare_serial.modbus.client import Line
from powershare_serial.modbus.frames import Question
from powershare_serial.modbus.register_map import Broadcast


class Board:
    """What the units of one line are to offer, each in its own slot. Whoever has no order that holds gets 0.

    Args:
        line: The line.
        broadcast: How the frame is made.
        clock: Where the time comes from.
    """

    def __init__(self, line: Line, broadcast: Broadcast, clock: Clock) -> None:
        self._line = line
        self._broadcast = broadcast
        self._clock = clock
        self._slots: dict[int, tuple[int, int]] = {}
        self._task: asyncio.Task[None] | None = None

    @staticmethod
    def of(line: Line, broadcast: Broadcast, clock: Clock) -> "Board":
        """Return the one board of a line."""
        key = ("broadcast", broadcast.unit, broadcast.first.address)
        return typing.cast("Board", line.boards.setdefault(key, Board(line, broadcast, clock)))

    async def order(self, unit: int, word: int, until_ms: int) -> None:
        """Order a unit, and keep at it.

        Args:
            unit: Its address on the line.
            word: Its word.
            until_ms: The instant from which on it gets 0 again.

        Raises:
            AdapterError: The frame could not be sent; the unit has its old order.
        """
        slot = unit - self._broadcast.first_unit
        before = self._slots.get(slot)
        self._slots[slot] = (word, until_ms)
        try:
            await self._line.tell(self._frame)
            self._must_have_held(until_ms)
        except BaseException:
            # It may have reached the unit or not: of the two orders the lower one is repeated.
            if before is None:
                self._slots.pop(slot, None)
            else:
                self._slots[slot] = (min(word, before[0]), before[1])
            raise
        if slot in self._slots and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._repeat())

    async def drop(self, unit: int) -> None:
        """Let a unit go: it gets 0 while others are still ordered, and hears nothing more once none is. Never fails."""
        self._slots.pop(unit - self._broadcast.first_unit, None)
        if not self._slots and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    def _must_have_held(self, until_ms: int) -> None:
        if self._clock.now_ms() >= until_ms:
            raise AdapterRejected("the order was over before it could be sent")

    def _frame(self) -> Question | None:
        """The orders that hold now; None: none does."""
        now_ms, cast = self._clock.now_ms(), self._broadcast
        held = {slot: word for slot, (word, end_ms) in self._slots.items() if now_ms < end_ms}
        if not held:
            return None
        words = tuple(held.get(slot, 0) for slot in range(cast.slots))
        return Question(cast.unit, 16, cast.first.address, cast.slots, words)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._broadcast.every_ms / 1000)
            if self._frame() is None:
                return
            with contextlib.suppress(AdapterError):  # a line that is gone for a while is tried again
                await self._line.tell(self._frame)
