"""Leases: the unit's side of a grant, and the leader's ledger of all of them. Knows nothing of who may lead."""

from powershare._native.codes import GrantKind
from powershare.leases.account import UnitReport
from powershare.leases.grant import Grant, Pilot
from powershare.leases.granting import Granting
from powershare.leases.holder import Holder
from powershare.leases.ledger import Ledger
from powershare.leases.states import TRANSITIONS, Change, LeaseState

__all__ = [
    "TRANSITIONS",
    "Change",
    "Grant",
    "GrantKind",
    "Granting",
    "Holder",
    "LeaseState",
    "Ledger",
    "Pilot",
    "UnitReport",
]
