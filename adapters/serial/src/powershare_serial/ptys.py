"""The other side of a port, for emulated devices: a pseudo-terminal that passes every byte as it is."""

import asyncio
import contextlib
import os
import sys

from powershare.errors import AdapterUnavailable

_CHUNK_BYTES = 65_536


class PtyPort:
    """The near side of a pseudo-terminal: what an emulated device holds, while a controller opens `path`.

    It outlives the controllers that open and close the far side. Like a wire, it keeps nothing for those who are not
    there: what the far side does not take is lost.

    Attributes:
        path: The far side, as a device path.
    """

    def __init__(self, near_fd: int, far_fd: int) -> None:
        self._near_fd = near_fd
        self._far_fd = far_fd  # held, or else reading would fail whenever no controller is there
        self._readable = asyncio.Event()
        self.path = os.ttyname(far_fd)

    async def send(self, data: bytes) -> None:
        """Send; what does not fit is lost."""
        self._must_be_open()
        with contextlib.suppress(BlockingIOError):
            os.write(self._near_fd, data)

    async def receive(self) -> bytes:
        """Wait for some bytes."""
        loop = asyncio.get_running_loop()
        while True:
            self._must_be_open()
            if data := self.pending():
                return data
            self._readable.clear()
            loop.add_reader(self._near_fd, self._readable.set)
            try:
                await self._readable.wait()
            finally:
                if self._near_fd >= 0:
                    loop.remove_reader(self._near_fd)

    def pending(self) -> bytes:
        """Take what has arrived already."""
        self._must_be_open()
        try:
            return os.read(self._near_fd, _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise AdapterUnavailable(f"{self.path}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Let go: whoever holds the far side sees its device unplugged."""
        self.hang_up()

    def hang_up(self) -> None:
        """Close both sides at once."""
        near_fd, far_fd, self._near_fd, self._far_fd = self._near_fd, self._far_fd, -1, -1
        self._readable.set()
        if near_fd >= 0:
            with contextlib.suppress(RuntimeError):  # no event loop any more, and so no reader on it
                asyncio.get_running_loop().remove_reader(near_fd)
            os.close(near_fd)
            os.close(far_fd)

    def _must_be_open(self) -> None:
        if self._near_fd < 0:
            raise AdapterUnavailable(f"{self.path}: the port is closed")


def open_pty() -> PtyPort:
    """Open a pseudo-terminal that passes every byte as it is.

    Raises:
        AdapterUnavailable: The system has none, or none left.
    """
    if sys.platform == "win32":
        raise AdapterUnavailable("this system has no pseudo-terminals; emulate over TCP instead")
    import pty
    import tty

    try:
        near_fd, far_fd = pty.openpty()
    except OSError as error:
        raise AdapterUnavailable(f"no pseudo-terminal: {error.strerror or error}") from error
    tty.setraw(far_fd)
    os.set_blocking(near_fd, False)
    return PtyPort(near_fd, far_fd)
