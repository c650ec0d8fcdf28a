"""Orders to one connector of a station, told so that they end by themselves, in the best way that it takes."""

from collections.abc import Iterator

import attrs

from powershare.adapter import Clock
from powershare.errors import AdapterRejected
from powershare.units import Milliamps
from powershare_ocpp.connector import StationConnector
from powershare_ocpp.learnt import Learnt
from powershare_ocpp.messages import words
from powershare_ocpp.profiles import Lease, Profile, Rung, fallback_profile, lease_profile
from powershare_ocpp.session import Session

_REFUSED, _TAKEN, _ENOUGH = 2, 1, 6
"""A way that is refused three times in a row, or again and again between, is not taken; once may be a transaction
that has just ended."""

_ROUNDED_MA = 1_000
"""A station that reckons in whole amps may say so much more than it was told."""


@attrs.frozen(kw_only=True)
class Order:
    """What a connector may offer.

    Attributes:
        offered_ma: Now, at the most.
        until_ms: Until when, by our clock.
        then_ma: Afterwards, at the most.
    """

    offered_ma: Milliamps
    until_ms: int
    then_ma: Milliamps


class Orders:
    """The orders of one connector.

    Args:
        connector: It.
        clock: Where the time comes from.
    """

    def __init__(self, connector: StationConnector, clock: Clock) -> None:
        self._connector, self._clock, self._number = connector, clock, connector.number
        self._holds = False  # whether nothing of others was seen to lie above what stays
        self._refusals = 0  # how often of late the best way that is known was refused
        self._stacked_until_ms = clock.now_ms()  # until when a default profile with a duration may run
        self._own_until: tuple[object, int] | None = None  # of which transaction a profile may run, and until when

    async def order(self, session: Session, order: Order) -> None:
        """Have it offer this until then, and that afterwards.

        Raises:
            AdapterRejected: It has refused every way of being told so.
        """
        learnt, believed = session.memory.of(session.station), self._believed(session)
        problems: list[str] = []
        for level in _levels(believed):
            if level < believed and (problem := await self._stays(session, order, level)) is not None:
                problems.append(f"at stack level {level} {problem}")
                continue
            for rung in list(Rung)[learnt.rung :]:
                problem = self._cannot(session, rung, level)
                if problem is None:
                    problem = await self._ordered(session, rung, level, order)
                if problem is None:
                    self._learn(session, rung, level, learnt)
                    return
                problems.append(f"{rung.name.lower().replace('_', ' ')}: {problem}")
        raise AdapterRejected(f"station {session.station} takes no order that ends: {'; '.join(problems)}")

    def _believed(self, session: Session) -> int:
        """The greatest stack level, as the station says or as it was found out."""
        said = 0 if session.abilities is None else session.abilities.most_level
        found = session.memory.of(session.station).level
        return said if found is None else min(said, found)

    def _cannot(self, session: Session, rung: Rung, level: int) -> str | None:
        abilities, record = session.abilities, session.record(self._number)
        if abilities is None:
            return "it has not said what it can"
        if rung is Rung.TRANSACTION and not record.in_transaction:
            is_over = self._clock.now_ms() >= self._stacked_until_ms
            return None if is_over else "a default profile with a duration still runs, and must be taken over"
        if rung is Rung.TRANSACTION and record.transaction is None and session.dialect.transaction_named:
            return "its transaction is not known"
        if rung is Rung.STACKED and level < 1:
            return "it has only stack level 0"
        if rung is Rung.TWO_PERIODS and abilities.most_periods < 2:
            return "its schedules have only one period"
        if rung is Rung.TWO_PERIODS and self._is_covered(record.transaction):
            return "a profile with a duration still runs above it"
        return None

    def _is_covered(self, transaction: object) -> bool:
        """Whether something may run above what stays that another id would not take the place of."""
        now_ms, own = self._clock.now_ms(), self._own_until
        return now_ms < self._stacked_until_ms or (own is not None and own[0] == transaction and now_ms < own[1])

    async def _ordered(self, session: Session, rung: Rung, level: int, order: Order) -> str | None:
        """Tell it in one way; None: it has accepted, and whether it obeys its reports will show.

        What lowers goes first: between the two profiles the station is within its old and its new order.
        """
        record = session.record(self._number)
        if rung is Rung.TRANSACTION and not record.in_transaction:
            # Nobody is served: what stays is what the next transaction begins with.
            return await self._fall_back(session, order.then_ma, level, asked=True)
        lease = Lease(
            connector=self._number,
            offered_ma=order.offered_ma,
            then_ma=order.then_ma,
            window=await self._connector.window(session, order.until_ms),
            transaction=record.transaction,
        )
        profile = lease_profile(lease, rung, self._connector.scale(session), level)
        if rung is Rung.TWO_PERIODS:
            record.stays = None  # this one takes its place
            return await self._set(session, profile)
        lowers = record.stays is None or order.then_ma <= record.stays[0]
        if lowers and (problem := await self._fall_back(session, order.then_ma, level)) is not None:
            return problem
        await self._must_hold(session, order.then_ma if record.stays is None else record.stays[0])
        problem = await self._lease(session, rung, profile, lease, order.until_ms)
        if problem is None and not lowers:
            return await self._fall_back(session, order.then_ma, level)
        return problem

    async def _lease(self, session: Session, rung: Rung, profile: Profile, lease: Lease, until_ms: int) -> str | None:
        """Set what ends. It has one id in both ways, so that the one takes the place of the other."""
        before = self._stacked_until_ms, self._own_until
        if rung is Rung.STACKED:
            self._stacked_until_ms = max(until_ms, self._stacked_until_ms)
        else:
            before_ms = 0 if self._own_until is None else self._own_until[1]
            self._own_until = (lease.transaction, max(until_ms, before_ms))
        problem = await self._set(session, profile)  # while nobody knows, the longer one counts
        if problem is not None:
            self._stacked_until_ms, self._own_until = before
        elif rung is Rung.STACKED:
            self._stacked_until_ms, self._own_until = until_ms, None
        else:
            self._stacked_until_ms, self._own_until = self._clock.now_ms(), (lease.transaction, until_ms)
        return problem

    async def _fall_back(self, session: Session, then_ma: Milliamps, level: int, *, asked: bool = False) -> str | None:
        """Set what stays, where it is not so already: such memories wear out."""
        record, level = session.record(self._number), max(0, level - 1)
        if record.stays == (then_ma, level):
            if asked:
                # An order is always a question: a dead line must not go unnoticed.
                await self._connector.composite(session)
            return None
        profile = fallback_profile(self._number, then_ma, self._connector.scale(session), level)
        record.stays = None  # while nobody knows
        problem = await self._set(session, profile)
        if problem is None:
            record.stays = (then_ma, level)
        return problem

    async def _stays(self, session: Session, order: Order, level: int) -> str | None:
        """Try a level below the one that it says: whether what stays holds there, or another's lies above it."""
        problem = await self._fall_back(session, order.then_ma, level)
        if problem is not None:
            return problem
        lasting_ma = (await self._connector.composite(session)).lasting_ma
        if lasting_ma is None:
            return "it does not say what holds"
        return None if lasting_ma <= order.then_ma + _ROUNDED_MA else _covered_by(lasting_ma)

    async def _must_hold(self, session: Session, then_ma: Milliamps) -> None:
        """Refuse to lead a station that would go on at more than what stays, as far as it says so; looked at once.

        Raises:
            AdapterRejected: Somebody else's profile lies above ours.
        """
        if self._holds or not self._connector.says_composite:
            return
        lasting_ma = (await self._connector.composite(session)).lasting_ma
        if lasting_ma is not None and lasting_ma > then_ma + _ROUNDED_MA:
            raise AdapterRejected(
                f"station {session.station} would not be at {then_ma / 1_000:g} A when an order ends: "
                f"{_covered_by(lasting_ma)}; remove that (ClearChargingProfile, or the station's own menu), or write "
                "offered=meter where its composite schedule is wrong"
            )
        self._holds = True

    async def _set(self, session: Session, profile: Profile) -> str | None:
        """None: it was accepted; otherwise the station's words."""
        try:
            message = session.dialect.profile_message(self._number, profile)
            answer = await session.call("SetChargingProfile", message)
        except AdapterRejected as error:
            return str(error)
        if answer.get("status") == "Accepted":
            return None
        info = answer.get("statusInfo")  # of 2.0.1
        reasons = [words(info.get(key)) for key in ("reasonCode", "additionalInfo")] if isinstance(info, dict) else []
        return ", ".join([f"it answered {answer.get('status')!r:.40}", *filter(None, reasons)])

    def _learn(self, session: Session, rung: Rung, level: int, learnt: Learnt) -> None:
        """Remember what it takes: the level at once, since it has refused everything above."""
        if level < self._believed(session):
            session.memory.learn(session.station, attrs.evolve(learnt, level=level))
            return
        if session.record(self._number).in_transaction:
            self._refusals = max(0, self._refusals + (-_TAKEN if rung is learnt.rung else _REFUSED))
        if self._refusals >= _ENOUGH:
            session.memory.learn(session.station, attrs.evolve(learnt, rung=rung))
            self._refusals = 0


def _covered_by(lasting_ma: Milliamps) -> str:
    return f"a profile of others, of {lasting_ma / 1_000:g} A, lies above what stays"


def _levels(greatest: int) -> Iterator[int]:
    """Stack levels to try: some stations take one less than they say, some only the lowest."""
    yield from sorted({level for level in (greatest, greatest - 1, 1, 0) if 0 <= level <= greatest}, reverse=True)
