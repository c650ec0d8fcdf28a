"""Bytes to values and back, without I/O.

The box takes `S 16` (offer 16 A; 0 pauses) and `G` (how are you?), and answers `ST 16 C 12.3`: offered amps, control
pilot state, amps drawn. `F` asks for its failsafe amps and `F 6` sets them; it answers `FS 6`. What it cannot do it
answers with `NO reason`. Every line ends in a newline.
"""

import re
from typing import TypeAlias, TypeVar

import attrs

from powershare.adapter import PilotState
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare.units import Milliamps, load_ma_from_amps

LONGEST_LINE = 64

_STATUS = re.compile(rb"ST (\d{1,3}) ([A-F]) (\d{1,3}(?:\.\d{1,3})?)")
_FAILSAFE = re.compile(rb"FS (\d{1,3})")


@attrs.frozen
class Status:
    """The box's report of itself."""

    offered_ma: Milliamps
    state: PilotState
    drawn_ma: Milliamps


@attrs.frozen
class Failsafe:
    """What the box offers when it is left alone, by its own memory."""

    fallback_ma: Milliamps


@attrs.frozen
class Refusal:
    """The box's no, in its own words."""

    reason: str


Answer: TypeAlias = Status | Failsafe | Refusal

ASK = b"G\n"
ASK_FAILSAFE = b"F\n"


def order(offered_ma: Milliamps) -> bytes:
    """The line that orders an offer; the box knows whole amps only, so the rest of an amp is dropped."""
    return b"S %d\n" % (offered_ma // 1000)


def failsafe(fallback_ma: Milliamps) -> bytes:
    """The line that sets the failsafe amps, in whole amps too."""
    return b"F %d\n" % (fallback_ma // 1000)


def parse(line: bytes) -> Answer | None:
    """Read one line of the box, without its newline; None for what is none of its answers."""
    if line.startswith(b"NO "):
        return Refusal(line[3:].decode("ascii", "replace"))
    kept = _FAILSAFE.fullmatch(line)
    if kept is not None:
        return Failsafe(int(kept[1]) * 1000)
    match = _STATUS.fullmatch(line)
    if match is None:
        return None
    state: PilotState = match[2].decode()  # type: ignore[assignment]  # the expression lets only these six through
    return Status(int(match[1]) * 1000, state, load_ma_from_amps(match[3].decode()))


class Lines:
    """Collects bytes as they come, in whatever portions, and gives back the answers in them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Answer]:
        """Take some bytes; return the answers that are complete now. What is none is skipped."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]  # a peer that never ends its line must not fill our memory
        return [answer for line in lines if (answer := parse(line)) is not None]


Expected = TypeVar("Expected", Status, Failsafe)


def expect(kind: type[Expected], answer: Answer | None) -> Expected:
    """The answer, if it is one of the kind that was asked for.

    Raises:
        AdapterRejected: The box said no.
        AdapterUnavailable: It said something else, or the connection ended before it said anything.
    """
    if isinstance(answer, Refusal):
        raise AdapterRejected(f"the box refused: {answer.reason}")
    if not isinstance(answer, kind):
        raise AdapterUnavailable("the box closed the connection" if answer is None else f"the box answered {answer}")
    return answer
