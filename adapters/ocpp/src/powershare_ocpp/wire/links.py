"""Doors at which stations dial in, and the links that come of it: what moves messages and knows none of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

import attrs

from powershare.errors import AdapterUnavailable


@attrs.frozen(kw_only=True)
class Hello:
    """Who dials in, as far as the connection itself says.

    Attributes:
        station: The identifier, last part of the path.
        offers: The subprotocols that it speaks, the one that it likes best first.
        password: With which it proves that; None: none was given.
        common_name: The name in its certificate; None: it showed none.
    """

    station: str
    offers: tuple[str, ...]
    password: str | None = None
    common_name: str | None = None


@attrs.frozen
class Refused:
    """Why somebody is not let in.

    Attributes:
        status: Of HTTP.
        text: A sentence.
    """

    status: int
    text: str


class Link(Protocol):
    """A connection over which whole messages go, in order."""

    async def send(self, text: str) -> None:
        """Send one.

        Raises:
            AdapterUnavailable: The connection is gone.
        """
        ...

    async def receive(self) -> str | bytes:
        """Wait for one.

        Raises:
            AdapterUnavailable: The connection is gone.
        """
        ...

    def abort(self) -> None:
        """Hang up at once; who receives hears of it."""
        ...


Admit: TypeAlias = Callable[[Hello], Refused | str]
"""Says why somebody is not let in, or in which subprotocol one talks with them."""

Serve: TypeAlias = Callable[[Hello, Link], Awaitable[None]]


class Door(Protocol):
    """Where stations dial in."""

    async def open(self, admit: Admit, serve: Serve) -> None:
        """Listen from now on.

        Args:
            admit: Says who is let in, and what is spoken.
            serve: Is called with each that was, and has the link until it returns.

        Raises:
            AdapterUnavailable: One cannot listen there.
        """
        ...

    def shut(self) -> None:
        """Hang up on everybody, and listen no more. Never fails."""
        ...

    async def wait_closed(self) -> None:
        """Once shut: wait until everybody is gone."""
        ...


class MemoryLink:
    """One end of a link within this process.

    Args:
        delay_s: How long a message is on its way.
    """

    def __init__(self, delay_s: float = 0.002) -> None:
        self._delay_s = delay_s
        self.inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self.gone = False
        self.other: MemoryLink | None = None

    async def send(self, text: str) -> None:
        """Send a message, which the other end hears a little later."""
        if self.gone or self.other is None:
            raise AdapterUnavailable("the link is gone")
        await asyncio.sleep(self._delay_s)
        self.other.inbox.put_nowait(text)

    async def receive(self) -> str:
        """Wait for a message."""
        if self.gone:
            raise AdapterUnavailable("the link is gone")
        text = await self.inbox.get()
        if text is None:
            raise AdapterUnavailable("the other end hung up")
        return text

    def abort(self) -> None:
        """Hang up."""
        for end in (self, self.other):
            if end is not None and not end.gone:
                end.gone = True
                end.inbox.put_nowait(None)


Caller: TypeAlias = Callable[["MemoryDoor"], Coroutine[Any, Any, None]]
"""A station that dials in at a door of this process for as long as it is open."""


class MemoryDoor:
    """A door within this process, for dry runs and tests in virtual time.

    Args:
        callers: Stations that dial in as soon as it opens.
    """

    def __init__(self, callers: Sequence[Caller] = ()) -> None:
        self._callers = callers
        self._admit: Admit | None = None
        self._serve: Serve | None = None
        self._links: set[MemoryLink] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, admit: Admit, serve: Serve) -> None:
        """Let in from now on."""
        self._admit, self._serve = admit, serve
        for caller in self._callers:
            self._run(caller(self))

    def shut(self) -> None:
        """Hang up on everybody."""
        self._admit = self._serve = None
        for link in self._links:
            link.abort()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nobody is served any more."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def dial(self, hello: Hello) -> MemoryLink:
        """Dial in, as a station.

        Raises:
            AdapterUnavailable: Nobody listens, or one is not let in.
        """
        await asyncio.sleep(0.001)
        if self._admit is None or self._serve is None:
            raise AdapterUnavailable("nobody listens")
        if isinstance(refused := self._admit(hello), Refused):
            raise AdapterUnavailable(refused.text)
        ours, theirs = MemoryLink(), MemoryLink()
        ours.other, theirs.other = theirs, ours
        self._run(self._serving(self._serve, hello, theirs))
        return ours

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serving(self, serve: Serve, hello: Hello, link: MemoryLink) -> None:
        self._links.add(link)
        try:
            await serve(hello, link)
        finally:
            self._links.discard(link)
            link.abort()
