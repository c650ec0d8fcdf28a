"""A Tesla Gen 3 Wall Connector behind the contract of `powershare.adapter`, led by the meter that it reads.

Rule 1: while an order is valid its questions are answered, and never after: without its meter it falls to 6 A.
Rule 2: nothing tells what it offers. Until it must have obeyed, and whenever it draws more than its share, `read()`
says the most that it may be offering.
Rule 3: without a young measurement of its own draw nothing is answered.
"""

import asyncio
import functools

import attrs

from powershare import registry
from powershare.adapter import Applied, Clock, Declaration, Offer, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import LineMilliamps, Milliamps
from powershare_serial.gen3.draw import DrawSource, HandedIn, Metered, OwnDraw
from powershare_serial.gen3.frames import CURRENTS, POWERS, Published, Question, Questions, symmetric
from powershare_serial.gen3.law import Law
from powershare_serial.gen3.settings import Settings, settings_of
from powershare_serial.ports import Connect, Port, Wiring, open_port

_WIRING = Wiring(baud=115_200)
_OPENING_MS = 6_000
_ASKS_WITHIN_MS = 1_000
"""It asks every 190 to 200 ms; whoever has not asked for so long is not there."""
_GAP_MS = 1_000
"""An order that is renewed when the last one ends leaves a gap between two answers, and no more: nobody has missed his
meter after five questions."""


@attrs.define
class _Bound:
    """The most that it may be offering, for the time that it takes to obey."""

    offered_ma: Milliamps
    until_ms: int


