"""Compile a site once into flat rows: one row per circuit and line, parents first.

Row `3 * circuit + line` is the unit that everything counts in. A network limit becomes a root above
all roots, so that it is one more circuit to whoever walks upward, and always the last.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence

import attrs

from powershare import _native
from powershare._native import codes
from powershare.constraints.force import LimitsInForce
from powershare.constraints.names import require_known, require_loads
from powershare.demand import ExternalLimit
from powershare.site import Circuit, Site, Wiring
from powershare.site.values import PerLine, on_line
from powershare.units import Line, LineMilliamps, Milliamps

NO_LIMIT: Milliamps = codes.NO_LIMIT
"""A row without a limit of its own. Zero never means that."""

ROWS = 3
"""Rows per circuit, whatever the supply: a line that is not there is never loaded."""


@attrs.frozen
class Violation:
    """A line of a circuit that carries more than its limit.

    Attributes:
        circuit: The circuit's id; None for the network limit.
        line: The line.
        limit_ma: The limit in force.
        load_ma: Connectors, held currents and other load together, as the limit counts them.
    """

    circuit: str | None
    line: Line
    limit_ma: Milliamps
    load_ma: Milliamps


@attrs.frozen(slots=False)
class CompiledSite:
    """A site as rows and indices, for the allocator and whoever must check sums.

    Attributes:
        site: The site it was made from.
        circuits: Circuits in row order, parents first; None stands for the network limit.
        circuit_index: Place of each circuit in that order.
        connector_index: Place of each connector in site order.
        paths: Per connector, the circuits above it by place, nearest first, the network last.
        wirings: Per connector, how it is wired.
        kernel: The same for the kernel.
        limit_ma: Per row, the usable limit on everything; NO_LIMIT where there is none.
        network_ma: Per row, the limit on connectors alone; NO_LIMIT where there is none.
        worst_other_ma: Per row, the commissioned worst other load of that circuit itself.
    """

    site: Site
    circuits: tuple[Circuit | None, ...]
    circuit_index: Mapping[str, int]
    connector_index: Mapping[str, int]
    paths: tuple[tuple[int, ...], ...]
    wirings: tuple[Wiring, ...]
    kernel: _native.KernelSite
    limit_ma: "array[int]"
    network_ma: "array[int]"
    worst_other_ma: "array[int]"
    parents: tuple[int, ...]

    def in_force(
        self,
        other_load_ma: Mapping[str, PerLine] | None = None,
        external_limits: Sequence[ExternalLimit] = (),
        held_ma: Mapping[str, Milliamps] | None = None,
    ) -> LimitsInForce:
        """What counts now: limits with the external ones, and what is already taken.

        Args:
            other_load_ma: Fresh readings per circuit id; the others count their worst case.
            external_limits: Limits in force from outside.
            held_ma: The most that silent connectors may be drawing, per connector id.

        Returns:
            The rows in force.

        Raises:
            DemandError: Something names no node of this site, or has the wrong number of lines.
        """
        require_known(self.site, (), held_ma or {}, other_load_ma or {}, external_limits)
        return LimitsInForce.of(self, other_load_ma or {}, external_limits, held_ma or {})

    def loaded_rows(self, connector: int, lines_used: int | None) -> Iterator[int]:
        """The rows that a connector's current counts on, nearest circuit first, lowest line first."""
        lines = sorted(self.wirings[connector].loaded_lines(lines_used))
        for circuit in self.paths[connector]:
            for line in lines:
                yield ROWS * circuit + line

    def load_rows(
        self, load_ma: Mapping[str, Milliamps], lines_used: Mapping[str, int | None] | None = None
    ) -> list[Milliamps]:
        """Sum connectors' currents on every row.

        Args:
            load_ma: Current per connector id.
            lines_used: Lines in use per connector id; absent: all it is wired to.

        Returns:
            Milliamps per row.
        """
        rows = [0] * (ROWS * len(self.circuits))
        used = lines_used or {}
        for connector_id, current_ma in load_ma.items():
            for row in self.loaded_rows(self.connector_index[connector_id], used.get(connector_id)):
                rows[row] += current_ma
        return rows

    def headroom_ma(
        self,
        load_ma: Mapping[str, Milliamps],
        *,
        lines_used: Mapping[str, int | None] | None = None,
        other_load_ma: Mapping[str, PerLine] | None = None,
        external_limits: Sequence[ExternalLimit] = (),
        held_ma: Mapping[str, Milliamps] | None = None,
    ) -> dict[str | None, LineMilliamps]:
        """What every circuit has left beside these currents.

        Args:
            load_ma: Current per connector id, 0 to 10 kA.
            lines_used: Lines in use per connector id, 1 to 3; absent: all it is wired to.
            other_load_ma: Fresh readings per circuit id; the others count their worst case.
            external_limits: Limits in force from outside.
            held_ma: The most that silent connectors may be drawing, per connector id.

        Returns:
            Milliamps per line under each circuit id, and under None for the network limit;
            negative where the limit is exceeded.

        Raises:
            DemandError: As `in_force`; or a current is none of this site: an unknown connector, not a whole number
                of mA from 0 to 10 kA, or on more lines than the connector has.
        """
        require_loads(self.site, load_ma, lines_used or {})
        room = self.in_force(other_load_ma, external_limits, held_ma).room_ma(self.load_rows(load_ma, lines_used))
        lines = self.site.supply.lines
        return {
            circuit.id if circuit else None: tuple(room[ROWS * index + line] for line in lines)
            for index, circuit in enumerate(self.circuits)
        }

    def check(
        self,
        load_ma: Mapping[str, Milliamps],
        *,
        lines_used: Mapping[str, int | None] | None = None,
        other_load_ma: Mapping[str, PerLine] | None = None,
        external_limits: Sequence[ExternalLimit] = (),
        held_ma: Mapping[str, Milliamps] | None = None,
    ) -> tuple[Violation, ...]:
        """Every limit that these currents exceed; arguments as `headroom_ma`.

        Returns:
            One violation per circuit and line, parents first; empty when all fits.

        Raises:
            DemandError: As `in_force`; or a current is none of this site: an unknown connector, not a whole number
                of mA from 0 to 10 kA, or on more lines than the connector has.
        """
        require_loads(self.site, load_ma, lines_used or {})
        force = self.in_force(other_load_ma, external_limits, held_ma)
        room = force.room_ma(self.load_rows(load_ma, lines_used))
        violations = []
        for index, circuit in enumerate(self.circuits):
            for line in self.site.supply.lines:
                if room[ROWS * index + line] < 0:
                    limit_ma = force.tightest(index, line).limit_ma
                    load = limit_ma - room[ROWS * index + line]
                    violations.append(Violation(circuit.id if circuit else None, line, limit_ma, load))
        return tuple(violations)


