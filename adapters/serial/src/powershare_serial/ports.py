"""I/O without meaning: bytes to a wire and from it, whatever the wire is.

A port is a serial device or a pseudo-terminal (over serialx), a TCP connection to a converter that passes bytes on, or
an object of a program's own that behaves like pyserial's. All of them fail in one way: `AdapterUnavailable`, with the
place and what to do.
"""

import asyncio
import contextlib
import errno
import sys
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeAlias, TypeVar

import attrs
import serialx

from powershare.addressing import HostPort
from powershare.errors import AdapterUnavailable
from powershare_serial.addresses import DevicePath, Place, as_written
from powershare_serial.ptys import PtyPort, open_pty

__all__ = [
    "Connect",
    "OpenPort",
    "Parity",
    "PolledPort",
    "Port",
    "PtyPort",
    "PyserialLike",
    "Wiring",
    "open_port",
    "open_pty",
]

_T = TypeVar("_T")

_MOST_KEPT_BYTES = 65_536
_CLOSING_S = 1.0
"""The longest that letting go may take; what a system does about a port that hangs it does without us."""
_DIALLING_S = 5.0
_POLL_S = 0.01

Parity: TypeAlias = Literal["none", "even", "odd"]


class Port(Protocol):
    """A wire that is open. One task receives at a time; sending beside it is fine."""

    async def send(self, data: bytes) -> None:
        """Send, and wait until the system has taken it.

        Raises:
            AdapterUnavailable: The wire is gone, or the port is closed.
        """
        ...

    async def receive(self) -> bytes:
        """Wait for some bytes; never empty.

        Raises:
            AdapterUnavailable: The wire is gone, the other end has hung up, or the port is closed.
        """
        ...

    def pending(self) -> bytes:
        """Take what has arrived already, without waiting; empty when nothing has."""
        ...

    async def close(self) -> None:
        """Let go of the wire. Never fails; may be repeated."""
        ...


Connect: TypeAlias = Callable[[], Awaitable[Port]]
"""Opens a wire; what adapters take in place of an address, for tests and for programs that have a port already."""


@attrs.frozen(kw_only=True)
class Wiring:
    """How bytes are put on a serial wire; a TCP connection has none of it.

    Attributes:
        baud: Bits per second.
        parity: Parity bit.
        stop_bits: 1 or 2.
    """

    baud: int = 9_600
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1


async def open_port(place: Place, wiring: Wiring) -> Port:
    """Open a wire.

    Args:
        place: Where it begins.
        wiring: How bytes are put on it.

    Raises:
        AdapterUnavailable: There is no such place, it is not ours to open, or it is in use.
    """
    if isinstance(place, HostPort):
        return await _dial(place)
    return await _open_device(place, wiring)


async def _dial(place: HostPort) -> Port:
    inbox, name = _Inbox(), as_written(place)
    try:
        async with asyncio.timeout(_DIALLING_S):
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: inbox, place.host, place.tcp_port)
    except TimeoutError:
        raise AdapterUnavailable(f"{name}: no answer within {_DIALLING_S:g} s; is the converter on?") from None
    except (OSError, UnicodeError) as error:  # the second: a host that cannot be looked up by any name server
        raise AdapterUnavailable(f"{name}: no connection: {_words(error)}; is the converter on?") from error
    return OpenPort(name, transport, inbox)


async def _open_device(place: DevicePath, wiring: Wiring) -> Port:
    parity = {"none": serialx.Parity.NONE, "even": serialx.Parity.EVEN, "odd": serialx.Parity.ODD}[wiring.parity]
    stop_bits = serialx.StopBits.ONE if wiring.stop_bits == 1 else serialx.StopBits.TWO
    inbox = _Inbox()
    try:
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: inbox,
            place.path,
            baudrate=wiring.baud,
            parity=parity,
            stopbits=stop_bits,
        )
    except _OPENING_ERRORS as error:
        raise AdapterUnavailable(f"{place}: {_device_words(error)}") from error
    return OpenPort(str(place), transport, inbox)


_Kinds: TypeAlias = tuple[type[Exception], ...]


def _serial_errors() -> _Kinds:
    """What a serial port may raise: neither serialx's own errors nor those of termios are OSErrors."""
    if sys.platform == "win32":
        return (OSError, serialx.SerialException)
    import termios  # there is none on Windows

    return (OSError, serialx.SerialException, termios.error)


_SERIAL_ERRORS: _Kinds = _serial_errors()
_OPENING_ERRORS: _Kinds = (*_SERIAL_ERRORS, ValueError)  # the last: a speed that the system does not know
_WRITING_ERRORS: _Kinds = (*_SERIAL_ERRORS, RuntimeError)  # the last: a transport that was closed meanwhile
_ASKING_ERRORS: _Kinds = (*_SERIAL_ERRORS, TypeError)  # the last: pyserial's, of a port that was closed under it


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__


