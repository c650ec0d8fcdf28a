"""One connector of a station: what it is asked, what time it is there, and what it reports."""

import asyncio
import contextlib

from powershare.adapter import Clock
from powershare.errors import AdapterRejected
from powershare.units import LineMilliamps, Milliamps
from powershare_ocpp.dialect import SAMPLED_EVERY_S, News
from powershare_ocpp.messages import Composite, Metered
from powershare_ocpp.profiles import Scale, Window, window
from powershare_ocpp.session import Session
from powershare_ocpp.settings import Settings

_BOOT_MS = 100
"""A station that has restarted says so as its first word, and answers nothing before it was answered (4.2)."""

_TIMES_ASKED = 4

_LOOKED_AHEAD_S = 60


class StationConnector:
    """One connector.

    Args:
        settings: What its address says.
        clock: Where the time comes from.

    Attributes:
        number: Which one of the station's.
        says_composite: Whether what it says of its composite schedule is to be believed.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self.number = settings.connector
        self.says_composite = settings.offered == "composite"

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
                session.abilities = await session.dialect.learn()
        await session.dialect.look(self.number)
        behind_ms = await self._behind_ms(session)
        if behind_ms is not None:  # one that tells no time now may do so before the first order
            self._must_be_right(behind_ms)
        self.scale(session)

    async def measured(self, session: Session) -> None:
        """See to it that its meter measures what is asked for; once on a connection."""
        async with session.preparing:
            if not session.measures:
                await session.dialect.measure()
                session.measures = True

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
            await self.composite(session)  # whose time is the present
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

    async def window(self, session: Session, until_ms: int) -> Window:
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

    # Units

    def scale(self, session: Session) -> Scale:
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
        composite_ma = (await self.composite(session)).now_ma  # asked in any case: the answer shows that it is there
        if self.says_composite:
            said_ma = composite_ma
        elif self._settings.offered == "meter":
            said_ma = (await self._metered(session)).offered_ma
        status = session.record(self.number).status
        if status is not None and status.pilot == "A":
            return 0
        return self._settings.greatest_ma if said_ma is None else min(said_ma, self._settings.greatest_ma)

    async def drawn_ma(self, session: Session, offered_ma: Milliamps) -> LineMilliamps:
        """What the vehicle draws; where the meter does not say, all that is offered on every line."""
        status = session.record(self.number).status
        if status is not None and not status.vehicle:
            return (0,) * self._settings.lines
        drawn_ma = (await self._metered(session)).drawn_ma
        return (offered_ma,) * self._settings.lines if drawn_ma is None else drawn_ma

    async def _metered(self, session: Session) -> Metered:
        """What its meter says now; a station that cannot be asked says it by itself, every few seconds."""
        record = session.record(self.number)
        if not await self._have_it_measure(session):
            since_ms = record.metered_ms
            if since_ms is None or self._clock.now_ms() - since_ms > 2 * SAMPLED_EVERY_S * 1_000:
                return Metered()
        return Metered() if record.meter is None else session.dialect.metered(record.meter, self._settings.lines)

    async def _have_it_measure(self, session: Session) -> bool:
        """Have it say what its meter measures now; False: it does not."""
        for question in session.dialect.meter_questions(self.number):
            if await session.have_said(News.METER, self.number, question):
                return True
        return False

    async def composite(self, session: Session) -> Composite:
        """What its composite schedule says; where it has none it is asked something else.

        Raises:
            AdapterUnavailable: It is not there.
        """
        scale, dialect = self.scale(session), session.dialect
        question = dialect.composite_question(self.number, _LOOKED_AHEAD_S, scale.unit)
        try:
            return dialect.composite(await session.call("GetCompositeSchedule", question), scale)
        except AdapterRejected:
            # It has no such thing; whether it is there at all the next question shows.
            await session.call(*dialect.idle_question)
            return Composite()
