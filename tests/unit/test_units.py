"""Milliamps, lines, and which way a conversion rounds."""

from decimal import Decimal

import pytest

from powershare import units
from powershare.units import Line


def test_a_limit_rounds_down() -> None:
    """What bounds something rounds down to the milliampere."""
    assert units.limit_ma_from_amps("15.9999") == 15_999


def test_a_load_rounds_up() -> None:
    """What loads something rounds up to the milliampere."""
    assert units.load_ma_from_amps("15.9991") == 16_000


@pytest.mark.parametrize("amps", [0.1, 0.3, 2.3, 4.35, 16.1, 32.007])
def test_a_float_counts_as_its_shortest_text(amps: float) -> None:
    """A float is what a person wrote: 4.35 is 4350 mA, though its binary value lies beside it."""
    assert units.limit_ma_from_amps(amps) == units.load_ma_from_amps(amps) == round(amps * 1000)


@pytest.mark.parametrize("amps", [16, "16", "16.000", Decimal(16), 16.0, "1.6e1"])
def test_all_kinds_of_numbers_mean_the_same(amps: str | Decimal | float) -> None:
    """An int, a float, a decimal and a text give one number."""
    assert units.limit_ma_from_amps(amps) == 16_000


def test_negative_amps_round_away_from_danger() -> None:
    """Below zero as well a limit goes down and a load goes up."""
    assert units.limit_ma_from_amps("-0.0001") == -1
    assert units.load_ma_from_amps("-0.0009") == 0


@pytest.mark.parametrize("wrong", ["many", "", True, None, [16], b"16"])
def test_what_is_no_number_is_refused(wrong: object) -> None:
    """A truth value, nothing, or words are no amps, and the text says what was found."""
    with pytest.raises(ValueError, match=r"is .*, not a number of amps"):
        units.limit_ma_from_amps(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), "-inf", Decimal("sNaN")])
def test_what_is_not_finite_is_refused(wrong: float | str | Decimal) -> None:
    """No infinity, and nothing that is not a number."""
    with pytest.raises(ValueError, match="not a finite number of amps"):
        units.load_ma_from_amps(wrong)


def test_more_than_any_circuit_is_refused() -> None:
    """Beyond 2^40 mA sums might wrap, so no conversion goes there."""
    most = units.MAX_LIMIT_MA // 1000
    assert units.limit_ma_from_amps(most) == most * 1000
    with pytest.raises(ValueError, match="beyond any circuit"):
        units.limit_ma_from_amps(most + 1)


def test_an_exponent_cannot_stall_the_conversion() -> None:
    """1e999999999 is refused before anybody writes it out."""
    with pytest.raises(ValueError, match="beyond any circuit"):
        units.limit_ma_from_amps("1e999999")


def test_a_tiny_limit_rounds_to_nothing_and_a_tiny_load_to_something() -> None:
    """However small: 0 mA as a limit, 1 mA as a load."""
    assert units.limit_ma_from_amps("1e-30") == 0
    assert units.load_ma_from_amps("1e-30") == 1


def test_a_line_is_its_place_and_its_bit() -> None:
    """L1, L2, L3 index per-line figures, and are one bit each."""
    assert [(str(line), line.value, line.mask) for line in Line] == [("L1", 0, 1), ("L2", 1, 2), ("L3", 2, 4)]


@pytest.mark.parametrize(
    ("current", "step", "expected"), [(15_999, 1_000, 15_000), (16_000, 1_000, 16_000), (99, 100, 0)]
)
def test_down_to_step(current: int, step: int, expected: int) -> None:
    """The greatest multiple of the step that is not above the current."""
    assert units.down_to_step(current, step) == expected


def test_amps_for_screens() -> None:
    """16 100 mA are shown as 16.1 A."""
    assert units.amps(16_100) == 16.1


@pytest.mark.parametrize("amps", ["1e999999999", "-1e999999999", "1099511627.777"])
def test_amps_beyond_any_circuit_are_an_error_whatever_their_exponent(amps: str) -> None:
    """A number is judged before any arithmetic on it can overflow."""
    with pytest.raises(ValueError, match="beyond any circuit"):
        units.limit_ma_from_amps(Decimal(amps))


def test_the_greatest_limit_can_be_written_in_amps() -> None:
    """Every milliamp up to the greatest limit has a decimal."""
    assert units.limit_ma_from_amps(Decimal("1099511627.776")) == units.MAX_LIMIT_MA


def test_rounding_is_exact_at_any_number_of_digits() -> None:
    """A limit just below a milliamp is never rounded up to it, a load just above never down; tiny ones cost nothing."""
    below = Decimal("9." + "9" * 60)
    above = Decimal("9." + "0" * 60 + "1")
    assert (units.limit_ma_from_amps(below), units.load_ma_from_amps(above)) == (9_999, 9_001)
    assert (units.limit_ma_from_amps(Decimal("1e-999999")), units.load_ma_from_amps(Decimal("1e-999999"))) == (0, 1)
    assert units.limit_ma_from_amps(Decimal("0e999999999")) == 0
