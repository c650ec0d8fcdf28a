"""The contract between the library and a meter of other loads. Entry points of the group `powershare.meters`.

A meter is asked, like a connector's adapter, and follows its rules: a constructor stores, `open()` dials, only
`AdapterError` and its kinds come out. What it measures keeps its own age: a meter, or a broker in between, that goes on
saying what it said before does not keep a reading alive.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import attrs

from powershare.adapter import Clock
from powershare.errors import ContractError
from powershare.units import MAX_LIMIT_MA, LineMilliamps


@attrs.frozen(kw_only=True)
class MeterReading:
    """One measurement.

    Attributes:
        at_ms: When it was taken, on the clock that the meter was given; what a meter does not say counts from when
            it was asked.
        load_ma: Per line of the site's supply, rounded up; negative where current flows back.

    Raises:
        ContractError: A figure is no whole number, or beyond 1 MA.
    """

    at_ms: int
    load_ma: LineMilliamps

    def __attrs_post_init__(self) -> None:
        figures = (self.at_ms, *self.load_ma)
        if not self.load_ma or any(isinstance(figure, bool) or not isinstance(figure, int) for figure in figures):
            raise ContractError(f"{self}: give whole milliseconds and whole milliamps, one figure per line")
        if any(abs(figure_ma) > MAX_LIMIT_MA for figure_ma in self.load_ma):
            raise ContractError(f"{self}: a current is beyond {MAX_LIMIT_MA} mA")


class MeterAdapter(Protocol):
    """A meter of the loads on a circuit that are not connectors."""

    async def open(self) -> None:
        """Dial. Open twice is open once; after `close()` it opens again.

        Raises:
            AdapterError: It cannot be reached, or is not what it should be.
        """
        ...

    async def read(self) -> MeterReading:
        """The newest measurement, with its own age.

        Raises:
            AdapterError: There is none, or not what can be understood.
        """
        ...

    async def close(self) -> None:
        """Let go of it. Never fails; may be repeated."""
        ...


@runtime_checkable
class SupportsEvidence(Protocol):
    """A meter, or a connector's adapter, whose device can say more of itself than any regulation needs.

    Whoever has this changes nothing at the device by being opened and closed, either: `powershare doctor` does that.
    """

    async def evidence(self) -> Mapping[str, str]:
        """What a person who looks for a fault wants to know: names, and words for each.

        Called while it is open. What cannot be asked for is said so in its place.

        Raises:
            AdapterError: Nothing could be asked for.
        """
        ...


class MeterFactory(Protocol):
    """What an entry point in the group `powershare.meters` names."""

    def __call__(self, rest: str, /, *, clock: Clock) -> MeterAdapter:
        """Build a meter, without touching it.

        Args:
            rest: What follows the name in an address; see `registry.split_address`.
            clock: Where it gets the time from.

        Raises:
            FormatError: The rest means nothing to this meter; every problem at once.
        """
        ...
