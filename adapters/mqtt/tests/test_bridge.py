"""The bridge on a real broker, with a driver whose figures the test sets: announced, shown, limited, lost and back."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from powershare.adapter import HostClock
from powershare.bridging import Bridge, Bridges, keep
from powershare_mqtt import MqttBridge

from .broker import Listener, Mosquitto, free_port, listening, publish
from .regulation import Regulated, view

CLOCK = HostClock()
NORTH, SOUTH = "powershare/connector/north", "powershare/connector/s%C3%BCd%2B1"
PANEL = "powershare/circuit/panel"


class Scene:
    """A bridge that runs, and a client that hears everything."""

    def __init__(self, port: int, rest: str) -> None:
        self.port, self.regulated = port, Regulated()
        self.said: list[str] = []
        self.bridge: Bridge = MqttBridge(
            f"?port={port}{rest}", clock=CLOCK, said=lambda about, words: self.said.append(f"{about}: {words}")
        )
        self.running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.running = asyncio.ensure_future(
            keep(self.bridge, "mqtt", self.regulated, lambda about, words: self.said.append(f"{about}: {words}"))
        )

    async def stop(self) -> None:
        running, self.running = self.running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def limit_ma(self, place: str) -> object:
        return self.regulated.in_force_ma(place, CLOCK.now_ms())

    async def until(self, holds: Callable[[], bool], within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.02)

    async def limited(self, place: str, limit_ma: object, within_s: float = 5.0) -> None:
        """Wait until a place is limited to this; None: not at all."""
        try:
            await self.until(lambda: self.limit_ma(place) == limit_ma, within_s)
        except TimeoutError:
            raise AssertionError(f"{place} has {self.limit_ma(place)}, not {limit_ma}; {self.said}") from None


def play(port: int, story: Callable[[Scene, Listener], Awaitable[None]], rest: str = "") -> None:
    """Run the bridge while the story is told, with a listener that was there before it; nothing is left behind."""

    async def whole() -> None:
        scene = Scene(port, rest)
        async with listening(port) as (_, listener):
            scene.start()
            try:
                await listener.says("powershare/status", "online")
                await story(scene, listener)
            finally:
                await scene.stop()
        await asyncio.sleep(0.05)  # until the listener's own tasks have ended
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not any("no bridge may" in words for words in scene.said), scene.said

    asyncio.run(whole())


# Announced and shown


def test_devices_are_announced_and_kept_by_the_broker_and_states_are_not(broker: Mosquitto) -> None:
    async def story(_scene: Scene, listener: Listener) -> None:
        await listener.says(f"{NORTH}/drawn_a", "15.9")
        async with listening(broker.port, "#") as (_, later):
            await later.says("powershare/status", "online")
            await asyncio.sleep(0.2)
            assert set(later.kept) == {
                "powershare/status",
                "homeassistant/device/powershare_connector_north/config",
                "homeassistant/device/powershare_connector_s_d_1_b9192e86/config",
                "homeassistant/device/powershare_circuit_panel/config",
                "homeassistant/device/powershare_circuit_left_wing_1_d0bca852/config",
            }
        announced = json.loads(later.kept["homeassistant/device/powershare_connector_north/config"])
        for part in announced["components"].values():
            assert listener.last(part["state_topic"]) is not None, part  # every entity gets a state
        for topic in ("lines",):
            assert json.loads(listener.last(f"{PANEL}/{topic}") or "")["offered_a"] == [32, 16, 16]

    play(broker.port, story)


def test_what_changes_is_published_at_once_and_the_rest_now_and_then(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await asyncio.sleep(0.7)  # everything has been said for the first time
        before = len(listener.heard[f"{NORTH}/offered_a"])
        scene.regulated.connectors[1] = view("süd+1", most_offered_ma=12_300)
        await listener.says(f"{SOUTH}/offered_a", "12.3", within_s=1.0)
        assert len(listener.heard[f"{NORTH}/offered_a"]) == before
        await listener.until(lambda: len(listener.heard[f"{NORTH}/offered_a"]) > before, within_s=2.0)

    play(broker.port, story, "&every_s=2")


def test_home_assistants_birth_is_answered_with_everything(broker: Mosquitto) -> None:
    async def story(_scene: Scene, listener: Listener) -> None:
        config = "homeassistant/device/powershare_circuit_panel/config"
        await asyncio.sleep(0.7)
        configs, states = len(listener.heard[config]), len(listener.heard[f"{PANEL}/offered_a"])
        await publish(broker.port, "homeassistant/status", "offline")
        await asyncio.sleep(0.7)
        assert len(listener.heard[config]) == configs
        await publish(broker.port, "homeassistant/status", "online")
        await listener.until(
            lambda: len(listener.heard[config]) > configs and len(listener.heard[f"{PANEL}/offered_a"]) > states,
            within_s=2.0,
        )

    play(broker.port, story, "&every_s=600")


def test_without_home_assistant_nothing_is_announced_and_topics_begin_as_one_likes(broker: Mosquitto) -> None:
    async def whole() -> None:
        scene = Scene(broker.port, "&discovery=no&topic=garage/2")
        async with listening(broker.port) as (_, listener):
            scene.start()
            await listener.says("garage/2/status", "online")
            await listener.says("garage/2/connector/north/state", "C")
            await scene.stop()
        assert all(topic.startswith("garage/2/") for topic in listener.heard)

    asyncio.run(whole())


def test_at_an_end_in_order_it_is_offline(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await scene.stop()
        await listener.says("powershare/status", "offline", within_s=2.0)

    play(broker.port, story)


# Limited


def test_a_connector_and_a_circuit_are_limited_and_released(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", "10.5")
        await publish(broker.port, f"{SOUTH}/limit_a/set", "0")
        await publish(broker.port, f"{PANEL}/limit_a/set", '{"amps": [20, 25, 30]}')
        await scene.limited("north", 10_500)
        await scene.limited("süd+1", 0)
        await scene.limited("panel", (20_000, 25_000, 30_000))
        await listener.says(f"{NORTH}/limit_a", "10.5")
        await listener.says(f"{PANEL}/limit_a", "20")
        assert {event.limit.source for event in scene.regulated.limited} == {f"mqtt:127.0.0.1:{broker.port}/powershare"}
        await publish(broker.port, f"{NORTH}/limit_a/set", "")
        await scene.limited("north", None)
        await listener.says(f"{NORTH}/limit_a", "32")

    play(broker.port, story)


def test_whether_a_connector_may_charge_is_beside_its_limit(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", "12")
        await publish(broker.port, f"{NORTH}/enabled/set", "false")
        await scene.limited("north", 0)
        await listener.says(f"{NORTH}/enabled", "false")
        await listener.says(f"{NORTH}/limit_a", "12")
        await publish(broker.port, f"{NORTH}/enabled/set", "true")
        await scene.limited("north", 12_000)

    play(broker.port, story)


def test_what_the_broker_kept_comes_again_with_every_connection_and_does_not_raise(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home Assistant had set 16 A; since then somebody else has set 10 A, and the connection was lost for a moment."""
    monkeypatch.setattr("powershare_mqtt.bridge.RETRY_S", (0.1,))

    async def story(scene: Scene, listener: Listener) -> None:
        await scene.limited("north", 16_000)
        await publish(broker.port, f"{NORTH}/limit_a/set", "10")
        await publish(broker.port, f"{NORTH}/enabled/set", "true")
        await scene.limited("north", 10_000)
        broker.stop()
        broker.start()
        await publish(broker.port, f"{NORTH}/limit_a/set", "16", retain=True)
        async with listening(broker.port) as (_, later):
            await later.says("powershare/status", "online", within_s=8.0)
            await asyncio.sleep(0.5)
        assert scene.limit_ma("north") == 10_000

    asyncio.run(publish(broker.port, f"{NORTH}/limit_a/set", "16", retain=True))
    play(broker.port, story)


