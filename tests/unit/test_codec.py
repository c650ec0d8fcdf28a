"""Messages to bytes and back: everything that can be said, and nothing else."""

import attrs
import pytest

from powershare.election import Term
from powershare.errors import ContractError, MessageError
from powershare.leases import Grant, GrantKind
from powershare.node.codec import MOST_BYTES, decode, encode, hash_of
from powershare.node.messages import Bound, Confirmation, Heartbeat, Message, Reading, Refusal, StatusReport, Vote

HASH, OTHER = b"12345678", b"87654321"
TERM = Term(7, 3, (1 << 64) - 1)
GRANT = Grant(4, GrantKind.RAISE, 32_000, 16_000, 99, 3, 1_000, -5)
STATUS = StatusReport(
    member=2,
    boot=123,
    report_no=456,
    stamp_ms=789,
    term=TERM,
    heartbeat_ms=-1,
    promised=True,
    readings=(Reading(1, (10_000, 0, 5), 250),),
    bounds=(Bound(0, None, (24_000, 24_000, 24_000), 60_000, True, "utility"), Bound(None, 5, (0,), 1, False, "csms")),
    seq=9,
    ceiling_ma=20_000,
    offer_ma=18_000,
    most_ma=32_000,
    cap_left_ms=0,
    session=3,
    plugged=True,
    wants=True,
    closed=True,
    offered_ma=18_000,
    measured_ma=17_400,
    measured_age_ms=600,
    wanted_ma=None,
    vehicle="5YJ3E1EA7KF317000",
    waiting_ms=0,
    on_ms=99_000,
    pauses=2,
    asleep=False,
    energy_needed_wh=None,
    departs_in_s=-30,
)
SAID: list[Message] = [
    Heartbeat(TERM, 1_000, claims=False),
    Heartbeat(TERM, 1_000, claims=True),
    Heartbeat(TERM, 1_000, claims=False, releases=True),
    *(Heartbeat(TERM, 1_000, claims=True, grant=attrs.evolve(GRANT, kind=kind)) for kind in GrantKind if kind),
    Vote(member=6, boot=1, report_no=1, stamp_ms=0, term=TERM, heartbeat_ms=0, promised=False),
    Vote(member=6, boot=1, report_no=1, stamp_ms=0, term=TERM, heartbeat_ms=0, promised=True, readings=STATUS.readings),
    STATUS,
    attrs.evolve(STATUS, readings=(), bounds=(), vehicle=None, measured_ma=None, wanted_ma=32_000, plugged=False),
    attrs.evolve(STATUS, vehicle="", asleep=True, energy_needed_wh=40_000, departs_in_s=None, closed=False),
    Refusal(1, TERM, Term(8, 0, 0)),
    Confirmation(5, 77, asks=True),
]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_was_said_is_what_is_read(message: Message) -> None:
    data = encode(message, HASH)
    assert decode(data, HASH) == message
    assert hash_of(data) == HASH
    assert len(data) <= MOST_BYTES


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_a_message_that_is_cut_or_longer_is_none(message: Message) -> None:
    data = encode(message, HASH)
    for length in range(len(data)):
        with pytest.raises(MessageError):
            decode(data[:length], HASH)
    with pytest.raises(MessageError):
        decode(data + b"\0", HASH)


def test_a_message_of_another_configuration_or_version_is_named_as_such() -> None:
    data = encode(SAID[0], HASH)
    with pytest.raises(MessageError, match="configuration"):
        decode(data, OTHER)
    with pytest.raises(MessageError, match="version"):
        decode(data[:2] + b"\x02" + data[3:], HASH)
    with pytest.raises(MessageError, match="magic"):
        decode(b"XX" + data[2:], HASH)
    with pytest.raises(MessageError, match="kind"):
        decode(data[:3] + b"\x09" + data[4:], HASH)
    assert hash_of(b"PS") is None


@pytest.mark.parametrize(
    "message",
    [
        Heartbeat(Term(0, 0, 0), 0, claims=True),
        Heartbeat(TERM, 1 << 60, claims=True),
        Heartbeat(TERM, 0, claims=True, grant=attrs.evolve(GRANT, offer_ma=33_000)),
        Heartbeat(TERM, 0, claims=True, grant=attrs.evolve(GRANT, ceiling_ma=20_000_000)),
        Heartbeat(TERM, 0, claims=True, grant=attrs.evolve(GRANT, seq=0)),
        Heartbeat(TERM, 0, claims=False, grant=GRANT),
        Heartbeat(TERM, 0, claims=True, releases=True),
        attrs.evolve(STATUS, offer_ma=21_000),
        attrs.evolve(STATUS, most_ma=19_000),
        attrs.evolve(STATUS, cap_left_ms=-1),
        attrs.evolve(STATUS, bounds=(Bound(None, None, (1,), 1, True, "utility"),)),
        attrs.evolve(STATUS, bounds=(Bound(1, 1, (1,), 1, True, "utility"),)),
        attrs.evolve(STATUS, readings=(Reading(1, (-1,), 1),)),
        Refusal(1, TERM, TERM),
    ],
    ids=repr,
)
def test_what_no_node_can_have_said_is_refused(message: Message) -> None:
    data = encode(message, HASH)
    with pytest.raises(MessageError):
        decode(data, HASH)


@pytest.mark.parametrize(
    "message",
    [
        attrs.evolve(STATUS, readings=STATUS.readings * 13),
        attrs.evolve(STATUS, seq=-1),
        attrs.evolve(STATUS, bounds=STATUS.bounds * 3),
        Heartbeat(Term(1 << 70, 0, 0), 0, claims=True),
    ],
    ids=["readings", "negative", "limits", "counter"],
)
def test_what_cannot_be_said_is_the_callers_mistake(message: Message) -> None:
    with pytest.raises(ContractError):
        encode(message, HASH)


def test_a_long_name_of_a_vehicle_is_cut_at_a_whole_character() -> None:
    read = decode(encode(attrs.evolve(STATUS, vehicle="ä" * 30), HASH), HASH)
    assert isinstance(read, StatusReport)
    assert read.vehicle == "ä" * 20
