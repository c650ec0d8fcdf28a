"""One station on the line: questions and answers over its link, and what it has said of itself on it."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable
from powershare_ocpp.frames import Call, Message, Payload, Refusal, Result, message_of, shown, text_of
from powershare_ocpp.links import Link
from powershare_ocpp.messages import IN_TRANSACTION, NO_TRANSACTION, Abilities, Status, latest_ms, status_of
from powershare_ocpp.profiles import Rung, time_text
from powershare_ocpp.transactions import Transactions

HEARTBEAT_S = 60
_BEHIND_MS = 60_000
"""For so long a time that a station told says something of its clock."""

_MOST_SPOILED = 20
"""So many messages that cannot be read, and nothing between them that can: it speaks another language."""

_MOST_CONNECTORS = 64


@attrs.define
class ConnectorRecord:
    """What a station has said of one connector on this link.

    Attributes:
        status: Its state; None: it has not said.
        transaction: The number of its transaction; None: none, or it is not known.
        meter: Its last MeterValues; None: none yet.
        metered_ms: When those came, by our clock.
        rung: The best way of ending orders that the station has not refused again and again.
        refusals: How often in a row it has refused that.
        fallback_ma: What stays on it when orders end; None: it has not accepted one from us.
    """

    status: Status | None = None
    transaction: int | None = None
    meter: Payload | None = None
    metered_ms: int | None = None
    rung: Rung = Rung.TRANSACTION
    refusals: int = 0
    fallback_ma: int | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether a vehicle is being served."""
        if self.status is not None and self.status.name in NO_TRANSACTION:
            return False
        return self.transaction is not None or (self.status is not None and self.status.name in IN_TRANSACTION)


class _NotKnown(AdapterRejected):
    """The station has no answer to such a question, now or later."""


def _fixed(**answer: object) -> Callable[[Any, Payload], Payload]:
    return lambda _session, _payload: answer


