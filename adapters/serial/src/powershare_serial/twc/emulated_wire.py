"""The RS-485 wire of emulated Wall Connectors: everybody hears everything, bytes take time, and speakers collide.

It is told the time and does nothing by itself: bytes go in with `hear`, and come out of `advance`.
"""

from collections.abc import Sequence
from random import Random

import attrs

from powershare_serial.twc.emulated_unit import EmulatedUnit
from powershare_serial.twc.frames import Frames, wrapped

_STRANGER = b"\x32\xab"
_STRANGER_MS = 900
_FLOATING = (0xFC, 0xFE, 0xF8, 0xFF, 0xFD)


def wire_ms(count: int) -> int:
    """How long so many bytes take at 9600 bits per second, ten bits each, rounded up."""
    return -(-count * 10_000 // 9_600)


@attrs.define(kw_only=True)
class _Spoken:
    start_ms: int
    end_ms: int
    data: bytes
    unit: EmulatedUnit | None


class EmulatedWire:
    """A wire with units on it.

    Args:
        dice: What chooses the noise.
        echo: Whether what the controller says comes back to it.
        noise: Whether a byte floats on the wire after each frame.

    Attributes:
        units: The units; added once they are built, since they speak on this wire.
        cut: Whether the cable between the controller and all units is out.
        stranger: Whether there is another controller.
    """

    def __init__(self, dice: Random, *, echo: bool = False, noise: bool = False) -> None:
        self.units: list[EmulatedUnit] = []
        self.cut = self.stranger = False
        self.noise = noise
        self._dice, self._echo = dice, echo
        self._frames = Frames()
        self._spoken: list[_Spoken] = []
        self._heard = bytearray()
        self._stranger_ms = 0

    def say(self, unit: EmulatedUnit | None, start_ms: int, frame: bytes) -> None:
        """Speak on the wire; who speaks while another does spoils both."""
        noise = bytes([self._dice.choice(_FLOATING)]) if self.noise else b""
        new = _Spoken(start_ms=start_ms, end_ms=start_ms + wire_ms(len(frame)), data=frame + noise, unit=unit)
        for other in self._spoken:
            if other.start_ms < new.end_ms and new.start_ms < other.end_ms:
                other.data, new.data = _garbled(other.data), _garbled(new.data)
        self._spoken.append(new)

    def hear(self, data: bytes, now_ms: int) -> None:
        """The controller speaks."""
        self.catch_up(now_ms)
        heard_ms = now_ms + wire_ms(len(data))
        for other in self._spoken:
            if other.start_ms < heard_ms and now_ms < other.end_ms:
                other.data = _garbled(other.data)
        if self._echo:
            self._spoken.append(_Spoken(start_ms=now_ms, end_ms=heard_ms, data=data, unit=None))
        if self.cut:
            return
        for message in self._frames.feed(data):
            for unit in self.units:
                unit.hear(message, now_ms)

    def catch_up(self, now_ms: int) -> None:
        """Let pass what happens up to now.

        What was due a moment ago happens now: others, too, have told the connectors the time meanwhile.
        """
        while self.next_ms() <= now_ms:
            self._step(now_ms)
        for unit in self.units:
            unit.tick(now_ms)

    def advance(self, now_ms: int) -> bytes:
        """Let pass what happens up to now; return what the controller has heard since it last asked."""
        self.catch_up(now_ms)
        heard, self._heard = bytes(self._heard), bytearray()
        return heard

    def next_ms(self) -> int:
        """When something happens next by itself."""
        due = [spoken.end_ms for spoken in self._spoken]
        due += [unit.next_ms() for unit in self.units]
        if self.stranger:
            due.append(self._stranger_ms)
        return min(due)

    def let_in(self, now_ms: int) -> None:
        """Another controller begins to speak."""
        self.stranger, self._stranger_ms = True, now_ms

    def _step(self, now_ms: int) -> None:
        for unit in self.units:
            unit.tick(now_ms)
        if self.stranger and now_ms >= self._stranger_ms:
            self._stranger_ms = now_ms + _STRANGER_MS + self._dice.randrange(_STRANGER_MS // 2)
            self.say(None, now_ms, wrapped((b"\xfc\xe1" + _STRANGER + b"\x55").ljust(13, b"\0")))
        over = [spoken for spoken in self._spoken if spoken.end_ms <= now_ms]
        self._spoken = [spoken for spoken in self._spoken if spoken.end_ms > now_ms]
        for spoken in sorted(over, key=lambda one: one.end_ms):
            if not self.cut:
                self._heard += spoken.data
            self._overhear(spoken, now_ms)

    def _overhear(self, spoken: _Spoken, now_ms: int) -> None:
        if spoken.unit is None:
            return
        for message in Frames().feed(spoken.data):
            for unit in self.units:
                if unit is not spoken.unit:
                    unit.overhear(message, now_ms)


def ids(count: int, dice: Random) -> Sequence[int]:
    """So many ids, all different and none a controller's usual one."""
    chosen = dice.sample(range(0x0100, 0xFF00), count + 1)
    return [unit_id for unit_id in chosen if unit_id != 0x7777][:count]


def _garbled(data: bytes) -> bytes:
    return bytes(byte ^ 0x15 for byte in data)
