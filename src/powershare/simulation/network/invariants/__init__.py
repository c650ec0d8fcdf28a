"""The protocol's invariants, asserted after every event of a simulated network by code that knows nothing of nodes."""

from powershare.simulation.network.invariants.checker import Checker
from powershare.simulation.network.invariants.results import NAMES, Counted, Failure

__all__ = ["NAMES", "Checker", "Counted", "Failure"]
