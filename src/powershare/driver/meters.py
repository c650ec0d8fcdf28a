"""One meter's task: it asks, and passes on what was measured with the age that the meter gives it.

Silence is passed on as nothing at all: a reading that is too old no longer counts, and in its place the commissioned
worst case does.
"""

import asyncio
from collections.abc import Callable

from powershare.adapter import Clock
from powershare.driver.calls import OPEN_MS, READ_MS, RETRY_MS, within, words_of
from powershare.errors import AdapterError
from powershare.metering import MeterAdapter, MeterReading
from powershare.node import OtherLoad
from powershare.site import Meter

POLL_MS = 1_000
"""How often a meter is asked at the most; more rarely where its readings may be old."""


class MeterHandler:
    """A meter and its adapter.

    Args:
        meter: What the site says of it.
        adapter: Its adapter.
        lines: Lines of the supply.
        clock: The adapter's clock.
        measured: Told every new measurement.
        said: Told words for people: the circuit, a sentence.

    Attributes:
        reading: The last measurement; None: none yet.
        reached: Whether it has answered lately.
    """

    def __init__(
        self,
        meter: Meter,
        adapter: MeterAdapter,
        lines: int,
        clock: Clock,
        *,
        measured: Callable[[OtherLoad], None],
        said: Callable[[str, str], None],
    ) -> None:
        self.meter, self._adapter, self._lines, self._clock = meter, adapter, lines, clock
        self._measured, self._said = measured, said
        self.reading: MeterReading | None = None
        self.reached = True
        self._warned = self._stuck = False

    def is_fresh(self, now_ms: int) -> bool:
        """Whether its last measurement counts."""
        return self.reading is not None and now_ms - self.reading.at_ms <= self.meter.stale_after_ms

    async def run(self) -> None:
        """Ask and pass on, until cancelled."""
        every_ms = min(POLL_MS, max(100, self.meter.stale_after_ms // 4))
        retries = 0
        is_open = False
        while True:
            try:
                if not is_open:
                    await within(self._adapter.open(), OPEN_MS, "open")
                    is_open = True
                reading = await within(self._adapter.read(), READ_MS, "read")
                self._check(reading)
                retries = 0
                wait_ms = every_ms
            except Exception as error:  # noqa: BLE001 - whatever a stranger's meter raises, it is a meter that is silent
                self._lost(error)
                is_open = False
                await self.close()
                wait_ms = RETRY_MS[min(retries, len(RETRY_MS) - 1)]
                retries += 1
            else:
                self._take(reading)
            await asyncio.sleep(wait_ms / 1000)
            self._warn()

    async def close(self) -> None:
        """Let go of it."""
        try:
            await within(self._adapter.close(), OPEN_MS, "close")
        except Exception as error:  # noqa: BLE001 - closing promises not to fail; a stranger's may
            if not self._stuck:
                self._said(self.meter.circuit, f"its meter could not be closed: {words_of(error)}")
            self._stuck = True

    def _check(self, reading: MeterReading) -> None:
        """Refuse what cannot have been measured, or not yet."""
        now_ms = self._clock.now_ms()
        if len(reading.load_ma) != self._lines:
            raise AdapterError(f"measures {len(reading.load_ma)} lines, and the supply has {self._lines}")
        if reading.at_ms > now_ms:
            raise AdapterError(f"says that it measured {reading.at_ms - now_ms} ms from now")

    def _take(self, reading: MeterReading) -> None:
        if not self.reached:
            self._said(self.meter.circuit, "its meter answers again")
        self.reached = True
        if self.reading is None or reading.at_ms > self.reading.at_ms:
            self.reading, self._warned = reading, False
            self._measured(OtherLoad(self.meter.circuit, reading.load_ma, reading.at_ms))

    def _lost(self, error: Exception) -> None:
        if self.reached:
            self._said(self.meter.circuit, f"its meter: {words_of(error)}")
        self.reached = False

    def _warn(self) -> None:
        """Say once that the worst case counts."""
        if not self._warned and not self.is_fresh(self._clock.now_ms()):
            self._warned = True
            self._said(self.meter.circuit, "its meter is silent: other loads count with their worst case")
