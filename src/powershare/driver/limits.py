"""Which node is told which external limit: one passes on a few at a time, and the leader counts what all pass on.

A later limit of the same source and place replaces an earlier one only at the node that was told it (`Limited`), so a
limit keeps its node for as long as it is in force.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from powershare.node import Limited
from powershare.node.parts import MOST_BOUNDS

_Key: TypeAlias = tuple[str, str | None, str | None]


class LimitPlaces:
    """The nodes of one process, and the limits that each was told.

    Args:
        members: Their names; the first that has room is told.
    """

    def __init__(self, members: Sequence[str]) -> None:
        self._members = tuple(members)
        self._placed: dict[_Key, tuple[str, int]] = {}

    def node_for(self, event: Limited, now_ms: int) -> str:
        """Who is to be told a limit; the first of all where nobody has room, and its node will refuse it.

        Args:
            event: The limit.
            now_ms: Now.
        """
        limit = event.limit
        key = (limit.source, limit.circuit, limit.connector)
        self._placed = {other: place for other, place in self._placed.items() if place[1] > now_ms or other == key}
        known = self._placed.get(key)
        if known is not None:
            return known[0]
        taken = Counter(member for member, _ in self._placed.values())
        return next((member for member in self._members if taken[member] < MOST_BOUNDS), self._members[0])

    def told(self, event: Limited, member: str) -> None:
        """A node was told a limit, and took it."""
        limit = event.limit
        self._placed[limit.source, limit.circuit, limit.connector] = (member, event.until_ms)
