"""The line to one device: one question at a time, bounded in time, and further apart when nobody answers.

Small devices lose answers, connections and at last themselves when they are asked for two things at once; so everybody
in this process who names the same host waits for the others.
"""

import asyncio
import weakref
from collections.abc import Callable

from powershare.adapter import Clock
from powershare.addressing import HostPort
from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable
from powershare_http.exchange import Answer, Fetch, Request, check_status

PATIENT_FAILURES = 3
"""So many failures in a row, and it counts as gone: it is then asked less often."""

FIRST_PAUSE_MS = 1_000
"""The first pause; each further one is twice as long, up to what the line was told."""

_Gates = weakref.WeakValueDictionary[HostPort, asyncio.Lock]
_GATES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Gates] = weakref.WeakKeyDictionary()


def _gate_of(place: HostPort) -> asyncio.Lock:
    """The one lock of a host, in this event loop."""
    gates = _GATES.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    gate = gates.get(place)
    if gate is None:
        gate = gates[place] = asyncio.Lock()
    return gate


def _always() -> None:
    """Nothing speaks against sending."""


class Line:
    """Asks a device.

    Args:
        place: Where it is.
        fetch: What moves questions and answers.
        clock: Where the time comes from.
        reply_ms: The longest that an answer may take, with the wait for others who ask the same device.
        longest_pause_ms: The longest that it is left in peace after failures.
    """

    def __init__(self, place: HostPort, fetch: Fetch, clock: Clock, *, reply_ms: int, longest_pause_ms: int) -> None:
        self._place, self._fetch, self._clock = place, fetch, clock
        self._reply_ms, self._longest_pause_ms = reply_ms, longest_pause_ms
        self._failures = 0
        self._failed_ms = 0
        self._failure = ""

    async def ask(
        self,
        request: Request,
        *,
        urgent: bool = False,
        check: Callable[[], None] = _always,
        until_ms: int | None = None,
        may_be_cut: bool = False,
    ) -> Answer:
        """Ask, when nobody else does.

        Args:
            request: What.
            urgent: Whether it is asked even if the device counts as gone: an order is.
            check: Called at the last moment before it is sent; may raise.
            until_ms: The instant at which it is given up, sent or not, if that comes before the longest answer; None:
                it does not matter.
            may_be_cut: Whether a body that ends too soon is an answer all the same.

        Raises:
            AdapterTimeout: No answer in time: what was sent may have had its effect, or may still have it.
            AdapterError: There is nobody, or it refused.
        """
        if not urgent:
            self._must_not_pause()
        within_ms = self._reply_ms
        if until_ms is not None:
            within_ms = max(0, min(within_ms, until_ms - self._clock.now_ms()))
        sent = False
        try:
            async with asyncio.timeout(within_ms / 1000), _gate_of(self._place):
                check()
                sent = True
                answer = await self._fetch.fetch(request)
        except AdapterError as error:
            self._failed(sent, error)
            raise
        except TimeoutError:
            late = AdapterTimeout(f"{self._place}: no answer to {request} within {within_ms} ms")
            self._failed(sent, late)
            raise late from None
        try:
            if not may_be_cut:
                _must_be_whole(self._place, request, answer)
            check_status(request, answer)
        except AdapterUnavailable as error:
            self._failed(sent, error)
            raise
        self._failures = 0
        return answer

    async def close(self) -> None:
        """Let go of the connection."""
        await self._fetch.close()

    def _failed(self, sent: bool, error: AdapterError) -> None:
        if sent:
            self._failures += 1
            self._failed_ms, self._failure = self._clock.now_ms(), str(error)

    def _must_not_pause(self) -> None:
        doublings = min(self._failures - PATIENT_FAILURES, 20)
        if doublings < 0:
            return
        pause_ms = min(FIRST_PAUSE_MS << doublings, self._longest_pause_ms)
        left_ms = self._failed_ms + pause_ms - self._clock.now_ms()
        if left_ms > 0:
            raise AdapterUnavailable(f"{self._failure}; it is left in peace for another {left_ms} ms")


def _must_be_whole(place: HostPort, request: Request, answer: Answer) -> None:
    if answer.cut:
        raise AdapterUnavailable(f"{place}: the answer to {request} was cut short")
