"""The protocol's times, what follows from them under drifting clocks, and whether they fit each other.

Every figure is a whole number of milliseconds, one tick of a node's clock. Clocks are not synchronised;
what is assumed of them is a bound on their rate error (assumption A1). A reading is up to one tick old and
a wake-up up to one tick late, so each derived figure gives a tick or two to the safe side.
"""

from collections.abc import Iterator
from functools import cached_property

import attrs

from powershare.errors import InputError, Problem

MILLION = 1_000_000
MAX_MS = 1 << 31
"""The longest time of a protocol, in ms: it fits 32 bits."""

CORRECTED_WITHIN_MS = 30_000
"""By default a correction ends in this time with no message getting through (UL 1741 CRD, power control systems)."""


@attrs.frozen(kw_only=True, slots=False)
class Timing:
    """The times of one network; equal in all its members, since their configuration hash covers them.

    Attributes:
        cycle_ms: One heartbeat and one report each (C).
        promise_ms: How long a voter promises itself to one leader (P).
        raise_lease_ms: How long a raise holds, counted from the report that it answers (U).
        cap_lease_ms: How long a cap holds, counted from the report that it answers (K).
        cold_hold_ms: How long a restarted unit stays at 0 (Z).
        echo_ms: The oldest heartbeat that a usable report may echo (R).
        follow_ms: By when a vehicle is at or below a lowered ceiling, or its contactor open (D): 5 s for the
            vehicle (IEC 61851-1, annex A) and 1 s to see it and to open the contactor.
        write_ms: The longest write to a device (A).
        drift_ppm: The greatest rate error of any clock, in millionths (rho).
        corrected_within_ms: The longest that a correction may take with no message getting through. Above 30 s it is
            beyond the UL 1741 CRD for power control systems: for devices whose own watchdogs are slower than that.

    Raises:
        InputError: A figure is out of its range, or they do not fit each other.
    """

    cycle_ms: int = 1_000
    promise_ms: int = 5_000
    raise_lease_ms: int = 10_000
    cap_lease_ms: int = 30_000
    cold_hold_ms: int = 31_000
    echo_ms: int = 2_000
    follow_ms: int = 6_000
    write_ms: int = 500
    drift_ppm: int = 10_000
    corrected_within_ms: int = CORRECTED_WITHIN_MS

    def __attrs_post_init__(self) -> None:
        problems = tuple(self.problems())
        if problems:
            raise InputError(problems)

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with these times, the rules of admission included."""
        faulty = False
        for field in attrs.fields(Timing):
            value = getattr(self, field.name)
            least, greatest = _RANGES.get(field.name, (1, MAX_MS))
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
                faulty = True
                yield Problem("timing", field.name, f"is {value!r}; write a whole number from {least} to {greatest}")
        if faulty:
            return
        counted_ms = self.surely_ms(self.cap_lease_ms)
        needed_ms = self.wait_ms + self.echo_ms + 8 * self.cycle_ms
        rules = (
            (
                "cap_lease_ms",
                counted_ms >= needed_ms,
                f"counts {counted_ms} ms; with the wait, an echo and eight cycles it must reach {needed_ms} ms",
            ),
            (
                "cold_hold_ms",
                self.cold_hold_ms >= self.cap_lease_ms,
                f"is under the cap lease of {self.cap_lease_ms} ms; a restarted unit must not end its caps",
            ),
            (
                "echo_ms",
                self.echo_ms * (MILLION + self.drift_ppm) < self.follow_ms * (MILLION - self.drift_ppm),
                f"reaches the {self.follow_ms} ms that a vehicle has to follow, by drifting clocks",
            ),
            (
                "raise_lease_ms",
                self.corrected_ms <= self.corrected_within_ms,
                f"lets a correction without messages take {self.corrected_ms} ms, of {self.corrected_within_ms}",
            ),
        )
        yield from (Problem("timing", field, message) for field, holds, message in rules if not holds)

    @cached_property
    def tail_ms(self) -> int:
        """How long a lowered ceiling still counts, on the unit's own clock: D(1 + rho)."""
        return _up(self.follow_ms * (MILLION + self.drift_ppm), MILLION) + 1

    @cached_property
    def wait_ms(self) -> int:
        """After how long, on the leader's clock, a raise issued now is surely over (W).

        Lease, write and tail run on the unit's clock; both clocks may be off, one each way.
        """
        over_ms = self.raise_lease_ms + self.write_ms + self.tail_ms + 2
        return _up(over_ms * (MILLION + self.drift_ppm), MILLION - self.drift_ppm) + 1

    @cached_property
    def counted_ms(self) -> int:
        """How long a leader counts a promise, from when it sent the heartbeat that was answered: P(1-rho)/(1+rho)."""
        return self.surely_ms(self.promise_ms)

    @cached_property
    def corrected_ms(self) -> int:
        """By when, without any message, a unit above its fallback is back at it: U/(1 - rho) + A + D."""
        return _up(self.raise_lease_ms * MILLION, MILLION - self.drift_ppm) + self.write_ms + self.follow_ms

    def surely_ms(self, left_ms: int) -> int:
        """What of a time that runs on one clock has surely not ended on another; never negative."""
        return max(0, (left_ms - 1) * (MILLION - self.drift_ppm) // (MILLION + self.drift_ppm))


_RANGES = {"drift_ppm": (0, 100_000), "write_ms": (0, 60_000)}


def _up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
