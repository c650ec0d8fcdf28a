"""`powershare run` beside a real broker, in real time: seen, limited, killed, lost, and with a meter that falls silent.

The scenes mostly wait, so they are played side by side, once; each test is what became of one of them.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import yaml

from .broker import Mosquitto, listening, needs_mosquitto, publish
from .evcc import Charger
from .processes import installed, pilots, running

pytestmark = [pytest.mark.slow, needs_mosquitto]

EVCC = Path(__file__).parents[3] / "examples" / "evcc-mqtt.yaml"

CONNECTOR = """
[[connector]]
id = "{name}"
circuit = "feeder"
fallback_a = {fallback_a}
adapter = "plant:"
"""

METER = """
[[meter]]
circuit = "feeder"
adapter = "mqtt:home/panel?port={port}&wait_s=2"
stale_after_s = 3
"""


def site(
    directory: Path, *names: str, limit_a: int = 32, worst_a: int = 0, fallback_a: int = 6, more: str = ""
) -> Path:
    installed(directory / "adapters")
    path = directory / "site.toml"
    circuit = f'[[circuit]]\nid = "feeder"\nlimit_a = {limit_a}\nother_load_worst_a = {worst_a}\n'
    connectors = "".join(CONNECTOR.format(name=name, fallback_a=fallback_a) for name in names)
    head = 'schema = "powershare/site/1"\nsupply = "single_phase"\n\n'
    path.write_text(head + circuit + connectors + more, encoding="utf-8")
    return path


def topic(name: str, connector: str = "north") -> str:
    return f"powershare/connector/{connector}/{name}"


# The scenes


async def killed(directory: Path, broker: Mosquitto) -> None:
    """Killed without a word, the broker says that it is gone."""
    async with listening(broker.port) as (_, listener):
        async with running(site(directory, "north"), "--bridge", f"mqtt:?port={broker.port}") as process:
            await listener.says("powershare/status", "online", within_s=10)
            process.process.kill()
            await listener.says("powershare/status", "offline", within_s=5)
        assert listener.heard["powershare/status"] == ["online", "offline"]


async def ended_in_order(directory: Path, broker: Mosquitto) -> None:
    """Stopped in order, what is seen last is every device at its fallback, and then that it is gone."""
    async with (
        listening(broker.port) as (_, listener),
        running(site(directory, "north"), "--bridge", f"mqtt:?port={broker.port}") as process,
    ):
        await listener.until(lambda: float(listener.last(topic("told_a")) or 0) > 6, within_s=30)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
        await listener.says("powershare/status", "offline")
        assert listener.last(topic("offered_a")) == "6"
    assert not any("Traceback" in line for line in process.said)


async def without_a_broker(directory: Path, broker: Mosquitto) -> None:
    """It regulates all the same, says once what is missing, and is there when the broker is."""
    broker.stop()
    trace = directory / "trace.ndjson"
    path = site(directory, "north", more=METER.format(port=broker.port), worst_a=16)
    async with running(path, "--trace", trace, "--bridge", f"mqtt:?port={broker.port}") as process:
        await process.says(f"mqtt 127.0.0.1:{broker.port}: the broker at 127.0.0.1:{broker.port} cannot be reached")
        await process.says("feeder: its meter: the broker at")
        await asyncio.sleep(15)
        offered = [pilot_ma for _, pilot_ma in pilots(trace, "north")]
        assert max(offered[1:]) == 16_000, offered  # 32 A less the worst other load; the first is the device's own
        assert len([line for line in process.said if "limits that were given go on" in line]) == 1
        broker.start()
        async with listening(broker.port) as (_, listener):
            await listener.says("powershare/status", "online", within_s=15)
            await listener.says(topic("offered_a"), "16")


async def meter_falls_silent(directory: Path, broker: Mosquitto) -> None:
    """A silent meter is the worst case, and it is said; what the broker kept is silence; a restart is survived."""
    path = site(directory, "north", more=METER.format(port=broker.port), worst_a=20)

    async def measures() -> None:
        while True:
            await publish(broker.port, "home/panel", "2", retain=True)  # always the same, and that is news
            await asyncio.sleep(0.5)

    load, metered = "powershare/circuit/feeder/other_load_a", "powershare/circuit/feeder/metered"
    async with running(path, "--bridge", f"mqtt:?port={broker.port}") as process:
        measuring = asyncio.ensure_future(measures())
        async with listening(broker.port) as (_, listener):
            await listener.says(load, "2", within_s=20)
            await listener.until(lambda: float(listener.last(topic("offered_a")) or 0) == 30, within_s=30)
            measuring.cancel()
            await process.says("feeder: its meter is silent: other loads count with their worst case", within_s=6)
            await listener.says(load, "20", within_s=3)
            await listener.says(metered, "OFF")
            await listener.until(lambda: float(listener.last(topic("offered_a")) or 0) <= 12, within_s=5)
        broker.stop()
        broker.start()
        measuring = asyncio.ensure_future(measures())
        async with listening(broker.port) as (_, listener):
            await listener.says("powershare/status", "online", within_s=15)
            await listener.says(metered, "ON", within_s=20)
            await listener.says(load, "2")
        measuring.cancel()


async def many_limits(directory: Path, broker: Mosquitto) -> None:
    """More limits at once than one node passes on all count, and are taken back one by one."""
    names = tuple("abcdef")
    trace = directory / "trace.ndjson"
    path = site(directory, *names, limit_a=60, fallback_a=0)
    async with (
        listening(broker.port) as (client, listener),
        running(path, "--trace", trace, "--bridge", f"mqtt:?port={broker.port}") as process,
    ):
        await listener.says("powershare/status", "online", within_s=10)
        for name in names:
            await client.publish(topic("limit_a/set", name), "7", qos=1)
        await client.publish("powershare/circuit/feeder/limit_a/set", "40", qos=1)
        offers = [topic("offered_a", name) for name in names]
        # The circuit's 40 A are less than six times 7 A.
        await listener.until(lambda: sum(float(listener.last(offer) or 0) for offer in offers) == 40, within_s=30)
        assert listener.last("powershare/refused") == "0"
        await client.publish(topic("limit_a/set", "f"), "", qos=1)
        await client.publish("powershare/circuit/feeder/limit_a/set", "", qos=1)
        await listener.until(lambda: float(listener.last(topic("offered_a", "f")) or 0) > 7, within_s=30)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert not any("cannot be counted" in line for line in process.said)
    for name in names[:-1]:
        assert max(pilot_ma for t_ms, pilot_ma in pilots(trace, name) if t_ms > 4_000) <= 7_000


async def evcc_steers(directory: Path, broker: Mosquitto) -> None:
    """The example's charger: status, maxcurrent and enable do what evcc expects; without evcc it falls back."""
    config = yaml.safe_load(EVCC.read_text(encoding="utf-8"))
    chargers = {one["name"]: one for one in config["chargers"]}
    assert {point["charger"] for point in config["loadpoints"]} == set(chargers)
    faster, trace = 30.0, directory / "trace.ndjson"  # the watchdog's 60 s are 2 s, and renew_s=90 is 3
    bridge = f"mqtt:?port={broker.port}&renew_s=3&stale_a=8"
    async with (
        listening(broker.port) as (client, listener),
        running(site(directory, *chargers), "--trace", trace, "--bridge", bridge) as process,
    ):
        evcc = Charger(chargers["north"], client, listener, faster)
        await listener.says(topic("enabled"), "true", within_s=10)
        assert evcc.enabled()
        await listener.says(topic("state"), "B", within_s=10)
        assert evcc.status() == "B"  # nothing is offered yet
        await evcc.max_current(13)
        await listener.says(topic("state"), "C", within_s=30)
        assert evcc.status() == "C"
        await listener.says(topic("offered_a"), "13", within_s=20)
        await evcc.max_current(10)
        await listener.says(topic("offered_a"), "10", within_s=4)
        await asyncio.sleep(4)  # longer than renew_s: it is renewed by the same figure
        assert listener.last(topic("offered_a")) == "10"
        await evcc.enable(False)
        await listener.says(topic("enabled"), "false", within_s=2)
        assert not evcc.enabled()
        await listener.says(topic("offered_a"), "0", within_s=4)
        await listener.says(topic("state"), "B", within_s=15)
        assert evcc.status() == "B"
        await evcc.enable(True)
        await listener.says(topic("offered_a"), "10", within_s=60)
        evcc.die()
        await process.says("north: its limit has not been renewed by mqtt: a limit of 8 A counts", within_s=6)
        await listener.says(topic("offered_a"), "8", within_s=4)
    assert max(pilot_ma for t_ms, pilot_ma in pilots(trace, "north") if t_ms > 4_000) <= 13_000


