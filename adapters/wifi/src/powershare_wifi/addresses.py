"""Where each member is: what somebody wrote down, what was found, and where it was really heard from. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

HEARD_MS = 15_000
"""An address from which a member was heard counts so long before any other."""

MOST_FOUND = 8
"""So many addresses of one announcement are tried."""

_A = TypeVar("_A")


class Addresses(Generic[_A]):
    """The addresses of members elsewhere."""

    def __init__(self) -> None:
        self._written: dict[str, _A] = {}
        self._found: dict[str, tuple[_A, ...]] = {}
        self._heard: dict[str, tuple[_A, int]] = {}

    def write(self, written: Mapping[str, _A]) -> None:
        """Somebody has written down where these are."""
        self._written.update(written)

    def find(self, member: str, addresses: Sequence[_A]) -> None:
        """A member announces itself there; nowhere: no longer.

        A host has addresses on networks that others are not on: of virtual machines, of containers, a cable to its
        device. Which of them is the one, only an answer tells.
        """
        self._found[member] = tuple(addresses[:MOST_FOUND])

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
        known = self.known(member)
        return known[0] if known else None

    def known(self, member: str) -> tuple[_A, ...]:
        """Everywhere it may be, the likeliest first: as written, as found, as heard last."""
        written, heard = self._written.get(member), self._heard.get(member)
        places = ([] if written is None else [written], self._found.get(member, ()), [] if heard is None else heard[:1])
        return tuple(dict.fromkeys(place for some in places for place in some))
