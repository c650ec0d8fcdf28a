"""I/O without meaning: bytes out, bytes in. Tests put a line to an emulated box in its place."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from powershare.errors import AdapterUnavailable


class Transport(Protocol):
    """A line to the device."""

    async def send(self, data: bytes) -> None:
        """Send; raises AdapterUnavailable when the line is dead."""
        ...

    async def receive(self) -> bytes:
        """Wait for some bytes; empty when the other end has closed."""
        ...

    async def close(self) -> None:
        """Let go of the line; never fails."""
        ...


Connect = Callable[[], Awaitable[Transport]]


class TcpTransport:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, host: str, port: int) -> "TcpTransport":
        """Dial.

        Raises:
            AdapterUnavailable: Nobody answers there.
        """
        try:
            return cls(*await asyncio.open_connection(host, port))
        except (OSError, UnicodeError) as error:  # the second: a host that cannot be looked up by any name server
            raise AdapterUnavailable(f"no connection to {host}:{port}: {error}") from error

    async def send(self, data: bytes) -> None:
        """Send, and wait until the system has taken it."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise AdapterUnavailable(f"the connection broke: {error}") from error

    async def receive(self) -> bytes:
        """Wait for some bytes."""
        try:
            return await self._reader.read(256)
        except OSError as error:
            raise AdapterUnavailable(f"the connection broke: {error}") from error

    async def close(self) -> None:
        """Close at once: nothing that is still unsent is worth waiting for."""
        self._writer.transport.abort()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was broken already
