"""Limits from outside: the charging profiles of a central system behind this one, and what they allow when; no I/O.

They are kept and stacked as a station would (OCPP 1.6, 3.13; OCPP 2.0.1, K01 and K08), and never reach the station.
Of one purpose the highest stack level that is in force counts. A transaction's own profile counts before a default
one, of the default ones the connector's own before the station's, and the station's greatest bounds what comes of it.

# Rule 1: a limit only lowers. What is not understood is refused when it comes, and what is kept has been understood.
# Rule 2: a limit stays in force for as long as its schedule says, whether or not anybody can reach who set it.
# Rule 3: watts count on all lines of the connector, whatever number of phases is told with them: fewer amps.
"""

import bisect
import enum
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from powershare.errors import AdapterRejected
from powershare.units import Milliamps

MOST_CHANGES = 1_000
"""So many changes of what is allowed are looked at; whoever set more is no central system that means it."""

MOST_PROFILES = 24
"""So many are kept for a station; a further one is refused, as by a station that is full."""

MOST_PERIODS = 128
"""A schedule has so many periods at the most, one that is told included."""


class Purpose(enum.IntEnum):
    """What a profile is for."""

    STATION = 0
    """A bound for the whole station: `ChargePointMaxProfile`, `ChargingStationMaxProfile`, external constraints."""
    DEFAULT = 1
    """What a transaction without a profile of its own has: `TxDefaultProfile`."""
    TRANSACTION = 2
    """`TxProfile`."""


