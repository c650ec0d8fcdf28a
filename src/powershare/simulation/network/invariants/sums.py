"""Sums over circuits and lines: what is drawn and offered, what may be drawn, and what is left when all are alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.rows import Rows
from powershare.simulation.network.invariants.unit import UnitWatch

if TYPE_CHECKING:
    from powershare.simulation.network.network import Network


class Sums:
    """I1 and I10 of one network.

    Args:
        network: It.
        rows: Its site.
        units: Every unit, by its place in the site.
        book: Where results go.
    """

    def __init__(self, network: "Network", rows: Rows, units: Sequence[UnitWatch], book: Book) -> None:
        self._network, self._rows, self._units, self._book = network, rows, units, book
        self._offered_ma, self._drawn_ma = [0] * len(rows.circuit), [0] * len(rows.circuit)
        self._told: dict[str, tuple[int, int, tuple[int, ...]]] = {
            unit.member: (0, 0, rows.of[unit.member]) for unit in units
        }
        self._held_ma = dict.fromkeys(rows.of, 0)

    def _limits_ma(self) -> list[int]:
        """What connectors may draw on each row, by what is true now."""
        foreign = self._network.foreign
        if not foreign.loads_ma and not foreign.limits:
            return self._rows.commissioned_ma
        return self._rows.room_ma(foreign.loads_ma, foreign.limits.values())

    def changed(self, unit: UnitWatch, offered_ma: int, drawn_ma: int, lines_used: int | None) -> None:
        """I1: a device offers or its vehicle draws something else."""
        was_offered_ma, was_drawn_ma, was_rows = self._told[unit.member]
        rows = was_rows
        if lines_used is not None or len(was_rows) != len(self._rows.of[unit.member]):
            rows = self._rows.loaded(unit.member, lines_used)
        if (offered_ma, drawn_ma, rows) == (was_offered_ma, was_drawn_ma, was_rows):
            return
        for row in was_rows:
            self._offered_ma[row] -= was_offered_ma
            self._drawn_ma[row] -= was_drawn_ma
        for row in rows:
            self._offered_ma[row] += offered_ma
            self._drawn_ma[row] += drawn_ma
        self._told[unit.member] = (offered_ma, drawn_ma, rows)
        self._judge(rows)

    def look(self) -> None:
        """I1 on every row."""
        self._judge(range(len(self._rows.circuit)))

    def _judge(self, rows: Sequence[int]) -> None:
        limits_ma, counted = self._limits_ma(), self._book.results["I1"]
        for row in rows:
            counted.checked += 1
            limit_ma = max(0, limits_ma[row])
            for word, sums_ma in (("drawn", self._drawn_ma), ("offered", self._offered_ma)):
                if sums_ma[row] > limit_ma:
                    self._exceeded(row, f"{sums_ma[row]} mA are {word}", sums_ma[row], limit_ma)

    def _exceeded(self, row: int, what: str, sum_ma: int, limit_ma: int) -> None:
        """I1 does not hold; of a limit from outside it is not promised, only that it comes back under it in time."""
        foreign = self._network.foreign
        if foreign.limits and sum_ma <= self._rows.room_ma(foreign.loads_ma, ())[row]:
            self._book.results["I1"].outside += 1
            return
        self._fail("I1", row, what, limit_ma)

    def may_draw(self, unit: UnitWatch, true_ms: int) -> None:
        """I1 for the worst that vehicles can do: what units may draw fits, whenever it has grown."""
        limits_ma, counted = self._limits_ma(), self._book.results["I1"]
        most_ma = {}
        for row in self._rows.of[unit.member]:
            counted.checked += 1
            total_ma = 0
            for place in self._rows.members[row]:
                if place not in most_ma:
                    other = self._units[place]
                    exact = other.host.clock.exact(true_ms)
                    other.pass_time(exact)
                    most_ma[place] = other.most_ma(exact, true_ms)
                total_ma += most_ma[place]
            if total_ma > max(0, limits_ma[row]):
                parts = ", ".join(f"{self._units[place].member} {figure_ma}" for place, figure_ma in most_ma.items())
                self._exceeded(row, f"{total_ma} mA may be drawn ({parts})", total_ma, limits_ma[row])

    def fallbacks(self, unit: UnitWatch) -> None:
        """I10: what units offer alone fits beside the worst other load, whenever one of them holds another figure."""
        connector = self._network.site.connector_by_id[unit.member]
        self._held_ma[unit.member] = unit.fallback_ma
        self._book.results["I10"].checked += 1
        node = unit.host.node
        held_ma = None if node is None or node.unit is None else node.unit.holder.fallback_ma
        if held_ma is not None and held_ma > unit.fallback_ma:
            self._book.fail("I10", unit.member, f"falls back to {held_ma} mA; commissioned are {unit.fallback_ma} mA")
        if 0 < unit.fallback_ma < connector.min_offer_ma:
            self._book.fail("I10", unit.member, f"falls back to {unit.fallback_ma} mA, which no pilot can say")
        for row in self._rows.of[unit.member]:
            total_ma = sum(self._held_ma[self._units[place].member] for place in self._rows.members[row])
            if total_ma > self._rows.commissioned_ma[row]:
                self._fail("I10", row, f"fall-backs add up to {total_ma} mA", self._rows.commissioned_ma[row])

    def _fail(self, name: str, row: int, what: str, limit_ma: int) -> None:
        circuit = self._rows.circuit[row]
        where = "the network" if circuit is None else circuit
        self._book.fail(
            name, circuit or "network", f"{what} on line {self._rows.line[row] + 1} of {where}; {limit_ma} mA may be"
        )
