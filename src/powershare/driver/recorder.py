"""The trace of what devices report, written as it happens: a full disk costs lines, never the regulation.

What cannot be written is said once, and tried again. A line that was cut off is taken back, so that the file is a trace
at every instant; and once lines can be written again, every connector's present state is.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from powershare.errors import FormatError, Problem
from powershare.files.trace_file import TraceHeader, event_to_data, header_to_data
from powershare.trace import TraceEvent

AGAIN_MS = 5_000
"""After how long a disk that was full is tried again."""


class Recorder:
    """One trace file.

    Args:
        path: The file; one that is there is replaced.
        header: Its first line.
        present: Gives the present state of everything, for after a gap.
        said: Told words for people.

    Raises:
        ContractError: The header's start has no offset.
        FormatError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        header: TraceHeader,
        present: Callable[[], Iterable[TraceEvent]],
        said: Callable[[str, str], None],
    ) -> None:
        self._path, self._present, self._said = Path(path), present, said
        self._failed_ms: int | None = None
        self._lost = 0
        first = header_to_data(header)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _refused(path, error) from None
        self._size = 0
        try:
            self._put(first)
        except OSError as error:
            self.close()
            raise _refused(path, error) from None

    def write(self, event: TraceEvent, now_ms: int) -> None:
        """Append one event.

        Args:
            event: It.
            now_ms: Now, to know when to try again.
        """
        if self._failed_ms is not None and now_ms - self._failed_ms < AGAIN_MS:
            self._lost += 1
            return
        try:
            if self._failed_ms is not None:
                newest_ms = 0
                for state in self._present():
                    self._put(event_to_data(state))
                    newest_ms = state.t_ms
                self._said(str(self._path), f"is written again; {self._lost} lines of this trace are missing")
                self._failed_ms, self._lost = None, 0
                if event.t_ms < newest_ms:
                    return  # it is in the present state, which is newer: of a trace the time never goes back
            self._put(event_to_data(event))
        except OSError as error:
            if self._failed_ms is None:
                self._said(
                    str(self._path),
                    f"cannot be written: {error.strerror}; the trace has a gap from here on, regulation goes on",
                )
            self._failed_ms = now_ms
            self._lost += 1

    def close(self) -> None:
        """Close the file; what a network's disk says only then is said."""
        try:
            os.close(self._file)
        except OSError as error:
            self._said(str(self._path), f"may be incomplete: {error.strerror}")

    def _put(self, data: dict[str, object]) -> None:
        """One whole line, or nothing of it."""
        line = (json.dumps(data, ensure_ascii=False) + "\n").encode()
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            if written:
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += written


def _refused(path: str | Path, error: OSError) -> FormatError:
    return FormatError([Problem(str(path), "", f"cannot be written: {error.strerror}")])
