"""What may be put on the wire of Gen 2 Wall Connectors, and the gate that nothing else passes.

Some messages are reported to disable a unit for good, to change its id or to crash it (FC 19, FC 1A, FB E8), or to put
it into an error that only its button ends (heartbeat command 02): D,
https://github.com/ngardiner/TWCManager/blob/main/docs/SlaveProtocol.md. The types here have no room for them, and
`Gate` looks at every frame once more, right before the port, and lets through only what is on its list.
"""

from typing import TypeAlias

import attrs

from powershare.errors import ContractError
from powershare.units import Milliamps
from powershare_serial.ports import Port
from powershare_serial.twc.frames import Frames, wrapped
from powershare_serial.twc.messages import CENTIAMP_MA, Protocol, Query, Question

_NO_CHANGE, _LIMIT, _SESSION_LIMIT = 0x00, 0x05, 0x09

_ANNOUNCEMENTS = (b"\xfc\xe1", b"\xfb\xe2")
_BEAT = b"\xfb\xe0"
_QUERIES = tuple(bytes([0xFB, question.value]) for question in Question)
_CONTACTOR = (b"\xfc\xb1", b"\xfc\xb2")
_LENGTHS = (13, 15)
_COMMAND_AT, _AMOUNT_AT = 6, slice(7, 9)

GREATEST_MA: Milliamps = 80_000
"""No Gen 2 unit is built for more; a unit would echo 655 A and mean it (D)."""


@attrs.frozen(kw_only=True)
class Announcement:
    """We announce ourselves as the controller: FC E1, or FB E2 the second time.

    Attributes:
        sender: Our id.
        sign: A byte that goes with it.
        second: Whether it is FB E2.
    """

    sender: int
    sign: int
    second: bool


@attrs.frozen(kw_only=True)
class Beat:
    """Our heartbeat to one unit.

    Attributes:
        sender: Our id.
        receiver: The unit.
        offered_ma: What it may offer, up to 80 A, on the wire rounded down to 0.01 A; None: what it was told last.
        session: Whether a vehicle charges now, which protocol 2 tells with a command of its own: it ignores the
            ordinary one while charging (D).
        protocol: The unit's generation.
    """

    sender: int
    receiver: int
    offered_ma: Milliamps | None
    session: bool
    protocol: Protocol


@attrs.frozen(kw_only=True)
class Contactor:
    """Close or open a unit's contactor; it does not answer. Opening under load can put a Tesla into a fault (D).

    Attributes:
        sender: Our id.
        receiver: The unit.
        closed: Which of the two.
        protocol: The unit's generation.
    """

    sender: int
    receiver: int
    closed: bool
    protocol: Protocol


Sendable: TypeAlias = Announcement | Beat | Query | Contactor


def encoded(message: Sendable) -> bytes:
    """Return the frame of a message.

    Args:
        message: What to say.

    Raises:
        ContractError: An id, a sign or a current does not fit the wire.
    """
    match message:
        case Announcement():
            code = _ANNOUNCEMENTS[message.second]
            body = code + _two(message.sender, "an id") + bytes([message.sign & 0xFF])
            return wrapped(body.ljust(_LENGTHS[0], b"\0"))
        case Beat():
            command, amount = _command(message)
            body = _BEAT + _two(message.sender, "an id") + _two(message.receiver, "an id") + bytes([command]) + amount
            return wrapped(body.ljust(_LENGTHS[message.protocol - 1], b"\0"))
        case Query():
            code = bytes([0xFB, message.question.value])
            body = code + _two(message.sender, "an id") + _two(message.receiver, "an id")
            return wrapped(body.ljust(_LENGTHS[1] - 1, b"\0"))
        case Contactor():
            code = _CONTACTOR[0] if message.closed else _CONTACTOR[1]
            body = code + _two(message.sender, "an id") + _two(message.receiver, "an id")
            return wrapped(body.ljust(_LENGTHS[message.protocol - 1], b"\0"))
    raise ContractError(f"{message!r} is nothing that may be said to a Wall Connector")


def _command(beat: Beat) -> tuple[int, bytes]:
    if beat.offered_ma is None:
        return _NO_CHANGE, b"\0\0"
    command = _SESSION_LIMIT if beat.session and beat.protocol == 2 else _LIMIT
    if not 0 <= beat.offered_ma <= GREATEST_MA:
        raise ContractError(f"{beat.offered_ma} mA cannot be told to a Wall Connector")
    return command, _two(beat.offered_ma // CENTIAMP_MA, "a current")


def _two(value: int, what: str) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise ContractError(f"{value} does not fit the two bytes of {what}")
    return value.to_bytes(2)


class Gate:
    """The only way to a port: one frame at a time, and only what is on the list.

    Args:
        port: The open port.
    """

    def __init__(self, port: Port) -> None:
        self._port = port

    async def send(self, frame: bytes, *, contactor: bool = False) -> None:
        """Send one frame.

        Args:
            frame: The frame.
            contactor: Whether it may be a contactor's: only where somebody has asked for that by name.

        Raises:
            ContractError: The frame is not on the list; nothing was sent.
            AdapterUnavailable: The wire is gone.
        """
        check(frame, contactor=contactor)
        await self._port.send(frame)


def check(frame: bytes, *, contactor: bool = False) -> None:
    """Refuse what may not be sent.

    Args:
        frame: What is about to be sent.
        contactor: Whether it may be a contactor's command.

    Raises:
        ContractError: It is not one frame in order, or not on the list.
    """
    frames = Frames()
    bodies = frames.bodies(frame)
    if len(bodies) != 1 or frames.skipped or wrapped(bodies[0]) != frame:
        raise ContractError(f"{frame.hex(' ')} is not one frame in order")
    (body,) = bodies
    code = body[:2]
    if code in _ANNOUNCEMENTS or code in _QUERIES or (contactor and code in _CONTACTOR):
        return
    known = code == _BEAT and body[_COMMAND_AT] in {_NO_CHANGE, _LIMIT, _SESSION_LIMIT}
    if known and int.from_bytes(body[_AMOUNT_AT]) * CENTIAMP_MA <= GREATEST_MA:
        return
    raise ContractError(f"{frame.hex(' ')} may not be said to a Wall Connector: it is not on the list of what is known")
