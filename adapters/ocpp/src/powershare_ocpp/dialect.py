"""The seam between versions of OCPP: what a session and its connectors leave to the one that a station speaks."""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import attrs

from powershare.units import Milliamps
from powershare_ocpp.messages import Abilities, Composite, Metered, Status
from powershare_ocpp.profiles import Profile, Scale
from powershare_ocpp.wire.frames import Payload

SAMPLED_EVERY_S = 10
"""So often a station says by itself what its meter measures."""

MEASURANDS = ("Current.Import", "Current.Offered")
"""What it is to measure; where it does not measure all of them, the first."""

Handler: TypeAlias = Callable[[Any, Payload], Payload]
"""Answers what a station asks, as a method of its dialect."""


class News(enum.Enum):
    """What a station can be asked to say by itself."""

    STATUS = "status"
    METER = "meter"


@attrs.define
class ConnectorRecord:
    """What a station has said of one connector on this link.

    Attributes:
        status: Its state; None: it has not said.
        transaction: The number or name of its transaction; None: none, or it is not known.
        meter: Its last meter values; None: none yet.
        metered_ms: When those came, by our clock.
        stays: What stays on it when orders end, and at which stack level; None: it has not accepted one from us.
    """

    status: Status | None = None
    transaction: int | str | None = None
    meter: Payload | None = None
    metered_ms: int | None = None
    stays: tuple[Milliamps, int] | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether a vehicle is being served."""
        says = None if self.status is None else self.status.transaction
        return self.transaction is not None if says is None else says


class Dialect(Protocol):
    """One version of OCPP on one line: how a station is asked, and what is made of what it says.

    SetChargingProfile, GetCompositeSchedule and TriggerMessage have these names in every version; their payloads
    differ.
    """

    subprotocol: ClassVar[str]
    """Its name in a WebSocket's handshake."""

    transaction_named: ClassVar[bool]
    """Whether a `TxProfile` must say of which transaction it is."""

    sampled_setting: ClassVar[str]
    """What a person sets so that stations tell the time now and then."""

    handlers: ClassVar[Mapping[str, Handler]]
    """What stations ask."""

    idle_question: ClassVar[tuple[str, Payload]]
    """Something that every station can answer, and whose answer is of no use but that it came."""

    async def learn(self) -> Abilities:
        """Ask what the station can. Nothing of it is changed.

        Raises:
            AdapterRejected: It does not say.
        """
        ...

    async def measure(self) -> None:
        """Have it measure current too, and say so every few seconds, where it does not already."""
        ...

    async def look(self, connector: int) -> None:
        """Have it say what state a connector is in, if it has not, and as far as it does."""
        ...

    def meter_questions(self, connector: int) -> Sequence[Payload]:
        """TriggerMessages that have it say what its meter measures; the best one first."""
        ...

    def metered(self, payload: Payload, lines: int) -> Metered:
        """Read meter values."""
        ...

    def profile_message(self, connector: int, profile: Profile) -> Payload:
        """A SetChargingProfile."""
        ...

    def composite_question(self, connector: int, duration_s: int, unit: str) -> Payload:
        """A GetCompositeSchedule."""
        ...

    def composite(self, payload: Payload, scale: Scale) -> Composite:
        """What the answer to it says."""
        ...
