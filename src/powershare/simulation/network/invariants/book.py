"""The checker's book: counts, failures in words, and what is excused because an assumption is broken."""

from typing import TYPE_CHECKING

from powershare.simulation.network.invariants.results import ALIKE, KEPT, NAMES, Counted, Failure

if TYPE_CHECKING:
    from powershare.simulation.network.network import Network

SUMS = frozenset({"I1", "I5", "I10"})
"""Invariants of circuits: a vehicle or a load that is outside the assumptions shows in the sums above it."""

WHOLE = frozenset({"I11", "I14", "I23", "I24"})
"""Invariants of a whole network that comes to rest: anything outside the assumptions keeps it from that."""


class Book:
    """Results of one network.

    Args:
        network: It.

    Attributes:
        results: Every invariant with its counts.
        failures: The first of them, in words.
    """

    def __init__(self, network: "Network") -> None:
        self._network = network
        self.results = {name: Counted() for name in NAMES}
        self.failures: list[Failure] = []

    def fail(self, name: str, member: str, text: str) -> None:
        """An invariant does not hold; counted apart where an assumption is broken that it rests on.

        Args:
            name: Which.
            member: At whom: a member, or a circuit.
            text: What is wrong, with the figures.
        """
        counted = self.results[name]
        if self._excused(name, member):
            counted.outside += 1
            return
        counted.failed += 1
        alike = sum(1 for failure in self.failures if failure.invariant == name)
        if len(self.failures) < KEPT and alike < ALIKE:
            self.failures.append(Failure(name, self._network.engine.now_ms, member, text))

    def _excused(self, name: str, member: str) -> bool:
        """Whether a broken assumption feeds this invariant here.

        A clock beyond the bound (A1) and a second process (A8) reach everything: authority rests on both. A vehicle
        that does not follow its pilot (A2) reaches its own unit and the sums above it, other load and external limits
        (A7) the sums of their circuit and of those that it feeds or that feed it; and both keep a network from rest.
        """
        network = self._network
        spread = name in SUMS or name in WHOLE
        astray = {node for node, one in network.connectors.items() if one.vehicle and not one.vehicle.traits.obeys}
        if member in astray or (spread and astray):
            return True
        for node, assumption in network.marks:
            if assumption == "A7":
                if name in WHOLE or (name in SUMS and self._feeds(node, member)):
                    return True
            elif assumption != "A2":
                return True
        return False

    def _feeds(self, one: str, other: str) -> bool:
        """Whether one of two circuits feeds the other; the network limit is fed by all."""
        site = self._network.site
        if one not in site.circuit_by_id or other not in site.circuit_by_id:
            return True
        above = [circuit.id for circuit in site.circuits_above(one)]
        return other in above or one in [circuit.id for circuit in site.circuits_above(other)]
