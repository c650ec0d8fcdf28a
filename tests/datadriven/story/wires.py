"""Links with a hand in them: single messages are held, dropped, doubled, delayed and said again, where a story asks.

What no hand is on fares as in every other network. Whatever a hand does counts as a network that falls apart, so that
the checker takes it neither for one at rest, nor for members out of reach.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator

import attrs

from powershare.node import Heartbeat, Message, StatusReport, Vote, decode
from powershare.node.codec import hash_of
from powershare.simulation.chance import Chance
from powershare.simulation.network.links import Links
from powershare.simulation.network.network import Network

KINDS: dict[str, Callable[[Message], bool]] = {
    "grants": lambda message: isinstance(message, Heartbeat) and message.grant is not None,
    "heartbeats": lambda message: isinstance(message, Heartbeat),
    "reports": lambda message: isinstance(message, StatusReport),
    "answers": lambda message: isinstance(message, Vote),
}
"""Kinds of messages that a hand can be on, alone."""

KEPT = 400
"""So many messages of each way are remembered, to be said again."""

Pair = tuple[str, str]


@attrs.define
class _Hand:
    """What is done to messages of one way."""

    does: str  # hold, drop, double or delay
    kind: str | None  # None: all of them
    left: int | None  # None: until it is taken away
    delay_ms: int = 0
    held: list[bytes] = attrs.field(factory=list)

    @property
    def stops_all(self) -> bool:
        """Whether nothing passes, until it is taken away."""
        return self.does in {"hold", "drop"} and self.kind is None and self.left is None

    def minds(self, data: bytes) -> bool:
        """Whether it has to do with this message."""
        return self.left != 0 and is_of(data, self.kind)


class Wires(Links):
    """Links that a story may meddle with, in place of a network's own.

    Args:
        network: It; not yet started.
        seed: Where losses and delays come from.
    """

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__(network.engine, Chance(seed).fork(1), network.storm.links, network._deliver)
        self._network = network
        self._hands: dict[Pair, _Hand] = {}
        self._said: dict[Pair, deque[bytes]] = {}
        network.links = self
        for host in network.hosts.values():
            host._links = self

    def meddled(self) -> None:
        """Nothing that was true of who reaches whom need still be."""
        self._network.partitions += 1

    def put(self, pair: Pair, does: str, kind: str | None, left: int | None = None, delay_ms: int = 0) -> None:
        """Put a hand on one way; only one at a time."""
        if self._hands.get(pair) is not None and self._hands[pair].left != 0:
            raise ValueError(f"something is done to {pair[0]}>{pair[1]} already; release it first")
        self._hands[pair] = _Hand(does, kind, left, delay_ms)
        self.meddled()

    def release(self, pair: Pair, count: int | None = None) -> None:
        """Let what is held arrive now, in order: so many, or all, and then take the hand away."""
        hand = self._hands.get(pair)
        if hand is None:
            raise ValueError(f"nothing is done to {pair[0]}>{pair[1]}")
        now, hand.held = hand.held[:count], hand.held[len(hand.held[:count]) :]
        if count is None:
            del self._hands[pair]
        elif len(now) < count:
            raise ValueError(f"of {pair[0]}>{pair[1]} only {len(now)} are held")
        for data in now:
            self._arrive(pair, data, 0)
        self.meddled()

    def replay(self, pair: Pair, kind: str | None, count: int) -> None:
        """Let the last so many messages of one way arrive once more, now."""
        said = [data for data in self._said.get(pair, ()) if is_of(data, kind)]
        if len(said) < count:
            raise ValueError(f"of {pair[0]}>{pair[1]} only {len(said)} have been sent")
        for data in said[len(said) - count :]:
            self._arrive(pair, data, 0)
        self.meddled()

    def passes(self, sender: str, to: str) -> bool:
        """Whether anything passes from one to the other now."""
        hand = self._hands.get((sender, to))
        return (hand is None or not hand.stops_all) and super().passes(sender, to)

    def send(self, sender: str, to: str, data: bytes) -> None:
        """Send one message."""
        pair = (sender, to)
        self._said.setdefault(pair, deque(maxlen=KEPT)).append(data)
        hand = self._hands.get(pair)
        if not super().passes(sender, to):
            self.sent, self.lost = self.sent + 1, self.lost + 1
        elif hand is not None and hand.minds(data):
            self._handle(hand, pair, data)
        elif hand is not None and hand.left is None:
            self.sent += 1
            self._arrive(pair, data, self.traits.delay_ms[0])
        else:
            super().send(sender, to, data)

    def _handle(self, hand: _Hand, pair: Pair, data: bytes) -> None:
        self.sent += 1
        usual_ms = self.traits.delay_ms[0]
        if hand.does == "hold":
            hand.held.append(data)
        elif hand.does == "drop":
            self.lost += 1
        elif hand.does == "double":
            self._arrive(pair, data, usual_ms)
            self._arrive(pair, data, usual_ms + hand.delay_ms)
        else:
            self._arrive(pair, data, hand.delay_ms)
        if hand.left is not None:
            hand.left -= 1
        self.meddled()

    def _arrive(self, pair: Pair, data: bytes, delay_ms: int) -> None:
        def arrives() -> None:
            self.meddled()
            self._deliver(pair[1], data)

        self._engine.at(self._engine.now_ms + delay_ms, arrives)


def is_of(data: bytes, kind: str | None) -> bool:
    """Whether a message is of a kind; None: any is."""
    config_hash = hash_of(data)
    return kind is None or (config_hash is not None and KINDS[kind](decode(data, config_hash)))


def pairs(text: str, members: Collection[str]) -> Iterator[Pair]:
    """The ways that `a>b,*>c` names; ValueError where it names none."""
    for word in text.split(","):
        sender, arrow, to = word.partition(">")
        if not arrow or not {sender, to} <= {*members, "*"}:
            raise ValueError(f'"{word}" is no way between two members; write a>b, or *>b')
        yield from (
            (one, other)
            for one in (members if sender == "*" else [sender])
            for other in (members if to == "*" else [to])
            if one != other
        )
