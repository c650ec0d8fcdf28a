"""The whole driver on emulated devices in virtual time: shares move, nothing is ever above a limit, things recover."""

import asyncio

import attrs
import pytest

from powershare.adapter import Adapter
from powershare.demand import ExternalLimit
from powershare.driver import Driver, rehearsed
from powershare.errors import TopologyError
from powershare.node import Limited
from powershare.registry import create_meter
from powershare.site import Circuit, Connector, Meter, Site, Supply
from powershare.testing import VirtualClock
from powershare_emulated import EmulatedAdapter

from .driving import Garage

CLASSES = ["?deadman=lease", "?deadman=watchdog&watchdog_s=10", "?deadman=watchdog&watchdog_s=60"]
NONE = "?deadman=none"
MIXED = ("?deadman=lease", "?deadman=watchdog&watchdog_s=10", NONE)


def settled(garage: Garage, *offers_ma: int) -> bool:
    return garage.offers_ma() == list(offers_ma)


@pytest.mark.parametrize("rest", [*CLASSES, NONE])
def test_cars_come_and_go_and_their_shares_move(rest: str) -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 32_000, 0), 60)
        garage["b"].plug_in("second")
        await garage.until(lambda: settled(garage, 16_000, 16_000), 40)
        garage["a"].unplug()
        await garage.until(lambda: settled(garage, 0, 32_000), 40)
        garage["b"].unplug()
        garage["a"].plug_in("third")
        await garage.until(lambda: settled(garage, 32_000, 0), 40)

    fail_safe = "none" not in rest
    Garage(rest, f"{rest}&plugged=no", fail_safe=fail_safe).play(story)


@pytest.mark.parametrize("rest", CLASSES)
def test_one_that_falls_silent_is_counted_and_comes_back_without_a_restart(rest: str) -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 16_000, 16_000), 120)
        garage["a"].line_cut = True
        alone_ma = 6_000 if rest == CLASSES[0] else 0
        await garage.until(lambda: settled(garage, alone_ma, garage.limit_ma - alone_ma), 200)
        garage["a"].line_cut = False
        await garage.until(lambda: settled(garage, 16_000, 16_000), 150)
        assert [words for words in garage.said if words.startswith("a: ")][-1] == "a: answers again"

    Garage(rest, rest).play(story)


def test_one_without_a_dead_man_that_falls_silent_counts_with_all_that_it_can_do() -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 20_000, 20_000), 120)
        garage["a"].line_cut = True
        await garage.until(lambda: garage["b"].offered_ma <= 8_000, 60)
        garage["a"].line_cut = False
        await garage.until(lambda: settled(garage, 20_000, 20_000), 120)

    Garage(NONE, "?deadman=lease", limit_ma=40_000, fail_safe=False).play(story)


@pytest.mark.parametrize("rest", [*CLASSES, NONE])
def test_one_that_restarts_again_and_again_never_brings_the_circuit_above_its_limit(rest: str) -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(400)
        await garage.until(lambda: sum(garage.offers_ma()) > 16_000, 60)

    fallback = "" if rest == NONE else "&fallback_a=0"
    garage = Garage(f"{rest}{fallback}&restarts_every_s=45", rest, limit_ma=40_000, fail_safe=rest != NONE)
    if rest == NONE:
        garage.limit_ma += 32_000  # what it does after a restart is answered for by whoever trusts it
    garage.play(story)


def test_one_that_ignores_orders_and_says_that_it_does_not_is_found_by_what_it_draws() -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(200)
        assert 20_000 <= garage["b"].offered_ma <= 24_000
        assert garage["a"].outlet.drawn_ma == 8_000

    Garage("?ignores_orders=yes&fallback_a=8", "?", fallback_ma=8_000).play(story)


def test_one_that_refuses_every_raise_does_not_keep_the_others_from_theirs_and_is_said_once() -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(300)
        assert garage["b"].offered_ma >= 16_000
        assert len([words for words in garage.said if "refuses every raise" in words]) == 1
        assert "a: answers again" not in garage.said

    Garage("?refuses=yes", "?").play(story)


def test_one_whose_orders_land_after_its_caller_gave_up_never_brings_the_circuit_above_its_limit() -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(300)
        assert garage.driver.handlers["a"].errors["AdapterTimeout"] > 10
        assert not garage["b"].offered_ma, "a is never known to have left what a former process may have ordered"

    Garage("?write_ms=1500", "?").play(story)


def test_one_that_cannot_be_set_yet_counts_with_what_it_does_when_it_is_left_alone() -> None:
    """It is not reached at the start, and nobody has set its fallback yet."""

    async def story(garage: Garage) -> None:
        await asyncio.sleep(120)
        assert garage["a"].offered_ma == 16_000
        assert garage["b"].offered_ma == 24_000
        garage["a"].line_cut = False
        await garage.until(lambda: settled(garage, 20_000, 20_000), 120)

    garage = Garage("?deadman=watchdog&fallback_a=16", "?", limit_ma=40_000)
    garage["a"].line_cut = True
    garage.play(story)


