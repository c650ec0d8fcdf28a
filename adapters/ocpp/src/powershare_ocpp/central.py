"""The central system: one for each place where we listen, shared by all connectors whose stations dial in there."""

import asyncio
import hmac
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from powershare.adapter import Clock
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_ocpp.dialect16 import Dialect16
from powershare_ocpp.dialect201 import Dialect201
from powershare_ocpp.door import WebSocketDoor
from powershare_ocpp.links import Door, Hello, Link, Refused
from powershare_ocpp.session import NewDialect, Session
from powershare_ocpp.settings import VERSIONS, Settings
from powershare_ocpp.transactions import Transactions

NewDoor: TypeAlias = Callable[[Settings], Door]

_DIALECTS: Mapping[str, NewDialect] = MappingProxyType(
    {dialect.subprotocol: dialect for dialect in (Dialect201, Dialect16)}
)
"""Versions of OCPP, by the names of their subprotocols."""

_MOST_STRANGERS = 8


def websocket_door(settings: Settings) -> Door:
    """A WebSocket server where the settings say."""
    return WebSocketDoor(settings.host, settings.tcp_port, settings.security)


def host_utc_ms() -> int:
    """The host's time since 1970."""
    return time.time_ns() // 1_000_000


class Seat:
    """One adapter's place at a central system.

    Args:
        central: It.
        settings: The adapter's address.
        password: The station's; None: it needs none.
    """

    def __init__(self, central: "Central", settings: Settings, password: str | None) -> None:
        self.settings, self.password = settings, password
        self._central = central
        self._left = False
        self.news = asyncio.Event()

    async def sit(self) -> Session:
        """Wait until the station has dialled in.

        Raises:
            AdapterUnavailable: One cannot listen there, the station has not come, or this seat was left meanwhile.
        """
        await self._central.start()
        try:
            async with asyncio.timeout(self.settings.wait_ms / 1_000):
                while (session := self._central.session(self.settings.station)) is None:
                    if self._left:
                        break
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AdapterUnavailable(self._central.absent(self.settings)) from None
        if self._left or session is None:
            raise AdapterUnavailable("the adapter was closed while it opened")
        return session

    def session(self) -> Session:
        """The station, if it is on the line now.

        Raises:
            AdapterUnavailable: It is not.
        """
        session = None if self._left else self._central.session(self.settings.station)
        if session is None:
            raise AdapterUnavailable(f"station {self.settings.station} is not on the line")
        return session

    async def leave(self) -> None:
        """Give the place up; the last one closes the door behind it."""
        if not self._left:
            self._left = True
            self.news.set()
            await self._central.leave(self)


