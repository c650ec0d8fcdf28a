"""One UDP socket: datagrams in and out, without meaning, and never more of them in one go than the loop can bear."""

import asyncio
import socket
from collections.abc import Callable
from typing import TypeAlias

from powershare.errors import AdapterUnavailable
from powershare.networking import Address

AT_ONCE = 64
"""So many datagrams are taken in one turn of the loop, so that everything else gets its turn, too."""

MOST_PER_S = 20_000
"""More datagrams a second are left to the kernel, which drops them: the processor is for what regulates."""

PAUSE_S = 0.01
"""For how long nothing is taken in once a slice of that is used up."""

BUFFER_BYTES = 1 << 20

ANY = "0.0.0.0"  # noqa: S104 - whoever wants less names a host
"""All interfaces."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
Arrived: TypeAlias = Callable[[bytes, SocketAddress], None]


class Datagrams:
    """A socket that is not bound yet.

    Args:
        listen: Host and port; port 0: a free one. None: a free port on all interfaces.
        longest: No datagram that is worth reading has more bytes.
        arrived: Called on the event loop with each datagram and where it came from.

    Attributes:
        bound: Where it listens; None: it is closed.
        unsent: How many datagrams the system did not take.
        pauses: How often there was more than is taken in.
    """

    def __init__(self, listen: Address | None, longest: int, arrived: Arrived) -> None:
        self._listen, self._longest, self._arrived = listen, longest, arrived
        self._socket: socket.socket | None = None
        self._resumes: asyncio.TimerHandle | None = None
        self._taken, self._slice_s = 0, 0.0
        self.bound: SocketAddress | None = None
        self.unsent = self.pauses = 0

    async def open(self) -> SocketAddress:
        """Bind, and listen.

        Returns:
            Where.

        Raises:
            AdapterUnavailable: It cannot listen there.
        """
        if self.bound is not None:
            return self.bound
        loop = asyncio.get_running_loop()
        host, port = self._listen or (ANY, 0)
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            raise AdapterUnavailable(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            opened.bind(address)
        except OSError as error:
            opened.close()
            raise AdapterUnavailable(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
        bound: SocketAddress = opened.getsockname()
        self._socket, self.bound = opened, bound
        loop.add_reader(opened, self._ready)
        return bound

    @property
    def family(self) -> socket.AddressFamily:
        """Of the addresses that it can send to."""
        return socket.AF_INET if self._socket is None else socket.AddressFamily(self._socket.family)

    def send(self, datagram: bytes, address: SocketAddress) -> None:
        """Send one, if the system takes it now; what cannot be sent is lost."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(datagram, address)
        except OSError:  # no route, no buffer, an answer that nobody listens there: all of it is loss
            self.unsent += 1

    async def close(self) -> None:
        """Stop listening."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._resumes is not None:
            self._resumes.cancel()
        self._socket.close()
        self._socket = self._resumes = self.bound = None

    def _ready(self) -> None:
        """Take in what is there, up to a slice."""
        for taken in range(AT_ONCE):
            if self._socket is None:
                return
            try:
                datagram, address = self._socket.recvfrom(self._longest + 1)
            except BlockingIOError:
                self._count(taken)
                return
            except OSError:
                continue  # the answer to something we sent, that nobody listens there
            self._arrived(datagram, address)
        self._count(AT_ONCE)

    def _count(self, taken: int) -> None:
        """Where there is too much, stop reading for a moment."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s - self._slice_s > PAUSE_S:
            self._taken, self._slice_s = 0, now_s
        self._taken += taken
        if self._taken < MOST_PER_S * PAUSE_S or self._socket is None:
            return
        self.pauses += 1
        loop.remove_reader(self._socket)
        self._resumes = loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._socket is not None:
            self._resumes = None
            asyncio.get_running_loop().add_reader(self._socket, self._ready)
