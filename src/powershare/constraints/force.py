"""The limits in force at one moment, each with who set it, and what is already taken."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from powershare._native import codes
from powershare.allocation import BoundBy, BoundKind
from powershare.demand import Counts, ExternalLimit
from powershare.site.values import PerLine, on_line
from powershare.units import Line, Milliamps

if TYPE_CHECKING:
    from array import array

    from powershare.constraints.compiled import CompiledSite

NO_LIMIT: Milliamps = codes.NO_LIMIT
ROWS = 3


@attrs.frozen(slots=False)
class LimitsInForce:
    """Limits, held currents and other loads on every row of a site.

    Attributes:
        compiled: The site.
        limit_ma: Per row, the limit on connectors, held currents and other load together.
        connectors_ma: Per row, the limit on connectors and held currents alone.
        other_ma: Per row, the circuit's own other load.
        held_ma: What silent connectors may be drawing, per connector id.
        external_limits: The external limits that are in it.
    """

    compiled: "CompiledSite"
    limit_ma: "array[int]"
    connectors_ma: "array[int]"
    other_ma: "array[int]"
    held_ma: Mapping[str, Milliamps]
    external_limits: tuple[ExternalLimit, ...]

    @classmethod
    def of(
        cls,
        compiled: "CompiledSite",
        other_load_ma: Mapping[str, PerLine],
        external_limits: Sequence[ExternalLimit],
        held_ma: Mapping[str, Milliamps],
    ) -> "LimitsInForce":
        """Lay readings and external limits, already checked, over what is commissioned."""
        limit_ma, connectors_ma, other_ma = compiled.limit_ma, compiled.network_ma, compiled.worst_other_ma
        lines = compiled.site.supply.lines
        if other_load_ma:
            other_ma = other_ma[:]
            for circuit_id, load_ma in other_load_ma.items():
                base = ROWS * compiled.circuit_index[circuit_id]
                for line in lines:
                    other_ma[base + line] = on_line(load_ma, line)
        if any(limit.circuit is not None for limit in external_limits):
            limit_ma, connectors_ma = limit_ma[:], connectors_ma[:]
            for external in external_limits:
                if external.circuit is None:
                    continue
                rows = limit_ma if external.counts is Counts.ALL else connectors_ma
                base = ROWS * compiled.circuit_index[external.circuit]
                for line in lines:
                    rows[base + line] = min(rows[base + line], on_line(external.limit_ma, line))
        return cls(compiled, limit_ma, connectors_ma, other_ma, dict(held_ma), tuple(external_limits))

    @cached_property
    def other_below_ma(self) -> list[Milliamps]:
        """Per row, the other load of the circuit and of every circuit below it."""
        return self._summed_upward(list(self.other_ma))

    @cached_property
    def held_below_ma(self) -> list[Milliamps]:
        """Per row, what silent connectors below may be drawing."""
        return self.compiled.load_rows(self.held_ma)

    def _summed_upward(self, rows: list[Milliamps]) -> list[Milliamps]:
        parents = self.compiled.parents
        for circuit in range(len(parents) - 1, -1, -1):
            if (parent := parents[circuit]) >= 0:
                for line in range(ROWS):
                    rows[ROWS * parent + line] += rows[ROWS * circuit + line]
        return rows

    def room_ma(self, load_rows: Sequence[Milliamps]) -> list[Milliamps]:
        """What is left on each row beside connectors' currents; negative where exceeded."""
        room = []
        for row, load_ma in enumerate(load_rows):
            taken_ma = load_ma + self.held_below_ma[row]
            on_all, on_connectors = self.limit_ma[row], self.connectors_ma[row]
            left_ma = NO_LIMIT if on_connectors == NO_LIMIT else on_connectors - taken_ma
            if on_all != NO_LIMIT:
                left_ma = min(left_ma, on_all - taken_ma - self.other_below_ma[row])
            room.append(left_ma)
        return room

    def tightest(self, circuit: int, line: Line) -> BoundBy:
        """The limit that leaves the least on a row; of equals, what is installed before what is external."""
        row = ROWS * circuit + line
        other_ma = self.other_below_ma[row]
        return min(self._limits(circuit, line), key=lambda found: found[0].limit_ma - (other_ma if found[1] else 0))[0]

    def tightest_of_connector(self, connector_id: str, lines: Sequence[Line]) -> BoundBy:
        """The external limit of a connector itself that leaves it the least; of equals the lowest line's.

        Raises:
            ValueError: There is none.
        """
        found = self._external.get((None, connector_id), [])
        limits = (_bound_by(limit, connector_id, line) for line in lines for limit in found)
        return min(limits, key=lambda bound: bound.limit_ma)

    @cached_property
    def _external(self) -> Mapping[tuple[str | None, str | None], list[ExternalLimit]]:
        """The external limits under the circuit or the connector they are on: there may be one for each."""
        found: defaultdict[tuple[str | None, str | None], list[ExternalLimit]] = defaultdict(list)
        for limit in self.external_limits:
            found[limit.circuit, limit.connector].append(limit)
        return found

    def _limits(self, circuit: int, line: Line) -> Iterator[tuple[BoundBy, bool]]:
        """Every limit on a row, each with whether other load counts against it."""
        installed = self.compiled.circuits[circuit]
        if installed is None:
            limit_ma = self.compiled.network_ma[ROWS * circuit + line]
            yield BoundBy(kind=BoundKind.NETWORK, id=None, line=line, limit_ma=limit_ma, source="network"), False
            return
        limit_ma, source = installed.usable_limit_ma(line)
        yield BoundBy(kind=BoundKind.CIRCUIT, id=installed.id, line=line, limit_ma=limit_ma, source=source), True
        for external in self._external.get((installed.id, None), []):
            yield _bound_by(external, installed.id, line), external.counts is Counts.ALL


def _bound_by(external: ExternalLimit, node_id: str, line: Line) -> BoundBy:
    limit_ma = on_line(external.limit_ma, line)
    return BoundBy(kind=BoundKind.EXTERNAL, id=node_id, line=line, limit_ma=limit_ma, source=external.source)
