"""The flat arrays that both backends read and write. Every amount is in milliamps, every time in milliseconds.

Of sites and problems, row = 3 * circuit + line. What the rows of a ledger are is for its owner to say.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import Factory, field, frozen

from powershare._native import codes
from powershare._native.codes import BOUND_NONE, NO_CAP, NO_LIMIT, NOT_HELD, KernelCode, KernelRefusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def int32(values: Iterable[int]) -> memoryview[int]:
    """A copy that nobody can write to, 32 bits a value; raises OverflowError where one does not fit."""
    return memoryview(array("i", values).tobytes()).cast("i")


def int64(values: Iterable[int]) -> memoryview[int]:
    """A copy that nobody can write to, 64 bits a value; raises OverflowError where one does not fit."""
    return memoryview(array("q", values).tobytes()).cast("q")


def uint8(values: Iterable[int]) -> memoryview[int]:
    """A copy that nobody can write to, a byte a value; raises OverflowError where one does not fit."""
    return memoryview(array("B", values).tobytes())


SiteT = TypeVar("SiteT", bound="SiteColumns")


def _per_connector(typecode: str, value: int) -> Any:  # noqa: ANN401 - attrs fields are typed by their annotation
    def column(problem: ProblemColumns[SiteColumns]) -> array[int]:
        return array(typecode, [value]) * problem.site.n_connectors

    return field(init=False, repr=False, default=Factory(column, takes_self=True))


def _per_row(value: int) -> Any:  # noqa: ANN401 - attrs fields are typed by their annotation
    def column(problem: ProblemColumns[SiteColumns]) -> array[int]:
        return array("q", [value]) * (3 * problem.site.n_circuits)

    return field(init=False, repr=False, default=Factory(column, takes_self=True))


@frozen(eq=False)
class SiteColumns:
    """What is installed. Nobody can write to these columns: a compiled site is trusted, and C reads them unchecked."""

    parent: memoryview[int] = field(converter=int32, repr=False)
    """Per circuit: the circuit above it, which has a smaller index, or -1."""
    circuit: memoryview[int] = field(converter=int32, repr=False)
    """Per connector: the circuit it hangs on."""
    masks: memoryview[int] = field(converter=uint8, repr=False)
    """Four per connector: the lines (bits 0 to 2) that a vehicle loads which uses [unspecified, 1, 2, 3] lines."""
    least: memoryview[int] = field(converter=int32, repr=False)
    greatest: memoryview[int] = field(converter=int32, repr=False)
    step: memoryview[int] = field(converter=int32, repr=False)

    @property
    def n_circuits(self) -> int:
        """How many circuits the site has."""
        return len(self.parent)

    @property
    def n_connectors(self) -> int:
        """How many connectors the site has."""
        return len(self.circuit)

    @property
    def shortest_connector_column(self) -> int:
        """For how many connectors every column holds a value."""
        return min(len(self.circuit), len(self.masks) // 4, len(self.least), len(self.greatest), len(self.step))


# ruff: noqa: RUF009 - the calls below make attrs fields
@frozen(eq=False)
class ProblemColumns(Generic[SiteT]):
    """One allocation: inputs and answers. The arrays live as long as it does: write into them, never resize them."""

    site: SiteT
    wanted: array[int] = _per_connector("i", 0)
    """The most the vehicle takes; 0 where nobody asks."""
    lines_used: array[int] = _per_connector("B", 0)
    """How many of the connector's lines the vehicle uses; 0 where that is not known."""
    waiting: array[int] = _per_connector("i", 0)
    """Seconds."""
    weight: array[int] = _per_connector("i", 1)
    priority: array[int] = _per_connector("i", 0)
    held: array[int] = _per_connector("i", NOT_HELD)
    """What a silent connector may be drawing; with it, `wanted` must be 0."""
    cap: array[int] = _per_connector("i", NO_CAP)
    """An external limit of the connector itself."""
    limit: array[int] = _per_row(NO_LIMIT)
    """On connectors, held current and other load together."""
    limit_connectors: array[int] = _per_row(NO_LIMIT)
    """On connectors and held current: other load does not reduce it."""
    other: array[int] = _per_row(0)
    """The circuit's own other load, without that of the circuits below."""
    allocated: array[int] = _per_connector("i", 0)
    status: array[int] = _per_connector("B", 0)
    """A `KernelStatus`."""
    bound: array[int] = _per_connector("i", BOUND_NONE)
    """What kept the connector from more: a row, or one of the negative BOUND values."""
    room: array[int] = _per_row(NO_LIMIT)
    """What is left; negative where held current and other load alone exceed the limit."""


def _ascending(rows_of_unit: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(sorted(rows)) for rows in rows_of_unit)


def _units_of_row(ledger: LedgerColumns) -> tuple[tuple[int, ...], ...]:
    """The same seen from the rows. What cannot be laid out for C is refused here, for both backends."""
    if not 0 <= ledger.n_rows <= codes.MAX_ROWS or ledger.n_units > codes.MAX_CONNECTORS:
        raise KernelRefusal(KernelCode.COUNT)
    if min(len(ledger.fallback), len(ledger.greatest)) < ledger.n_units:
        raise KernelRefusal(KernelCode.LENGTH)
    units: list[list[int]] = [[] for _ in range(ledger.n_rows)]
    for unit, rows in enumerate(ledger.rows_of_unit):
        for row in rows:
            if not 0 <= row < ledger.n_rows:
                raise KernelRefusal(KernelCode.TOPOLOGY)
            units[row].append(unit)
    return tuple(map(tuple, units))


def _greatest(ledger: LedgerColumns) -> array[int]:
    return array("q", ledger.greatest)


def _for_ever(ledger: LedgerColumns) -> array[int]:
    return array("q", [codes.MAX_TIME_MS + codes.MAX_WAIT_MS]) * len(ledger.greatest)


def _nothing(ledger: LedgerColumns) -> array[int]:
    return array("q", [0]) * ledger.n_rows


@frozen(eq=False)
class LedgerColumns:
    """Who counts on which rows, what every unit may be drawing, and the limits that this is held against.

    The arrays live as long as the ledger does: write limits into them, never resize them. Until it is opened every unit
    counts with its greatest for ever, and until limits are written no row has anything to give.
    """

    rows_of_unit: tuple[tuple[int, ...], ...] = field(converter=_ascending, repr=False)
    n_rows: int
    fallback: memoryview[int] = field(converter=int64, repr=False)
    greatest: memoryview[int] = field(converter=int64, repr=False)
    units_of_row: tuple[tuple[int, ...], ...] = field(
        init=False, repr=False, default=Factory(_units_of_row, takes_self=True)
    )
    high: array[int] = field(init=False, repr=False, default=Factory(_greatest, takes_self=True))
    """Per unit: the most it may be drawing before `until`."""
    until: array[int] = field(init=False, repr=False, default=Factory(_for_ever, takes_self=True))
    """Per unit: from when on it draws at most its fall-back, if nothing more is granted."""
    limit_now: array[int] = field(init=False, repr=False, default=Factory(_nothing, takes_self=True))
    """Per row: what the units together may draw before the horizon; may be negative, or NO_LIMIT."""
    limit_later: array[int] = field(init=False, repr=False, default=Factory(_nothing, takes_self=True))
    """Per row: the same from the horizon on."""

    @property
    def n_units(self) -> int:
        """How many units the ledger has."""
        return len(self.rows_of_unit)
