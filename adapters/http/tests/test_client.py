"""The client against real servers: bounded in size and time, alone, logged in from a file, and sent nowhere else."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest

from powershare.adapter import HostClock
from powershare.addressing import HostPort
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare_http.client import AuthFile, HttpFetch
from powershare_http.exchange import MAX_BODY_BYTES, Answer, Request
from powershare_http.line import Line

STATUS = Request(path="/status")


class Server:
    """Answers with bytes as they are, and keeps what it was asked."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = self.open = 0
        self.place = HostPort("127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
            self.asked.append(head)
            writer.write(self._answer(head))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def run(self, talk: Callable[["Server"], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.place = HostPort("127.0.0.1", server.sockets[0].getsockname()[1])
            async with server:
                await talk(self)

        asyncio.run(whole())


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def ask(server: Server, request: Request = STATUS, auth: AuthFile | None = None) -> Answer:
    fetch = HttpFetch(server.place, auth)
    try:
        async with asyncio.timeout(5):
            return await fetch.fetch(request)
    finally:
        await fetch.close()


def asked_once(answer: bytes, request: Request = STATUS, auth: AuthFile | None = None) -> tuple[Answer, Server]:
    server, found = Server(lambda _: answer), []

    async def talk(server: Server) -> None:
        found.append(await ask(server, request, auth))

    server.run(talk)
    return found[0], server


class TestOnRealSockets:
    def test_a_question_says_what_it_must_and_nothing_of_us(self) -> None:
        request = Request(method="POST", path="/override", query={"a": "1,2"}, body='{"charge_current":10}')
        answer, server = asked_once(reply(b'{"msg":"OK"}'), request)
        assert answer == Answer(status=200, body=b'{"msg":"OK"}')
        (head,) = server.asked
        assert head.startswith("POST /override?a=1,2 HTTP/1.1\r\n")
        assert server.bodies == [b'{"charge_current":10}']
        assert "Content-Type: application/json" in head
        assert "Accept-Encoding: identity" in head
        assert "Connection: close" in head
        assert not re.search(r"(?i)cookie|authorization", head)

    def test_a_question_without_a_body_says_so(self) -> None:
        _, server = asked_once(reply(b""), Request(method="POST", path="/settings", query={"mode": "0"}))
        assert server.asked[0].lower().count("content-length: 0") == 1

    def test_each_has_a_connection_of_its_own_and_no_cookie_is_kept(self) -> None:
        server = Server(lambda _: reply(b"{}", "Set-Cookie: a=b; Path=/", "Connection: keep-alive"))

        async def talk(server: Server) -> None:
            fetch = HttpFetch(server.place)
            for _ in range(3):
                await fetch.fetch(STATUS)
            await fetch.close()

        server.run(talk)
        assert server.connections == 3
        assert not any("cookie" in head.lower() for head in server.asked)

    def test_nobody_is_followed(self) -> None:
        answer, server = asked_once(reply(b"", "Location: /elsewhere", status="302 Found"))
        assert answer.status == 302
        assert len(server.asked) == 1

    def test_a_compressed_body_is_not_unpacked(self) -> None:
        """A few bytes can unpack to any number of them."""
        answer, _ = asked_once(reply(b"\x1f\x8bx", "Content-Encoding: gzip"))
        assert answer.body == b"\x1f\x8bx"

    @pytest.mark.parametrize("said", [f"Content-Length: {MAX_BODY_BYTES + 1}", "Transfer-Encoding: chunked"])
    def test_a_body_that_is_too_long_is_given_up(self, said: str) -> None:
        chunk = b" " * (MAX_BODY_BYTES + 1)
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk) if "chunked" in said else chunk
        with pytest.raises(AdapterUnavailable, match="more than 65536 bytes"):
            asked_once(f"HTTP/1.1 200 OK\r\n{said}\r\n\r\n".encode() + data)

    def test_a_body_that_breaks_off_is_said_to_be_cut(self) -> None:
        answer, _ = asked_once(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a":1')
        assert answer == Answer(status=200, body=b'{"a":1', cut=True)

    @pytest.mark.parametrize(
        "answer",
        [b"", b"\0" * 100, b"HTTP/9.9 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"],
    )
    def test_what_is_no_http_is_an_error_of_adapters(self, answer: bytes) -> None:
        with pytest.raises(AdapterUnavailable):
            asked_once(answer)

    def test_nobody_at_the_address_is_an_error_of_adapters(self) -> None:
        async def talk() -> None:
            fetch = HttpFetch(HostPort("127.0.0.1", 1))
            with pytest.raises(AdapterUnavailable, match=r"127\.0\.0\.1:1: GET /status"):
                await fetch.fetch(STATUS)
            await fetch.close()

        asyncio.run(talk())

    def test_no_proxy_of_the_environment_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        answer, _ = asked_once(reply(b"{}"))
        assert answer.body == b"{}"

    def test_a_body_that_trickles_is_given_up_in_time(self) -> None:
        """A byte now and then keeps a connection alive, and no question."""
        broken_off = asyncio.Event()

        async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            try:
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            except ConnectionError:
                broken_off.set()
            finally:
                writer.close()

        async def talk() -> None:
            async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
                place = HostPort("127.0.0.1", server.sockets[0].getsockname()[1])
                line = Line(place, HttpFetch(place), HostClock(), reply_ms=300, longest_pause_ms=1_000)
                with pytest.raises(AdapterTimeout, match="within 300 ms"):
                    await line.ask(STATUS)
                await line.close()
                async with asyncio.timeout(5):
                    await broken_off.wait()

        asyncio.run(talk())
        assert broken_off.is_set()

    def test_many_failures_leave_no_connection_behind(self) -> None:
        server = Server(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")

        async def talk(server: Server) -> None:
            fetch = HttpFetch(server.place)
            for _ in range(50):
                assert (await fetch.fetch(STATUS)).cut
            await fetch.close()
            await asyncio.sleep(0.05)
            assert server.open == 0

        server.run(talk)

    @pytest.mark.parametrize(
        ("login", "line", "sent"),
        [
            ("basic", "admin:pass:word", "Basic " + base64.b64encode(b"admin:pass:word").decode()),
            ("bearer", "t0ken", "Bearer t0ken"),
        ],
    )
    def test_a_login_comes_from_a_file(
        self, tmp_path: Path, login: Literal["basic", "bearer"], line: str, sent: str
    ) -> None:
        file = tmp_path / "login"
        file.write_text(line + "\n", encoding="utf-8")
        _, server = asked_once(reply(b"{}"), auth=AuthFile(file, login))
        assert f"Authorization: {sent}\r\n" in server.asked[0]

    def test_a_digest_is_what_the_server_works_out_itself(self, tmp_path: Path) -> None:
        """RFC 7616 3.4.1, with MD5, as WARP chargers ask for it."""
        file = tmp_path / "login"
        file.write_text("admin:secret", encoding="utf-8")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        def answer(head: str) -> bytes:
            said = dict(re.findall(r'(\w+)="?([^",\r]+)"?', head.partition("Authorization: Digest ")[2]))
            if not said:
                challenge = 'WWW-Authenticate: Digest realm="warp", nonce="abc", qop="auth", algorithm=MD5'
                return reply(b"", challenge, status="401 Unauthorized")
            first, second = md5("admin:warp:secret"), md5("GET:/evse/state")
            wanted = md5(f"{first}:abc:{said['nc']}:{said['cnonce']}:auth:{second}")
            return reply(b'{"let":"in"}' if said["response"] == wanted else b'{"kept":"out"}')

        server = Server(answer)

        async def talk(server: Server) -> None:
            found = await ask(server, Request(path="/evse/state"), AuthFile(file, "digest"))
            assert found.body == b'{"let":"in"}'

        server.run(talk)
        assert len(server.asked) == 2


@pytest.mark.parametrize("data", [b"", b"\n", b"no colon", b"a:b\nc:d", b"\xff\xfe", b"a:" + b"x" * 2_000])
def test_a_file_without_a_login_is_refused_without_a_word_of_it(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "login"
    file.write_bytes(data)
    with pytest.raises(AdapterRejected) as caught:
        AuthFile(file, "basic").read()
    words = str(caught.value).replace(str(file), "")
    assert "colon" not in words
    assert "c:d" not in words
    with pytest.raises(AdapterRejected, match="cannot be read"):
        AuthFile(tmp_path / "nothing", "basic").read()


def test_a_login_that_cannot_be_read_is_an_error_of_adapters(tmp_path: Path) -> None:
    async def talk() -> None:
        fetch = HttpFetch(HostPort("127.0.0.1", 1), AuthFile(tmp_path / "nothing", "basic"))
        with pytest.raises(AdapterError, match="auth_file"):
            await fetch.fetch(STATUS)
        await fetch.close()

    asyncio.run(talk())
