"""Allocation done the plainest way: one step at a time, and in exact fractions; no code shared with what it judges."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from powershare._native import codes

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES = {mask: [line for line in range(3) if mask & (1 << line)] for mask in range(8)}


class Naive:
    """The inputs of one problem, and what each connector would load."""

    def __init__(self, problem: Any) -> None:  # noqa: ANN401 - either backend's problem
        self.problem, self.site = problem, problem.site
        self.connectors = range(self.site.n_connectors)
        self.rows = {i: self._rows(i, self.site.masks[4 * i + problem.lines_used[i]]) for i in self.connectors}
        self.ceiling = {i: self._ceiling(i) for i in self.connectors}

    def _rows(self, connector: int, mask: int) -> list[int]:
        rows, circuit = [], self.site.circuit[connector]
        while circuit != -1:
            rows += [3 * circuit + line for line in LINES[mask]]
            circuit = self.site.parent[circuit]
        return rows

    def _ceiling(self, i: int) -> int:
        top = min(self.problem.wanted[i], self.site.greatest[i], self.problem.cap[i])
        top -= top % self.site.step[i]
        return 0 if top < self.site.least[i] else top

    def is_within(self, given: dict[int, int], rows: Iterable[int]) -> bool:
        """Whether allocated + held + other load keep every one of the rows that is asked for."""
        return all(self.room(row, given) >= 0 for row in rows)

    def room(self, row: int, given: dict[int, int]) -> int:
        """What a row has left, counted afresh from every connector and circuit below."""
        p, circuit, line = self.problem, row // 3, row % 3
        taken = sum(amount for i, amount in given.items() if row in self.rows[i])
        taken += sum(
            p.held[i] for i in self.connectors if p.held[i] > 0 and row in self._rows(i, self.site.masks[4 * i])
        )
        other = sum(p.other[3 * c + line] for c in range(self.site.n_circuits) if self._is_below(c, circuit))
        rooms = [codes.NO_LIMIT]
        if p.limit[row] != codes.NO_LIMIT:
            rooms.append(p.limit[row] - taken - other)
        if p.limit_connectors[row] != codes.NO_LIMIT:
            rooms.append(p.limit_connectors[row] - taken)
        return min(rooms)

    def _is_below(self, circuit: int, above: int) -> bool:
        while circuit not in (-1, above):
            circuit = self.site.parent[circuit]
        return circuit == above

    def admitted(self) -> list[int]:
        """Who gets the least offer."""
        p, given = self.problem, dict.fromkeys(self.connectors, 0)
        for i in sorted(self.connectors, key=lambda i: (-p.priority[i], -p.waiting[i], i)):
            if self.ceiling[i]:
                given[i] = self.site.least[i]
                if not self.is_within(given, self.rows[i]):
                    given[i] = 0
        return [i for i in self.connectors if given[i]]

    def greedy(self) -> dict[int, int]:
        """One step at a time to whoever has the smallest given / weight, then weight, then index, class after class."""
        p, site = self.problem, self.site
        given = {i: site.least[i] for i in self.admitted()}
        for priority in sorted({p.priority[i] for i in given}, reverse=True):
            rising = [i for i in given if p.priority[i] == priority]
            while rising:
                i = min(rising, key=lambda i: (Fraction(given[i], p.weight[i]), p.weight[i], i))
                raised = {**given, i: given[i] + site.step[i]}
                if raised[i] <= self.ceiling[i] and self.is_within(raised, self.rows[i]):
                    given = raised
                else:
                    rising.remove(i)
        return given

    def fractions(self) -> dict[int, Fraction]:
        """Progressive filling of a single class: all rise together until a row or a ceiling stops them."""
        p, site = self.problem, self.site
        given = {i: Fraction(site.least[i]) for i in self.admitted()}
        rising, level = set(given), Fraction(0)
        while rising:
            moving = {i for i in rising if given[i] <= p.weight[i] * level}
            stops = [Fraction(self.ceiling[i], p.weight[i]) for i in moving]
            stops += [given[i] / p.weight[i] for i in rising - moving]
            for row in {row for i in moving for row in self.rows[i]}:
                room = self.room(row, dict.fromkeys(given, 0))
                if room < codes.NO_LIMIT:
                    pace = sum(p.weight[i] for i in moving if row in self.rows[i])
                    used = sum(given[i] for i in given if row in self.rows[i])
                    stops.append(level + (room - used) / Fraction(pace))
            level = min(stops)
            for i in moving:
                given[i] = p.weight[i] * level
            full = {
                row
                for i in moving
                for row in self.rows[i]
                if sum(given[j] for j in given if row in self.rows[j]) >= self.room(row, dict.fromkeys(given, 0))
            }
            rising -= {i for i in moving if given[i] >= self.ceiling[i] or full & set(self.rows[i])}
            rising -= {i for i in rising if full & set(self.rows[i]) and given[i] / p.weight[i] <= level}
        return given
