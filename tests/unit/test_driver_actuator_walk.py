"""Whatever a leader grants, a line does and a device leaves undone: what it offers is never more than its unit says.

A random walk in virtual time. The device is the judge, at every instant; `tests.support.devices` says what may happen.
"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.devices import NOW, Bench, a_grant, declared, fates_of

from powershare.adapter import Deadman
from powershare.driver.held import acted_ms

LONGEST_WATCHDOG_MS = 60_000
FORMER_MA = 32_000


class Walk:
    """One device of this class, of figures and with luck drawn from a seed."""

    def __init__(self, kind: Deadman, seed: int) -> None:
        chance = self.chance = Random(seed)
        self.fallback_ma = chance.choice((0, 6_000, 10_000))
        self.left_alone_ma = chance.choice((0, 6_000)) if self.fallback_ma else 0
        declaration = declared(
            kind,
            left_alone_ma=self.left_alone_ma,
            watchdog_ms=chance.choice((4_000, 10_000, 30_000, LONGEST_WATCHDOG_MS)),
            settle_ms=chance.choice((300, 2_500, 8_000)),
            lowers_ms=chance.choice((None, 100, 300)),
            fed_by_reads=kind is Deadman.WATCHDOG and chance.random() < 0.5,
        )
        self.former_ma = chance.choice((0, FORMER_MA))
        # What a device without a dead man does after a restart is answered for by whoever trusts it.
        self.bench = Bench(
            declaration, fallback_ma=self.fallback_ma, offered_ma=self.former_ma, trusted=kind is Deadman.NONE
        )
        device = self.bench.device
        device.late_ms = chance.choice((0, declaration.settle_ms))
        device.lowers_late_ms = chance.choice((0, declaration.lowered_ms))
        device.watchdog_ms = acted_ms(declaration.watchdog_ms or 0)
        device.feed(NOW)
        device.obeys = chance.random() > 0.2
        weather, fair_ms = fates_of(chance), chance.choice((0, self.bench.timing.cold_hold_ms))
        self.bench.fate = lambda call: "ok" if self.bench.now_ms < NOW + fair_ms else weather(call)
        self.bench.after_each = self.judge

    def judge(self) -> None:
        """What the device offers now is counted, and rests on a lease (I2, I11)."""
        bench, offered_ma = self.bench, self.bench.device.offered_ma
        if not bench.alive or not bench.unit.may_speak(bench.now_ms):
            return
        assert offered_ma <= bench.most_ma, f"I2 at {bench.now_ms - NOW}: {offered_ma}, counted {bench.most_ma}"
        if offered_ma <= max(self.fallback_ma, self.left_alone_ma) or offered_ma == self.former_ma:
            return
        ends_ms = [pilot.until_ms for pilot in bench.told if pilot.offer_ma >= offered_ma and pilot.until_ms]
        over_ms = max(ends_ms) + bench.timing.write_ms
        if bench.declaration.deadman is not Deadman.NONE:
            assert bench.now_ms <= over_ms, f"I11 at {bench.now_ms - NOW}: {offered_ma}, over at {over_ms - NOW}"

    def go(self) -> None:
        """Walk, and let the process die at the end."""
        bench, chance = self.bench, self.chance
        bench.started()
        for _ in range(chance.randrange(5, 40)):
            deed = chance.random()
            if deed < 0.6:
                a_grant(bench, chance)
            elif deed < 0.63:
                bench.held_up(chance.choice((2_000, 30_000)))
            elif deed < 0.66 and not self.left_alone_ma and bench.declaration.deadman is not Deadman.NONE:
                bench.device.restart(bench.now_ms)
            bench.run(chance.choice((100, 500, 900, 900, 900, 4_000)))
        self.die()

    def die(self) -> None:
        """Nobody speaks to the device any more: it stays below what was told of it, a cap for its whole time (I12)."""
        bench = self.bench
        if not bench.unit.may_speak(bench.now_ms):
            return
        counted_ma, capped_ms = bench.most_ma, bench.now_ms + bench.unit.holder.cap_left_ms(bench.now_ms)
        bench.alive = False
        for _ in range(600):
            bench.run(200)
            capped = counted_ma < self.fallback_ma and bench.now_ms < capped_ms
            assert bench.device.offered_ma <= (counted_ma if capped else max(counted_ma, self.fallback_ma))


@pytest.mark.parametrize("kind", Deadman)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_what_a_device_offers_is_always_counted_and_always_rests_on_a_lease(kind: Deadman, seed: int) -> None:
    Walk(kind, seed).go()
