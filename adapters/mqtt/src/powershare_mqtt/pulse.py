"""How old what arrives may be: a process that stood still finds everything that came meanwhile at once."""

from powershare.adapter import Clock

_STOOD_STILL_MS = 1_500
"""A gap between two ticks that is longer than any loop that goes on."""

_ELSEWHERE_MS = 1_000
"""So long after it stood still, what arrives may have waited for it."""


class Pulse:
    """When this process last surely took in what had arrived.

    Args:
        clock: Where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tick_ms = self._from_ms = clock.now_ms()
        self._until_ms = self._tick_ms - 1

    def tick(self) -> None:
        """The loop goes on."""
        self._look()

    def arrived_ms(self) -> int:
        """The earliest that a message which is taken in now can have arrived."""
        now_ms = self._look()
        return self._from_ms if now_ms <= self._until_ms else now_ms

    def _look(self) -> int:
        now_ms = self._clock.now_ms()
        if now_ms - self._tick_ms > _STOOD_STILL_MS:
            if self._tick_ms > self._until_ms:
                self._from_ms = self._tick_ms
            self._until_ms = now_ms + _ELSEWHERE_MS
        self._tick_ms = now_ms
        return now_ms
