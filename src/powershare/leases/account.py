"""What a leader knows of each unit, beside its envelope: its last report, and the grant on its way to it."""

from typing import Protocol

import attrs

from powershare.leases.grant import Grant
from powershare.site import Connector
from powershare.units import Milliamps


class UnitReport(Protocol):
    """What the ledger reads of a unit's report."""

    @property
    def boot(self) -> int:
        """Its process."""

    @property
    def report_no(self) -> int:
        """Grows with each report of a process."""

    @property
    def stamp_ms(self) -> int:
        """When it was made, on the unit's clock."""

    @property
    def heartbeat_ms(self) -> int:
        """When the newest heartbeat was sent that it has seen, on the leader's clock."""

    @property
    def session(self) -> int:
        """The unit's session."""

    @property
    def seq(self) -> int:
        """The last grant applied in this term."""

    @property
    def ceiling_ma(self) -> Milliamps:
        """Its ceiling."""

    @property
    def offer_ma(self) -> Milliamps:
        """What it was last told to offer."""

    @property
    def most_ma(self) -> Milliamps:
        """What it may be drawing (e)."""

    @property
    def cap_left_ms(self) -> int:
        """How long it stays below its fallback."""

    @property
    def measured_ma(self) -> Milliamps | None:
        """The largest line current, fresh; None without a meter."""

    @property
    def closed(self) -> bool:
        """Whether its contactor is closed."""


@attrs.define(eq=False)
class Account:
    """What the leader knows of one unit, beside its envelope."""

    place: int
    connector: Connector
    fallback_ma: Milliamps
    rows: tuple[int, ...]
    report: UnitReport | None = None
    heard_ms: int | None = None
    unused: bool = False  # whether no grant has been issued against the last report
    seq: int = 0  # of the last grant issued to this process in this term
    grant: Grant | None = None  # on its way
    granted_session: int = 0  # of the last grant issued: with the next session it is void
    issued_ms: int = 0
    former_boots: list[int] = attrs.field(factory=list)
    boot_since_ms: int = 0  # heartbeats sent after this were answered by the present process
    soft_since_ms: int | None = None  # since when its offer is below its ceiling, to be followed by the vehicle
    soft_from_ma: Milliamps = 0
    seen_to_follow: bool = False  # whether it is known how soon the vehicle followed this time
    follows_soon: bool | None = None  # whether this session's vehicle has been seen to follow well within its time
    raised_ms: int | None = None
    suspect_until_ms: int | None = None
