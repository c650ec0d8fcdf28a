"""Bytes to messages of OpenEVSE's RAPI and back, without I/O.

A message is a line: `$`, words, a checksum, a carriage return. `^XX` is the exclusive or and `*XX` the sum of all that
stands before it. The firmware answers `$OK words^XX` or `$NK words^XX`; a command may carry a sequence id `:XX`, which
the answer repeats. `$AT`, `$AB`, `$AN`, `$WF` and `$ST` with one word come unasked, at any moment, also between a
command and its answer. A `$` begins a message, whatever was unfinished before it. A line without a checksum is none:
the firmware has sent them since 2.0.0, and an amp that lost a digit on the wire must not be taken for another.

Source of all of it: OpenEVSE/open_evse, firmware/open_evse/rapi_proc.h and rapi_proc.cpp.
"""

import functools
import operator
import re
from typing import TypeAlias

import attrs

from powershare.adapter import PilotState
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare.units import Milliamps

LONGEST_LINE = 128
"""Longer than any message of the firmware; a peer that never ends its line must not fill our memory."""

_LINE = re.compile(rb"\$([ -)+-\]_-~]+)([\^*])([0-9A-Fa-f]{2})")
_SEQUENCE = re.compile(r":([0-9A-Fa-f]{2})")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}")


@attrs.frozen
class Answer:
    """What the firmware says to a command.

    Attributes:
        accepted: `$OK`; False is `$NK`.
        words: What follows.
        sequence: The sequence id of the command it answers; None: it carries none.
    """

    accepted: bool
    words: tuple[str, ...] = ()
    sequence: int | None = None


@attrs.frozen
class Notice:
    """What the firmware says unasked.

    Attributes:
        kind: `AT` a change of state, `AB` it has started, `AN` its button, `WF` and `ST` about its network.
        words: What follows.
    """

    kind: str
    words: tuple[str, ...] = ()


@attrs.frozen
class Command:
    """What the firmware is told; an adapter meets it only as an echo.

    Attributes:
        name: Two letters.
        words: What follows.
        sequence: Its sequence id, if it has one.
    """

    name: str
    words: tuple[str, ...] = ()
    sequence: int | None = None


Message: TypeAlias = Answer | Notice | Command


def exclusive_or(data: bytes) -> int:
    """The checksum after `^`."""
    return functools.reduce(operator.xor, data, 0)


def additive(data: bytes) -> int:
    """The checksum after `*`, of older programs."""
    return sum(data) & 0xFF


def encode(message: Message) -> bytes:
    """The line of a message, with the newer checksum."""
    if isinstance(message, Answer):
        head = "OK" if message.accepted else "NK"
    else:
        head = message.kind if isinstance(message, Notice) else message.name
    sequence = None if isinstance(message, Notice) else message.sequence
    tail = () if sequence is None else (f":{sequence:02X}",)
    body = ("$" + " ".join((head, *message.words, *tail))).encode("ascii")
    return body + b"^%02X\r" % exclusive_or(body)


def parse(line: bytes) -> Message | None:
    """Read one line, without its carriage return; None for what is no message, or has a wrong checksum."""
    match = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    if match is None:
        return None
    body = line[: match.start(2)]
    expected = exclusive_or(body) if match[2] == b"^" else additive(body)
    if int(match[3], 16) != expected:
        return None
    head, *words = match[1].decode("ascii").split(" ")
    sequence = None
    if words and (last := _SEQUENCE.fullmatch(words[-1])) is not None:
        sequence = int(last[1], 16)
        words.pop()
    return _message(head, tuple(words), sequence)


def _message(head: str, words: tuple[str, ...], sequence: int | None) -> Message | None:
    if head in {"OK", "NK"}:
        return Answer(head == "OK", words, sequence)
    if len(head) != 2:
        return None
    # `$ST` with one word is a notice, with more the command that sets the timer: so the firmware tells them apart, too.
    if head[0] == "A" or head == "WF" or (head == "ST" and len(words) == 1):
        return Notice(head, words)
    return Command(head, words, sequence)


