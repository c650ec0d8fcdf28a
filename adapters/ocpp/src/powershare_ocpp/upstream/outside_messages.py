"""Smart charging as the central system behind asks for it, and as a station would answer; no I/O.

OCPP 1.6 (5.4, 5.7, 5.16, 7.8) and OCPP 2.0.1 (K01, K08, K09, K10) say the same with other words; both become one
`OutsideProfile`. What comes is hostile until it has been read here.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from powershare.errors import AdapterRejected
from powershare.units import Milliamps, limit_ma_from_amps
from powershare_ocpp.profiles import instant_ms, time_text
from powershare_ocpp.upstream.outside import (
    MOST_PERIODS,
    Kind,
    OutsideProfile,
    OutsideProfiles,
    Purpose,
    Transaction,
    Wiring,
)
from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result, shown

_PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        "ChargePointMaxProfile": Purpose.STATION,
        "ChargingStationMaxProfile": Purpose.STATION,
        "ChargingStationExternalConstraints": Purpose.STATION,
        "TxDefaultProfile": Purpose.DEFAULT,
        "TxProfile": Purpose.TRANSACTION,
    }
)
"""In the words of both versions."""

_EVERY_MS = MappingProxyType({"Daily": 86_400_000, "Weekly": 604_800_000})
_MOST_NUMBER = 2**31 - 1
_MOST_THOUSANDTHS = 10**12
_MOST_CONNECTORS = 64
_LONGEST_S = 86_400
_LONGEST = 16_384


@attrs.frozen(kw_only=True)
class Place:
    """What an address says of one connector, as far as a schedule needs it.

    Attributes:
        greatest_ma: Its greatest offer.
        wiring: What amounts mean there.
    """

    greatest_ma: Milliamps
    wiring: Wiring


@attrs.frozen(kw_only=True)
class Present:
    """What is so when a question comes.

    Attributes:
        now_ms: The present, since 1970.
        transactions: By connector, those that there are.
        places: By connector, those that addresses name.
    """

    now_ms: int
    transactions: Mapping[int, Transaction]
    places: Mapping[int, Place]


class Desk:
    """Answers for one station.

    Args:
        profiles: What is kept for it.
        two: Whether it and the central system behind speak OCPP 2.x.
    """

    def __init__(self, profiles: OutsideProfiles, *, two: bool) -> None:
        self._profiles, self._two = profiles, two

    def answers(self, action: str) -> bool:
        """Whether this is for the desk; everything else is for the station."""
        return action in self._HANDLERS

    def answer(self, call: Call, present: Present) -> Message:
        """Answer one question as a station would."""
        try:
            return Result(call.id, self._HANDLERS[call.action](self, call.payload, present))
        except AdapterRejected as error:
            code = "FormatViolation" if self._two else "FormationViolation"
            return Refusal(call.id, code, str(error)[:255])

    def takes(self, connector: int, profile: object, now_ms: int) -> bool:
        """Keep a profile that came with the wish to begin a transaction which has begun; whether it can be kept.

        Args:
            connector: Where it has begun.
            profile: As it came.
            now_ms: The present, since 1970.
        """
        found = begun_with(connector, profile, now_ms)
        return found is not None and self._profiles.put(found)

    def _on_set(self, payload: Payload, present: Present) -> Payload:
        connector = _connector(payload.get("evseId" if self._two else "connectorId"))
        profile = profile_of(
            connector, payload.get("chargingProfile" if self._two else "csChargingProfiles"), present.now_ms
        )
        if connector and connector not in present.places:
            raise AdapterRejected(f"there is no connector {connector} here")
        if profile.purpose is Purpose.TRANSACTION:
            transaction = present.transactions.get(connector)
            if transaction is None or profile.transaction not in (None, transaction.id):
                return {"status": "Rejected"}
        return {"status": "Accepted" if self._profiles.put(profile) else "Rejected"}

    def _on_clear(self, payload: Payload, _present: Present) -> Payload:
        criteria = payload.get("chargingProfileCriteria", {}) if self._two else payload
        if not isinstance(criteria, Mapping):
            raise AdapterRejected(f"these are no criteria: {shown(criteria)}")
        number = payload.get("chargingProfileId" if self._two else "id")
        connector = criteria.get("evseId" if self._two else "connectorId")
        purpose, level = criteria.get("chargingProfilePurpose"), criteria.get("stackLevel")
        removed = self._profiles.clear(
            number=None if number is None else _whole(number, "id"),
            connector=None if connector is None else _connector(connector),
            purpose=None if purpose is None else _purpose(purpose),
            level=None if level is None else _whole(level, "stackLevel"),
        )
        return {"status": "Accepted" if removed else "Unknown"}

    def _on_composite(self, payload: Payload, present: Present) -> Payload:
        connector = _connector(payload.get("evseId" if self._two else "connectorId"))
        duration_s = min(_whole(payload.get("duration"), "duration"), _LONGEST_S)
        unit = payload.get("chargingRateUnit", "A")
        place = present.places.get(connector or min(present.places, default=0))
        if place is None or unit not in ("A", "W"):
            return {"status": "Rejected"}
        periods = self._periods(connector, duration_s, place, present, in_watts=unit == "W")
        schedule: dict[str, Any] = {"duration": duration_s, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
        start = time_text(present.now_ms)
        if self._two:
            return {"status": "Accepted", "schedule": {"evseId": connector, "scheduleStart": start, **schedule}}
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": start,
            "chargingSchedule": schedule,
        }

    def _periods(
        self, connector: int, duration_s: int, place: Place, present: Present, *, in_watts: bool
    ) -> Sequence[Mapping[str, Any]]:
        wiring = place.wiring
        # Of the whole station its own bound is told, undivided.
        seen = attrs.evolve(wiring, shares=1) if connector == 0 else wiring
        transaction, until_ms = present.transactions.get(connector), present.now_ms + duration_s * 1_000
        periods: list[dict[str, Any]] = []
        for at_ms, most_ma in self._profiles.schedule(connector, present.now_ms, until_ms, transaction, seen):
            limit_ma = place.greatest_ma if most_ma is None else min(most_ma, place.greatest_ma)
            amount = (limit_ma * wiring.volts * wiring.lines if in_watts else limit_ma) // 100 / 10
            start_s = -(-(at_ms - present.now_ms) // 1_000)
            if periods and periods[-1]["startPeriod"] == start_s:
                periods.pop()
            if not periods or periods[-1]["limit"] != amount:
                periods.append({"startPeriod": start_s, "limit": amount, "numberPhases": wiring.lines})
            if len(periods) >= MOST_PERIODS:
                break
        return periods

    _HANDLERS: Mapping[str, Callable[[Any, Payload, Present], Payload]] = MappingProxyType(
        {"SetChargingProfile": _on_set, "ClearChargingProfile": _on_clear, "GetCompositeSchedule": _on_composite}
    )


def profile_of(connector: int, raw: object, now_ms: int) -> OutsideProfile:
    """Read one charging profile of either version.

    Args:
        connector: Where it is to hold; 0 is the station.
        raw: As it came.
        now_ms: The present, since 1970.

    Raises:
        AdapterRejected: It is none, or belongs elsewhere; the text says why.
    """
    profile = _mapping(raw, "a charging profile")
    if len(json.dumps(profile)) > _LONGEST:
        raise AdapterRejected(f"a charging profile is longer than {_LONGEST} characters")
    purpose = _purpose(profile.get("chargingProfilePurpose"))
    if (purpose is Purpose.STATION and connector) or (purpose is Purpose.TRANSACTION and not connector):
        raise AdapterRejected(f"a profile of this purpose is not for connector {connector}")
    kind = _kind(profile.get("chargingProfileKind"))
    schedule = profile.get("chargingSchedule")
    if isinstance(schedule, list) and len(schedule) == 1:
        schedule = schedule[0]  # OCPP 2.0.1: several only with ISO 15118-20, of which the vehicle chooses
    schedule = _mapping(schedule, "a schedule")
    unit = schedule.get("chargingRateUnit")
    if unit not in ("A", "W"):
        raise AdapterRejected(f"there is no unit {shown(unit)}")
    every = profile.get("recurrencyKind")
    if kind is Kind.RECURRING and (not isinstance(every, str) or every not in _EVERY_MS):
        raise AdapterRejected(f"nothing recurs {shown(every)}")
    start_ms, duration = _instant(schedule, "startSchedule"), schedule.get("duration")
    if kind is Kind.RECURRING and start_ms is None:
        raise AdapterRejected("a recurring schedule has no startSchedule")
    transaction = profile.get("transactionId")
    return OutsideProfile(
        id=_whole(profile.get("chargingProfileId", profile.get("id")), "id"),
        connector=connector,
        level=_whole(profile.get("stackLevel"), "stackLevel"),
        purpose=purpose,
        kind=kind,
        came_ms=now_ms,
        start_ms=start_ms,
        every_ms=_EVERY_MS[every] if kind is Kind.RECURRING and isinstance(every, str) else None,
        from_ms=_instant(profile, "validFrom"),
        to_ms=_instant(profile, "validTo"),
        duration_ms=None if duration is None else 1_000 * _whole(duration, "duration"),
        in_watts=unit == "W",
        periods=_periods_of(schedule.get("chargingSchedulePeriod")),
        transaction=None if transaction is None else str(transaction)[:36],
        raw=profile,
    )


def begun_with(connector: int, raw: object, now_ms: int) -> OutsideProfile | None:
    """The profile that a transaction is to begin with; None: it is none, or none of a transaction."""
    try:
        profile = profile_of(connector, raw, now_ms)
    except AdapterRejected:
        return None
    return attrs.evolve(profile, transaction=None) if profile.purpose is Purpose.TRANSACTION else None


def _periods_of(raw: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(raw, list) or not 0 < len(raw) <= MOST_PERIODS:
        raise AdapterRejected(f"a schedule has no periods, or more than {MOST_PERIODS}")
    periods = []
    for one in raw:
        period = _mapping(one, "a period")
        amount = period.get("limit")
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= _MOST_THOUSANDTHS:
            raise AdapterRejected(f"there is no limit {shown(amount)}")
        if not math.isfinite(amount):
            raise AdapterRejected(f"there is no limit {shown(amount)}")
        try:
            thousandths = limit_ma_from_amps(amount)  # exact decimal arithmetic, for watts as well
        except ValueError as error:
            raise AdapterRejected(f"a limit {error}") from None
        periods.append((1_000 * _whole(period.get("startPeriod"), "startPeriod"), thousandths))
    starts = [start_ms for start_ms, _ in periods]
    if starts[0] != 0 or sorted(set(starts)) != starts:
        raise AdapterRejected("the periods of a schedule do not begin at 0, or are not in order")
    return tuple(periods)


def _mapping(raw: object, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise AdapterRejected(f"this is no {what.partition(' ')[2]}: {shown(raw)}")
    return raw


def _whole(raw: object, field: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= _MOST_NUMBER:
        raise AdapterRejected(f"{field} is {shown(raw)}, no whole number")
    return raw


def _connector(raw: object) -> int:
    connector = _whole(raw, "the connector")
    if connector > _MOST_CONNECTORS:
        raise AdapterRejected(f"there is no connector {connector}")
    return connector


def _purpose(raw: object) -> Purpose:
    if not isinstance(raw, str) or raw not in _PURPOSES:
        raise AdapterRejected(f"there is no purpose {shown(raw)}")
    return _PURPOSES[raw]


def _kind(raw: object) -> Kind:
    try:
        return Kind(raw)
    except ValueError:
        raise AdapterRejected(f"there is no kind {shown(raw)}") from None


def _instant(payload: Mapping[str, Any], field: str) -> int | None:
    raw = payload.get(field)
    if raw is None:
        return None
    found_ms = instant_ms(raw)
    if found_ms is None:
        raise AdapterRejected(f"{field} is {shown(raw)}, no time")
    return found_ms
