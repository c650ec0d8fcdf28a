"""What is known of a vehicle's VIN, which a unit tells in three parts when it is asked, and when to ask.

A vehicle that is no Tesla has none: a unit then tells zeros for ever, and whoever goes on asking loses the unit
(https://github.com/ngardiner/TWCManager issue 453). So it is asked a few times when a vehicle comes, and rarely after.
A vehicle that sleeps looks like none at all but for its VIN (O of `powershare_serial.twc.messages`).
"""

from powershare_serial.twc.messages import VIN_LENGTHS, VIN_PARTS, Question, VinPart

_EAGER_TRIES = 10
_EAGER_MS = 500
_RARELY_MS = 60_000


class Vin:
    """The VIN at one unit.

    Attributes:
        text: All of it, once known; None before.
        next_ms: When to ask for the next part.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self._parts: dict[Question, str] = {}
        self._plugged = False
        self._tries = 0
        self.next_ms = 0

    @property
    def sought(self) -> bool:
        """Whether a vehicle has just come whose VIN may still be told."""
        return self._plugged and self.text is None and self._tries < _EAGER_TRIES

    def forget(self, now_ms: int) -> None:
        """Nobody has watched: another vehicle may be there."""
        self.text, self._parts, self._tries, self.next_ms = None, {}, 0, now_ms

    def watch(self, *, plugged: bool, now_ms: int) -> None:
        """The unit says whether a vehicle is there, as far as it can tell."""
        if plugged and not self._plugged:
            self.forget(now_ms)
        self._plugged = plugged

    @property
    def part(self) -> Question:
        """The part to ask for next; of a VIN that is known, the first once more."""
        if self.text is not None:
            return VIN_PARTS[0]
        return next((part for part in VIN_PARTS if part not in self._parts), VIN_PARTS[0])

    def asked(self, now_ms: int) -> None:
        """The unit is being asked for a part."""
        self._tries += 1
        self.next_ms = now_ms + (_EAGER_MS if self.sought else _RARELY_MS)

    def hear(self, message: VinPart, now_ms: int) -> None:
        """The unit told a part, or that there is none."""
        part, text = message.part, message.text
        if len(text) != VIN_LENGTHS[VIN_PARTS.index(part)]:
            if part is VIN_PARTS[0] and self.text is not None:
                self.forget(now_ms + _RARELY_MS)
            return
        if self.text is not None and self._parts.get(part) != text:
            self.forget(now_ms)
        self._parts[part] = text
        self.next_ms = min(self.next_ms, now_ms) if len(self._parts) < len(VIN_PARTS) else now_ms + _RARELY_MS
        if len(self._parts) == len(VIN_PARTS):
            self.text = "".join(self._parts[each] for each in VIN_PARTS)
