"""Registers: where a figure stands in a device, and what its words mean in milliamps or milliseconds.

Rule 1: what a device is told rounds down. A register never means more than the order.
Rule 2: what a device says rounds up. A reading is never less than what was meant.
Rule 3: all ones, and for floats every NaN, is how devices say that they do not know (Alfen, "Modbus Slave TCP/IP" 1.2).
"""

import enum
import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import attrs

from powershare.errors import AdapterRejected, AdapterUnavailable

MOST_WORDS = 123
"""The most registers of one write (Modbus application protocol 1.1b3, 6.12)."""


class Table(enum.Enum):
    """The four tables of Modbus."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def of_bits(self) -> bool:
        """Whether it holds bits and not words."""
        return self in {Table.COIL, Table.DISCRETE}

    @property
    def writable(self) -> bool:
        """Whether it can be written."""
        return self in {Table.COIL, Table.HOLDING}


class Kind(enum.Enum):
    """How a figure lies in words; high byte first in each word, as Modbus has it."""

    BIT = "bit"
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    FLOAT32 = "float32"
    TEXT = "text"
    """ASCII, two letters in a word, up to the first zero."""


_WORDS = MappingProxyType(
    {Kind.BIT: 1, Kind.U16: 1, Kind.I16: 1, Kind.U32: 2, Kind.I32: 2, Kind.FLOAT32: 2},
)
_SPANS = MappingProxyType(
    {
        Kind.BIT: (0, 1),
        Kind.U16: (0, 0xFFFF),
        Kind.I16: (-0x8000, 0x7FFF),
        Kind.U32: (0, 0xFFFF_FFFF),
        Kind.I32: (-0x8000_0000, 0x7FFF_FFFF),
    }
)
_ALL_ONES = MappingProxyType({Kind.U16: 0xFFFF, Kind.U32: 0xFFFF_FFFF, Kind.I16: 0x7FFF, Kind.I32: 0x7FFF_FFFF})
"""What is no figure; for signed ones the greatest, since minus one is all ones and a figure."""


@attrs.frozen(kw_only=True)
class Register:
    """One figure in a device.

    Attributes:
        table: The table it stands in.
        address: Its first address on the wire, from 0.
        kind: How it lies in words.
        words: How many words it has.
        unit_thousandths: How many milliamps or milliseconds one of its units is; None: it is no such figure.
        low_word_first: Whether the low word comes first; Modbus itself does not say.
        write_single: Whether it is written with function 6 (or 5), and not with 16 (or 15).
        shift: How many bits of a whole number lie below the ones that count.
        mask: Which bits count after the shift; None: all.
    """

    table: Table
    address: int
    kind: Kind
    words: int = 1
    unit_thousandths: Decimal | None = None
    low_word_first: bool = False
    write_single: bool = False
    shift: int = 0
    mask: int | None = None

    def __str__(self) -> str:
        return f"{self.table.value} {self.address}"

    def moved(self, by: int) -> "Register":
        """The same figure so many addresses further on."""
        return attrs.evolve(self, address=self.address + by)

    def words_of(self, raw: int) -> tuple[int, ...]:
        """Return the words of a whole number, as it stands in the register.

        Raises:
            AdapterRejected: It does not fit.
        """
        least, greatest = _SPANS.get(self.kind, (0, -1))
        if not least <= raw <= greatest:
            raise AdapterRejected(f"{raw} does not fit in {self}, a register of kind {self.kind.value}")
        data = raw.to_bytes(2 * self.words, "big", signed=least < 0)
        return self._ordered(struct.unpack(f">{self.words}H", data))

    def words_below(self, thousandths: int) -> tuple[int, ...]:
        """Return the words that mean the most that is not above so many milliamps or milliseconds.

        Args:
            thousandths: Not negative.

        Raises:
            AdapterRejected: The register cannot say so much.
        """
        units = Fraction(thousandths) / self._unit()
        if self.kind is Kind.FLOAT32:
            return self._ordered(struct.unpack(">2H", _float_below(units)))
        raw = math.floor(units)
        if raw == _ALL_ONES.get(self.kind):
            raise AdapterRejected(f"{raw} in {self} would mean that nobody knows")
        return self.words_of(raw)

    def raw_of(self, words: Sequence[int]) -> int | str:
        """Return what stands in the register: a whole number, or a text."""
        if self.kind is Kind.TEXT:
            letters = struct.pack(f">{len(words)}H", *words).partition(b"\0")[0]
            return letters.decode("ascii", "replace").strip()
        value = int.from_bytes(struct.pack(f">{self.words}H", *self._ordered(tuple(words))), "big")
        if self.kind in {Kind.I16, Kind.I32}:
            bits = 16 * self.words
            value -= (value >> (bits - 1)) << bits
        value >>= self.shift
        return value if self.mask is None else value & self.mask

    def exact(self, words: Sequence[int]) -> Fraction | None:
        """Return what the words mean, in milliamps or milliseconds, to the last digit; None: the device does not know.

        Raises:
            AdapterUnavailable: They mean infinity.
        """
        if self.kind is Kind.FLOAT32:
            (value,) = struct.unpack(">f", struct.pack(">2H", *self._ordered(tuple(words))))
            if math.isnan(value):
                return None
            if math.isinf(value):
                raise AdapterUnavailable(f"{self} says {value}")
            return Fraction(value) * self._unit()
        raw = self.raw_of(words)
        if not isinstance(raw, int) or (self.mask is None and raw == _ALL_ONES.get(self.kind)):
            return None
        return raw * self._unit()

    def thousandths_of(self, words: Sequence[int]) -> int | None:
        """Return what the words mean, rounded up; None: the device does not know.

        Raises:
            AdapterUnavailable: They mean something negative or infinite.
        """
        exact = self.exact(words)
        if exact is None:
            return None
        if exact < 0:
            raise AdapterUnavailable(f"{self} says {float(exact / 1000):g}, less than nothing")
        return math.ceil(exact)

    def _unit(self) -> Fraction:
        if self.unit_thousandths is None:
            raise AdapterRejected(f"{self} has no unit")
        return Fraction(self.unit_thousandths)

    def _ordered(self, words: tuple[int, ...]) -> tuple[int, ...]:
        return words[::-1] if self.low_word_first else words


def _float_below(value: Fraction) -> bytes:
    """The four bytes of the greatest float that is not above a value that is not negative."""
    try:
        packed = struct.pack(">f", float(value))
    except OverflowError:
        raise AdapterRejected("it is more than a float of four bytes can say") from None
    (rounded,) = struct.unpack(">f", packed)
    if Fraction(rounded) > value:
        # Of floats that are not negative, the next lower one is the one whose bits are one less.
        packed = (int.from_bytes(packed, "big") - 1).to_bytes(4, "big")
    return packed


def words_of_kind(kind: Kind) -> int | None:
    """How many words a figure of this kind has; None: as many as one says."""
    return _WORDS.get(kind)
