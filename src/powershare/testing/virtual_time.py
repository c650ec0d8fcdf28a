"""An asyncio event loop that jumps: nobody waits for real, so that an hour of watchdogs takes milliseconds.

It fits where both ends live in this process. Whoever talks to another process or thread needs real time.
"""

import asyncio
import selectors

_START_S = 1_000.0
"""Not 0, so that nothing passes by mistaking an instant for a duration."""

_HANG_S = 5.0


class VirtualClock:
    """A clock that moves when everybody on its loop is waiting, and then straight to the next thing due."""

    def __init__(self) -> None:
        self.now_s = _START_S

    def now_ms(self) -> int:
        """Whole milliseconds since an arbitrary instant."""
        return round(self.now_s * 1000)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop on which `asyncio.sleep` and every timeout run by this clock."""
        return _VirtualTimeLoop(self)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for files like its base, but spends no real time on timeouts: it moves the clock instead."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None and timeout > 0:
            self._clock.now_s += timeout
            return []
        ready = super().select(_HANG_S)  # another thread, such as an executor's, may still have something to say
        if not ready:
            raise RuntimeError("every task waits for something that virtual time cannot bring about")
        return ready


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.now_s
