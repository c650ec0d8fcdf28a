"""The last line of assumption A2: a vehicle that is still above its ceiling in time gets its contactor opened.

Needs a meter in the unit. Without one, that a vehicle follows within the time it has is assumed.
"""

from collections import deque

from powershare.timing import Timing
from powershare.units import Milliamps

OPENING_MS = 1_000
"""How long before the end of a vehicle's time it is decided to open: this is what opening takes."""

FRESH_MS = 2_500
"""A measurement older than this says nothing."""


class Guard:
    """Compares what is measured with what the ceiling has been lowered to.

    Args:
        timing: The network's times.
        tolerance_ma: What a meter may read above the truth.
    """

    __slots__ = ("_above_since_ms", "_checks", "_grace_ms", "_measured_ma", "_measured_ms", "_tolerance_ma")

    def __init__(self, timing: Timing, tolerance_ma: Milliamps) -> None:
        self._grace_ms, self._tolerance_ma = timing.follow_ms - OPENING_MS, tolerance_ma
        self._checks: deque[tuple[int, Milliamps]] = deque(maxlen=64)
        self._measured_ma = 0
        self._measured_ms: int | None = None
        self._above_since_ms: int | None = None

    def follow(self, timing: Timing) -> None:
        """Vehicles have another time from now on."""
        self._grace_ms = timing.follow_ms - OPENING_MS

    def reset(self) -> None:
        """Forget everything: the contactor is open, or another vehicle came."""
        self._checks.clear()
        self._measured_ms = self._above_since_ms = None

    def measured(self, current_ma: Milliamps, at_ms: int, most_ma: Milliamps) -> None:
        """Take in a measurement.

        Args:
            current_ma: The largest line current.
            at_ms: When it was taken.
            most_ma: The most that the vehicle may draw at present, former ceilings included.
        """
        self._measured_ma, self._measured_ms = current_ma, at_ms
        if current_ma <= most_ma + self._tolerance_ma:
            self._above_since_ms = None
        elif self._above_since_ms is None:
            self._above_since_ms = at_ms

    def lowered(self, ceiling_ma: Milliamps, at_ms: int) -> None:
        """The ceiling was lowered, as the vehicle sees it from this instant on."""
        self._checks.append((at_ms + self._grace_ms, ceiling_ma))

    def raised(self, ceiling_ma: Milliamps) -> None:
        """The ceiling was raised: what was lowered before allows that much."""
        for place, (due_ms, allowed_ma) in enumerate(self._checks):
            if allowed_ma < ceiling_ma:
                self._checks[place] = (due_ms, ceiling_ma)

    def next_ms(self) -> int | None:
        """When to look next; None: no need."""
        due_ms = self._checks[0][0] if self._checks else None
        if self._above_since_ms is None:
            return due_ms
        above_ms = self._above_since_ms + self._grace_ms
        return above_ms if due_ms is None else min(due_ms, above_ms)

    def must_open(self, ceiling_ma: Milliamps, now_ms: int) -> bool:
        """Whether the contactor must open now.

        Args:
            ceiling_ma: The ceiling in force.
            now_ms: Now.
        """
        least_ma = None
        while self._checks and self._checks[0][0] <= now_ms:
            allowed_ma = self._checks.popleft()[1]
            least_ma = allowed_ma if least_ma is None else min(least_ma, allowed_ma)
        if self._measured_ms is None or now_ms - self._measured_ms > FRESH_MS:
            self._above_since_ms = None
            return False
        if least_ma is not None and self._measured_ma > max(least_ma, ceiling_ma) + self._tolerance_ma:
            return True
        return self._above_since_ms is not None and now_ms - self._above_since_ms >= self._grace_ms
