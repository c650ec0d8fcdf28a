"""The leader's side: counts promises, each from when its heartbeat was sent, and knows until when they suffice.

Counted from sending, a promise is over here before it is over with the voter, whatever the delay: so two
leaders never have more than half of the weight at one instant.
"""

from collections.abc import Sequence

from powershare.errors import ContractError

NEVER = -(1 << 62)
"""Before every instant."""


class Authority:
    """The promises that one leader counts.

    Args:
        weights: Each member's weight; their sum is odd, so that half is never reached by two.
        counted_ms: How long a promise counts from the sending of its heartbeat.
    """

    __slots__ = ("_counted_ms", "_need", "_until_ms", "_weights", "until_ms")

    def __init__(self, weights: Sequence[int], counted_ms: int) -> None:
        total = sum(weights)
        if total % 2 == 0:
            raise ContractError(f"the weights add up to {total}; their sum must be odd, or two halves could both lead")
        self._weights, self._counted_ms = tuple(weights), counted_ms
        self._need = total // 2 + 1
        self._until_ms = [NEVER] * len(weights)
        self.until_ms = NEVER
        """Authority ends at this instant, unless more promises come in before it."""

    def count(self, member: int, sent_ms: int) -> None:
        """Count one member's promise.

        Args:
            member: Its number.
            sent_ms: When the heartbeat that it answered was sent.
        """
        until_ms = sent_ms + self._counted_ms
        if until_ms <= self._until_ms[member]:
            return
        self._until_ms[member] = until_ms
        weight = 0
        for counted_ms, voter in sorted(zip(self._until_ms, range(len(self._weights)), strict=True), reverse=True):
            weight += self._weights[voter]
            if weight >= self._need:
                self.until_ms = counted_ms
                return

    def drop(self) -> None:
        """Count nobody any more."""
        self._until_ms = [NEVER] * len(self._weights)
        self.until_ms = NEVER
