"""Whether a station does what it says: its meter against its own words."""

from powershare.adapter import Clock
from powershare.units import LineMilliamps, Milliamps, amps_text

_FOLLOWS_MS = 30_000
"""So long vehicles take to follow a lower pilot, the slow ones; those that go down step by step, to the next step."""

_FALLS_MA = 500

_SPARE_MA = 1_000
"""Beside a tenth of it, more than what is offered may be measured: meters and vehicles are not exact."""


class Obedience:
    """Of one connector.

    Args:
        clock: Where the time comes from.
        greatest_ma: What it counts with when it does not obey.
    """

    def __init__(self, clock: Clock, greatest_ma: Milliamps) -> None:
        self._clock, self._greatest_ma = clock, greatest_ma
        self._beyond: tuple[int, Milliamps] | None = None  # since when, and the least that was drawn since then

    def counted(self, offered_ma: Milliamps, drawn_ma: LineMilliamps | None) -> tuple[Milliamps, str | None]:
        """What it counts with, and what is wrong.

        A profile that was accepted, and that the composite schedule shows, proves nothing of the pilot: where more
        is drawn than is said to be offered, reading after reading, and for longer than vehicles take to follow, the
        greatest offer counts until it is so no more.

        Args:
            offered_ma: What it says it offers.
            drawn_ma: What its meter says; None: it has none.
        """
        most_ma, now_ms = max(drawn_ma or (0,)), self._clock.now_ms()
        if most_ma <= offered_ma + offered_ma // 10 + _SPARE_MA:
            self._beyond = None
        elif self._beyond is None or most_ma <= self._beyond[1] - _FALLS_MA:
            self._beyond = (now_ms, most_ma)  # it has just begun, or follows step by step
        if self._beyond is None or now_ms - self._beyond[0] < _FOLLOWS_MS:
            return offered_ma, None
        return max(offered_ma, self._greatest_ma), (
            f"it says it offers {amps_text(offered_ma)}, and {amps_text(most_ma)} are drawn: "
            "it, or its vehicle, ignores its profile"
        )
