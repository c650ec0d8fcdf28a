"""evcc's part: a `custom` charger whose plugins are `mqtt` and `watchdog`, as its configuration says.

Modelled on what evcc does: a getter answers the last word on its topic, and an error when that is older than its
timeout; a setter publishes its payload with the value in it; a watchdog repeats the last value at half its timeout.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import aiomqtt

from .broker import Listener

Plugin: TypeAlias = Mapping[str, Any]

_VALUE = re.compile(r"\$\{(\w+)(?::(%\w+))?\}")
_SECONDS = {"s": 1.0, "m": 60.0, "ms": 0.001}


def seconds(text: str) -> float:
    """A duration as evcc writes it."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", text)
    assert found is not None, text
    return int(found[1]) * _SECONDS[found[2]]


def formatted(payload: str, name: str, value: bool | int) -> str:
    """The payload with the value in place of `${name}`, or `${name:%d}`."""

    def put(found: re.Match[str]) -> str:
        assert found[1] == name, found[0]
        if isinstance(value, bool):
            assert found[2] in {None, "%t"}, found[0]
            return "true" if value else "false"
        assert found[2] in {None, "%d"}, found[0]
        return str(value)

    return _VALUE.sub(put, payload) if payload else str(value)


class Charger:
    """One charger of the configuration.

    Args:
        config: Its part.
        client: A client of the broker.
        listener: What that client hears; it must hear the topics of the getters.
        faster: By how much all times are shorter.
    """

    def __init__(self, config: Mapping[str, Any], client: aiomqtt.Client, listener: Listener, faster: float) -> None:
        assert config["type"] == "custom"
        self._config, self._client, self._listener, self._faster = config, client, listener, faster
        self._repeating: asyncio.Task[None] | None = None

    def status(self) -> str:
        """The control pilot's state: A, B or C."""
        state = self._get("status")
        assert state in {"A", "B", "C"}, state
        return state

    def enabled(self) -> bool:
        """Whether it is enabled."""
        return {"true": True, "false": False}[self._get("enabled")]

    async def enable(self, value: bool) -> None:
        """Enable it, or not."""
        await self._set(self._config["enable"], "enable", value)

    async def max_current(self, value: int) -> None:
        """Let it offer so many amps."""
        plugin = self._config["maxcurrent"]
        assert plugin["source"] == "watchdog"
        self.die()
        await self._set(plugin["set"], "maxcurrent", value)

        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds(plugin["timeout"]) / 2 / self._faster)
                await self._set(plugin["set"], "maxcurrent", value)

        self._repeating = asyncio.ensure_future(repeat())

    def die(self) -> None:
        """Repeat nothing any more."""
        if self._repeating is not None:
            self._repeating.cancel()

    def _get(self, name: str) -> str:
        plugin = self._config[name]
        assert plugin["source"] == "mqtt"
        last = self._listener.last(plugin["topic"])
        assert last is not None, f"{name}: outdated"
        age_s = self._listener.age_s(plugin["topic"])
        assert age_s <= seconds(plugin["timeout"]), f"{name}: outdated"
        return last

    async def _set(self, plugin: Plugin, name: str, value: bool | int) -> None:
        assert plugin["source"] == "mqtt"
        await self._client.publish(
            plugin["topic"], formatted(plugin["payload"], name, value), retain=bool(plugin.get("retained", False))
        )
