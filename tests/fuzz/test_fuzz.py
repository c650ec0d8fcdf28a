"""Whatever bytes a node is told: an error of messages or nothing, never another exception, never a raised offer."""

import importlib.util
import re
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz import covered, known, targets
from tests.fuzz.__main__ import main
from tests.fuzz.cases import MOST_ITEMS, READ_ONLY, Case, Item, changed, drawn
from tests.fuzz.mutate import FIELDS, HASH_AT, HEADER, KIND_AT, MUTATIONS, fields_of, whole_fields, with_hash
from tests.fuzz.scenes import Scene, messages, scenes

from powershare.errors import MessageError
from powershare.node import Node, Received, Stage, Woken, codec, decode
from powershare.node.codec import MOST_BYTES

VOTE_FIELDS = len(fields_of((codec._VOTE,), 0))
KINDS = {1: "heartbeat", 2: "vote", 3: "status", 4: "refusal", 5: "confirmation"}


@cache
def examples() -> dict[tuple[int, int], bytes]:
    """A real message of every kind and length."""
    return {(data[KIND_AT], len(data)): data for data in messages()}


def test_the_corpus_has_every_kind_of_message_and_every_role_of_a_node() -> None:
    """Heartbeats with and without a grant, reports with and without what is passed on; leaders, candidates, changes."""
    assert {kind for kind, _ in examples()} == set(KINDS)
    assert len({length for kind, length in examples() if kind == 1}) == 2
    assert len({length for kind, length in examples() if kind == 3}) >= 3
    nodes = [scene.fresh() for scene in scenes()]
    assert {node.role.value for node in nodes} == {"follower", "candidate", "leader"}
    assert {node.commissioning.stage for node in nodes} == set(Stage)


def test_a_copy_of_a_node_does_as_the_first_and_leaves_it_alone() -> None:
    """Told the same, two copies answer the same, byte by byte; and a third that was told nothing still does."""
    for scene in scenes()[::9]:
        answers = [_told(scene.fresh(), scene) for _ in range(2)]
        assert answers[0] == answers[1]


def _told(node: Node, scene: Scene) -> list[object]:
    outputs: list[object] = [node.step(Received(data), scene.now_ms + 7 * at) for at, data in enumerate(scene.after)]
    return [*outputs, node.step(Woken(), scene.now_ms + 2_000)]


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.get)
def test_every_cut_of_every_kind_is_an_error_and_nothing_else(kind: int) -> None:
    """Cut after any byte a message is refused, and a node that is told it does nothing; so with anything behind it."""
    for (_, length), data in ((key, data) for key, data in examples().items() if key[0] == kind):
        place = next(at for at, scene in enumerate(scenes()) if scene.hash == data[HASH_AT:HEADER])
        scene = scenes()[place]
        assert targets.read(data, scene.hash) is not None
        for end in [*range(length), *range(length + 1, length + 9), MOST_BYTES + 1]:
            cut = data[:end] + bytes(max(0, end - length))
            with pytest.raises(MessageError):
                decode(cut, scene.hash)
            targets.run(Case(place, (Item(0, cut),)))


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.get)
def test_every_flipped_bit_of_every_kind_is_survived(kind: int) -> None:
    """A message with one bit turned over is refused, or read as one that somebody could have sent."""
    for (_, length), data in ((key, data) for key, data in examples().items() if key[0] == kind):
        for bit in range(8 * length):
            changed_data = bytearray(data)
            changed_data[bit // 8] ^= 1 << bit % 8
            if bit // 8 < HEADER and bit // 8 != KIND_AT:
                with pytest.raises(MessageError):
                    decode(bytes(changed_data), data[HASH_AT:HEADER])
            else:
                targets.read(bytes(changed_data), data[HASH_AT:HEADER])


def test_a_message_of_another_configuration_is_nothing() -> None:
    """Every real message under another hash is refused by every node, which then does nothing."""
    for place, scene in enumerate(scenes()):
        foreign = bytes(byte ^ 0x55 for byte in scene.hash)
        items = tuple(Item(0, with_hash(data, foreign)) for data in scene.after)
        assert targets.run(Case(place, items)) == 0


def test_what_was_heard_before_raises_nothing() -> None:
    """Replayed at once, or after seconds, no message that a node has heard raises its offer."""
    for scene in scenes():
        node = scene.fresh()
        node.step(Woken(), scene.now_ms)
        offered_ma = _offered(node)
        for at, data in enumerate([*scene.before, *scene.before]):
            node.step(Received(data), scene.now_ms + 40 * at)
            assert _offered(node) <= offered_ma, decode(data, scene.hash)


def _offered(node: Node) -> int:
    """What a node that follows offers; what a leader grants itself is no answer to a message."""
    return 0 if node.unit is None or node.leads else node.unit.holder.offer_ma


@pytest.mark.parametrize("left_ms", [0, 30_000, 1 << 31, 1 << 52, (1 << 63) - 1, -1])
def test_a_cap_of_any_length_is_survived_by_who_leads(left_ms: int) -> None:
    """Found by a long run: a cap whose end is beyond every time there is made the ledger of a leader refuse."""
    field = whole_fields(next(data for (kind, _), data in examples().items() if kind == 3))[VOTE_FIELDS + 4]
    told = 0
    for place, scene in enumerate(scenes()):
        for data in scene.after if scene.fresh().leads else ():
            if data[KIND_AT] == 3:
                changed_data = bytearray(data)
                field.write(changed_data, left_ms)
                told += targets.run(Case(place, (Item(0, bytes(changed_data)),)))
    assert bool(told) == (0 <= left_ms < 1 << 31)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1 << 14))
