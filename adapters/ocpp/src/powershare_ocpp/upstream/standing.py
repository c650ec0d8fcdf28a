"""What the central system behind has set at a station, and knows its transactions by: kept on the disk, and evaluated.

As in a station, its profiles stay in force through a restart of this host, and while nobody can reach who set them.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from powershare.errors import AdapterRejected
from powershare_ocpp.session import Session
from powershare_ocpp.settings import Settings
from powershare_ocpp.upstream.outside import Allowed, OutsideProfile, OutsideProfiles, Transaction, Wiring
from powershare_ocpp.upstream.outside_messages import Desk, Place, Present, profile_of
from powershare_ocpp.upstream.relay import Numbers
from powershare_ocpp.upstream.store import Store
from powershare_ocpp.wire.frames import Call, Message, Payload

_TO_COME_MS = 600_000
"""A transaction that does not begin so soon after it was asked for is another one."""


class Standing:
    """Of one station.

    Args:
        station: Its identifier.
        store: The file.
        utc_ms: The present, since 1970.

    Attributes:
        numbers: Numbers of transactions, here and behind.
        changed: Set when something is to be kept.
    """

    def __init__(self, station: str, store: Store, utc_ms: Callable[[], int]) -> None:
        self._station, self._store, self._utc_ms = station, store, utc_ms
        self._settings: dict[int, Settings] = {}
        self._profiles, self.numbers = OutsideProfiles(), Numbers()
        self._desk = Desk(self._profiles, two=False)
        self._running: dict[int, tuple[int | str, int]] = {}  # by connector, its transaction and since when
        self._to_come: dict[int, tuple[object, int]] = {}  # profiles of transactions that were asked for, and when
        self._heard_of: set[int] = set()  # connectors of whose transactions this line has spoken
        self._loaded = False
        self.changed = asyncio.Event()

    def add(self, settings: Settings) -> None:
        """An address names one of the station's connectors."""
        self._settings[settings.connector] = settings

    def _places(self) -> Mapping[int, Place]:
        shares = len(self._settings)
        return {
            connector: Place(
                greatest_ma=settings.greatest_ma,
                wiring=Wiring(lines=settings.lines, volts=settings.volts, shares=shares),
            )
            for connector, settings in self._settings.items()
        }

    # What it allows

    def allowed(self, connector: int) -> Allowed:
        """What it allows a connector now, and when that may change by itself, since 1970."""
        wiring = self._places()[connector].wiring
        return self._profiles.allowed(connector, self._utc_ms(), self._transaction(connector), wiring)

    def allowed_until_ma(self, connector: int, until_ms: int) -> int | None:
        """The least that it allows a connector from now on until then, since 1970; None: it does not limit it.

        Raises:
            AdapterRejected: What it allows changes more often than anybody means.
        """
        wiring = self._places()[connector].wiring
        schedule = self._profiles.schedule(connector, self._utc_ms(), until_ms, self._transaction(connector), wiring)
        return min((most_ma for _, most_ma in schedule if most_ma is not None), default=None)

    def least_ma(self, connector: int) -> int | None:
        """The least that it will allow a connector at any time; None: it does not limit it."""
        return self._profiles.least_ma(connector, self._utc_ms(), self._places()[connector].wiring)

    def _transaction(self, connector: int) -> Transaction | None:
        running = self._running.get(connector)
        if running is None:
            return None
        number = self.numbers.behind(running[0]) if isinstance(running[0], int) else running[0]
        return Transaction(str(number), running[1])

    # What it is asked

    def speaks(self, subprotocol: str) -> None:
        """A new line to the station, in this version; nothing has been said on it."""
        self._desk = Desk(self._profiles, two=not subprotocol.startswith("ocpp1."))
        self._heard_of.clear()

    def answers(self, action: str) -> bool:
        """Whether it is smart charging, and thus answered here."""
        return self._desk.answers(action)

    def answer(self, call: Call) -> Message:
        """Answer smart charging as the station would."""
        places = self._places()
        transactions = {place: found for place in places if (found := self._transaction(place)) is not None}
        present = Present(now_ms=self._utc_ms(), transactions=transactions, places=places)
        return self._desk.answer(call, present)

    def begins_with(self, connector: int, profile: object) -> None:
        """A transaction was asked for, and is to have this profile; connector 0: wherever it begins."""
        self._to_come[connector] = (profile, self._utc_ms())

    # What the station says

    def follow(self, session: Session) -> None:
        """Follow which transactions run: profiles of one end with it, and of the next one begin."""
        for connector in self._places():
            record, running = session.record(connector), self._running.get(connector)
            if record.transaction is not None:
                self._heard_of.add(connector)
                if running is None or running[0] != record.transaction:
                    self._ends(connector)
                    self._begins(connector, record.transaction)
            elif running is not None and self._is_over(session, connector):
                self._ends(connector)

    def _is_over(self, session: Session, connector: int) -> bool:
        """Whether a transaction has ended that the station no longer speaks of; a new line begins without any."""
        status = session.record(connector).status
        return connector in self._heard_of or (status is not None and status.transaction is False)

    def _begins(self, connector: int, transaction: int | str) -> None:
        self._running[connector] = (transaction, self._utc_ms())
        place = connector if connector in self._to_come else 0
        profile, asked_ms = self._to_come.pop(place, (None, 0))
        if profile is not None and self._utc_ms() - asked_ms <= _TO_COME_MS:
            self._desk.takes(connector, profile, self._utc_ms())
        self.changed.set()

    def _ends(self, connector: int) -> None:
        if self._running.pop(connector, None) is not None:
            self._profiles.ended(connector)
            self.changed.set()

    def numbered(self, session: Session, answer: Payload, own: int) -> Payload:
        """The answer to a StartTransaction, with the number by which the station is to know it.

        Args:
            session: The station's line.
            answer: What was answered from behind.
            own: The number that this host gave it.
        """
        behind = answer.get("transactionId")
        if not isinstance(behind, int) or isinstance(behind, bool):
            return {**answer, "transactionId": own}
        number = self.numbers.given(behind, own)
        for record in session.records():
            if record.transaction == own:
                record.transaction = number
        for connector, running in list(self._running.items()):
            if running[0] == own:
                self._running[connector] = (number, running[1])
        self.changed.set()
        return {**answer, "transactionId": number}

    # What is kept

    async def load(self) -> None:
        """Take up what a former process has kept.

        Raises:
            AdapterUnavailable: The file cannot be used.
        """
        if self._loaded:
            return
        kept = await self._store.kept(self._station)
        self._loaded = True
        self.numbers = Numbers.of(kept.get("numbers"))
        for raw in _listed(kept.get("profiles")):
            if (profile := _profile_of(raw)) is not None:
                self._profiles.put(profile)
        for raw in _listed(kept.get("running")):
            connector, number, since_ms = raw if isinstance(raw, list) and len(raw) == 3 else (None, None, None)
            if isinstance(connector, int) and isinstance(number, int | str) and isinstance(since_ms, int):
                self._running[connector] = (number, since_ms)

    async def save(self) -> None:
        """Keep it.

        Raises:
            AdapterUnavailable: The file cannot be used.
        """
        state = {
            "numbers": self.numbers.kept(),
            "profiles": [[one.connector, one.raw, one.came_ms] for one in self._profiles],
            "running": [[connector, *running] for connector, running in self._running.items()],
        }
        await self._store.keep(self._station, state)


def _listed(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _profile_of(raw: object) -> OutsideProfile | None:
    connector, profile, came_ms = raw if isinstance(raw, list) and len(raw) == 3 else (None, None, None)
    if not isinstance(connector, int) or not isinstance(came_ms, int):
        return None
    try:
        return profile_of(connector, profile, came_ms)
    except AdapterRejected:
        return None