def test_a_slow_vehicle_is_not_cut_off_again_and_again_because_its_neighbour_comes_and_goes() -> None:
    """Three times, and it would be out of order until it is unplugged: what was seen on its way up proves nothing."""

    async def story(garage: Garage) -> None:
        for _ in range(8):
            garage["a"].unplug()
            await asyncio.sleep(30)
            garage["a"].plug_in("another")
            await asyncio.sleep(30)
            assert garage["b"].outlet.closed
        await garage.until(lambda: settled(garage, 16_000, 16_000), 60)

    Garage("?", "?").play(story)


@pytest.mark.parametrize("rest", CLASSES)
def test_what_a_former_process_cut_off_is_let_go_and_what_restarts_is_cut_off_again(rest: str) -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: garage["a"].outlet.drawn_ma == 32_000, 120)
        garage["a"].settings = attrs.evolve(garage["a"].settings, ignores_pilot=True)
        garage["a"].plug_in("one that does not follow")
        await garage.until(lambda: garage["a"].outlet.drawn_ma == 32_000, 120)
        until_ms = garage.clock.now_ms() + 600_000
        garage.driver.limit(Limited(ExternalLimit(limit_ma=0, source="utility", connector="a"), until_ms))
        await garage.until(lambda: not garage["a"].outlet.closed, 30)
        await asyncio.sleep(60)
        garage["a"].restart()
        await asyncio.sleep(20)
        assert not garage["a"].outlet.closed

    garage = Garage(rest, fallback_ma=0)
    garage["a"].hold_open(True)
    garage.play(story)


# Surroundings


def test_a_meter_that_falls_silent_leaves_the_worst_case() -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 15_000, 15_000), 60)
        await garage.until(lambda: settled(garage, 8_000, 8_000), 60)
        await garage.until(lambda: settled(garage, 15_000, 15_000), 120)
        assert len([words for words in garage.said if "worst case" in words]) == 1

    meter = "?amps=2&silent_after_s=60&silent_for_s=60"
    garage = Garage("?", "?", meter=meter, other_load_worst_ma=16_000)
    garage.play(story)


def test_a_limit_from_outside_holds_until_it_ends_by_itself() -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 16_000, 16_000), 60)
        until_ms = garage.clock.now_ms() + 60_000
        garage.driver.limit(Limited(ExternalLimit(limit_ma=14_000, source="utility", circuit="feeder"), until_ms))
        await garage.until(lambda: sum(garage.offers_ma()) <= 14_000, 20)
        garage.limit_ma, whole_ma = 14_000, garage.limit_ma
        await asyncio.sleep((until_ms - garage.clock.now_ms() - 500) / 1000)
        garage.limit_ma = whole_ma
        await garage.until(lambda: settled(garage, 16_000, 16_000), 60)

    Garage(*CLASSES[:2]).play(story)


@pytest.mark.parametrize("rest", [*CLASSES, NONE])
@pytest.mark.parametrize("seconds", [1, 4, 8, 12, 30])
def test_a_process_that_stood_still_sends_nothing_stale(rest: str, seconds: int) -> None:
    """As SIGSTOP does: at every phase of a cycle, while shares are about to move.

    The vehicles follow within their time (A2): who would open their contactors stands still, too.
    """

    async def story(garage: Garage) -> None:
        fair = (garage.limit_ma // 2, garage.limit_ma // 2)
        for phase in range(4):
            await garage.until(lambda: settled(garage, *fair), 400)
            garage.judging = True
            garage["a"].unplug()
            await asyncio.sleep(10)
            garage["a"].plug_in("again")
            await asyncio.sleep(phase * 0.7)
            garage.stand_still(seconds)
        await garage.until(lambda: settled(garage, *fair), 400)

    rest, limit_ma = f"{rest}&reaction_s=1", 40_000 if rest == NONE else 32_000
    garage = Garage(rest, rest, fail_safe=limit_ma == 32_000, limit_ma=limit_ma)
    garage.judging = False  # one without a dead man may begin at anything
    garage.play(story)


def test_a_dry_run_tells_no_device_anything_and_is_admitted_like_the_run_itself() -> None:
    """A device that could be set to its fallback is not refused for what it does before it is."""
    told: list[str] = []
    clock = VirtualClock()

    def wrap(name: str, adapter: Adapter) -> Adapter:
        return rehearsed(adapter, clock, lambda words: told.append(f"{name}: {words}"))

    garage = Garage("?deadman=watchdog&fallback_a=16", "?fallback_a=6", limit_ma=40_000, wrap=wrap, clock=clock)

    async def story(garage: Garage) -> None:
        garage["b"].restart()
        await asyncio.sleep(100)
        assert garage.offers_ma() == [16_000, 6_000]
        assert [device.fallback_writes for device in garage.devices.values()] == [0, 0]
        assert all(handler.reached for handler in garage.driver.handlers.values())

    garage.play(story, left_ma=[16_000, 6_000])
    assert "a: would be told to offer 6 A when it is left alone" in told
    assert {"a: would be told 0 A", "a: would be told 20 A", "b: would be told 20 A"} <= set(told)


# The end


@pytest.mark.parametrize("rest", [*CLASSES, NONE])
def test_stopped_in_order_it_leaves_every_device_at_its_fallback(rest: str) -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: sorted(garage.offers_ma()) == [0, 32_000], 60)

    left_ma = [0, 0] if "watchdog" in rest else [6_000, 6_000]
    garage = Garage(rest, f"{rest}&plugged=no", fail_safe=rest != NONE)

    async def plugs_in(garage: Garage) -> None:
        await story(garage)
        garage["b"].plug_in("at the last moment")

    garage.play(plugs_in, left_ma=left_ma)


