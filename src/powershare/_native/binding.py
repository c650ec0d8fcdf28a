"""The C kernel behind the same face as its twin. Nothing else imports the extension.

Columns are pinned once: C reads and writes the very arrays that Python sees, and a run passes a single pointer.
"""

from __future__ import annotations

from functools import partial
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import field, frozen

from powershare._native._ffi import ffi, lib
from powershare._native.codes import KernelRefusal
from powershare._native.columns import LedgerColumns, ProblemColumns, SiteColumns, int32

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence

_SITE_COLUMNS = ("parent", "circuit", "masks", "least", "greatest", "step")
_PROBLEM_COLUMNS = (
    *("wanted", "lines_used", "waiting", "weight", "priority", "held", "cap"),
    *("limit", "limit_connectors", "other", "allocated", "status", "bound", "room"),
)
_LEDGER_COLUMNS = ("fallback", "greatest", "high", "until", "limit_now", "limit_later")
_C_NAMES = {"i": "int32_t[]", "q": "int64_t[]", "B": "uint8_t[]"}


def _pin(struct: Any, columns: object, names: tuple[str, ...]) -> tuple[object, ...]:  # noqa: ANN401 - a C struct
    """Points the struct's fields at the arrays; what is returned keeps them where they are for as long as it lives."""
    pins = []
    for name in names:
        column: array[int] | memoryview[int] = getattr(columns, name)
        view = memoryview(column)
        # Of the object behind the view: CPython before 3.13 may crash on a garbage cycle with a view that is held.
        pin = ffi.from_buffer(_C_NAMES[view.format], view.obj)
        setattr(struct, name, pin)
        pins.append(pin)
    return tuple(pins)


@frozen(eq=False)
class NativeSite(SiteColumns):
    """A site that C has checked and compiled. Raises KernelRefusal where the columns do not describe one."""

    struct: Any = field(init=False, repr=False)
    _owned: tuple[object, ...] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        struct: Any = ffi.new("ps_site *")
        struct.n_connectors, struct.n_circuits = self.n_connectors, self.n_circuits
        struct.connector_len, struct.circuit_len = self.shortest_connector_column, self.n_circuits
        order, ends = ffi.new("int32_t[]", self.n_connectors), ffi.new("int32_t[]", self.n_circuits)
        struct.order, struct.ends = order, ends
        object.__setattr__(self, "_owned", (*_pin(struct, self, _SITE_COLUMNS), order, ends))
        object.__setattr__(self, "struct", struct)
        if code := lib.ps_site_compile(struct):
            raise KernelRefusal(code)


@frozen(eq=False)
class NativeProblem(ProblemColumns[NativeSite]):
    """One allocation on a `NativeSite`."""

    run: Callable[[], int] = field(init=False, repr=False)
    """Answers 0, or the KernelCode of the first thing wrong; then nothing was written."""
    call: tuple[Callable[[Any], int], Any] = field(init=False, repr=False)
    """What `run` calls, and with what: for callers to whom even that one step counts."""
    struct: Any = field(init=False, repr=False)
    _owned: tuple[object, ...] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        n, m = self.site.n_connectors, self.site.n_circuits
        struct: Any = ffi.new("ps_problem *")
        struct.site = self.site.struct
        struct.connector_len, struct.circuit_len = n, m
        struct.work64_len, struct.work32_len = lib.ps_work64_len(n, m), lib.ps_work32_len(n, m)
        work64, work32 = ffi.new("int64_t[]", struct.work64_len), ffi.new("int32_t[]", struct.work32_len)
        struct.work64, struct.work32 = work64, work32
        object.__setattr__(self, "_owned", (*_pin(struct, self, _PROBLEM_COLUMNS), work64, work32))
        object.__setattr__(self, "struct", struct)
        object.__setattr__(self, "run", partial(lib.ps_allocate, struct))
        object.__setattr__(self, "call", (lib.ps_allocate, struct))


def run_each(problems: Sequence[NativeProblem]) -> int:
    """Runs all problems in one crossing; answers the code of the first that was refused, or 0."""
    pointers = ffi.new("ps_problem *[]", [problem.struct for problem in problems])
    return lib.ps_allocate_each(pointers, len(problems))


class _Lists(NamedTuple):
    """Who is on which row and which rows are whose, each as the places where the lists begin, and the lists."""

    row_first: memoryview[int]
    row_units: memoryview[int]
    unit_first: memoryview[int]
    unit_rows: memoryview[int]


def _laid_out(lists: Sequence[Sequence[int]]) -> tuple[memoryview[int], memoryview[int]]:
    return int32(accumulate(map(len, lists), initial=0)), int32(chain.from_iterable(lists))


@frozen(eq=False)
class NativeLedger(LedgerColumns):
    """A leader's ledger that C has checked. Raises KernelRefusal where the columns do not describe one.

    What the methods do is told where they are written to be read: in `ReferenceLedger`.
    """

    struct: Any = field(init=False, repr=False)
    _room: Any = field(init=False, repr=False)
    _owned: tuple[object, ...] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        struct: Any = ffi.new("ps_ledger *")
        lists = _Lists(*_laid_out(self.units_of_row), *_laid_out(self.rows_of_unit))
        struct.n_units, struct.n_rows = struct.unit_len, struct.row_len = self.n_units, self.n_rows
        struct.place_len = len(lists.unit_rows)
        pins = (*_pin(struct, self, _LEDGER_COLUMNS), *_pin(struct, lists, lists._fields))
        object.__setattr__(self, "_owned", pins)
        object.__setattr__(self, "_room", ffi.new("int64_t *"))
        object.__setattr__(self, "struct", struct)
        if code := lib.ps_ledger_compile(struct):
            raise KernelRefusal(code)

    def open(self, now: int, wait: int) -> None:
        """A new authority knows nothing."""
        if code := lib.ps_ledger_open(self.struct, now, wait):
            raise KernelRefusal(code)

    def suspect(self, unit: int, now: int, wait: int) -> None:
        """Two were seen under one name."""
        if code := lib.ps_ledger_suspect(self.struct, unit, now, wait):
            raise KernelRefusal(code)

    def learn(self, unit: int, now: int, wait: int, settled: bool, current: int, cap_until: int, measured: int) -> None:
        """Takes in a usable report."""
        if code := lib.ps_ledger_learn(self.struct, unit, now, wait, settled, current, cap_until, measured):
            raise KernelRefusal(code)

    def issue(
        self, unit: int, kind: int, amps: int, ceiling: int, now: int, wait: int, horizon: int, cap_until: int
    ) -> bool:
        """Books a grant if it may be issued, and answers whether it may."""
        code = lib.ps_ledger_issue(self.struct, unit, kind, amps, ceiling, now, wait, horizon, cap_until)
        if code < 0:
            raise KernelRefusal(code)
        return code == 1

    def room(self, unit: int, start: int, upto: int, horizon: int) -> int:
        """The least that the others leave of any row of the unit, or NO_LIMIT."""
        if code := lib.ps_ledger_room(self.struct, unit, start, upto, horizon, self._room):
            raise KernelRefusal(code)
        left: int = self._room[0]
        return left

    def envelope(self, unit: int, at: int) -> int:
        """What the unit may be drawing at an instant, if nothing more is granted."""
        drawn = lib.ps_ledger_envelope(self.struct, unit, at)
        if drawn < 0:
            raise KernelRefusal(drawn)
        return drawn
