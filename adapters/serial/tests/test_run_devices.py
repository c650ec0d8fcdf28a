"""`powershare run` and emulated devices of many kinds, each kind a process of its own: the units' trace is judged."""

import signal
import sys

import pytest

from .running import Played, Process, Stage, after, comes, fails

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals and no such signals"),
]

FAMILIES = {"h1": 0, "h2": 0, "al": 6, "ke": 0, "ab": 0, "we": 6}
"""What each offers when it is left alone, in amps: an Alfen its safe current, a Webasto no less than 6 A."""
WATCHDOG_S = 10
LATE_S = 1.5
"""A question or heartbeat is a second old at the most, and the trace writes what was due a moment later."""


def play_families(stage: Stage) -> Played:
    """Two units on a pseudo-terminal and four stations behind sockets share a feeder; nobody leads them for a while."""
    stage.lay_out(60, 3, {name: f"fallback_a = {FAMILIES[name]}" for name in FAMILIES})
    stage.emulate("modbus", "h1,h2", (comes(1, 0), comes(38, 1), fails(15, 0, "noise")), "map=heidelberg")
    stage.emulate("modbus", "al", (comes(1, 0, lines_used=3),), "map=alfen")
    stage.emulate("modbus", "ke", (comes(1, 0), fails(26, 0, "reset")), "map=keba")
    stage.emulate("modbus", "ab", (comes(1, 0), fails(15, 0, "wrong_check"), fails(19, 0, "none")), "map=abb-terra")
    stage.emulate("modbus", "we", (comes(1, 0), fails(16, 0, "silence"), fails(29, 0, "none")), "map=webasto-next")
    stage.connect(f"&watchdog_s={WATCHDOG_S}", al="")
    controller = stage.regulate()
    stage.until(64, "killed")
    controller.ends(signal.SIGKILL)
    stage.wait(WATCHDOG_S + 3, "alone")
    controller = stage.regulate(mark="begun again")
    stage.wait(20, "done")
    return stage.finish(controller)


def play_alfen(stage: Stage) -> Played:
    """A controller is killed, and a station holds its order for as long as it was told."""
    stage.lay_out(32, 3, {"al": "fallback_a = 6"})
    stage.emulate("modbus", "al", (comes(1, 0),), "map=alfen")
    stage.connect()
    controller = stage.regulate()
    stage.wait(12, "killed")
    controller.ends(signal.SIGKILL)
    stage.wait(63, "done")
    return stage.finish()


def play_bare(stage: Stage) -> Played:
    """Devices without a dead man's switch: refused, accepted, left alone, taken over."""
    names, fallback = ("e1", "e2", "se", "go"), "fallback_a = 6"
    stage.lay_out(40, 3, dict.fromkeys(names, fallback))
    stage.emulate("modbus", "e1,e2", (comes(1, 0), comes(1, 1)), "map=evse-din")
    stage.emulate("modbus", "se", (comes(1, 0),), "map=smartevse")
    stage.emulate("modbus", "go", (comes(24, 0),), "map=go-e")
    stage.connect()
    refused = Process("run", stage.site)
    stage.figures["refused with"] = refused.ends()
    stage.figures["refused because"] = [words for _, words in refused.words]
    stage.lay_out(40, 3, dict.fromkeys(names, f"{fallback}\nfail_safe = false"))
    stage.connect()
    controller = stage.regulate()
    stage.until(54, "killed")
    controller.ends(signal.SIGKILL)
    stage.wait(8, "alone")
    controller = stage.regulate(mark="taken over")
    stage.wait(15, "done")
    return stage.finish(controller)


def play_greatest(stage: Stage) -> Played:
    """A device without a dead man's switch is no danger where its fallback is the most it may offer."""
    stage.lay_out(64, 1, dict.fromkeys(("e1", "e2"), "fallback_a = 32"))
    stage.emulate("modbus", "e1,e2", (comes(1, 0), comes(1, 1)), "map=evse-din")
    stage.connect()
    controller = stage.regulate()
    stage.wait(20, "done")
    return stage.finish(controller)


def play_rapi(stage: Stage) -> Played:
    """Three OpenEVSEs, of which one hears noise and one restarts; then nobody leads them for a while."""
    names = ("a", "b", "c")
    stage.lay_out(40, 1, dict.fromkeys(names, "fallback_a = 6"))
    deeds = (comes(1, 0), comes(1, 1), comes(1, 2), fails(2, 0, "noise"), fails(22, 1, "restart"))
    stage.emulate("rapi", "a,b,c", deeds)
    stage.connect("&watchdog_s=5")
    controller = stage.regulate()
    stage.until(21.5, "before the restart")
    stage.wait(22, "killed")
    controller.ends(signal.SIGKILL)
    stage.wait(8, "alone")
    controller = stage.regulate(mark="begun again")
    stage.wait(20, "done")
    return stage.finish(controller)


@after(play_families)
def test_six_devices_of_five_register_maps_share_a_feeder_and_the_limit_holds(play: Played) -> None:
    play.assert_nothing_broke()
    assert all(play.charged(name) for name in FAMILIES), play.verdict
    shares_ma = [play.offered_ma(name, "killed") for name in FAMILIES]
    play.figures["shares"] = shares_ma
    assert all(share_ma >= 6_000 for share_ma in shares_ma), shares_ma
    assert 54_000 <= sum(shares_ma) <= 60_000, "what is left over is less than a step each"