class Lines:
    """Collects bytes as they come, in whatever portions, and gives back the messages in them.

    Attributes:
        spoiled: How many lines were no message.
    """

    def __init__(self) -> None:
        self.spoiled = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Take some bytes; return the messages that are complete now. What is none is skipped and counted."""
        *lines, rest = (self._rest + data).split(b"\r")
        messages = []
        for line in lines:
            start = line.rfind(b"$")
            if start < 0:
                continue
            message = parse(line[start:])
            if message is None:
                self.spoiled += 1
            else:
                messages.append(message)
        start = rest.rfind(b"$")
        # One byte more than the longest, so that a line that grew too long is refused however it came.
        self._rest = rest[start : start + LONGEST_LINE + 1] if start >= 0 else b""
        return messages


def whole_of(word: str) -> int:
    """Read a decimal word.

    Raises:
        AdapterUnavailable: It is none.
    """
    if _WHOLE.fullmatch(word) is None:
        raise AdapterUnavailable(f"the EVSE says {word!r} where a whole number belongs")
    return int(word)


def bits_of(word: str) -> int:
    """Read a hexadecimal word.

    Raises:
        AdapterUnavailable: It is none.
    """
    if _HEX.fullmatch(word) is None:
        raise AdapterUnavailable(f"the EVSE says {word!r} where a hexadecimal number belongs")
    return int(word, 16)


def words_of(question: str, answer: Answer, least: int) -> tuple[str, ...]:
    """The words of an answer that has at least so many.

    Raises:
        AdapterRejected: It is a no.
        AdapterUnavailable: It has fewer.
    """
    if not answer.accepted:
        raise AdapterRejected(f"the EVSE refused ${question}: it answered $NK {' '.join(answer.words)}".rstrip())
    if len(answer.words) < least:
        raise AdapterUnavailable(f"the EVSE answered ${question} with {len(answer.words)} words, not {least}")
    return answer.words


@attrs.frozen
class Capacity:
    """Answer to `$GC`, in whole amps.

    Attributes:
        least_a: The least that can be offered.
        hardware_a: The most that the unit is built for.
        saved_a: What it offers after a restart; None: the firmware does not say.
    """

    least_a: int
    hardware_a: int
    saved_a: int | None


def capacity_of(answer: Answer) -> Capacity:
    """Read the answer to `$GC`; older firmware gives two figures, newer four."""
    words = words_of("GC", answer, 2)
    saved_a = whole_of(words[3]) if len(words) > 3 else None
    return Capacity(whole_of(words[0]), whole_of(words[1]), saved_a)


@attrs.frozen
class Supervision:
    """Answer to `$GY` and `$SY`: the heartbeat supervision, which is the unit's watchdog.

    Attributes:
        interval_s: Without a pulse for so long it acts; 0: it is off.
        fallback_a: To what it then lowers its offer. What is below 6 A counts as 6 A.
        missed: Whether it has acted and was not set again since.
    """

    interval_s: int
    fallback_a: int
    missed: bool


def supervision_of(question: str, answer: Answer) -> Supervision:
    """Read the answer to `$GY` or `$SY`. A pulse after a missed one is answered with `$NK`, and the figures."""
    words = words_of(question, attrs.evolve(answer, accepted=answer.accepted or len(answer.words) >= 3), 3)
    return Supervision(whole_of(words[0]), whole_of(words[1]), whole_of(words[2]) == 2)


_PILOT: dict[int, PilotState] = {1: "A", 2: "B", 3: "C", 4: "D"}
_FAULTS = {
    5: "diode check failed",
    6: "residual current",
    7: "no ground",
    8: "stuck relay",
    9: "self-test of the residual current device failed",
    10: "over temperature",
    11: "over current",
    14: "relay did not close",
    15: "proximity pin shorted",
    16: "proximity resistor missing",
    17: "memory failure",
}
_SLEEPING, _DISABLED = 0xFE, 0xFF
_CHARGING_ON, _BOOT_LOCK = 0x0040, 0x4000
BOOT_LOCK_DISABLED = 0x2000
"""Flag in the second word of the answer to `$GE`: after a restart the unit offers its saved capacity at once."""


@attrs.frozen
class Status:
    """Answer to `$GS`.

    Attributes:
        state: The unit's state, a number of the firmware's.
        pilot: What the vehicle says on the control pilot; None: older firmware does not tell.
        flags: The firmware's volatile flags; None: older firmware does not tell.
    """

    state: int
    pilot: PilotState | None
    flags: int | None

    @property
    def stopped(self) -> bool:
        """Whether it sleeps or is disabled."""
        return self.state in {_SLEEPING, _DISABLED}

    @property
    def boot_locked(self) -> bool:
        """Whether it has restarted and closes nothing until it is told `$SB`."""
        return bool((self.flags or 0) & _BOOT_LOCK)

    @property
    def fault(self) -> str | None:
        """Its fault in words."""
        known = self.state in _PILOT or self.state == 0 or self.stopped
        return None if known else _FAULTS.get(self.state, f"state {self.state} of the firmware")

    @property
    def offers(self) -> bool:
        """Whether the control pilot says what is set. A unit that has just started counts as if it did."""
        return not (self.stopped or self.boot_locked or self.fault is not None)

    @property
    def state_letter(self) -> PilotState:
        """State of the control pilot, A to F. What sleeps counts by its vehicle, where the firmware tells of it."""
        if self.fault is not None or self.state == _DISABLED:
            return "F"
        return self.pilot or _PILOT.get(self.state, "B")

    @property
    def contactor_closed(self) -> bool | None:
        """Whether the contactor is closed; None: older firmware does not tell."""
        return None if self.flags is None else bool(self.flags & _CHARGING_ON)


def status_of(answer: Answer) -> Status:
    """Read the answer to `$GS`: two words, the state in decimal, of older firmware; four, the state in hexadecimal."""
    words = words_of("GS", answer, 2)
    if len(words) < 4:
        return Status(whole_of(words[0]), None, None)
    return Status(bits_of(words[0]), _PILOT.get(bits_of(words[2])), bits_of(words[3]))


def metered_ma(answer: Answer) -> Milliamps:
    """Read the milliamps of the answer to `$GG`.

    Raises:
        AdapterUnavailable: It has no ammeter, and says -1.
    """
    drawn_ma = whole_of(words_of("GG", answer, 2)[0])
    if drawn_ma < 0:
        raise AdapterUnavailable("the EVSE has no ammeter; add meter=no to its address")
    return drawn_ma
