"""An outlet tells every change at its instant, and each once: what emulators write their traces from."""

import pytest

from powershare.simulation import Traits
from powershare.simulation.outlet import READING_STEP_MA, Outlet

CAR = Traits(max_ma=16_000, reaction_ms=3_000, identity="5YJ3E1EA7KF317000")

Told = list[tuple[int, int, int, str, str | None]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def outlet(told: Told) -> Outlet:
    def changed(outlet: Outlet, now_ms: int, word: str | None) -> None:
        told.append((now_ms, outlet.offered_ma, outlet.drawn_ma, outlet.state, word))

    return Outlet(1_000, lines=3, changed=changed)


def test_a_vehicle_is_told_when_it_comes_and_when_it_goes(outlet: Outlet, told: Told) -> None:
    outlet.plug_in(CAR, 10_000, 2_000)
    assert outlet.vehicle == CAR.identity
    outlet.unplug(3_000)
    outlet.unplug(4_000)
    assert [(at_ms, word) for at_ms, _, _, _, word in told if word] == [(2_000, "plugged in"), (3_000, "unplugged")]
    assert [state for _, _, _, state, _ in told] == ["A", "B", "A"]


def test_looking_again_tells_nothing_anew(outlet: Outlet, told: Told) -> None:
    outlet.plug_in(CAR, 10_000, 2_000)
    outlet.offer(10_000, 2_000)
    outlet.advance(30_000)
    seen = len(told)
    for now_ms in range(30_000, 40_000, 500):
        outlet.advance(now_ms)
        outlet.offer(10_000, now_ms)
    assert len(told) == seen


def test_what_happened_since_the_last_look_is_told_at_its_own_instant_in_steps(outlet: Outlet, told: Told) -> None:
    outlet.plug_in(CAR, 10_000, 2_000)
    outlet.offer(10_000, 2_000)
    outlet.advance(60_000)
    risen = [(at_ms, drawn_ma) for at_ms, _, drawn_ma, _, _ in told if drawn_ma]
    assert [drawn_ma for _, drawn_ma in risen] == list(range(READING_STEP_MA, 10_001, READING_STEP_MA))
    assert risen[0][0] == 2_000 + CAR.reaction_ms
    assert [at_ms for at_ms, _ in risen] == sorted({at_ms for at_ms, _ in risen})


def test_without_a_vehicle_a_pilot_says_nothing_and_then_what_was_ordered(outlet: Outlet) -> None:
    outlet.offer(10_000, 2_000)
    assert (outlet.ordered_ma, outlet.offered_ma) == (10_000, 0)
    outlet.plug_in(CAR, 10_000, 3_000)
    assert outlet.offered_ma == 10_000


def test_a_contactor_that_is_held_open_stays_open_whatever_is_offered(outlet: Outlet) -> None:
    outlet.plug_in(CAR, 10_000, 2_000)
    outlet.offer(10_000, 2_000)
    outlet.advance(30_000)
    outlet.hold_open(True, 30_000)
    outlet.offer(16_000, 31_000)
    assert (outlet.closed, outlet.drawn_ma, outlet.offered_ma) == (False, 0, 0)
    outlet.hold_open(False, 40_000)
    assert (outlet.closed, outlet.offered_ma) == (True, 16_000)


def test_only_the_lines_that_a_vehicle_loads_carry_current(outlet: Outlet) -> None:
    outlet.plug_in(Traits(max_ma=16_000, lines_used=1), 10_000, 2_000)
    outlet.offer(10_000, 2_000)
    outlet.advance(60_000)
    assert outlet.drawn_per_line_ma == (10_000, 0, 0)
