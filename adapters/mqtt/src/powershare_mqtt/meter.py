"""A meter whose readings somebody publishes on a broker.

# Rule 1: what the broker kept from before has no known age: it is silence, unless it carries a time stamp.
# Rule 2: the same figure again is a new measurement. Whoever measures says so; whoever only repeats says nothing.
# Rule 3: what came while this process stood still may be as old as that: it counts from before.
# Rule 4: with a topic per line, the reading is as old as the oldest of them.
"""

import asyncio
import time
from collections.abc import Callable

import aiomqtt

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable
from powershare.metering import MeterReading
from powershare_mqtt.addresses import MeterSettings, meter_settings_of
from powershare_mqtt.connection import connected, ended, may_read
from powershare_mqtt.payloads import PayloadError, sample_of
from powershare_mqtt.pulse import Pulse

_TICK_S = 0.5


class MqttMeter:
    """A meter on a broker.

    Args:
        rest: `TOPIC?setting=value&...`, or a topic per line with commas between; the README lists the settings.
        clock: Where the time comes from.
        wall_s: Unix time, by which time stamps are judged.

    Raises:
        FormatError: A setting cannot be; every problem at once.
    """

    def __init__(self, rest: str, /, *, clock: Clock, wall_s: Callable[[], float] = time.time) -> None:
        self.settings: MeterSettings = meter_settings_of(rest)
        self._clock, self._wall_s = clock, wall_s
        self._pulse = Pulse(clock)
        self._task: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()
        self._figures: dict[str, MeterReading] = {}
        self._wrong: dict[str, str] = {}
        self._kept: set[str] = set()

    async def open(self) -> None:
        """Dial the broker, and wait for the meter's first word."""
        if self._task is not None and not self._task.done():
            return
        await self.close()
        self._pulse, self._heard = Pulse(self._clock), asyncio.Event()
        self._figures, self._wrong, self._kept = {}, {}, set()
        task = self._task = asyncio.ensure_future(self._listen())
        hearing = asyncio.ensure_future(self._heard.wait())
        try:
            await asyncio.wait(
                [task, hearing], timeout=self.settings.wait_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            self._must_be_there(task)
            self._must_speak()
        except BaseException:
            if self._task is task:
                await self.close()
            raise
        finally:
            await ended(hearing)

    async def read(self) -> MeterReading:
        """What was published last, with its age."""
        self._must_be_there(self._task)
        self._must_speak()
        readings = [self._figures[topic] for topic in self.settings.topics]
        at_ms = min(reading.at_ms for reading in readings)
        load_ma = tuple(figure_ma for reading in readings for figure_ma in reading.load_ma)
        lines = self.settings.lines
        if lines is not None and len(load_ma) == 1:
            load_ma *= lines  # nobody knows on which line it flows: it counts on each
        return MeterReading(at_ms=at_ms, load_ma=load_ma)

    async def close(self) -> None:
        """Let go of it."""
        task, self._task = self._task, None
        if task is not None:
            await ended(task)

    def _must_be_there(self, task: "asyncio.Task[None] | None") -> None:
        if task is None or task is not self._task:
            raise AdapterUnavailable("the meter is not open" if task is None else "the meter was closed meanwhile")
        if not task.done():
            return
        error = None if task.cancelled() else task.exception()
        if isinstance(error, AdapterError):
            raise error
        raise AdapterUnavailable(f"{self.settings.broker.words} was lost: {error!r}")

    def _must_speak(self) -> None:
        for topic, words in self._wrong.items():
            raise AdapterUnavailable(f"{topic} {words}")
        if not self._heard.is_set():
            raise AdapterTimeout(self._silence())

    def _silence(self) -> str:
        missing = ", ".join(topic for topic in self.settings.topics if topic not in self._figures)
        kept = "; what the broker had kept does not count, since its age is not known" if self._kept else ""
        return f"nothing was published on {missing} within {self.settings.wait_ms / 1000:g} s{kept}"

    async def _listen(self) -> None:
        async with connected(self.settings.broker) as client:
            for topic in self.settings.topics:
                if not await may_read(client, topic, qos=0):  # one that is lost is followed by another
                    raise AdapterUnavailable(f"{self.settings.broker.words} does not let us read {topic}")
            ticking = asyncio.ensure_future(self._tick())
            try:
                async for message in client.messages:
                    self._take(message)
            finally:
                await ended(ticking)

    async def _tick(self) -> None:
        while True:
            self._pulse.tick()
            await asyncio.sleep(_TICK_S)

    def _take(self, message: aiomqtt.Message) -> None:
        """A message of one of the topics."""
        topic, payload = message.topic.value, bytes(message.payload)
        at_ms = self._pulse.arrived_ms()
        try:
            sample = sample_of(payload, self.settings)
            figures_ma = self._fitting(sample.figures_ma)
            if sample.stamp_s is not None:
                at_ms = self._stamped_ms(sample.stamp_s)
            elif message.retain:
                self._kept.add(topic)
                return
        except PayloadError as error:
            if not message.retain:  # what the broker kept is no word of the meter, whatever it says
                self._wrong[topic] = str(error)
            return
        self._wrong.pop(topic, None)
        self._figures[topic] = MeterReading(at_ms=at_ms, load_ma=figures_ma)
        if all(one in self._figures for one in self.settings.topics):
            self._heard.set()

    def _fitting(self, figures_ma: tuple[int, ...]) -> tuple[int, ...]:
        topics, lines = len(self.settings.topics), self.settings.lines
        if topics > 1 and len(figures_ma) > 1:
            raise PayloadError(f"has {len(figures_ma)} figures, and there is a topic per line; send one")
        if topics == 1 and lines is not None and len(figures_ma) not in {1, lines}:
            raise PayloadError(f"has {len(figures_ma)} figures; send one, or {lines}")
        return figures_ma

    def _stamped_ms(self, stamp_s: float) -> int:
        """When it was taken, on the meter's clock."""
        age_ms = round((self._wall_s() - stamp_s) * 1000)
        if age_ms < -self.settings.clock_ms:
            raise PayloadError(f"has a time stamp {-age_ms / 1000:g} s from now; set the clocks, or raise clock_s")
        return self._clock.now_ms() - max(0, age_ms)
