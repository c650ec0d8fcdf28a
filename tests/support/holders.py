"""A unit's side of a grant, by itself: a holder with a device that does what it is told when the test says so."""

from powershare.leases import Grant, GrantKind, Holder, Pilot
from powershare.site import Connector
from powershare.timing import Timing

TIMING = Timing()
U, K, Z, D, A = (
    TIMING.raise_lease_ms,
    TIMING.cap_lease_ms,
    TIMING.cold_hold_ms,
    TIMING.tail_ms,
    TIMING.write_ms,
)
BOOT, F, NOW = 77, 6_000, 1_000_000
CONNECTOR = Connector(id="a", circuit="feeder", step_ma=1_000)


def holder(fallback_ma: int = F) -> Holder:
    """A unit that has just started."""
    return Holder(CONNECTOR, fallback_ma, TIMING, BOOT, NOW)


def answer(unit: Holder, now_ms: int, *, closed: bool = True) -> Pilot | None:
    """Let the device do at once what it is to do."""
    pilot = unit.pilot(now_ms)
    if pilot is not None:
        unit.answered(pilot.write, pilot.offer_ma, now_ms, closed=closed and not pilot.open)
    return pilot


def grant(kind: GrantKind, ceiling_ma: int, unit: Holder, stamp_ms: int, offer_ma: int | None = None) -> Grant:
    offer = ceiling_ma if offer_ma is None else offer_ma
    return Grant(unit.seq + 1, kind, ceiling_ma, offer, BOOT, unit.session, 1, stamp_ms)


def at_fallback(fallback_ma: int = F) -> tuple[Holder, int]:
    """A unit with a vehicle, at its fallback, which its device has confirmed."""
    unit = holder(fallback_ma)
    answer(unit, NOW)
    now_ms = NOW + Z
    unit.expire(now_ms)
    unit.device(session_ended=True, closed=True, idle_and_led=False, now_ms=now_ms)
    answer(unit, now_ms)
    return unit, now_ms


def raised(ceiling_ma: int = 32_000) -> tuple[Holder, int]:
    """A unit raised just now."""
    unit, now_ms = at_fallback()
    assert unit.accept(grant(GrantKind.RAISE, ceiling_ma, unit, now_ms), now_ms)
    answer(unit, now_ms)
    return unit, now_ms
