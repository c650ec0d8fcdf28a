"""Bridges of strangers: one that fails in a way that no bridge may, and one whose limit breaks the library."""

from collections.abc import Callable

from powershare.adapter import Clock
from powershare.bridging import Regulation
from powershare.demand import ExternalLimit
from powershare.driver import Driver
from powershare.errors import InternalError
from powershare.node import Limited


class Failing:
    """It fails whenever it is run."""

    def __init__(self, rest: str, /, *, clock: Clock, said: Callable[[str, str], None]) -> None:
        self._clock = clock

    async def run(self, regulation: Regulation, /) -> None:
        raise KeyError(len(regulation.snapshot().connectors))


class Breaking:
    """Its limit shows a defect of the library, and it hides that."""

    def __init__(self, rest: str, /, *, clock: Clock, said: Callable[[str, str], None]) -> None:
        self._clock = clock

    async def run(self, regulation: Regulation, /) -> None:
        def breaks(self: Driver, event: Limited) -> None:
            raise InternalError("an invariant failed")

        Driver.limit = breaks  # type: ignore[method-assign] # the defect
        limit = ExternalLimit(limit_ma=0, source="test", connector="north")
        try:
            regulation.limit(Limited(limit, self._clock.now_ms() + 1_000))
        except InternalError:
            return
