"""A site in virtual time: vehicles, connectors and meters that behave as real ones do, and no wall clock."""

from powershare.simulation.chance import Chance
from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.engine import Engine
from powershare.simulation.evening import ConnectorView, Evening, Frame, Series, evening_site
from powershare.simulation.garage import Garage
from powershare.simulation.meter import LoadProfile, Meter, MeterTraits, household_load
from powershare.simulation.replay import EXACT_FLEET, Fleet, Replay, ReplayOrder, replay, uncontrolled_peak_ma
from powershare.simulation.report import LinePeak, SessionOutcome, SimulationReport
from powershare.simulation.session import Session, Sessions
from powershare.simulation.vehicle import Traits, Vehicle

__all__ = [
    "EXACT_FLEET",
    "Chance",
    "ConnectorView",
    "Engine",
    "Evening",
    "Fleet",
    "Frame",
    "Garage",
    "LinePeak",
    "LoadProfile",
    "Meter",
    "MeterTraits",
    "Replay",
    "ReplayOrder",
    "Series",
    "Session",
    "SessionOutcome",
    "Sessions",
    "SimulatedConnector",
    "SimulationReport",
    "Traits",
    "Vehicle",
    "evening_site",
    "household_load",
    "replay",
    "uncontrolled_peak_ma",
]
