"""The central system: one for each place where we listen, shared by all connectors whose stations dial in there."""

import asyncio
import hmac
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from powershare.adapter import Clock
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare_ocpp.dialects.version16 import Dialect16
from powershare_ocpp.dialects.version201 import Dialect201
from powershare_ocpp.learnt import Memory
from powershare_ocpp.session import NewDialect, Session
from powershare_ocpp.settings import VERSIONS, Settings, Upstream
from powershare_ocpp.strangers import Strangers
from powershare_ocpp.transactions import Transactions
from powershare_ocpp.upstream.behind import Behind
from powershare_ocpp.upstream.line import Dial, WebSocketDial
from powershare_ocpp.upstream.store import Store
from powershare_ocpp.wire.door import WebSocketDoor
from powershare_ocpp.wire.links import Door, Hello, Link, Refused

NewDoor: TypeAlias = Callable[[Settings], Door]
NewDial: TypeAlias = Callable[[Upstream, str | None], Dial]

_DIALECTS: Mapping[str, NewDialect] = MappingProxyType(
    {dialect.subprotocol: dialect for dialect in (Dialect201, Dialect16)}
)
"""Versions of OCPP, by the names of their subprotocols."""


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
        behind: The central system behind; None: there is none.
    """

    def __init__(
        self, central: "Central", settings: Settings, password: str | None, behind: Behind | None = None
    ) -> None:
        self.settings, self.password, self.behind = settings, password, behind
        self._central = central
        self._left = False
        self.news = asyncio.Event()

    async def sit(self) -> Session:
        """Wait until the station has dialled in.

        Raises:
            AdapterUnavailable: One cannot listen there, the station has not come, or this seat was left meanwhile.
        """
        await self._central.start()
        if self.behind is not None:
            await self.behind.load()  # its limits hold before anybody is led
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

    def strangers(self) -> str:
        """Who else has dialled in there, and was not let in; nothing where nobody has."""
        return self._central.strangers.words()

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
        new_dial: Makes what dials the central systems behind.
    """

    def __init__(
        self, place: str, new_door: NewDoor, clock: Clock, utc_ms: Callable[[], int], new_dial: NewDial = WebSocketDial
    ) -> None:
        self._place, self._new_door, self._clock, self._utc_ms = place, new_door, clock, utc_ms
        self._new_dial = new_dial
        self._since_1970_ms = 0
        self._opening = asyncio.Lock()
        self._door: Door | None = None
        self._seats: list[Seat] = []
        self._sessions: dict[str, Session] = {}
        self.strangers = Strangers(place, clock)
        self._transactions = Transactions()
        self._memory = Memory(clock)
        self._behind: dict[str, Behind] = {}
        self._stores: dict[str, Store] = {}

    def seat(self, settings: Settings, password: str | None, password_behind: str | None = None) -> Seat:
        """A place for one more adapter.

        Raises:
            AdapterRejected: Its address contradicts another one's.
            AdapterUnavailable: A file that the central system behind needs cannot be used.
        """
        if self._seats and settings.security != self._seats[0].settings.security:
            raise AdapterRejected(
                f"tls_cert, tls_key and client_ca differ between addresses that listen on {self._place}; "
                "write the same for each"
            )
        alike = [seat for seat in self._seats if seat.settings.station == settings.station]
        ours = (password, settings.client_cn, settings.version)
        if any((seat.password, seat.settings.client_cn, seat.settings.version) != ours for seat in alike):
            raise AdapterRejected(
                f"password_file, client_cn and version differ between connectors of station {settings.station}; "
                "write the same for each"
            )
        if any(seat.settings.upstream != settings.upstream for seat in alike):
            raise AdapterRejected(
                f"the upstream settings differ between connectors of station {settings.station}; "
                "write the same for each"
            )
        seat = Seat(self, settings, password, self._behind_of(settings, password_behind))
        self._seats.append(seat)
        return seat

    def _behind_of(self, settings: Settings, password: str | None) -> Behind | None:
        """The central system behind a station: the same one again, whoever comes and goes, since its limits stay."""
        upstream = settings.upstream
        if upstream is None:
            return None
        behind = self._behind.get(settings.station)
        if behind is None or behind.upstream != upstream:
            store = self._stores.setdefault(upstream.store, Store(upstream.store))
            dial = self._new_dial(upstream, password)
            behind = self._behind[settings.station] = Behind(settings.station, upstream, store, dial, self._now_utc_ms)
        behind.standing.add(settings)
        return behind

    def _now_utc_ms(self) -> int:
        return self._clock.now_ms() + self._since_1970_ms

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
        await self._close_stores()

    async def _close_stores(self) -> None:
        for store in self._stores.values():
            await store.close()

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
        await self._close_stores()

    def session(self, station: str) -> Session | None:
        """The station, if it is on the line."""
        session = self._sessions.get(station)
        return session if session is not None and session.alive else None

    def absent(self, settings: Settings) -> str:
        """What to say of a station that does not come."""
        text = f"station {settings.station} has not dialled in at {self._place} within {settings.wait_ms} ms"
        if strangers := self.strangers.words():
            text += f"; these have, and were not let in: {strangers}"
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
        self.strangers.refused(hello.station, refused.text, unnamed=seat is None)
        return refused

    def _spoken(self, hello: Hello, seat: Seat) -> Refused | str:
        """The first of what the station offers that may be spoken with it: it knows best."""
        version = seat.settings.version
        allowed = _DIALECTS if version is None else (VERSIONS[version],)
        for offered in hello.offers:
            if offered in allowed:
                self.strangers.admitted(hello.station)
                return offered
        offers = ", ".join(hello.offers)[:80] or "no version of OCPP"
        refused = Refused(400, f"it offers {offers}, and here one speaks {' or '.join(allowed)}")
        self.strangers.refused(hello.station, refused.text, unnamed=False)
        return refused

    async def _serve(self, hello: Hello, link: Link) -> None:
        spoken = self._admit(hello)
        if isinstance(spoken, Refused):  # its address went while it dialled
            link.abort()
            return
        behind = self._behind.get(hello.station)
        session = Session(
            hello.station,
            link,
            _DIALECTS[spoken],
            clock=self._clock,
            since_1970_ms=self._since_1970_ms,
            transactions=self._transactions,
            memory=self._memory,
            ear=behind,
        )
        former = self._sessions.get(hello.station)
        self._sessions[hello.station] = session
        if former is not None:
            former.abort()  # a station has one line; the former one broke, and nobody has noticed yet
        for seat in self._seats:
            if seat.settings.station == hello.station:
                seat.news.set()
        passing = None if behind is None else asyncio.create_task(behind.run(session))
        try:
            await session.serve()
        finally:
            if passing is not None:
                passing.cancel()
                await asyncio.wait([passing])
            if self._sessions.get(hello.station) is session:
                del self._sessions[hello.station]


