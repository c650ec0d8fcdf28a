"""Who is let through to the nodes, and how often: an old datagram that comes again costs little, however often it does.

Replays are no danger to a node, which refuses them by its own stamps; but looking at one takes a node longer than
sending it takes whoever floods us. So what is newer than all that its sender's process has sealed goes through always,
and everything else - late, twice, recorded, of a process not heard before - so many times a second.
"""

from collections import OrderedDict

import attrs

OLDER_PER_S = 32
"""How many datagrams of one sender a second go through that may have been seen before: late ones are fewer."""

STARTS_KEPT = 64
"""So many processes of one sender are told apart; one that was forgotten counts as not heard before."""


@attrs.define
class _Sender:
    """What was let through of one member.

    Attributes:
        newest: The highest count of each of its processes, the one heard last at the end.
        left: How many more that may be old go through now, in thousandths.
        at_ms: When that was reckoned.
    """

    at_ms: int
    newest: OrderedDict[bytes, int] = attrs.field(factory=OrderedDict)
    left: int = OLDER_PER_S * 1_000


class Gate:
    """Lets datagrams through whose tag has been checked."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}

    def is_new(self, sender: str, start: bytes, count: int) -> bool:
        """Whether it is newer than all that a known process of its sender has sealed: nobody can have recorded it."""
        known = self._senders.get(sender)
        newest = None if known is None else known.newest.get(start)
        return newest is not None and count > newest

    def passes(self, sender: str, start: bytes, count: int, now_ms: int) -> bool:
        """Whether this one goes through to its node.

        Args:
            sender: Who sealed it.
            start: The random bytes of the sender's process.
            count: How many that had sealed before.
            now_ms: Now.
        """
        known = self._senders.get(sender)
        if known is None:
            known = self._senders[sender] = _Sender(now_ms)
        newest = known.newest.get(start)
        if newest is None or count <= newest:
            known.left = min(OLDER_PER_S * 1_000, known.left + (now_ms - known.at_ms) * OLDER_PER_S)
            known.at_ms = now_ms
            if known.left < 1_000:
                return False
            known.left -= 1_000
        if newest is None or count > newest:
            known.newest[start] = count
            known.newest.move_to_end(start)
            if len(known.newest) > STARTS_KEPT:
                known.newest.popitem(last=False)
        return True
