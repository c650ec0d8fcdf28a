"""A real HTTP server for one emulated device, on loopback, that fails on purpose."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from powershare.errors import AdapterUnavailable
from powershare_http.exchange import MAX_BODY_BYTES, Answer, Request

HOST = "127.0.0.1"

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "silent": "it takes questions and never answers",
        "vanish": "nobody is at its address any more: connections are refused",
        "slow": "its answers take three seconds",
        "cut": "its answers break off in the middle, and the connection with them",
        "error": "it answers 500 to everything",
        "html": "it answers with a page for people",
        "endless": "its answers do not end",
        "elsewhere": "it sends everybody to another address",
    }
)
"""What can fail on the wire, each with a sentence."""

_SLOW_S = 3.0
_LOOK_S = 0.05
_SHUTDOWN_S = 0.1
_ELSEWHERE = "http://192.0.2.1/"
_PAGE = b"<!DOCTYPE html><html><body>It works!</body></html>"


class DeviceServer:
    """One device's server.

    Args:
        answer: What it answers to a question.
        tcp_port: Where it listens; 0: at a free port, the same from then on.
        works_s: How long it takes over each answer.
        crowded: Told that a second question came while it was at one; None: it does not mind.

    Attributes:
        failing: What fails: one of `FAILURES`, or `none`.
        asked: How many questions have come.
        most_at_once: How many it has had at the same time at the most.
    """

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        *,
        tcp_port: int = 0,
        works_s: float = 0.0,
        crowded: Callable[[], None] | None = None,
    ) -> None:
        self._answer, self._works_s, self._crowded = answer, works_s, crowded
        self.tcp_port = tcp_port
        self.failing = "none"
        self.asked = self.most_at_once = 0
        self._at_once = 0
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            AdapterUnavailable: The port is in use.
        """
        if self._server is not None:
            return
        try:
            place = self._bound()
        except OSError as error:
            raise AdapterUnavailable(f"{HOST}:{self.tcp_port}: {error.strerror or error}") from error
        self._server = web.Server(self._handle, access_log=None)
        self.tcp_port = place.getsockname()[1]
        await self._listen(place)

    async def stop(self) -> None:
        """Fall silent and let go of everything."""
        server, self._server = self._server, None
        if server is None:
            return
        self._refuse()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await server.shutdown(_SHUTDOWN_S)
        if tasks:
            await asyncio.wait(tasks)

    def hang_up(self) -> None:
        """Break every connection."""
        for handler in [] if self._server is None else self._server.connections:
            handler.force_close()
            if isinstance(handler.transport, asyncio.Transport):
                handler.transport.abort()

    def begin(self, failure: str) -> None:
        """Begin a failure of `FAILURES`, or `none`. Called on the loop on which it listens."""
        self.failing = failure
        if failure == "vanish":
            self._refuse()
        elif self._listener is None and self._server is not None:
            # It accepts from here on, and answers as soon as the loop comes round.
            task = asyncio.get_running_loop().create_task(self._listen(self._bound()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _bound(self) -> socket.socket:
        place = socket.create_server((HOST, self.tcp_port))
        place.setblocking(False)
        return place

    async def _listen(self, place: socket.socket) -> None:
        if self._server is None:
            place.close()
            return
        self._listener = await asyncio.get_running_loop().create_server(self._server, sock=place)

    def _refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self.hang_up()

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.asked += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self._at_once > 1 and self._crowded is not None:
                self._crowded()
            return await self._respond(incoming)
        finally:
            self._at_once -= 1

    async def _respond(self, incoming: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            method=incoming.method,
            path=incoming.path,
            query=dict(incoming.query),
            body=(await incoming.content.read(MAX_BODY_BYTES)).decode("utf-8", "replace"),
            content_type=incoming.content_type,
        )
        await asyncio.sleep(self._works_s)
        failure = self.failing
        if failure == "silent":
            await _given_up(incoming)
            return await _break_off(incoming)
        if failure in {"error", "html", "elsewhere"}:
            return _other_page(failure)
        answer = self._answer(request)
        if failure == "slow":
            await asyncio.sleep(_SLOW_S)
        if failure == "endless":
            return await _endless(incoming)
        if failure == "cut" or answer.cut:
            return await _cut(incoming, answer.body)
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")


def _other_page(failure: str) -> web.Response:
    if failure == "html":
        return web.Response(body=_PAGE, content_type="text/html")
    if failure == "elsewhere":
        return web.Response(status=302, headers={"Location": _ELSEWHERE})
    return web.Response(status=500, text="internal error")


async def _given_up(incoming: web.BaseRequest) -> None:
    """Wait until whoever asks hangs up."""
    while incoming.transport is not None and not incoming.transport.is_closing():  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(_LOOK_S)


async def _break_off(incoming: web.BaseRequest) -> web.StreamResponse:
    if isinstance(incoming.transport, asyncio.Transport):
        incoming.transport.abort()
    return web.Response(status=503)


async def _cut(incoming: web.BaseRequest, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body) + 1)})
    with contextlib.suppress(ConnectionError):
        await response.prepare(incoming)
        await response.write(body[: len(body) * 2 // 3])
    return await _break_off(incoming)


async def _endless(incoming: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with contextlib.suppress(ConnectionError):
        await response.prepare(incoming)
        while True:
            await response.write(b" " * 4_096)
            await asyncio.sleep(0)
    return response
