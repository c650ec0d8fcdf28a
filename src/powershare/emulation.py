"""The contract between `powershare emulate` and emulated devices at the level of the wire.

An emulator is what an adapter's distribution ships as the counterparty of its own adapter: it speaks the device's
protocol on a pseudo-terminal or a socket, with the device's timing and quirks, and fails on purpose. What its pilots
say and its vehicles draw it tells through `changed`, so that a trace is written by the devices and not by whoever
regulates them. Entry points of the group `powershare.emulators` name factories.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from powershare.adapter import Clock
from powershare.simulation.outlet import Outlet

Changed: TypeAlias = Callable[[int, Outlet, int, str | None], None]
"""Told of every change at a unit: its place, its outlet, the instant on the clock, and a word where one fits."""


class Emulator(Protocol):
    """Some emulated units of one kind, on one wire or on one each."""

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The connectors and vehicles of the units, in order; the caller may plug vehicles in and out."""
        ...

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each unit; known once it has started."""
        ...

    async def start(self) -> None:
        """Open the wire and begin to answer.

        Raises:
            AdapterUnavailable: A port is in use, or no pseudo-terminal is left.
        """
        ...

    async def stop(self) -> None:
        """Fall silent and let go of everything. Never fails; may be repeated."""
        ...

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one unit: one of `failures`, or `none` to end what can end.

        Raises:
            ValueError: There is no such failure; the text names those that there are.
        """
        ...

    @property
    def failures(self) -> Mapping[str, str]:
        """The failures that it can be told to have, each with a sentence.

        One that breaks an assumption of the safety protocol names it, as in "its contactor is welded (outside A2)";
        a trace is marked so from its start to its end.
        """
        ...


class EmulatorFactory(Protocol):
    """What an entry point of the group `powershare.emulators` names."""

    def __call__(self, options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> Emulator:
        """Build an emulator, without touching the world.

        Args:
            options: Its own settings, as given on the command line.
            units: How many units there are.
            clock: Where it gets the time from.
            changed: Told of every change.

        Raises:
            FormatError: A setting means nothing to it; every problem at once.
        """
        ...
