"""Transactions, beyond a connection: the numbers that we give (OCPP 1.6), and where those are that stations name."""

from collections import OrderedDict

from powershare_ocpp.wire.frames import Payload, shown

_KEPT = 256


class Transactions:
    """Numbers: one for each, the same again when a station repeats itself, none ever given twice. And places."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._given: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._last = 0

    def started(self, station: str, payload: Payload, now_s: int) -> int:
        """The number of the transaction that a station says has begun.

        Args:
            station: It.
            payload: Its StartTransaction. One that it repeats, since the answer was lost, is the same to the letter.
            now_s: Seconds since 1970. Numbers begin there, so that another process gives others.
        """
        parts = (payload.get(key) for key in ("connectorId", "idTag", "meterStart", "timestamp"))
        key = (station, *map(shown, parts))
        if key not in self._given:
            self._last = max(self._last + 1, now_s % 2**31)
            self._given[key] = self._last
            while len(self._given) > _KEPT:
                self._given.popitem(last=False)
        return self._given[key]

    def placed(self, station: str, transaction: str, evse: int) -> None:
        """A station says at which EVSE a transaction is."""
        self._places[station, transaction] = evse
        self._places.move_to_end((station, transaction))
        while len(self._places) > _KEPT:
            self._places.popitem(last=False)

    def place(self, station: str, transaction: str) -> int | None:
        """Where a transaction is; None: the station has not said so."""
        return self._places.get((station, transaction))
