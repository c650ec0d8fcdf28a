"""Hosts that agree: drivers with one connector each, real nodes and envelopes between them, in virtual time."""

import asyncio
from functools import partial
from typing import Any

import pytest

from powershare.adapter import Deadman
from powershare.driver import Driver, Part, shared_timing
from powershare.errors import TopologyError
from powershare.timing import Timing

from .hosts import NAMES, Host, Town, Weather
from .lease_device import DECLARED, LeaseAdapter


def plug(town: Town, *names: str) -> None:
    for name in names:
        town.devices[name].plug_in(identity=name)


def unplug(town: Town, *names: str) -> None:
    for name in names:
        town.devices[name].unplug()


def all_at(town: Town, **amps: int) -> bool:
    return all(town.devices[name].offered_ma == figure * 1_000 for name, figure in amps.items())


@pytest.mark.parametrize("hosts", [None, [["a", "b"], ["c", "d", "e"], ["f"]], [list(NAMES)]])
def test_one_car_alone_gets_what_the_others_do_not_use(hosts: list[list[str]] | None) -> None:
    """Whoever lives where: the idle are kept below their fallback for it."""

    async def story(town: Town) -> None:
        plug(town, "c")
        await town.until(lambda: all_at(town, c=32), 90)
        plug(town, "e")
        await town.until(lambda: all_at(town, c=18, e=18), 90)
        unplug(town, "c")
        await town.until(lambda: all_at(town, e=32), 90)

    Town(hosts).play(story)


def test_a_host_that_is_ended_in_order_takes_nothing_from_who_leans_on_it() -> None:
    """Its device stays as low as it was promised to stay, and rises to its fallback only when nobody counts on that."""

    async def story(town: Town) -> None:
        plug(town, "c")
        await town.until(lambda: all_at(town, c=32), 90)
        plug(town, "d")  # at once stopped: its device is capped at 0, and somebody waits there
        await town.stop(town.host_of("d"))
        await asyncio.sleep(60)
        assert town.devices["c"].offered_ma >= 6_000

    Town().play(story)


def test_the_leader_that_is_ended_in_order_hands_over() -> None:
    async def story(town: Town) -> None:
        await town.until(lambda: town.leaders() == {"a"}, 30)
        await asyncio.sleep(30)
        ended_s = town.clock.now_s
        await town.stop(town.host_of("a"))
        await town.until(town.leaders, 20)
        assert town.clock.now_s - ended_s < 5

    Town().play(story)


@pytest.mark.parametrize("victim", ["a", "b", "c"])
def test_a_host_that_dies_costs_amps_and_breaks_nothing(victim: str) -> None:
    """The leader, somebody idle, somebody who charges: the others go on, and it comes back."""

    async def story(town: Town) -> None:
        plug(town, "c", "d")
        await town.until(lambda: all_at(town, c=18, d=18), 90)
        await town.kill(town.host_of(victim))
        await asyncio.sleep(20)
        await town.until(lambda: len(town.leaders()) == 1, 30)
        await asyncio.sleep(60)
        assert town.devices["d"].offered_ma >= 15_000, "only the fallback of the dead is kept for it"
        await town.start(town.host_of(victim))
        await town.until(lambda: all_at(town, c=18, d=18), 120)

    Town().play(story)


def test_all_hosts_start_again_at_once() -> None:
    async def story(town: Town) -> None:
        plug(town, *NAMES[:3])
        await town.until(lambda: all_at(town, a=12, b=12, c=12), 90)
        await asyncio.gather(*map(town.kill, town.hosts))
        await asyncio.sleep(1)
        await asyncio.gather(*map(town.start, town.hosts))
        await town.until(lambda: all_at(town, a=12, b=12, c=12), 120)

    Town().play(story)


@pytest.mark.parametrize("side", ["abc", "a", "bcdef"])
def test_a_network_in_two_halves_keeps_every_limit(side: str) -> None:
    """The half with more than half of the weight goes on; the other one falls back; then they are one again."""

    async def story(town: Town) -> None:
        plug(town, "a", "f")
        await town.until(lambda: all_at(town, a=18, f=18), 90)
        town.weather.cut = lambda sender, receiver: (sender in side) != (receiver in side)
        await asyncio.sleep(120)
        winner = side if "a" in side and len(side) >= 3 else "".join(set(NAMES) - set(side))
        if len(winner) + ("a" in winner) > 3:
            assert len(town.leaders()) == 1
            assert town.leaders() <= set(winner)
        town.weather = Weather()
        await town.until(lambda: all_at(town, a=18, f=18), 120)

    Town().play(story)


