"""One connector of a station: what it is asked, and how orders are told so that they end by themselves."""

import asyncio
import contextlib

from powershare.adapter import Clock
from powershare.errors import AdapterRejected
from powershare.units import LineMilliamps, Milliamps
from powershare_ocpp.dialect import SAMPLED_EVERY_S, News
from powershare_ocpp.messages import Metered
from powershare_ocpp.profiles import Lease, Profile, Rung, Scale, Window, fallback_profile, lease_profile, window
from powershare_ocpp.session import Session
from powershare_ocpp.settings import Settings

_BOOT_MS = 100
"""A station that has restarted says so as its first word, and answers nothing before it was answered (4.2)."""

_REFUSALS = 3
"""So often in a row a station refuses what it does not take."""

_TIMES_ASKED = 4

_LOOKED_AHEAD_S = 60


class StationConnector:
    """One connector.

    Args:
        settings: What its address says.
        clock: Where the time comes from.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._connector = settings.connector
        self._stacked_until_ms = clock.now_ms()  # until when a default profile with a duration may run

    async def prepare(self, session: Session) -> None:
        """Ask a station that has dialled in what it can; nothing that it offers is changed.

        Raises:
            AdapterRejected: It cannot be told, or its clock is wrong.
        """
        async with session.preparing:
            if session.abilities is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_BOOT_MS / 1_000):
                        await session.booted.wait()
                session.abilities = await session.dialect.learn(meter=self._settings.meter)
        await session.dialect.look(self._connector)
        behind_ms = await self._behind_ms(session)
        if behind_ms is not None:  # one that tells no time now may do so before the first order
            self._must_be_right(behind_ms)
        self._scale(session)

    # Time

    async def _behind_ms(self, session: Session) -> int | None:
        """By how much the station's clock may be behind; None: it tells no time now, asked or not.

        It is asked some times: what it could not say while it was alone comes first, and is about the past.
        """
        for _ in range(_TIMES_ASKED):
            behind_ms = session.behind_ms()
            if behind_ms is not None and abs(behind_ms) <= self._settings.clock_ms:
                return behind_ms
            told = session.times_told
            await self._composite(session)  # whose time is the present
            if session.times_told == told:
                await self._have_it_measure(session)
            if session.times_told == told:
                return None
        return session.behind_ms()

    def _must_be_right(self, behind_ms: int) -> None:
        """Refuse a clock by which orders would not end when they should.

        Raises:
            AdapterRejected: It is wrong by more than the address allows.
        """
        most_ms = self._settings.clock_ms
        if abs(behind_ms) > most_ms:
            way = "behind" if behind_ms > 0 else "ahead"
            raise AdapterRejected(
                f"the clock of station {self._settings.station} is {abs(behind_ms) / 1_000:.10g} s {way} of this "
                f"host's, and clock_s allows {most_ms / 1_000:g} s: orders would not end in time; set the clocks, "
                "best by NTP on both"
            )

    async def _window(self, session: Session, until_ms: int) -> Window:
        """When an order is to end by the station's clock.

        Raises:
            AdapterRejected: Its clock is wrong, or nobody knows, or the order is too short.
        """
        behind_ms = await self._behind_ms(session)
        if behind_ms is None:
            raise AdapterRejected(
                f"station {self._settings.station} tells no time, so that no order could end by its clock; "
                f"have it send time stamps ({session.dialect.sampled_setting} above 0)"
            )
        self._must_be_right(behind_ms)
        span = window(session.utc_ms(), session.utc_ms() + until_ms - self._clock.now_ms(), behind_ms)
        if span is None:
            raise AdapterRejected("the order would be over before the station could have it")
        return span

    # Orders

    async def order(self, session: Session, offered_ma: Milliamps, until_ms: int, then_ma: Milliamps) -> None:
        """Have it offer this until then, and that afterwards.

        Raises:
            AdapterRejected: It has refused every way of being told so.
        """
        record = session.record(self._connector)
        words = []
        for rung in list(Rung)[record.rung :]:
            problem = self._cannot(session, rung)
            if problem is None:
                problem = await self._ordered(session, rung, offered_ma, until_ms, then_ma)
            if problem is None:
                self._learn(session, rung)
                return
            words.append(f"{rung.name.lower().replace('_', ' ')}: {problem}")
        raise AdapterRejected(f"station {self._settings.station} takes no order that ends: {'; '.join(words)}")

    def _cannot(self, session: Session, rung: Rung) -> str | None:
        abilities = session.abilities
        if abilities is None:
            return "it has not said what it can"
        if rung is Rung.TRANSACTION and not session.record(self._connector).in_transaction:
            is_over = self._clock.now_ms() >= self._stacked_until_ms
            return None if is_over else "a default profile with a duration still runs, and must be taken over"
        if rung is Rung.STACKED and abilities.most_level < 1:
            return "it has only stack level 0"
        if rung is Rung.TWO_PERIODS and abilities.most_periods < 2:
            return "its schedules have only one period"
        return None

    async def _ordered(
        self, session: Session, rung: Rung, offered_ma: Milliamps, until_ms: int, then_ma: Milliamps
    ) -> str | None:
        """Tell it in one way; None: it has accepted, and whether it obeys its reports will show.

        What lowers goes first: between the two profiles the station is within its old and its new order.
        """
        record = session.record(self._connector)
        if rung is Rung.TRANSACTION and not record.in_transaction:
            # Nobody is served: what stays is what the next transaction begins with.
            return await self._fall_back(session, then_ma, asked=True)
        if rung is Rung.TRANSACTION and record.transaction is None and session.dialect.transaction_named:
            return "its transaction is not known"
        lease = Lease(
            connector=self._connector,
            offered_ma=offered_ma,
            then_ma=then_ma,
            window=await self._window(session, until_ms),
            transaction=record.transaction,
        )
        if rung is Rung.TWO_PERIODS:
            record.fallback_ma = None  # of the same level, whose place this one takes
            return await self._lease(session, rung, lease)
        lowers = record.fallback_ma is None or then_ma <= record.fallback_ma
        if lowers and (problem := await self._fall_back(session, then_ma)) is not None:
            return problem
        if rung is Rung.STACKED:
            self._stacked_until_ms = max(until_ms, self._stacked_until_ms)
        problem = await self._lease(session, rung, lease)
        if problem is None and rung is Rung.STACKED:
            self._stacked_until_ms = until_ms  # the former one's place is taken
        if problem is None and not lowers:
            return await self._fall_back(session, then_ma)
        return problem

    def _learn(self, session: Session, rung: Rung) -> None:
        """Leave out what is refused each time; once may be a transaction that has just ended."""
        record = session.record(self._connector)
        if not record.in_transaction:
            return
        record.refusals = 0 if rung is record.rung else record.refusals + 1
        if record.refusals >= _REFUSALS:
            record.rung, record.refusals = rung, 0

    async def _fall_back(self, session: Session, then_ma: Milliamps, *, asked: bool = False) -> str | None:
        """Set what stays, where it is not so already: such memories wear out."""
        record = session.record(self._connector)
        if record.fallback_ma == then_ma:
            if asked:
                await self._composite(session)  # an order is always a question: a dead line must not go unnoticed
            return None
        level = max(0, self._most_level(session) - 1)
        profile = fallback_profile(self._connector, then_ma, self._scale(session), level)
        record.fallback_ma = None  # while nobody knows
        problem = await self._set(session, profile)
        if problem is None:
            record.fallback_ma = then_ma
        return problem

    async def _lease(self, session: Session, rung: Rung, lease: Lease) -> str | None:
        return await self._set(session, lease_profile(lease, rung, self._scale(session), self._most_level(session)))

    async def _set(self, session: Session, profile: Profile) -> str | None:
        """None: it was accepted; otherwise the station's words."""
        try:
            message = session.dialect.profile_message(self._connector, profile)
            answer = await session.call("SetChargingProfile", message)
        except AdapterRejected as error:
            return str(error)
        status = answer.get("status")
        return None if status == "Accepted" else f"it answered {status!r:.40}"

    def _most_level(self, session: Session) -> int:
        return 0 if session.abilities is None else session.abilities.most_level

    def _scale(self, session: Session) -> Scale:
        """How it is told amounts: as the address says, or in amps if it takes them.

        Raises:
            AdapterRejected: It takes another unit only.
        """
        units = frozenset() if session.abilities is None else session.abilities.units
        unit = self._settings.unit or ("W" if units == {"W"} else "A")
        if units and unit not in units:
            raise AdapterRejected(
                f"station {self._settings.station} takes {' and '.join(sorted(units))} only; write unit={min(units)}"
            )
        return Scale(unit, self._settings.volts, self._settings.lines)

    # Reports

    async def offered_ma(self, session: Session) -> Milliamps:
        """What it says it offers; where it does not say, the most that it can offer.

        A connector without a transaction offers nothing, whatever its schedule says.
        """
        said_ma: Milliamps | None = None
        composite = await self._composite(session)  # asked in any case: the answer shows that it is there
        if self._settings.offered == "composite":
            said_ma = composite
        elif self._settings.offered == "meter":
            said_ma = (await self._metered(session)).offered_ma
        status = session.record(self._connector).status
        if status is not None and status.pilot == "A":
            return 0
        return self._settings.greatest_ma if said_ma is None else min(said_ma, self._settings.greatest_ma)

    async def drawn_ma(self, session: Session, offered_ma: Milliamps) -> LineMilliamps:
        """What the vehicle draws; where the meter does not say, all that is offered on every line."""
        status = session.record(self._connector).status
        if status is not None and not status.vehicle:
            return (0,) * self._settings.lines
        drawn_ma = (await self._metered(session)).drawn_ma
        return (offered_ma,) * self._settings.lines if drawn_ma is None else drawn_ma

    async def _metered(self, session: Session) -> Metered:
        """What its meter says now; a station that cannot be asked says it by itself, every few seconds."""
        record = session.record(self._connector)
        if not await self._have_it_measure(session):
            since_ms = record.metered_ms
            if since_ms is None or self._clock.now_ms() - since_ms > 2 * SAMPLED_EVERY_S * 1_000:
                return Metered()
        return Metered() if record.meter is None else session.dialect.metered(record.meter, self._settings.lines)

    async def _have_it_measure(self, session: Session) -> bool:
        """Have it say what its meter measures now; False: it does not."""
        for question in session.dialect.meter_questions(self._connector):
            if await session.have_said(News.METER, self._connector, question):
                return True
        return False

    async def _composite(self, session: Session) -> Milliamps | None:
        scale, dialect = self._scale(session), session.dialect
        question = dialect.composite_question(self._connector, _LOOKED_AHEAD_S, scale.unit)
        try:
            return dialect.composite_ma(await session.call("GetCompositeSchedule", question), scale)
        except AdapterRejected:
            # It has no such thing; whether it is there at all the next question shows.
            await session.call(*dialect.idle_question)
            return None
