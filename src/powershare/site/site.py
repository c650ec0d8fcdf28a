"""The site as a whole: one validated, immutable value, and what follows from it alone."""

from collections.abc import Mapping
from functools import cached_property

import attrs

from powershare.errors import TopologyError
from powershare.site.checks import fallback_problems, site_problems
from powershare.site.fallback import Fallbacks, share_fallbacks
from powershare.site.values import Circuit, Connection, Connector, Meter, Supply
from powershare.units import Line, Milliamps


@attrs.frozen
class Wiring:
    """How a connector is wired, with everything that the site file left open filled in.

    Attributes:
        lines: Site lines in the order of the connector's own.
        connection: What its load hangs between.
        rotation_known: Whether the order of the lines is known. Where it is not, a vehicle that uses
            fewer lines counts on all of them.
    """

    lines: tuple[Line, ...]
    connection: Connection
    rotation_known: bool

    def loaded_lines(self, lines_used: int | None) -> tuple[Line, ...]:
        """The site lines that a vehicle loads which uses so many of the connector's lines.

        Args:
            lines_used: 1 to 3, or None: all of the connector's.

        Returns:
            The lines on which its current must be counted.
        """
        if lines_used is None or not self.rotation_known or self.connection is Connection.LINE_TO_LINE:
            return self.lines
        return self.lines[:lines_used]


@attrs.frozen
class Network:
    """How the connectors form a network.

    Attributes:
        leader: The commissioned leader; None: the first connector.
        witness: Whether a meter votes.
    """

    leader: str | None = None
    witness: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Site:
    """A supply with its circuits and connectors: what is installed, checked as a whole.

    Attributes:
        supply: How the site is fed.
        circuits: Every circuit, in the order of the file; several may hang on the supply.
        connectors: Every connector; their order is the last tie-break of an allocation.
        name: What people call it.
        network_limit_ma: The most that all connectors may draw together, per line; None: no such
            limit. Other load does not count against it.
        nominal_voltage_v: Line to neutral, for energy and watts only; None: 230, or 120 on split phase.
        meters: Meters of the other loads.
        network: How the connectors form a network.

    Raises:
        TopologyError: Every problem of the site at once, each naming its node and field.
    """

    supply: Supply
    circuits: tuple[Circuit, ...]
    connectors: tuple[Connector, ...]
    name: str = ""
    network_limit_ma: Milliamps | None = None
    nominal_voltage_v: int | None = None
    meters: tuple[Meter, ...] = ()
    network: Network = Network()

    def __attrs_post_init__(self) -> None:
        problems = list(site_problems(self)) or list(fallback_problems(self))
        if problems:
            raise TopologyError(problems)

    @cached_property
    def circuit_by_id(self) -> Mapping[str, Circuit]:
        """Each circuit under its id."""
        return {circuit.id: circuit for circuit in self.circuits}

    @cached_property
    def connector_by_id(self) -> Mapping[str, Connector]:
        """Each connector under its id, in site order."""
        return {connector.id: connector for connector in self.connectors}

    @cached_property
    def wiring(self) -> Mapping[str, Wiring]:
        """How each connector is wired."""
        return {connector.id: wiring_of(connector, self.supply) for connector in self.connectors}

    @property
    def leader(self) -> str:
        """The commissioned leader."""
        return self.network.leader or self.connectors[0].id

    @property
    def voltage_v(self) -> int:
        """Nominal voltage from a line to neutral."""
        return self.nominal_voltage_v or self.supply.nominal_voltage_v

    @cached_property
    def parents_first(self) -> tuple[Circuit, ...]:
        """Every circuit after the one that feeds it; the order of the file is kept within a depth."""
        depth: dict[str | None, int] = {None: 0}
        for circuit in self.circuits:
            trail: list[str] = []
            node: str | None = circuit.id
            while node is not None and node not in depth:
                trail.append(node)
                node = self.circuit_by_id[node].parent
            base = depth[node]
            depth.update((name, base + distance) for distance, name in enumerate(reversed(trail), 1))
        return tuple(sorted(self.circuits, key=lambda circuit: depth[circuit.id]))

    def circuits_above(self, circuit_id: str | None) -> tuple[Circuit, ...]:
        """The circuit itself and every circuit above it, nearest first."""
        path: list[Circuit] = []
        while circuit_id is not None:
            path.append(self.circuit_by_id[circuit_id])
            circuit_id = path[-1].parent
        return tuple(path)

    @cached_property
    def fallbacks(self) -> Fallbacks:
        """What each connector may offer alone, so that all together fit every circuit."""
        return share_fallbacks(self)


def wiring_of(connector: Connector, supply: Supply) -> Wiring:
    """Fill in what a connector's entry left open about its wiring.

    Args:
        connector: The connector; its lines, where given, are lines of the supply.
        supply: How the site is fed.

    Returns:
        Lines, connection, and whether the rotation is known.
    """
    lines = connector.lines or supply.lines
    connection = connector.connection
    if connection is None:
        both_of_split_phase = supply is Supply.SPLIT_PHASE and len(lines) == 2
        connection = Connection.LINE_TO_LINE if both_of_split_phase else Connection.LINE_TO_NEUTRAL
    return Wiring(lines, connection, rotation_known=connector.lines is not None or supply is not Supply.THREE_PHASE)
