"""Questions and answers over real HTTP: the only module that opens a connection.

Each question has a connection of its own: small devices run out of open ones, and an answer can never be taken for
that of a question before. No cookies, no redirects, no compression, no proxy of the environment, and no retries.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import aiohttp
import attrs
from yarl import URL

from powershare.addressing import HostPort
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable
from powershare_http.exchange import MAX_BODY_BYTES, Answer, Request

Login: TypeAlias = Literal["basic", "digest", "bearer"]
"""How a device wants to be shown a login."""

_MAX_LOGIN_BYTES = 1_024
_MAX_HEADER_BYTES = 8_190


@attrs.frozen
class AuthFile:
    """A file with a login, so that none stands in a site file.

    Attributes:
        path: Where it is: one line, `user:password`, or a token.
        login: How it is shown to the device.
    """

    path: Path
    login: Login

    def read(self) -> str:
        """Its line.

        Raises:
            AdapterRejected: It cannot be read, or has no login in it. The text has nothing of what it holds.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_LOGIN_BYTES + 1)
            line = data.decode("utf-8").rstrip("\r\n")
        except OSError as error:
            raise AdapterRejected(f"auth_file {self.path}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise AdapterRejected(f"auth_file {self.path}: is no text") from None
        wanted = "a token" if self.login == "bearer" else "user:password"
        plain = line.isprintable() and 0 < len(line) <= _MAX_LOGIN_BYTES
        if not plain or (self.login != "bearer" and ":" not in line):
            raise AdapterRejected(f"auth_file {self.path}: write one line, {wanted}")
        return line


class HttpFetch:
    """A `Fetch` over HTTP/1.1.

    Args:
        place: Where the device listens.
        auth_file: Its login; None: it wants none.
    """

    def __init__(self, place: HostPort, auth_file: AuthFile | None = None) -> None:
        self._place, self._auth_file = place, auth_file
        self._login: _Login | None = None
        self._under_way: set[aiohttp.ClientSession] = set()

    async def fetch(self, request: Request) -> Answer:
        """Ask, over a connection of its own.

        Raises:
            AdapterRejected: The login cannot be read.
            AdapterUnavailable: There is nobody, the connection broke, or what came is no HTTP.
        """
        session = self._new_session()
        self._under_way.add(session)
        body = request.body.encode() if request.body else None
        headers = {"Content-Type": request.content_type} if body else {}
        if body is None and request.method != "GET":
            headers["Content-Length"] = "0"  # some servers wait for a body otherwise
        try:
            url = URL(f"http://{self._place}{request.target}", encoded=True)
            async with session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return await _answer_of(response)
        except AdapterError:
            raise
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            # ValueError: a host that is none; RuntimeError: the session was closed meanwhile.
            reason = str(error) or type(error).__name__
            raise AdapterUnavailable(f"{self._place}: {request}: {reason}") from error
        finally:
            self._under_way.discard(session)
            await session.close()

    async def close(self) -> None:
        """Break off what is under way."""
        for session in list(self._under_way):
            await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        if self._login is None:
            self._login = _login_of(self._auth_file)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # whoever asks has a clock
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **self._login.headers},
            middlewares=self._login.middlewares,
            auto_decompress=False,
            trust_env=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )


@attrs.frozen
class _Login:
    """How a device is shown a login, from one question to the next."""

    headers: Mapping[str, str] = attrs.field(factory=dict)
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()


def _login_of(auth_file: AuthFile | None) -> _Login:
    if auth_file is None:
        return _Login()
    line = auth_file.read()
    if auth_file.login == "digest":
        user, _, password = line.partition(":")
        return _Login(middlewares=(aiohttp.DigestAuthMiddleware(user, password),))
    words = f"Basic {base64.b64encode(line.encode()).decode()}" if auth_file.login == "basic" else f"Bearer {line}"
    return _Login(headers={"Authorization": words})


async def _answer_of(response: aiohttp.ClientResponse) -> Answer:
    """Read a body, as far as it comes and is not too long."""
    body, cut = bytearray(), False
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise AdapterUnavailable(f"its answer has more than {MAX_BODY_BYTES} bytes")
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError):
        cut = True
    return Answer(status=response.status, body=bytes(body), cut=cut)
