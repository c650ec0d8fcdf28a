"""What is done to a network and when, as lines that a person can read, shorten and run again.

    12.345 plug a 32 lines 1 reacts 3.2 ramps 1
    30 crash a for 12.5
    50 partition a,b,c d,e,f for 60

Times are true seconds, currents amps. Every word and its arguments: `WORDS`.
"""

import math
from collections.abc import Iterable, Iterator

import attrs

from powershare.errors import FormatError, Problem

WORDS = {
    "plug": "MEMBER AMPS [lines N] [reacts SECONDS] [ramps AMPS_PER_SECOND] [ignores]: a vehicle is plugged in",
    "unplug": "MEMBER: it is unplugged",
    "crash": "MEMBER,... or leader [cut] [unwritten] for SECONDS: processes die, and come back without memory; cut: in "
    "their next output, after they have sent; unwritten: what they are writing to their devices is lost",
    "pause": "MEMBER for SECONDS: a process stands still",
    "partition": "GROUP GROUP ... for SECONDS: members hear only those of their group",
    "block": "A>B,C>D,... for SECONDS: nothing passes from the first to the second",
    "drift": "MEMBER PPM: its clock runs off by so much, within the bound",
    "handover": "whoever leads hands over",
    "configure": "MEMBER=AMPS,...: the network changes to these fallbacks, step by step",
    "limit": "CIRCUIT AMPS for SECONDS told MEMBER: somebody outside limits a circuit",
    "load": "CIRCUIT AMPS,...: its other load, per line",
    "meter": "CIRCUIT at MEMBER: a meter reads its other load every second from now on",
    "silence": "for SECONDS: meters of other loads say nothing",
    "clock": "MEMBER PPM for SECONDS: its clock runs off beyond the bound",
    "duplicate": "MEMBER for SECONDS: a second process speaks for it",
    "loss": "PERCENT: so many messages get lost from now on",
}
"""Every deed."""

OUTSIDE_WORDS = frozenset({"limit", "load", "silence", "clock", "duplicate"})
"""Deeds that the assumptions do not allow; so is a vehicle that ignores its pilot."""


@attrs.frozen
class Deed:
    """One thing that is done to a network.

    Attributes:
        t_ms: When, in true time.
        word: What, one of `WORDS`.
        arguments: The rest of the line.
    """

    t_ms: int
    word: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([seconds(self.t_ms), *self.said])

    @property
    def said(self) -> tuple[str, ...]:
        """The line without its time."""
        return (self.word, *self.arguments)

    @property
    def outside(self) -> str | None:
        """What the assumptions do not allow in it; None: they allow it."""
        if self.word == "plug" and "ignores" in self.arguments:
            return "ignores"
        return self.word if self.word in OUTSIDE_WORDS else None

    def option(self, name: str) -> str | None:
        """The argument after a name; None: the name is not there."""
        if name not in self.arguments:
            return None
        place = self.arguments.index(name)
        return self.arguments[place + 1] if place + 1 < len(self.arguments) else None

    def lasts_ms(self) -> int:
        """How long it lasts: `for SECONDS`; 0 where it does not say."""
        return milliseconds(self.option("for") or "0")


def seconds(time_ms: int) -> str:
    """Milliseconds as a line says them."""
    return f"{time_ms / 1000:.3f}".rstrip("0").rstrip(".")


def milliseconds(text: str) -> int:
    """Seconds of a line in milliseconds; ValueError where it is no number from 0 up."""
    time_s = float(text)
    if not 0 <= time_s < math.inf:
        raise ValueError(f"{text} is no time")
    return round(time_s * 1000)


def parse(lines: Iterable[str], *, with_time: bool = True) -> Iterator[Deed]:
    """Read deeds, one a line; empty lines and what follows a `#` are left out.

    Args:
        lines: The lines.
        with_time: Whether each begins with its time; else all are at 0.

    Raises:
        FormatError: A line that is no deed, with its number.
    """
    for number, line in enumerate(lines, 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        t_ms = 0
        if with_time:
            try:
                t_ms = milliseconds(words.pop(0))
            except ValueError:
                raise FormatError([Problem(f"line {number}", "", "does not begin with its time in seconds")]) from None
        if not words or words[0] not in WORDS:
            known = ", ".join(WORDS)
            raise FormatError([Problem(f"line {number}", "", f"says nothing that can be done; there are {known}")])
        yield Deed(t_ms, words[0], tuple(words[1:]))
