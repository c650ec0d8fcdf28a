"""What a register means is never more than the order, and what is read never less than what was meant."""

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_serial.modbus.map_file import load_map, shipped
from powershare_serial.modbus.register_map import RegisterMap
from powershare_serial.modbus.registers import Kind, Register, Table

MAPS = [load_map(name) for name in shipped()]


def meaning_ma(register: Register, words: tuple[int, ...]) -> Fraction:
    """What words mean, by the book and not by the code under test."""
    ordered = words[::-1] if register.low_word_first else words
    data = b"".join(word.to_bytes(2, "big") for word in ordered)
    scale = Fraction(register.unit_thousandths or 0)
    if register.kind is Kind.FLOAT32:
        return Fraction(struct.unpack(">f", data)[0]) * scale
    return int.from_bytes(data, "big", signed=register.kind in {Kind.I16, Kind.I32}) * scale


@pytest.mark.parametrize("found", MAPS, ids=shipped())
def test_no_order_of_any_map_means_more_than_it_says(found: RegisterMap) -> None:
    register = found.setpoint.register
    step_ma = found.offers.step_ma
    for current_ma in range(0, found.offers.greatest_ma + 1, 7):
        meant_ma = meaning_ma(register, register.words_below(current_ma))
        assert current_ma - Fraction(register.unit_thousandths or 0) < meant_ma <= current_ma
    for current_ma in range(found.offers.least_ma, found.offers.greatest_ma + 1, step_ma):
        # A float lies a hair below the step, by less than a milliamp.
        assert math.ceil(meaning_ma(register, register.words_below(current_ma))) == current_ma


FAILSAFES = {found.name: found for found in MAPS if found.watchdog is not None and found.watchdog.failsafe is not None}


@pytest.mark.parametrize("found", FAILSAFES.values(), ids=FAILSAFES)
def test_no_fallback_of_any_map_means_more_than_it_says(found: RegisterMap) -> None:
    assert found.watchdog is not None
    failsafe = found.watchdog.failsafe
    assert failsafe is not None
    unit_ma = failsafe.register.unit_thousandths or 0
    assert failsafe.current_ma(failsafe.words_for(0)) == failsafe.least_ma
    for current_ma in range(failsafe.least_ma + 1, found.offers.greatest_ma + 1, 100):
        words = failsafe.words_for(current_ma)
        held_ma = failsafe.current_ma(words)
        assert held_ma is not None, f"{current_ma} mA is told as {words}: offer what you like"
        assert held_ma <= current_ma
        assert current_ma < found.offers.least_ma or current_ma - held_ma < unit_ma


UNITS = st.sampled_from([Decimal(1), Decimal(10), Decimal(100), Decimal(1000), Decimal("3.90625"), Decimal(250)])
FIGURES = st.sampled_from([Kind.U16, Kind.I16, Kind.U32, Kind.I32, Kind.FLOAT32])


@given(current_ma=st.integers(0, 63_000), unit=UNITS, kind=FIGURES, low_first=st.booleans())
def test_words_are_the_greatest_that_are_not_above(current_ma: int, unit: Decimal, kind: Kind, low_first: bool) -> None:
    words = 1 if kind in {Kind.U16, Kind.I16} else 2
    register = Register(
        table=Table.HOLDING,
        address=0,
        kind=kind,
        words=words,
        unit_thousandths=unit,
        low_word_first=low_first,
    )
    try:
        written = register.words_below(current_ma)
    except AdapterRejected:
        assert current_ma / unit >= 0x7FFF
        return
    meant_ma = meaning_ma(register, written)
    assert meant_ma <= current_ma
    assert register.thousandths_of(written) == math.ceil(meant_ma)
    data = b"".join(word.to_bytes(2, "big") for word in (written[::-1] if low_first else written))
    above = (int.from_bytes(data, "big") + 1).to_bytes(2 * words, "big")
    next_words = tuple(int.from_bytes(above[at : at + 2], "big") for at in range(0, 2 * words, 2))
    assert meaning_ma(register, next_words[::-1] if low_first else next_words) > current_ma


def register_of(kind: Kind, unit: int = 1000, **others: object) -> Register:
    words = 1 if kind in {Kind.U16, Kind.I16} else 2
    return Register(
        table=Table.HOLDING,
        address=7,
        kind=kind,
        words=words,
        unit_thousandths=Decimal(unit),
        **others,  # type: ignore[arg-type]  # what a test gives
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.U16, (0xFFFF,)),
        (Kind.U32, (0xFFFF, 0xFFFF)),
        (Kind.I16, (0x7FFF,)),
        (Kind.I32, (0x7FFF, 0xFFFF)),
        (Kind.FLOAT32, (0xFFFF, 0xFFFF)),
        (Kind.FLOAT32, (0x7FC0, 0x0000)),
    ],
)
def test_what_the_device_does_not_know_is_no_figure(kind: Kind, words: tuple[int, ...]) -> None:
    assert register_of(kind).thousandths_of(words) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.I16, (0xFFFF,)),
        (Kind.I32, (0xFFFF, 0xFFFF)),
        (Kind.FLOAT32, (0xBF80, 0x0000)),
        (Kind.FLOAT32, (0x7F80, 0x0000)),
        (Kind.FLOAT32, (0xFF80, 0x0000)),
    ],
)
def test_less_than_nothing_and_infinity_are_refused(kind: Kind, words: tuple[int, ...]) -> None:
    with pytest.raises(AdapterUnavailable, match="holding 7 says"):
        register_of(kind).thousandths_of(words)


def test_what_does_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(AdapterRejected, match="65536 does not fit in holding 7"):
        register_of(Kind.U16, 1).words_below(65_536)
    with pytest.raises(AdapterRejected, match="nobody knows"):
        register_of(Kind.U16, 1).words_below(65_535)
    with pytest.raises(AdapterRejected, match="more than a float"):
        register_of(Kind.FLOAT32, 1).words_below(10**40)


def test_bits_and_letters_within_a_register() -> None:
    third_byte = register_of(Kind.U32, shift=8, mask=0x7F)
    assert third_byte.raw_of((0x0001, 0x8403)) == 4
    text = Register(table=Table.HOLDING, address=1201, kind=Kind.TEXT, words=5)
    assert text.raw_of((0x4332, 0, 0x5858, 0, 0)) == "C2"
    assert text.raw_of((0xFF41, 0, 0, 0, 0)) == "\ufffdA"


def test_the_low_word_may_come_first() -> None:
    register = register_of(Kind.U32, 1, low_word_first=True)
    assert register.words_below(0x0001_0002) == (2, 1)
    assert register.thousandths_of((2, 1)) == 0x0001_0002
