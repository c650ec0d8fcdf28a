"""The plain Python twin of the C kernel: the same questions, the same answers to the last byte, written to be read.

Read `allocate` first. How one priority class is filled is in `filling`.
"""

from __future__ import annotations

from itertools import chain, groupby
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from powershare._native import codes
from powershare._native.codes import KernelCode, KernelRefusal, KernelStatus
from powershare._native.columns import ProblemColumns, SiteColumns
from powershare._native.filling import UNBOUNDED_MA, Member, fill_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_Checks: TypeAlias = "tuple[tuple[KernelCode, Callable[[], bool]], ...]"
LINES_OF_MASK = tuple(tuple(line for line in range(3) if mask >> line & 1) for mask in range(8))


@frozen(eq=False)
class ReferenceSite(SiteColumns):
    """A compiled site. Raises KernelRefusal where the columns do not describe one."""

    _rows: dict[tuple[int, int], tuple[int, ...]] = field(init=False, repr=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        if code := check_site(self):
            raise KernelRefusal(code)

    def rows(self, connector: int, lines_used: int) -> tuple[int, ...]:
        """The rows that a vehicle loads here, nearest circuit first, then lowest line."""
        key = (self.circuit[connector], self.masks[4 * connector + lines_used])
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = tuple(
                3 * circuit + line for circuit in self._upward(key[0]) for line in LINES_OF_MASK[key[1]]
            )
        return found

    def _upward(self, circuit: int) -> Iterator[int]:
        while circuit >= 0:
            yield circuit
            circuit = self.parent[circuit]


@frozen(eq=False)
class ReferenceProblem(ProblemColumns[ReferenceSite]):
    """One allocation on a `ReferenceSite`."""

    def run(self) -> int:
        """Answers 0, or the KernelCode of the first thing wrong; then nothing was written."""
        return allocate(self)

    @property
    def call(self) -> tuple[Callable[[ReferenceProblem], int], ReferenceProblem]:
        """What `run` calls, and with what."""
        return allocate, self


def run_each(problems: Sequence[ReferenceProblem]) -> int:
    """Runs all problems; answers the code of the first that was refused, or 0."""
    refused = 0
    for problem in problems:
        code = problem.run()
        refused = refused or code
    return refused


def check_site(site: SiteColumns) -> KernelCode:
    """The first code, in their order, that applies to the site's columns."""
    n, m, masks = site.n_connectors, site.n_circuits, site.masks
    wrong: _Checks = (
        (KernelCode.COUNT, lambda: n > codes.MAX_CONNECTORS or m > codes.MAX_CIRCUITS),
        (KernelCode.LENGTH, lambda: site.shortest_connector_column < n),
        (KernelCode.CYCLE, lambda: any(not -1 <= above < index for index, above in enumerate(site.parent))),
        (KernelCode.CIRCUIT, lambda: any(not 0 <= circuit < m for circuit in site.circuit)),
        (KernelCode.MASK, lambda: any(not 1 <= masks[i] <= 7 or masks[i] & ~masks[i - i % 4] for i in range(4 * n))),
        (
            KernelCode.OFFERS,
            lambda: any(_offers_are_wrong(site.least[i], site.greatest[i], site.step[i]) for i in range(n)),
        ),
    )
    return next((code for code, applies in wrong if applies()), KernelCode.OK)


def _offers_are_wrong(least: int, greatest: int, step: int) -> bool:
    return not 0 < step <= least <= greatest <= codes.MAX_OFFER_MA or least % step > 0 or greatest % step > 0


def check_problem(problem: ReferenceProblem) -> KernelCode:
    """The first code, in their order, that applies to the problem's columns."""
    p = problem
    wrong: _Checks = (
        (KernelCode.WANTED, lambda: min(p.wanted, default=0) < 0),
        (KernelCode.LINES_USED, lambda: max(p.lines_used, default=0) > 3),
        (KernelCode.WAITING, lambda: min(p.waiting, default=0) < 0),
        (KernelCode.WEIGHT, lambda: min(p.weight, default=1) < 1 or max(p.weight, default=1) > codes.MAX_WEIGHT),
        (KernelCode.HELD, lambda: any(map(_held_is_wrong, p.held, p.wanted))),
        (KernelCode.CAP, lambda: min(p.cap, default=0) < 0),
        (KernelCode.LIMIT, lambda: any(map(_limit_is_wrong, chain(p.limit, p.limit_connectors)))),
        (KernelCode.OTHER_LOAD, lambda: min(p.other, default=0) < 0 or max(p.other, default=0) > codes.MAX_LIMIT_MA),
    )
    return next((code for code, applies in wrong if applies()), KernelCode.OK)


def _held_is_wrong(held_ma: int, wanted_ma: int) -> bool:
    return not codes.NOT_HELD <= held_ma <= codes.MAX_OFFER_MA or (held_ma >= 0 and wanted_ma > 0)


def _limit_is_wrong(limit_ma: int) -> bool:
    return not 0 <= limit_ma <= codes.MAX_LIMIT_MA and limit_ma != codes.NO_LIMIT


def allocate(problem: ReferenceProblem) -> int:
    """Checks the inputs, then writes the four answers: allocated, status, bound, room."""
    if code := check_problem(problem):
        return code
    room = _room_before(problem)
    candidates = _candidates(problem)
    admitted = _admit(problem, candidates, room)
    admitted.sort(key=lambda member: (-problem.priority[member.index], member.index))
    for _, members in groupby(admitted, key=lambda member: problem.priority[member.index]):
        fill_class(list(members), room)
    for member in admitted:
        problem.allocated[member.index] = member.allocated
        if member.allocated < member.ceiling:
            problem.bound[member.index] = next(row for row in member.rows if room[row] < member.step)
    for row in range(len(room)):
        free = problem.limit[row] == problem.limit_connectors[row] == codes.NO_LIMIT
        problem.room[row] = codes.NO_LIMIT if free else room[row]
    return KernelCode.OK


def _room_before(problem: ReferenceProblem) -> list[int]:
    """What every row has left once the other load and the held current of all below are taken off."""
    site = problem.site
    other, held = list(problem.other), [0] * len(problem.other)
    for connector, held_ma in enumerate(problem.held):
        if held_ma > 0:
            for line in LINES_OF_MASK[site.masks[4 * connector]]:
                held[3 * site.circuit[connector] + line] += held_ma
    for circuit in range(site.n_circuits - 1, -1, -1):
        if (above := site.parent[circuit]) >= 0:
            for line in range(3):
                other[3 * above + line] += other[3 * circuit + line]
                held[3 * above + line] += held[3 * circuit + line]
    room = [UNBOUNDED_MA] * len(other)
    for row, (limit, limit_connectors) in enumerate(zip(problem.limit, problem.limit_connectors, strict=True)):
        if limit != codes.NO_LIMIT:
            room[row] = limit - other[row] - held[row]
        if limit_connectors != codes.NO_LIMIT:
            room[row] = min(room[row], limit_connectors - held[row])
    return room


def _candidates(problem: ReferenceProblem) -> list[Member]:
    """Those who ask for enough; everybody's status, reason and allocation of 0 are written on the way."""
    site, candidates = problem.site, []
    for i, wanted in enumerate(problem.wanted):
        problem.allocated[i] = 0
        problem.bound[i] = codes.BOUND_NONE
        if wanted == 0:
            problem.status[i] = KernelStatus.HELD if problem.held[i] >= 0 else KernelStatus.IDLE
            continue
        least, greatest, step, cap = site.least[i], site.greatest[i], site.step[i], problem.cap[i]
        uncapped = min(wanted, greatest) // step * step
        ceiling = min(uncapped, cap // step * step)
        if uncapped < least:
            problem.status[i], problem.bound[i] = KernelStatus.REFUSED, codes.BOUND_VEHICLE
        elif ceiling < least:
            problem.status[i], problem.bound[i] = KernelStatus.SHED, codes.BOUND_CAP
        else:
            by_vehicle = codes.BOUND_VEHICLE if wanted < greatest else codes.BOUND_GREATEST
            problem.status[i] = KernelStatus.ALLOCATED
            problem.bound[i] = codes.BOUND_CAP if ceiling < uncapped else by_vehicle
            rows = site.rows(i, problem.lines_used[i])
            mask = site.masks[4 * i + problem.lines_used[i]]
            candidates.append(Member(i, mask, rows, problem.weight[i], least, ceiling, step))
    return candidates


def _admit(problem: ReferenceProblem, candidates: list[Member], room: list[int]) -> list[Member]:
    """Gives the least offer to each whose least fits, in order, and takes it off the room; sheds the others."""
    order = sorted(candidates, key=lambda m: (-problem.priority[m.index], -problem.waiting[m.index], m.index))
    admitted = []
    for member in order:
        full = next((row for row in member.rows if room[row] < member.least), None)
        if full is None:
            for row in member.rows:
                room[row] -= member.least
            member.allocated = member.least
            admitted.append(member)
        else:
            problem.status[member.index] = KernelStatus.SHED
            problem.bound[member.index] = full
    return admitted
