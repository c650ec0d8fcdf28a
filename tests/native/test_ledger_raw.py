"""What only a caller in C can get wrong with a ledger: no pointers, lists that lie, no seal. Nothing is written."""

# ruff: noqa: ANN401 - C structs
from typing import Any

import pytest

pytest.importorskip("powershare._native._ffi", reason="the C extension is not built here")

from tests.native.test_freestanding import SOURCES

from powershare._native import codes
from powershare._native._ffi import ffi, lib
from powershare._native.binding import NativeLedger
from powershare._native.codes import KernelCode


def ledger() -> NativeLedger:
    """Three units on two rows: the first on both."""
    made = NativeLedger([[0, 1], [0], [1]], 2, [6_000] * 3, [32_000] * 3)
    made.open(0, 17_000)
    return made


def calls(struct: Any) -> list[int]:
    """What every function answers to a ledger."""
    room = ffi.new("int64_t *")
    return [
        lib.ps_ledger_open(struct, 0, 1),
        lib.ps_ledger_suspect(struct, 0, 0, 1),
        lib.ps_ledger_learn(struct, 0, 0, 1, 1, 0, 0, 0),
        lib.ps_ledger_issue(struct, 0, 2, 0, 0, 0, 1, 0, 0),
        lib.ps_ledger_room(struct, 0, 0, 1, 0, room),
        lib.ps_ledger_envelope(struct, 0, 0),
    ]


def test_the_ledger_is_sound_until_it_is_spoilt() -> None:
    assert lib.ps_ledger_compile(ledger().struct) == KernelCode.OK


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *((name, ffi.NULL, KernelCode.NULL) for name in ("row_first", "row_units", "unit_first", "unit_rows")),
        *((name, ffi.NULL, KernelCode.NULL) for name in ("fallback", "greatest", "high", "until")),
        *((name, ffi.NULL, KernelCode.NULL) for name in ("limit_now", "limit_later")),
        ("n_units", -1, KernelCode.COUNT),
        ("n_units", codes.MAX_CONNECTORS + 1, KernelCode.COUNT),
        ("n_rows", -1, KernelCode.COUNT),
        ("n_rows", codes.MAX_ROWS + 1, KernelCode.COUNT),
        ("unit_len", 2, KernelCode.LENGTH),
        ("row_len", 1, KernelCode.LENGTH),
        ("place_len", 3, KernelCode.LENGTH),
        ("place_len", -1, KernelCode.LENGTH),
    ],
    ids=str,
)
def test_a_spoilt_ledger_is_refused_and_no_longer_sealed(name: str, value: Any, code: KernelCode) -> None:
    struct = ledger().struct
    setattr(struct, name, value)
    assert lib.ps_ledger_compile(struct) == code
    assert struct.seal == 0


LISTS: list[tuple[str, list[int]]] = [
    ("row_first", [1, 2, 4]),
    ("row_first", [0, 5, 4]),
    ("row_first", [0, -1, 4]),
    ("row_first", [0, 3, 4]),
    ("row_units", [0, 1, 0, 3]),
    ("row_units", [0, -1, 0, 2]),
    ("row_units", [1, 0, 0, 2]),
    ("row_units", [0, 0, 0, 2]),
    ("row_units", [0, 2, 0, 1]),
    ("row_units", [1, 2, 0, 2]),
    ("unit_first", [0, 2, 2, 4]),
    ("unit_first", [0, 2, 3, 3]),
    ("unit_rows", [0, 1, 0, 2]),
    ("unit_rows", [1, 0, 0, 1]),
    ("unit_rows", [0, 1, 1, 0]),
]


@pytest.mark.parametrize(("name", "values"), LISTS, ids=str)
def test_lists_that_do_not_describe_one_site_are_refused(name: str, values: list[int]) -> None:
    struct = ledger().struct
    column = ffi.new("int32_t[]", values)
    setattr(struct, name, column)
    assert lib.ps_ledger_compile(struct) == KernelCode.TOPOLOGY
    assert set(calls(struct)) == {KernelCode.NOT_COMPILED}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("seal", 0, KernelCode.NOT_COMPILED),
        ("n_units", 2, KernelCode.NOT_COMPILED),
        ("n_rows", 1, KernelCode.NOT_COMPILED),
        ("n_rows", -1, KernelCode.COUNT),
        ("n_units", codes.MAX_CONNECTORS + 1, KernelCode.COUNT),
    ],
)
def test_a_ledger_changed_after_it_was_sealed_is_refused_by_every_call(name: str, value: int, code: KernelCode) -> None:
    made = ledger()
    before = made.high.tobytes() + made.until.tobytes()
    setattr(made.struct, name, value)
    assert set(calls(made.struct)) == {code}
    assert made.high.tobytes() + made.until.tobytes() == before


def test_no_ledger_and_no_place_for_the_answer_are_refused() -> None:
    assert lib.ps_ledger_compile(ffi.NULL) == KernelCode.NULL
    assert set(calls(ffi.NULL)) == {KernelCode.NULL}
    assert lib.ps_ledger_room(ledger().struct, 0, 0, 1, 0, ffi.NULL) == KernelCode.NULL


def test_a_ledger_of_nobody_is_a_ledger() -> None:
    made = NativeLedger([], 0, [], [])
    made.open(0, 1)
    assert calls(made.struct)[1:] == [KernelCode.UNIT] * 5


def test_the_freestanding_build_has_the_ledger_in_it() -> None:
    assert "ledger.c" in {source.name for source in SOURCES}
