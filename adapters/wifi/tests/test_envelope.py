"""Envelopes: what was sealed opens, and nothing else does, for a reason that is counted."""

import itertools
import random
import secrets

import pytest

from powershare.errors import FormatError
from powershare.networking import Keys
from powershare.node.codec import MOST_BYTES as MOST_MESSAGE_BYTES
from powershare_wifi.envelope import (
    BAD_TAG,
    FOREIGN,
    KEY_UNKNOWN,
    MOST_BYTES,
    NETWORK_OTHER,
    NOT_FOR_US,
    OVERHEAD_BYTES,
    REASONS,
    SENDER_UNKNOWN,
    TOO_LONG,
    TRUNCATED,
    VERSION_OTHER,
    Envelope,
    Opened,
)

MEMBERS = ("a", "b", "c", "witness")
KEYS = Keys.new()


def envelope(*here: str, keys: Keys = KEYS) -> Envelope:
    return Envelope(keys, MEMBERS, here, secrets.token_bytes)


A, B = envelope("a"), envelope("b")
SEALED = A.seal("a", "b", b"a report")


def test_what_one_member_seals_opens_for_the_other() -> None:
    opened = B.open(A.seal("a", "b", b"words"))
    assert isinstance(opened, Opened)
    assert (opened.sender, opened.receiver, opened.data) == ("a", "b", b"words")


def test_the_longest_message_fits_the_payload_of_the_smallest_link() -> None:
    longest = A.seal("a", "b", bytes(MOST_MESSAGE_BYTES))
    assert len(longest) == MOST_BYTES == MOST_MESSAGE_BYTES + OVERHEAD_BYTES
    assert len(longest) <= 1_280 - 20 - 8
    assert isinstance(B.open(longest), Opened)
    assert B.open(longest + b"0") == TOO_LONG


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_a_datagram_can_change(bit: int) -> None:
    """Whatever was changed, it is dropped; and every byte counts."""
    for place in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[place] ^= 1 << bit
        assert B.open(bytes(changed)) in REASONS, place


def test_every_cut_is_dropped() -> None:
    assert {B.open(SEALED[:length]) for length in range(len(SEALED))} == {TRUNCATED, BAD_TAG}
    assert B.open(SEALED + b"0") == BAD_TAG


def test_bytes_of_strangers_are_dropped_for_a_reason() -> None:
    """Noise of every length, and noise behind a header that is right."""
    dice = random.Random(1)
    noise = [dice.randbytes(dice.randrange(MOST_BYTES + 10)) for _ in range(2_000)]
    dressed = [SEALED[:34] + dice.randbytes(dice.randrange(300)) for _ in range(2_000)]
    assert {B.open(data) for data in noise + dressed} <= set(REASONS)


def test_each_reason_has_a_name() -> None:
    assert B.open(b"HE" + SEALED[2:]) == FOREIGN
    assert B.open(SEALED[:2] + b"\2" + SEALED[3:]) == VERSION_OTHER
    assert envelope("b", keys=Keys.new()).open(SEALED) == NETWORK_OTHER
    assert envelope("c").open(SEALED) == NOT_FOR_US
    assert Envelope(KEYS, ("b", "c"), ("b",), secrets.token_bytes).open(SEALED) == SENDER_UNKNOWN
    assert B.open(SEALED[:12] + b"\0\7" + SEALED[14:]) == KEY_UNKNOWN
    assert B.open(SEALED[:-1] + bytes([SEALED[-1] ^ 1])) == BAD_TAG


def test_a_second_network_with_the_same_names_is_foreign() -> None:
    other = Keys.new()
    forged = Keys(network=KEYS.network, keys=other.keys, seals=1)
    assert B.open(envelope("a", keys=other).seal("a", "b", b"words")) == NETWORK_OTHER
    assert B.open(envelope("a", keys=forged).seal("a", "b", b"words")) == BAD_TAG


def test_what_was_sealed_for_one_member_does_not_open_for_another() -> None:
    """Neither by itself nor with the other's name written over the first."""
    both = envelope("b", "c")
    for_c = A.seal("a", "c", b"words")
    assert envelope("b").open(for_c) == NOT_FOR_US
    assert both.open(for_c[:18] + SEALED[18:22] + for_c[22:]) == BAD_TAG


def test_nobody_speaks_to_itself() -> None:
    """A datagram of ours that somebody sends back to us with the names turned round is none."""
    assert envelope("a").open(A.seal("a", "a", b"words")) == SENDER_UNKNOWN


def test_keys_change_without_a_gap() -> None:
    """Add everywhere, then seal with the new one, then forget the old one: at no step is anybody foreign."""
    added = KEYS.with_another()
    used = added.sealing_newest()
    forgotten = used.without_others()
    for before, after in itertools.pairwise((KEYS, added, used, forgotten)):
        for keys, others in ((before, after), (after, before), (after, after)):
            sealed = envelope("a", keys=keys).seal("a", "b", b"words")
            assert isinstance(envelope("b", keys=others).open(sealed), Opened), (keys.seals, others.seals)
    assert envelope("b", keys=forgotten).open(SEALED) == KEY_UNKNOWN


def test_no_nonce_is_used_twice() -> None:
    """Not by one process, and when its count is used up its random bytes are drawn anew."""
    starts = iter([b"1" * 8, b"2" * 8, b"3" * 8])
    one = Envelope(KEYS, MEMBERS, ("a",), lambda _length: next(starts))
    nonces = {one.seal("a", receiver, b"")[22:34] for receiver in ("b", "c") * 500}
    assert len(nonces) == 1_000
    one._count = (1 << 32) - 1
    last, first = one.seal("a", "b", b"")[22:34], one.seal("a", "b", b"")[22:34]
    assert (last, first) == (b"1" * 8 + b"\xff" * 4, b"2" * 8 + bytes(4))


def test_two_members_that_cannot_be_told_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powershare_wifi.envelope.name_tag", lambda _network, member: len(member))
    with pytest.raises(FormatError, match="rename it"):
        envelope("a")
