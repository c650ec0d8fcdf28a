"""A few connectors wired alike have a way of their own in C; random inputs of that kind, which others rarely are."""

from random import Random

import pytest

from powershare import _native
from powershare._native import codes, reference

pytestmark = pytest.mark.skipif(_native.backend != "native", reason="compares the C kernel")

ANSWERS = ("allocated", "status", "bound", "room")


def site_columns(random: Random) -> dict[str, list[int]]:
    """Up to 16 connectors on the last of a chain of circuits, one step, any least and greatest."""
    count, circuits, step = random.randint(1, 16), random.randint(1, 4), random.choice((1, 7, 100, 1000))
    mask = random.choice((1, 3, 7))
    least = [step * random.randint(1, 6_000 // step) for _ in range(count)]
    return {
        "parent": list(range(-1, circuits - 1)),
        "circuit": [circuits - 1] * count,
        "masks": [mask] * (4 * count),
        "least": least,
        "greatest": [one + step * random.randint(0, 26_000 // step) for one in least],
        "step": [step] * count,
    }


def inputs(random: Random, count: int, rows: int) -> dict[str, list[int]]:
    """What is asked; limits about where they bind; sometimes a value or two that is not sound, or not usual."""
    whole = random.choice((0, 20_000, 80_000, 300_000, codes.NO_LIMIT))
    asked = {
        "wanted": [random.choice((0, 32_000, random.randint(0, 40_000))) for _ in range(count)],
        "limit": [whole if whole == codes.NO_LIMIT else whole + random.randint(0, 9_999) for _ in range(rows)],
        "limit_connectors": [random.choice((codes.NO_LIMIT, 90_000)) for _ in range(rows)],
    }
    for _ in range(random.choice((0, 0, 0, 1, 3))):
        odd = random.choice(("wanted", "waiting", "weight", "priority", "held", "cap", "limit", "other", "lines_used"))
        value = random.choice((0, 1, 4, 200))
        if odd != "lines_used":
            value = random.choice((value, -1, -(2**31), 2**31 - 1, 5_000))
        length = rows if odd in {"limit", "other"} else count
        usual = {"weight": 1, "held": -1, "cap": codes.NO_CAP}.get(odd, 0)
        asked.setdefault(odd, [usual] * length)[random.randrange(length)] = value
    return asked


def run(
    problem: reference.ReferenceProblem | _native.KernelProblem, asked: dict[str, list[int]]
) -> tuple[int, list[bytes]]:
    for name, values in asked.items():
        column = getattr(problem, name)
        column[:] = type(column)(column.typecode, values)
    return problem.run(), [getattr(problem, name).tobytes() for name in ANSWERS]


@pytest.mark.parametrize("seed", range(20))
def test_a_few_alike_connectors_get_the_same_from_c_and_its_twin(seed: int) -> None:
    random = Random(seed)
    for _ in range(150):
        columns = site_columns(random)
        native = _native.KernelProblem(_native.KernelSite(**columns))
        twin = reference.ReferenceProblem(reference.ReferenceSite(**columns))
        asked = inputs(random, len(columns["circuit"]), 3 * len(columns["parent"]))
        assert run(native, asked) == run(twin, asked), (columns, asked)
