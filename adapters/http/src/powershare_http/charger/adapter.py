"""Joins a device that a map describes to the contract of `powershare.adapter`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial

from powershare.adapter import Applied, Clock, Declaration, Offer, PilotState, Reading
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import LineMilliamps
from powershare_http import bodies
from powershare_http.bodies import BodyError
from powershare_http.charger.http_map import Expected, HttpMap, Place, Switch
from powershare_http.charger.settings import settings_of
from powershare_http.client import HttpFetch
from powershare_http.exchange import Fetch, Request, shown
from powershare_http.line import Line

_OPENING_MS = 10_000
"""The longest that an opening may take: looking at a device takes some questions."""

_LONGEST_PAUSE_MS = 4_000
"""The longest that a device is left in peace after failures; orders are sent all the same."""

_MS = Decimal(1_000)


class HttpAdapter:
    """A device that a map describes. It measures (SupportsMetering) where its map says so.

    Args:
        scheme: A shipped map, or `map`.
        rest: What follows it and its colon in a site file; the README lists the settings.
        clock: Where the time comes from.
        fetch: Builds what moves questions and answers; None: over HTTP, as the address says.

    Raises:
        FormatError: The address or its map means nothing; every problem at once.
    """

    metered_lines: int
    """How many lines it measures (SupportsMetering); there only where its map has a meter."""

    def __init__(self, scheme: str, rest: str, /, *, clock: Clock, fetch: Callable[[], Fetch] | None = None) -> None:
        self._settings = settings_of(scheme, rest)
        self._declaration = self._settings.declaration()
        self._clock = clock
        settings = self._settings
        # One line for good: closing and opening after every failure must not begin its pauses anew.
        self._line = Line(
            settings.place,
            (fetch or partial(HttpFetch, settings.place, settings.auth_file))(),
            clock,
            reply_ms=settings.reply_ms,
            longest_pause_ms=_LONGEST_PAUSE_MS,
        )
        self._open = False
        self._closings = 0
        if self._settings.lines:
            self.metered_lines = self._settings.lines

    @property
    def declaration(self) -> Declaration:
        """What map and address promise."""
        return self._declaration

    async def open(self) -> None:
        """Ask the device for everything once, and look whether it is what its map says. It is told nothing.

        Raises:
            AdapterRejected: It is something else; the text says what to do.
            AdapterError: It cannot be reached.
        """
        if self._open:
            return
        closings = self._closings
        try:
            async with _in_time(_OPENING_MS):
                answers = await self._look(self._wanted_always())
                self._watchdog_must_be(answers)
                expected = self._settings.map.expect
                _must_be(expected, await self._look(dict.fromkeys(part.place.read for part in expected)))
        except BaseException:
            await self._line.close()
            raise
        self._must_not_be_closed_since(closings)
        self._open = True

    async def close(self) -> None:
        """Let go of the connection; the device's watchdog, if it has one, does the rest."""
        self._closings += 1
        self._open = False
        await self._line.close()

    async def offer(self, offer: Offer) -> Applied:
        """Order whole steps, rounded down. That the device accepted it proves nothing: `read()` says what it offers."""
        sendable_ma = self._declaration.sendable_ma(offer.offered_ma)
        closings = self._opened()

        def check() -> None:
            self._must_not_be_closed_since(closings)
            if self._clock.now_ms() >= offer.valid_until_ms:
                raise AdapterRejected("the order was over before it could be sent")

        check()
        async with _in_time(self._declaration.longest_write_ms):
            for step, request in self._settings.map.requests_for(sendable_ma):
                answer = await self._line.ask(request, urgent=True, check=check, until_ms=offer.valid_until_ms)
                if not answer.body.startswith(step.answers.encode()):
                    raise AdapterRejected(f"{request}: it refused: {shown(answer.body)}")
        self._must_not_be_closed_since(closings)
        return Applied(offered_ma=None, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask the device for everything, and whether its watchdog is still the one that was declared."""
        closings = self._opened()
        async with _in_time(_OPENING_MS):
            answers = await self._look(self._wanted_always())
        self._must_not_be_closed_since(closings)
        self._watchdog_must_be(answers)
        return self._reading(answers)

    async def evidence(self) -> Mapping[str, str]:
        """What the device says of itself beside what every reading has (SupportsEvidence)."""
        self._opened()
        found = self._settings.map
        said: dict[str, str] = {"device": found.name}
        for name in dict.fromkeys(part.place.read for part in found.evidence):
            parts = [part for part in found.evidence if part.place.read == name]
            try:
                async with _in_time(_OPENING_MS):
                    answers = await self._look([name])
            except AdapterError as error:
                said[", ".join(part.name for part in parts)] = str(error)
                continue
            for part in parts:
                with contextlib.suppress(BodyError):  # other firmware says other things
                    said[part.name] = bodies.word_of(_at(answers, part.place))
        return said

    def _opened(self) -> int:
        """How often it has been closed, while it is open."""
        if not self._open:
            raise AdapterUnavailable("the adapter is not open")
        return self._closings

    def _must_not_be_closed_since(self, closings: int) -> None:
        if closings != self._closings:  # close() may come at any moment, and then counts
            raise AdapterUnavailable("the adapter was closed meanwhile")

    def _wanted_always(self) -> list[str]:
        return self._settings.map.asked_always(self._settings.lines)

    async def _look(self, names: Iterable[str]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in names:
            request: Request = self._settings.map.reads[name]
            answer = await self._line.ask(request)
            try:
                found[name] = bodies.json_of(answer.body)
            except BodyError as error:
                raise BodyError(f"{self._settings.place}: {request}: {error}") from None
        return found

    def _watchdog_must_be(self, answers: Mapping[str, object]) -> None:
        """Refuse a device that says that its watchdog is another one than declared."""
        dog = self._settings.map.watchdog
        if dog is None:
            return
        if dog.time is not None:
            said_ms = bodies.current_ma(_at(answers, dog.time), _MS, str(dog.time))
            if not 0 < said_ms <= (self._settings.watchdog_ms or 0):
                says = f"{said_ms / 1000:g} s where its watchdog should act after {self._settings.watchdog_ms or 0} ms"
                raise AdapterRejected(f"the device says {says}; set it so, or write watchdog_s in the address")
        if dog.failsafe is not None:
            said_ma = bodies.current_ma(_at(answers, dog.failsafe), _MS, str(dog.failsafe))
            if said_ma > self._settings.fallback_ma:
                remedy = f"set it to {self._settings.fallback_ma / 1000:g} A, or write failsafe_a in the address"
                raise AdapterRejected(f"the device has a failsafe current of {said_ma / 1000:g} A; {remedy}")

    def _reading(self, answers: Mapping[str, object]) -> Reading:
        found = self._settings.map
        state, offering = _state_of(found, answers)
        offered_ma = bodies.current_ma(
            _at(answers, found.offered.place), found.offered.unit_ma, str(found.offered.place)
        )
        offering = offering and not (found.switch is not None and _is_paused(found.switch, answers))
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=offered_ma if offering else 0,
            state=state,
            drawn_ma=self._drawn_ma(answers),
            fault=_fault_of(found, answers, state),
        )

    def _drawn_ma(self, answers: Mapping[str, object]) -> LineMilliamps | None:
        drawn = self._settings.map.drawn
        if drawn is None or not self._settings.lines:
            return None
        places = drawn.places[: self._settings.lines]
        drawn_ma = tuple(bodies.current_ma(_at(answers, place), drawn.unit_ma, str(place)) for place in places)
        return drawn_ma * self._settings.lines if len(drawn.places) == 1 else drawn_ma


def _at(answers: Mapping[str, object], place: Place) -> object:
    return bodies.field_of(answers[place.read], place.path)


def _is_paused(switch: Switch, answers: Mapping[str, object]) -> bool:
    return bodies.word_of(_at(answers, switch.place)) in switch.paused


def _must_be(expected: Iterable[Expected], answers: Mapping[str, object]) -> None:
    for each in expected:
        data = answers[each.place.read]
        if each.value is None:
            if bodies.has_field(data, each.place.path):
                raise AdapterRejected(f"it has {each.place}: {each.remedy}")
        elif (word := bodies.word_of(_at(answers, each.place))) != each.value:
            raise AdapterRejected(f"{each.place} is {word}: {each.remedy}")


def _state_of(found: HttpMap, answers: Mapping[str, object]) -> tuple[PilotState, bool]:
    """The state of the pilot, and whether the device says that it offers something.

    Raises:
        BodyError: It says what its map does not know.
    """
    words = [(rule, bodies.word_of(_at(answers, rule.place))) for rule in found.states]
    offering = not any(word in rule.not_offering for rule, word in words)
    for rule, word in words:
        if word in rule.values:
            return rule.values[word], offering
    said = ", ".join(f"{rule.place} is {word[:40]!r}" for rule, word in words)
    raise BodyError(f"{said}, which {found.where} does not know")


def _fault_of(found: HttpMap, answers: Mapping[str, object], state: PilotState) -> str | None:
    if found.trouble is not None:
        word = bodies.word_of(_at(answers, found.trouble.place))
        if word not in found.trouble.fine:
            return f"{found.trouble.place} is {word[:40]}"
    if state not in {"E", "F"}:
        return None
    return ", ".join(f"{rule.place} is {bodies.word_of(_at(answers, rule.place))[:40]}" for rule in found.states)


@contextlib.asynccontextmanager
async def _in_time(longest_ms: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(longest_ms / 1000):
            yield
    except AdapterTimeout:
        raise
    except TimeoutError:
        raise AdapterTimeout(f"it took more than {longest_ms} ms") from None
