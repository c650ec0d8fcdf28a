"""What must outlast a power cut: messages of transactions that wait for the central system behind, and what it has set.

One SQLite file for all stations at one place. Every change is on the disk before its method returns, so that what a
station was told is kept has been kept. The disk is waited for in a thread of its own: orders to stations do not wait.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import attrs

from powershare.errors import AdapterUnavailable
from powershare_ocpp.wire.frames import Payload

MOST_WAITING = 20_000
"""So many messages wait for one station: at two transactions' values a minute some days."""

_TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL, action TEXT NOT NULL, payload TEXT NOT NULL,
    own INTEGER, refused TEXT
);
CREATE INDEX IF NOT EXISTS waiting_of ON waiting (station, refused, number);
CREATE TABLE IF NOT EXISTS state (station TEXT PRIMARY KEY, json TEXT NOT NULL);
"""

_T = TypeVar("_T")


@attrs.frozen
class Waiting:
    """A message that waits.

    Attributes:
        number: Its place.
        action: What it says.
        payload: With what, as the station said it.
        own: The number that the station was told for the transaction that begins here; None: none begins.
    """

    number: int
    action: str
    payload: Payload
    own: int | None = None


class Store:
    """The file.

    Args:
        file: Its path; the folder must be there.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._pool: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open it, and make it where it is not there.

        Raises:
            AdapterUnavailable: It cannot be opened, or is no such file.
        """
        if self._pool is not None:
            return
        self._pool = ThreadPoolExecutor(1, "ocpp-store")
        try:
            await self._do(self._opened)
        except BaseException:
            await self.close()
            raise

    def _opened(self) -> None:
        self._database = sqlite3.connect(self._file, check_same_thread=False, timeout=2)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)

    async def close(self) -> None:
        """Close it once what is under way is done."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.get_running_loop().run_in_executor(pool, self._closed)
            pool.shutdown(wait=False)

    def _closed(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    async def add(self, station: str, action: str, payload: Payload, own: int | None = None) -> bool:
        """Keep a message; whether there was room for it. One that a station repeats is kept once.

        Raises:
            AdapterUnavailable: The disk is full, or broken.
        """
        text = json.dumps(payload)

        def work(database: sqlite3.Connection) -> bool:
            count = "SELECT COUNT(*) FROM waiting WHERE station = ? AND refused IS NULL"
            if database.execute(count, (station,)).fetchone()[0] >= MOST_WAITING:
                return False
            same = "SELECT 1 FROM waiting WHERE station = ? AND action = ? AND payload = ? AND refused IS NULL"
            if database.execute(same, (station, action, text)).fetchone() is not None:
                return True
            row = (station, action, text, own)
            database.execute("INSERT INTO waiting (station, action, payload, own) VALUES (?, ?, ?, ?)", row)
            return True

        return await self._change(work)

    async def first(self, station: str) -> Waiting | None:
        """The message that has waited for the longest time."""

        def work(database: sqlite3.Connection) -> Waiting | None:
            query = (
                "SELECT number, action, payload, own FROM waiting WHERE station = ? AND refused IS NULL "
                "ORDER BY number LIMIT 1"
            )
            row = database.execute(query, (station,)).fetchone()
            return None if row is None else Waiting(row[0], row[1], json.loads(row[2]), row[3])

        return await self._change(work)

    async def done(self, number: int, *, refused: str | None = None) -> None:
        """A message has been answered; one that was refused for good stays in the file, for a person to look at."""

        def work(database: sqlite3.Connection) -> None:
            if refused is None:
                database.execute("DELETE FROM waiting WHERE number = ?", (number,))
            else:
                database.execute("UPDATE waiting SET refused = ? WHERE number = ?", (refused, number))

        await self._change(work)

    async def count(self, station: str) -> int:
        """How many messages wait for a station's central system."""

        def work(database: sqlite3.Connection) -> int:
            query = "SELECT COUNT(*) FROM waiting WHERE station = ? AND refused IS NULL"
            return int(database.execute(query, (station,)).fetchone()[0])

        return await self._change(work)

    async def keep(self, station: str, state: Mapping[str, Any]) -> None:
        """Keep what is known of a station, in the place of what was."""
        text = json.dumps(state)

        def work(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO state (station, json) VALUES (?, ?)", (station, text))

        await self._change(work)

    async def kept(self, station: str) -> Mapping[str, Any]:
        """What is known of a station; nothing, where nothing was kept or it is not what was."""

        def work(database: sqlite3.Connection) -> Mapping[str, Any]:
            row = database.execute("SELECT json FROM state WHERE station = ?", (station,)).fetchone()
            found = {} if row is None else json.loads(row[0])
            return found if isinstance(found, dict) else {}

        return await self._change(work)

    async def _change(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def whole() -> _T:
            if self._database is None:
                raise sqlite3.ProgrammingError("it is closed")
            with self._database as database:
                return work(database)

        return await self._do(whole)

    async def _do(self, work: Callable[[], _T]) -> _T:
        if self._pool is None:
            raise AdapterUnavailable(f"upstream_store {self._file} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except (sqlite3.Error, ValueError) as error:
            raise AdapterUnavailable(f"upstream_store {self._file} cannot be used: {error}") from None
