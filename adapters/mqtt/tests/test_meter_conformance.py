"""The meter on a real broker: every sentence of the contract of `powershare.metering`, and what silence is."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from powershare.adapter import HostClock
from powershare.errors import AdapterTimeout, AdapterUnavailable
from powershare.metering import MeterAdapter
from powershare.testing import VirtualClock
from powershare_mqtt import MqttMeter
from powershare_mqtt.pulse import Pulse

from .broker import Mosquitto, free_port, publish

CLOCK = HostClock()


def meter(broker: Mosquitto, rest: str = "home/panel?wait_s=1", **more: object) -> MqttMeter:
    return MqttMeter(f"{rest}&port={broker.port}", clock=CLOCK, **more)  # type: ignore[arg-type] # one more argument, where there is one


async def spoken(broker: Mosquitto, *messages: tuple[str, str | bytes], retain: bool = False) -> None:
    """The meter speaks, once whoever opens it listens."""
    await asyncio.sleep(0.2)
    for topic, payload in messages:
        await publish(broker.port, topic, payload, retain=retain)


async def opened(one: MeterAdapter, speaking: Awaitable[None]) -> None:
    speaks = asyncio.ensure_future(speaking)
    try:
        await one.open()
    finally:
        await speaks


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())


def test_it_is_a_meter(broker: Mosquitto) -> None:
    contract: MeterAdapter = meter(broker)  # checked by the type checker
    assert contract is not None


def test_a_reading_has_the_time_at_which_it_came(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker)
        before_ms = CLOCK.now_ms()
        await opened(one, spoken(broker, ("home/panel", "10.2")))
        reading = await one.read()
        assert reading.load_ma == (10_200,)
        assert before_ms <= reading.at_ms <= CLOCK.now_ms()
        await asyncio.sleep(0.3)
        assert (await one.read()).at_ms == reading.at_ms  # asked again it is as old as it is
        await one.close()

    run(story)


def test_the_same_figure_again_is_a_new_measurement(broker: Mosquitto) -> None:
    """Seen in the field: a reading that did not change was taken for one that is stale."""

    async def story() -> None:
        one = meter(broker)
        await opened(one, spoken(broker, ("home/panel", "10")))
        first = await one.read()
        await spoken(broker, ("home/panel", "10"))
        await asyncio.sleep(0.1)
        assert (await one.read()).at_ms > first.at_ms
        await one.close()

    run(story)


def test_what_the_broker_kept_is_silence_until_a_live_word(broker: Mosquitto) -> None:
    async def story() -> None:
        await publish(broker.port, "home/panel", "3", retain=True)
        one = meter(broker)
        with pytest.raises(AdapterTimeout, match="kept does not count, since its age is not known"):
            await one.open()
        await opened(one, spoken(broker, ("home/panel", "10"), retain=True))  # live, and kept for others
        assert (await one.read()).load_ma == (10_000,)
        await one.close()

    run(story)


def test_kept_rubbish_is_no_word_of_the_meter_either(broker: Mosquitto) -> None:
    async def story() -> None:
        await publish(broker.port, "home/panel", "unavailable", retain=True)
        one = meter(broker)
        with pytest.raises(AdapterTimeout, match="nothing was published on home/panel"):
            await one.open()
        await opened(one, spoken(broker, ("home/panel", "10")))
        assert (await one.read()).load_ma == (10_000,)
        await one.close()

    run(story)


def test_a_time_stamp_makes_the_age_of_what_was_kept_known(broker: Mosquitto) -> None:
    async def story() -> None:
        now_s = time.time()
        await publish(broker.port, "home/panel", f'{{"a": 10, "at": {now_s - 30}}}', retain=True)
        one = meter(broker, "home/panel?json=a&time=at&wait_s=1")
        await one.open()
        age_ms = CLOCK.now_ms() - (await one.read()).at_ms
        assert 29_500 <= age_ms <= 32_000
        await one.close()

    run(story)


def test_a_time_stamp_from_the_future_is_an_error_and_a_little_ahead_is_now(broker: Mosquitto) -> None:
    async def story() -> None:
        now_s = 1_000_000_000.0
        one = meter(broker, "home/panel?json=a&time=at&wait_s=1", wall_s=lambda: now_s)
        with pytest.raises(AdapterUnavailable, match="has a time stamp 60 s from now; set the clocks, or raise clock"):
            await opened(one, spoken(broker, ("home/panel", f'{{"a": 1, "at": {now_s + 60}}}')))
        await opened(one, spoken(broker, ("home/panel", f'{{"a": 1, "at": {now_s + 1}}}')))
        assert (await one.read()).at_ms <= CLOCK.now_ms()
        await one.close()

    run(story)


def test_with_a_topic_per_line_it_is_as_old_as_the_oldest(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker, "home/l1,home/l2,home/l3?wait_s=1")
        with pytest.raises(AdapterTimeout, match="nothing was published on home/l3 within 1 s"):
            await opened(one, spoken(broker, ("home/l1", "1"), ("home/l2", "2")))
        await opened(one, spoken(broker, ("home/l1", "1"), ("home/l2", "2"), ("home/l3", "3")))
        first = await one.read()
        assert first.load_ma == (1_000, 2_000, 3_000)
        await spoken(broker, ("home/l1", "4"), ("home/l3", "6"))
        await asyncio.sleep(0.1)
        second = await one.read()
        assert second.load_ma == (4_000, 2_000, 6_000)
        assert second.at_ms - first.at_ms < 100  # that of the second line, which said nothing since
        await one.close()

    run(story)


def test_one_figure_for_several_lines_counts_on_each(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker, "home/power?unit=W&power_factor=1&lines=3&wait_s=1")
        await opened(one, spoken(broker, ("home/power", "2300")))
        assert (await one.read()).load_ma == (10_000, 10_000, 10_000)
        await one.close()

    run(story)


@pytest.mark.parametrize(
    ("rest", "payload", "words"),
    [
        ("home/panel?wait_s=1", "unavailable", "home/panel says 'unavailable'; send a number, or JSON"),
        ("home/panel?wait_s=1&lines=3", "[1, 2]", "home/panel has 2 figures; send one, or 3"),
        ("home/panel,home/b?wait_s=1", "[1, 2]", "home/panel has 2 figures, and there is a topic per line; send one"),
    ],
)
def test_what_cannot_be_read_is_an_error_until_the_next_good_word(
    broker: Mosquitto, rest: str, payload: str, words: str
) -> None:
    async def story() -> None:
        one = meter(broker, rest)
        with pytest.raises(AdapterUnavailable, match=words.replace("[", r"\[")):
            await opened(one, spoken(broker, ("home/b", "1"), ("home/panel", payload), ("home/b", "1")))
        await opened(one, spoken(broker, ("home/panel", "5"), ("home/b", "1")))
        await spoken(broker, ("home/panel", payload))
        await asyncio.sleep(0.1)
        with pytest.raises(AdapterUnavailable, match="home/panel"):
            await one.read()
        await spoken(broker, ("home/panel", "6"))
        await asyncio.sleep(0.1)
        assert (await one.read()).load_ma[0] == 6_000
        await one.close()

    run(story)


def test_without_a_broker_opening_says_so_soon() -> None:
    async def story() -> None:
        port = free_port()
        one = MqttMeter(f"home/panel?port={port}", clock=CLOCK)
        started_s = time.monotonic()
        with pytest.raises(AdapterUnavailable, match=f"the broker at 127.0.0.1:{port} cannot be reached"):
            await one.open()
        assert time.monotonic() - started_s < 2
        with pytest.raises(AdapterUnavailable, match="the meter is not open"):
            await one.read()

    run(story)


def test_a_broker_that_goes_is_an_error_and_one_that_comes_back_is_found_again(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker)
        await opened(one, spoken(broker, ("home/panel", "10")))
        broker.stop()
        await asyncio.sleep(0.2)
        with pytest.raises(AdapterUnavailable, match="was lost"):
            await one.read()
        await one.close()
        with pytest.raises(AdapterUnavailable):
            await one.open()
        broker.start()
        await opened(one, spoken(broker, ("home/panel", "11")))
        assert (await one.read()).load_ma == (11_000,)
        await one.close()

    run(story)


def test_opening_twice_is_opening_once_and_closing_may_be_repeated(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker)
        await one.close()
        await opened(one, spoken(broker, ("home/panel", "10")))
        reading = await one.read()
        await one.open()
        assert await one.read() == reading
        await one.close()
        await one.close()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await one.read()

    run(story)


def test_what_was_read_before_it_was_closed_does_not_count_when_it_is_opened_again(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker)
        await opened(one, spoken(broker, ("home/panel", "10")))
        await one.close()
        with pytest.raises(AdapterTimeout):
            await one.open()

    run(story)


def test_closed_while_it_opens_it_lets_go(broker: Mosquitto) -> None:
    async def story() -> None:
        one = meter(broker)
        opening = asyncio.ensure_future(one.open())
        await asyncio.sleep(0.1)
        await one.close()
        with pytest.raises(AdapterUnavailable, match="closed meanwhile"):
            await opening

    run(story)


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.05, 0.3])
def test_cancelled_while_it_opens_it_lets_go(broker: Mosquitto, after_s: float) -> None:
    async def story() -> None:
        one = meter(broker)
        opening = asyncio.ensure_future(one.open())
        await asyncio.sleep(after_s)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    run(story)


# What arrived while the process stood still


def test_what_comes_at_once_after_the_process_stood_still_counts_from_before() -> None:
    clock = VirtualClock()
    pulse = Pulse(clock)
    for _ in range(10):
        clock.now_s += 0.5
        pulse.tick()
    before_ms = clock.now_ms()
    assert pulse.arrived_ms() == before_ms
    clock.now_s += 30
    assert pulse.arrived_ms() == before_ms  # whether a message is looked at first,
    pulse.tick()
    assert pulse.arrived_ms() == before_ms  # or the clock
    clock.now_s += 0.9
    assert pulse.arrived_ms() == before_ms
    clock.now_s += 0.5
    pulse.tick()
    assert pulse.arrived_ms() == clock.now_ms()


def test_standing_still_twice_in_a_row_counts_from_before_the_first_time() -> None:
    clock = VirtualClock()
    pulse = Pulse(clock)
    before_ms = clock.now_ms()
    clock.now_s += 5
    pulse.tick()
    clock.now_s += 0.5
    pulse.tick()
    clock.now_s += 5
    assert pulse.arrived_ms() == before_ms  # what waited for the first time may be among it still


@pytest.mark.parametrize("gap_s", [0.1, 0.5, 1.4])
def test_a_loop_that_is_a_little_late_has_not_stood_still(gap_s: float) -> None:
    clock = VirtualClock()
    pulse = Pulse(clock)
    for _ in range(20):
        clock.now_s += gap_s
        assert pulse.arrived_ms() == clock.now_ms()
