"""A running driver on a broker: what it does is published there, and limits are taken from there.

# Rule 1: limits do not wait for the broker. A task of their own counts them, renews them and lets them end.
# Rule 2: states are not kept by the broker: what was so when this process died is nobody's reading. They are published
#         when they change, anew every few seconds, and when Home Assistant starts.
# Rule 3: a message that cannot be read changes nothing; it is counted, said once, and published as refused.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import aiomqtt

from powershare.adapter import Clock
from powershare.bridging import Regulation
from powershare.errors import AdapterError, ContractError
from powershare.node import Limited
from powershare_mqtt.addresses import BridgeSettings, bridge_settings_of
from powershare_mqtt.connection import connected, ended, may_read
from powershare_mqtt.discovery import device_of
from powershare_mqtt.limits import InForce, LimitBook, Place, places_of, words_of
from powershare_mqtt.payloads import PayloadError, yes_or_no_of
from powershare_mqtt.pulse import Pulse
from powershare_mqtt.states import UNKNOWN, states_of
from powershare_mqtt.topics import OFFLINE, ONLINE, Topics

RETRY_S = (1, 2, 5, 10)
"""After how long the broker is dialled again: the first time, the second, ..., and ever after."""

LIMIT_MS = 180_000
"""A limit is told the driver for so long at a time: hosts that heard of it keep it no longer than that."""

RENEW_MS = 20_000
"""It is told again after so long."""

_LOOK_S, _SHOW_S = 0.5, 1.0
_AT_MOST_EVERY_S = 0.1
"""Whoever floods the broker with limits changes none more often than that."""

_AGAIN_MS = 60_000
"""The same refusal is said so often."""

_GOODBYE_S = 2.0
_AT_LEAST_ONCE = 1


class MqttBridge:
    """A bridge to an MQTT broker, for Home Assistant, evcc and whoever else listens there.

    Args:
        rest: `?setting=value&...`, what follows `mqtt:`; the README lists the settings.
        clock: Where the time comes from: the driver's clock.
        said: Takes words for people: what it is about, a sentence.

    Raises:
        FormatError: A setting cannot be; every problem at once.
    """

    def __init__(self, rest: str, /, *, clock: Clock, said: Callable[[str, str], None]) -> None:
        self.settings: BridgeSettings = bridge_settings_of(rest)
        self._clock, self._said = clock, said
        self._about = f"mqtt {self.settings.broker.host}:{self.settings.broker.port}"
        self._topics = Topics(self.settings.topic)
        self._book: LimitBook | None = None
        self._told: dict[Place, tuple[InForce, int]] = {}
        self._stale: set[Place] = set()
        self._uncounted: dict[Place, str] = {}
        self._refused, self._refusal = 0, UNKNOWN
        self._refusals: dict[str, tuple[str, int]] = {}
        self._changed = asyncio.Event()
        self._pulse = Pulse(clock)

    async def run(self, regulation: Regulation, /) -> None:
        """Publish, and take limits, until cancelled; then say that powershare is offline."""
        self._book = self._book or self._new_book(regulation)
        self._changed, self._pulse = asyncio.Event(), Pulse(self._clock)
        works = [
            asyncio.ensure_future(self._limit(regulation, self._book)),
            asyncio.ensure_future(self._serve(regulation, self._book)),
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            await ended(*works)

    def _new_book(self, regulation: Regulation) -> LimitBook:
        settings = self.settings
        here = {view.connector for view in regulation.snapshot().connectors}
        places = (place for place in places_of(regulation.site) if place.kind == "circuit" or place.id in here)
        renewals = {"connector": settings.connectors, "circuit": settings.circuits}
        return LimitBook(tuple(places), renewals, settings.source)

    # Limits

    async def _limit(self, regulation: Regulation, book: LimitBook) -> None:
        """Keep the driver told of what counts, whether or not there is a broker."""
        while True:
            self._pulse.tick()
            self._changed.clear()
            if self.settings.limits:
                self._tell_limits(regulation, book)
            await asyncio.sleep(_AT_MOST_EVERY_S)
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _tell_limits(self, regulation: Regulation, book: LimitBook) -> None:
        now_ms = self._clock.now_ms()
        for place, now in book.in_force(now_ms):
            self._say_stale(place, now)
            told, told_ms = self._told.get(place, (InForce(limit=None), now_ms))
            if now.limit == told.limit and (now.limit is None or now_ms - told_ms < RENEW_MS):
                continue
            if told.limit is not None and now.limit is None:
                event = Limited(told.limit, now_ms - 1)
            elif now.limit is not None:
                event = Limited(now.limit, now_ms + LIMIT_MS)
            else:
                continue
            if self._takes(regulation, place, event):
                self._told[place] = (now, now_ms)

    def _takes(self, regulation: Regulation, place: Place, event: Limited) -> bool:
        """Tell the driver; whether it takes the limit."""
        try:
            regulation.limit(event)
        except ContractError as error:
            if self._uncounted.get(place) != str(error):
                self._said(place.id, f"a limit of the {place.kind} by mqtt cannot be counted: {error}")
            self._uncounted[place] = str(error)
            return False
        self._uncounted.pop(place, None)
        return True

    def _say_stale(self, place: Place, now: InForce) -> None:
        if now.stale and place not in self._stale:
            self._stale.add(place)
            self._said(place.id, f"its limit has not been renewed by mqtt: {words_of(now)}")
        elif not now.stale and place in self._stale:
            self._stale.discard(place)
            self._said(place.id, f"its limit is renewed by mqtt again: {words_of(now)}")

    # The broker

    async def _serve(self, regulation: Regulation, book: LimitBook) -> None:
        """Be on the broker, for ever; what is wrong is said once."""
        last, retries = "", 0
        will = aiomqtt.Will(self._topics.status, OFFLINE, qos=_AT_LEAST_ONCE, retain=True)
        while True:
            try:
                async with connected(self.settings.broker, will) as client, self._goodbye(client, regulation, book):
                    await self._enter(client, regulation, book)
                    if last:
                        self._said(self._about, "is there again")
                    last, retries = "", 0
                    await self._stay(client, regulation, book)
            except AdapterError as error:
                words = str(error)
                if words != last:
                    self._said(self._about, f"{words}; limits that were given go on")
                last = words
            await asyncio.sleep(RETRY_S[min(retries, len(RETRY_S) - 1)])
            retries += 1

    async def _enter(self, client: aiomqtt.Client, regulation: Regulation, book: LimitBook) -> None:
        """Listen first, so that nothing said meanwhile is missed; then announce, show, and say that we are there."""
        for topic in self._orders():
            if not await may_read(client, topic, _AT_LEAST_ONCE):
                self._said(self._about, f"does not let us read {topic}: what is said there does not count")
        await self._announce(client, book)
        await self._publish(client, self._states(regulation, book))
        await client.publish(self._topics.status, ONLINE, qos=_AT_LEAST_ONCE, retain=True)

    async def _stay(self, client: aiomqtt.Client, regulation: Regulation, book: LimitBook) -> None:
        """Publish and listen until the broker is lost."""
        born = asyncio.Event()
        works = [
            asyncio.ensure_future(self._listen(client, book, born)),
            asyncio.ensure_future(self._show(client, regulation, book, born)),
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            await ended(*works)

    @asynccontextmanager
    async def _goodbye(self, client: aiomqtt.Client, regulation: Regulation, book: LimitBook) -> AsyncIterator[None]:
        """Where this is cancelled, leave with a last word: the broker drops the will of who leaves in order."""
        try:
            yield
        except asyncio.CancelledError:
            with suppress(aiomqtt.MqttError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._publish(client, self._states(regulation, book))
                    await client.publish(self._topics.status, OFFLINE, qos=_AT_LEAST_ONCE, retain=True)
            raise

    # What is published

    async def _announce(self, client: aiomqtt.Client, book: LimitBook) -> None:
        prefix, limits = self.settings.discovery, self.settings.limits
        if prefix is None:
            return
        for place in book.places:
            payload = json.dumps(device_of(place, self._topics, limits=limits), sort_keys=True)
            topic = self._topics.discovery(place, prefix)
            await client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=True)

    def _states(self, regulation: Regulation, book: LimitBook) -> dict[str, str]:
        prefix = self._topics.prefix
        counted = {f"{prefix}/refused": str(self._refused), f"{prefix}/refusal": self._refusal}
        return states_of(regulation.snapshot(), book, self._topics, self._clock.now_ms()) | counted

    async def _show(self, client: aiomqtt.Client, regulation: Regulation, book: LimitBook, born: asyncio.Event) -> None:
        """Publish what has changed, and everything now and then, or when Home Assistant has started."""
        shown: Mapping[str, str] = {}
        all_ms = self._clock.now_ms()
        while True:
            if born.is_set():
                born.clear()
                await self._announce(client, book)
                await client.publish(self._topics.status, ONLINE, qos=_AT_LEAST_ONCE, retain=True)
                all_ms = self._clock.now_ms()
            now_ms, states = self._clock.now_ms(), self._states(regulation, book)
            if now_ms >= all_ms:
                all_ms, shown = now_ms + self.settings.every_ms, {}
            await self._publish(client, {topic: text for topic, text in states.items() if shown.get(topic) != text})
            shown = states
            await asyncio.sleep(_SHOW_S)

    async def _publish(self, client: aiomqtt.Client, states: Mapping[str, str]) -> None:
        for topic, text in states.items():
            await client.publish(topic, text, qos=0, retain=False)

    # What is heard

    def _orders(self) -> Iterator[str]:
        """What is listened to."""
        prefix = self._topics.prefix
        if self.settings.limits:
            yield from (f"{prefix}/connector/+/limit_a/set", f"{prefix}/connector/+/enabled/set")
            yield f"{prefix}/circuit/+/limit_a/set"
        if self.settings.discovery is not None:
            yield f"{self.settings.discovery}/status"

    async def _listen(self, client: aiomqtt.Client, book: LimitBook, born: asyncio.Event) -> None:
        limits = {self._topics.order(place, "limit_a"): place for place in book.places}
        switches = {self._topics.order(place, "enabled"): place for place in book.places if place.kind == "connector"}
        async for message in client.messages:
            topic, payload, kept = message.topic.value, bytes(message.payload), bool(message.retain)
            try:
                if topic == f"{self.settings.discovery}/status":
                    if payload == ONLINE.encode() and not kept:
                        born.set()
                    continue
                if topic in limits:
                    book.order(limits[topic], payload, self._pulse.arrived_ms(), kept=kept)
                elif topic in switches:
                    book.enable(switches[topic], not payload.strip() or yes_or_no_of(payload), kept=kept)
                else:
                    self._refuse("", f"{topic[:100]} names nothing of this site")
                    continue
            except PayloadError as error:
                self._refuse(topic, f"{topic} {error}")
                continue
            self._changed.set()

    def _refuse(self, key: str, words: str) -> None:
        """Count a message that changes nothing, and say it, but not the same over and over."""
        self._refused += 1
        self._refusal = words[:250]
        now_ms = self._clock.now_ms()
        last, last_ms = self._refusals.get(key, ("", 0))
        if last != words or now_ms - last_ms >= _AGAIN_MS:
            self._refusals[key] = (words, now_ms)
            self._said(self._about, f"refused: {words}")
