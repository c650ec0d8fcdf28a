"""Weather between processes on one host.

Each member has a front. Whoever wants to reach it sends there; what comes out at the other end comes from the sender's
front, so that answers go the same way.
"""

import socket
from collections.abc import Iterator, Mapping

from .weather import Weather

Address = tuple[str, int]
HOST = "127.0.0.1"


class Relay(Weather):
    """A front for each member.

    Args:
        places: Where each member's process really listens.
        seed: Of the dice.
    """

    def __init__(self, places: Mapping[str, Address], seed: int = 1) -> None:
        super().__init__(seed)
        self._senders = {address: member for member, address in places.items()}
        self._places = dict(places)
        self._fronts: dict[str, Address] = {}
        for member in places:
            front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            front.bind((HOST, 0))
            front.setblocking(False)
            self._sockets[member], self._fronts[member] = front, front.getsockname()

    def fronts(self, places: Mapping[str, Address]) -> Mapping[str, Address]:
        """Theirs."""
        return {member: self._fronts[member] for member in places}

    def _taken(self, member: str) -> Iterator[tuple[str, str, bytes]]:
        try:
            datagram, address = self._sockets[member].recvfrom(2_000)
        except OSError:
            return
        sender = self._senders.get(address)
        if sender is not None:
            yield sender, member, datagram

    def _hand(self, sender: str, receiver: str, data: bytes) -> None:
        self._sockets[sender].sendto(data, self._places[receiver])
