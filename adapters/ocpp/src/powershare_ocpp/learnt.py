"""What kinds of stations take and refuse, as it was found out: remembered beyond a connection, for all of a kind."""

from collections import OrderedDict
from typing import Any

import attrs

from powershare.adapter import Clock
from powershare_ocpp.profiles import Rung

_KEPT_MS = 24 * 3_600_000
"""After a day what is better is tried again: what was refused may have been refused for another reason."""

_MOST_KINDS = 256


@attrs.frozen
class Kind:
    """Stations that are alike, by what they say of themselves when they start (BootNotification).

    Attributes:
        vendor: Who makes them.
        model: Which of theirs.
        firmware: With which firmware; another one may be better, or worse.
    """

    vendor: str
    model: str
    firmware: str


@attrs.frozen(kw_only=True)
class Learnt:
    """What is known of a kind.

    Attributes:
        rung: The best way of ending orders that it has not refused again and again.
        level: The greatest stack level that it takes; None: what it says of itself has not been found untrue.
    """

    rung: Rung = Rung.TRANSACTION
    level: int | None = None


class Memory:
    """What was found out, for as long as the process lives.

    Args:
        clock: Where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: OrderedDict[str, tuple[str, Kind]] = OrderedDict()
        self._learnt: OrderedDict[tuple[str, Kind], tuple[int, Learnt]] = OrderedDict()

    def starts(self, station: str, version: str, kind: Kind) -> None:
        """A station says what it is, and speaks this version of OCPP."""
        self._kinds[station] = (version, kind)
        self._kinds.move_to_end(station)
        _forget(self._kinds)

    def kind(self, station: str) -> Kind | None:
        """What a station said that it is; None: it has not."""
        known = self._kinds.get(station)
        return None if known is None else known[1]

    def of(self, station: str) -> Learnt:
        """What is known of a station like this one."""
        at_ms, learnt = self._learnt.get(self._kind(station), (0, Learnt()))
        return learnt if self._clock.now_ms() - at_ms < _KEPT_MS else Learnt()

    def learn(self, station: str, learnt: Learnt) -> None:
        """Remember it for all stations like this one."""
        kind = self._kind(station)
        self._learnt[kind] = (self._clock.now_ms(), learnt)
        self._learnt.move_to_end(kind)
        _forget(self._learnt)

    def _kind(self, station: str) -> tuple[str, Kind]:
        # One that has not started since it was first seen is like itself only.
        return self._kinds.get(station, ("", Kind("", station, "")))


def _forget(known: OrderedDict[Any, Any]) -> None:
    while len(known) > _MOST_KINDS:
        known.popitem(last=False)