@after(play_families)
def test_a_vehicle_that_comes_makes_others_give_way_before_it_is_offered_anything(play: Played) -> None:
    plugged = play.when("h2", "plugged in")
    before_ma = play.offered_ma("h1", plugged)
    lowered_s = round(play.reaches_s("h1", before_ma.__gt__, plugged), 1)
    raised_s = round(play.reaches_s("h2", (0).__lt__, plugged), 1)
    play.figures["others lowered, h2 raised after"] = lowered_s, raised_s
    assert lowered_s < raised_s < 26


@after(play_families)
def test_a_silent_station_is_named_and_falls_back_and_returns_without_a_restart(play: Played) -> None:
    silent, heard = play.when("we", "failure silence"), play.when("we", "failure none")
    assert play.offered_ma("we", silent) > 6_000, play.told("we")
    play.figures["the silent one falls after"] = fell_s = round(play.reaches_s("we", (6_000).__ge__, silent), 1)
    assert fell_s < 14, "it hears what it does not answer, and that feeds its watchdog for as long as somebody asks"
    assert play.reaches_s("we", (6_000).__lt__, heard) < 30
    words = play.controllers[0]
    assert words.said_s(" we: .*answer", play.marks[silent]) is not None, words.words
    assert words.said_s(" we: answers again", play.marks[heard]) is not None, words.words


@after(play_families)
def test_each_watchdog_acts_within_its_time_when_the_controller_is_killed(play: Played) -> None:
    fell_s = {}
    for name in ("h1", "h2", "ke", "ab", "we"):
        fallback_ma = 1_000 * FAMILIES[name]
        fell_s[name] = round(play.reaches_s(name, fallback_ma.__ge__, "killed"), 1)
    play.figures["fell back after"] = fell_s
    assert max(fell_s.values()) <= WATCHDOG_S + LATE_S, fell_s
    assert play.offered_ma("al", "alone") == play.offered_ma("al", "killed"), "its order holds for 60 s"
    for name in FAMILIES:
        assert play.charged(name, "begun again"), play.told(name)


@after(play_alfen)
def test_a_station_falls_to_its_safe_current_when_the_validity_of_its_order_is_over(play: Played) -> None:
    play.assert_nothing_broke()
    assert play.offered_ma("al", "killed") == 32_000
    fell_s = play.reaches_s("al", (6_000).__eq__, "killed")
    play.figures["6 A after"] = round(fell_s, 1)
    assert 30 <= fell_s <= 60 + LATE_S


@after(play_bare)
def test_a_device_that_nothing_stops_is_refused_and_the_remedies_are_named(play: Played) -> None:
    assert play.figures["refused with"] == 2
    refused = play.figures["refused because"]
    assert isinstance(refused, list)
    for name in ("e1", "e2", "se", "go"):
        said = [words for words in refused if f'connector "{name}"' in words]
        assert len(said) == 1, refused
        assert "fallback_a: left alone, its device offers up to 32 A, above its fallback of 6 A" in said[0]
        assert "fail_safe = false" in said[0]


@after(play_bare)
def test_accepted_it_shares_and_keeps_its_order_until_another_controller_takes_over(play: Played) -> None:
    play.assert_nothing_broke()
    assert play.reaches_s("go", (0).__lt__, play.when("go", "plugged in")) < 20
    shares_ma = {name: play.offered_ma(name, "killed") for name in ("e1", "e2", "se", "go")}
    play.figures["shares"] = shares_ma
    assert all(play.charged(name) for name in shares_ma)
    assert {name: play.offered_ma(name, "alone") for name in shares_ma} == shares_ma
    assert all(play.offered_ma(name, "done") >= 6_000 for name in shares_ma), play.told("e1")
    assert {play.offered_ma(name, "left") for name in shares_ma} == {6_000}


@after(play_greatest)
def test_with_its_greatest_offer_as_its_fallback_it_needs_no_acceptance(play: Played) -> None:
    play.assert_nothing_broke()
    assert [play.offered_ma(name, "done") for name in ("e1", "e2")] == [32_000, 32_000]
    assert play.figures["run ended with"] == 130


@after(play_rapi)
def test_units_over_rapi_share_through_noise_and_a_restart(play: Played) -> None:
    play.assert_nothing_broke()
    assert [play.offered_ma(name, "before the restart") for name in "abc"].count(0) == 0, play.told("b")
    assert play.reaches_s("b", (0).__eq__, "before the restart") < 2
    shares_ma = [play.offered_ma(name, "killed") for name in "abc"]
    assert sorted(shares_ma) == [13_000, 13_000, 14_000], play.told("b")


@after(play_rapi)
def test_left_alone_they_fall_to_their_fallback_and_are_raised_by_the_next_controller(play: Played) -> None:
    for name in "abc":
        fell_s = play.reaches_s(name, (6_000).__eq__, "killed")
        assert fell_s <= 5 + LATE_S, play.told(name)
        assert play.reaches_s(name, (6_000).__lt__, "begun again") < 20
