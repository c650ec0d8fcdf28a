"""The door in the real world: a WebSocket server (OCPP-J 1.6 section 3; security whitepaper, profiles 1 to 3)."""

import asyncio
import base64
import binascii
import http
import logging
import ssl
from collections.abc import Awaitable, Sequence
from urllib.parse import unquote, urlsplit

from websockets.asyncio import server
from websockets.asyncio.connection import Connection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from powershare.errors import AdapterUnavailable
from powershare_ocpp.settings import Security
from powershare_ocpp.wire.frames import LONGEST_TEXT
from powershare_ocpp.wire.links import Admit, Hello, Refused, Serve

_ALIVE_EVERY_S = 10
_HANDSHAKE_S = 10
_MAKING_S = 0.05

_LOG = logging.getLogger("powershare_ocpp.door")
_LOG.addHandler(logging.NullHandler())  # who dials in and says nothing sensible is no trouble of the person who looks


class WebSocketLink:
    """One WebSocket.

    Args:
        connection: It, open.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        """Send one message."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise AdapterUnavailable(f"the connection is gone: {error}") from None

    async def receive(self) -> str | bytes:
        """Wait for one message."""
        try:
            message: str | bytes = await self._connection.recv()
        except ConnectionClosed as error:
            raise AdapterUnavailable(f"the connection is gone: {error}") from None
        return message

    def abort(self) -> None:
        """Hang up without a closing handshake: nobody may be there to answer it."""
        self._connection.transport.abort()


class WebSocketDoor:
    """A WebSocket server.

    Args:
        host: Where to listen.
        tcp_port: Where to listen.
        security: How stations prove who they are; its files are read when it opens.
    """

    def __init__(self, host: str, tcp_port: int, security: Security) -> None:
        self._host, self._tcp_port, self._security = host, tcp_port, security
        self._server: server.Server | None = None

    async def open(self, admit: Admit, serve: Serve) -> None:
        """Listen."""

        async def handle(connection: server.ServerConnection) -> None:
            if connection.request is not None:
                await serve(_hello(connection, connection.request), WebSocketLink(connection))

        def judge(connection: server.ServerConnection, request: Request) -> Response | None:
            refused = admit(_hello(connection, request))
            if not isinstance(refused, Refused):
                return None
            response = connection.respond(http.HTTPStatus(refused.status), refused.text + "\n")
            if refused.status == http.HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = 'Basic realm="powershare"'
            return response

        def choose(connection: server.ServerConnection, _: Sequence[Subprotocol]) -> Subprotocol | None:
            spoken = None if connection.request is None else admit(_hello(connection, connection.request))
            return Subprotocol(spoken) if isinstance(spoken, str) else None

        try:
            making = server.serve(
                handle,
                self._host,
                self._tcp_port,
                ssl=_tls(self._security),
                select_subprotocol=choose,
                process_request=judge,
                compression=None,
                open_timeout=_HANDSHAKE_S,
                ping_interval=_ALIVE_EVERY_S,
                ping_timeout=_ALIVE_EVERY_S,
                max_size=LONGEST_TEXT,
                logger=_LOG,
            )
            self._server = await _made(making)
        except (OSError, OverflowError, UnicodeError) as error:
            raise AdapterUnavailable(f"cannot listen on {self._host}:{self._tcp_port}: {error}") from error

    def shut(self) -> None:
        """Hang up on everybody, and free the port."""
        if self._server is not None:
            _shut(self._server)

    async def wait_closed(self) -> None:
        """Wait until everybody is gone."""
        if self._server is not None:
            await self._server.wait_closed()


def _shut(listening: server.Server) -> None:
    for connection in list(listening.all_connections):
        connection.transport.abort()
    listening.server.close()
    listening.close()


async def _made(making: Awaitable[server.Server]) -> server.Server:
    """Wait for a server. Whoever is cancelled meanwhile would leave it listening, with nobody who knows of it."""
    task = asyncio.ensure_future(making)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=_MAKING_S)
        finally:
            task.add_done_callback(_let_go)
        raise


def _let_go(task: asyncio.Future[server.Server]) -> None:
    if not task.cancelled() and task.exception() is None:
        _shut(task.result())


def _hello(connection: server.ServerConnection, request: Request) -> Hello:
    path = urlsplit(request.path).path
    return Hello(
        station=unquote(path.rpartition("/")[2]),
        offers=_offers(request.headers),
        password=_password(request.headers, unquote(path.rpartition("/")[2])),
        common_name=_common_name(connection.transport.get_extra_info("peercert")),
    )


def _offers(headers: Headers) -> tuple[str, ...]:
    texts = headers.get_all("Sec-WebSocket-Protocol")
    return tuple(name for text in texts for name in text.replace(" ", "").split(",") if name)


def _password(headers: Headers, station: str) -> str | None:
    """The password, if it is given for this station (RFC 7617; the whitepaper: the user is the station)."""
    scheme, _, coded = (headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(coded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return password if user == station else None


def _common_name(certificate: object) -> str | None:
    parts = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    names = [value for part in parts for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else None


def _tls(security: Security) -> ssl.SSLContext | None:
    """Read the files.

    Raises:
        AdapterUnavailable: One cannot be read, or is none; the text names the setting.
    """
    if security.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(security.tls_cert, security.tls_key)
    except (OSError, ValueError) as error:
        names = f"tls_cert {security.tls_cert}" + (f" with tls_key {security.tls_key}" if security.tls_key else "")
        raise AdapterUnavailable(f"{names} cannot be used: {error}") from None
    if security.client_ca is not None:
        try:
            context.load_verify_locations(security.client_ca)
        except (OSError, ValueError) as error:
            raise AdapterUnavailable(f"client_ca {security.client_ca} cannot be used: {error}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context
