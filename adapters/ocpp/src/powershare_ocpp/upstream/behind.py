"""One station and the central system behind this one: passes messages on, keeps what must not be lost, and limits.

What is safe does not lean on any of it. The station's own line, and what it is told here, go on whatever comes from
behind, and whether anything comes: questions from there are few at a time, and none of them holds up an order for long.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from powershare.adapter import Clock
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_ocpp.session import RefusedByStation, Session
from powershare_ocpp.settings import Upstream
from powershare_ocpp.upstream.line import Dial, UpstreamLine
from powershare_ocpp.upstream.outside_messages import begun_with
from powershare_ocpp.upstream.relay import News, Tags, Way, away, is_triggered, refused_here, way_of, without_profile
from powershare_ocpp.upstream.standing import Standing
from powershare_ocpp.upstream.store import Store, Waiting
from powershare_ocpp.upstream.together import first_to_end
from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result

_PATIENCE_S = 5.0
"""So long a station waits for an answer from behind before it has one from here."""

_QUEUED_PATIENCE_S = 30.0
_HOLDS_UP_S = 0.5
"""So long at most a question from behind keeps others from asking the station (OCPP-J 1.6, 4.1.1)."""

_STATION_S = 30.0
_RETRY_S = (1, 2, 5, 10, 30)
_DEFECT_S = 10
_REFUSED_MOST = 3
"""So often a kept message is refused before it is set aside (OCPP 1.6, 3.7.1)."""

_AGAIN_S = 20.0
_MOST_LIVE = 8
_MOST_ASKED = 16
_LONGEST_INTERVAL_S = 86_400
_INTERVAL_S = 300

_LOG = logging.getLogger("powershare_ocpp.upstream")


class Behind:
    """The central system behind, as far as one station is concerned.

    Args:
        station: Its identifier.
        upstream: Where the central system is.
        store: What outlasts a power cut.
        dial: Dials it.
        utc_ms: The present, since 1970.

    Attributes:
        upstream: Where the central system is.
        standing: What it has set.
    """

    def __init__(self, station: str, upstream: Upstream, store: Store, dial: Dial, utc_ms: Callable[[], int]) -> None:
        self._station, self.upstream, self._store, self._dial = station, upstream, store, dial
        self._utc_ms = utc_ms
        self.standing = Standing(station, store, utc_ms)
        self._tags = Tags(upstream.away)
        self._session: Session | None = None
        self._line: UpstreamLine | None = None
        self._boot: Payload | None = None
        self._registered = True
        self._waits = True  # so far as anybody knows
        self._news = News()
        self._triggered: set[str] = set()
        self._kick, self._moved = asyncio.Event(), asyncio.Event()
        self._hopes = False  # whether it has been dialled and nothing has failed yet
        self._in_order = asyncio.Lock()
        self._live: set[asyncio.Task[None]] = set()
        self._questions: asyncio.Queue[tuple[UpstreamLine, Call]] = asyncio.Queue(_MOST_ASKED)
        self._said: str | None = None

    # While the station is on the line

    async def load(self) -> None:
        """Take up what a former process has kept.

        Raises:
            AdapterUnavailable: The file cannot be used.
        """
        await self._store.open()
        await self.standing.load()

    def since_1970_ms(self, clock: Clock) -> int:
        """What is to be added to a clock for the time since 1970."""
        return self._utc_ms() - clock.now_ms()

    async def _keep_saving(self) -> None:
        while True:
            await self.standing.changed.wait()
            self.standing.changed.clear()
            await self._save()

    async def _save(self) -> None:
        try:
            await self.standing.save()
        except AdapterUnavailable as error:
            self._say(str(error))

    async def run(self, session: Session) -> None:
        """Dial as the station does, for as long as it is on the line; until cancelled."""
        self._session = session
        self.standing.speaks(session.dialect.subprotocol)
        self._hopes = True
        self._kick.set()
        try:
            while True:
                try:
                    await first_to_end(self._keep_saving(), self._keep_dialling(session), self._keep_asking(session))
                except AdapterUnavailable as error:
                    self._say(str(error))
                except Exception:  # noqa: BLE001 - whatever is said from behind, the station goes on
                    _LOG.exception("station %s: a defect between it and the central system behind", self._station)
                await asyncio.sleep(_DEFECT_S)
        finally:
            if self._session is session:
                self._session = None
            live = list(self._live)
            for task in live:
                task.cancel()
            await asyncio.gather(*live, return_exceptions=True)

    async def _keep_dialling(self, session: Session) -> None:
        retries = 0
        while True:
            try:
                await self.load()
                link = await self._dial(self._station, session.dialect.subprotocol)
            except AdapterUnavailable as error:
                self._say(str(error))
            else:
                retries = 0
                line = UpstreamLine(link, self._asked)
                try:
                    self._line = line
                    self._say("")
                    await first_to_end(line.serve(), self._keep_telling(line))
                except AdapterUnavailable as error:
                    self._say(str(error))
                finally:
                    self._line = None
                    line.abort()
            await asyncio.sleep(_RETRY_S[min(retries, len(_RETRY_S) - 1)])
            retries += 1

    def _say(self, words: str) -> None:
        """Say it once; nothing stands for: it is there."""
        self._hopes = self._hopes and not words
        self._moved.set()
        if words != self._said:
            self._said = words
            about = "station %s: the central system behind %s"
            _LOG.warning(about, self._station, f"is away: {words}" if words else "is there")

    # What the station says

    def heard(self, session: Session, call: Call, own: Message, *, ours: bool) -> Message | None:
        """The station said something, and this host has an answer of its own.

        Args:
            session: Its line.
            call: What it said.
            own: The answer of this host.
            ours: Whether this host has asked for it.

        Returns:
            What it is answered now; None: it is answered later.
        """
        self.standing.follow(session)
        way = way_of(call)
        wanted = call.action in self._triggered
        self._triggered.discard(call.action)
        if way is Way.BOOT:
            self._boot, self._registered = call.payload, False
        elif way is Way.TOLD or (wanted and way is Way.HERE):
            if isinstance(own, Result):
                self._news.add(call, ours=ours and not wanted)
        elif way is not Way.HERE and not (ours and not wanted and is_triggered(call)):
            if len(self._live) >= _MOST_LIVE:
                return Refusal(call.id, "InternalError", "it asks too much at a time")
            task = asyncio.create_task(self._answered_later(session, call, own))
            self._live.add(task)
            task.add_done_callback(self._live.discard)
            return None
        self._kick.set()
        return own

    async def _answered_later(self, session: Session, call: Call, own: Message) -> None:
        try:
            if way_of(call) is Way.KEPT:
                async with self._in_order:
                    answer = await self._kept(session, call, own)
            else:
                behind = await self._through(call)
                alone = self._tags.judged(call, own) if call.action == "Authorize" else away(call)
                answer = alone if behind is None else behind
        except AdapterUnavailable as error:
            self._say(str(error))
            answer = Refusal(call.id, "InternalError", "it cannot be kept")  # so that the station keeps it itself
        with contextlib.suppress(AdapterUnavailable):
            await session.reply(answer)

    async def _through(self, call: Call) -> Message | None:
        """The answer from behind; None: there is none in time."""
        kept = way_of(call) is Way.KEPT
        await self._come(lambda: self._line is not None and self._registered and not (kept and self._waits))
        line = self._line
        if line is None or not self._registered or (kept and self._waits):
            return None
        answer = await line.ask(call.action, self.standing.numbers.outward(call.payload), _PATIENCE_S)
        if answer is None:
            self._hopes = False
            return None
        self._tags.answered(call, answer)
        if isinstance(answer, Result):
            return Result(call.id, answer.payload)
        return Refusal(call.id, answer.code, answer.text)

    async def _come(self, ready: Callable[[], bool]) -> None:
        """Wait a little for one that has been dialled, while nothing has failed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while self._hopes and not ready():
                    self._moved.clear()
                    await self._moved.wait()

    async def _kept(self, session: Session, call: Call, own: Message) -> Message:
        """What becomes of a message that must not be lost."""
        await self.load()
        number = own.payload.get("transactionId") if isinstance(own, Result) else None
        own_number = number if isinstance(number, int) and call.action == "StartTransaction" else None
        numbers = self.standing.numbers
        if own_number is not None and numbers.is_known(own_number):
            return self._tags.judged(call, own)
        answer = await self._through(call)
        if answer is not None:
            if isinstance(answer, Result) and own_number is not None:
                return Result(call.id, self.standing.numbered(session, answer.payload, own_number))
            if isinstance(answer, Result):
                self._stopped(call)
            return answer
        if not isinstance(own, Result):
            return own  # nobody could make anything of it
        self._waits = True
        if not await self._store.add(self._station, call.action, call.payload, own_number):
            return Refusal(call.id, "InternalError", "there is no room for it any more")
        if own_number is not None:
            numbers.waits(own_number)
        self._waits = True
        self._kick.set()
        await self.standing.save()
        return self._tags.judged(call, own)

    def _stopped(self, call: Call | Waiting) -> None:
        """It is known behind; a transaction that it ended needs no number any more."""
        number = call.payload.get("transactionId")
        if call.action == "StopTransaction" and isinstance(number, int):
            self.standing.numbers.ended(number)
            self.standing.changed.set()

    # What the central system behind is told

    async def _keep_telling(self, line: UpstreamLine) -> None:
        """Say what waits, in order, and that the station is there.

        Raises:
            AdapterUnavailable: It does not answer.
        """
        interval_s, refusals = _INTERVAL_S, 0
        while True:
            self._kick.clear()
            if not self._registered and self._boot is not None:
                interval_s = await self._register(line, self._boot)
                continue
            if (call := self._news.first()) is not None:
                await self._ask(line, call.action, call.payload)
                self._news.told(call)
                continue
            waiting = await self._store.first(self._station) if self._waits else None
            if waiting is not None:
                refusals = 0 if await self._delivered(line, waiting, refusals) else refusals + 1
                continue
            if self._kick.is_set():
                continue
            self._waits, self._hopes = False, True
            self._moved.set()
            try:
                async with asyncio.timeout(interval_s):
                    await self._kick.wait()
            except TimeoutError:
                await self._ask(line, "Heartbeat", {})

    async def _ask(self, line: UpstreamLine, action: str, payload: Payload) -> Result | Refusal:
        answer = await line.ask(action, payload, _QUEUED_PATIENCE_S)
        if answer is None:
            raise AdapterUnavailable(f"{self.upstream.url} did not answer {action}")
        return answer

    async def _register(self, line: UpstreamLine, boot: Payload) -> int:
        """Say that the station has started; answers how often it is to say that it is there."""
        answer = await self._ask(line, "BootNotification", boot)
        accepted, told = False, None
        if isinstance(answer, Result):
            accepted, told = answer.payload.get("status") == "Accepted", answer.payload.get("interval")
        interval_s = told if isinstance(told, int) and not isinstance(told, bool) else 0
        interval_s = min(max(5, interval_s or _INTERVAL_S), _LONGEST_INTERVAL_S)
        if self._boot is boot and accepted:
            self._registered = True
            self._moved.set()
        elif not accepted:
            self._say(f"{self.upstream.url} has not accepted the station")
            await asyncio.sleep(interval_s)
        return interval_s

    async def _delivered(self, line: UpstreamLine, waiting: Waiting, refusals: int) -> bool:
        """Say what has waited longest; whether it is settled, one way or the other."""
        answer = await self._ask(line, waiting.action, self.standing.numbers.outward(waiting.payload))
        if isinstance(answer, Refusal):
            if refusals + 1 < _REFUSED_MOST:
                await asyncio.sleep(_AGAIN_S * (refusals + 1))
                return False
            self._say(f"{self.upstream.url} refuses {waiting.action}: {answer.code} {answer.text}")
            await self._store.done(waiting.number, refused=f"{answer.code} {answer.text}")
        else:
            behind = answer.payload.get("transactionId")
            if waiting.own is not None and isinstance(behind, int) and not isinstance(behind, bool):
                self.standing.numbers.found(waiting.own, behind)
                await self.standing.save()
            self._stopped(waiting)
            await self._store.done(waiting.number)
        return True

    # What the central system behind asks

    async def _asked(self, line: UpstreamLine, call: Call) -> None:
        if self.standing.answers(call.action):
            answer = self.standing.answer(call)
            if call.action != "GetCompositeSchedule":
                await self._save()
        elif (refused := refused_here(call)) is not None:
            answer = Result(call.id, refused)
        else:
            try:
                self._questions.put_nowait((line, call))
            except asyncio.QueueFull:
                answer = Refusal(call.id, "InternalError", "too many questions wait already")
            else:
                return
        await line.answer(answer)

    async def _keep_asking(self, session: Session) -> None:
        """Pass questions on to the station, one at a time."""
        while True:
            line, call = await self._questions.get()
            if line is not self._line:
                continue  # who asked is not there any more
            answer = await self._station_says(session, call)
            with contextlib.suppress(AdapterUnavailable):
                await line.answer(answer)

    async def _station_says(self, session: Session, call: Call) -> Message:
        bare, profile, where = without_profile(call)
        connector = where if isinstance(where, int) else 0
        if profile is not None and begun_with(connector or 1, profile, self._utc_ms()) is None:
            return Result(call.id, {"status": "Rejected"})
        try:
            payload = await session.pass_on(
                bare.action, self.standing.numbers.inward(bare.payload), _HOLDS_UP_S, _STATION_S
            )
        except RefusedByStation as error:
            return Refusal(call.id, error.code, error.text)
        except (AdapterRejected, AdapterUnavailable, TimeoutError) as error:
            return Refusal(call.id, "InternalError", f"the station does not answer: {error}"[:255])
        if payload.get("status") == "Accepted":
            if bare.action in ("RemoteStartTransaction", "RequestStartTransaction"):
                self._tags.wished(bare)
            if profile is not None:
                self.standing.begins_with(connector, profile)
            if bare.action == "TriggerMessage":
                self._triggered.add(str(bare.payload.get("requestedMessage")))
        return Result(call.id, payload)
