"""What the Wall Connector draws itself: handed in by a program, or asked of a meter, and never older than 5 s."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

from powershare.adapter import Clock
from powershare.errors import AdapterError
from powershare.metering import MeterAdapter
from powershare.units import LineMilliamps

OwnDraw: TypeAlias = Callable[[], LineMilliamps | None]
"""The newest measurement of the Wall Connector's own draw, per line, rounded up; None: there is none, or it is old."""

STALE_MS = 5_000
"""Older figures are none (zany92/tesla-loadpilot, docs/en/BEHAVIOR.md). Age counts, not change: a car may draw the same
for hours."""
_ASK_MS = 250


class DrawSource(Protocol):
    """Where the figures come from."""

    async def open(self) -> None:
        """Begin.

        Raises:
            AdapterError: It cannot be reached.
        """
        ...

    async def close(self) -> None:
        """End. Never fails; may be repeated."""
        ...

    def newest(self) -> LineMilliamps | None:
        """The newest figures; None: there are none that are young enough."""
        ...


class HandedIn:
    """A program's own measurement.

    Args:
        own_draw_ma: Called before every answer.
    """

    def __init__(self, own_draw_ma: OwnDraw) -> None:
        self._own_draw_ma = own_draw_ma

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def newest(self) -> LineMilliamps | None:
        """Ask the program. Where its code fails, or says what no meter says, there is no measurement."""
        try:
            drawn_ma = self._own_draw_ma()
        except Exception:  # noqa: BLE001 - whatever a program's code does, the Wall Connector must not go on with it
            return None
        return drawn_ma if isinstance(drawn_ma, tuple) and drawn_ma and all(map(_is_current, drawn_ma)) else None


def _is_current(figure: object) -> bool:
    return isinstance(figure, int) and not isinstance(figure, bool) and figure >= 0


class Metered:
    """A meter, asked four times a second while it is open.

    Args:
        meter: It.
        clock: Where the time comes from.
    """

    def __init__(self, meter: MeterAdapter, clock: Clock) -> None:
        self._meter, self._clock = meter, clock
        self._newest: tuple[int, LineMilliamps] | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Dial, and begin to ask."""
        await self._meter.open()
        if self._task is None:
            self._task = asyncio.create_task(self._ask())

    async def close(self) -> None:
        """Stop asking and let go."""
        task, self._task, self._newest = self._task, None, None
        if task is not None:
            task.cancel()
        await self._meter.close()
        if task is not None:
            await asyncio.wait({task})

    def newest(self) -> LineMilliamps | None:
        """What it said last, unless that is old. A current that flows back is none of the Wall Connector's."""
        if self._newest is None or self._clock.now_ms() - self._newest[0] > STALE_MS:
            return None
        return tuple(max(0, load_ma) for load_ma in self._newest[1])

    async def _ask(self) -> None:
        while True:
            try:
                reading = await self._meter.read()
                self._newest = (reading.at_ms, reading.load_ma)
            except AdapterError:
                await self._dial_again()
            await asyncio.sleep(_ASK_MS / 1000)

    async def _dial_again(self) -> None:
        """A meter that was gone is opened anew; until it says something, what it said grows old."""
        try:
            await self._meter.close()
            await self._meter.open()
        except AdapterError:
            return
