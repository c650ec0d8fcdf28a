"""Meters that are late, coarse or silent, and loads that are no connectors. All pure functions of time."""

from bisect import bisect_right
from collections import deque

import attrs

from powershare.simulation.chance import Chance
from powershare.units import LineMilliamps, Milliamps


@attrs.frozen(kw_only=True)
class MeterTraits:
    """How a meter reads.

    Attributes:
        period_ms: It samples at every multiple of this.
        delay_ms: A sample is known so long after it was taken.
        step_ma: Samples are rounded up to a multiple of this.
    """

    period_ms: int = 1_000
    delay_ms: int = 500
    step_ma: Milliamps = 1


class Meter:
    """A meter in a connector, asked for what it knew at an instant.

    It is told of changes only, and finds the sample that was known from them: a meter that samples
    every second costs nothing while nothing changes.
    """

    __slots__ = ("_changes", "_traits", "latest_ma", "silent")

    def __init__(self, traits: MeterTraits) -> None:
        self._traits = traits
        self._changes: deque[tuple[int, Milliamps]] = deque([(-1 << 60, 0)])
        self.latest_ma = 0
        self.silent = False
        """A silent meter knows nothing."""

    def change(self, drawn_ma: Milliamps, now_ms: int) -> int:
        """Note a change of the current.

        Args:
            drawn_ma: The current from now on.
            now_ms: The present; never before the last change.

        Returns:
            When the first sample that shows it will be known.
        """
        traits, changes = self._traits, self._changes
        self.latest_ma = drawn_ma
        changes.append((now_ms, -(-drawn_ma // traits.step_ma) * traits.step_ma))
        # What no later question can reach any more is forgotten.
        oldest_ms = now_ms - traits.delay_ms - traits.period_ms
        while len(changes) > 1 and changes[1][0] < oldest_ms:
            changes.popleft()
        return -(-now_ms // traits.period_ms) * traits.period_ms + traits.delay_ms

    def read(self, now_ms: int) -> tuple[Milliamps, int] | None:
        """What is known now.

        Returns:
            The latest known sample and its age in milliseconds; None from a silent meter.
        """
        if self.silent:
            return None
        traits = self._traits
        sampled_ms = (now_ms - traits.delay_ms) // traits.period_ms * traits.period_ms
        for changed_ms, drawn_ma in reversed(self._changes):
            if changed_ms <= sampled_ms:
                return drawn_ma, now_ms - sampled_ms
        return self._changes[0][1], now_ms - sampled_ms


@attrs.frozen
class LoadProfile:
    """The load of a circuit that is no connector's, from instant to instant.

    Attributes:
        starts_ms: Instants at which it changes, rising.
        loads_ma: The load per line from each of these on; before the first: nothing.
    """

    starts_ms: tuple[int, ...]
    loads_ma: tuple[LineMilliamps, ...]

    def at(self, now_ms: int) -> LineMilliamps:
        """The load at an instant, per line of the supply."""
        place = bisect_right(self.starts_ms, now_ms)
        return self.loads_ma[place - 1] if place else (0,) * len(self.loads_ma[0])

    def next_ms(self, now_ms: int) -> int | None:
        """When it changes next after an instant; None: never."""
        place = bisect_right(self.starts_ms, now_ms)
        return self.starts_ms[place] if place < len(self.starts_ms) else None


def household_load(
    chance: Chance, *, lines: int, worst_ma: Milliamps, from_ms: int, until_ms: int, every_ms: int = 300_000
) -> LoadProfile:
    """A household's load: a base with appliances on top, never above its commissioned worst case.

    Args:
        chance: Where its ups and downs come from.
        lines: Lines of the supply.
        worst_ma: The most it may be on any line.
        from_ms: When it starts.
        until_ms: When it ends.
        every_ms: About how long it stays the same.

    Returns:
        The profile.
    """
    starts: list[int] = []
    loads: list[LineMilliamps] = []
    now_ms = from_ms
    while now_ms < until_ms:
        starts.append(now_ms)
        base_ma = worst_ma // 8
        loads.append(
            tuple(base_ma + (chance.between(0, worst_ma - base_ma) if chance.happens(35) else 0) for _ in range(lines))
        )
        now_ms += chance.between(every_ms // 2, every_ms * 3 // 2)
    return LoadProfile(tuple(starts), tuple(loads))
