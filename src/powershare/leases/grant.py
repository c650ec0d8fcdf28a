"""What a leader grants a unit, and what a unit tells its device."""

import attrs

from powershare._native.codes import GrantKind
from powershare.units import Milliamps


@attrs.frozen
class Grant:
    """One grant, bound to the report that it answers.

    Attributes:
        seq: Grows with each grant to the unit within a term.
        kind: A raise ends in time, a cap does not end early, a fall-back has no timer, a trim only lowers.
        ceiling_ma: What the leader counts the unit with.
        offer_ma: What the unit offers; at most the ceiling.
        boot: The unit's process, as it reported.
        session: The unit's session, as it reported.
        report_no: Number of that report.
        stamp_ms: When that report was made, on the unit's clock: the anchor of the lease.
    """

    seq: int
    kind: GrantKind
    ceiling_ma: Milliamps
    offer_ma: Milliamps
    boot: int
    session: int
    report_no: int
    stamp_ms: int


@attrs.frozen
class Pilot:
    """What the device is to do: never a bare offer, so that a device whose host is gone falls back by itself.

    Attributes:
        write: Number of the write; the same number again only prolongs what the device does already.
        offer_ma: What the control pilot is to say; 0 pauses.
        until_ms: When it ends by itself, on the unit's clock; None: no timer.
        then_ma: What the pilot says after that.
        open: Whether the contactor must be open, whatever the pilot says.
        now_ms: When it was decided.
        why: What it rests on, for traces: `raise`, `cap`, `trim`, `fall-back`, `cold hold`, `opened`.
    """

    write: int
    offer_ma: Milliamps
    until_ms: int | None
    then_ma: Milliamps
    open: bool
    now_ms: int
    why: str

    @property
    def keeps_low(self) -> bool:
        """Whether it keeps the device below its fallback for a time: what others may come to lean on."""
        return self.until_ms is not None and self.offer_ma < self.then_ma
