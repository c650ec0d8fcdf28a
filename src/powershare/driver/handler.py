"""One device's task: it alone speaks to its adapter, one call at a time, and reconnects for ever.

What an adapter does wrong stays with its device: an error of any kind is a device that is not reached.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from powershare.adapter import Adapter, Clock, Deadman, Declaration, Offer, Reading, SupportsContactor, SupportsFallback
from powershare.driver.actuator import AGAIN_MS, Actuator
from powershare.driver.bounds import Bound
from powershare.driver.calls import OPEN_MS, READ_MS, RETRY_MS, within, words_of
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable, ContractError
from powershare.leases import Pilot
from powershare.node import Event, Limited
from powershare.units import MAX_CONNECTOR_MA, Milliamps, amps_text

POLL_MS = 1_000
"""How often a device is asked how it is."""

SOONEST_MS = 50
"""The least time between two questions."""

RETRIES = 3
"""So many answers may be missing before the connection is dialled anew."""

TOLERANCE_MA: Milliamps = 500
"""What a meter may read above the truth."""

LEAVE_MS = 3_000
"""For how long the last order holds; then the device is left alone."""


class Handler:
    """A device and its adapter.

    Args:
        connector_id: Whose device it is.
        adapter: Its adapter; opened or not.
        actuator: What it is to be told, and what its reports prove.
        clock: The adapter's clock.
        fallback_ma: What the device is to do when it is left alone, where that can be set.
        happened: Told what the device's reports mean for its node.
        limited: Told what somebody else limits the device to.
        said: Told words for people: the connector, a sentence.
        looked: Told after every report, and when the device is no longer reached.

    Attributes:
        reached: Whether the device has answered lately.
        errors: How often it did not, by kind of error.
    """

    def __init__(
        self,
        connector_id: str,
        adapter: Adapter,
        actuator: Actuator,
        clock: Clock,
        *,
        fallback_ma: Milliamps,
        happened: Callable[[str, Iterable[Event]], None],
        limited: Callable[[Limited], None],
        said: Callable[[str, str], None],
        looked: Callable[[str], None],
    ) -> None:
        self.connector_id, self.adapter, self.actuator = connector_id, adapter, actuator
        self._clock, self._happened, self._said, self._looked = clock, happened, said, looked
        self._bound, self._limited = Bound(connector_id, adapter), limited
        self._fallback_ma = fallback_ma
        self._news = asyncio.Event()
        self._open = False
        self._retries = 0
        self._retry_ms = 0
        self._asked_ms: int | None = None
        self._noted: str | None = None  # what was said to be wrong last
        self._missed = False
        self._cut_off: bool | None = None  # whether its contactor is held open; None: nobody knows
        self._cut_off_again_ms = 0
        self.reached = True
        self.errors: dict[str, int] = {}

    @property
    def declaration(self) -> Declaration:
        """What its adapter promises."""
        return self.adapter.declaration

    def tell(self, pilot: Pilot) -> None:
        """The node wants this of the device from now on."""
        self.actuator.order(pilot)
        self._news.set()

    async def dial(self) -> None:
        """Reach the device for the first time, so far as it can be reached."""
        try:
            await self._dial()
        except Exception as error:  # noqa: BLE001 - whatever a stranger's adapter raises, the others can be regulated
            await self._lost(error if isinstance(error, AdapterError) else AdapterUnavailable(words_of(error)))

    async def run(self) -> None:
        """Carry out what the node wants, and report, until cancelled."""
        while True:
            self._news.clear()
            self._ask_bound()
            offer, reading = self._due(), None
            try:
                reading = await self._do_next(offer)
            except AdapterError as error:
                await self._lost(error)
            except Exception as error:  # noqa: BLE001 - whatever a stranger's adapter raises, the others go on
                await self._lost(AdapterUnavailable(words_of(error)))
            if reading is not None:
                self._take(reading)
            self._unreached()
            await self._wait()

    def _ask_bound(self) -> None:
        """Pass on what somebody else limits the device to."""
        try:
            self._bound.ask()
        except Exception as error:  # noqa: BLE001 - whatever a stranger's adapter raises, what it said before counts
            self._count(error if isinstance(error, AdapterError) else AdapterUnavailable(words_of(error)))
        for event in self._bound.news(self._clock.now_ms()):
            try:
                self._limited(event)
            except ContractError as error:  # too many are in force here; its adapter keeps its orders within it anyway
                self._said(self.connector_id, str(error))

    def _due(self) -> Offer | None:
        """The order that is to go out now, its node knowing that it may hold from now on."""
        now_ms = self._clock.now_ms()
        offer = self.actuator.due(now_ms) if self._open else None
        if offer is not None:
            self._happened(self.connector_id, self.actuator.sending(offer, now_ms))
        return offer

    async def _do_next(self, offer: Offer | None) -> Reading | None:
        """One thing that is due: dial, order, ask; answers what it reports."""
        now_ms = self._clock.now_ms()
        if not self._open:
            if now_ms < self._redial_ms():
                return None
            await self._dial()
            return await self._read()  # what it really does, before it is told anything
        try:
            if offer is not None:
                await self._order(offer)
                self._noted = None
            await self._contactor()
        except AdapterRejected as error:
            self._count(error)  # it answers, and is told again
        if offer is None and self._read_due_ms() <= now_ms:
            return await self._read()
        return None

    async def _dial(self) -> None:
        adapter, actuator = self.adapter, self.actuator
        await within(adapter.open(), OPEN_MS, "open")
        actuator.forget()
        if isinstance(adapter, SupportsFallback) and adapter.declaration.deadman is not Deadman.NONE:
            await self._set_fallback(adapter)
        self._open, self._cut_off = True, None

    async def _set_fallback(self, adapter: SupportsFallback) -> None:
        """Have the device do no more than its fallback when it is left alone; what it declared counts until it does."""
        declared_ma, wanted_ma = self.declaration.fallback_ma, self._fallback_ma
        try:
            answer_ma: object = await within(adapter.set_fallback(wanted_ma), OPEN_MS, "set_fallback")
        except AdapterRejected as error:
            self._count(error)
            answer_ma = declared_ma
        if not isinstance(answer_ma, int) or answer_ma < 0:
            raise AdapterUnavailable(f"its adapter says that its fallback is {answer_ma!r}, which cannot be")
        left_alone_ma = self.actuator.left_alone_ma = min(answer_ma, declared_ma)
        if left_alone_ma > wanted_ma:
            self._said(
                self.connector_id,
                f"left alone, its device offers up to {amps_text(left_alone_ma)}, above its fallback of "
                f"{amps_text(wanted_ma)}, and cannot be set lower",
            )

    async def _order(self, offer: Offer) -> None:
        actuator, declaration = self.actuator, self.declaration
        done = False
        try:
            await within(self.adapter.offer(offer), declaration.longest_write_ms, "offer")
            done = True
        finally:
            (actuator.sent if done else actuator.failed)(self._clock.now_ms())

    async def _contactor(self) -> None:
        """Cut a vehicle off that does not follow its pilot, where the device can; the pilot says 0 in any case."""
        due_ms, adapter = self._contactor_due_ms(), self.adapter
        if due_ms is None or due_ms > self._clock.now_ms() or not isinstance(adapter, SupportsContactor):
            return
        self._cut_off_again_ms = self._clock.now_ms() + AGAIN_MS
        must_open = self._must_cut_off
        call = adapter.open_contactor() if must_open else adapter.release_contactor()
        await within(call, self.declaration.longest_write_ms, "contactor")
        self._cut_off = must_open

    @property
    def _must_cut_off(self) -> bool:
        pilot = self.actuator.pilot
        return pilot is not None and pilot.open and pilot.why == "opened"

    def _contactor_due_ms(self) -> int | None:
        """When its contactor is to be told something, whatever its pilot says; None: it knows, or has none."""
        knows = self._cut_off is self._must_cut_off or self.actuator.pilot is None
        if knows or not self._open or not isinstance(self.adapter, SupportsContactor):
            return None
        if not self._must_cut_off and self.actuator.quiet_until_ms(self._clock.now_ms()) is not None:
            return None
        return self._cut_off_again_ms

    async def _read(self) -> Reading:
        """Ask it."""
        self._asked_ms = self._clock.now_ms()
        self.actuator.asking(self._asked_ms)
        try:
            reading: Reading = await within(self.adapter.read(), READ_MS, "read")
        finally:
            self.actuator.asking(self._clock.now_ms())
        self._check(reading)
        return reading

    def _check(self, reading: Reading) -> None:
        """Refuse what its node would refuse: no report of a device may be a mistake of ours.

        Raises:
            AdapterUnavailable: It is none, or no device can have said so, or not yet.
        """
        now_ms = self._clock.now_ms()
        currents_ma = (reading.offered_ma, *(reading.drawn_ma or ()))
        if reading.at_ms > now_ms:
            raise AdapterUnavailable(f"its adapter reports what will be in {reading.at_ms - now_ms} ms")
        if max(currents_ma) > MAX_CONNECTOR_MA:
            raise AdapterUnavailable(f"its adapter reports {max(currents_ma)} mA, more than any connector has")
        if reading.vehicle is not None:
            reading.vehicle.encode()  # a UnicodeEncodeError says enough

    def _take(self, reading: Reading) -> None:
        """Tell what it reports."""
        if self._missed:
            self._said(self.connector_id, "answers again")
        self.reached, self._missed, self._retries = True, False, 0
        if self._cut_off and reading.contactor_closed:
            self._cut_off = None  # it has forgotten that
        self._happened(self.connector_id, tuple(self.actuator.read(reading, self._asked_ms or 0)))
        self._looked(self.connector_id)

    def _read_due_ms(self) -> int:
        """When the device is to be asked next."""
        now_ms = self._clock.now_ms()
        last_ms, quiet_ms = self._asked_ms, self.actuator.quiet_until_ms(now_ms)
        if quiet_ms is not None and self.declaration.fed_by_reads:
            return quiet_ms
        if last_ms is None:
            return now_ms
        if not self.reached:
            return max(last_ms + SOONEST_MS, self._retry_ms)
        confirm_ms = self.actuator.confirm_from_ms if self.actuator.confirming else None
        if confirm_ms is not None:
            return min(last_ms + POLL_MS, max(confirm_ms, last_ms + SOONEST_MS))
        return last_ms + POLL_MS

    def _redial_ms(self) -> int:
        """When the connection is to be dialled next: whoever dials asks, and may set what it does when left alone."""
        return max(self._retry_ms, self.actuator.quiet_until_ms(self._clock.now_ms()) or 0)

    async def _wait(self) -> None:
        """Until something is due."""
        now_ms = self._clock.now_ms()
        if self._open:
            due_ms = self.actuator.next_ms(now_ms)
            read_ms = self._read_due_ms()
            due_ms = min(due for due in (due_ms, read_ms, self._contactor_due_ms()) if due is not None)
        else:
            due_ms = self._redial_ms()
        down_ms = self.actuator.down_ms()
        if not self.reached and down_ms is not None and down_ms > now_ms:
            due_ms = min(due_ms, down_ms)
        bound_ms = self._bound.due_ms()
        if bound_ms is not None and bound_ms > now_ms:
            due_ms = min(due_ms, bound_ms)
        if self._open and self._news.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0, due_ms - now_ms) / 1000):
                await self._news.wait()

    # What goes wrong

    def _count(self, error: AdapterError) -> bool:
        """Count what went wrong, and say it, once until an order gets through; answers whether it was said."""
        kind, words = type(error).__name__, str(error)
        self.errors[kind] = self.errors.get(kind, 0) + 1
        if not self.reached or words == self._noted:
            return False
        self._noted = words
        self._said(self.connector_id, words)
        return True

    async def _lost(self, error: AdapterError) -> None:
        """An answer is missing; after some, and where there is no connection any more, it is dialled anew."""
        if self._count(error):
            self._missed = True
        self.reached = False
        self._retries += 1
        wait_ms = RETRY_MS[min(self._retries, len(RETRY_MS)) - 1]
        self._retry_ms = self._clock.now_ms() + wait_ms
        if isinstance(error, AdapterUnavailable) or self._retries >= RETRIES:
            await self._hang_up()

    def _unreached(self) -> None:
        actuator, now_ms = self.actuator, self._clock.now_ms()
        if not self.reached and actuator.is_silent(now_ms):
            events = tuple(actuator.unreached(now_ms))
            if events:
                self._happened(self.connector_id, events)
                self._looked(self.connector_id)

    async def _hang_up(self) -> None:
        self._open = False
        with contextlib.suppress(Exception):
            await within(self.adapter.close(), OPEN_MS, "close")

    # The end

    async def leave_at_most(self, fallback_ma: Milliamps) -> bool:
        """Bring the device down to its fallback where it may be above it, as one of the last things it is told.

        Returns:
            Whether it says that it offers no more than that, or its dead man has surely acted.
        """
        if self.actuator.most_offered_ma(self._clock.now_ms()) <= fallback_ma:
            return True
        return await self.leave_at(fallback_ma)

    def stays_below(self, fallback_ma: Milliamps) -> bool:
        """Whether it has no dead man that would end its last order, and that order is below its fallback."""
        most_ma = self.actuator.most_offered_ma(self._clock.now_ms())
        return self.declaration.deadman is Deadman.NONE and most_ma < fallback_ma

    async def draws_at_most(self, fallback_ma: Milliamps) -> bool:
        """Whether its vehicle has followed, as far as anybody measures."""
        try:
            drawn_ma = (await within(self.adapter.read(), READ_MS, "read")).drawn_ma
        except Exception as error:  # noqa: BLE001 - as above
            self._said(self.connector_id, f"could not be asked what it draws: {words_of(error)}")
            return False
        return drawn_ma is None or max(drawn_ma) <= fallback_ma + TOLERANCE_MA

    async def leave_at(self, fallback_ma: Milliamps) -> bool:
        """Leave it at its fallback; answers whether it says that it offers no more than that."""
        sendable_ma = self.declaration.sendable_ma(fallback_ma)
        offer = Offer(offered_ma=sendable_ma, valid_until_ms=self._clock.now_ms() + LEAVE_MS, then_ma=sendable_ma)
        try:
            if not self._open:
                await within(self.adapter.open(), OPEN_MS, "open")
                self._open = True
            self.actuator.sending(offer, self._clock.now_ms())
            await self._order(offer)
            await asyncio.sleep(self.actuator.shows_after_ms / 1000)
            reading = await within(self.adapter.read(), READ_MS, "read")
        except Exception as error:  # noqa: BLE001 - as above
            self._said(self.connector_id, f"could not be told its fallback: {words_of(error)}")
        else:
            tuple(self.actuator.read(reading, self._clock.now_ms()))
            self._looked(self.connector_id)
            return reading.offered_ma <= fallback_ma
        return False

    async def close(self) -> None:
        """Let go of the device."""
        await self._hang_up()
