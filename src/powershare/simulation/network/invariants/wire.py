"""Messages as they are on the wire, read at their fixed places and nothing more: a reading of its own, for the checker.

Who checks the nodes must not believe their decoder.
"""

from struct import Struct
from typing import NamedTuple

RAISE, CAP, FALL_BACK, TRIM = 1, 2, 3, 4
"""The kinds of grants."""

KIND_AT = 3
HEARTBEAT, VOTE, STATUS = 1, 2, 3
"""The kinds of messages that are read here; this byte tells them apart."""

_HEARTBEAT = Struct(">12xQHQqB")
_GRANT = Struct(">39xIBiiQIQq")
_REPORT = Struct(">12xHQQqQHQqB")
_UNIT = Struct(">65xIiiiqI")
_CLAIMS, _RELEASES, _GRANTS = 1, 2, 4
_PROMISED = 1

Claim = tuple[int, int, int]
"""A claim to lead: counter, member number, boot. Of two the greater is the newer."""


class Granted(NamedTuple):
    """A grant."""

    seq: int
    kind: int
    ceiling_ma: int
    offer_ma: int
    boot: int
    session: int
    report_no: int
    stamp_ms: int


class Heart(NamedTuple):
    """A heartbeat."""

    claim: Claim
    sent_ms: int
    claims: bool
    releases: bool
    grant: Granted | None


class Told(NamedTuple):
    """A report of a unit."""

    member: int
    boot: int
    report_no: int
    stamp_ms: int
    claim: Claim
    heartbeat_ms: int
    promised: bool
    seq: int
    ceiling_ma: int
    offer_ma: int
    most_ma: int
    cap_left_ms: int
    session: int


def heartbeat(data: bytes) -> Heart | None:
    """The heartbeat in a message; None where it is another one."""
    if len(data) < _HEARTBEAT.size or data[KIND_AT] != HEARTBEAT:
        return None
    counter, leader, boot, sent_ms, flags = _HEARTBEAT.unpack_from(data)
    grant = Granted(*_GRANT.unpack_from(data)) if flags & _GRANTS else None
    return Heart((counter, leader, boot), sent_ms, bool(flags & _CLAIMS), bool(flags & _RELEASES), grant)


def report(data: bytes) -> Told | None:
    """The report of a unit in a message; None where it is another one."""
    if len(data) < _UNIT.size or data[KIND_AT] != STATUS:
        return None
    member, boot, report_no, stamp_ms, counter, leader, leader_boot, heartbeat_ms, flags = _REPORT.unpack_from(data)
    claim = (counter, leader, leader_boot)
    head = (member, boot, report_no, stamp_ms, claim, heartbeat_ms, bool(flags & _PROMISED))
    return Told(*head, *_UNIT.unpack_from(data))
