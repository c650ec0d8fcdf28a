"""What only a caller in C can get wrong: no pointers, lengths that lie, an unsealed site. Nothing is written."""

from typing import Any

import pytest

pytest.importorskip("powershare._native._ffi", reason="the C extension is not built here")

from powershare._native import codes
from powershare._native._ffi import ffi, lib
from powershare._native.binding import NativeProblem, NativeSite
from powershare._native.codes import KernelCode

ANSWERS = ("allocated", "status", "bound", "room")


def problem() -> NativeProblem:
    """Two connectors that want more than their circuit has; the answers hold what no allocation would leave there."""
    made = NativeProblem(NativeSite([-1, 0], [1, 1], [7, 1, 3, 7] * 2, [6000] * 2, [32000] * 2, [1] * 2))
    for i in range(2):
        made.wanted[i], made.allocated[i], made.status[i], made.bound[i] = 32000, -77, 99, 77
    for row in range(6):
        made.limit[row], made.room[row] = 40_000, -7
    return made


def test_the_problem_is_sound_until_it_is_spoilt() -> None:
    made = problem()
    assert made.run() == KernelCode.OK
    assert list(made.allocated) == [20_000, 20_000]


POINTERS = (
    *("wanted", "lines_used", "waiting", "weight", "priority", "held", "cap", "limit", "limit_connectors", "other"),
    *("allocated", "status", "bound", "room", "work64", "work32"),
)
SPOILT: list[tuple[str, Any, KernelCode]] = [
    *((name, ffi.NULL, KernelCode.NULL) for name in ("site", *POINTERS)),
    ("connector_len", 1, KernelCode.LENGTH),
    ("connector_len", -1, KernelCode.LENGTH),
    ("circuit_len", 1, KernelCode.LENGTH),
    ("work64_len", lib.ps_work64_len(2, 2) - 1, KernelCode.LENGTH),
    ("work32_len", lib.ps_work32_len(2, 2) - 1, KernelCode.LENGTH),
]


@pytest.mark.parametrize(("name", "value", "code"), SPOILT, ids=str)
def test_a_spoilt_problem_is_refused_and_nothing_written(name: str, value: Any, code: KernelCode) -> None:  # noqa: ANN401
    made = problem()
    before = [getattr(made, answer).tobytes() for answer in ANSWERS]
    setattr(made.struct, name, value)
    assert made.run() == code
    assert [getattr(made, answer).tobytes() for answer in ANSWERS] == before


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("seal", 0, KernelCode.NOT_COMPILED),
        ("seal", 1, KernelCode.NOT_COMPILED),
        ("n_connectors", 1, KernelCode.NOT_COMPILED),
        ("n_circuits", 3, KernelCode.NOT_COMPILED),
        ("n_connectors", codes.MAX_CONNECTORS + 1, KernelCode.COUNT),
        ("n_circuits", -1, KernelCode.COUNT),
    ],
)
def test_a_site_changed_after_it_was_compiled_is_refused(name: str, value: int, code: KernelCode) -> None:
    made = problem()
    before = [getattr(made, answer).tobytes() for answer in ANSWERS]
    setattr(made.site.struct, name, value)
    assert made.run() == code
    assert [getattr(made, answer).tobytes() for answer in ANSWERS] == before


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *((name, ffi.NULL, KernelCode.NULL) for name in ("parent", "circuit", "masks", "least", "greatest", "step")),
        ("order", ffi.NULL, KernelCode.NULL),
        ("ends", ffi.NULL, KernelCode.NULL),
        ("n_connectors", -1, KernelCode.COUNT),
        ("n_connectors", codes.MAX_CONNECTORS + 1, KernelCode.COUNT),
        ("n_circuits", codes.MAX_CIRCUITS + 1, KernelCode.COUNT),
        ("connector_len", 1, KernelCode.LENGTH),
        ("circuit_len", -5, KernelCode.LENGTH),
    ],
    ids=str,
)
def test_a_spoilt_site_is_refused_and_no_longer_sealed(name: str, value: Any, code: KernelCode) -> None:  # noqa: ANN401
    site = problem().site.struct
    setattr(site, name, value)
    assert lib.ps_site_compile(site) == code
    assert site.seal == 0


def test_no_site_and_no_problem_are_refused() -> None:
    assert lib.ps_site_compile(ffi.NULL) == KernelCode.NULL
    assert lib.ps_allocate(ffi.NULL) == KernelCode.NULL
    assert lib.ps_allocate_each(ffi.NULL, 1) == KernelCode.NULL
    assert lib.ps_allocate_each(ffi.NULL, -1) == KernelCode.COUNT
    assert lib.ps_allocate_each(ffi.NULL, 0) == KernelCode.OK


def test_scratch_of_negative_sizes_is_none() -> None:
    assert lib.ps_work64_len(-1, 5) == lib.ps_work64_len(5, -1) == lib.ps_work32_len(-1, 5) == 0
