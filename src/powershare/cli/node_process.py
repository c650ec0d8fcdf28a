"""What a node's process is to its host: the only one of its members, and a service that says whether it lives."""

import contextlib
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from powershare.errors import InputError, Problem

_SHARED = "run/lock"


def lock_directory() -> Path:
    """Where the locks of all users of this host are: one place, or two users could speak for one member."""
    shared = Path("/") / _SHARED
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


class MemberLocks:
    """One live process per member and host (assumption A8); a context manager.

    The system lets go of a lock when its process is gone, however it went; the file stays and means nothing.

    Args:
        network: The network's name in eight bytes.
        members: The members of this process.
        directory: Where the files are; None: `lock_directory()`.

    Raises:
        InputError: A member has a process already; every one that has.
    """

    def __init__(self, network: bytes, members: Iterable[str], directory: Path | None = None) -> None:
        self._paths = {
            member: (directory or lock_directory())
            / f"powershare-{network.hex()}-{hashlib.blake2s(member.encode(), digest_size=8).hexdigest()}.lock"
            for member in members
        }
        self._files: list[int] = []

    def __enter__(self) -> Self:
        problems = []
        for member, path in self._paths.items():
            try:
                found = self._lock(path)
            except OSError as error:
                problems.append(Problem(f'member "{member}"', "", f"cannot be locked: {path}: {error.strerror}"))
                continue
            if found is not None:
                message = f"has a process on this host already{found}; one member must not speak twice: end that first"
                problems.append(Problem(f'member "{member}"', "", message))
        if problems:
            self._release()
            raise InputError(problems)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _lock(self, path: Path) -> str | None:
        """Lock a file, and keep it; answers who has it, in words, where somebody has."""
        import fcntl  # not on every system that can import the commands

        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            file = os.open(path, flags)
        except FileNotFoundError:
            # Whoever runs the node next, as whatever user, must be able to lock it.
            file = os.open(path, flags | os.O_CREAT, 0o666)
            with contextlib.suppress(OSError):
                os.fchmod(file, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = os.read(file, 20).decode("ascii", "replace").strip()
            os.close(file)
            return f" (process {process})" if process.isdecimal() else ""
        except OSError:
            os.close(file)
            raise
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._files.append(file)
        return None

    def _release(self) -> None:
        while self._files:
            os.close(self._files.pop())


class Service:
    """Says to the service manager that this process is ready, and that it lives (sd_notify(3)).

    Nothing is said where nobody asked for it.

    Args:
        environment: Names the socket, and how often a sign of life is waited for.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        process = environment.get("WATCHDOG_PID", "")
        usec = environment.get("WATCHDOG_USEC", "")
        mine = not process or process == str(os.getpid())
        self._every_ms = int(usec) // 1_000 // 3 if usec.isdecimal() and mine else None
        self._said_ms: int | None = None

    def say(self, state: str) -> None:
        """Say something, such as `READY=1`; a manager that does not listen is no reason to stop regulating."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
            notifying.setblocking(False)
            notifying.sendto(state.encode(), address)

    def alive(self, now_ms: int) -> None:
        """All nodes have been told the time: a sign of life, a third of the way to when it is missed.

        Args:
            now_ms: Now.
        """
        if self._every_ms is None:
            return
        if self._said_ms is None or now_ms - self._said_ms >= self._every_ms:
            self._said_ms = now_ms
            self.say("WATCHDOG=1")
