"""Promises and authority: who may lead, and until when. Knows nothing of amps."""

from powershare.election.authority import Authority
from powershare.election.elector import Elector
from powershare.election.promise import NOBODY, Answer, Promise
from powershare.election.roles import TRANSITIONS, Cause, Role
from powershare.election.term import MAX_COUNTER, NO_TERM, Term

__all__ = [
    "MAX_COUNTER",
    "NOBODY",
    "NO_TERM",
    "TRANSITIONS",
    "Answer",
    "Authority",
    "Cause",
    "Elector",
    "Promise",
    "Role",
    "Term",
]
