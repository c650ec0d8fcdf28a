"""Joins settings, sessions and profiles to the contract of `powershare.adapter`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from powershare.adapter import Applied, Clock, Declaration, Offer, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.limiting import OutsideLimit
from powershare.units import MAX_CONNECTOR_MA, LineMilliamps, Milliamps
from powershare_ocpp.central import HUB, Hub, Seat
from powershare_ocpp.connector import StationConnector
from powershare_ocpp.evidence import evidence_of
from powershare_ocpp.obedience import Obedience
from powershare_ocpp.orders import Order, Orders
from powershare_ocpp.session import Session
from powershare_ocpp.settings import settings_of
from powershare_ocpp.upstream.behind import Behind

_READING_MS = 4_000
_PREPARING_MS = 8_000


class OcppAdapter:
    """One connector of a station that dials in.

    Args:
        rest: `STATION/CONNECTOR?listen=HOST:PORT&setting=value`, what follows `ocpp:` in a site file.
        clock: Where the time comes from.
        hub: The central systems that it may share; None: those of this process.

    Raises:
        FormatError: The rest cannot be understood; every problem at once.
    """

    metered_lines: int
    """How many lines it measures (SupportsMetering); missing where the address says `meter=no`."""

    def __init__(self, rest: str, /, *, clock: Clock, hub: Hub | None = None) -> None:
        self._settings = settings_of(rest)
        self._clock, self._hub = clock, HUB if hub is None else hub
        self._declaration = self._settings.declaration()
        self._connector = StationConnector(self._settings, clock)
        self._orders = Orders(self._connector, clock)
        self._obedience = Obedience(clock, self._settings.greatest_ma)
        self._seat: Seat | None = None
        self._prepared: Session | None = None
        self._behind: Behind | None = None
        if self._settings.meter:
            self.metered_lines = self._settings.lines

    @property
    def declaration(self) -> Declaration:
        """What the connector promises with these settings."""
        return self._declaration

    async def open(self) -> None:
        """Listen, wait until the station has dialled in, and ask it what it can.

        Raises:
            AdapterUnavailable: It has not come; the text says who else has.
            AdapterRejected: It cannot be led to end an order by itself; the text says why.
        """
        if self._seat is not None:
            return
        seat = self._seat = self._hub.seat(self._settings, self._clock)
        self._behind = seat.behind
        try:
            session = await seat.sit()
            async with self._within(_PREPARING_MS, "open"):
                await self._prepare(session)
        except BaseException:
            if self._seat is seat:
                self._seat = None
            await seat.leave()
            raise
        if self._seat is not seat:
            raise AdapterUnavailable("the adapter was closed while it opened")

    async def close(self) -> None:
        """Leave the station to the end of its order, and hang up if no other connector of it is open."""
        seat, self._seat, self._prepared = self._seat, None, None
        if seat is not None:
            await seat.leave()

    async def offer(self, offer: Offer) -> Applied:
        """Have the station offer this until then, and that afterwards, as profiles that it has accepted."""
        async with self._within(self._declaration.longest_write_ms, "offer"):
            session = await self._station()
            if self._clock.now_ms() >= offer.valid_until_ms:
                raise AdapterRejected("the order was over before it could be sent")
            offered_ma, then_ma = self._bounded(session, offer)
            order = Order(offered_ma=offered_ma, until_ms=offer.valid_until_ms, then_ma=then_ma)
            await self._orders.order(session, order)
        return Applied(offered_ma=None, at_ms=self._clock.now_ms())

    def _bounded(self, session: Session, offer: Offer) -> tuple[Milliamps, Milliamps]:
        """An order as the station can be told it, within what the central system behind allows while it lasts."""
        offered_ma, then_ma = offer.offered_ma, offer.then_ma
        if self._behind is not None:
            standing, connector = self._behind.standing, self._settings.connector
            until_ms = session.utc_ms() + offer.valid_until_ms - self._clock.now_ms()
            bounds_ma = standing.allowed_until_ma(connector, until_ms), standing.least_ma(connector)
            offered_ma = offered_ma if bounds_ma[0] is None else min(offered_ma, bounds_ma[0])
            # Nobody may be there to tell it when that changes, so that the least of all counts.
            then_ma = min([then_ma, *(bound_ma for bound_ma in bounds_ma if bound_ma is not None)])
        return self._declaration.sendable_ma(offered_ma), self._declaration.sendable_ma(then_ma)

    def outside_limit(self) -> OutsideLimit | None:
        """What the central system behind allows now (SupportsOutsideLimits)."""
        if self._behind is None:
            return None
        allowed = self._behind.standing.allowed(self._settings.connector)
        if allowed.most_ma is None:
            return None
        until_ms = None if allowed.until_ms is None else allowed.until_ms - self._behind.since_1970_ms(self._clock)
        most_ma = min(allowed.most_ma, MAX_CONNECTOR_MA)
        return OutsideLimit(most_ma=most_ma, until_ms=until_ms, source="ocpp upstream")

    async def read(self) -> Reading:
        """Ask the station for what it offers, and for what its meter says."""
        async with self._within(_READING_MS, "read"):
            session = await self._station()
            if self._settings.meter:
                await self._connector.measured(session)
            offered_ma = await self._connector.offered_ma(session)
            drawn_ma: LineMilliamps | None = None
            if self._settings.meter:
                drawn_ma = await self._connector.drawn_ma(session, offered_ma)
        return self._reading(session, offered_ma, drawn_ma)

    async def evidence(self) -> Mapping[str, str]:
        """What the station says of itself, and who waits to be admitted (SupportsEvidence)."""
        async with self._within(_READING_MS, "evidence"):
            session = await self._station()
            await self._connector.composite(session)  # whose time is the present
        return evidence_of(session, "" if self._seat is None else self._seat.strangers())

    def _reading(self, session: Session, offered_ma: Milliamps, drawn_ma: LineMilliamps | None) -> Reading:
        status = session.record(self._settings.connector).status
        offered_ma, ignores = self._obedience.counted(offered_ma, drawn_ma)
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=offered_ma,
            # Of a station that has never said so, anything may be true: it counts as one that charges.
            state="C" if status is None else status.pilot,
            drawn_ma=drawn_ma,
            fault=ignores if status is None or status.fault is None else status.fault,
        )

    async def _station(self) -> Session:
        """The station; one that has dialled in anew is asked again what it can, since it may have restarted."""
        if self._seat is None:
            raise AdapterUnavailable("the adapter is not open")
        session = self._seat.session()
        if session is not self._prepared:
            await self._prepare(session)
        return session

    async def _prepare(self, session: Session) -> None:
        await self._connector.prepare(session)
        if self._seat is not None:
            self._prepared = session

    @asynccontextmanager
    async def _within(self, longest_ms: int, what: str) -> AsyncIterator[None]:
        """Bound what is within; an answer that does not come is a timeout."""
        try:
            async with asyncio.timeout(longest_ms / 1_000):
                yield
        except AdapterTimeout:
            raise
        except TimeoutError:
            station = self._settings.station
            raise AdapterTimeout(f"station {station} did not answer within {longest_ms} ms ({what})") from None
