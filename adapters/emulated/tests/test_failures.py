"""The device fails as its settings say, and a bad setting is refused with every problem at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from powershare.adapter import Offer
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable, FormatError
from powershare.testing import VirtualClock
from powershare_emulated import EmulatedAdapter, listen, settings_of


def run(rest: str, talk: Callable[[EmulatedAdapter, VirtualClock], Awaitable[None]]) -> None:
    """Talk to an open adapter in virtual time."""
    clock = VirtualClock()

    async def whole() -> None:
        adapter = EmulatedAdapter(rest, clock=clock)
        await adapter.open()
        await talk(adapter, clock)

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())


def order(offered_ma: int, clock: VirtualClock) -> Offer:
    return Offer(offered_ma=offered_ma, valid_until_ms=clock.now_ms() + 36_000_000, then_ma=0)


def test_the_vehicle_follows_its_pilot_and_stops_when_full() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        assert (await adapter.read()).state == "B"
        await adapter.offer(order(16_000, clock))
        await asyncio.sleep(60)
        reading = await adapter.read()
        assert (reading.state, reading.drawn_ma) == ("C", (16_000, 16_000, 0))
        await asyncio.sleep(2 * 3600)
        await adapter.offer(order(16_000, clock))
        reading = await adapter.read()
        assert (reading.state, reading.drawn_ma) == ("B", (0, 0, 0))

    run("?lines=3&vehicle_lines=2&energy_kwh=1", talk)


def test_it_falls_silent_and_comes_back() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(16_000, clock))
        await asyncio.sleep(10)
        with pytest.raises(AdapterTimeout):
            await adapter.read()
        with pytest.raises(AdapterTimeout):
            await adapter.offer(order(32_000, clock))
        with pytest.raises(AdapterUnavailable):
            await adapter.open()
        await asyncio.sleep(20)
        assert (await adapter.read()).offered_ma == 16_000

    run("?silent_after_s=10&silent_for_s=20", talk)


def test_a_slow_write_lands_after_the_caller_gave_up() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        with pytest.raises(AdapterTimeout):
            await adapter.offer(order(16_000, clock))
        assert adapter.device.offered_ma == 0
        await asyncio.sleep(2)
        assert adapter.device.offered_ma == 16_000

    run("?write_ms=2000", talk)


def test_an_order_that_lands_after_its_end_is_not_applied() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        late = Offer(offered_ma=16_000, valid_until_ms=clock.now_ms() + 1_000, then_ma=6_000)
        with pytest.raises(AdapterTimeout):
            await adapter.offer(late)
        await asyncio.sleep(2)
        assert adapter.device.offered_ma == 6_000

    run("?write_ms=2000", talk)


def test_it_refuses_raises_and_takes_less() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        with pytest.raises(AdapterRejected):
            await adapter.offer(order(16_000, clock))
        assert (await adapter.offer(order(6_000, clock))).offered_ma == 6_000

    run("?refuses=yes&fallback_a=8", talk)


def test_it_accepts_and_ignores() -> None:
    """The answer and the report say one thing, the pilot another."""

    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        assert (await adapter.offer(order(16_000, clock))).offered_ma == 16_000
        assert (await adapter.read()).offered_ma == 16_000
        assert adapter.device.offered_ma == 8_000

    run("?ignores_orders=yes&fallback_a=8", talk)


def test_it_reports_less_than_it_offers() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(16_000, clock))
        assert ((await adapter.read()).offered_ma, adapter.device.offered_ma) == (12_000, 16_000)

    run("?reports_wrong_a=4", talk)


def test_it_restarts_at_its_fallback() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(16_000, clock))
        await asyncio.sleep(29)
        assert (await adapter.read()).offered_ma == 16_000
        await asyncio.sleep(1)
        assert (await adapter.read()).offered_ma == 8_000

    run("?restarts_every_s=30&fallback_a=8", talk)


def test_the_vehicle_ignores_its_pilot_until_the_contactor_opens() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(6_000, clock))
        await asyncio.sleep(60)
        assert (await adapter.read()).drawn_ma == (32_000,)
        await adapter.open_contactor()
        assert (await adapter.read()).drawn_ma == (0,)
        await adapter.release_contactor()
        await asyncio.sleep(60)
        assert (await adapter.read()).drawn_ma == (32_000,)

    run("?ignores_pilot=yes", talk)


def test_without_a_vehicle_the_pilot_says_nothing() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(16_000, clock))
        reading = await adapter.read()
        assert (reading.state, reading.offered_ma, reading.vehicle) == ("A", 0, None)
        adapter.device.plug_in("WVWZZZ1KZAW000001")
        reading = await adapter.read()
        assert (reading.offered_ma, reading.vehicle) == (16_000, "WVWZZZ1KZAW000001")
        adapter.device.unplug()
        assert (await adapter.read()).state == "A"

    run("?plugged=no", talk)


def test_a_fallback_that_was_set_outlives_a_restart_and_is_written_once() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        assert await adapter.set_fallback(6_900) == 6_000
        assert await adapter.set_fallback(6_000) == 6_000
        assert adapter.device.fallback_writes == 1
        await adapter.offer(order(16_000, clock))
        adapter.device.restart()
        assert (await adapter.read()).offered_ma == 6_000

    run("?fallback_a=8", talk)


def test_a_fallback_that_is_set_counts_for_the_watchdog_that_runs_already() -> None:
    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        await adapter.offer(order(16_000, clock))
        assert await adapter.set_fallback(0) == 0
        await asyncio.sleep(10)
        assert (await adapter.read()).offered_ma == 0

    run("?deadman=watchdog&fallback_a=8", talk)


@pytest.mark.parametrize("rest", ["?deadman=none", "?sets_fallback=no&fallback_a=8"])
def test_a_fallback_that_cannot_be_set_is_refused(rest: str) -> None:
    async def talk(adapter: EmulatedAdapter, _: VirtualClock) -> None:
        with pytest.raises(AdapterRejected, match="when it is left alone"):
            await adapter.set_fallback(6_000)

    run(rest, talk)


def test_a_listener_is_told_of_every_change_at_its_instant() -> None:
    told: list[tuple[int, int, str | None]] = []
    stop = listen(lambda device, at_ms, word: told.append((at_ms, device.outlet.offered_ma, word)))

    async def talk(adapter: EmulatedAdapter, clock: VirtualClock) -> None:
        started_ms = clock.now_ms()
        await adapter.offer(Offer(offered_ma=16_000, valid_until_ms=started_ms + 1_000, then_ma=6_000))
        adapter.device.order(Offer(offered_ma=8_000, valid_until_ms=started_ms + 60_000, then_ma=0), after_ms=5_000)
        await asyncio.sleep(50)
        adapter.device.catch_up()
        stop()
        stop()
        adapter.device.unplug()
        assert [entry for entry in told if entry[2] is not None] == [
            (started_ms, 0, "built"),
            (started_ms, 0, "plugged in"),
            (started_ms + 1_000, 6_000, "left alone"),
        ]
        assert (started_ms + 20, 16_000, None) in told
        assert (started_ms + 5_020, 8_000, None) in told
        assert all(at_ms < clock.now_ms() for at_ms, _, _ in told)

    run("", talk)


@pytest.mark.parametrize(
    ("rest", "field", "message"),
    [
        ("six", "", "is not emulated:[?]setting=value"),
        ("?grea_a=3", "grea_a", "did you mean greatest_a[?]"),
        ("?zzzzzz=3", "zzzzzz", "there are lines, step_a"),
        ("?lines=4", "lines", "is '4'; write a whole number from 1 to 3"),
        ("?lines=", "lines", "is ''"),
        ("?lines=1&lines=2", "lines", "is given twice"),
        ("?greatest_a=nan", "greatest_a", "is 'nan'; write 0 to 1000 amps"),
        ("?greatest_a=-3", "greatest_a", "0 to 1000 amps"),
        ("?greatest_a=many", "greatest_a", "is 'many'; write 0 to 1000 amps"),
        ("?silent_after_s=-1", "silent_after_s", "write 0 to 1000000 seconds"),
        ("?energy_kwh=-1", "energy_kwh", "write 0 to 1000000 kilowatt-hours"),
        ("?refuses=true", "refuses", "write yes or no"),
        ("?deadman=maybe", "deadman", "write lease, watchdog, none"),
        ("?vehicle=", "vehicle", "is ''; write something that can be read"),
        ("?lines=1&vehicle_lines=2", "vehicle_lines", "more than the device's 1"),
        ("?restarts_every_s=0", "restarts_every_s", "leave it out"),
        ("?vehicle_max_a=0", "vehicle_max_a", "plugged=no"),
        ("?fallback_a=3", "", "fallback_ma 3000 is neither 0 nor"),
        ("?deadman=none&fallback_a=8", "", "without a dead man's switch"),
        ("?step_a=0", "", "step_ma is 0"),
    ],
)
def test_a_bad_setting_is_refused(rest: str, field: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        settings_of(rest)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_plus_sign_is_one_and_a_question_mark_with_nothing_after_it_sets_nothing() -> None:
    assert settings_of("?vehicle=a+b%2Bc%20d").vehicle == "a+b+c d"
    assert settings_of("?") == settings_of("")


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        settings_of("?lines=9&refuses=maybe&nonsense=1")
    assert [problem.field for problem in caught.value.problems] == ["lines", "refuses", "nonsense"]
