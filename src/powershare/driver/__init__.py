"""The driver: devices behind adapters, regulated by nodes of this process. Needs no extra; adapters bring their own."""

from powershare.driver.admission import Admission
from powershare.driver.driver import Driver
from powershare.driver.part import Part, shared_timing
from powershare.driver.recorder import Recorder
from powershare.driver.rehearsal import Rehearsal, rehearsed
from powershare.driver.views import CircuitView, ConnectorView, Snapshot

__all__ = [
    "Admission",
    "CircuitView",
    "ConnectorView",
    "Driver",
    "Part",
    "Recorder",
    "Rehearsal",
    "Snapshot",
    "rehearsed",
    "shared_timing",
]