def _device_words(error: Exception) -> str:
    """What happened, and what to do about it."""
    number = error.errno if isinstance(error, OSError) else error.args[0] if error.args else None
    match number:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "there is no such device; is it plugged in? `ls -l /dev/serial/by-id` shows those that are"
        case errno.EACCES | errno.EPERM:
            return (
                "permission denied; add this user to the device's group, on most systems: "
                "sudo usermod -a -G dialout $USER, and log in again"
            )
        case errno.EBUSY:
            return "it is in use by another program; end that one first, a wire has one controller"
        case errno.ENOTTY | errno.EISDIR:
            return "it is no serial device"
    return f"cannot be opened: {_words(error)}"


class _Inbox(asyncio.Protocol):
    """What has arrived, and whether the wire still holds."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: str | None = None
        self.gone = asyncio.Event()
        self.changed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Keep what nobody has taken yet; of what nobody takes for long, only the newest."""
        self.data += data
        del self.data[:-_MOST_KEPT_BYTES]
        self.changed.set()

    def pause_writing(self) -> None:
        """The system takes no more for now."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """It takes more again."""
        self.writable.set()

    def eof_received(self) -> bool:
        """A wire that is closed on one side is closed."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake everybody who waits for the wire."""
        self.lost = "the other end hung up" if exc is None else _words(exc)
        for event in (self.gone, self.changed, self.writable):
            event.set()


class OpenPort:
    """A serial device or a TCP connection.

    Args:
        name: The place in the words of an error.
        transport: Where bytes leave.
        inbox: Where they arrive.
    """

    def __init__(self, name: str, transport: asyncio.Transport, inbox: _Inbox) -> None:
        self._name = name
        self._transport = transport
        self._inbox = inbox
        self._closed = False

    def _must_hold(self) -> None:
        if self._closed:
            raise AdapterUnavailable(f"{self._name}: the port is closed")
        if self._inbox.lost is not None or self._transport.is_closing():
            raise AdapterUnavailable(f"{self._name}: {self._inbox.lost or 'the other end hung up'}; was it unplugged?")

    async def send(self, data: bytes) -> None:
        """Send, and wait until the system has taken it."""
        self._must_hold()
        try:
            self._transport.write(data)
        except _WRITING_ERRORS as error:
            raise AdapterUnavailable(f"{self._name}: {_words(error)}; was it unplugged?") from error
        await self._inbox.writable.wait()
        self._must_hold()

    async def receive(self) -> bytes:
        """Wait for some bytes."""
        while not self._inbox.data:
            self._must_hold()
            self._inbox.changed.clear()
            await self._inbox.changed.wait()
        return self.pending()

    def pending(self) -> bytes:
        """Take what has arrived already."""
        data = bytes(self._inbox.data)
        self._inbox.data.clear()
        return data

    async def close(self) -> None:
        """Let go at once: nothing that is still unsent is worth waiting for."""
        if self._closed:
            return
        self._closed = True
        self._inbox.data.clear()
        self._inbox.changed.set()
        self._transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._inbox.gone.wait()


class PyserialLike(Protocol):
    """What a program may hand in: an open port with pyserial's methods, set to answer at once (`timeout=0`)."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes of what is there."""
        ...

    def write(self, data: bytes, /) -> object:
        """Send."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class PolledPort:
    """A port of a program's own, looked at a hundred times a second: it needs no thread and no file descriptor.

    Args:
        device: The port, open, with `timeout=0`.
        name: The place in the words of an error.
    """

    def __init__(self, device: PyserialLike, name: str = "the port handed in") -> None:
        self._device = device
        self._name = name
        self._closed = False

    async def send(self, data: bytes) -> None:
        """Send."""
        self._asked(lambda: self._device.write(data))

    async def receive(self) -> bytes:
        """Wait for some bytes."""
        while not (data := self.pending()):  # noqa: ASYNC110 - such a port tells nobody that something has arrived
            await asyncio.sleep(_POLL_S)
        return data

    def pending(self) -> bytes:
        """Take what has arrived already."""
        return self._asked(lambda: bytes(self._device.read(_MOST_KEPT_BYTES)))

    async def close(self) -> None:
        """Close the port that was handed in."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(*_SERIAL_ERRORS):
                self._device.close()

    def _asked(self, question: Callable[[], _T]) -> _T:
        if self._closed:
            raise AdapterUnavailable(f"{self._name}: the port is closed")
        try:
            return question()
        except _ASKING_ERRORS as error:
            raise AdapterUnavailable(f"{self._name}: {_words(error)}; was it unplugged?") from error
