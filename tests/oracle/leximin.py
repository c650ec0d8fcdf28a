"""The exact integer leximin of one class: by looking at everything, and by integer programs.

Both answer the sorted shares (current per weight), which is what leximin is about: the smallest as great as can be,
then the second smallest, and so on. Members have one step; the least offer and the ceiling bound each from both sides.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from tests.oracle.picture import Asker, Row

Shares = tuple[Fraction, ...]


def shares_of(group: list[Asker], current_ma: Mapping[str, int]) -> Shares:
    """The sorted shares of an answer."""
    return tuple(sorted(asker.share(current_ma[asker.id]) for asker in group))


def search_size(group: list[Asker]) -> int:
    """How many answers there are to look at, fitting or not."""
    size = 1
    for asker in group:
        size *= (asker.ceiling_ma - asker.least_ma) // asker.step_ma + 1
    return size


def by_search(group: list[Asker], room: Mapping[Row, int]) -> Shares:
    """The best of all answers that fit; empty where not even the least offers do."""
    return max((shares_of(group, current) for current in _all_that_fit(group, dict(room))), default=())


def _all_that_fit(group: list[Asker], room: dict[Row, int]) -> Iterator[dict[str, int]]:
    if not group:
        yield {}
        return
    first, *others = group
    for current_ma in range(first.least_ma, first.ceiling_ma + 1, first.step_ma):
        left = {row: room_ma - current_ma if row in first.rows else room_ma for row, room_ma in room.items()}
        if any(left[row] < 0 for row in first.rows):
            return
        for rest in _all_that_fit(others, left):
            yield {first.id: current_ma, **rest}


def by_programs(group: list[Asker], room: Mapping[Row, int]) -> Shares:
    """Threshold by threshold, upward: the fewest members at or under it, given what was fewest before.

    That is leximin on integers. Each question is one integer program in whole steps, solved by HiGHS.
    """
    n, step_ma = len(group), group[0].step_ma
    least = np.array([asker.least_ma // step_ma for asker in group])
    most = np.array([asker.ceiling_ma // step_ma for asker in group])
    thresholds = sorted(
        {
            asker.share(k * step_ma)
            for asker in group
            for k in range(asker.least_ma // step_ma, asker.ceiling_ma // step_ma + 1)
        }
    )
    loaded = [row for row in room if any(row in asker.rows for asker in group)]  # others may be exceeded
    rows = np.array([[row in asker.rows for asker in group] for row in loaded], dtype=float)
    room_steps = np.array([room[row] // step_ma for row in loaded])
    known: list[tuple[Fraction, int]] = []
    for threshold in thresholds:
        fewest = _fewest_under(group, [*known, (threshold, n)], (least, most), (rows, room_steps))
        known.append((threshold, fewest))
        if fewest == n:
            break
    shares: list[Fraction] = []
    for threshold, count in known:
        shares.extend([threshold] * (count - len(shares)))
    return tuple(shares)


def _fewest_under(
    group: list[Asker],
    known: list[tuple[Fraction, int]],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    fits: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> int:
    """The fewest members with a share at or under the last threshold; the counts before it may not be exceeded."""
    n, levels, step_ma = len(group), len(known), group[0].step_ma
    size = n + n * levels  # steps of each member; then, per threshold, whether it is at or under it
    matrix, lower = [], []
    for at_level, (threshold, _) in enumerate(known):
        for member, asker in enumerate(group):
            above = int(threshold * asker.weight / step_ma) + 1  # the first number of steps over the threshold
            line = np.zeros(size)
            line[member], line[n + n * at_level + member] = 1, above
            matrix.append(line)
            lower.append(above)
    rows, room_steps = fits
    constraints = [LinearConstraint(np.hstack([rows, np.zeros((len(rows), size - n))]), ub=room_steps)]
    constraints.append(LinearConstraint(np.array(matrix), lb=np.array(lower)))
    counts = np.zeros((levels, size))
    for at_level in range(levels):
        counts[at_level, n + n * at_level : n + n * (at_level + 1)] = 1
    constraints.append(LinearConstraint(counts, ub=np.array([count for _, count in known])))
    solved = milp(
        counts[-1],
        integrality=np.ones(size, dtype=np.int64),
        bounds=Bounds(
            np.concatenate([bounds[0], np.zeros(n * levels)]), np.concatenate([bounds[1], np.ones(n * levels)])
        ),
        constraints=constraints,
    )
    assert solved.success, solved.message
    return round(float(solved.fun))
