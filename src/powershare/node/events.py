"""What a node is told, and what it answers."""

import attrs

from powershare.demand import ExternalLimit
from powershare.election import Term
from powershare.leases import Pilot
from powershare.node.config import Commissioning
from powershare.units import LineMilliamps, Milliamps


@attrs.frozen
class Woken:
    """Nothing but time has passed."""


@attrs.frozen
class Received:
    """A message came in; the clock was read after the receive returned.

    Attributes:
        data: Its bytes, already authenticated.
    """

    data: bytes


@attrs.frozen
class Applied:
    """The device answered a write.

    Attributes:
        write: The write's number; writes before it are carried out or void.
        offered_ma: What the pilot says now.
        at_ms: Read from the node's clock after the pilot changed; not later than the event is told.
        closed: Whether the contactor is closed.
    """

    write: int
    offered_ma: Milliamps
    at_ms: int
    closed: bool


@attrs.frozen(kw_only=True)
class DeviceState:
    """What the device says of itself and its vehicle, whenever any of it changes.

    Attributes:
        plugged: Whether a vehicle is connected.
        wants: Whether it wants energy (control pilot state C or D, or would, were it offered something).
        closed: Whether the contactor is closed.
        offered_ma: What the pilot says.
        wanted_ma: The most that the vehicle takes, at most 10 kA; None: all the connector may offer.
        vehicle: Its identity, where it is known; others hear its first 40 bytes.
        energy_needed_wh: Energy until departure, where it is known.
        departs_in_s: Time until departure, where it is known; may be past (negative).
        left_alone_ma: The most that the device may come to offer by itself at any moment, whatever it was told: its
            failsafe, where its own watchdog may act. It is never counted with less.
    """

    plugged: bool
    wants: bool
    closed: bool
    offered_ma: Milliamps = 0
    wanted_ma: Milliamps | None = None
    vehicle: str | None = None
    energy_needed_wh: int | None = None
    departs_in_s: int | None = None
    left_alone_ma: Milliamps = 0


@attrs.frozen
class Measured:
    """A measurement of the connector's current.

    Attributes:
        current_ma: The largest line current, at most 10 kA; a negative one (noise, feeding back) counts 0.
        at_ms: When it was taken, on the node's clock; not later than it is told.
    """

    current_ma: Milliamps
    at_ms: int


@attrs.frozen
class OtherLoad:
    """A reading of a circuit's load beside its connectors; one member passes on those of 12 circuits at most.

    Attributes:
        circuit: The circuit's id.
        load_ma: Per line of the supply; export counts 0.
        at_ms: When it was taken, on the node's clock; not later than it is told.
    """

    circuit: str
    load_ma: LineMilliamps
    at_ms: int


@attrs.frozen
class Limited:
    """Somebody outside limits a circuit or a connector for a time.

    A later one of the same source, on the same circuit or connector, replaces it where it was told to the same member.
    A member takes 4 at a time. Of what several members were told, all counts: the strictest.

    Attributes:
        limit: The limit; its source has at most 40 bytes in UTF-8.
        until_ms: When it ends by itself; the past takes it back.
    """

    limit: ExternalLimit
    until_ms: int


@attrs.frozen
class HandOver:
    """Stop leading, on purpose; no effect on who does not lead."""


@attrs.frozen
class Configure:
    """Take a step towards another configuration; the host stores it durably before it tells the node.

    Attributes:
        commissioning: The step.
    """

    commissioning: Commissioning


Event = Woken | Received | Applied | DeviceState | Measured | OtherLoad | Limited | HandOver | Configure


@attrs.frozen
class Send:
    """One message to one member.

    Attributes:
        to: Its id.
        data: The bytes.
    """

    to: str
    data: bytes


@attrs.frozen
class Note:
    """Something a person may want to know.

    Attributes:
        word: A short word: `leader`, `candidate`, `follower`, `grant`, `fall-back`, `opened`, `duplicate`, ...
        about: Whom it is about, a member's id.
        text: A sentence.
    """

    word: str
    about: str
    text: str


@attrs.frozen(kw_only=True)
class Output:
    """What the caller is to do now, in the order of these fields.

    Attributes:
        lower: First: what the device must do at once, because it lowers, interrupts, or keeps low.
        send: Then: messages to send; the clock was read before.
        raise_: Last: what the device may do, because it raises or prolongs.
        granted: The claim of the leader whose grant the device carries out; None: nobody's.
        wake_ms: When to tell the node that time has passed, if nothing else happens before; None: never.
        notes: For people.
    """

    lower: Pilot | None = None
    send: tuple[Send, ...] = ()
    raise_: Pilot | None = None
    granted: Term | None = None
    wake_ms: int | None = None
    notes: tuple[Note, ...] = ()
