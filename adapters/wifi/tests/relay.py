"""A network in the way: datagrams between members are lost, late, twice, overtaken, or cut off altogether.

Each member has a front. Whoever wants to reach it sends there; what comes out at the other end comes from the sender's
front, so that answers go the same way.
"""

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

Address = tuple[str, int]
HOST = "127.0.0.1"


class Relay:
    """A thread between members on one host; a context manager.

    Args:
        places: Where each member's process really listens.
        seed: Of the dice.

    Attributes:
        fronts: Where to send what is for a member.
        loss, twice: Which part of the datagrams is lost, or comes twice.
        delay_s: Between which bounds each is late.
        cut: Whether nothing gets from one member to another.
        passed, lost: How many.
    """

    def __init__(self, places: Mapping[str, Address], seed: int = 1) -> None:
        self._senders = {address: member for member, address in places.items()}
        self._places, self._dice = dict(places), random.Random(seed)
        self._sockets: dict[str, socket.socket] = {}
        self.fronts: dict[str, Address] = {}
        for member in places:
            front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            front.bind((HOST, 0))
            front.setblocking(False)
            self._sockets[member], self.fronts[member] = front, front.getsockname()
        self.loss = self.twice = 0.0
        self.delay_s = (0.0, 0.0)
        self.cut: Callable[[str, str], bool] = lambda _sender, _receiver: False
        self.passed = self.lost = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for front in self._sockets.values():
            front.close()

    def _run(self) -> None:
        order, late = itertools.count(), list[tuple[float, int, str, str, bytes]]()
        with selectors.DefaultSelector() as selector:
            for member, front in self._sockets.items():
                selector.register(front, selectors.EVENT_READ, member)
            while not self._ends.is_set():
                wait_s = max(0.0, late[0][0] - time.monotonic()) if late else 0.1
                for key, _ in selector.select(min(wait_s, 0.1)):
                    self._take(key.data, order, late)
                while late and late[0][0] <= time.monotonic():
                    _, _, sender, receiver, datagram = heapq.heappop(late)
                    self._forward(sender, receiver, datagram)

    def _take(
        self, receiver: str, order: "itertools.count[int]", late: list[tuple[float, int, str, str, bytes]]
    ) -> None:
        try:
            datagram, address = self._sockets[receiver].recvfrom(2_000)
        except OSError:
            return
        sender = self._senders.get(address)
        if sender is None:
            return
        for _ in range(2 if self._dice.random() < self.twice else 1):
            if self._dice.random() < self.loss or self.cut(sender, receiver):
                self.lost += 1
                continue
            due_s = time.monotonic() + self._dice.uniform(*self.delay_s)
            heapq.heappush(late, (due_s, next(order), sender, receiver, datagram))

    def _forward(self, sender: str, receiver: str, datagram: bytes) -> None:
        self.passed += 1
        try:
            self._sockets[sender].sendto(datagram, self._places[receiver])
        except OSError:
            self.lost += 1