def _one_way(deaf: bool, sender: str, receiver: str) -> bool:
    return (receiver if deaf else sender) == "a"


def test_who_hears_nobody_but_is_heard_keeps_every_limit() -> None:
    """One way only, and then the other way only."""

    async def story(town: Town) -> None:
        plug(town, "a", "f")
        await town.until(lambda: all_at(town, a=18, f=18), 90)
        for deaf in (True, False):
            town.weather.cut = partial(_one_way, deaf)
            await asyncio.sleep(60)
        town.weather = Weather()
        await town.until(lambda: all_at(town, a=18, f=18), 120)

    Town().play(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_of_loss_delay_and_deaths_breaks_nothing(seed: int) -> None:
    """A quarter of the datagrams lost, a tenth twice, some seconds late; hosts die, cars come and go."""

    async def story(town: Town) -> None:
        town.weather = Weather(loss=0.25, twice=0.1, delay_s=(0.001, 1.5))
        dice = town.random
        for _ in range(60):
            name = dice.choice(NAMES)
            device, host = town.devices[name], town.host_of(name)
            deed = dice.choice(["car", "car", "die", "late"])
            if deed == "car":
                device.unplug() if device.outlet.plugged else device.plug_in(identity=name)
            elif deed == "late":
                town.weather.delay_s = (0.001, dice.choice([0.02, 0.5, 3.0, 12.0]))
            elif host.driver is None:
                await town.start(host)
            else:
                await town.kill(host)
            await asyncio.sleep(dice.uniform(1, 25))
        for host in town.hosts:
            if host.driver is None:
                await town.start(host)
        town.weather = Weather()
        unplug(town, *NAMES)
        await asyncio.sleep(5)  # a car that comes back before anybody looked is the same car
        plug(town, "c", "d")
        await town.until(lambda: all_at(town, c=18, d=18), 180)

    Town(seed=seed).play(story)


def test_a_second_process_of_a_member_on_another_host_is_said_and_counted_with_the_most() -> None:
    """Where no lock can refuse it (A8), who leads hears two processes, and gives that connector's worst to nobody."""

    async def story(town: Town) -> None:
        plug(town, "a", "c")
        await town.until(lambda: all_at(town, a=18, c=18), 90)
        twin = Host("c")
        town.hosts.append(twin)
        await town.start(twin)
        await town.until(lambda: "c: two processes speak for it" in town.said, 60)
        await asyncio.sleep(30)
        assert town.devices["a"].offered_ma <= 6_000
        await town.kill(twin)
        town.hosts.remove(twin)
        await town.until(lambda: all_at(town, a=18, c=18), 180)

    Town().play(story)


def test_a_host_that_holds_something_else_is_ignored_and_named() -> None:
    """Both sides say so, since nobody else could find out why they do not agree."""

    async def story(town: Town) -> None:
        await town.kill(town.host_of("b"))
        plug(town, "b")
        await town.start(town.host_of("b"), "priority")
        await asyncio.sleep(30)
        ignored = {line.partition(":")[0] for line in town.said if "is ignored: its host has another site" in line}
        assert ignored == {"a", "b"}
        assert town.leaders() == {"a"}
        await asyncio.sleep(40)
        assert town.devices["b"].offered_ma == 6_000

    Town().play(story)


def test_a_witness_votes_without_a_device() -> None:
    """Of three hosts and a witness two may be gone, and the rest is still more than half."""

    async def story(town: Town) -> None:
        plug(town, "c")
        await town.until(lambda: all_at(town, c=32), 90)
        await asyncio.gather(*(town.kill(town.host_of(name)) for name in "def"))
        await asyncio.sleep(90)
        assert len(town.leaders()) == 1
        assert town.devices["c"].offered_ma == 18_000, "what the dead may do alone is kept for them"

    Town([[name] for name in NAMES] + [["witness"]], witness=True).play(story)


def _driver(town: Town, timing: Timing | None = None, **declared: object) -> Driver:
    return Driver(
        town.site,
        {"a": LeaseAdapter(town.devices["a"], town.clock, **declared)},
        clock=town.clock,
        boot=lambda: 1,
        part=Part(members=("a",), timing=timing or shared_timing(town.site, watchdog_ms=None)[0], elsewhere=print),
    )


def test_a_device_that_can_do_less_than_the_site_says_is_refused() -> None:
    """Other hosts cannot ask it, so their sites would be others; every difference is named with what to write."""
    with pytest.raises(TopologyError) as refused:
        _driver(Town(fallback_ma=0), least_offer_ma=8_000, greatest_offer_ma=16_000, step_ma=2_000)
    assert str(refused.value).splitlines() == [
        f'connector "a": {field}: is {said}, and its device can do no better than {found} A; other hosts cannot know '
        f"that: write {field} = {found} in the site file of every host"
        for field, said, found in (("min_offer_a", "6 A", 8), ("max_offer_a", "32 A", 16), ("step_a", "1 A", 2))
    ]


@pytest.mark.parametrize("watchdog_s", [10, 30])
def test_a_device_that_needs_longer_times_is_refused_until_all_hosts_have_them(watchdog_s: int) -> None:
    town = Town(fallback_ma=0)
    fed: dict[str, Any] = {"deadman": Deadman.WATCHDOG, "watchdog_ms": watchdog_s * 1_000}

    async def prepare(driver: Driver) -> None:
        await driver.prepare()
        await driver.close()

    with asyncio.Runner(loop_factory=town.clock.new_event_loop) as runner:
        with pytest.raises(TopologyError, match=f"--longest-watchdog {watchdog_s} --longest-write 0.5"):
            runner.run(prepare(_driver(town, **fed)))
        longer, words = shared_timing(town.site, watchdog_ms=watchdog_s * 1_000, write_ms=500)
        runner.run(prepare(_driver(town, longer, **fed)))
    assert ("UL 1741" in words) == (watchdog_s > 10)
    assert longer.raise_lease_ms > watchdog_s * 1_000


def test_a_device_that_lowers_sooner_than_it_settles_asks_for_no_more_than_lowering_takes() -> None:
    town = Town(fallback_ma=0)
    declared: dict[str, Any] = {"settle_ms": 6_500, "lowers_ms": 1_200, "longest_write_ms": 1_500}

    async def prepare(driver: Driver) -> None:
        await driver.prepare()
        await driver.close()

    with asyncio.Runner(loop_factory=town.clock.new_event_loop) as runner:
        with pytest.raises(TopologyError, match=r"orders 1\.5 s.*--longest-write 1\.5,"):
            runner.run(prepare(_driver(town, **declared)))
        longer, _ = shared_timing(town.site, watchdog_ms=None, write_ms=1_500)
        runner.run(prepare(_driver(town, longer, **declared)))


def test_the_times_of_a_network_do_not_depend_on_who_lives_where() -> None:
    """They are part of what members must hold alike: only figures that all hosts are given go into them."""
    town = Town()
    assert shared_timing(town.site, watchdog_ms=None) == shared_timing(Town(fallback_ma=0).site, watchdog_ms=None)
    assert shared_timing(town.site, watchdog_ms=None)[0].raise_lease_ms == Timing().raise_lease_ms
    assert DECLARED.deadman is Deadman.LEASE


@pytest.mark.parametrize("hosts", [None, [["a", "b"], ["c", "d", "e"], ["f"]], [list(NAMES)]])
def test_only_who_leads_tells_what_is_offered_on_a_circuit(hosts: list[list[str]] | None) -> None:
    """With what those elsewhere may be offering; a host that does not lead has no figure, rather than a part of one."""

    async def story(town: Town) -> None:
        plug(town, "c", "e")
        await town.until(lambda: all_at(town, c=18, e=18), 90)
        for host in town.hosts:
            assert host.driver is not None
            snapshot = host.driver.snapshot()
            assert [view.connector for view in snapshot.connectors] == list(host.members)
            offered = [view.offered_ma for view in snapshot.circuits]
            assert offered == ([(36_000,)] if town.leaders() & set(host.members) else [])

    Town(hosts).play(story)
