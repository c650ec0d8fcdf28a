"""Links between hosts: loss, delay without bound, duplication, reordering, and partitions, also one-way."""

from collections.abc import Callable, Iterable
from functools import partial

import attrs

from powershare.simulation.chance import Chance
from powershare.simulation.engine import Engine


@attrs.frozen(kw_only=True)
class LinkTraits:
    """How messages fare.

    Attributes:
        loss_percent: How many of a hundred get lost.
        delay_ms: Shortest and longest usual delay; messages overtake each other within it.
        late_percent: How many of a hundred are very late.
        late_ms: The longest delay of those.
        duplicate_percent: How many of a hundred arrive twice.
    """

    loss_percent: int = 0
    delay_ms: tuple[int, int] = (20, 200)
    late_percent: int = 0
    late_ms: int = 60_000
    duplicate_percent: int = 0


class Links:
    """All links of one network.

    Args:
        engine: Virtual time.
        chance: Where losses and delays come from.
        traits: How messages fare.
        deliver: Told of each message that arrives: to whom, and its bytes.

    Attributes:
        sent: Messages sent.
        lost: Messages lost, by loss or by a partition.
    """

    def __init__(
        self, engine: Engine, chance: Chance, traits: LinkTraits, deliver: Callable[[str, bytes], None]
    ) -> None:
        self._engine, self._chance, self.traits, self._deliver = engine, chance, traits, deliver
        self._groups: dict[str, int] = {}
        self._blocked: frozenset[tuple[str, str]] = frozenset()
        self.sent = self.lost = 0

    def partition(self, groups: Iterable[Iterable[str]]) -> None:
        """Let only members of one group hear each other; who is in none hears and is heard by all such."""
        self._groups = {member: number for number, group in enumerate(groups, 1) for member in group}

    def block(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Let nothing pass from the first of a pair to the second."""
        self._blocked = frozenset(pairs)

    def passes(self, sender: str, to: str) -> bool:
        """Whether anything can pass from one to the other now."""
        return self._groups.get(sender, 0) == self._groups.get(to, 0) and (sender, to) not in self._blocked

    def send(self, sender: str, to: str, data: bytes) -> None:
        """Send one message."""
        traits, chance = self.traits, self._chance
        self.sent += 1
        if not self.passes(sender, to) or (traits.loss_percent and chance.happens(traits.loss_percent)):
            self.lost += 1
            return
        copies = 2 if traits.duplicate_percent and chance.happens(traits.duplicate_percent) else 1
        for _ in range(copies):
            delay_ms = chance.between(*traits.delay_ms)
            if traits.late_percent and chance.happens(traits.late_percent):
                delay_ms = chance.between(traits.delay_ms[1], traits.late_ms)
            self._engine.at(self._engine.now_ms + delay_ms, partial(self._deliver, to, data))