class Hub:
    """The central systems of a process, one for each event loop and place where it listens.

    Args:
        new_door: Makes the door of a new one.
        utc_ms: The host's time since 1970.
        new_dial: Makes what dials central systems behind.
    """

    def __init__(
        self,
        new_door: NewDoor = websocket_door,
        utc_ms: Callable[[], int] = host_utc_ms,
        new_dial: NewDial = WebSocketDial,
    ) -> None:
        self._new_door, self._utc_ms, self._new_dial = new_door, utc_ms, new_dial
        self._centrals: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Central]] = (
            weakref.WeakKeyDictionary()
        )

    def seat(self, settings: Settings, clock: Clock) -> Seat:
        """A place at the central system that an address names.

        Raises:
            AdapterRejected: The address contradicts another one that is open.
            AdapterUnavailable: A password's file cannot be read.
        """
        password = _password_in("password_file", settings.password_file)
        upstream = settings.upstream
        behind = None if upstream is None else _password_in("upstream_password_file", upstream.password_file)
        centrals = self._centrals.setdefault(asyncio.get_running_loop(), {})
        place = (settings.host, settings.tcp_port)
        if place not in centrals:
            name = f"{settings.host}:{settings.tcp_port}"
            centrals[place] = Central(name, self._new_door, clock, self._utc_ms, self._new_dial)
        return centrals[place].seat(settings, password, behind)


def _password_in(setting: str, file: str | None) -> str | None:
    """The password in a file; None: there is no file."""
    if file is None:
        return None
    try:
        password = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise AdapterUnavailable(f"{setting} {file} cannot be read: {error}") from None
    if not password:
        raise AdapterUnavailable(f"{setting} {file} is empty; write the station's password into it")
    return password


HUB = Hub()
"""The one of this process."""
