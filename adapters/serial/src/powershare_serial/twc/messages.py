"""The messages of Gen 2 Wall Connectors on their RS-485 wire, as values.

Nobody has published the protocol; what is here was found out by others by listening. Sources, named where they are
used: D = https://github.com/dracoventions/TWCManager (TWCManager.py), W =
https://github.com/Wired-Square/esphome-twc-director (components/twc_director/twc/PROTOCOL.md), O =
https://github.com/open-watt/openwatt (src/protocol/tesla).

On the wire a current is a number of 0.01 A; here it is milliamps. Two generations are in use: heartbeats and
announcements of protocol 1 have 14 bytes, those of protocol 2 have 16 (D).
"""

import enum
from typing import Literal, TypeAlias

import attrs

from powershare.units import Milliamps

Protocol: TypeAlias = Literal[1, 2]
"""The generation, known by the length of an announcement or a heartbeat."""

CENTIAMP_MA = 10
"""The unit of currents on the wire: 0.01 A."""


class State(enum.IntEnum):
    """What a unit says it is doing (D, C and O agree on these; the words are ours)."""

    READY = 0x00
    CHARGING = 0x01
    ERROR = 0x02
    PLUGGED_IDLE = 0x03
    ASKS_FOR_AMPS = 0x04
    BUSY = 0x05
    RAISED_2_A = 0x06
    LOWERED_2_A = 0x07
    STARTING = 0x08
    LIMITED = 0x09
    ADJUSTED = 0x0A


@attrs.frozen(kw_only=True)
class ControllerReady:
    """A controller announces itself (FC E1 the first five times, FB E2 the next).

    Attributes:
        sender: The controller.
        sign: A byte that goes with its id.
        second: Whether it is FB E2.
        protocol: Its length; None: of neither generation.
    """

    sender: int
    sign: int
    second: bool
    protocol: Protocol | None = 1


@attrs.frozen(kw_only=True)
class UnitReady:
    """A unit that hears no controller announces itself, every 10 s (FD E2).

    Attributes:
        sender: The unit.
        sign: A byte that goes with its id.
        nameplate_ma: The most it is built for.
        protocol: Its generation.
    """

    sender: int
    sign: int
    nameplate_ma: Milliamps
    protocol: Protocol | None


@attrs.frozen(kw_only=True)
class ControllerBeat:
    """A controller's heartbeat as it was heard, whatever it commands (FB E0).

    What we send ourselves is a `powershare_serial.twc.sending.Beat`, which has no room for the dangerous commands.

    Attributes:
        sender: The controller.
        receiver: The unit.
        command: What it commands.
        amount_ma: The current that goes with it.
        protocol: Its length; None: of neither generation.
    """

    sender: int
    receiver: int
    command: int
    amount_ma: Milliamps
    protocol: Protocol | None


@attrs.frozen(kw_only=True)
class UnitBeat:
    """A unit's answer to a heartbeat (FD E0).

    Attributes:
        sender: The unit.
        receiver: The controller.
        state: One of `State`, or a code that nobody knows.
        allowed_ma: What it says it may offer: an echo of what it was told, however absurd (D).
        actual_ma: What it measures into the vehicle.
        protocol: Its generation; None: neither.
    """

    sender: int
    receiver: int
    state: int
    allowed_ma: Milliamps
    actual_ma: Milliamps
    protocol: Protocol | None


class Question(enum.Enum):
    """What a unit can be asked without harm: FB and this code; it answers with FD and the same code."""

    METER = 0xEB
    FIRMWARE = 0xEC
    SERIAL = 0xED
    VIN_1 = 0xEE
    VIN_2 = 0xEF
    VIN_3 = 0xF1


VIN_PARTS = (Question.VIN_1, Question.VIN_2, Question.VIN_3)
VIN_LENGTHS = (7, 7, 3)


@attrs.frozen(kw_only=True)
class Query:
    """A controller asks a unit.

    Attributes:
        sender: The controller.
        receiver: The unit.
        question: What it asks.
    """

    sender: int
    receiver: int
    question: Question


@attrs.frozen(kw_only=True)
class Meter:
    """A unit's meter (FD EB).

    Attributes:
        sender: The unit.
        energy: Of its life: kWh on old firmware, Wh on newer; nothing says which.
        volts: Per line. W reads single bytes here; recordings of single-phase units show two per line.
        lines_ma: Current per line, on the wire in 0.5 A (W, O); in which order sources do not agree.
    """

    sender: int
    energy: int
    volts: tuple[int, int, int]
    lines_ma: tuple[Milliamps, Milliamps, Milliamps]


@attrs.frozen(kw_only=True)
class Firmware:
    """A unit's firmware (FD EC)."""

    sender: int
    version: tuple[int, int, int, int]


@attrs.frozen(kw_only=True)
class Serial:
    """A unit's serial number (FD ED)."""

    sender: int
    text: str


@attrs.frozen(kw_only=True)
class VinPart:
    """A part of the vehicle's VIN; all zero, and so empty, where the vehicle does not say (FD EE, EF, F1)."""

    sender: int
    part: Question
    text: str


@attrs.frozen(kw_only=True)
class ControllerIdle:
    """What a lone real controller sends three times every two hours, without an id in it (FC 1D)."""


@attrs.frozen(kw_only=True)
class Unknown:
    """A frame in order whose code nobody knows, or which is too short for its code.

    Attributes:
        body: The frame without its checksum.
    """

    body: bytes


Message: TypeAlias = (
    ControllerReady
    | UnitReady
    | ControllerBeat
    | UnitBeat
    | Query
    | Meter
    | Firmware
    | Serial
    | VinPart
    | ControllerIdle
    | Unknown
)
"""What can be heard."""


def shown(unit_id: int) -> str:
    """An id as it is printed on the unit's label and in an address."""
    return f"{unit_id:04X}"