class Central:
    """A central system.

    Args:
        place: Where it listens, for messages.
        new_door: Makes the door at which stations dial in.
        clock: Where the time comes from.
        utc_ms: The time since 1970; asked once when it starts, and kept with the clock from then on.
    """

    def __init__(self, place: str, new_door: NewDoor, clock: Clock, utc_ms: Callable[[], int]) -> None:
        self._place, self._new_door, self._clock, self._utc_ms = place, new_door, clock, utc_ms
        self._since_1970_ms = 0
        self._opening = asyncio.Lock()
        self._door: Door | None = None
        self._seats: list[Seat] = []
        self._sessions: dict[str, Session] = {}
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._transactions = Transactions()

    def seat(self, settings: Settings, password: str | None) -> Seat:
        """A place for one more adapter.

        Raises:
            AdapterRejected: Its address contradicts another one's.
        """
        if self._seats and settings.security != self._seats[0].settings.security:
            raise AdapterRejected(
                f"tls_cert, tls_key and client_ca differ between addresses that listen on {self._place}; "
                "write the same for each"
            )
        alike = [seat for seat in self._seats if seat.settings.station == settings.station]
        if any(seat.password != password or seat.settings.client_cn != settings.client_cn for seat in alike):
            raise AdapterRejected(
                f"password_file and client_cn differ between connectors of station {settings.station}; "
                "write the same for each"
            )
        seat = Seat(self, settings, password)
        self._seats.append(seat)
        return seat

    async def start(self) -> None:
        """Listen, if nobody has begun to."""
        async with self._opening:
            if self._door is not None or not self._seats:
                return
            # Stations take their time from here. Set back it would bring orders to life again that were over.
            self._since_1970_ms = max(self._since_1970_ms, self._utc_ms() - self._clock.now_ms())
            door = self._new_door(self._seats[0].settings)
            await door.open(self._admit, self._serve)
            if self._seats:
                self._door = door
                return
        door.shut()  # everybody left meanwhile
        await door.wait_closed()

    async def leave(self, seat: Seat) -> None:
        """One adapter less; a station that no address names any more is hung up on. A cancellation undoes nothing."""
        self._seats.remove(seat)
        station = seat.settings.station
        if not any(other.settings.station == station for other in self._seats):
            session = self._sessions.pop(station, None)
            if session is not None:
                session.abort()
        if self._seats or self._door is None:
            return
        door, self._door = self._door, None
        door.shut()
        await door.wait_closed()

    def session(self, station: str) -> Session | None:
        """The station, if it is on the line."""
        session = self._sessions.get(station)
        return session if session is not None and session.alive else None

    def absent(self, settings: Settings) -> str:
        """What to say of a station that does not come."""
        text = f"station {settings.station} has not dialled in at {self._place} within {settings.wait_ms} ms"
        if self._strangers:
            text += f"; these have, and were not let in: {', '.join(self._strangers)}"
        return text

    def _admit(self, hello: Hello) -> Refused | str:
        seat = next((seat for seat in self._seats if seat.settings.station == hello.station), None)
        if seat is None:
            refused = Refused(404, "no address names this station")
        elif seat.password is not None and not hmac.compare_digest(
            (hello.password or "").encode(), seat.password.encode()
        ):
            refused = Refused(401, "the password is another one")
        elif seat.settings.security.client_ca is not None and hello.common_name != seat.settings.client_cn:
            refused = Refused(403, "the certificate is another one's")
        else:
            return self._spoken(hello, seat)
        return self._refused(hello, refused)

    def _spoken(self, hello: Hello, seat: Seat) -> Refused | str:
        """The first of what the station offers that may be spoken with it: it knows best."""
        version = seat.settings.version
        allowed = _DIALECTS if version is None else (VERSIONS[version],)
        for offered in hello.offers:
            if offered in allowed:
                return offered
        offers = ", ".join(hello.offers)[:80] or "no version of OCPP"
        return self._refused(hello, Refused(400, f"it offers {offers}, and here one speaks {' or '.join(allowed)}"))

    def _refused(self, hello: Hello, refused: Refused) -> Refused:
        self._note(f"{hello.station[:48]!r} ({refused.text})")
        return refused

    def _note(self, stranger: str) -> None:
        self._strangers[stranger] = None
        self._strangers.move_to_end(stranger)
        while len(self._strangers) > _MOST_STRANGERS:
            self._strangers.popitem(last=False)

    async def _serve(self, hello: Hello, link: Link) -> None:
        spoken = self._admit(hello)
        if isinstance(spoken, Refused):  # its address went while it dialled
            link.abort()
            return
        session = Session(
            hello.station,
            link,
            _DIALECTS[spoken],
            clock=self._clock,
            since_1970_ms=self._since_1970_ms,
            transactions=self._transactions,
        )
        former = self._sessions.get(hello.station)
        self._sessions[hello.station] = session
        if former is not None:
            former.abort()  # a station has one line; the former one broke, and nobody has noticed yet
        for seat in self._seats:
            if seat.settings.station == hello.station:
                seat.news.set()
        await session.serve()
        if self._sessions.get(hello.station) is session:
            del self._sessions[hello.station]


class Hub:
    """The central systems of a process, one for each event loop and place where it listens.

    Args:
        new_door: Makes the door of a new one.
        utc_ms: The host's time since 1970.
    """

    def __init__(self, new_door: NewDoor = websocket_door, utc_ms: Callable[[], int] = host_utc_ms) -> None:
        self._new_door, self._utc_ms = new_door, utc_ms
        self._centrals: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Central]] = (
            weakref.WeakKeyDictionary()
        )

    def seat(self, settings: Settings, clock: Clock) -> Seat:
        """A place at the central system that an address names.

        Raises:
            AdapterRejected: The address contradicts another one that is open.
            AdapterUnavailable: The password's file cannot be read.
        """
        password = None if settings.password_file is None else _password_in(settings.password_file)
        centrals = self._centrals.setdefault(asyncio.get_running_loop(), {})
        place = (settings.host, settings.tcp_port)
        if place not in centrals:
            name = f"{settings.host}:{settings.tcp_port}"
            centrals[place] = Central(name, self._new_door, clock, self._utc_ms)
        return centrals[place].seat(settings, password)


def _password_in(file: str) -> str:
    try:
        password = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise AdapterUnavailable(f"password_file {file} cannot be read: {error}") from None
    if not password:
        raise AdapterUnavailable(f"password_file {file} is empty; write the station's password into it")
    return password


HUB = Hub()
"""The one of this process."""