def test_any_bytes_are_survived(data: bytes, place: int) -> None:
    """Any bytes at all, alone and behind the header of a message."""
    header = messages()[place % len(messages())][:HEADER]
    targets.run(Case(place, (Item(0, data), Item(0, header + data))))


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_messages_that_nobody_sent_are_survived(random: Random) -> None:
    """Real messages cut, flipped, spliced and with figures at the ends of their ranges, several in a row."""
    case = drawn(random)
    targets.run(case)
    targets.run(changed(case, random))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_case(data: bytes) -> None:
    """A case is read from any bytes, and what is read of it packed is the same."""
    case = Case.unpacked(data)
    assert Case.unpacked(case.packed()) == case
    assert len(case.items) <= MOST_ITEMS


def test_fields_are_where_the_encoder_puts_them() -> None:
    """Every figure is found, up to the end of a message that has nothing behind its figures."""
    for (kind, length), data in examples().items():
        fields = whole_fields(data)
        assert fields[0].at == HEADER
        if kind in {1, 4, 5}:
            assert fields[-1].at + fields[-1].size == length
        assert all(field.read(data) is not None for field in fields)
    assert set(FIELDS) == set(KINDS)


def test_every_mutation_changes_something() -> None:
    random, every = Random(1), messages()
    for mutation in MUTATIONS:
        assert any(mutation(data, every, random) != data for data in every[:50]), mutation.__name__


def test_a_wrong_target_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that lets an exception of its own out, or a node that acts on what it cannot read, does not pass."""
    with monkeypatch.context() as patched:
        patched.setattr(targets, "decode", lambda data, config_hash: data[999])
        with pytest.raises(IndexError):
            targets.run(Case(0, (Item(0, b"PS"),)))
    speaking = next(at for at, one in enumerate(scenes()) if one.fresh().leads)
    node = scenes()[speaking].fresh()
    output = next(
        out for out in (node.step(Woken(), scenes()[speaking].now_ms + ms) for ms in range(2_000)) if out.send
    )
    with monkeypatch.context() as patched:
        patched.setattr(Node, "step", lambda *_: output)
        with pytest.raises(targets.Wrong):
            targets.run(Case(0, (Item(0, b"PS"),)))


def test_a_known_crash_is_told_by_what_and_where() -> None:
    """The name of a crash says its kind and the function of the package in which it shows."""
    with pytest.raises(MessageError) as caught:
        decode(b"", b"")
    assert known.signature(caught.value) == "MessageError in node/codec.py:decode"
    assert known.signature(ValueError()) == "ValueError outside the package"


def test_the_command_runs_blindly(capsys: pytest.CaptureFixture[str]) -> None:
    """A short run without Atheris counts its inputs, and says which lines its corpus reaches."""
    assert main(["--inputs", "200", "--blind", "--processes", "1"]) == 0
    said = capsys.readouterr().out
    assert "inputs 2" in said
    assert "node/codec.py" in said


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="Atheris is not installed")
def test_the_command_runs_guided(capsys: pytest.CaptureFixture[str]) -> None:
    """Coverage is really seen: an install that hides the code from Atheris would show none."""
    assert main(["--inputs", "4000", "--processes", "1"]) == 0
    told = re.search(r"edges reached ([\d,]+)", capsys.readouterr().out)
    assert told is not None
    assert int(told[1].replace(",", "")) > 500


def test_the_corpus_reaches_nearly_all_of_the_decoder() -> None:
    """Real messages alone run nine lines of ten of what reads messages."""
    data = [Case(READ_ONLY, (Item(0, message),)).packed() for message in messages()]
    own = [Case(place, tuple(Item(0, one) for one in scene.after)).packed() for place, scene in enumerate(scenes())]
    reached = covered.covered([*data, *own])
    for name in ("node/codec.py", "node/parts.py"):
        ran, there = reached[name]
        assert ran > 0.9 * there, reached
