"""What bad weather does to a network: what members say is lost, late, twice, overtaken, or cut off altogether."""

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Self

Cut = Callable[[str, str], bool]


def whole(_sender: str, _receiver: str) -> bool:
    """A network without a cut."""
    return False


class Weather(ABC):
    """A thread between members; a context manager. It owns a socket for each, by member.

    Args:
        seed: Of the dice.

    Attributes:
        loss, twice: Which part of what is said is lost, or comes twice.
        delay_s: Between which bounds each is late.
        cut: Whether nothing gets from one member to another.
        passed, lost: How many.
    """

    def __init__(self, seed: int = 1) -> None:
        self._dice = random.Random(seed)
        self._sockets: dict[str, socket.socket] = {}
        self.loss = self.twice = 0.0
        self.delay_s = (0.0, 0.0)
        self.cut: Cut = whole
        self.passed = self.lost = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @abstractmethod
    def _taken(self, member: str) -> Iterator[tuple[str, str, bytes]]:
        """What there is at a member's socket: who says it, to whom, its bytes."""

    @abstractmethod
    def _hand(self, sender: str, receiver: str, data: bytes) -> None:
        """Give it to whom it is for.

        Raises:
            OSError: It cannot be given.
        """

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for line in self._sockets.values():
            line.close()

    def fronts(self, places: Mapping[str, tuple[str, int]]) -> Mapping[str, tuple[str, int]]:
        """Where to send what is for a member that listens at such a place."""
        return places

    def _run(self) -> None:
        order, late = itertools.count(), list[tuple[float, int, str, str, bytes]]()
        with selectors.DefaultSelector() as selector:
            for member, line in self._sockets.items():
                selector.register(line, selectors.EVENT_READ, member)
            while not self._ends.is_set():
                wait_s = max(0.0, late[0][0] - time.monotonic()) if late else 0.1
                for key, _ in selector.select(min(wait_s, 0.1)):
                    for sender, receiver, data in self._taken(key.data):
                        for due_s in self._fate(sender, receiver):
                            heapq.heappush(late, (due_s, next(order), sender, receiver, data))
                while late and late[0][0] <= time.monotonic():
                    _, _, sender, receiver, data = heapq.heappop(late)
                    self._forward(sender, receiver, data)

    def _fate(self, sender: str, receiver: str) -> Iterator[float]:
        """When each copy of it arrives."""
        for _ in range(2 if self._dice.random() < self.twice else 1):
            if self._dice.random() < self.loss or self.cut(sender, receiver):
                self.lost += 1
            else:
                yield time.monotonic() + self._dice.uniform(*self.delay_s)

    def _forward(self, sender: str, receiver: str, data: bytes) -> None:
        try:
            self._hand(sender, receiver, data)
        except OSError:
            self.lost += 1
        else:
            self.passed += 1
