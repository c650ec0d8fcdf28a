"""Orders as charging profiles: amps or watts, one decimal, never above the order; and a time at which they end.

A lease is made of two things (OCPP 1.6, 3.13 and 7.8; OCPP 2.0.1, K01): a lower `TxDefaultProfile` that stays, and
above it a profile with a `duration`. When nobody renews it, what stays counts again, whether or not anybody can reach
the station.
"""

import datetime as dt
import enum
from typing import Any

import attrs

from powershare.units import Milliamps, load_ma_from_amps

_TENTHS = 10
_OWN_IDS = 7_000
"""Our profiles' ids begin here, so that a person who lists them sees whose they are."""

_FALLBACK, _LEASE = 1, 2


class Rung(enum.IntEnum):
    """Ways of telling a station what ends, the best one first; what a station refuses is not tried again."""

    TRANSACTION = 0
    """A `TxProfile` with a duration, above a `TxDefaultProfile` that stays. It needs a transaction."""
    STACKED = 1
    """A `TxDefaultProfile` with a duration, one level above the one that stays."""
    TWO_PERIODS = 2
    """One `TxDefaultProfile` of two periods, of which the second stays."""


@attrs.frozen
class Scale:
    """How a connector is told amounts.

    Attributes:
        unit: `A`, per line; `W`, of all lines together.
        volts: Between line and neutral; never above what the station reckons with, or it would offer more.
        lines: Lines that the station reckons with; never above its own count, for the same reason.
    """

    unit: str
    volts: int
    lines: int

    @property
    def told_lines(self) -> int | None:
        """Lines that a profile has to name; None: with amps none."""
        return self.lines if self.unit == "W" else None

    def amount(self, offered_ma: Milliamps) -> float:
        """An offer in the station's unit, in tenths, rounded down (the schema: a multiple of 0.1)."""
        if self.unit == "A":
            return offered_ma // 100 / _TENTHS
        return offered_ma * self.volts * self.lines // 100 / _TENTHS

    def offered_ma(self, amount: float, unit: str, phases: int | None) -> Milliamps:
        """What a station says, rounded up; watts on fewer lines are more amps.

        Args:
            amount: What it says, 0 or more.
            unit: In which unit.
            phases: On how many lines, as far as it says.
        """
        thousandths = load_ma_from_amps(amount)  # exact decimal arithmetic, for watts as well
        if unit == "A":
            return thousandths
        lines = min(phases, self.lines) if phases is not None and 1 <= phases <= 3 else self.lines
        return -(-thousandths // (self.volts * lines))


@attrs.frozen(kw_only=True)
class Window:
    """When a lease begins and ends, by the station's clock.

    Attributes:
        start_ms: Since 1970, not after the present: a profile that is not yet valid is none.
        duration_s: Until its end.
    """

    start_ms: int
    duration_s: int

    @property
    def end_ms(self) -> int:
        """Since 1970."""
        return self.start_ms + self.duration_s * 1_000


def window(now_ms: int, end_ms: int, behind_ms: int) -> Window | None:
    """The window of a lease that is never over later than ordered; None: it would be over at once.

    A clock that is behind would keep a lease for longer, so that it ends earlier by what the clock may be behind. One
    that is ahead ends it too early, and no allowance is made for that: it may be set right at any moment.

    Args:
        now_ms: The present, since 1970.
        end_ms: When the order is over, since 1970.
        behind_ms: By how much the station's clock may be behind; negative: it is ahead for sure.
    """
    station_now_ms = now_ms - behind_ms
    station_end_ms = end_ms - max(0, behind_ms)
    if station_end_ms <= station_now_ms:
        return None
    duration_s = -(-(station_end_ms - station_now_ms) // 1_000)
    return Window(start_ms=station_end_ms - duration_s * 1_000, duration_s=duration_s)


@attrs.frozen(kw_only=True)
class Profile:
    """A charging profile, whichever version it is told in.

    Attributes:
        number: Its id.
        level: Its stack level.
        purpose: `TxDefaultProfile` or `TxProfile`.
        unit: `A` or `W`.
        lines: On how many lines its watts are reckoned; None: its amounts are amps, per line whatever their number,
            and a number that a station does not have would only be refused.
        periods: Seconds after its start, and the amount from then on.
        start_ms: Since 1970; None: at the start of a transaction, whichever it is.
        duration_s: After which it ends; None: it stays.
        transaction: The transaction's number or name; None: it is not said.
    """

    number: int
    level: int
    purpose: str
    unit: str
    lines: int | None
    periods: tuple[tuple[int, float], ...]
    start_ms: int | None = None
    duration_s: int | None = None
    transaction: int | str | None = None

    @property
    def kind(self) -> str:
        """In the protocol's words."""
        return "Relative" if self.start_ms is None else "Absolute"

    @property
    def end_ms(self) -> int | None:
        """Since 1970; None: it has no end of its own."""
        if self.start_ms is None or self.duration_s is None:
            return None
        return self.start_ms + self.duration_s * 1_000

    def told_periods(self) -> list[dict[str, Any]]:
        """Its periods as every version tells them."""
        phases = {} if self.lines is None else {"numberPhases": self.lines}
        return [{"startPeriod": start_s, "limit": amount} | phases for start_s, amount in self.periods]


def fallback_profile(connector: int, then_ma: Milliamps, scale: Scale, level: int) -> Profile:
    """The profile that stays: from the start of a transaction, whichever it is, to its end."""
    return Profile(
        number=_OWN_IDS + 10 * connector + _FALLBACK,
        level=level,
        purpose="TxDefaultProfile",
        unit=scale.unit,
        lines=scale.told_lines,
        periods=((0, scale.amount(then_ma)),),
    )


@attrs.frozen(kw_only=True)
class Lease:
    """What is to hold for a while.

    Attributes:
        connector: Where.
        offered_ma: The most it may offer until the window's end.
        then_ma: The most it may offer afterwards.
        window: Until when.
        transaction: The transaction, if its number or name is known.
    """

    connector: int
    offered_ma: Milliamps
    then_ma: Milliamps
    window: Window
    transaction: int | str | None = None


def lease_profile(lease: Lease, rung: Rung, scale: Scale, level: int) -> Profile:
    """The profile that ends. The next one takes its place, since id, purpose and level are the same.

    One of two periods is the one that stays, and has its id: where there is one level, there is one profile of a
    purpose (OCPP 2.0.1, K01.FR.06).
    """
    periods: tuple[tuple[int, float], ...] = ((0, scale.amount(lease.offered_ma)),)
    two = rung is Rung.TWO_PERIODS
    return Profile(
        number=_OWN_IDS + 10 * lease.connector + (_FALLBACK if two else _LEASE),
        level=level,
        purpose="TxProfile" if rung is Rung.TRANSACTION else "TxDefaultProfile",
        unit=scale.unit,
        lines=scale.told_lines,
        periods=(*periods, (lease.window.duration_s, scale.amount(lease.then_ma))) if two else periods,
        start_ms=lease.window.start_ms,
        duration_s=None if two else lease.window.duration_s,
        transaction=lease.transaction if rung is Rung.TRANSACTION else None,
    )


def time_text(instant_ms: int) -> str:
    """An instant since 1970 as the protocol writes it, to the millisecond."""
    seconds, millis = divmod(instant_ms, 1_000)
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{millis:03}Z"


def instant_ms(text: object) -> int | None:
    """An instant since 1970, rounded down; None: that is none. Without a zone it is universal time (3.12)."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
        at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at
        return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