class Kind(enum.Enum):
    """When a schedule begins."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


@attrs.frozen
class Transaction:
    """A transaction of a connector.

    Attributes:
        id: By which the central system behind knows it; None: it has not numbered it yet.
        since_ms: When it began, since 1970.
    """

    id: str | None
    since_ms: int


@attrs.frozen(kw_only=True)
class OutsideProfile:
    """One profile.

    Attributes:
        id: Its number, by which another one takes its place.
        connector: Where; 0 is the station.
        level: Its stack level; the higher one counts.
        purpose: What it is for.
        kind: When its schedule begins.
        came_ms: When it came, since 1970: a schedule without a beginning of its own begins here, or with a transaction.
        start_ms: When its schedule begins, since 1970; None: it does not say.
        every_ms: After how long it begins again; None: never.
        from_ms: From when on it is valid, since 1970; None: from always.
        to_ms: Until when it is valid, since 1970; None: for ever.
        duration_ms: How long its schedule lasts; None: its last period has no end.
        in_watts: Whether its amounts are watts of all lines, and not amps of each.
        periods: From when on, in milliseconds since its beginning, so many thousandths of an amp or a watt.
        transaction: The transaction it is for; None: whichever there is.
        raw: As it came, to be kept.
    """

    id: int
    connector: int
    level: int
    purpose: Purpose
    kind: Kind
    came_ms: int
    start_ms: int | None = None
    every_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    duration_ms: int | None = None
    in_watts: bool = False
    periods: tuple[tuple[int, int], ...]
    transaction: str | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    def begins_ms(self, now_ms: int, since_ms: int | None) -> int | None:
        """When the schedule that counts began, since 1970; None: it has not.

        Args:
            now_ms: The present, since 1970.
            since_ms: When the connector's transaction began; None: there is none, and the next one begins now.
        """
        if self.kind is Kind.RELATIVE or self.start_ms is None:
            if self.purpose is Purpose.STATION:
                return self.came_ms
            return now_ms if since_ms is None else since_ms
        if now_ms < self.start_ms:
            return None
        if self.every_ms is None:
            return self.start_ms
        return now_ms - (now_ms - self.start_ms) % self.every_ms

    def thousandths(self, now_ms: int, since_ms: int | None) -> int | None:
        """What it allows now, in its own unit; None: it is not in force."""
        begins_ms = self.begins_ms(now_ms, since_ms)
        if begins_ms is None or (self.from_ms is not None and now_ms < self.from_ms):
            return None
        if self.to_ms is not None and now_ms >= self.to_ms:
            return None
        passed_ms = now_ms - begins_ms
        if self.duration_ms is not None and passed_ms >= self.duration_ms:
            return None
        begun = bisect.bisect_right(self.periods, passed_ms, key=_start_ms)
        return self.periods[begun - 1][1] if begun else None

    @property
    def least(self) -> int:
        """The least that it allows at any time, in its own unit."""
        return min(amount for _, amount in self.periods)

    def changes_ms(self, now_ms: int, since_ms: int | None) -> Iterator[int]:
        """Instants after now, since 1970, at which what it allows may change; the next one is among them."""
        begins_ms = self.begins_ms(now_ms, since_ms)
        edges = [self.from_ms, self.to_ms]
        if begins_ms is None:
            edges.append(self.start_ms)
        else:
            begun = bisect.bisect_right(self.periods, now_ms - begins_ms, key=_start_ms)
            edges += [begins_ms + start_ms for start_ms, _ in self.periods[begun : begun + 1]]
            if self.duration_ms is not None:
                edges.append(begins_ms + self.duration_ms)
            if self.every_ms is not None and self.kind is Kind.RECURRING:
                edges.append(begins_ms + self.every_ms)
        yield from (edge_ms for edge_ms in edges if edge_ms is not None and edge_ms > now_ms)


@attrs.frozen(kw_only=True)
class Wiring:
    """What amounts mean at one connector.

    Attributes:
        lines: Lines that it is wired to.
        volts: Voltage between line and neutral by which watts are told as amps.
        shares: Among how many connectors a limit of the whole station is divided.
    """

    lines: int
    volts: int
    shares: int = 1


@attrs.frozen
class Allowed:
    """What the profiles allow at one instant.

    Attributes:
        most_ma: Per line; None: they say nothing.
        until_ms: When that may change, since 1970; None: never by itself.
    """

    most_ma: Milliamps | None
    until_ms: int | None


class OutsideProfiles:
    """The profiles that the central system behind has set at one station."""

    def __init__(self) -> None:
        self._kept: list[OutsideProfile] = []

    def __iter__(self) -> Iterator[OutsideProfile]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, profile: OutsideProfile) -> bool:
        """Take one in, in the place of the one of the same number, or of the same connector, purpose and level.

        Returns:
            Whether it was taken; False: there are too many.
        """
        place = (profile.connector, profile.purpose, profile.level)
        others = [
            one for one in self._kept if one.id != profile.id and (one.connector, one.purpose, one.level) != place
        ]
        if len(others) >= MOST_PROFILES:
            return False
        self._kept = [*others, profile]
        return True

    def clear(
        self,
        *,
        number: int | None = None,
        connector: int | None = None,
        purpose: Purpose | None = None,
        level: int | None = None,
    ) -> bool:
        """Remove those that fit everything that is given (a number: that one alone); whether there were any."""

        def fits(one: OutsideProfile) -> bool:
            if number is not None:
                return one.id == number
            wanted = ((connector, one.connector), (purpose, one.purpose), (level, one.level))
            return all(asked is None or asked == its for asked, its in wanted)

        before = len(self._kept)
        self._kept = [one for one in self._kept if not fits(one)]
        return len(self._kept) < before

    def ended(self, connector: int) -> None:
        """A transaction ended: its profiles end with it (1.6, 3.13.1; 2.0.1, K01.FR.15)."""
        place = (connector, Purpose.TRANSACTION)
        self._kept = [one for one in self._kept if (one.connector, one.purpose) != place]

    def allowed(self, connector: int, now_ms: int, transaction: Transaction | None, wiring: Wiring) -> Allowed:
        """What they allow one connector now, and when that may change.

        Args:
            connector: It, from 1.
            now_ms: The present, since 1970.
            transaction: Its transaction; None: it has none.
            wiring: What amounts mean there.
        """
        since_ms = None if transaction is None else transaction.since_ms
        here = [one for one in self._kept if self._concerns(one, connector, transaction)]
        order = ((Purpose.TRANSACTION, connector), (Purpose.DEFAULT, connector), (Purpose.DEFAULT, 0))
        found_ma = (_counts_ma(here, purpose, place, now_ms, since_ms, wiring) for purpose, place in order)
        own_ma = next((most_ma for most_ma in found_ma if most_ma is not None), None)
        station_ma = _counts_ma(here, Purpose.STATION, 0, now_ms, since_ms, wiring)
        if station_ma is not None:
            station_ma //= wiring.shares
        changes = (edge_ms for one in here for edge_ms in one.changes_ms(now_ms, since_ms))
        bounds_ma = [most_ma for most_ma in (own_ma, station_ma) if most_ma is not None]
        return Allowed(min(bounds_ma, default=None), min(changes, default=None))

    def least_ma(self, connector: int, now_ms: int, wiring: Wiring) -> Milliamps | None:
        """The least that they will allow one connector at any time from now on; None: they say nothing.

        Profiles of transactions are left out: they end with them.
        """
        return min(
            (
                _in_amps(one, one.least, wiring) // (wiring.shares if one.purpose is Purpose.STATION else 1)
                for one in self._kept
                if one.connector in (0, connector) and one.purpose is not Purpose.TRANSACTION
                if one.to_ms is None or now_ms < one.to_ms
            ),
            default=None,
        )

    def schedule(
        self, connector: int, now_ms: int, until_ms: int, transaction: Transaction | None, wiring: Wiring
    ) -> Iterator[tuple[int, Milliamps | None]]:
        """What they allow from now on until then: from when on, and how much.

        Raises:
            AdapterRejected: It changes more often than any schedule that is meant.
        """
        at_ms: int | None = now_ms
        changes = 0
        while at_ms is not None and at_ms < until_ms:
            allowed = self.allowed(connector, at_ms, transaction, wiring)
            yield at_ms, allowed.most_ma
            at_ms = allowed.until_ms
            changes += 1
            if changes > MOST_CHANGES:
                raise AdapterRejected(f"what is allowed changes more than {MOST_CHANGES} times")

    @staticmethod
    def _concerns(one: OutsideProfile, connector: int, transaction: Transaction | None) -> bool:
        if one.connector not in (0, connector):
            return False
        if one.purpose is not Purpose.TRANSACTION:
            return True
        return transaction is not None and one.transaction in (None, transaction.id)


def _counts_ma(
    here: list[OutsideProfile], purpose: Purpose, place: int, now_ms: int, since_ms: int | None, wiring: Wiring
) -> Milliamps | None:
    """What those of one purpose and place allow; None: none of them is in force."""
    fitting = [one for one in here if (one.purpose, one.connector) == (purpose, place)]
    for one in sorted(fitting, key=lambda one: one.level, reverse=True):
        amount = one.thousandths(now_ms, since_ms)
        if amount is not None:
            return _in_amps(one, amount, wiring)
    return None


def _in_amps(one: OutsideProfile, amount: int, wiring: Wiring) -> Milliamps:
    return amount // (wiring.volts * wiring.lines) if one.in_watts else amount


def _start_ms(period: tuple[int, int]) -> int:
    return period[0]


def least_ma(schedule: Iterator[tuple[int, Milliamps | None]]) -> Milliamps | None:
    """The least that a schedule allows at any instant; None: it says nothing at any."""
    return min((most_ma for _, most_ma in schedule if most_ma is not None), default=None)
