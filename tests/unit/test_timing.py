"""The times of the protocol: what follows from them, and what is refused."""

from fractions import Fraction

import attrs
import pytest

from powershare.errors import InputError
from powershare.timing import Timing


def test_the_wait_is_lease_write_and_tail_by_clocks_that_are_off_one_each_way() -> None:
    timing = Timing()
    rho = Fraction(timing.drift_ppm, 1_000_000)
    exact = (timing.raise_lease_ms + timing.write_ms + timing.follow_ms * (1 + rho)) * (1 + rho) / (1 - rho)
    assert exact <= timing.wait_ms <= exact + 6  # six ticks at most for readings and wake-ups that are late
    assert timing.wait_ms == 16_899


@pytest.mark.parametrize("drift_ppm", [0, 1, 10_000, 20_000])
@pytest.mark.parametrize("left_ms", [0, 1, 2, 5_000, 30_000])
def test_what_surely_lasts_on_another_clock_never_lasts_longer_than_it_does(drift_ppm: int, left_ms: int) -> None:
    timing = Timing(drift_ppm=drift_ppm, cap_lease_ms=40_000, cold_hold_ms=40_000)
    rho = Fraction(drift_ppm, 1_000_000)
    assert 0 <= timing.surely_ms(left_ms) <= max(Fraction(0), Fraction(left_ms - 1) * (1 - rho) / (1 + rho))


def test_without_messages_everything_is_corrected_within_half_a_minute() -> None:
    assert Timing().corrected_ms == 16_602


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cap_lease_ms": 20_000}, "cap_lease_ms"),
        ({"cold_hold_ms": 29_000}, "cold_hold_ms"),
        ({"echo_ms": 6_000, "cap_lease_ms": 60_000, "cold_hold_ms": 60_000}, "echo_ms"),
        ({"raise_lease_ms": 25_000, "cap_lease_ms": 90_000, "cold_hold_ms": 90_000}, "raise_lease_ms"),
        ({"cycle_ms": 0}, "cycle_ms"),
        ({"drift_ppm": -1}, "drift_ppm"),
        ({"promise_ms": True}, "promise_ms"),
    ],
    ids=str,
)
def test_times_that_do_not_fit_each_other_are_refused_by_name(change: dict[str, int], field: str) -> None:
    with pytest.raises(InputError) as refused:
        attrs.evolve(Timing(), **change)
    assert field in {problem.field for problem in refused.value.problems}
