"""Mistakes that are easily made in a ledger, each planted in the twin: what holds the ledger finds every one.

Units in real time draw more than a ledger says, or a row carries more than its limit. Only a shorter cap taken for a
longer loses amps, not safety; that, like all the others, the comparison with C finds.
"""

# ruff: noqa: ANN401 - classes of ledgers
from random import Random
from typing import Any

import pytest
from tests.native import ledger_world

import powershare._native as door
from powershare._native.codes import GrantKind
from powershare._native.ledger_reference import ReferenceLedger

WORLDS = 150


class LooksAtThePresentOnly(ReferenceLedger):
    """A cap may end while a raise still leans on it."""

    def _fits(self, unit: int, high: int, until: int, now: int, horizon: int) -> bool:
        own = high if now < until else self.fallback[unit]
        return own <= self.room(unit, now, now + 1, horizon)


class KeepsTheTimeOfAnEarlierRaise(ReferenceLedger):
    def _entry_after(self, unit: int, kind: int, amps: int, now: int, wait: int, cap_until: int) -> tuple[int, int]:
        high, until = super()._entry_after(unit, kind, amps, now, wait, cap_until)
        return high, self.until[unit] if kind == GrantKind.RAISE else until


class TakesAnUnchangedEntryForHarmless(ReferenceLedger):
    def _fits(self, unit: int, high: int, until: int, now: int, horizon: int) -> bool:
        unchanged = (high, until) == (self.high[unit], self.until[unit])
        return unchanged or super()._fits(unit, high, until, now, horizon)


class ForgetsThatANewCapMayEndSooner(ReferenceLedger):
    def _entry_after(self, unit: int, kind: int, amps: int, now: int, wait: int, cap_until: int) -> tuple[int, int]:
        high, until = super()._entry_after(unit, kind, amps, now, wait, cap_until)
        return high, self.until[unit] if kind == GrantKind.CAP else until


class LearnsWhileAGrantIsOutstanding(ReferenceLedger):
    def learn(self, unit: int, now: int, wait: int, settled: bool, current: int, cap_until: int, measured: int) -> None:
        super().learn(unit, now, wait, True, current, cap_until, measured)


class BelievesADecreaseAtOnce(ReferenceLedger):
    def _entry_after(self, unit: int, kind: int, amps: int, now: int, wait: int, cap_until: int) -> tuple[int, int]:
        ends = {GrantKind.RAISE: now + wait, GrantKind.CAP: cap_until}
        return amps, ends.get(GrantKind(kind), now)


class TakesTheReportedCeilingForHarmless(ReferenceLedger):
    """Above the fall-back it is not: its lease would be renewed while others wait for its end."""

    def issue(
        self, unit: int, kind: int, amps: int, ceiling: int, now: int, wait: int, horizon: int, cap_until: int
    ) -> bool:
        if super().issue(unit, kind, amps, ceiling, now, wait, horizon, cap_until):
            return True
        if amps <= ceiling:
            self.high[unit], self.until[unit] = self._entry_after(unit, kind, amps, now, wait, cap_until)
        return amps <= ceiling


class TakesAShorterCapForALonger(ReferenceLedger):
    def _learn_current(self, unit: int, now: int, wait: int, current: int, cap_until: int) -> None:
        if current < self.fallback[unit]:
            self.until[unit] = now
        super()._learn_current(unit, now, wait, current, cap_until)


UNSAFE = (
    *(LooksAtThePresentOnly, KeepsTheTimeOfAnEarlierRaise, TakesAnUnchangedEntryForHarmless),
    *(ForgetsThatANewCapMayEndSooner, LearnsWhileAGrantIsOutstanding, BelievesADecreaseAtOnce),
    TakesTheReportedCeilingForHarmless,
)


@pytest.mark.parametrize("slip", UNSAFE)
def test_units_in_real_time_find_the_slip(slip: Any) -> None:
    assert any(ledger_world.found_wrong(slip, seed, ticks=25) for seed in range(WORLDS))


@pytest.mark.skipif(door.backend != "native", reason="there is only the twin here")
@pytest.mark.parametrize("slip", [*UNSAFE, TakesAShorterCapForALonger])
def test_the_comparison_with_c_finds_the_slip(slip: Any) -> None:
    from tests.native import ledger_lockstep

    with pytest.raises(AssertionError):
        ledger_lockstep.run(Random(1), 6_000, twin_type=slip)
