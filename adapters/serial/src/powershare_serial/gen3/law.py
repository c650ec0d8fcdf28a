"""What to publish so that a Gen 3 Wall Connector draws its share and no more: figures in, a figure out.

The reading is always its own draw plus a house that is not there: the Wall Connector stops trusting a meter that does
not follow its own ramps one to one, or reads less than it draws. Only the house is ours to choose. Where the share is
lowered, the house grows in the place of the car as that gives way, so that the reading stays a little above the limit:
that lowers the pilot by about 1 A a second, while a step would open the contactor under load. If the car does not give
way in time the house jumps, and the contactor opens after all. Where the share is raised, the house shrinks slowly.

Every figure: zany92/tesla-loadpilot, docs/en/BEHAVIOR.md, measured on firmware 26.18 and 26.26.
"""

from collections import deque

from powershare.units import Milliamps

DEAD_BAND_MA: Milliamps = 850
"""So far above its limit it does nothing."""
GENTLE_MA: Milliamps = 950
"""So far above its limit it lowers the pilot, and the integral that opens the contactor hardly grows."""
PUSH_MA: Milliamps = 5_000
"""So far above its limit, on top of what is too much, the contactor opens within 5 s."""
SHRINK_MA_PER_S = 150
RAMP_MA: Milliamps = 1_000
RAMP_MS = 8_000
"""A draw that has risen by so much within so long is a ramp, which the reading has to follow in full."""

LATENCY_MS = 5_000
"""From an excess until the pilot moves."""
CAR_MS = 5_000
"""From the pilot until the car moves."""
DOWN_MA_PER_S = 1_000
CUT_MS = 6_000
"""From the push until the contactor is open: 20 A s at 4 A or more above the ampere that does not count."""


def patience_ms(excess_ma: Milliamps) -> int:
    """How long a car may take to give way by so much, before it is cut off."""
    return LATENCY_MS + CAR_MS + excess_ma * 1000 // DOWN_MA_PER_S


class Law:
    """The house that is not there.

    Args:
        meter_limit_ma: The limit that the Wall Connector was told to keep at the meter.
        margin_ma: How far below its share it is held: no less than the dead band.
    """

    def __init__(self, meter_limit_ma: Milliamps, margin_ma: Milliamps) -> None:
        self._meter_limit_ma = meter_limit_ma
        self._margin_ma = margin_ma
        self._house_ma: Milliamps | None = None
        self._told_ms = 0
        self._draws: deque[tuple[int, Milliamps]] = deque()
        self._share_ma: Milliamps = 0
        self._too_much_since_ms: int | None = None
        self._patience_ms = 0

    def share(self, share_ma: Milliamps) -> None:
        """From now on, at most this may be drawn."""
        if share_ma < self._share_ma:
            self._too_much_since_ms = None  # what is too much now is measured anew
        self._share_ma = share_ma

    def forget(self) -> None:
        """Nothing was published for a while: the next reading owes nothing to the last."""
        self._house_ma = self._too_much_since_ms = None
        self._draws.clear()

    def reading_ma(self, own_ma: Milliamps, now_ms: int) -> Milliamps:
        """What the meter says now.

        Args:
            own_ma: What the Wall Connector draws on the line on which it draws most.
            now_ms: The present.
        """
        wanted_ma = max(0, self._meter_limit_ma - self._share_ma + self._margin_ma)
        ramps = self._ramps(own_ma, now_ms)
        room_ma = max(0, self._meter_limit_ma + GENTLE_MA - own_ma)
        house_ma = min(wanted_ma, room_ma) if self._house_ma is None else self._house_ma
        if house_ma < wanted_ma:
            house_ma = max(house_ma, min(wanted_ma, room_ma))
        elif house_ma > wanted_ma and not ramps:
            house_ma = max(wanted_ma, house_ma - SHRINK_MA_PER_S * (now_ms - self._told_ms) // 1000)
        self._house_ma, self._told_ms = house_ma, now_ms
        return house_ma + own_ma + (PUSH_MA if self._cuts(own_ma, now_ms) else 0)

    def _ramps(self, own_ma: Milliamps, now_ms: int) -> bool:
        """Whether the car is on its way up; noise is none."""
        self._draws.append((now_ms, own_ma))
        while self._draws[0][0] < now_ms - RAMP_MS:
            self._draws.popleft()
        return own_ma - min(draw_ma for _, draw_ma in self._draws) >= RAMP_MA

    def _cuts(self, own_ma: Milliamps, now_ms: int) -> bool:
        """Whether the car has had its time to give way."""
        excess_ma = own_ma - self._share_ma
        if excess_ma <= 0:
            self._too_much_since_ms = None
            return False
        if self._too_much_since_ms is None:
            self._too_much_since_ms, self._patience_ms = now_ms, patience_ms(excess_ma)
        return now_ms - self._too_much_since_ms >= self._patience_ms