@pytest.mark.parametrize("rest", ["?deadman=lease", NONE])
def test_stopped_right_after_a_lowering_it_raises_nobody_before_vehicles_have_followed(rest: str) -> None:
    """What was lowered a moment ago is at its fallback, and its vehicle may still draw what it was offered before."""
    garage = Garage(f"{rest}&reaction_s=5", f"{rest}&plugged=no", limit_ma=12_000, fail_safe=rest != NONE)
    garage.judging = False  # until regulation has begun: without a dead man a device starts at its greatest offer

    async def story(garage: Garage) -> None:
        await garage.until(lambda: garage["a"].outlet.drawn_ma == garage["a"].offered_ma == 12_000, 120)
        garage.judging = True
        garage["b"].plug_in("takes its half")
        await garage.until(lambda: garage["a"].offered_ma == 6_000, 20)

    garage.play(story, left_ma=[6_000, 6_000])


def test_stopped_while_one_is_not_reached_it_does_not_raise_the_others_to_their_fallbacks() -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage, 16_000, 16_000), 60)
        garage["a"].line_cut = True
        await asyncio.sleep(0.5)

    garage = Garage(*CLASSES[:2])
    garage.play(story)
    assert garage.offers_ma() == [6_000, 0], "each does what its own dead man says"
    assert any("could not be told its fallback" in words for words in garage.said)


@pytest.mark.parametrize("rests", [(rest, rest) for rest in CLASSES])
def test_stopped_a_second_time_it_lets_go_at_once_and_leaves_no_task(rests: tuple[str, ...]) -> None:
    garage = Garage(*rests)

    async def whole() -> None:
        await garage.driver.prepare()
        stopping = asyncio.Event()
        regulating = asyncio.ensure_future(garage.driver.run(stopping))
        await asyncio.sleep(60)
        stopping.set()
        await asyncio.sleep(0.2)
        start_s = garage.clock.now_s
        regulating.cancel()
        await asyncio.gather(regulating, return_exceptions=True)
        assert garage.clock.now_s - start_s < 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    garage.go(whole())


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.3, 5.0, 60.0])
def test_cancelled_at_any_moment_it_leaves_no_task(after_s: float) -> None:
    garage = Garage(*MIXED, fail_safe=False, meter="?amps=2")

    async def whole() -> None:
        await garage.driver.prepare()
        regulating = asyncio.ensure_future(garage.driver.run(asyncio.Event()))
        await asyncio.sleep(after_s)
        regulating.cancel()
        await asyncio.gather(regulating, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    garage.go(whole())


def test_cancelled_while_it_prepares_it_lets_go_of_every_device() -> None:
    garage = Garage("?", "?")

    async def whole() -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        adapters = [handler.adapter for handler in garage.driver.handlers.values()]
        adapters[1].open = hang  # type: ignore[method-assign] # one that never opens
        preparing = asyncio.ensure_future(garage.driver.prepare())
        await asyncio.sleep(1)
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        assert not adapters[0]._open  # type: ignore[attr-defined] # nobody else can tell
        assert asyncio.all_tasks() == {asyncio.current_task()}

    garage.go(whole())


def test_more_meters_than_the_nodes_can_pass_on_are_refused_before_anything_is_dialled() -> None:
    circuits = tuple(Circuit(id=f"c{number}", limit_ma=32_000) for number in range(13))
    site = Site(
        supply=Supply.SINGLE_PHASE,
        circuits=circuits,
        connectors=(Connector(id="a", circuit="c0"),),
        meters=tuple(Meter(circuit=circuit.id, adapter="emulated:?amps=1") for circuit in circuits),
    )
    clock = VirtualClock()
    meters = {meter.circuit: create_meter(meter.adapter, clock=clock) for meter in site.meters}

    def driver(site: Site) -> Driver:
        return Driver(site, {"a": EmulatedAdapter(clock=clock)}, meters=meters, clock=clock, boot=lambda: 1)

    with pytest.raises(TopologyError, match="meter: stands 13 times; the nodes here can pass on the readings of 12"):
        driver(site)
    assert len(driver(attrs.evolve(site, meters=site.meters[:12])).meters) == 12
