"""Telling our own words, which some serial adapters give back, from those of another controller."""

from collections import deque

from powershare.errors import AdapterUnavailable
from powershare_serial.twc.messages import Message, shown

_WITHIN_MS = 2_000
_MOST = 32


class Echoes:
    """What we said lately. Once it is clear that nothing comes back, whatever looks like ours is somebody else's."""

    def __init__(self) -> None:
        self._said: deque[tuple[int, Message]] = deque(maxlen=_MOST)
        self._heard = self._deaf = False

    def said(self, message: Message, now_ms: int) -> None:
        """We have said this."""
        self._said.append((now_ms, message))

    def learned(self) -> None:
        """Enough has been said to know whether any of it comes back."""
        self._deaf = not self._heard

    def take(self, message: Message, now_ms: int) -> bool:
        """Return whether this is ours, come back; each of ours comes back once."""
        if self._deaf:
            return False
        while self._said and now_ms - self._said[0][0] > _WITHIN_MS:
            self._said.popleft()
        for entry in self._said:
            if entry[1] == message:
                self._said.remove(entry)
                self._heard = True
                return True
        return False


def stranger(name: str, message: Message) -> AdapterUnavailable:
    """Return the error for a controller's words on a wire that are not ours.

    Args:
        name: The wire.
        message: What was heard.
    """
    sender = getattr(message, "sender", None)
    who = "another controller" if sender is None else f"another controller, {shown(sender)},"
    return AdapterUnavailable(
        f"{name}: {who} speaks on this wire; nothing is said any more. A wire has one controller: set the rotary "
        "switch of every unit to F, and end other programs that control them"
    )
