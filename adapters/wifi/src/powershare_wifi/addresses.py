"""Where each member is: what somebody wrote down, what was found, and where it was really heard from. No I/O."""

from collections.abc import Mapping
from typing import Generic, TypeVar

HEARD_MS = 15_000
"""An address from which a member was heard counts so long before any other."""

_A = TypeVar("_A")


class Addresses(Generic[_A]):
    """The addresses of members elsewhere."""

    def __init__(self) -> None:
        self._written: dict[str, _A] = {}
        self._found: dict[str, _A] = {}
        self._heard: dict[str, tuple[_A, int]] = {}

    def write(self, written: Mapping[str, _A]) -> None:
        """Somebody has written down where these are."""
        self._written.update(written)

    def find(self, member: str, address: _A | None) -> None:
        """A member announces itself there; None: no longer."""
        if address is None:
            self._found.pop(member, None)
        else:
            self._found[member] = address

    def hear(self, member: str, address: _A, now_ms: int) -> None:
        """A new datagram that the member has sealed came from there."""
        self._heard[member] = (address, now_ms)

    def is_quiet(self, member: str, now_ms: int, after_ms: int) -> bool:
        """Whether nothing new was heard from a member for so long, or ever."""
        heard = self._heard.get(member)
        return heard is None or now_ms - heard[1] > after_ms

    def of(self, member: str, now_ms: int) -> _A | None:
        """Where to send what is for it: where it was heard lately, else as written, else as found, else as heard last.

        Args:
            member: Its name.
            now_ms: Now.

        Returns:
            None where nobody knows.
        """
        heard = self._heard.get(member)
        if heard is not None and now_ms - heard[1] <= HEARD_MS:
            return heard[0]
        last = None if heard is None else heard[0]
        return self._written.get(member) or self._found.get(member) or last
