"""One wire and its one controller, which every adapter of a unit on that wire shares.

Rule 1: one task speaks, and waits for the answer before it speaks again: the wire is half-duplex.
Rule 2: what somebody asks for comes first, then heartbeats that are due, and questions only where no heartbeat waits.
Rule 3: nobody is raised before every unit of the wire has been brought low.
Rule 4: a second controller ends it: nothing is said any more.
"""

import asyncio
import contextlib
from collections import deque

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable, ContractError
from powershare_serial.ports import Connect, Port
from powershare_serial.twc.echoes import Echoes, stranger
from powershare_serial.twc.frames import Frames, parse_any
from powershare_serial.twc.linked import LinkedUnit
from powershare_serial.twc.messages import (
    ControllerBeat,
    ControllerIdle,
    ControllerReady,
    Firmware,
    Message,
    Meter,
    Protocol,
    Query,
    Question,
    Serial,
    UnitBeat,
    UnitReady,
    VinPart,
    shown,
)
from powershare_serial.twc.sending import Announcement, Contactor, Gate, Sendable, encoded

ANSWER_MS = 300
"""The longest that a unit takes to answer: about 100 ms, and the bytes."""
SIGN = 0x77
"""A unit may want to see this one (W of `powershare_serial.twc.messages`)."""
_LISTEN_MS = 2_000
"""Before it speaks, a new controller listens whether there is one: that would speak about once a second."""
_ANNOUNCEMENTS = 5
_FIRST_PAUSE_MS, _REPLY_MS = 100, 450
_ROUNDS = 3
_TRIES = 3
_TURNAROUND_MS = 10
_FAREWELL_S = 0.1
_STALE_MS = 100
_TOGETHER_MS = 400
_QUESTION_MS = ANSWER_MS + 100
_IDLE_MS = 60_000


class _Request:
    """Somebody waits for a unit's next words."""

    def __init__(self, unit: LinkedUnit, what: Question | Contactor | None) -> None:
        self.unit, self.what = unit, what
        self.tries = _TRIES if what is None else 1
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def fail(self, error: AdapterError) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # whoever waited may be gone; nobody has to hear it


