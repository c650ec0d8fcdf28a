"""Stations that dial in and are not let in: they go on dialling, and wait for a person to admit them."""

import logging
from collections import OrderedDict

import attrs

from powershare.adapter import Clock

_MOST_KEPT = 8
_MOST_TOLD = 32
_WAITS_MS = 10_000
"""One that is refused again after so long waits; before, its address may only not have been opened yet."""

_LOG = logging.getLogger("powershare_ocpp.strangers")


@attrs.define
class _Stranger:
    words: str
    since_ms: int
    told: bool = False


class Strangers:
    """Those of one central system.

    Args:
        place: Where it listens, as addresses write it.
        clock: Where the time comes from.
    """

    def __init__(self, place: str, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._kept: OrderedDict[tuple[str, str], _Stranger] = OrderedDict()
        self._told = 0

    def refused(self, station: str, why: str, *, unnamed: bool) -> None:
        """Take note of one. It is told of once, in the log, if it goes on dialling.

        Args:
            station: Its identifier, as it says.
            why: It was not let in.
            unnamed: Whether an address that names it would let it in.
        """
        station, now_ms = station[:48], self._clock.now_ms()
        stranger = self._kept.setdefault((station, why), _Stranger(f"{station!r} ({why})", now_ms))
        self._kept.move_to_end((station, why))
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        if not stranger.told and now_ms - stranger.since_ms >= _WAITS_MS and self._told < _MOST_TOLD:
            stranger.told, self._told = True, self._told + 1
            address = f"ocpp:{station}/1?listen={self._place}"
            remedy = f"; to admit it, give a connector the adapter {address!r}" if unnamed else ""
            _LOG.warning("a station waits at %s: %s%s", self._place, stranger.words, remedy)

    def admitted(self, station: str) -> None:
        """It was let in."""
        for key in [key for key in self._kept if key[0] == station]:
            del self._kept[key]

    def words(self) -> str:
        """All of them, for a person; nothing where there are none."""
        return ", ".join(stranger.words for stranger in self._kept.values())