class Session:
    """A station on the line.

    Args:
        station: Its identifier.
        link: The line.
        clock: Where the time comes from.
        since_1970_ms: What is to be added to the clock for the time since 1970.
        transactions: The numbers that transactions were given.

    Attributes:
        alive: Whether the link is.
        abilities: What it says of its charging profiles, once it has been asked.
        preparing: Held by who asks it.
        unable: Questions that it has no answer to; they are not repeated.
        times_told: How many of its messages told a time.
        booted: Set once it has said something.
    """

    def __init__(
        self, station: str, link: Link, *, clock: Clock, since_1970_ms: int, transactions: Transactions
    ) -> None:
        self.station = station
        self._link, self._clock, self._since_1970_ms = link, clock, since_1970_ms
        self._transactions = transactions
        self.alive = True
        self.abilities: Abilities | None = None
        self.preparing = asyncio.Lock()
        self.unable: set[str] = set()
        self._one_at_a_time = asyncio.Lock()
        self._ids = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Payload]] = {}
        self._awaited: dict[tuple[str, int], list[asyncio.Future[None]]] = {}
        self._records: dict[int, ConnectorRecord] = {}
        self._stamps: deque[tuple[int, int]] = deque(maxlen=32)
        self.times_told = 0
        self._spoiled = 0
        self.booted = asyncio.Event()

    def record(self, connector: int) -> ConnectorRecord:
        """What it has said of a connector."""
        if connector not in self._records and len(self._records) >= _MOST_CONNECTORS:
            return ConnectorRecord()
        return self._records.setdefault(connector, ConnectorRecord())

    def abort(self) -> None:
        """Hang up."""
        self._ends()
        self._link.abort()

    # Time

    def utc_ms(self) -> int:
        """The present, since 1970."""
        return self._clock.now_ms() + self._since_1970_ms

    def behind_ms(self) -> int | None:
        """By how much its clock may be behind ours; negative: it is ahead; None: it has told no time lately.

        What a message says was the station's present before it came, so that the clock is at least so far; of several
        messages the one that says most is the closest.
        """
        now_ms = self._clock.now_ms()
        recent = [behind_ms for at_ms, behind_ms in self._stamps if now_ms - at_ms <= _BEHIND_MS]
        return min(recent, default=None)

    def _stamped(self, payload: Payload) -> None:
        told_ms = latest_ms(payload)
        if told_ms is not None:
            self.times_told += 1
            self._stamps.append((self._clock.now_ms(), self.utc_ms() - told_ms))

    # Asking

    async def call(self, action: str, payload: Payload) -> Payload:
        """Ask, one question at a time, and wait for the answer; the caller says for how long.

        Raises:
            AdapterRejected: It cannot answer that; the text says why in its words.
            AdapterUnavailable: It hung up.
        """
        if action in self.unable:
            raise AdapterRejected(f"station {self.station} does not know {action}")
        async with self._one_at_a_time:
            if not self.alive:
                raise AdapterUnavailable(f"station {self.station} hung up")
            message_id = f"ps{next(self._ids)}"
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._asked[message_id] = answer
            try:
                await self._link.send(text_of(Call(message_id, action, payload)))
                return await answer
            except AdapterUnavailable as error:
                raise AdapterUnavailable(f"station {self.station} hung up") from error
            except _NotKnown:
                self.unable.add(action)
                raise
            finally:
                del self._asked[message_id]

    def hears(self, action: str, connector: int) -> asyncio.Future[None]:
        """A future that is done when the station next says this of that connector; cancel it when it is of no use."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._awaited.setdefault((action, connector), [])
        waiting[:] = [*(one for one in waiting if not one.done()), future]
        return future

    # Hearing

    async def serve(self) -> None:
        """Take what comes, until the station hangs up."""
        try:
            while self.alive:
                await self._take(await self._link.receive())
        except AdapterUnavailable:
            return
        finally:
            self._ends()

    def _ends(self) -> None:
        self.alive = False
        error = f"station {self.station} hung up"
        futures: list[asyncio.Future[Any]] = [*self._asked.values(), *itertools.chain(*self._awaited.values())]
        for future in futures:
            if not future.done():
                future.set_exception(AdapterUnavailable(error))
                future.exception()  # whoever waits hears of it, and nobody has to
        self._awaited.clear()

    async def _take(self, text: str | bytes) -> None:
        try:
            message = message_of(text)
        except AdapterRejected as error:
            self._spoiled += 1
            if self._spoiled > _MOST_SPOILED:
                raise AdapterUnavailable(f"station {self.station} speaks no OCPP: {error}") from None
            return
        self._spoiled = 0
        if isinstance(message, Call):
            self.booted.set()
            await self._link.send(text_of(self._answer(message)))
        else:
            self._answered(message)

    def _answered(self, message: Result | Refusal) -> None:
        future = self._asked.get(message.id)
        if future is None or future.done():
            return  # nobody waits for it any more
        if isinstance(message, Result):
            self._stamped(message.payload)
            future.set_result(message.payload)
            return
        words = f"station {self.station} refused: {message.code} {message.text}".rstrip()
        kind = _NotKnown if message.code in ("NotImplemented", "NotSupported") else AdapterRejected
        future.set_exception(kind(words))

    def _answer(self, call: Call) -> Message:
        handler = self._HANDLERS.get(call.action)
        if handler is None:
            return Refusal(call.id, "NotImplemented", f"{call.action} is not for a load manager")
        try:
            return Result(call.id, handler(self, call.payload))
        except AdapterError as error:
            return Refusal(call.id, "PropertyConstraintViolation", str(error)[:255])

    def _tell(self, action: str, connector: int) -> None:
        for future in self._awaited.pop((action, connector), ()):
            if not future.done():
                future.set_result(None)

    # What stations ask

    def _on_boot(self, _payload: Payload) -> Payload:
        return {"status": "Accepted", "currentTime": time_text(self.utc_ms()), "interval": HEARTBEAT_S}

    def _on_heartbeat(self, _payload: Payload) -> Payload:
        return {"currentTime": time_text(self.utc_ms())}

    def _on_status(self, payload: Payload) -> Payload:
        connector, record = self._record_of(payload)
        record.status = status_of(payload)
        if record.status.name in NO_TRANSACTION:
            record.transaction = None
        self._stamped(payload)
        self._tell("StatusNotification", connector)
        return {}

    def _on_meter_values(self, payload: Payload) -> Payload:
        connector, record = self._record_of(payload)
        record.meter, record.metered_ms = payload, self._clock.now_ms()
        transaction = payload.get("transactionId")
        if isinstance(transaction, int) and not isinstance(transaction, bool):
            record.transaction = transaction
        self._stamped(payload)
        self._tell("MeterValues", connector)
        return {}

    def _on_start(self, payload: Payload) -> Payload:
        _, record = self._record_of(payload)
        record.transaction = self._transactions.started(self.station, payload, self.utc_ms() // 1_000)
        if record.status is not None and record.status.name in NO_TRANSACTION:
            record.status = None  # it was of before; the next one follows
        return {"transactionId": record.transaction, "idTagInfo": {"status": "Accepted"}}

    def _on_stop(self, payload: Payload) -> Payload:
        for record in self._records.values():
            if record.transaction is not None and record.transaction == payload.get("transactionId"):
                record.transaction = None
                if record.status is not None and record.status.name in IN_TRANSACTION:
                    record.status = Status("Finishing")
        return {"idTagInfo": {"status": "Accepted"}}

    def _record_of(self, payload: Payload) -> tuple[int, ConnectorRecord]:
        connector = payload.get("connectorId")
        if not isinstance(connector, int) or isinstance(connector, bool) or not 0 <= connector <= _MOST_CONNECTORS:
            raise AdapterRejected(f"there is no connector {shown(connector)}")
        return connector, self.record(connector)

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Payload], Payload]]] = MappingProxyType(
        {
            "BootNotification": _on_boot,
            "Heartbeat": _on_heartbeat,
            "StatusNotification": _on_status,
            "MeterValues": _on_meter_values,
            "StartTransaction": _on_start,
            "StopTransaction": _on_stop,
            # Who may charge is not ours to say: everybody may.
            "Authorize": _fixed(idTagInfo={"status": "Accepted"}),
            "DataTransfer": _fixed(status="UnknownVendorId"),
            "SignCertificate": _fixed(status="Rejected"),
            "DiagnosticsStatusNotification": _fixed(),
            "FirmwareStatusNotification": _fixed(),
            "LogStatusNotification": _fixed(),
            "SecurityEventNotification": _fixed(),
            "SignedFirmwareStatusNotification": _fixed(),
        }
    )
