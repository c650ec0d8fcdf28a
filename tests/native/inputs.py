"""Random inputs for the kernel and its twin: small sites with every feature at once, and hostile ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from powershare._native import codes

if TYPE_CHECKING:
    from random import Random

    from powershare._native.columns import ProblemColumns

INT32 = (-(1 << 31), (1 << 31) - 1)
INT64 = (-(1 << 63), (1 << 63) - 1)
WIRINGS = (
    (7, 1, 3, 7),
    (7, 2, 6, 7),
    (7, 4, 5, 7),
    (7, 7, 7, 7),
    (1, 1, 1, 1),
    (2, 2, 2, 2),
    (4, 4, 4, 4),
    (3, 3, 3, 3),
)


class SiteInput(NamedTuple):
    """The columns of a site, as lists."""

    parent: list[int]
    circuit: list[int]
    masks: list[int]
    least: list[int]
    greatest: list[int]
    step: list[int]


def site(rng: Random, most_connectors: int = 8, most_circuits: int = 5) -> SiteInput:
    """A site that compiles."""
    n, m = rng.randint(0, most_connectors), rng.randint(1, most_circuits)
    wirings = rng.choice((WIRINGS, WIRINGS[:4], WIRINGS[3:4], WIRINGS[4:7], WIRINGS[4:5]))
    steps = rng.choice(((1,), (1,), (1000,), (7,), (1, 1000), (1, 100, 250, 3), (6000,)))
    step = [rng.choice(steps) for _ in range(n)]
    scale = rng.choice((1, 1, 1, 0, 1000))
    least = [s * max(1, (6000 * scale or rng.randint(1, 9)) // s) for s in step]
    greatest = [
        low + s * rng.choice((0, 1, 26_000 // s, rng.randint(0, 30_000) // s))
        for low, s in zip(least, step, strict=True)
    ]
    return SiteInput(
        [rng.randint(-1, c - 1) if rng.random() < 0.3 else min(0, c - 1) for c in range(m)],
        [rng.randrange(m) for _ in range(n)],
        [mask for _ in range(n) for mask in rng.choice(wirings)],
        least,
        greatest,
        step,
    )


def alike_site(rng: Random) -> SiteInput:
    """Alike connectors on the last of a chain of circuits: most such sites take the short way of few.c."""
    n, m, step = rng.randint(1, 18), rng.randint(1, 5), rng.choice((1, 7, 100, 1000))
    least = [step * rng.randint(1, 6_000 // step) for _ in range(n)]
    return SiteInput(
        list(range(-1, m - 1)),
        [m - 1] * n,
        [rng.choice((1, 3, 7))] * (4 * n),
        least,
        [one + step * rng.randint(0, 26_000 // step) for one in least],
        [step] * n,
    )


def fill_alike(rng: Random, problem: ProblemColumns[Any]) -> None:
    """Writes what everybody asks for, limits about where they bind, and now and then a value that is not usual."""
    n, rows = len(problem.wanted), len(problem.limit)
    whole = rng.choice((0, 20_000, 80_000, 300_000, codes.NO_LIMIT))
    for i in range(n):
        problem.wanted[i] = rng.choice((0, 32_000, rng.randint(0, 40_000)))
    for row in range(rows):
        problem.limit[row] = whole if whole == codes.NO_LIMIT else whole + rng.randint(0, 9_999)
        problem.limit_connectors[row] = rng.choice((codes.NO_LIMIT, 90_000))
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        name = rng.choice(("waiting", "weight", "priority", "held", "cap", "other", "lines_used"))
        column = getattr(problem, name)
        column[rng.randrange(len(column))] = rng.choice((0, 1, 3, 200 if name != "lines_used" else 2))
    for i in range(n):
        if problem.held[i] >= 0:
            problem.wanted[i] = 0
        problem.weight[i] = max(1, problem.weight[i])


def fill(rng: Random, problem: ProblemColumns[Any], columns: SiteInput) -> None:
    """Writes inputs that the kernel accepts: from plenty to famine, and often just at the edge of a step."""
    n, m = len(columns.circuit), len(columns.parent)
    weights = rng.choice(((1,), (1,), (3,), (1, 2), (1, 7, 1000), tuple(range(1, 1001))))
    priorities = rng.choice(((0,), (0,), (0, 1), (-5, 0, 9), INT32))
    waits = rng.choice(((0,), (0, 60), tuple(range(100)), (INT32[1], 0)))
    oddity = rng.choice((0, 0, 0.1, 0.4))
    for i in range(n):
        top = columns.greatest[i]
        problem.wanted[i] = rng.choice((0, top, top, top + 1, INT32[1], rng.randint(1, top), columns.least[i]))
        problem.lines_used[i] = rng.randint(0, 3)
        problem.weight[i] = rng.choice(weights)
        problem.priority[i] = rng.choice(priorities)
        problem.waiting[i] = rng.choice(waits)
        if rng.random() < oddity:
            problem.cap[i] = rng.choice(
                (0, top, top - 1, max(0, problem.wanted[i] - 1), rng.randint(0, top), codes.NO_CAP)
            )
        if rng.random() < oddity:
            problem.wanted[i], problem.held[i] = 0, rng.choice((0, 6000, top, codes.MAX_OFFER_MA))
    plenty = max(1, sum(columns.greatest)) + 1
    famine = max(1, sum(columns.least)) + 1
    for row in range(3 * m):
        reach = rng.choice((plenty, famine, 2 * famine, 1 + plenty // m))
        for column in (problem.limit, problem.limit_connectors):
            if rng.random() < 0.6:
                column[row] = rng.randrange(reach)
        if rng.random() < oddity:
            problem.other[row] = rng.choice((1, rng.randrange(reach), codes.MAX_LIMIT_MA))
    if rng.random() < 0.2:
        level_out(rng, problem, columns, weights)
    elif rng.random() < 0.3:
        for circuit in range(m):  # the same limits on all lines, as nearly every real circuit has
            for column in (problem.limit, problem.limit_connectors):
                column[3 * circuit + 1] = column[3 * circuit + 2] = column[3 * circuit]


def level_out(rng: Random, problem: ProblemColumns[Any], columns: SiteInput, weights: tuple[int, ...]) -> None:
    """Equal limits, and weights that leave fractions: levels that tie, where whose turn it is decides a milliamp."""
    everywhere = rng.randint(sum(columns.least), sum(columns.least) + rng.choice((9, 99, 9999)))
    weights = rng.choice((weights, (3, 6, 9), (1, 3, 9, 27, 81), (7, 14, 21, 999)))
    for i in range(len(columns.circuit)):
        if problem.held[i] < 0:
            problem.wanted[i], problem.weight[i] = columns.greatest[i], rng.choice(weights)
    for row in range(3 * len(columns.parent)):
        problem.limit[row] = everywhere + (rng.randint(-1, 1) if rng.random() < 0.2 else 0)
        problem.limit_connectors[row] = codes.NO_LIMIT


def spoil_site(rng: Random, columns: SiteInput) -> SiteInput:
    """Breaks one or more of the columns: values, or lengths that lie."""
    spoilt = SiteInput(*(list(column) for column in columns))
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(spoilt))
        column, low, high = spoilt[at], *((0, 255) if at == 2 else INT32)
        what = rng.random()
        if what < 0.2:
            del column[rng.randint(0, len(column)) :]
        elif what < 0.3:
            column.append(rng.choice((low, high, 0)))
        elif column:
            column[rng.randrange(len(column))] = rng.choice((low, high, 0, -1 if low else 8, rng.randint(low, high), 5))
    return spoilt


def spoil(rng: Random, problem: ProblemColumns[Any]) -> None:
    """Writes values, mostly wrong ones, from the whole range of the columns."""
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(
            (
                *("wanted", "waiting", "weight", "priority", "held", "cap", "lines_used"),
                "limit",
                "limit_connectors",
                "other",
            )
        )
        column = getattr(problem, name)
        low, high = {"B": (0, 255), "i": INT32, "q": INT64}[column.typecode]
        if len(column):
            column[rng.randrange(len(column))] = rng.choice(
                (low, high, high - 1, 0, codes.MAX_OFFER_MA + 1, 1 << 20, rng.randint(low, high))
                if name != "lines_used"
                else (4, 255, 0)
            )
