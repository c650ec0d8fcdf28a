"""Bytes to messages of Gen 2 Wall Connectors and back, without I/O.

A frame is SLIP: C0 before and after, `DB DC` for C0 and `DB DD` for DB within. Its last byte is the 8-bit sum of all
but the first, escaped like the others. What floats on the idle wire becomes a byte or three between frames. A frame
that is spoiled costs itself and not the next one: every C0 ends one and may begin another.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from powershare_serial.twc.messages import (
    CENTIAMP_MA,
    VIN_LENGTHS,
    VIN_PARTS,
    ControllerBeat,
    ControllerIdle,
    ControllerReady,
    Firmware,
    Message,
    Meter,
    Protocol,
    Query,
    Question,
    Serial,
    UnitBeat,
    UnitReady,
    Unknown,
    VinPart,
)

_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
_LENGTHS = frozenset({13, 14, 15, 16, 20})
"""Lengths with the checksum: protocol 1, protocol 2, their short requests, and long answers."""
_LONG_LENGTH = 20
_NOISE_BYTES = 3
_MOST_BYTES = 2 * _LONG_LENGTH
_HALF_AMP_MA = 500


def wrapped(body: bytes) -> bytes:
    """Return the frame of a body without its checksum."""
    whole = body + bytes([sum(body[1:]) & 0xFF])
    escaped = whole.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class Frames:
    """Reads bytes as they come, in portions of any size.

    Attributes:
        skipped: How many frames were not in order, by reason: `noise`, `escape`, `length`, `checksum`, `too long`.
    """

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self._held = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Message]:
        """Take some bytes.

        Args:
            data: The next bytes.

        Returns:
            The messages that they complete.
        """
        return [decoded(body) for body in self.bodies(data)]

    def bodies(self, data: bytes) -> list[bytes]:
        """Take some bytes; return the bodies in order that they complete, without their checksums."""
        found: list[bytes] = []
        first, *others = data.split(b"\xc0")
        self._hold(first)
        for piece in others:
            body = self._ended()
            if body is not None:
                found.append(body)
            self._hold(piece)
        return found

    def _hold(self, piece: bytes) -> None:
        room = _MOST_BYTES - len(self._held)
        self._overlong = self._overlong or len(piece) > room
        self._held += piece[:room]

    def _ended(self) -> bytes | None:
        """What is held has come to its end."""
        raw, overlong = bytes(self._held), self._overlong
        self._held.clear()
        self._overlong = False
        if not raw:
            return None
        try:
            return _body_of(raw, overlong=overlong)
        except ValueError as error:
            self.skipped[str(error)] += 1
            return None


def _body_of(raw: bytes, *, overlong: bool) -> bytes:
    if overlong:
        raise ValueError("too long")
    if len(raw) <= _NOISE_BYTES:
        raise ValueError("noise")
    head, *pieces = raw.split(b"\xdb")
    whole = bytearray(head)
    for piece in pieces:
        if not piece or piece[0] not in {_ESCAPED_END, _ESCAPED_ESCAPE}:
            raise ValueError("escape")
        whole.append(_END if piece[0] == _ESCAPED_END else _ESCAPE)
        whole += piece[1:]
    if len(whole) not in _LENGTHS:
        raise ValueError("length")
    if sum(whole[1:-1]) & 0xFF != whole[-1]:
        raise ValueError("checksum")
    return bytes(whole[:-1])


def decoded(body: bytes) -> Message:
    """Return what a body in order means; what nobody knows is `Unknown`.

    Args:
        body: A frame's bytes without its checksum, at least 12.
    """
    reader = _READERS.get(body[:2])
    message = None if reader is None else reader(body)
    return Unknown(body=body) if message is None else message


def _u16(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 2])


def _current_ma(body: bytes, at: int) -> int:
    return _u16(body, at) * CENTIAMP_MA


def _protocol(body: bytes) -> Protocol | None:
    match len(body) + 1:
        case 14:
            return 1
        case 16:
            return 2
    return None


def _controller_ready(body: bytes) -> Message:
    return ControllerReady(sender=_u16(body, 2), sign=body[4], second=body[0] == 0xFB, protocol=_protocol(body))


def _unit_ready(body: bytes) -> Message:
    return UnitReady(sender=_u16(body, 2), sign=body[4], nameplate_ma=_current_ma(body, 5), protocol=_protocol(body))


def _controller_beat(body: bytes) -> Message:
    return ControllerBeat(
        sender=_u16(body, 2),
        receiver=_u16(body, 4),
        command=body[6],
        amount_ma=_current_ma(body, 7),
        protocol=_protocol(body),
    )


def _unit_beat(body: bytes) -> Message:
    return UnitBeat(
        sender=_u16(body, 2),
        receiver=_u16(body, 4),
        state=body[6],
        allowed_ma=_current_ma(body, 7),
        actual_ma=_current_ma(body, 9),
        protocol=_protocol(body),
    )


def _query(body: bytes) -> Message:
    return Query(sender=_u16(body, 2), receiver=_u16(body, 4), question=Question(body[1]))


def _meter(body: bytes) -> Message | None:
    if len(body) + 1 < _LONG_LENGTH:
        return None
    return Meter(
        sender=_u16(body, 2),
        energy=int.from_bytes(body[4:8]),
        volts=(_u16(body, 8), _u16(body, 10), _u16(body, 12)),
        lines_ma=(body[14] * _HALF_AMP_MA, body[15] * _HALF_AMP_MA, body[16] * _HALF_AMP_MA),
    )


def _firmware(body: bytes) -> Message:
    return Firmware(sender=_u16(body, 2), version=(body[4], body[5], body[6], body[7]))


def _text(data: bytes) -> str:
    """Letters and digits up to the first byte that is none; a number or name that is garbled is not made up."""
    plain = data.split(b"\0")[0]
    return plain.decode("ascii") if plain.isascii() and plain.isalnum() else ""


def _serial(body: bytes) -> Message:
    return Serial(sender=_u16(body, 2), text=_text(body[4:]))


def _vin_part(body: bytes) -> Message:
    part = Question(body[1])
    length = VIN_LENGTHS[VIN_PARTS.index(part)]
    return VinPart(sender=_u16(body, 2), part=part, text=_text(body[4 : 4 + length]))


def _controller_idle(_: bytes) -> Message:
    return ControllerIdle()


_READERS: Mapping[bytes, Callable[[bytes], Message | None]] = MappingProxyType(
    {
        b"\xfc\xe1": _controller_ready,
        b"\xfb\xe2": _controller_ready,
        b"\xfd\xe2": _unit_ready,
        b"\xfb\xe0": _controller_beat,
        b"\xfd\xe0": _unit_beat,
        b"\xfd\xeb": _meter,
        b"\xfd\xec": _firmware,
        b"\xfd\xed": _serial,
        b"\xfc\x1d": _controller_idle,
        **{bytes([0xFB, question.value]): _query for question in Question},
        **{bytes([0xFD, part.value]): _vin_part for part in VIN_PARTS},
    }
)


def parse_any(data: bytes) -> list[Message]:
    """Read any bytes whatever from the beginning; nothing comes out but messages.

    Args:
        data: Anything.

    Returns:
        The messages in it.
    """
    return Frames().feed(data)
