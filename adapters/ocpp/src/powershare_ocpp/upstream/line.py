"""The line to the central system behind: dialled as the station would, one question at a time, with ids of our own."""

import asyncio
import itertools
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_ocpp.settings import Upstream
from powershare_ocpp.wire.door import WebSocketLink
from powershare_ocpp.wire.frames import LONGEST_TEXT, Call, Message, Payload, Refusal, Result, message_of, text_of
from powershare_ocpp.wire.links import Link

_DIAL_S = 10
_ALIVE_EVERY_S = 20
_MOST_SPOILED = 20
_EACH_S = 0.025
"""A flood is read at this pace, after a second's worth of it; the network makes the rest wait."""
_AT_ONCE_S = 1.0

Dial: TypeAlias = Callable[[str, str], Awaitable[Link]]
"""Dials as this station, with this subprotocol."""


class WebSocketDial:
    """Dials a central system.

    Args:
        upstream: Where it is.
        password: The station's there; None: it has none.

    Raises:
        AdapterUnavailable: The file of its certificates cannot be used.
    """

    def __init__(self, upstream: Upstream, password: str | None) -> None:
        self._url, self._password = upstream.url, password
        self._tls: ssl.SSLContext | None = None
        if self._url.startswith("wss:"):
            try:
                self._tls = ssl.create_default_context(cafile=upstream.ca)
            except (OSError, ValueError) as error:
                raise AdapterUnavailable(f"upstream_ca {upstream.ca} cannot be used: {error}") from None

    async def __call__(self, station: str, subprotocol: str) -> Link:
        """Dial.

        Raises:
            AdapterUnavailable: Nobody is there, or one is not let in, or spoken to in another version.
        """
        scheme, _, rest = self._url.partition("://")
        name = quote(station, safe="")
        secret = "" if self._password is None else f"{name}:{quote(self._password, safe='')}@"
        try:
            connection = await connect(
                f"{scheme}://{secret}{rest.rstrip('/')}/{name}",
                subprotocols=[Subprotocol(subprotocol)],
                ssl=self._tls,
                open_timeout=_DIAL_S,
                ping_interval=_ALIVE_EVERY_S,
                ping_timeout=_ALIVE_EVERY_S,
                compression=None,
                max_size=LONGEST_TEXT,
            )
        except InvalidURI:
            raise AdapterUnavailable(f"{self._url} cannot be dialled") from None  # whose text has the password
        except (OSError, WebSocketException, TimeoutError) as error:
            raise AdapterUnavailable(f"{self._url} cannot be reached: {error}") from None
        if connection.subprotocol != subprotocol:
            connection.transport.abort()
            raise AdapterUnavailable(f"{self._url} does not speak {subprotocol}")
        return WebSocketLink(connection)


class UpstreamLine:
    """One connection.

    Args:
        link: It, open.
        asked: Takes what the central system asks.
    """

    def __init__(self, link: Link, asked: Callable[["UpstreamLine", Call], Awaitable[None]]) -> None:
        self._link, self._asked = link, asked
        self._one_at_a_time = asyncio.Lock()
        self._ids = itertools.count(1)
        self._waits: tuple[str, asyncio.Future[Result | Refusal]] | None = None

    async def ask(self, action: str, payload: Payload, patience_s: float) -> Result | Refusal | None:
        """Ask, one question at a time (OCPP-J 1.6, 4.1.1).

        Returns:
            The answer, with the id of our question; None: there was none in time, or the line is gone.
        """
        answer: asyncio.Future[Result | Refusal] = asyncio.get_running_loop().create_future()
        message_id = f"ps{next(self._ids)}"
        try:
            async with asyncio.timeout(patience_s), self._one_at_a_time:
                self._waits = (message_id, answer)
                try:
                    await self._link.send(text_of(Call(message_id, action, payload)))
                    return await answer
                finally:
                    self._waits = None
        except (TimeoutError, AdapterUnavailable):
            return None

    async def answer(self, message: Message) -> None:
        """Answer what it asked; nobody may be there any more.

        Raises:
            AdapterUnavailable: The line is gone.
        """
        await self._link.send(text_of(message))

    async def serve(self) -> None:
        """Take what comes.

        Raises:
            AdapterUnavailable: The line is gone, or nothing on it can be read.
        """
        loop = asyncio.get_running_loop()
        spoiled, free_s = 0, loop.time()
        while True:
            text = await self._link.receive()
            free_s = max(free_s, loop.time() - _AT_ONCE_S) + _EACH_S
            if free_s > loop.time():
                await asyncio.sleep(free_s - loop.time())
            try:
                message = message_of(text)
            except AdapterRejected as error:
                spoiled += 1
                if spoiled > _MOST_SPOILED:
                    raise AdapterUnavailable(f"speaks no OCPP: {error}") from None
                continue
            spoiled = 0
            if isinstance(message, Call):
                await self._asked(self, message)
            elif self._waits is not None and self._waits[0] == message.id and not self._waits[1].done():
                self._waits[1].set_result(message)

    def abort(self) -> None:
        """Hang up."""
        self._link.abort()
