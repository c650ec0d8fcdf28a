"""How the twin fills one priority class: everybody has the least offer already, and shares what room is left.

Two ways. Where all load the same lines, or one line each, in the same steps, the limits are nested: walking up the
tree and keeping, at each limit, the first steps in the order (amps per weight, weight, site order) gives the very
answer of handing out one step at a time. Otherwise a vehicle stopped on one line leaves room on the others; then each
limit has a level, found from the lowest upward, and single steps are handed on at the end.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heapify, heappop, heapreplace

from attrs import define

WEIGHT_GRID = 1 << 20
"""Two different ratios steps / weight differ by a millionth or more (weights end at 1000): by more than 1 / GRID."""
LEVEL_BITS = 18
"""Levels of mixed classes count in 2^-18 mA."""

UNBOUNDED_MA = 1 << 62
"""Room of a row without limits: more than everything that could be taken from it."""


@define(eq=False)
class Member:
    """A connector that is to be given something: what it may get, and the rows it loads, nearest circuit first."""

    index: int
    mask: int
    rows: tuple[int, ...]
    weight: int
    least: int
    ceiling: int
    step: int
    allocated: int = 0


Groups = dict[int, list[Member]]


def fill_class(members: list[Member], room: list[int]) -> None:
    """Raises `allocated` of the members of one class from least towards ceiling, and takes what they get off `room`."""
    groups: Groups = defaultdict(list)
    for member in members:
        for row in member.rows:
            if room[row] < UNBOUNDED_MA:
                groups[row].append(member)
    first = members[0]
    one_step = all(member.step == first.step for member in members)
    one_mask = all(member.mask == first.mask for member in members)
    one_line_each = all(member.mask.bit_count() == 1 for member in members)
    if one_step and (one_mask or one_line_each):
        _fill_nested(members, groups, room)
    else:
        _fill_mixed(members, groups, room)
    for row, group in groups.items():
        room[row] -= sum(member.allocated - member.least for member in group)


def _fill_nested(members: list[Member], groups: Groups, room: list[int]) -> None:
    """Circuits below have larger rows: from the last row to the first, each keeps what fits of what is kept below."""
    for member in members:
        member.allocated = member.ceiling
    for row in sorted(groups, reverse=True):
        group = groups[row]
        capacity = room[row] + sum(member.least for member in group)
        if sum(member.allocated for member in group) > capacity:
            _keep_first_steps(group, capacity)


def _keep_first_steps(group: list[Member], capacity: int) -> None:
    """Lowers a group to the first steps that fit, in the order of (step number / weight, weight, site order)."""
    step = group[0].step
    capacity //= step
    least = [member.least // step for member in group]
    most = [member.allocated // step for member in group]
    weight = [member.weight for member in group]
    grid = WEIGHT_GRID
    if all(each == weight[0] for each in weight):
        weight, grid = [1] * len(group), 1

    def steps_below(level: int) -> list[int]:
        """How many steps each has whose number / weight is less than `level` / grid; the first has number 0."""
        shares = [-(-each * level // grid) for each in weight] if grid > 1 else [level] * len(group)
        return [
            low if share < low else (share if share < high else high)  # noqa: FURB136 - min() takes four times as long
            for share, low, high in zip(shares, least, most, strict=True)
        ]

    fits, too_high = 0, grid * max(most)
    while too_high - fits > 1:
        level = (fits + too_high) // 2
        if sum(steps_below(level)) <= capacity:
            fits = level
        else:
            too_high = level
    kept, above = steps_below(fits), steps_below(too_high)
    # Those with a step between the two levels: one each, all of the same number / weight.
    tied = sorted((weight[at], member.index, at) for at, member in enumerate(group) if above[at] > kept[at])
    for _, _, at in tied[: capacity - sum(kept)]:
        kept[at] += 1
    for member, steps in zip(group, kept, strict=True):
        member.allocated = steps * step


def _fill_mixed(members: list[Member], groups: Groups, room: list[int]) -> None:
    stops = _levels(members, groups, room)
    for member in members:
        exact = member.ceiling << LEVEL_BITS
        if at := stops[member.index]:
            exact = min(exact, member.weight * min(level for level, _ in at))
        member.allocated = max(member.least, (exact >> LEVEL_BITS) // member.step * member.step)
    _hand_on_single_steps(members, groups, room)


def _levels(members: list[Member], groups: Groups, room: list[int]) -> dict[int, list[tuple[int, int]]]:
    """Per connector the levels (level, row) of the limits that stop it.

    Each limit's level is the highest at which its connectors fit, those counted lower that are stopped lower by
    another limit. The lowest of all is certain, whatever the others turn out to be; so they are settled from the
    lowest upward. A level in the queue can only rise, so it is worked out again when its turn comes.
    """
    stops: dict[int, list[tuple[int, int]]] = {member.index: [] for member in members}
    capacity = {row: room[row] + sum(member.least for member in group) << LEVEL_BITS for row, group in groups.items()}
    queue = [(0, row) for row in groups]
    heapify(queue)
    while queue:
        known, row = queue[0]
        level = _level(row, groups[row], stops, capacity[row], known)
        if level is None:
            heappop(queue)
        elif level > known:
            heapreplace(queue, (level, row))
        else:
            heappop(queue)
            for member in groups[row]:
                stops[member.index].append((level, row))
    return stops


def _level(
    row: int, group: list[Member], stops: dict[int, list[tuple[int, int]]], capacity: int, at_least: int
) -> int | None:
    """The highest level at which the group fits; None where it fits whole. `at_least` is known to fit."""
    bounds = []
    for member in group:
        least, most = member.least << LEVEL_BITS, member.ceiling << LEVEL_BITS
        # Of two limits at the same level the one with the smaller row counts as the lower: it was there first.
        for level, other in stops[member.index]:
            most = min(most, member.weight * (level + (other > row)))
        bounds.append((member.weight, least, max(least, most)))
    if sum(most for _, _, most in bounds) <= capacity:
        return None
    fits, too_high = at_least, max(-(-most // weight) for weight, _, most in bounds)
    taken, slope = _taken_at(fits, bounds)
    rounds = 0
    while too_high - fits > 1:
        rounds += 1
        level = fits + max(1, (capacity - taken) // slope) if slope else too_high
        if level >= too_high or rounds % 4 == 0:
            level = (fits + too_high) // 2
        taken_there, slope_there = _taken_at(level, bounds)
        if taken_there <= capacity:
            fits, taken, slope = level, taken_there, slope_there
        else:
            too_high = level
    return fits


def _taken_at(level: int, bounds: list[tuple[int, int, int]]) -> tuple[int, int]:
    """What a group takes at a level, and how fast that rises there."""
    taken = slope = 0
    for weight, least, most in bounds:
        share = weight * level
        if share < least:
            taken += least
        elif share < most:
            taken += share
            slope += weight
        else:
            taken += most
    return taken, slope


def _hand_on_single_steps(members: list[Member], groups: Groups, room: list[int]) -> None:
    """Raises single connectors by single steps while any fits: least amps per weight first, then weight, then order."""
    spare = {row: room[row] - sum(member.allocated - member.least for member in group) for row, group in groups.items()}
    queue = [(_per_weight(member), member.weight, member.index, member) for member in members]
    heapify(queue)
    while queue:
        member = queue[0][3]
        raised = member.allocated + member.step
        if raised > member.ceiling or any(spare[row] < member.step for row in member.rows):
            heappop(queue)  # room only shrinks: what does not fit now never will
            continue
        member.allocated = raised
        for row in member.rows:
            spare[row] -= member.step
        heapreplace(queue, (_per_weight(member), member.weight, member.index, member))


def _per_weight(member: Member) -> int:
    """Allocated / weight on a grid so fine that it orders as the fractions do."""
    return member.allocated * WEIGHT_GRID // member.weight
