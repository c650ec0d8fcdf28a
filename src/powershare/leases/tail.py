"""What a unit may still be drawing after its ceiling was lowered: a sliding maximum over a vehicle's time to follow.

A lowered ceiling counts on until the vehicle surely has followed. That time starts when the pilot is
known to say no more than the new ceiling: at the device's answer and not at the decision, since a write can stall; but
not before the decision either, where the answer is of before.
"""

import attrs

from powershare.units import Milliamps

SLOTS = 8
"""So many former ceilings are told apart; more are merged upward, to the higher one and the later end."""


@attrs.define
class _Former:
    """One former ceiling that may still be in effect."""

    ceiling_ma: Milliamps
    until_ms: int | None  # None: not before the device answers
    decided_ms: int
    write: int  # the write whose answer starts its end
    latest_ms: int | None  # ends then without any answer: the device left alone has fallen back by then


class Tail:
    """Former ceilings, each until it surely is out of effect.

    Attributes:
        tail_ms: How long after the pilot's change a vehicle has surely followed.
    """

    __slots__ = ("_formers", "tail_ms")

    def __init__(self, tail_ms: int) -> None:
        self.tail_ms = tail_ms
        self._formers: list[_Former] = []

    def most_ma(self, now_ms: int) -> Milliamps:
        """The greatest that is still in effect; 0: none."""
        if not self._formers:
            return 0
        self.forget(now_ms)
        return max((former.ceiling_ma for former in self._formers), default=0)

    def next_ms(self) -> int | None:
        """When the next one ends by time alone; None: none does."""
        ends = [former.until_ms if former.until_ms is not None else former.latest_ms for former in self._formers]
        return min((end_ms for end_ms in ends if end_ms is not None), default=None)

    def lowered(
        self, former_ma: Milliamps, now_ms: int, *, pilot_is_low: bool, write: int, latest_ms: int | None = None
    ) -> None:
        """A ceiling was lowered.

        Args:
            former_ma: The ceiling before.
            now_ms: When it was decided.
            pilot_is_low: Whether the pilot surely says no more than the new ceiling already.
            write: Otherwise: the write that brings it there.
            latest_ms: When the device has brought itself there, if no answer comes before; None: never.
        """
        self.forget(now_ms)
        until_ms = now_ms + self.tail_ms if pilot_is_low else None
        self._formers.append(_Former(former_ma, until_ms, now_ms, write, latest_ms))
        if len(self._formers) > SLOTS:
            self._merge()

    def answered(self, write: int, at_ms: int) -> None:
        """The device answered that it carried out a write, and so every write before it."""
        for former in self._formers:
            if former.until_ms is None and former.write <= write:
                former.until_ms = max(at_ms, former.decided_ms) + self.tail_ms

    def opened(self) -> None:
        """The contactor is open: nothing is drawn, and nothing can be but by the pilot as it is now."""
        self._formers = [former for former in self._formers if former.until_ms is None]

    def forget(self, now_ms: int) -> None:
        """Drop what has ended."""
        for former in self._formers:
            if (former.latest_ms is not None and former.latest_ms <= now_ms) or (
                former.until_ms is not None and former.until_ms <= now_ms
            ):
                break
        else:
            return
        self._formers = [
            former
            for former in self._formers
            if (former.latest_ms is None or former.latest_ms > now_ms)
            and (former.until_ms is None or former.until_ms > now_ms)
        ]

    def _merge(self) -> None:
        """Make one of the two oldest: the higher ceiling, for as long as the longer of the two."""
        first, second, *rest = self._formers
        ends = (first.until_ms, second.until_ms)
        latests = (first.latest_ms, second.latest_ms)
        merged = _Former(
            ceiling_ma=max(first.ceiling_ma, second.ceiling_ma),
            until_ms=None if None in ends else max(end for end in ends if end is not None),
            decided_ms=max(first.decided_ms, second.decided_ms),
            write=max(first.write, second.write),
            latest_ms=None if None in latests else max(end for end in latests if end is not None),
        )
        self._formers = [merged, *rest]
