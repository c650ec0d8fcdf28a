"""Every figure that the policy waits, tolerates or multiplies by, each with where it comes from."""

from collections.abc import Iterator

import attrs

from powershare.errors import InputError, Problem
from powershare.units import Milliamps


@attrs.frozen(kw_only=True)
class Settings:
    """The policy's figures; the defaults are start values, to be changed where a site knows better.

    Attributes:
        dwell_ms: How long a vehicle that was never paused keeps its turn while others wait for
            another one. 30 min: OpenEVSE load sharing, `rotation_interval` 1800 s.
        first_dwell_ms: How long it keeps its turn while somebody waits who has had none at all.
            15 min: half of that; twenty vehicles on one place are then all served within 5 h.
        dwell_growth: What the dwell is multiplied by at each pause, so that pauses get rare.
        pauses_most: How often one vehicle may be paused by turns. 3: what vehicles are known to
            take; some stop for good after ten interruptions (evcc PR 14434), some after three.
        use_tolerance_ma: A vehicle that draws this much less than its offer still uses it.
            1 A: vehicles draw 0.5 to 0.8 A below their offer (evcc issue 14417), balanz counts 0.8 A.
        unused_margin_ma: What an unused share keeps above what is drawn and that tolerance.
            0.25 A: OpenEVSE.
        unused_for_ms: How long a share must be unused before it is given away, and used in full
            before more is offered again. 30 s: OpenEVSE, 6 cycles of 5 s.
        hold_off_ms: How long nothing is concluded after a raise: a vehicle reacts within 5 s, or 30
            (openeo issue 13), and ramps up by about 0.65 A/s.
        meter_stale_ms: A measurement older than this counts as none.
        asleep_for_ms: How long a vehicle that draws nothing keeps its turn while others wait.
            5 min: balanz.
        asleep_retry_ms: After how long a wait it is taken for awake again. 1 h: balanz.
        max_raise_ma: The most that one raise adds. 16 A, every 5 s: 0 to 32 A in two raises.
        raise_interval_ms: The least time from one change of an offer to its next raise.
        settle_ms: After how long a vehicle has surely followed a lower offer. 6 s: 5 s by
            IEC 61851-1 and 1 s to see it and to open the contactor.
        meter_tolerance_ma: What a measurement may be above the truth.
        departure_margin_s: By how much a departure is taken to be earlier than stated, as far as
            the vehicle's own slack allows. 30 min: the usual error of stated departures.
        replan_ms: How often a plan with departures is looked at again while somebody is short.
    """

    dwell_ms: int = 1_800_000
    first_dwell_ms: int = 900_000
    dwell_growth: int = 3
    pauses_most: int = 3
    use_tolerance_ma: Milliamps = 1_000
    unused_margin_ma: Milliamps = 250
    unused_for_ms: int = 30_000
    hold_off_ms: int = 60_000
    meter_stale_ms: int = 15_000
    asleep_for_ms: int = 300_000
    asleep_retry_ms: int = 3_600_000
    max_raise_ma: Milliamps = 16_000
    raise_interval_ms: int = 5_000
    settle_ms: int = 6_000
    meter_tolerance_ma: Milliamps = 500
    departure_margin_s: int = 1_800
    replan_ms: int = 300_000

    def __attrs_post_init__(self) -> None:
        problems = tuple(self.problems())
        if problems:
            raise InputError(problems)

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with these figures."""
        faulty = False
        for field in attrs.fields(Settings):
            value = getattr(self, field.name)
            least = 1 if field.name in _POSITIVE else 0
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                faulty = True
                yield Problem("settings", field.name, f"is {value!r}; write a whole number, {least} or more")
        if not faulty and self.first_dwell_ms > self.dwell_ms:
            yield Problem("settings", "first_dwell_ms", "is above dwell_ms; who has had no turn does not wait longer")


_POSITIVE = frozenset({"dwell_growth", "max_raise_ma", "replan_ms", "unused_for_ms"})
