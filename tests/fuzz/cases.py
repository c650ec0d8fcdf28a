"""A case: one scene, and what is told to its node, each some time after the one before; as values and as bytes."""

from collections.abc import Sequence
from random import Random
from struct import Struct, error

import attrs
from tests.fuzz.mutate import mutated, with_hash
from tests.fuzz.scenes import Scene, messages, scenes

_SCENE = Struct(">H")
_ITEM = Struct(">HH")

MOST_ITEMS = 8
READ_ONLY = 0x8000
"""In the number of a scene: its messages are read, and nobody is told them."""

WAITS_MS = (0, 0, 0, 0, 1, 19, 20, 480, 990, 1_000, 3_000, 12_000)


@attrs.frozen
class Item:
    """One message.

    Attributes:
        wait_ms: How long after the one before.
        data: Its bytes.
    """

    wait_ms: int
    data: bytes


@attrs.frozen
class Case:
    """What is told to whom.

    Attributes:
        place: Number of the scene, and whether messages are only read.
        items: The messages.
    """

    place: int
    items: tuple[Item, ...]

    @property
    def scene(self) -> Scene:
        """The scene."""
        every = scenes()
        return every[(self.place & ~READ_ONLY) % len(every)]

    @property
    def only_read(self) -> bool:
        """Whether the decoder alone is tried."""
        return bool(self.place & READ_ONLY)

    def packed(self) -> bytes:
        """The case as bytes."""
        items = (_ITEM.pack(item.wait_ms, len(item.data)) + item.data for item in self.items)
        return _SCENE.pack(self.place) + b"".join(items)

    @classmethod
    def unpacked(cls, data: bytes) -> "Case":
        """The case that stands in bytes, whatever they are."""
        try:
            (place,) = _SCENE.unpack_from(data)
        except error:
            return cls(0, ())
        at, items = _SCENE.size, list[Item]()
        while len(items) < MOST_ITEMS and at + _ITEM.size <= len(data):
            wait_ms, length = _ITEM.unpack_from(data, at)
            at += _ITEM.size
            items.append(Item(wait_ms, data[at : at + length]))
            at += length
        return cls(place, tuple(items))


def drawn(random: Random, read_percent: int = 30) -> Case:
    """A case by chance: real messages of this scene or another, in a row, most of them changed.

    Args:
        random: The chance.
        read_percent: In how many cases of a hundred messages are only read.
    """
    place = random.randrange(len(scenes()))
    if 100 * random.random() < read_percent:
        return Case(place | READ_ONLY, tuple(_item(place, random) for _ in range(MOST_ITEMS)))
    return Case(place, tuple(_item(place, random) for _ in range(random.randint(1, MOST_ITEMS))))


def changed(case: Case, random: Random) -> Case:
    """A case that differs in one thing."""
    items = list(case.items)
    chosen = random.random()
    if not items or (chosen < 0.15 and len(items) < MOST_ITEMS):
        items.insert(random.randint(0, len(items)), _item(case.place, random))
    elif chosen < 0.2 and len(items) > 1:
        items.pop(random.randrange(len(items)))
    elif chosen < 0.25:
        return Case(random.randrange(len(scenes())) | (case.place & READ_ONLY), tuple(items))
    elif chosen < 0.3:
        at = random.randrange(len(items))
        items[at] = attrs.evolve(items[at], wait_ms=random.choice(WAITS_MS))
    elif chosen < 0.35:
        items.append(random.choice(items))
    else:
        at = random.randrange(len(items))
        data = mutated(items[at].data, messages(), random, random.choice((1, 1, 1, 2, 4)))
        items[at] = attrs.evolve(items[at], data=data[:1_400])
    return Case(case.place, tuple(items[:MOST_ITEMS]))


def _item(place: int, random: Random) -> Item:
    every = scenes()
    scene = every[(place & ~READ_ONLY) % len(every)]
    own: Sequence[bytes] = (*scene.before, *scene.after)
    real = own if own and random.random() < 0.7 else messages()
    data = random.choice(real)
    if random.random() < 0.8:
        data = with_hash(data, scene.hash)
    times = random.choice((0, 0, 1, 1, 1, 2, 3))
    return Item(random.choice(WAITS_MS), mutated(data, messages(), random, times)[:1_400])
