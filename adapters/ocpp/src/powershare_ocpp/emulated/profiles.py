"""Charging profiles as a station keeps and stacks them (OCPP 1.6, 3.13): written apart from the side that sends them.

They are kept as 1.6 writes them; what 2.0.1 writes otherwise is written so before it is kept.

Of one purpose the highest stack level that is valid counts; a `TxProfile` counts before a `TxDefaultProfile`, of those
the connector's own before the station's, and a `ChargePointMaxProfile` bounds what comes of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from powershare_ocpp.profiles import instant_ms

PURPOSES = ("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile")
_SECONDS = {"Daily": 86_400, "Weekly": 604_800}


@attrs.frozen
class Kept:
    """A profile, as it was set.

    Attributes:
        connector: Where; 0 is the station.
        profile: It.
    """

    connector: int
    profile: Mapping[str, Any]

    @property
    def purpose(self) -> str:
        """What it is for."""
        return str(self.profile["chargingProfilePurpose"])

    @property
    def level(self) -> int:
        """Its stack level."""
        return int(self.profile["stackLevel"])

    def begins_ms(self, now_ms: int, transaction_ms: int | None) -> int | None:
        """When its schedule began, since 1970; None: it has not."""
        schedule, kind = self.profile["chargingSchedule"], self.profile["chargingProfileKind"]
        start_ms = instant_ms(schedule.get("startSchedule"))
        if kind == "Relative" or start_ms is None:
            return now_ms if transaction_ms is None else transaction_ms
        if kind == "Recurring" and start_ms <= now_ms:
            every_ms = _SECONDS.get(self.profile.get("recurrencyKind", "Daily"), 86_400) * 1_000
            return now_ms - (now_ms - start_ms) % every_ms
        return start_ms if start_ms <= now_ms else None

    def period(self, now_ms: int, transaction_ms: int | None) -> Mapping[str, Any] | None:
        """The period that counts now; None: the profile is not valid, or is over."""
        begins_ms = self.begins_ms(now_ms, transaction_ms)
        since_ms, until_ms = instant_ms(self.profile.get("validFrom")), instant_ms(self.profile.get("validTo"))
        if begins_ms is None or (since_ms is not None and now_ms < since_ms):
            return None
        if until_ms is not None and now_ms >= until_ms:
            return None
        schedule = self.profile["chargingSchedule"]
        elapsed_ms, duration_s = now_ms - begins_ms, schedule.get("duration")
        if duration_s is not None and elapsed_ms >= duration_s * 1_000:
            return None
        begun = [one for one in schedule["chargingSchedulePeriod"] if one["startPeriod"] * 1_000 <= elapsed_ms]
        return begun[-1] if begun else None

    def edges_ms(self, now_ms: int, transaction_ms: int | None) -> Iterator[int]:
        """Instants at which something about it changes, those that are past too."""
        begins_ms = self.begins_ms(now_ms, transaction_ms)
        schedule = self.profile["chargingSchedule"]
        if begins_ms is None:
            yield instant_ms(schedule.get("startSchedule")) or now_ms
        else:
            yield from (begins_ms + one["startPeriod"] * 1_000 for one in schedule["chargingSchedulePeriod"])
            if (duration_s := schedule.get("duration")) is not None:
                yield begins_ms + duration_s * 1_000
        for key in ("validFrom", "validTo"):
            if (at_ms := instant_ms(self.profile.get(key))) is not None:
                yield at_ms


class ProfileStore:
    """The profiles of one station.

    Args:
        volts: Voltage by which it tells watts as amps.
        lines: Lines that it reckons with.
        greatest_ma: What it offers without any.
    """

    def __init__(self, volts: int, lines: int, greatest_ma: int) -> None:
        self._volts, self._lines, self._greatest_ma = volts, lines, greatest_ma
        self._kept: list[Kept] = []

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, connector: int, profile: Mapping[str, Any]) -> None:
        """Keep one, in the place of those of the same id, or of the same purpose and level there (5.16.4)."""
        new = Kept(connector, profile)

        def gives_way(old: Kept) -> bool:
            if old.profile["chargingProfileId"] == profile["chargingProfileId"]:
                return True
            return (old.connector, old.purpose, old.level) == (connector, new.purpose, new.level)

        self._kept = [*(old for old in self._kept if not gives_way(old)), new]

    def has(self, connector: int, profile: Mapping[str, Any]) -> bool:
        """Whether there is one of the same place: connector, purpose and level."""
        return any(self._alike(connector, profile))

    def has_other(self, connector: int, profile: Mapping[str, Any], now_ms: int) -> bool:
        """Whether there is one of the same place and of another id, which is not over (2.0.1, K01.FR.06 and 39)."""
        for one in self._alike(connector, profile):
            until_ms = instant_ms(one.profile.get("validTo"))
            if one.profile["chargingProfileId"] != profile["chargingProfileId"] and (
                until_ms is None or now_ms < until_ms
            ):
                return True
        return False

    def _alike(self, connector: int, profile: Mapping[str, Any]) -> Iterator[Kept]:
        new = Kept(connector, profile)
        place = (connector, new.purpose, new.level)
        return (one for one in self._kept if (one.connector, one.purpose, one.level) == place)

    def end_transaction(self, connector: int) -> None:
        """Profiles of a transaction end with it (3.13.1)."""
        self._kept = [one for one in self._kept if (one.connector, one.purpose) != (connector, "TxProfile")]

    def forget_transactions(self) -> None:
        """What a restart leaves: every other profile is in a memory that lasts (3.13.6)."""
        self._kept = [one for one in self._kept if one.purpose != "TxProfile"]

    def clear(self, matches: Mapping[str, Any]) -> bool:
        """Remove those that fit; whether there were any."""

        def fits(one: Kept) -> bool:
            if "id" in matches:
                return bool(one.profile["chargingProfileId"] == matches["id"])
            return bool(
                matches.get("connectorId", one.connector) == one.connector
                and matches.get("chargingProfilePurpose", one.purpose) == one.purpose
                and matches.get("stackLevel", one.level) == one.level
            )

        before = len(self._kept)
        self._kept = [one for one in self._kept if not fits(one)]
        return len(self._kept) < before

    def offered_ma(self, connector: int, now_ms: int, transaction_ms: int | None) -> int:
        """What a connector is to offer, per line, rounded down.

        Args:
            connector: It.
            now_ms: By the station's clock, since 1970.
            transaction_ms: When its transaction began; None: there is none.
        """
        limits_ma = [
            None if transaction_ms is None else self._counts_ma("TxProfile", connector, now_ms, transaction_ms),
            self._counts_ma("TxDefaultProfile", connector, now_ms, transaction_ms),
            self._counts_ma("TxDefaultProfile", 0, now_ms, transaction_ms),
            self._greatest_ma,
        ]
        own_ma = next(limit_ma for limit_ma in limits_ma if limit_ma is not None)
        most_ma = self._counts_ma("ChargePointMaxProfile", 0, now_ms, transaction_ms)
        return min(self._greatest_ma, own_ma, self._greatest_ma if most_ma is None else most_ma)

    def _counts_ma(self, purpose: str, connector: int, now_ms: int, transaction_ms: int | None) -> int | None:
        fitting = [one for one in self._kept if (one.purpose, one.connector) == (purpose, connector)]
        for one in sorted(fitting, key=lambda one: one.level, reverse=True):
            period = one.period(now_ms, transaction_ms)
            if period is not None:
                return self._limit_ma(one.profile["chargingSchedule"]["chargingRateUnit"], period)
        return None

    def _limit_ma(self, unit: str, period: Mapping[str, Any]) -> int:
        thousandths = int(round(period["limit"] * 10) * 100)
        if unit == "A":
            return thousandths
        return int(thousandths // (self._volts * min(period.get("numberPhases", 3), self._lines)))

    def schedule(
        self, connector: int, now_ms: int, duration_s: int, transaction_ms: int | None
    ) -> list[tuple[int, int]]:
        """What it will offer: seconds from now, and milliamps, as far as this is known."""
        until_ms = now_ms + duration_s * 1_000
        edges = {edge for one in self._kept for edge in one.edges_ms(now_ms, transaction_ms)}
        periods = [(0, self.offered_ma(connector, now_ms, transaction_ms))]
        for edge_ms in sorted(edge for edge in edges if now_ms < edge < until_ms):
            offered_ma = self.offered_ma(connector, edge_ms, transaction_ms)
            if offered_ma != periods[-1][1]:
                periods.append((-(-(edge_ms - now_ms) // 1_000), offered_ma))
        return periods
