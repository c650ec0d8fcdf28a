"""What an emulated station says of its own accord: one message at a time, and again when its answer was lost."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable

import attrs

from powershare_ocpp.wire.frames import Call, Message, Payload, Result, message_of, text_of
from powershare_ocpp.wire.links import Link

_THINKING_S = 0.003
_LOOK_S = 0.05
_MOST_QUEUED = 64


@attrs.frozen
class Saying:
    """Something to say.

    Attributes:
        action: What.
        payload: With what.
        done: Told of the answer.
    """

    action: str
    payload: Payload
    done: Callable[[Payload], None] = lambda _: None


class StationLine:
    """The line of one station, whichever link it is at the moment.

    Args:
        name: The station's identifier.
        answer: Answers what the central system asks.
        look: Called again and again while the line is up.

    Attributes:
        link: The link; None: there is none.
        silent: Nothing is heard and nothing is said.
        heard: What was asked, in order, the last of it.
    """

    def __init__(self, name: str, answer: Callable[[Call], Message], look: Callable[[], None]) -> None:
        self._name, self._answer, self._look = name, answer, look
        self.link: Link | None = None
        self.silent = False
        self.heard: deque[Call] = deque(maxlen=200)
        self._ids = itertools.count(1)
        self._queue: deque[Saying] = deque(maxlen=_MOST_QUEUED)
        self._waiting: tuple[str, Saying] | None = None

    def say(self, saying: Saying) -> None:
        """Say something as soon as what comes before it was answered."""
        self._queue.append(saying)

    def lose(self) -> None:
        """Forget what was still to be said."""
        self._queue.clear()
        self._waiting = None

    async def serve(self, link: Link, first: Saying) -> None:
        """Talk over a new link until it breaks.

        Raises:
            AdapterUnavailable: It did.
        """
        if self._waiting is not None:
            self._queue.appendleft(self._waiting[1])
        self.link, self._waiting = link, None
        self._queue.appendleft(first)
        try:
            while True:
                await self._turn(link)
        finally:
            self.link = None
            link.abort()

    async def _turn(self, link: Link) -> None:
        if not self.silent:
            self._look()
            await self._send_next(link)
        try:
            async with asyncio.timeout(_LOOK_S):
                text = await link.receive()
        except TimeoutError:
            return
        if not self.silent:
            await self._hear(link, message_of(text))

    async def _hear(self, link: Link, message: Message) -> None:
        if isinstance(message, Call):
            await asyncio.sleep(_THINKING_S)
            self.heard.append(message)
            answer = self._answer(message)
            self._look()
            await link.send(text_of(answer))
        elif self._waiting is not None and self._waiting[0] == message.id:
            saying, self._waiting = self._waiting[1], None
            if isinstance(message, Result):
                saying.done(message.payload)

    async def _send_next(self, link: Link) -> None:
        if self._waiting is None and self._queue:
            saying = self._queue.popleft()
            message_id = f"{self._name}-{next(self._ids)}"[-36:]
            self._waiting = (message_id, saying)
            await link.send(text_of(Call(message_id, saying.action, saying.payload)))
