"""One station on the line: questions and answers over its link, and what it has said of itself on it."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeAlias

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare_ocpp.dialect import ConnectorRecord, Dialect, Handler, News
from powershare_ocpp.learnt import Memory
from powershare_ocpp.messages import Abilities, latest_ms
from powershare_ocpp.transactions import Transactions
from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result, message_of, shown, text_of
from powershare_ocpp.wire.links import Link

HEARTBEAT_S = 60
_BEHIND_MS = 60_000
"""For so long a time that a station told says something of its clock."""

_MOST_SPOILED = 20
"""So many messages that cannot be read, and nothing between them that can: it speaks another language."""

_MOST_CONNECTORS = 64

_SAID_MS = 1_000
"""So long after it has promised to say something a station has said it."""

NewDialect: TypeAlias = Callable[["Session"], Dialect]


class RefusedByStation(AdapterRejected):
    """The station refused a question.

    Attributes:
        code: Why, in the protocol's words.
        text: Why, in its own words.
    """

    def __init__(self, station: str, refusal: Refusal) -> None:
        super().__init__(f"station {station} refused: {refusal.code} {refusal.text}".rstrip())
        self.code, self.text = refusal.code, refusal.text


class _NotKnown(RefusedByStation):
    """The station has no answer to such a question, now or later."""


class Ear(Protocol):
    """Somebody who hears what a station says, and may answer in our place."""

    def heard(self, session: "Session", call: Call, own: Message, *, ours: bool) -> Message | None:
        """The station said something.

        Args:
            session: Its line.
            call: What it said.
            own: The answer of this host.
            ours: Whether somebody here has asked for it.

        Returns:
            What it is answered; None: the answer comes later, by `Session.reply`.
        """
        ...


def fixed(**answer: object) -> Handler:
    """A handler whose answer is always the same."""
    return lambda _dialect, _payload: answer


class Session:
    """A station on the line.

    Args:
        station: Its identifier.
        link: The line.
        new_dialect: The version of OCPP that is spoken on it.
        clock: Where the time comes from.
        since_1970_ms: What is to be added to the clock for the time since 1970.
        transactions: The numbers that transactions were given.
        memory: What stations like this one were found to take.
        ear: Hears what it says, and may answer in our place; None: nobody does.

    Attributes:
        dialect: The version of OCPP that it speaks.
        transactions: The numbers that transactions were given.
        alive: Whether the link is.
        abilities: What it says of its charging profiles, once it has been asked.
        measures: Whether it has been told what its meter is to measure.
        preparing: Held by who asks it.
        unable: Questions that it has no answer to; they are not repeated.
        times_told: How many of its messages told a time.
        booted: Set once it has said something.
    """

    def __init__(
        self,
        station: str,
        link: Link,
        new_dialect: NewDialect,
        *,
        clock: Clock,
        since_1970_ms: int,
        transactions: Transactions,
        memory: Memory,
        ear: Ear | None = None,
    ) -> None:
        self.station = station
        self._link, self._clock, self._since_1970_ms = link, clock, since_1970_ms
        self.transactions, self._ear, self._was_awaited = transactions, ear, False
        self.memory = memory
        self.dialect = new_dialect(self)
        self.alive = True
        self.abilities: Abilities | None = None
        self.measures = False
        self.preparing = asyncio.Lock()
        self.unable: set[str] = set()
        self._one_at_a_time = asyncio.Lock()
        self._ids = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Payload]] = {}
        self._awaited: dict[tuple[News, int], list[asyncio.Future[None]]] = {}
        self._records: dict[int, ConnectorRecord] = {}
        self._stamps: deque[tuple[int, int]] = deque(maxlen=32)
        self.times_told = 0
        self._spoiled = 0
        self.booted = asyncio.Event()

    def record(self, connector: int) -> ConnectorRecord:
        """What it has said of a connector."""
        if connector not in self._records and len(self._records) >= _MOST_CONNECTORS:
            return ConnectorRecord()
        return self._records.setdefault(connector, ConnectorRecord())

    def record_of(self, connector: object) -> tuple[int, ConnectorRecord]:
        """The connector that a message is about, and what the station has said of it.

        Raises:
            AdapterRejected: There is no such connector.
        """
        if not isinstance(connector, int) or isinstance(connector, bool) or not 0 <= connector <= _MOST_CONNECTORS:
            raise AdapterRejected(f"there is no connector {shown(connector)}")
        return connector, self.record(connector)

    def records(self) -> Collection[ConnectorRecord]:
        """What it has said of every connector."""
        return self._records.values()

    def abort(self) -> None:
        """Hang up."""
        self._ends()
        self._link.abort()

    # Time

    def utc_ms(self) -> int:
        """The present, since 1970."""
        return self._clock.now_ms() + self._since_1970_ms

    def behind_ms(self) -> int | None:
        """By how much its clock may be behind ours; negative: it is ahead; None: it has told no time lately.

        What a message says was the station's present before it came, so that the clock is at least so far; of several
        messages the one that says most is the closest.
        """
        now_ms = self._clock.now_ms()
        recent = [behind_ms for at_ms, behind_ms in self._stamps if now_ms - at_ms <= _BEHIND_MS]
        return min(recent, default=None)

    def stamped(self, payload: Payload) -> None:
        """Take note of the time that a message tells."""
        told_ms = latest_ms(payload)
        if told_ms is not None:
            self.times_told += 1
            self._stamps.append((self._clock.now_ms(), self.utc_ms() - told_ms))

    # Asking

    async def call(self, action: str, payload: Payload) -> Payload:
        """Ask, one question at a time, and wait for the answer; the caller says for how long.

        Raises:
            AdapterRejected: It cannot answer that; the text says why in its words.
            AdapterUnavailable: It hung up.
        """
        if action in self.unable:
            raise AdapterRejected(f"station {self.station} does not know {action}")
        async with self._one_at_a_time:
            if not self.alive:
                raise AdapterUnavailable(f"station {self.station} hung up")
            message_id = f"ps{next(self._ids)}"
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._asked[message_id] = answer
            try:
                await self._link.send(text_of(Call(message_id, action, payload)))
                return await answer
            except AdapterUnavailable as error:
                raise AdapterUnavailable(f"station {self.station} hung up") from error
            except _NotKnown:
                self.unable.add(action)
                raise
            finally:
                del self._asked[message_id]

    async def pass_on(self, action: str, payload: Payload, holds_up_s: float, patience_s: float) -> Payload:
        """Ask what somebody else wants to know; an answer that is late keeps nobody from asking something else.

        Raises:
            RefusedByStation: It cannot answer that.
            AdapterUnavailable: It hung up.
            TimeoutError: It has not answered in time.
        """
        message_id = f"ps{next(self._ids)}"
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(patience_s):
                async with self._one_at_a_time:
                    if not self.alive:
                        raise AdapterUnavailable(f"station {self.station} hung up")
                    self._asked[message_id] = answer
                    await self._link.send(text_of(Call(message_id, action, payload)))
                    await asyncio.wait([answer], timeout=holds_up_s)
                return await answer
        finally:
            self._asked.pop(message_id, None)

    async def reply(self, message: Message) -> None:
        """Answer what it asked before.

        Raises:
            AdapterUnavailable: It hung up.
        """
        await self._link.send(text_of(message))

    async def have_said(self, news: News, connector: int, question: Payload) -> bool:
        """Ask it to send a message (TriggerMessage), and wait until it has; False: it does not."""
        return await self.asked_to_say(news, connector, question) == "Accepted"

    async def asked_to_say(self, news: News, connector: int, question: Payload) -> str:
        """Ask it to send a message (TriggerMessage), and wait until it has.

        Returns:
            `Accepted`: it has said it. Else why not: `Rejected` and `NotImplemented` are its own words, and nothing
            means that it does not answer as it should.
        """
        said: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._awaited.setdefault((news, connector), [])
        waiting[:] = [*(one for one in waiting if not one.done()), said]
        try:
            if (status := (await self.call("TriggerMessage", question)).get("status")) != "Accepted":
                return str(status)[:20]
            async with asyncio.timeout(_SAID_MS / 1_000):
                await said
        except AdapterTimeout:
            raise
        except (AdapterRejected, TimeoutError):
            return ""
        finally:
            said.cancel()
        return "Accepted"

    def awaited(self, news: News) -> list[int]:
        """The connectors of which somebody waits for this."""
        return [
            connector
            for (what, connector), futures in self._awaited.items()
            if what is news and not all(future.done() for future in futures)
        ]

    def tell(self, news: News, connector: int) -> None:
        """Tell those who wait for it that the station has said it."""
        for future in self._awaited.pop((news, connector), ()):
            if not future.done():
                self._was_awaited = True
                future.set_result(None)

    def metered(self, connector: int, payload: Payload) -> None:
        """Take note of meter values."""
        record = self.record(connector)
        record.meter, record.metered_ms = payload, self._clock.now_ms()

    # Hearing

    async def serve(self) -> None:
        """Take what comes, until the station hangs up."""
        try:
            while self.alive:
                await self._take(await self._link.receive())
        except AdapterUnavailable:
            return
        finally:
            self._ends()

    def _ends(self) -> None:
        self.alive = False
        error = f"station {self.station} hung up"
        futures: list[asyncio.Future[Any]] = [*self._asked.values(), *itertools.chain(*self._awaited.values())]
        for future in futures:
            if not future.done():
                future.set_exception(AdapterUnavailable(error))
                future.exception()  # whoever waits hears of it, and nobody has to
        self._awaited.clear()

    async def _take(self, text: str | bytes) -> None:
        try:
            message = message_of(text)
        except AdapterRejected as error:
            self._spoiled += 1
            if self._spoiled > _MOST_SPOILED:
                raise AdapterUnavailable(f"station {self.station} speaks no OCPP: {error}") from None
            return
        self._spoiled = 0
        if isinstance(message, Call):
            self.booted.set()
            self._was_awaited = False
            answer: Message | None = self._answer(message)
            if self._ear is not None and answer is not None:
                answer = self._ear.heard(self, message, answer, ours=self._was_awaited)
            if answer is not None:
                await self._link.send(text_of(answer))
        else:
            self._answered(message)

    def _answered(self, message: Result | Refusal) -> None:
        future = self._asked.get(message.id)
        if future is None or future.done():
            return  # nobody waits for it any more
        if isinstance(message, Result):
            self.stamped(message.payload)
            future.set_result(message.payload)
            return
        kind = _NotKnown if message.code in ("NotImplemented", "NotSupported") else RefusedByStation
        future.set_exception(kind(self.station, message))

    def _answer(self, call: Call) -> Message:
        handler = self.dialect.handlers.get(call.action)
        if handler is None:
            return Refusal(call.id, "NotImplemented", f"{call.action} is not for a load manager")
        try:
            return Result(call.id, handler(self.dialect, call.payload))
        except AdapterError as error:
            return Refusal(call.id, "PropertyConstraintViolation", str(error)[:255])
