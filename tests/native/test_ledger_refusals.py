"""What a ledger turns away: the code of the first thing wrong, and nothing changed."""

# ruff: noqa: ANN401 - either backend's ledger
from collections.abc import Callable
from typing import Any

import pytest
from tests.native.test_ledger import BACKENDS, CAP, FALL_BACK, RAISE, TRIM, WAIT, entry, issue, ledger

from powershare._native.codes import MAX_TIME_MS, NO_LIMIT, KernelCode, KernelRefusal

pytestmark = pytest.mark.parametrize("backend", BACKENDS)

REFUSED: list[tuple[str, tuple[int, ...], KernelCode]] = [
    ("open", (MAX_TIME_MS + 1, WAIT), KernelCode.TIME),
    ("open", (0, 0), KernelCode.WAIT),
    ("open", (0, 1 << 31), KernelCode.WAIT),
    ("suspect", (3, 0, WAIT), KernelCode.UNIT),
    ("suspect", (-1, 0, WAIT), KernelCode.UNIT),
    ("learn", (0, 0, WAIT, 1, -1, 0, -1), KernelCode.AMOUNT),
    ("learn", (0, 0, WAIT, 1, 10_000_001, 0, -1), KernelCode.AMOUNT),
    ("learn", (0, 0, WAIT, 0, 0, 0, -2), KernelCode.AMOUNT),
    ("learn", (0, 0, WAIT, 0, 0, 0, 1 << 31), KernelCode.AMOUNT),
    ("learn", (0, 0, WAIT, 0, 0, -MAX_TIME_MS - 1, 0), KernelCode.TIME),
    ("issue", (0, 0, 0, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, 5, 0, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, RAISE, 6_000, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, RAISE, 32_001, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, CAP, 6_000, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, FALL_BACK, 5_999, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, TRIM, 5_999, 0, 0, WAIT, 0, 0), KernelCode.KIND),
    ("issue", (0, CAP, -1, 0, 0, WAIT, 0, 0), KernelCode.AMOUNT),
    ("issue", (0, CAP, 0, 10_000_001, 0, WAIT, 0, 0), KernelCode.AMOUNT),
    ("room", (0, 5, 5, 0), KernelCode.TIME),
    ("room", (0, 5, 4, 0), KernelCode.TIME),
    ("envelope", (0, -MAX_TIME_MS - 1), KernelCode.TIME),
    ("envelope", (3, 0), KernelCode.UNIT),
]


@pytest.mark.parametrize(("method", "arguments", "code"), REFUSED, ids=str)
def test_what_is_not_sound_is_refused_and_nothing_changes(
    backend: Any, method: str, arguments: tuple[int, ...], code: KernelCode
) -> None:
    made = ledger(backend)
    before = [entry(made, unit) for unit in range(3)]
    with pytest.raises(KernelRefusal) as refused:
        getattr(made, method)(*arguments)
    assert refused.value.code is code
    assert [entry(made, unit) for unit in range(3)] == before


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("high", -1, KernelCode.ENTRY),
        ("high", 1 << 31, KernelCode.ENTRY),
        ("until", -MAX_TIME_MS - 1, KernelCode.ENTRY),
        ("limit_now", NO_LIMIT - 1, KernelCode.ROW_LIMIT),
        ("limit_later", -(1 << 41) - 1, KernelCode.ROW_LIMIT),
        ("limit_later", (1 << 40) + 1, KernelCode.ROW_LIMIT),
    ],
)
def test_a_ledger_that_was_written_over_is_refused(backend: Any, column: str, value: int, code: KernelCode) -> None:
    made = ledger(backend, units=1)
    getattr(made, column)[0] = value
    for call in (lambda: issue(made, 0, RAISE, 7_000), lambda: made.room(0, 0, 1, 1)):
        with pytest.raises(KernelRefusal) as refused:
            call()
        assert refused.value.code is code


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        (([[0]], 1, [0], []), KernelCode.LENGTH),
        (([[0]], -1, [0], [0]), KernelCode.COUNT),
        (([[0]], (1 << 22) + 1, [0], [0]), KernelCode.COUNT),
        (([[1]], 1, [0], [0]), KernelCode.TOPOLOGY),
        (([[-1]], 1, [0], [0]), KernelCode.TOPOLOGY),
        (([[0, 0]], 1, [0], [0]), KernelCode.TOPOLOGY),
        (([[0]], 1, [-1], [0]), KernelCode.FALLBACK),
        (([[0]], 1, [1], [0]), KernelCode.FALLBACK),
        (([[0]], 1, [0], [10_000_001]), KernelCode.FALLBACK),
    ],
    ids=str,
)
def test_columns_that_describe_no_ledger_are_refused(backend: Any, columns: Any, code: KernelCode) -> None:
    with pytest.raises(KernelRefusal) as refused:
        backend(*columns)
    assert refused.value.code is code


def test_what_no_integer_of_the_kernel_holds_is_turned_away(backend: Any) -> None:
    made = ledger(backend)
    calls: list[Callable[[], object]] = [
        lambda: made.open(1 << 63, WAIT),
        lambda: made.suspect(1 << 31, 0, WAIT),
        lambda: made.room(0, 0, 1 << 64, 0),
    ]
    for call in calls:
        with pytest.raises(OverflowError):
            call()


def test_what_is_commissioned_cannot_be_written_to(backend: Any) -> None:
    made = ledger(backend)
    with pytest.raises(TypeError, match="read-only"):
        made.fallback[0] = 0