class Bus:
    """The controller of one wire.

    Args:
        name: The wire in the words of an error.
        connect: How to open its port.
        clock: Where the time comes from.
        controller_id: The id to go by.
        before: The last one on this wire, whose port has to be closed first.

    Attributes:
        users: How many adapters hold it.
        units: The units that were heard of, by id.
        watchdog_ms: The longest that any of them goes on without a heartbeat.
    """

    def __init__(
        self, name: str, connect: Connect, clock: Clock, controller_id: int, *, before: "Bus | None" = None
    ) -> None:
        self.name, self.controller_id, self.users, self.watchdog_ms = name, controller_id, 0, 0
        self.units: dict[int, LinkedUnit] = {}
        self._connect, self._clock = connect, clock
        self._frames = Frames()
        self._gate: Gate | None = None
        self._lost: AdapterError | None = None
        self._linked = asyncio.Event()
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._awaited: tuple[int, type[Message]] | None = None
        self._requests: deque[_Request] = deque()
        self._served: _Request | None = None
        self._echoes = Echoes()
        self._main: asyncio.Task[None] | None = None
        self._before = before
        self._ending = False

    @property
    def lost(self) -> bool:
        """Whether the wire is gone, or somebody else's; a new bus may find it again."""
        return self._lost is not None

    async def start(self) -> None:
        """Wait until the units have been found and brought low; the first caller opens the port.

        Raises:
            AdapterError: The port cannot be opened, or there is another controller.
        """
        if self._main is None:
            self._main = asyncio.create_task(self._run())
        await self._linked.wait()
        self._must_hold()

    async def release(self) -> None:
        """One adapter less; the last one closes the port."""
        self.users -= 1
        if self.users > 0 or self._main is None:
            return
        if not self._ending:
            self._ending = True
            self._fail(AdapterUnavailable(f"{self.name}: it was closed"))
            self._main.cancel()
        await self.ended()

    async def ended(self) -> None:
        """Wait until the port is closed."""
        if self._main is not None:
            await asyncio.wait([self._main])

    async def beat(self, unit: LinkedUnit) -> UnitBeat:
        """Send a unit its heartbeat now, and return its answer.

        Raises:
            AdapterTimeout: It does not answer.
            AdapterUnavailable: The wire is gone.
        """
        await self._ask(_Request(unit, None))
        if unit.beat is None:
            raise AdapterTimeout(f"{self.name}: unit {shown(unit.unit_id)} did not answer")
        return unit.beat

    async def question(self, unit: LinkedUnit, question: Question) -> bool:
        """Ask a unit something now, once; what it says is in the unit.

        Returns:
            Whether it answered.
        """
        return await self._ask(_Request(unit, question))

    async def contactor(self, command: Contactor) -> None:
        """Tell a unit to close or to open its contactor. It does not answer."""
        await self._ask(_Request(self.units[command.receiver], command))

    async def seek(self, unit_id: int, protocol: Protocol | None) -> bool:
        """Speak to a unit that has not announced itself: one that has had a controller a moment ago does not (O).

        Args:
            unit_id: Its id.
            protocol: Its generation; None: either.

        Returns:
            Whether it answered.
        """
        unit = self.unit(unit_id)
        try:
            for generation in (1, 2) if protocol is None else (protocol,):
                unit.protocol = generation
                with contextlib.suppress(AdapterTimeout):
                    await self.beat(unit)
                    return True
        finally:
            if not unit.heard:
                self.units.pop(unit_id, None)
        return False

    def unit(self, unit_id: int) -> LinkedUnit:
        """Return a unit, whether it was heard of or not."""
        if unit_id not in self.units:
            self.units[unit_id] = LinkedUnit(unit_id, self._clock.now_ms())
        return self.units[unit_id]

    async def _ask(self, request: _Request) -> bool:
        self._must_hold()
        self._requests.append(request)
        self._wake.set()
        return await request.done

    def _must_hold(self) -> None:
        if self._lost is not None:
            raise type(self._lost)(*self._lost.args)

    def _fail(self, error: AdapterError) -> None:
        """From now on nothing is said any more."""
        if self._lost is None:
            self._lost = error
        if self._served is not None:
            self._served.fail(self._lost)
        while self._requests:
            self._requests.popleft().fail(self._lost)
        for event in (self._linked, self._wake, self._answered):
            event.set()

    async def _run(self) -> None:
        if self._before is not None:
            await self._before.ended()
            self._before = None
        try:
            port = await self._connect()
        except AdapterError as error:
            self._fail(error)
            return
        self._gate = Gate(port)
        listening = asyncio.create_task(self._listen(port))
        try:
            await self._link_up()
            self._linked.set()
            await self._speak()
        except AdapterError as error:
            self._fail(error)
        except ContractError as error:  # the gate let something not pass: a defect of ours, which must not go on
            self._fail(AdapterUnavailable(f"{self.name}: nothing is said any more: {error}"))
        finally:
            if self._ending:
                await self._farewell(self._gate)
            self._fail(AdapterUnavailable(f"{self.name}: it has ended"))
            listening.cancel()
            await asyncio.wait([listening])
            await port.close()

    async def _farewell(self, gate: Gate) -> None:
        """Tell those with an order 0: what is left to its watchdog shows its vehicle a fault. Later, say nothing."""
        with contextlib.suppress(AdapterError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                for unit in self.units.values():
                    now_ms = self._clock.now_ms()
                    if unit.told_ma and unit.ordered(now_ms):
                        await gate.send(encoded(unit.next_beat(self.controller_id, now_ms, may_raise=False)))

    async def _link_up(self) -> None:
        await self._rest(_LISTEN_MS)
        for _ in range(_ANNOUNCEMENTS):
            await self._put(Announcement(sender=self.controller_id, sign=SIGN, second=False))
            await self._rest(_FIRST_PAUSE_MS)
        for _ in range(_ROUNDS):
            for _ in range(_ANNOUNCEMENTS):
                await self._put(Announcement(sender=self.controller_id, sign=SIGN, second=True))
                await self._rest(_REPLY_MS)
            if self.units:
                break
        self._echoes.learned()
        for _ in range(_TRIES):
            for unit in [unit for unit in self.units.values() if not unit.low]:
                await self._exchange(unit)

    async def _speak(self) -> None:
        early_ms = 0
        while self._lost is None:
            self._wake.clear()
            now_ms = self._clock.now_ms()
            if self._requests:
                await self._serve(self._requests.popleft())
                continue
            due = self._due(now_ms, early_ms)
            if due is not None and due[0] <= now_ms:
                await self._exchange(due[1])
                early_ms = _TOGETHER_MS
                continue
            early_ms = 0
            next_ms = now_ms + _IDLE_MS if due is None else due[0]
            if next_ms - now_ms >= _QUESTION_MS and await self._questioned(now_ms):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(next_ms - now_ms, self._question_in_ms(now_ms)) / 1000):
                    await self._wake.wait()

    def _due(self, now_ms: int, early_ms: int) -> tuple[int, LinkedUnit] | None:
        """The next heartbeat. Those that are due soon follow one another, which leaves time for questions between."""
        due = [
            (due_ms - (early_ms if now_ms - unit.spoken_ms >= early_ms else 0), unit)
            for unit in self.units.values()
            if (due_ms := unit.beat_due_ms(now_ms, self.watchdog_ms)) is not None
        ]
        return min(due, key=lambda entry: entry[0], default=None)

    def _question_in_ms(self, now_ms: int) -> int:
        return _QUESTION_MS if any(unit.ordered(now_ms) for unit in self.units.values()) else _IDLE_MS

    async def _questioned(self, now_ms: int) -> bool:
        """Ask one question, if there is one."""
        for unit in self.units.values():
            if unit.ordered(now_ms) and (question := unit.question_due(now_ms)) is not None:
                await self._query(unit, question)
                return True
        return False

    async def _serve(self, request: _Request) -> None:
        if request.done.done():
            return
        unit, what = request.unit, request.what
        self._served = request
        if isinstance(what, Contactor):
            await self._put(what)
            answered = True
        elif isinstance(what, Question):
            answered = await self._query(unit, what)
        else:
            answered = await self._exchange(unit)
        self._served = None
        request.tries -= 1
        if self._lost is not None:
            request.fail(self._lost)
        elif request.done.done():
            return
        elif answered or what is not None:
            request.done.set_result(answered)
        elif request.tries:
            self._requests.append(request)
        else:
            request.fail(AdapterTimeout(f"{self.name}: unit {shown(unit.unit_id)} did not answer {_TRIES} times"))

    async def _exchange(self, unit: LinkedUnit) -> bool:
        """Send a unit its heartbeat and wait for the answer."""
        now_ms = self._clock.now_ms()
        raised = all(other.settled(now_ms, self.watchdog_ms) for other in self.units.values())
        beat = unit.next_beat(self.controller_id, now_ms, may_raise=raised)
        answered = await self._say(beat, unit.unit_id, UnitBeat)
        if not answered:
            unit.missed()
        return answered

    async def _query(self, unit: LinkedUnit, question: Question) -> bool:
        unit.asked(question, self._clock.now_ms())
        query = Query(sender=self.controller_id, receiver=unit.unit_id, question=question)
        answer: type[Message] = Meter if question is Question.METER else VinPart
        return await self._say(query, unit.unit_id, answer)

    async def _say(self, message: Sendable, unit_id: int, answer: type[Message]) -> bool:
        """Say something, and wait for the unit's answer of this kind."""
        self._awaited = (unit_id, answer)
        self._answered.clear()
        await self._put(message)
        try:
            async with asyncio.timeout(ANSWER_MS / 1000):
                await self._answered.wait()
        except TimeoutError:
            return False
        finally:
            self._awaited = None
        self._must_hold()
        await asyncio.sleep(_TURNAROUND_MS / 1000)
        return True

    async def _put(self, message: Sendable) -> None:
        self._must_hold()
        assert self._gate is not None  # noqa: S101 - there is one before anybody speaks
        frame = encoded(message)
        for heard in parse_any(frame):
            self._echoes.said(heard, self._clock.now_ms())
        await self._gate.send(frame, contactor=isinstance(message, Contactor))

    async def _rest(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)
        self._must_hold()

    async def _listen(self, port: Port) -> None:
        try:
            await asyncio.sleep(_STALE_MS / 1000)
            port.pending()  # what was on its way when we came, such as the echo of our own last words before
            while True:
                for message in self._frames.feed(await port.receive()):
                    self._hear(message, self._clock.now_ms())
        except AdapterError as error:
            self._fail(error)
        finally:
            self._fail(AdapterUnavailable(f"{self.name}: nobody listens any more"))

    def _hear(self, message: Message, now_ms: int) -> None:
        if self._echoes.take(message, now_ms):
            return
        match message:
            case ControllerReady() | ControllerBeat() | ControllerIdle() | Query():
                self._fail(stranger(self.name, message))
            case UnitReady():
                self.unit(message.sender).hear_ready(message, now_ms)
                self._wake.set()
            case UnitBeat(receiver=self.controller_id) | Meter() | VinPart() | Firmware() | Serial():
                if isinstance(message, UnitBeat) or message.sender in self.units:
                    self.unit(message.sender).hear(message, now_ms)
                if self._awaited == (message.sender, type(message)):
                    self._answered.set()
