"""What devices did, event by event, and the audit that judges it against the limits."""

from powershare.trace.audit import Audit, audit
from powershare.trace.events import (
    PILOT_STATES,
    UNCHANGED,
    AuditResult,
    Breach,
    CircuitEvent,
    ConnectorEvent,
    LoadKind,
    Mark,
    Peak,
    TraceEvent,
    Unchanged,
)

__all__ = [
    "PILOT_STATES",
    "UNCHANGED",
    "Audit",
    "AuditResult",
    "Breach",
    "CircuitEvent",
    "ConnectorEvent",
    "LoadKind",
    "Mark",
    "Peak",
    "TraceEvent",
    "Unchanged",
    "audit",
]
