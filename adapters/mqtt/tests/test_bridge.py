"""The bridge on a real broker: devices are announced, states shown; a broker that is lost is found again."""

import asyncio
import json

import pytest

from powershare.bridging import Bridges
from powershare_mqtt import MqttBridge

from .broker import Listener, Mosquitto, free_port, listening, publish, unwilling
from .regulation import view
from .scene import CLOCK, NORTH, PANEL, SOUTH, Scene, play

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
        await asyncio.sleep(0.5)  # everything has been said for the first time
        before = len(listener.heard[f"{NORTH}/offered_a"])
        scene.regulated.connectors[1] = view("süd+1", most_offered_ma=12_300)
        await listener.says(f"{SOUTH}/offered_a", "12.3", within_s=1.9)
        assert len(listener.heard[f"{NORTH}/offered_a"]) == before
        await listener.until(lambda: len(listener.heard[f"{NORTH}/offered_a"]) > before, within_s=4.0)

    play(broker.port, story, "&every_s=3")


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
            within_s=3.0,
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


def test_what_it_may_not_read_is_said_and_the_rest_goes_on() -> None:
    async def whole() -> None:
        async with unwilling() as port:
            scene = Scene(port, "")
            scene.start()
            await scene.until(lambda: len(scene.said) == 4)
            await scene.stop()
        assert all("does not let us read" in words for words in scene.said)
        assert "powershare/circuit/+/limit_a/set: what is said there does not count" in scene.said[2]

    asyncio.run(whole())


def test_at_an_end_in_order_it_is_offline(broker: Mosquitto) -> None:
    async def story(scene: Scene, listener: Listener) -> None:
        await scene.stop()
        await listener.says("powershare/status", "offline", within_s=2.0)

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
        assert len([words for words in scene.said if "cannot be reached" in words]) == 1
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
