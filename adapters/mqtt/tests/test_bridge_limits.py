"""The bridge on a real broker: limits are taken, end, must be renewed, are refused, and never raised by old words."""

import asyncio

import pytest

from .broker import Listener, Mosquitto, listening, publish
from .scene import NORTH, PANEL, SOUTH, Scene, play


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
        del scene.regulated.connectors[1], scene.regulated.circuits[1]
        async with listening(broker.port) as (_, listener):
            scene.start()
            await listener.says("powershare/status", "online")
            await publish(broker.port, f"{SOUTH}/limit_a/set", "6")
            await listener.says("powershare/refused", "1")
            assert not any("s_d_1" in topic for topic in listener.heard)
            # Of a circuit with connectors elsewhere only who leads knows what they offer; it can be limited here, too.
            circuit = "powershare/circuit/left wing%2F1"
            await publish(broker.port, f"{circuit}/limit_a/set", "6")
            await scene.limited("left wing/1", 6_000)
            await listener.says(f"{circuit}/limit_a", "6")
            shown = [listener.last(f"{circuit}/{name}") for name in ("offered_a", "metered", "lines")]
            assert shown == ["None", "None", "{}"]
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
