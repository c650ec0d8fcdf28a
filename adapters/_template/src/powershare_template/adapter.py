"""Joins frames and transport to the contract of `powershare.adapter`."""

import asyncio
import functools

from powershare.adapter import Applied, Clock, Deadman, Declaration, Offer, Reading
from powershare.addressing import host_port_of
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable, FormatError, Problem
from powershare.units import Milliamps
from powershare_template.frames import (
    ASK,
    ASK_FAILSAFE,
    Expected,
    Failsafe,
    Lines,
    Refusal,
    Status,
    expect,
    failsafe,
    order,
)
from powershare_template.transport import Connect, TcpTransport, Transport

# From the manual of the made-up box. Everything here is checked by the conformance kit.
DECLARATION = Declaration(
    step_ma=1_000,
    least_offer_ma=6_000,
    greatest_offer_ma=32_000,
    can_pause=True,
    deadman=Deadman.WATCHDOG,
    watchdog_ms=10_000,  # without an order for 10 s the box offers its failsafe amps
    fallback_ma=6_000,  # which are 6 A in a new box, and are never set higher here
    settle_ms=100,
    longest_write_ms=500,
    confirms_applied=True,  # the answer to an order is the box's status
)


class BoxAdapter:
    """The made-up box.

    Args:
        rest: `HOST:PORT`, what follows `template:` in a site file.
        clock: Where the time comes from.
        connect: How to reach the box; None: TCP.

    Raises:
        FormatError: The rest is no host and port.
    """

    metered_lines = 1
    """It measures one line (SupportsMetering)."""

    def __init__(self, rest: str, /, *, clock: Clock, connect: Connect | None = None) -> None:
        try:
            place = host_port_of(rest)
        except ValueError as error:
            problem = Problem(f'adapter "template:{rest}"', "", f"{error}; write template:HOST:PORT")
            raise FormatError([problem]) from None
        self._clock = clock
        self._connect = connect or functools.partial(TcpTransport.connect, place.host, place.tcp_port)
        self._transport: Transport | None = None
        self._lines = Lines()
        self._closings = 0

    @property
    def declaration(self) -> Declaration:
        """What the box's manual promises."""
        return DECLARATION

    async def open(self) -> None:
        """Dial. The box is neither asked nor told anything."""
        if self._transport is not None:
            return
        closings = self._closings
        try:
            async with asyncio.timeout(2):
                transport = await self._connect()
        except TimeoutError:
            raise AdapterTimeout("no connection within 2 s") from None
        if closings != self._closings:  # close() may come at any moment, and then counts
            await transport.close()
            raise AdapterUnavailable("the adapter was closed while it opened")
        self._transport, self._lines = transport, Lines()

    async def close(self) -> None:
        """Hang up; the box's watchdog brings it to its failsafe amps."""
        self._closings += 1
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def offer(self, offer: Offer) -> Applied:
        """Order whole amps, rounded down; the box answers with what it offers now."""
        sendable_ma = DECLARATION.sendable_ma(offer.offered_ma)
        if self._clock.now_ms() >= offer.valid_until_ms:
            raise AdapterRejected("the order was over before it could be sent")
        status = await self._exchange(order(sendable_ma), Status)
        return Applied(offered_ma=status.offered_ma, at_ms=self._clock.now_ms())

    async def read(self) -> Reading:
        """Ask for the box's status."""
        status = await self._exchange(ASK, Status)
        return Reading(
            at_ms=self._clock.now_ms(), offered_ma=status.offered_ma, state=status.state, drawn_ma=(status.drawn_ma,)
        )

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Set the failsafe amps, unless they are so already: the box keeps them in a memory that wears out."""
        wanted_ma = DECLARATION.sendable_ma(min(fallback_ma, DECLARATION.fallback_ma))
        kept = await self._exchange(ASK_FAILSAFE, Failsafe)
        if kept.fallback_ma != wanted_ma:
            kept = await self._exchange(failsafe(wanted_ma), Failsafe)
        return kept.fallback_ma

    async def _exchange(self, request: bytes, kind: type[Expected]) -> Expected:
        transport = self._transport
        if transport is None:
            raise AdapterUnavailable("the adapter is not open")
        done = False
        try:
            async with asyncio.timeout(DECLARATION.longest_write_ms / 1000):
                await transport.send(request)
                while True:
                    data = await transport.receive()
                    answers = self._lines.feed(data)
                    if answers or not data:
                        answer = answers[-1] if answers else None
                        done = isinstance(answer, kind | Refusal)
                        return expect(kind, answer)
        except TimeoutError:
            raise AdapterTimeout(f"no answer within {DECLARATION.longest_write_ms} ms") from None
        finally:
            # An answer that comes too late would be taken for the answer to the next question. A new connection has
            # none, so that whatever ended this exchange, a cancellation too, also ends the connection.
            if not done:
                await self.close()