def test_two_bridges_limit_beside_each_other_and_not_one_in_place_of_the_other(broker: Mosquitto) -> None:
    async def whole() -> None:
        one, other = Scene(broker.port, ""), Scene(broker.port, "&topic=utility&discovery=no")
        other.regulated = one.regulated
        for scene in (one, other):
            scene.start()
        async with listening(broker.port) as (_, listener):
            await listener.says("powershare/status", "online")
            await listener.says("utility/status", "online")
        await publish(broker.port, f"{PANEL}/limit_a/set", "30")
        await publish(broker.port, "utility/circuit/panel/limit_a/set", "20")
        await one.until(lambda: len(one.regulated.limited) >= 2)
        assert len({event.limit.source for event in one.regulated.limited}) == 2
        for scene in (one, other):
            await scene.stop()

    asyncio.run(whole())


def test_a_flood_of_limits_reaches_the_driver_a_few_times_a_second(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        async with listening(broker.port, "nothing") as (client, _):
            for number in range(600):
                await client.publish(f"{NORTH}/limit_a/set", str(number % 30), qos=0)
            await client.publish(f"{NORTH}/limit_a/set", "31", qos=1)
        await scene.limited("north", 31_000)
        assert len(scene.regulated.limited) < 40

    play(broker.port, story)


def test_connectors_of_other_processes_are_neither_announced_nor_limited(broker: Mosquitto) -> None:
    async def whole() -> None:
        scene = Scene(broker.port, "")
        del scene.regulated.connectors[1]
        async with listening(broker.port) as (_, listener):
            scene.start()
            await listener.says("powershare/status", "online")
            await publish(broker.port, f"{SOUTH}/limit_a/set", "6")
            await listener.says("powershare/refused", "1")
            assert not any("s_d_1" in topic for topic in listener.heard)
            await scene.stop()

    asyncio.run(whole())


def test_a_limit_that_ends_is_followed_by_what_it_said(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", '{"amps": 16, "for_s": 1.5, "then_a": 6}')
        await scene.limited("north", 16_000, within_s=1.0)
        await scene.limited("north", 6_000, within_s=2.5)

    play(broker.port, story)


def test_one_that_has_to_be_renewed_and_is_not_falls_to_what_was_configured_and_it_is_said(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        await scene.limited("north", 8_000)  # nothing was heard yet
        await publish(broker.port, f"{NORTH}/limit_a/set", "16")
        await scene.limited("north", 16_000, within_s=1.0)
        await publish(broker.port, f"{NORTH}/limit_a/set", "16")
        await scene.limited("north", 8_000, within_s=3.0)
        silent = "north: its limit has not been renewed by mqtt: a limit of 8 A counts"
        assert scene.said.count(silent) == 2
        assert "north: its limit is renewed by mqtt again: a limit of 16 A counts" in scene.said
        assert scene.limit_ma("panel") is None

    play(broker.port, story, "&renew_s=1&stale_a=8")


def test_what_the_broker_kept_is_silence_where_limits_have_to_be_renewed(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        await asyncio.sleep(0.7)
        assert scene.limit_ma("north") == 8_000

    asyncio.run(publish(broker.port, f"{NORTH}/limit_a/set", "16", retain=True))
    play(broker.port, story, "&renew_s=60&stale_a=8")


def test_what_home_assistant_has_set_is_found_again_after_a_restart(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        await scene.limited("north", 16_000)

    asyncio.run(publish(broker.port, f"{NORTH}/limit_a/set", "16", retain=True))
    play(broker.port, story)


def test_what_cannot_be_read_is_counted_said_once_and_changes_nothing(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", "10")
        await scene.limited("north", 10_000)
        for payload in ("ten", "ten", "33", b"\xff\x00"):
            await publish(broker.port, f"{NORTH}/limit_a/set", payload)
        await publish(broker.port, f"{NORTH}/enabled/set", "perhaps")
        await publish(broker.port, "powershare/connector/nobody/limit_a/set", "6")
        await listener.says("powershare/refused", "6")
        await listener.says("powershare/refusal", "powershare/connector/nobody/limit_a/set names nothing of this site")
        assert scene.limit_ma("north") == 10_000
        refused = [words.partition("refused: ")[2] for words in scene.said if "refused: " in words]
        assert refused == [
            f"{NORTH}/limit_a/set says 'ten'; send a number, or JSON",
            f"{NORTH}/limit_a/set has amps '33'; send amps from 0 to 32",
            f"{NORTH}/limit_a/set says '\ufffd\\x00'; send a number, or JSON",
            f"{NORTH}/enabled/set says 'perhaps'; send true or false",
            "powershare/connector/nobody/limit_a/set names nothing of this site",
        ]

    play(broker.port, story)


def test_without_limits_nothing_that_is_sent_counts(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", "10")
        await asyncio.sleep(0.7)
        assert not scene.regulated.limited

    play(broker.port, story, "&limits=no")


def test_a_limit_that_the_driver_cannot_count_is_said_once_and_tried_again(broker: Mosquitto) -> None:
    async def story(scene: Scene, _listener: Listener) -> None:
        scene.regulated.refuses = "there are too many"
        await publish(broker.port, f"{NORTH}/limit_a/set", "10")
        await asyncio.sleep(1.5)
        words = "north: a limit of the connector by mqtt cannot be counted: there are too many"
        assert scene.said.count(words) == 1
        scene.regulated.refuses = None
        await scene.limited("north", 10_000)

    play(broker.port, story)


def test_a_limit_is_told_the_driver_again_before_it_ends(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powershare_mqtt.bridge.RENEW_MS", 500)
    monkeypatch.setattr("powershare_mqtt.bridge.LIMIT_MS", 1_600)

    async def story(scene: Scene, _listener: Listener) -> None:
        await publish(broker.port, f"{NORTH}/limit_a/set", "10")
        await scene.limited("north", 10_000)
        for _ in range(60):
            await asyncio.sleep(0.05)
            assert scene.limit_ma("north") == 10_000

    play(broker.port, story)


# Lost and back


def test_a_broker_that_restarts_is_found_again_and_limits_go_on_meanwhile(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powershare_mqtt.bridge.RENEW_MS", 300)
    monkeypatch.setattr("powershare_mqtt.bridge.LIMIT_MS", 1_500)

    async def whole() -> None:
        scene = Scene(broker.port, "")
        scene.start()
        async with listening(broker.port) as (_, listener):
            await listener.says("powershare/status", "online")
            await publish(broker.port, f"{NORTH}/limit_a/set", "10")
            await scene.limited("north", 10_000)
        broker.stop()
        for _ in range(50):
            await asyncio.sleep(0.05)
            assert scene.limit_ma("north") == 10_000
        broker.start()
        async with listening(broker.port) as (_, listener):  # a broker that remembers nothing
            await listener.says("powershare/status", "online", within_s=8.0)
            await listener.says(f"{NORTH}/limit_a", "10")
            await listener.until(lambda: bool(listener.last("homeassistant/device/powershare_circuit_panel/config")))
            await publish(broker.port, f"{NORTH}/limit_a/set", "11")
            await scene.limited("north", 11_000)
        await scene.stop()
        about = f"mqtt 127.0.0.1:{broker.port}"
        lost = [words for words in scene.said if words.startswith(about)]
        assert "limits that were given go on" in lost[0]
        assert lost[-1] == f"{about}: is there again"

    asyncio.run(whole())


def test_a_broker_that_is_not_there_at_the_start_is_said_once_and_found_later(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powershare_mqtt.bridge.RETRY_S", (0.1,))
    broker.stop()

    async def whole() -> None:
        scene = Scene(broker.port, "&renew_s=60&stale_a=6")
        scene.start()
        await scene.limited("north", 6_000)  # nobody can have renewed it
        await asyncio.sleep(1.0)
        assert len([words for words in scene.said if "does not let us in" in words]) == 1
        broker.start()
        async with listening(broker.port) as (_, listener):
            await listener.says("powershare/status", "online", within_s=8.0)
        await scene.stop()

    asyncio.run(whole())


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.01, 0.05, 0.2])
def test_cancelled_at_any_moment_it_leaves_nothing_behind_and_nobody_thinks_it_is_there(
    broker: Mosquitto, after_s: float
) -> None:
    async def whole() -> None:
        scene = Scene(broker.port, "")
        scene.start()
        await asyncio.sleep(after_s)
        await scene.stop()
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        async with listening(broker.port, "powershare/status") as (_, listener):
            await asyncio.sleep(0.1)
            assert listener.last("powershare/status") in {None, "offline"}

    asyncio.run(whole())


def test_it_is_found_by_its_name() -> None:
    bridge = Bridges().create(f"mqtt:?port={free_port()}", clock=CLOCK, said=lambda _about, _words: None)
    assert isinstance(bridge, MqttBridge)