async def strangers_bridge_fails(directory: Path, broker: Mosquitto) -> None:
    """A bridge that fails is said once and disturbs nobody: neither regulation nor the bridge beside it."""
    bridges = ("--bridge", "failing:", "--bridge", f"mqtt:?port={broker.port}")
    async with listening(broker.port) as (_, listener), running(site(directory, "north"), *bridges) as process:
        await process.says("failing:: failed in a way that no bridge may: KeyError: 1; it is tried again")
        await listener.until(lambda: float(listener.last(topic("offered_a")) or 0) == 32, within_s=30)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert len([line for line in process.said if "no bridge may" in line]) == 1


async def strangers_limit_breaks_us(directory: Path, broker: Mosquitto) -> None:
    """What a limit breaks in this library ends it in order, and is not hidden: a traceback."""
    broker.stop()
    async with running(site(directory, "north"), "--bridge", "breaking:") as process:
        assert await process.ended() == 1
    assert any("InternalError: an invariant failed" in line for line in process.said), process.said


SCENES: dict[str, Callable[[Path, Mosquitto], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (
        killed,
        ended_in_order,
        without_a_broker,
        meter_falls_silent,
        many_limits,
        evcc_steers,
        strangers_bridge_fails,
        strangers_limit_breaks_us,
    )
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, BaseException | None]]:
    """All scenes at once, each with a broker of its own."""
    directories = {name: tmp_path_factory.mktemp(name) for name in SCENES}
    brokers = {name: Mosquitto(directory) for name, directory in directories.items()}
    for broker in brokers.values():
        broker.start()

    async def play() -> list[BaseException | None]:
        return await asyncio.gather(
            *(scene(directories[name], brokers[name]) for name, scene in SCENES.items()), return_exceptions=True
        )

    try:
        yield dict(zip(SCENES, asyncio.run(play()), strict=True))
    finally:
        for broker in brokers.values():
            broker.stop()


@pytest.mark.parametrize("name", [name for name in SCENES if name != "evcc_steers"])
def test_the_scene_ends_well(name: str, outcomes: dict[str, BaseException | None]) -> None:
    error = outcomes[name]
    if error is not None:
        raise error
    assert SCENES[name].__doc__


@pytest.mark.skipif(not EVCC.exists(), reason="the example lies in the repository, beside the adapters")
def test_evcc_can_steer_by_the_documented_example(outcomes: dict[str, BaseException | None]) -> None:
    error = outcomes["evcc_steers"]
    if error is not None:
        raise error
    assert yaml.safe_load(EVCC.read_text(encoding="utf-8"))["mqtt"]
