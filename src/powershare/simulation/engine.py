"""Virtual time: things happen at whole milliseconds, in a fixed order, and idle time costs nothing."""

from collections.abc import Callable
from heapq import heappop, heappush

from powershare.errors import ContractError


class Engine:
    """A queue of what is still to happen.

    Things of one instant happen in the order in which they were scheduled, so a run is the same
    every time.

    Attributes:
        now_ms: The present, in virtual milliseconds.
    """

    __slots__ = ("_count", "_queue", "now_ms")

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self._count = 0
        self._queue: list[tuple[int, int, Callable[[], object]]] = []

    def at(self, t_ms: int, action: Callable[[], object]) -> None:
        """Have something happen.

        Args:
            t_ms: When; the present at the earliest.
            action: What.

        Raises:
            ContractError: The time is past.
        """
        if t_ms < self.now_ms:
            raise ContractError(f"{t_ms} ms is past, now is {self.now_ms} ms; schedule the present or the future")
        self._count += 1
        heappush(self._queue, (t_ms, self._count, action))

    def run(self, until_ms: int | None = None) -> None:
        """Let time pass.

        Args:
            until_ms: Stop after everything up to and including this instant; None: when nothing is left.
        """
        queue = self._queue
        while queue and (until_ms is None or queue[0][0] <= until_ms):
            self.now_ms, _, action = heappop(queue)
            action()
        if until_ms is not None:
            self.now_ms = max(self.now_ms, until_ms)
