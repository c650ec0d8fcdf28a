"""Admission, fair share and rounding, by the letter of the rules: slow, exact, in fractions."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import attrs
from tests.oracle.picture import Asker, Picture, Row


@attrs.frozen
class Admission:
    """Who may charge, and the row that kept each other one out."""

    admitted: tuple[Asker, ...]
    full: Mapping[str, Row]


@attrs.frozen
class Shares:
    """The fair shares of all classes: exact, and rounded to steps."""

    exact_ma: Mapping[str, Fraction]
    """Of each class beside what the classes before it hold after their rounding."""
    rounded_ma: Mapping[str, int]


def admit(picture: Picture) -> Admission:
    """Priority (high first), waiting (long first), site order; who does not fit holds nothing and blocks nobody."""
    room = picture.room_ma()
    admitted: list[Asker] = []
    full: dict[str, Row] = {}
    for asker in sorted(picture.candidates, key=lambda asker: (-asker.priority, -asker.waiting_s, asker.place)):
        short = [row for row in asker.rows if room[row] < asker.least_ma]
        if short:
            full[asker.id] = short[0]
            continue
        admitted.append(asker)
        for row in asker.rows:
            room[row] -= asker.least_ma
    return Admission(tuple(admitted), full)


def classes(askers: Iterable[Asker]) -> list[list[Asker]]:
    """The priority classes, highest first, each in site order."""
    by_priority: dict[int, list[Asker]] = {}
    for asker in sorted(askers, key=lambda asker: asker.place):
        by_priority.setdefault(asker.priority, []).append(asker)
    return [by_priority[priority] for priority in sorted(by_priority, reverse=True)]


def share_out(picture: Picture, admitted: Iterable[Asker], known_ma: Mapping[str, int] | None = None) -> Shares:
    """Give every class its shares, each filled and rounded before the next.

    Args:
        picture: The problem.
        admitted: Who is admitted.
        known_ma: What the classes before are taken to hold, where that is not to be worked out here.
    """
    room = picture.room_ma()
    members = list(admitted)
    for asker in members:
        for row in asker.rows:
            room[row] -= asker.least_ma
    exact: dict[str, Fraction] = {}
    rounded: dict[str, int] = {}
    for group in classes(members):
        for asker in group:  # the group's leasts are its own again while it is filled
            for row in asker.rows:
                room[row] += asker.least_ma
        levelled = water_fill(group, room)
        exact.update(levelled)
        in_steps = {asker.id: int(levelled[asker.id]) - int(levelled[asker.id]) % asker.step_ma for asker in group}
        hand_on_steps(group, in_steps, room)
        rounded.update(in_steps)
        for asker in group:
            for row in asker.rows:
                room[row] -= in_steps[asker.id] if known_ma is None else known_ma[asker.id]
    return Shares(exact, rounded)


def water_fill(group: list[Asker], room: Mapping[Row, int]) -> dict[str, Fraction]:
    """Weighted max-min with the least as a floor on the common level: x = clamp(weight x level, least, ceiling).

    Each round finds the lowest level at which a limit binds, and freezes those behind it.
    """
    frozen: dict[str, Fraction] = {}
    members: dict[Row, list[Asker]] = {}
    for asker in group:
        for row in asker.rows:
            members.setdefault(row, []).append(asker)
    while len(frozen) < len(group):
        levels = {row: level for row in members if (level := _binds_at(members[row], frozen, room[row])) is not None}
        lowest = min(levels.values(), default=None)
        for asker in group:
            if asker.id in frozen:
                continue
            if lowest is None:
                frozen[asker.id] = Fraction(asker.ceiling_ma)
            elif any(levels.get(row) == lowest for row in asker.rows):
                frozen[asker.id] = _clamp(asker, lowest)
    return frozen


def _clamp(asker: Asker, level: Fraction) -> Fraction:
    return min(max(asker.weight * level, Fraction(asker.least_ma)), Fraction(asker.ceiling_ma))


def _binds_at(members: list[Asker], frozen: Mapping[str, Fraction], room_ma: int) -> Fraction | None:
    """The level at which the members' sum meets the room; None if it never does, or all are frozen."""
    rising = [asker for asker in members if asker.id not in frozen]
    left = room_ma - sum((frozen[asker.id] for asker in members if asker.id in frozen), Fraction(0))
    if not rising or sum(asker.ceiling_ma for asker in rising) <= left:
        return None
    taken = sum(asker.least_ma for asker in rising)
    events = sorted(
        event
        for asker in rising
        for event in ((asker.share(asker.least_ma), asker.weight), (asker.share(asker.ceiling_ma), -asker.weight))
    )
    level, slope, reached = Fraction(0), 0, Fraction(taken)
    for next_level, change in events:
        ahead = reached + slope * (next_level - level)
        if ahead >= left and slope:
            return level + (left - reached) / slope
        level, slope, reached = next_level, slope + change, ahead
    raise AssertionError("a sum of ceilings above the room is met on the way there")


def hand_on_steps(group: list[Asker], current_ma: dict[str, int], room: Mapping[Row, int]) -> None:
    """Hand on single steps while any fits: smallest x/weight first, then smaller weight, then site order."""
    left = dict(room)
    for asker in group:
        for row in asker.rows:
            left[row] -= current_ma[asker.id]
    while True:
        able = [
            asker
            for asker in group
            if current_ma[asker.id] + asker.step_ma <= asker.ceiling_ma
            and all(left[row] >= asker.step_ma for row in asker.rows)
        ]
        if not able:
            return
        chosen = min(able, key=lambda asker: (asker.share(current_ma[asker.id]), asker.weight, asker.place))
        current_ma[chosen.id] += chosen.step_ma
        for row in chosen.rows:
            left[row] -= chosen.step_ma


def by_single_steps(picture: Picture, admitted: Iterable[Asker], *, head_start: bool = True) -> dict[str, int]:
    """Fill every class from the least offers upward by the unit rule alone; exact where the limits are nested.

    Args:
        picture: The problem.
        admitted: Who is admitted.
        head_start: Begin one step per weight below the rational share, where the rule surely passes, instead of at the
            least offers.
    """
    room = picture.room_ma()
    members = list(admitted)
    current = {asker.id: asker.least_ma for asker in members}
    for asker in members:
        for row in asker.rows:
            room[row] -= asker.least_ma
    for group in classes(members):
        for asker in group:
            for row in asker.rows:
                room[row] += asker.least_ma
        if head_start:
            for name, share in water_fill(group, room).items():
                asker = next(asker for asker in group if asker.id == name)
                sure_steps = math.ceil(share / asker.step_ma - asker.weight)
                current[name] = max(asker.least_ma, sure_steps * asker.step_ma)
        hand_on_steps(group, current, room)
        for asker in group:
            for row in asker.rows:
                room[row] -= current[asker.id]
    return current
