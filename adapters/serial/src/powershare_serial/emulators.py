"""What emulators with a pseudo-terminal for each unit have in common; those of a shared wire have their own."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from powershare.errors import AdapterUnavailable
from powershare_serial.ports import PtyPort, open_pty

_U = TypeVar("_U")


class PtyEmulator(Generic[_U]):
    """Some emulated units, each served by a task of its own.

    Args:
        units: The units.
    """

    def __init__(self, units: Sequence[_U]) -> None:
        self._units = units
        self._ports: list[PtyPort] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open a pseudo-terminal for each unit, and begin to serve it.

        Raises:
            AdapterUnavailable: No pseudo-terminal is left.
        """
        if self._tasks:
            return
        try:
            for _ in self._units:
                self._ports.append(open_pty())
        except AdapterUnavailable:
            await self.stop()
            raise
        pairs = zip(self._units, self._ports, strict=True)
        self._tasks = [asyncio.create_task(self._serve(unit, port)) for unit, port in pairs]

    async def stop(self) -> None:
        """Fall silent and let go of everything."""
        tasks, self._tasks = self._tasks, []
        ports, self._ports = self._ports, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for port in ports:
            await port.close()

    def unit(self, place: int) -> _U:
        """One of the units.

        Raises:
            ValueError: There is no such unit.
        """
        if not 0 <= place < len(self._units):
            raise ValueError(f"there is no unit {place}; there are {len(self._units)}, counted from 0")
        return self._units[place]

    @abstractmethod
    async def _serve(self, unit: _U, port: PtyPort) -> None:
        """Play a unit at its end of the wire, until cancelled."""
