"""Messages to bytes and back: compact, versioned, and closed to everything that no node can have said.

Layout, big-endian: `PS`, version, kind, eight bytes of the configuration's hash, then the fields of the kind.
Authenticity is not its concern: whoever carries the bytes puts a MAC around them.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any

from powershare.election import Term
from powershare.errors import ContractError
from powershare.leases import Grant, GrantKind
from powershare.node.messages import Confirmation, Heartbeat, Message, Refusal, StatusReport, Vote
from powershare.node.parts import ABSENT, MOST_MS, decode_more, decode_text, encode_more, need, text_bytes, wrong
from powershare.units import MAX_CONNECTOR_MA

VERSION = 1
HASH_BYTES = 8
MOST_BYTES = 1_200
"""No message is longer: it fits one datagram on every network."""


_MAGIC = b"PS"
_MOST_COUNTER = (1 << 63) - 1
_MOST_WH = 1 << 40
_MOST_S = 1 << 30
_LONGEST_CAP_MS = (1 << 31) - 1  # beyond any configuration's: an end that far from any time there is can be reckoned

_HEADER = Struct(f">2sBB{HASH_BYTES}s")
_HEARTBEAT = Struct(">QHQqB")
_GRANT = Struct(">IBiiQIQq")
_VOTE = Struct(">HQQqQHQqB")
_UNIT = Struct(">IiiiqIiiiiqqHqiB")
_REFUSAL = Struct(">HQHQQHQ")
_CONFIRMATION = Struct(">HQB")

_HEARTBEAT_KIND, _VOTE_KIND, _STATUS_KIND, _REFUSAL_KIND, _CONFIRMATION_KIND = range(1, 6)
_CLAIMS, _RELEASES, _GRANTS = 1, 2, 4
_PROMISED, _PLUGGED, _WANTS, _CLOSED, _ASLEEP, _MORE, _FLAGS_END = (1 << bit for bit in range(7))
_NO_VEHICLE = 0xFF


def encode(message: Message, config_hash: bytes) -> bytes:
    """The bytes of a message.

    Args:
        message: It.
        config_hash: Hash of the configuration that its sender holds.

    Raises:
        ContractError: It cannot be said: too many readings, a text too long, a figure out of range.
    """
    try:
        if isinstance(message, Heartbeat):
            return _HEADER.pack(_MAGIC, VERSION, _HEARTBEAT_KIND, config_hash) + _encode_heartbeat(message)
        if isinstance(message, Vote):
            kind = _STATUS_KIND if isinstance(message, StatusReport) else _VOTE_KIND
            return _HEADER.pack(_MAGIC, VERSION, kind, config_hash) + _encode_vote(message)
        if isinstance(message, Refusal):
            body = _REFUSAL.pack(message.member, *message.term, *message.fence)
            return _HEADER.pack(_MAGIC, VERSION, _REFUSAL_KIND, config_hash) + body
        body = _CONFIRMATION.pack(message.member, message.boot, message.asks)
        return _HEADER.pack(_MAGIC, VERSION, _CONFIRMATION_KIND, config_hash) + body
    except error as wrong:
        raise ContractError(f"a message cannot be encoded: {wrong}") from None


def hash_of(data: bytes) -> bytes | None:
    """The configuration hash that a message carries; None where it is no message of this version."""
    if len(data) < _HEADER.size:
        return None
    magic, version, _, config_hash = _HEADER.unpack_from(data)
    return bytes(config_hash) if magic == _MAGIC and version == VERSION else None


def decode(data: bytes, config_hash: bytes) -> Message:
    """Read a message.

    Args:
        data: Its bytes.
        config_hash: Hash of the configuration that the reader holds.

    Raises:
        MessageError: It is none, is cut or too long, of another version or configuration, or says what cannot be.
    """
    if not _HEADER.size <= len(data) <= MOST_BYTES:
        raise wrong("length", f"is {len(data)} bytes; a message has {_HEADER.size} to {MOST_BYTES}")
    magic, version, kind, sent_hash = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise wrong("magic", "is not that of a message")
    if version != VERSION:
        raise wrong("version", f"is {version}; this is version {VERSION}")
    if sent_hash != config_hash:
        raise wrong("configuration", "is another than this node's; commission both alike")
    reader = _READERS.get(kind)
    if reader is None:
        raise wrong("kind", f"is {kind}, which is none")
    try:
        return reader(data)
    except error:
        raise wrong("length", f"is {len(data)} bytes, cut short") from None


def _ended(data: bytes, at: int) -> None:
    if len(data) != at:
        raise wrong("length", f"is {len(data)} bytes; this one has {at}")


def _encode_heartbeat(message: Heartbeat) -> bytes:
    grant = message.grant
    flags = (
        (_CLAIMS if message.claims else 0)
        | (_RELEASES if message.releases else 0)
        | (_GRANTS if grant is not None else 0)
    )
    body = _HEARTBEAT.pack(*message.term, message.sent_ms, flags)
    if grant is None:
        return body
    return body + _GRANT.pack(
        grant.seq,
        grant.kind,
        grant.ceiling_ma,
        grant.offer_ma,
        grant.boot,
        grant.session,
        grant.report_no,
        grant.stamp_ms,
    )


def _decode_heartbeat(data: bytes) -> Heartbeat:
    at = _HEADER.size
    counter, leader, boot, sent_ms, flags = _HEARTBEAT.unpack_from(data, at)
    at += _HEARTBEAT.size
    need(0 < counter <= _MOST_COUNTER, "term")
    need(-MOST_MS <= sent_ms <= MOST_MS, "sent_ms")
    need(flags < 8 and not (flags & _RELEASES and flags & (_CLAIMS | _GRANTS)), "flags")
    grant = None
    if flags & _GRANTS:
        need(bool(flags & _CLAIMS), "flags")
        seq, kind, ceiling_ma, offer_ma, unit_boot, session, report_no, stamp_ms = _GRANT.unpack_from(data, at)
        at += _GRANT.size
        need(seq > 0, "seq")
        need(kind in _KINDS, "kind")
        need(0 <= offer_ma <= ceiling_ma <= MAX_CONNECTOR_MA, "ceiling_ma")
        need(-MOST_MS <= stamp_ms <= MOST_MS, "stamp_ms")
        grant = Grant(seq, _KINDS[kind], ceiling_ma, offer_ma, unit_boot, session, report_no, stamp_ms)
    _ended(data, at)
    return Heartbeat(Term(counter, leader, boot), sent_ms, bool(flags & _CLAIMS), bool(flags & _RELEASES), grant)


_KINDS = {int(kind): kind for kind in GrantKind if kind > 0}


def _encode_vote(message: Vote) -> bytes:
    unit = message if isinstance(message, StatusReport) else None
    more = bool(message.readings or message.bounds)
    flags = (_PROMISED if message.promised else 0) | (_MORE if more else 0)
    if unit is not None:
        flags |= (
            (_PLUGGED if unit.plugged else 0)
            | (_WANTS if unit.wants else 0)
            | (_CLOSED if unit.closed else 0)
            | (_ASLEEP if unit.asleep else 0)
        )
    body = _VOTE.pack(
        message.member,
        message.boot,
        message.report_no,
        message.stamp_ms,
        *message.term,
        message.heartbeat_ms,
        flags,
    )
    if unit is not None:
        body += _encode_unit(unit)
    if more:
        body += encode_more(message)
    return body


def _encode_unit(unit: StatusReport) -> bytes:
    vehicle = b"" if unit.vehicle is None else text_bytes(unit.vehicle)
    return (
        _UNIT.pack(
            unit.seq,
            unit.ceiling_ma,
            unit.offer_ma,
            unit.most_ma,
            unit.cap_left_ms,
            unit.session,
            unit.offered_ma,
            ABSENT if unit.measured_ma is None else unit.measured_ma,
            unit.measured_age_ms,
            ABSENT if unit.wanted_ma is None else unit.wanted_ma,
            unit.waiting_ms,
            unit.on_ms,
            min(unit.pauses, 0xFFFF),
            ABSENT if unit.energy_needed_wh is None else unit.energy_needed_wh,
            _MOST_S + 1 if unit.departs_in_s is None else unit.departs_in_s,
            _NO_VEHICLE if unit.vehicle is None else len(vehicle),
        )
        + vehicle
    )


def _decode_vote(data: bytes) -> Vote:
    head, flags = _decode_head(data)
    need(flags & ~(_PROMISED | _MORE) == 0, "flags")
    at = _HEADER.size + _VOTE.size
    readings, bounds, at = decode_more(data, at) if flags & _MORE else ((), (), at)
    _ended(data, at)
    return Vote(**head, readings=readings, bounds=bounds)


def _decode_head(data: bytes) -> tuple[dict[str, Any], int]:
    """What every report begins with, and its flags."""
    member, boot, report_no, stamp_ms, counter, leader, leader_boot, heartbeat_ms, flags = _VOTE.unpack_from(
        data, _HEADER.size
    )
    need(counter <= _MOST_COUNTER, "term")
    need(-MOST_MS <= stamp_ms <= MOST_MS and -MOST_MS <= heartbeat_ms <= MOST_MS, "stamp_ms")
    need(flags < _FLAGS_END, "flags")
    head = {
        "member": member,
        "boot": boot,
        "report_no": report_no,
        "stamp_ms": stamp_ms,
        "term": Term(counter, leader, leader_boot),
        "heartbeat_ms": heartbeat_ms,
        "promised": bool(flags & _PROMISED),
    }
    return head, flags


def _decode_status(data: bytes) -> StatusReport:
    head, flags = _decode_head(data)
    at = _HEADER.size + _VOTE.size
    fields = _UNIT.unpack_from(data, at)
    at += _UNIT.size
    seq, ceiling_ma, offer_ma, most_ma, cap_left_ms, session, offered_ma, measured_ma, age_ms, wanted_ma = fields[:10]
    waiting_ms, on_ms, pauses, energy_wh, departs_s, vehicle_bytes = fields[10:]
    if not (
        0 <= offer_ma <= ceiling_ma <= most_ma <= MAX_CONNECTOR_MA
        and 0 <= offered_ma <= MAX_CONNECTOR_MA
        and ABSENT <= measured_ma <= MAX_CONNECTOR_MA
        and ABSENT <= wanted_ma <= MAX_CONNECTOR_MA
        and 0 <= cap_left_ms <= _LONGEST_CAP_MS
        and age_ms >= 0
        and 0 <= waiting_ms <= MOST_MS
        and 0 <= on_ms <= MOST_MS
        and ABSENT <= energy_wh <= _MOST_WH
        and -_MOST_S <= departs_s <= _MOST_S + 1
    ):
        raise wrong("report", "has a figure out of its range")
    vehicle = None
    if vehicle_bytes != _NO_VEHICLE:
        vehicle, at = decode_text(data, at, vehicle_bytes, "vehicle")
    readings, bounds, at = decode_more(data, at) if flags & _MORE else ((), (), at)
    _ended(data, at)
    return StatusReport(
        **head,
        readings=readings,
        bounds=bounds,
        seq=seq,
        ceiling_ma=ceiling_ma,
        offer_ma=offer_ma,
        most_ma=most_ma,
        cap_left_ms=cap_left_ms,
        session=session,
        plugged=bool(flags & _PLUGGED),
        wants=bool(flags & _WANTS),
        closed=bool(flags & _CLOSED),
        offered_ma=offered_ma,
        measured_ma=None if measured_ma == ABSENT else measured_ma,
        measured_age_ms=age_ms,
        wanted_ma=None if wanted_ma == ABSENT else wanted_ma,
        vehicle=vehicle,
        waiting_ms=waiting_ms,
        on_ms=on_ms,
        pauses=pauses,
        asleep=bool(flags & _ASLEEP),
        energy_needed_wh=None if energy_wh == ABSENT else energy_wh,
        departs_in_s=None if departs_s == _MOST_S + 1 else departs_s,
    )


def _decode_refusal(data: bytes) -> Refusal:
    member, *fields = _REFUSAL.unpack_from(data, _HEADER.size)
    _ended(data, _HEADER.size + _REFUSAL.size)
    term, fence = Term(*fields[:3]), Term(*fields[3:])
    need(term < fence and fence.counter <= _MOST_COUNTER, "fence")
    return Refusal(member, term, fence)


def _decode_confirmation(data: bytes) -> Confirmation:
    member, boot, asks = _CONFIRMATION.unpack_from(data, _HEADER.size)
    _ended(data, _HEADER.size + _CONFIRMATION.size)
    need(asks <= 1, "asks")
    return Confirmation(member, boot, bool(asks))


_READERS: dict[int, Callable[[bytes], Message]] = {
    _HEARTBEAT_KIND: _decode_heartbeat,
    _VOTE_KIND: _decode_vote,
    _STATUS_KIND: _decode_status,
    _REFUSAL_KIND: _decode_refusal,
    _CONFIRMATION_KIND: _decode_confirmation,
}
