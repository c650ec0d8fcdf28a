"""`powershare run` and three emulated Gen 2 Wall Connectors on one line, each a process: the units' trace is judged."""

import signal
import sys

import pytest

from .running import Played, Stage, after, comes, fails, goes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals and no such signals"),
]

LIMIT_A = 40
NAMES = ("a", "b", "c")
STOPPED_S = 10
QUICK = (f"stopped_after_s={STOPPED_S}", "lost_after_s=4", "noise=yes", "echo=yes")
"""Units that give up sooner than real ones, so that tests need not wait; the addresses say so, too."""
WATCHDOG = "&watchdog_s=12"
WIRE_S = 1.5
"""A heartbeat is a second old at the most, and the trace writes what was due a moment later."""
BACK_S = 30
"""So long after it has been reached again a unit charges again: the old orders have ended, and a raise is proven."""

ALL_CHARGE = (comes(1, 0), comes(1, 1), comes(1, 2))


def set_up(stage: Stage) -> None:
    stage.lay_out(LIMIT_A, 1, dict.fromkeys(NAMES, "step_a = 1\nfallback_a = 0"))


def play_cars(stage: Stage) -> Played:
    set_up(stage)
    deeds = (comes(1, 0), comes(2, 1), comes(29, 2), goes(58, 0))
    stage.emulate("twc-gen2", "a,b,c", deeds, "noise=yes", "echo=yes")
    stage.connect()
    controller = stage.regulate()
    for at_s, mark in ((28.5, "the third comes"), (57.5, "the first goes"), (76, "done")):
        stage.until(at_s, mark)
    return stage.finish(controller)


def play_generation_1(stage: Stage) -> Played:
    """One unit restarts; then the cable is out for longer than the units wait."""
    set_up(stage)
    troubles = (fails(26, 1, "reset"), fails(48, 0, "unplugged"), fails(62, 0, "none"))
    stage.emulate("twc-gen2", "a,b,c", (*ALL_CHARGE, *troubles), "protocol=1", *QUICK)
    stage.connect(WATCHDOG)
    controller = stage.regulate()
    for at_s, mark in ((25.5, "before the reset"), (47.5, "before the cut"), (62, "joined"), (62 + BACK_S, "done")):
        stage.until(at_s, mark)
    return stage.finish(controller)


def play_killed(stage: Stage) -> Played:
    """A controller is killed and another takes over at once; that is killed, too, and nobody comes for a while."""
    set_up(stage)
    stage.emulate("twc-gen2", "a,b,c", ALL_CHARGE, *QUICK)
    stage.connect(WATCHDOG)
    first = stage.regulate()
    stage.wait(20, "killed")
    first.ends(signal.SIGKILL)
    second = stage.regulate(mark="taken over")
    stage.wait(22, "killed again")
    second.ends(signal.SIGKILL)
    stage.wait(STOPPED_S + 2)
    third = stage.regulate(mark="begun again")
    stage.wait(15, "done")
    return stage.finish(third)


def play_evening(stage: Stage) -> Played:
    """Vehicles come and go for as long as is wanted, over a noisy line."""
    set_up(stage)
    stage.emulate("twc-gen2", "a,b,c", "evening", "noise=yes", "echo=yes", f"seed={stage.seed}")
    stage.connect()
    controller = stage.regulate()
    stage.wait(60 * stage.minutes, "done")
    return stage.finish(controller)


@after(play_cars)
def test_cars_come_and_go_and_the_limit_holds_by_the_units_own_trace(play: Played) -> None:
    play.assert_nothing_broke()
    assert all(play.charged(name) for name in NAMES)
    assert [play.offered_ma(name, "the third comes") for name in NAMES] == [20_000, 20_000, 0]
    shares_ma = [play.offered_ma(name, "the first goes") for name in NAMES]
    assert min(shares_ma) >= 11_000, "the last amps come one by one, as the others are seen to have given them up"
    assert 38_000 <= sum(shares_ma) <= 40_000
    assert [play.offered_ma(name, "done") for name in NAMES] == [0, 20_000, 20_000]


@after(play_cars)
def test_the_two_are_down_and_their_vehicles_too_before_the_third_is_raised(play: Played) -> None:
    plugged = play.when("c", "plugged in")
    raised_s = play.reaches_s("c", (0).__lt__, plugged)
    lowered_s = max(play.reaches_s(name, (20_000).__gt__, plugged) for name in "ab")
    play.figures["both lowered, the third raised after"] = round(lowered_s, 1), round(raised_s, 1)
    at_s = play.marks[plugged] + raised_s
    for name in "ab":
        before = [one for one in play.of(name) if one.at_s < at_s][-1].event
        assert max(before.pilot_ma, before.drawn_ma) <= 17_000, play.told(name)


@after(play_cars)
def test_an_interrupted_controller_leaves_every_unit_at_its_fallback(play: Played) -> None:
    assert play.figures["run ended with"] == 130
    assert [play.offered_ma(name, "left") for name in NAMES] == [0, 0, 0]


@after(play_generation_1)
def test_a_unit_of_generation_1_that_restarts_begins_at_nothing_and_gets_its_share_again(play: Played) -> None:
    play.assert_nothing_broke()
    assert play.offered_ma("b", "before the reset") > 0, play.told("b")
    assert play.reaches_s("b", (0).__eq__, "before the reset") < 2
    assert play.offered_ma("b", "before the cut") >= 13_000, play.told("b")


@after(play_generation_1)
def test_units_whose_cable_is_out_stop_by_themselves_and_charge_again_without_a_restart(play: Played) -> None:
    for name in NAMES:
        stopped_s = play.reaches_s(name, (0).__eq__, "before the cut")
        assert stopped_s <= 0.5 + STOPPED_S + WIRE_S
        assert play.offered_ma(name, "joined") == 0
        assert play.reaches_s(name, (0).__lt__, "joined") < BACK_S
    words = play.controllers[0]
    cut_s, joined_s = play.marks["before the cut"], play.marks["joined"]
    for name in NAMES:
        assert words.said_s(rf" {name}: .*(answer|silent|heard|heartbeat)", cut_s) is not None, words.words
        assert words.said_s(f" {name}: answers again", joined_s) is not None, words.words


@after(play_killed)
def test_nothing_breaks_where_another_controller_takes_over_from_one_that_was_killed(play: Played) -> None:
    play.assert_nothing_broke()
    assert sum(play.offered_ma(name, "killed") for name in NAMES) == LIMIT_A * 1000
    assert sum(play.offered_ma(name, "killed again") for name in NAMES) == LIMIT_A * 1000, play.told("a")
    back_s = [play.reaches_s(name, (0).__lt__, "begun again") for name in NAMES]
    play.figures["charge again after"] = [round(one_s, 1) for one_s in back_s]


@after(play_killed)
def test_without_any_controller_each_unit_stops_by_itself_within_its_time(play: Played) -> None:
    for name in NAMES:
        stopped_s = play.reaches_s(name, (0).__eq__, "killed again")
        assert STOPPED_S - WIRE_S <= stopped_s <= STOPPED_S + WIRE_S, play.told(name)


@after(play_evening)
def test_an_evening_over_a_noisy_line_stays_within_the_limit(play: Played) -> None:
    play.assert_nothing_broke()
    assert all(play.charged(name) for name in NAMES)
