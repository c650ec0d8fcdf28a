"""An emulated meter of other loads: a constant, or a file that somebody changes; stale or silent on purpose."""

import asyncio
from pathlib import Path

import attrs

from powershare.adapter import Clock
from powershare.addressing import Readers, seconds, some_text
from powershare.errors import AdapterTimeout, AdapterUnavailable, FormatError, Problem
from powershare.metering import MeterReading
from powershare.units import MAX_LIMIT_MA, LineMilliamps, load_ma_from_amps
from powershare_emulated.settings import LONGEST_MS, read_settings, silent_at

_ANSWER_MS = 5
_PATIENCE_MS = 500
_MAX_BYTES = 4_096


@attrs.frozen(kw_only=True)
class MeterSettings:
    """The meter, and how it fails.

    Attributes:
        load_ma: What it measures, per line; None: what the file says.
        file: A file with what it measures.
        stale_after_ms: So long after the start it goes on saying what it said last, with that reading's age.
        silent_after_ms: The line is cut so long after the start; None: never.
        silent_for_ms: The line is joined again after so long; None: never.
    """

    load_ma: LineMilliamps | None = None
    file: Path | None = None
    stale_after_ms: int | None = None
    silent_after_ms: int | None = None
    silent_for_ms: int | None = None


def _loads(text: str) -> LineMilliamps:
    loads_ma = tuple(load_ma_from_amps(part.strip()) for part in text.split(","))
    if len(loads_ma) > 3 or any(abs(load_ma) > MAX_LIMIT_MA for load_ma in loads_ma):
        raise ValueError(f"is {text!r}; write amps for one line, or for two or three with commas between")
    return loads_ma


def _path(text: str) -> Path:
    return Path(some_text(text))


_READERS: Readers = {
    "amps": ("load_ma", _loads),
    "file": ("file", _path),
    "stale_after_s": ("stale_after_ms", seconds(0, LONGEST_MS)),
    "silent_after_s": ("silent_after_ms", seconds(0, LONGEST_MS)),
    "silent_for_s": ("silent_for_ms", seconds(0, LONGEST_MS)),
}


class EmulatedMeter:
    """A meter whose readings are in its address or in a file.

    Args:
        rest: `?amps=10`, `?amps=10,12,9` or `?file=PATH`, and failures; the README lists them.
        clock: Where the time comes from.

    Raises:
        FormatError: A setting cannot be; every problem at once.
    """

    def __init__(self, rest: str, /, *, clock: Clock) -> None:
        where = f'meter "emulated:{rest}"'
        self.settings = MeterSettings(**read_settings(where, rest, _READERS))
        if (self.settings.load_ma is None) == (self.settings.file is None):
            raise FormatError([Problem(where, "", "needs either amps or file, what it measures")])
        self.line_cut = False
        """Whether somebody has cut the line by hand, on top of what the settings say."""
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._last: MeterReading | None = None
        self._open = False

    async def open(self) -> None:
        """Find the meter."""
        if self._silent():
            raise AdapterUnavailable("the emulated meter is silent")
        self._open = True

    async def close(self) -> None:
        """Let go of it."""
        self._open = False

    async def read(self) -> MeterReading:
        """What it measures now, or measured last where it is stale."""
        if not self._open:
            raise AdapterUnavailable("the meter is not open")
        if self._silent():
            await asyncio.sleep(_PATIENCE_MS / 1000)
            raise AdapterTimeout(f"the emulated meter did not answer within {_PATIENCE_MS} ms")
        await asyncio.sleep(_ANSWER_MS / 1000)
        now_ms, stale_after_ms = self._clock.now_ms(), self.settings.stale_after_ms
        stale = stale_after_ms is not None and now_ms - self._started_ms >= stale_after_ms
        if self._last is None or not stale:
            self._last = MeterReading(at_ms=now_ms, load_ma=self._measured_ma())
        return self._last

    def _silent(self) -> bool:
        settings, since_ms = self.settings, self._clock.now_ms() - self._started_ms
        return self.line_cut or silent_at(since_ms, settings.silent_after_ms, settings.silent_for_ms)

    def _measured_ma(self) -> LineMilliamps:
        settings = self.settings
        return settings.load_ma if settings.load_ma is not None else _of_file(settings.file or Path())


def _of_file(path: Path) -> LineMilliamps:
    """Amps of a file: the last line of `10` or `10,12,9`, or JSON: `10` or `[10, 12, 9]`.

    Raises:
        AdapterUnavailable: It cannot be read as that, half-written files included.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MAX_BYTES))
            lines = file.read(_MAX_BYTES).decode("utf-8").split("\n")
        last = next(line.strip() for line in reversed(lines) if line.strip())
        return _loads(last.removeprefix("[").removesuffix("]"))
    except StopIteration:
        raise AdapterUnavailable(f"{path}: is empty; write amps, one figure per line of the supply") from None
    except OSError as error:
        raise AdapterUnavailable(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise AdapterUnavailable(f"{path}: {error}") from error
