"""A real broker for tests: mosquitto as a child process on a loopback port, and clients that publish and listen."""

import asyncio
import getpass
import shutil
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt-get install mosquitto)")

_STARTS_WITHIN_S = 10.0


def free_port() -> int:
    """A port that nobody listens on, chosen by the system."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Mosquitto:
    """A broker that can be stopped, killed and started again on the same port.

    Args:
        directory: Where its configuration is.
        more: Further lines of it.
    """

    def __init__(self, directory: Path, more: Iterable[str] = ()) -> None:
        self.port = free_port()
        self._file = directory / f"mosquitto-{self.port}.conf"
        lines = [f"user {getpass.getuser()}", f"listener {self.port} 127.0.0.1", "persistence false", "log_dest none"]
        lines += more
        if not any(line.startswith("allow_anonymous") for line in lines):
            lines.append("allow_anonymous true")
        self._file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_s = time.monotonic() + _STARTS_WITHIN_S
        while True:
            assert self._process.poll() is None, "mosquitto ended at once"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < until_s, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it at once, as when the host goes down; it forgets everything."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)


class Listener:
    """Everything that was published, as one client heard it."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = defaultdict(list)
        self.kept: dict[str, str] = {}
        self._last_s: dict[str, float] = {}
        self._news = asyncio.Event()

    def take(self, message: aiomqtt.Message) -> None:
        text = bytes(message.payload).decode(errors="replace")
        if message.retain:
            self.kept[message.topic.value] = text
        self.heard[message.topic.value].append(text)
        self._last_s[message.topic.value] = time.monotonic()
        self._news.set()

    def last(self, topic: str) -> str | None:
        """The last that was heard on a topic; None: nothing."""
        return self.heard[topic][-1] if self.heard[topic] else None

    def age_s(self, topic: str) -> float:
        """How long ago that was."""
        return time.monotonic() - self._last_s[topic]

    async def until(self, holds: Callable[[], bool], within_s: float = 5.0) -> None:
        """Wait until something holds of what was heard."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            lasts = {topic: texts[-1] for topic, texts in self.heard.items() if texts and len(texts[-1]) < 80}
            raise AssertionError(f"not within {within_s} s; heard last: {lasts}") from None

    async def says(self, topic: str, *texts: str, within_s: float = 5.0) -> None:
        """Wait until the last word on a topic is one of these."""
        await self.until(lambda: self.last(topic) in texts, within_s)


@asynccontextmanager
async def listening(port: int, *topics: str) -> AsyncIterator[tuple[aiomqtt.Client, Listener]]:
    """A client that hears these topics, and may publish."""
    listener = Listener()
    async with aiomqtt.Client("127.0.0.1", port, timeout=5) as client:
        for topic in topics or ("#",):
            await client.subscribe(topic, qos=1)

        async def hear() -> None:
            async for message in client.messages:
                listener.take(message)

        hearing = asyncio.ensure_future(hear())
        try:
            yield client, listener
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


async def publish(port: int, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
    """Publish one message, as somebody who comes and goes."""
    async with aiomqtt.Client("127.0.0.1", port, timeout=5) as client:
        await client.publish(topic, payload, qos=1, retain=retain)


@asynccontextmanager
async def unwilling(*, mute: bool = False) -> AsyncIterator[int]:
    """A broker that lets everybody in and nobody read anything, or one that takes connections and says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while kind := await reader.readexactly(1):
                length, shift = 0, 0
                while True:  # MQTT 3.1.1, 2.2.3
                    (digit,) = await reader.readexactly(1)
                    length |= (digit & 0x7F) << shift
                    shift += 7
                    if digit < 0x80:
                        break
                body = await reader.readexactly(length)
                if mute:
                    continue
                if kind[0] >> 4 == 1:  # CONNECT
                    writer.write(b"\x20\x02\x00\x00")
                elif kind[0] >> 4 == 8:  # SUBSCRIBE: refused
                    writer.write(b"\x90\x03" + body[:2] + b"\x80")
                elif kind[0] >> 4 == 14:  # DISCONNECT
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
