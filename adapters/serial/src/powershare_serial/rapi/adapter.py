"""An OpenEVSE behind the contract of `powershare.adapter`.

Rule 1: an order is volatile (`$SC n V`): the saved capacity lies in a memory that wears out.
Rule 2: what its supervision has lowered is never acknowledged (`$SY 165`), and the supervision never switched off: both
make the firmware offer its saved capacity at once. Setting it anew (`$SY t a`) ends a trip and raises nothing.
Rule 3: a pulse is only sent with an order that is valid.

Source: OpenEVSE/open_evse, firmware/open_evse/J1772EvseController.cpp (SetCurrentCapacity, HsPulse, HsRestoreAmpacity,
HeartbeatSupervision, HsExpirationCheck).
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import TypeVar

from powershare.adapter import Applied, Clock, Declaration, Offer, Reading
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.units import Milliamps
from powershare_serial.ports import Connect, Wiring, open_port
from powershare_serial.rapi.client import Client
from powershare_serial.rapi.frames import (
    BOOT_LOCK_DISABLED,
    Status,
    Supervision,
    bits_of,
    capacity_of,
    metered_ma,
    status_of,
    supervision_of,
    whole_of,
    words_of,
)
from powershare_serial.rapi.settings import AMP_MA, LEAST_A, LONGEST_WRITE_MS, settings_of

_T = TypeVar("_T")

_OPENING_MS = 5_000
_READING_MS = 1_000


class RapiAdapter:
    """An OpenEVSE on its serial line, or on a converter that passes its bytes on.

    Args:
        rest: What follows `serial+rapi:` in a site file: `///dev/ttyUSB0?greatest_a=32`; the README lists the settings.
        clock: Where the time comes from.
        connect: How to reach the unit; None: as the address says.

    Raises:
        FormatError: The address means nothing; every problem at once.
    """

    metered_lines: int
    """How many lines it measures (SupportsMetering); not there with `meter=no`."""

    set_fallback: Callable[[Milliamps], Awaitable[Milliamps]]
    """Set what its supervision lowers it to (SupportsFallback); not there where it restarts at its saved capacity."""

    def __init__(self, rest: str, /, *, clock: Clock, connect: Connect | None = None) -> None:
        self._settings = settings_of(rest)
        self._clock = clock
        wiring = Wiring(baud=self._settings.baud)
        self._connect = connect or functools.partial(open_port, self._settings.place, wiring)
        self._declaration = self._settings.declaration()
        self._fallback_a = self._settings.fallback_a
        self._wakes = True
        self._client: Client | None = None
        self._closings = 0
        if self._settings.meter:
            self.metered_lines = self._settings.lines
        if self._settings.restarts_off:
            self.set_fallback = self._set_fallback

    @property
    def declaration(self) -> Declaration:
        """What the unit promises with these settings."""
        return self._declaration

    async def open(self) -> None:
        """Dial, and hold the unit to its address; its supervision and boot lock are set where they are not so already.

        Raises:
            AdapterRejected: The unit is not what its address says; the text says what to write.
        """
        if self._client is not None:
            return
        closings = self._closings
        try:
            async with asyncio.timeout(_OPENING_MS / 1000):
                client = Client(await self._connect())
                await self._learn_or_hang_up(client)
        except AdapterTimeout:
            raise
        except TimeoutError:
            raise AdapterTimeout(f"the EVSE was not ready within {_OPENING_MS} ms") from None
        if closings != self._closings:  # close() may come at any moment, and then counts
            await client.port.close()
            raise AdapterUnavailable("the adapter was closed while it opened")
        self._client, self._wakes = client, True

    async def close(self) -> None:
        """Hang up; without pulses the unit's supervision lowers it to its fallback."""
        self._closings += 1
        client, self._client = self._client, None
        if client is not None:
            await client.port.close()

    async def offer(self, offer: Offer) -> Applied:
        """Order whole amps, rounded down, and feed the supervision; below 6 A the unit sleeps."""
        sendable_a = self._declaration.sendable_ma(offer.offered_ma) // AMP_MA

        def must_be_valid() -> None:
            if self._clock.now_ms() >= offer.valid_until_ms:
                raise AdapterRejected("the order was over before it could be sent")

        must_be_valid()
        work = functools.partial(self._order, sendable_a, must_be_valid)
        offered_ma = await self._exchange(LONGEST_WRITE_MS, work)
        return Applied(offered_ma=offered_ma, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask for state, capacity and current."""
        return await self._exchange(_READING_MS, self._read)

    async def _set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Have its supervision lower it to this: whole amps, at least 6 and at most `fallback_a` of the address."""
        if self._client is None:
            raise AdapterUnavailable("the adapter is not open")
        self._fallback_a = min(max(fallback_ma // AMP_MA, LEAST_A), self._settings.fallback_a)
        await self._exchange(LONGEST_WRITE_MS, functools.partial(self._supervise, exactly=True))
        return self._fallback_a * AMP_MA

    async def _exchange(self, longest_ms: int, work: Callable[[Client], Awaitable[_T]]) -> _T:
        client = self._client
        if client is None:
            raise AdapterUnavailable("the adapter is not open")
        done = False
        try:
            async with asyncio.timeout(longest_ms / 1000):
                result = await work(client)
            done = True
        except AdapterRejected:
            done = True
            raise
        except AdapterTimeout:
            raise
        except TimeoutError:
            raise AdapterTimeout(f"the EVSE did not answer within {longest_ms} ms") from None
        finally:
            # Without sequence ids a late answer would be taken for the answer to the next question.
            if not done and not client.sequenced:
                await self.close()
        return result

    async def _order(self, offered_a: int, must_be_valid: Callable[[], None], client: Client) -> Milliamps:
        """Lower first, then feed, then wake: an order that is cut short leaves the unit at no more than it was."""
        ask = functools.partial(client.ask, go_on=must_be_valid)
        if not offered_a:
            self._wakes = True
            words_of("FS", await ask("FS"), 0)
        # While it sleeps the capacity is what it would offer if somebody woke it by its button.
        applied_a = await self._set_capacity(client, offered_a or LEAST_A, must_be_valid)
        if self._settings.supervised:
            await self._pulse(client, must_be_valid)
        if not offered_a:
            return 0
        status = status_of(await ask("GS"))
        if status.boot_locked:
            # Perhaps it has restarted since it was told: then its capacity is the saved one, which only the lock holds.
            applied_a = await self._set_capacity(client, offered_a, must_be_valid)
            words_of("SB", await ask("SB"), 0)
        if status.stopped and self._wakes:
            words_of("FE", await ask("FE"), 0)
        asleep = status.stopped and not self._wakes  # somebody has put it to sleep by its button since it was woken
        self._wakes = False
        return 0 if asleep or status.fault is not None else applied_a * AMP_MA

    async def _set_capacity(self, client: Client, offered_a: int, must_be_valid: Callable[[], None]) -> int:
        """Set it, and return what holds. `$NK` with a figure is a unit that offers less: hot, or on a thin cable."""
        answer = await client.ask("SC", str(offered_a), "V", go_on=must_be_valid)
        if answer.words:
            applied_a = whole_of(answer.words[0])
        else:  # older firmware accepts without a word
            words_of("SC", answer, 0)
            applied_a = whole_of(words_of("GE", await client.ask("GE", go_on=must_be_valid), 1)[0])
        if applied_a > offered_a:
            raise AdapterRejected(f"told to offer {offered_a} A, the EVSE offers {applied_a} A")
        return applied_a

    async def _pulse(self, client: Client, must_be_valid: Callable[[], None]) -> None:
        supervision = supervision_of("SY", await client.ask("SY", go_on=must_be_valid))
        if supervision.missed or not self._holds(supervision, exactly=False):
            await self._set_supervision(client, must_be_valid)

    def _holds(self, supervision: Supervision, *, exactly: bool) -> bool:
        """Whether it acts when and how it should. Less than it may fall to will do: writing wears its memory."""
        falls_to_a = max(supervision.fallback_a, LEAST_A)
        right = falls_to_a == self._fallback_a if exactly else falls_to_a <= self._fallback_a
        return right and supervision.interval_s == self._settings.watchdog_s

    async def _set_supervision(self, client: Client, go_on: Callable[[], None] = lambda: None) -> None:
        words = (str(self._settings.watchdog_s), str(self._fallback_a))
        supervision = supervision_of("SY", await client.ask("SY", *words, go_on=go_on))
        if supervision.missed or not self._holds(supervision, exactly=True):
            raise AdapterRejected(f"told $SY {' '.join(words)}, the EVSE says it keeps {supervision}")

    async def _supervise(self, client: Client, *, exactly: bool = False) -> None:
        """See to it that the supervision is set. Asking does not feed it, so that opening keeps no old order alive."""
        answer = await client.ask("GY")
        if not answer.accepted:
            message = "its firmware has no heartbeat supervision ($SY): write watchdog_s=0 in its address"
            raise AdapterRejected(f"{message}, and it counts as offering its greatest whenever it is silent")
        if not self._holds(supervision_of("GY", answer), exactly=exactly):
            await self._set_supervision(client)

    async def _learn_or_hang_up(self, client: Client) -> None:
        learnt = False
        try:
            await client.greet()
            await self._learn(client)
            learnt = True
        finally:
            if not learnt:
                await client.port.close()

    async def _learn(self, client: Client) -> None:
        settings = self._settings
        status = status_of(await client.ask("GS"))
        capacity = capacity_of(await client.ask("GC"))
        if capacity.hardware_a < settings.greatest_a or capacity.least_a > LEAST_A:
            at_most = f"the EVSE offers {capacity.least_a} to {capacity.hardware_a} A"
            raise AdapterRejected(f"{at_most}: write greatest_a={capacity.hardware_a} in its address")
        if settings.meter:
            metered_ma(await client.ask("GG"))
        if settings.restarts_off:
            await self._lock_at_boot(client, status)
        elif (capacity.saved_a or capacity.hardware_a) > settings.greatest_a:
            saved_a = capacity.saved_a or capacity.hardware_a
            message = f"after a restart the EVSE offers {saved_a} A, more than greatest_a={settings.greatest_a}"
            raise AdapterRejected(f"{message}: save less in its menu, or write greatest_a={saved_a}")
        if settings.supervised:
            await self._supervise(client)
            return
        answer = await client.ask("GY")
        if answer.accepted and supervision_of("GY", answer).interval_s:
            interval_s = supervision_of("GY", answer).interval_s
            raise AdapterRejected(
                f"the EVSE has a heartbeat supervision of {interval_s} s: write watchdog_s={interval_s}"
            )

    async def _lock_at_boot(self, client: Client, status: Status) -> None:
        """See to it that a restart leaves the unit off; saved only where it is not so already."""
        flags = bits_of(words_of("GE", await client.ask("GE"), 2)[1])
        if flags & BOOT_LOCK_DISABLED:
            answer = await client.ask("FF", "L", "1")
        elif status.boot_locked:
            return
        else:
            answer = await client.ask(
                "SB"
            )  # not locked now, it is not unlocked by this, but says whether it has a lock
        if not answer.accepted:
            message = "its firmware has no boot lock, so that it offers its saved capacity after a restart"
            raise AdapterRejected(f"{message}: write boot_lock=no in its address, and that counts as its fallback")

    async def _read(self, client: Client) -> Reading:
        status = status_of(await client.ask("GS"))
        offered_ma = whole_of(words_of("GE", await client.ask("GE"), 1)[0]) * AMP_MA if status.offers else 0
        drawn_ma = None
        if self._settings.meter:
            drawn_ma = (metered_ma(await client.ask("GG")),) * self._settings.lines
        return Reading(
            at_ms=self._clock.now_ms(),
            offered_ma=max(offered_ma, 0),
            state=status.state_letter,
            drawn_ma=drawn_ma,
            contactor_closed=status.contactor_closed,
            fault=status.fault,
        )