class Gen3MeterAdapter:
    """A Gen 3 Wall Connector that was commissioned with a meter, which we are.

    Args:
        rest: What follows `serial+gen3:` in a site file; the README lists the settings.
        clock: Where the time comes from.
        connect: How to reach it; None: as the address says.
        own_draw_ma: What it draws itself, of a program that measures it; None: the address names a meter of that.

    Raises:
        FormatError: The address means nothing, or the limits are not accepted; every problem at once.
        AdapterNotInstalled: No distribution offers the meter of its own draw.
    """

    def __init__(
        self, rest: str, /, *, clock: Clock, connect: Connect | None = None, own_draw_ma: OwnDraw | None = None
    ) -> None:
        self._settings = settings_of(rest, draw_handed_in=own_draw_ma is not None)
        self._clock = clock
        self._connect = connect or functools.partial(open_port, self._settings.place, _WIRING)
        self._source: DrawSource = (
            Metered(registry.create_meter(self._settings.own_meter or "", clock=clock), clock)
            if own_draw_ma is None
            else HandedIn(own_draw_ma)
        )
        self._declaration = self._settings.declaration()
        self._session: _Session | None = None
        self._silent_since_ms: int | None = None
        self._closings = 0

    @property
    def declaration(self) -> Declaration:
        """What it promises, as far as anything is known."""
        return self._declaration

    @property
    def metered_lines(self) -> int:
        """How many lines its own draw is known of (SupportsMetering)."""
        return self._settings.lines

    async def open(self) -> None:
        """Begin to listen. It is answered once there is an order."""
        if self._session is not None:
            return
        closings = self._closings
        session = None
        source = self._source
        opened = False
        try:
            async with asyncio.timeout(_OPENING_MS / 1000):
                await source.open()
                port = await self._connect()
            session = _Session(self._settings, self._declaration, self._clock, port, source, self._silent_since_ms)
            if closings != self._closings:  # close() may come at any moment, and then counts
                raise AdapterUnavailable("the adapter was closed while it opened")
            self._session, opened = session, True
        except AdapterTimeout:
            raise
        except TimeoutError:
            raise AdapterTimeout(f"meter and wire were not ready within {_OPENING_MS} ms") from None
        finally:
            if not opened:
                await (source.close() if session is None else session.close())

    async def close(self) -> None:
        """Fall silent, for which it falls to 6 A."""
        self._closings += 1
        session, self._session = self._session, None
        if session is not None:
            self._silent_since_ms = session.silent_since_ms
            await session.close()

    async def offer(self, offer: Offer) -> Applied:
        """Answer it, from its next question on, so that it draws no more than this; what it offers nobody tells."""
        session = self._opened()
        share_ma = self._declaration.sendable_ma(offer.offered_ma)
        if self._clock.now_ms() >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        session.own_draw_ma()
        session.order(share_ma, offer.valid_until_ms)
        await session.next_question(answered=True)
        return Applied(offered_ma=None, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Wait for its next question, and tell what it draws and the most that it may be offering."""
        session = self._opened()
        await session.next_question(answered=False)
        drawn_ma = session.own_draw_ma()
        offered_ma, fault = session.most_offered(max(drawn_ma))
        now_ms = self._clock.now_ms()
        # Whether a vehicle is there, or wants anything, nobody tells either: it counts as wanting.
        return Reading(at_ms=now_ms, offered_ma=offered_ma, state="C", drawn_ma=drawn_ma, fault=fault)

    def _opened(self) -> "_Session":
        if self._session is None:
            raise AdapterUnavailable("the adapter is not open")
        return self._session


class _Session:
    """One opening: a wire on which questions come, and the order that they are answered by."""

    def __init__(
        self,
        settings: Settings,
        declaration: Declaration,
        clock: Clock,
        port: Port,
        source: DrawSource,
        silent_since_ms: int | None,
    ) -> None:
        self._settings, self._declaration, self._clock = settings, declaration, clock
        self._port, self._source = port, source
        self._law = Law(settings.meter_limit_ma, settings.margin_ma)
        self._share_ma: Milliamps = 0
        self._valid_until_ms: int | None = None
        self._bound = _Bound(declaration.greatest_offer_ma, clock.now_ms())
        self._lost: str | None = None
        self._asked, self._answered = asyncio.Event(), asyncio.Event()
        self.silent_since_ms = clock.now_ms() if silent_since_ms is None else silent_since_ms
        """Since when it has had no answer."""
        self._task = asyncio.create_task(self._serve())

    async def close(self) -> None:
        self._task.cancel()
        self._lose("the adapter was closed")
        await self._port.close()
        await self._source.close()
        await asyncio.wait({self._task})

    def own_draw_ma(self) -> LineMilliamps:
        """What it draws now, per line."""
        drawn_ma = self._source.newest()
        if drawn_ma is None:
            raise AdapterUnavailable(
                "there is no young measurement of what the Wall Connector draws; nothing is answered"
            )
        if len(drawn_ma) != self._settings.lines:
            count = self._settings.lines
            raise AdapterUnavailable(f"its own draw is measured on {len(drawn_ma)} lines, not {count}; write lines=")
        return drawn_ma

    def order(self, share_ma: Milliamps, valid_until_ms: int) -> None:
        """From now on, and until then, it may draw this."""
        now_ms = self._clock.now_ms()
        before_ma, _ = self.most_offered(0)
        if now_ms - self.silent_since_ms > _GAP_MS:
            self._law.forget()
        if share_ma < before_ma and (share_ma < self._share_ma or now_ms >= self._bound.until_ms):
            self._bound = _Bound(before_ma, now_ms + self._declaration.settle_ms)
        self._share_ma, self._valid_until_ms = share_ma, valid_until_ms
        self._law.share(share_ma)

    def most_offered(self, drawn_ma: Milliamps) -> tuple[Milliamps, str | None]:
        """The most that it may be offering, and what is wrong with it.

        Args:
            drawn_ma: What it draws.
        """
        now_ms, greatest_ma = self._clock.now_ms(), self._declaration.greatest_offer_ma
        offered_ma = self._share_ma
        if now_ms < self._bound.until_ms:
            offered_ma = max(self._bound.offered_ma, offered_ma)
        ordered = self._valid_until_ms is not None and now_ms < self._valid_until_ms + _GAP_MS
        if not ordered:
            # Without answers it goes on for a while, and then falls; it never rises above its fallback.
            fallback_ma = self._declaration.fallback_ma
            fallen = now_ms >= self.silent_since_ms + self._settings.lost_after_ms
            going_on_ma = greatest_ma if self._valid_until_ms is None else max(offered_ma, fallback_ma)
            offered_ma = fallback_ma if fallen else going_on_ma
        if drawn_ma <= offered_ma:
            return offered_ma, None
        fault = f"the Wall Connector draws {drawn_ma} mA and does not follow its meter"
        return greatest_ma, fault if ordered else None

    async def next_question(self, *, answered: bool) -> None:
        """Wait until it has asked, or asked and been answered, once more.

        Raises:
            AdapterTimeout: It does not ask.
            AdapterUnavailable: The wire is gone.
        """
        event = self._answered if answered else self._asked
        event.clear()
        try:
            async with asyncio.timeout(_ASKS_WITHIN_MS / 1000):
                await self._wait(event)
        except TimeoutError:
            message = f"the Wall Connector has not asked its meter for {_ASKS_WITHIN_MS} ms"
            raise AdapterTimeout(f"{message}; is it commissioned with one, and A and B not swapped?") from None

    async def _wait(self, event: asyncio.Event) -> None:
        if self._lost is None:
            await event.wait()
        if self._lost is not None:
            raise AdapterUnavailable(self._lost)

    def _ordered(self, now_ms: int) -> bool:
        return self._valid_until_ms is not None and now_ms < self._valid_until_ms

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self._asked.set()
        self._answered.set()

    async def _serve(self) -> None:
        """Answer the newest question; older ones wait for nothing any more."""
        questions = Questions()
        try:
            while True:
                asked = questions.feed(await self._port.receive())
                if asked:
                    self._asked.set()
                    await self._answer(asked[-1])
        except AdapterUnavailable as error:
            self._lose(str(error))

    async def _answer(self, question: Question) -> None:
        now_ms = self._clock.now_ms()
        drawn_ma = self._source.newest()
        if not self._ordered(now_ms) or drawn_ma is None or len(drawn_ma) != self._settings.lines:
            return
        line_ma = self._law.reading_ma(max(drawn_ma), now_ms)
        published = Published(line_ma=symmetric(line_ma), volts=self._settings.volts, serial=self._settings.serial)
        answer = published.answer(question)
        if answer is None:
            return
        await self._port.send(answer)
        self.silent_since_ms = now_ms
        if question.first in {CURRENTS, POWERS}:
            self._answered.set()
