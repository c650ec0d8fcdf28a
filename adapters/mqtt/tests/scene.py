"""A bridge that runs on a real broker, with a driver whose figures the test sets."""

import asyncio
from collections.abc import Awaitable, Callable

from powershare.adapter import HostClock
from powershare.bridging import Bridge, keep
from powershare_mqtt import MqttBridge

from .broker import Listener, listening
from .regulation import Regulated

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
