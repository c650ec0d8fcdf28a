"""The times of the protocol from first principles, exact, for two clocks of which each may be off by the bound.

A clock is a whole number of millionths of a millisecond. Two instants on two clocks are compared for the worst that
both clocks may still do: a comparison that holds once then holds at every later instant, whatever they do within the
bound. So nothing has to be looked at again because time has passed, and the claim is stronger than "holds in this run".
"""

from powershare.timing import Timing

MILLION = 1_000_000

ROUNDING_MS = 8
"""What a node may add to its wait by rounding up to whole ticks at each step of its sum."""


class Times:
    """One network's times; exact figures are in millionths of a millisecond, and named so.

    Args:
        timing: The commissioned times.
    """

    __slots__ = (
        "cap_exact",
        "cap_ms",
        "cold_exact",
        "cold_ms",
        "cycle_ms",
        "echo_ms",
        "fast",
        "follow_ms",
        "promise_ms",
        "raise_ms",
        "ramp_exact",
        "slow",
        "tail_exact",
        "wait_ms",
        "write_ms",
    )

    def __init__(self, timing: Timing) -> None:
        rho = timing.drift_ppm
        self.slow, self.fast = MILLION - rho, MILLION + rho
        self.cycle_ms, self.promise_ms, self.echo_ms = timing.cycle_ms, timing.promise_ms, timing.echo_ms
        self.raise_ms, self.cap_ms, self.cold_ms = timing.raise_lease_ms, timing.cap_lease_ms, timing.cold_hold_ms
        self.follow_ms, self.write_ms = timing.follow_ms, timing.write_ms
        self.tail_exact = timing.follow_ms * self.fast
        """D(1 + rho): how long a lowered ceiling still counts, on the unit's clock."""
        self.ramp_exact = timing.write_ms * MILLION + self.tail_exact
        """A + D(1 + rho): how long after its lease a raise still counts, on the unit's clock."""
        over = (timing.raise_lease_ms * MILLION + self.ramp_exact) * self.fast
        self.wait_ms = -(-over // (self.slow * MILLION))
        """W: how long a raise issued now may still be drawn, on the leader's clock."""
        self.cap_exact = timing.cap_lease_ms * MILLION * self.slow // self.fast
        """K(1 - rho)/(1 + rho): what of a cap has surely not ended on another clock."""
        self.cold_exact = timing.cold_hold_ms * MILLION * self.slow // self.fast
        """The same of a cold hold."""

    def surely_as_long(self, left_exact: int, other_left_exact: int) -> bool:
        """Whether what is left on one clock lasts at least as long as what is left on another, whatever both do."""
        return left_exact * self.slow >= other_left_exact * self.fast

    def true_within(self, local_ms: int) -> int:
        """By how much later in true time, at the most, a clock within the bound has moved on by so much."""
        return -(-local_ms * MILLION // self.slow) + 1