def compile_site(site: Site) -> CompiledSite:
    """Compile a site into rows; once per site, in time linear in its size times its depth.

    Args:
        site: The site.

    Returns:
        The rows, indices and kernel arrays.
    """
    circuits = site.parents_first if site.network_limit_ma is None else (None, *site.parents_first)
    index = {circuit.id: place for place, circuit in enumerate(circuits) if circuit}
    root = -1 if circuits[0] is not None else 0
    parents = tuple(-1 if circuit is None else _parent_place(circuit, index, root) for circuit in circuits)
    used = (index[circuit_id] for circuit_id in {connector.circuit for connector in site.connectors})
    path_of = {place: _path(place, parents) for place in used}  # one for all on a circuit: a deep site fits the memory
    paths = tuple(path_of[index[connector.circuit]] for connector in site.connectors)
    wirings = tuple(site.wiring[connector.id] for connector in site.connectors)
    limit_ma, network_ma, worst_ma = _rows(site, circuits)
    kernel = _native.KernelSite(
        parent=array("i", parents),
        circuit=array("i", (path[0] for path in paths)),
        masks=array("B", (_mask(wiring, used) for wiring in wirings for used in range(4))),
        least=array("i", (connector.min_offer_ma for connector in site.connectors)),
        greatest=array("i", (connector.max_offer_ma for connector in site.connectors)),
        step=array("i", (connector.step_ma for connector in site.connectors)),
    )
    places = {connector.id: place for place, connector in enumerate(site.connectors)}
    return CompiledSite(site, circuits, index, places, paths, wirings, kernel, limit_ma, network_ma, worst_ma, parents)


def _parent_place(circuit: Circuit, index: Mapping[str, int], root: int) -> int:
    return root if circuit.parent is None else index[circuit.parent]


def _path(circuit: int, parents: Sequence[int]) -> tuple[int, ...]:
    path = []
    while circuit >= 0:
        path.append(circuit)
        circuit = parents[circuit]
    return tuple(path)


def _mask(wiring: Wiring, lines_used: int) -> int:
    """The lines that a vehicle loads which uses so many; 0 stands for "all of them"."""
    return sum(line.mask for line in wiring.loaded_lines(lines_used or None))


def _rows(site: Site, circuits: Sequence[Circuit | None]) -> "tuple[array[int], array[int], array[int]]":
    limit_ma = array("q", [NO_LIMIT]) * (ROWS * len(circuits))
    network_ma = array("q", [NO_LIMIT]) * (ROWS * len(circuits))
    worst_ma = array("q", [0]) * (ROWS * len(circuits))
    for place, circuit in enumerate(circuits):
        for line in site.supply.lines:
            row = ROWS * place + line
            if circuit is None:
                network_ma[row] = site.network_limit_ma or 0
            else:
                limit_ma[row] = circuit.usable_limit_ma(line)[0]
                worst_ma[row] = on_line(circuit.other_load_worst_ma, line)
    return limit_ma, network_ma, worst_ma
