"""A site in virtual time: vehicles, connectors and meters that behave as real ones do, and no wall clock."""

from powershare.simulation.report import LinePeak, SessionOutcome, SimulationReport
from powershare.simulation.session import Session, Sessions

__all__ = ["LinePeak", "Session", "SessionOutcome", "Sessions", "SimulationReport"]
