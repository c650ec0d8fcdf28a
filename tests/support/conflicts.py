"""How many sessions anybody could meet: an upper bound that no schedule passes, whatever it knows."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array

from powershare.simulation.session import Session

WH_PER_MA_MS_V = 1 / 3_600_000_000


def most_met(sessions: Sequence[Session], line_of: Callable[[Session], object], limit_ma: int, volts: int) -> int:
    """An upper bound on the sessions that get 99.9 % of their energy, each on one line, each line within the limit.

    Give it those that are met where nothing limits them: others cannot be. Sessions are judged in groups: those of one
    line that are there in the same stretch in which all together could draw more than the limit. Within a group an
    integer program knows every arrival and departure, lets vehicles follow at once, and leaves the line to the group
    alone; so no schedule meets more.
    """
    met = 0
    for line in {line_of(session) for session in sessions}:
        for group in _groups([session for session in sessions if line_of(session) == line], limit_ma):
            met += len(group) if len(group) == 1 else _most_of(group, limit_ma, volts)
    return met


def _groups(sessions: Sequence[Session], limit_ma: int) -> Iterator[list[Session]]:
    """Cuts the sessions of a line wherever fewer than could fill it are there; each is in one group."""
    marks = sorted({mark for one in sessions for mark in (one.plugged_in_ms, one.unplugged_ms)})
    left = sorted(sessions, key=lambda one: one.plugged_in_ms)
    for start_ms, end_ms in pairwise(marks):
        there = [one for one in left if one.plugged_in_ms <= start_ms and one.unplugged_ms >= end_ms]
        if sum(one.max_ma or 0 for one in there) <= limit_ma:
            continue
        group = [one for one in left if one.plugged_in_ms < there[-1].unplugged_ms and one.unplugged_ms > start_ms]
        yield group
        left = [one for one in left if one not in group]
    yield from ([one] for one in left)


def _most_of(group: Sequence[Session], limit_ma: int, volts: int) -> int:
    """The integer program: currents constant between arrivals and departures, which loses nothing."""
    marks = sorted({mark for one in group for mark in (one.plugged_in_ms, one.unplugged_ms)})
    slots = list(pairwise(marks))
    pairs = [
        (number, slot)
        for number, one in enumerate(group)
        for slot, (start_ms, end_ms) in enumerate(slots)
        if one.plugged_in_ms <= start_ms and end_ms <= one.unplugged_ms
    ]
    matrix = lil_array((len(slots) + len(group), len(pairs) + len(group)))
    for column, (number, slot) in enumerate(pairs):
        matrix[slot, column] = 1
        matrix[len(slots) + number, column] = (slots[slot][1] - slots[slot][0]) * volts * WH_PER_MA_MS_V
    for number, one in enumerate(group):
        matrix[len(slots) + number, len(pairs) + number] = -0.999 * one.energy_wh
    least = np.concatenate([np.full(len(slots), -np.inf), np.zeros(len(group))])
    most = np.concatenate([np.full(len(slots), limit_ma), np.full(len(group), np.inf)])
    is_met = np.concatenate([np.zeros(len(pairs)), np.ones(len(group))])
    reach = np.array([group[number].max_ma or 0 for number, _ in pairs] + [1] * len(group))
    solution = milp(
        -is_met,
        constraints=LinearConstraint(matrix.tocsr(), least, most),
        integrality=is_met,
        bounds=Bounds(0, reach),
    )
    assert solution.status == 0, solution.message
    return round(-solution.fun)
