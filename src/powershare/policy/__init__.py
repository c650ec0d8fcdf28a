"""The stateful part between two allocations: turns, unused shares, and the order in which offers change."""

from powershare.policy.policy import Cause, Change, Decision, OrderName, Policy
from powershare.policy.release import Order, Release, ReleaseRule
from powershare.policy.report import Conditions, Report, Turn, advance
from powershare.policy.settings import Settings

__all__ = [
    "Cause",
    "Change",
    "Conditions",
    "Decision",
    "Order",
    "OrderName",
    "Policy",
    "Release",
    "ReleaseRule",
    "Report",
    "Settings",
    "Turn",
    "advance",
]
