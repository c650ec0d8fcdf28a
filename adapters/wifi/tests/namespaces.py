"""Hosts as network namespaces: each with links, addresses and a clock of its own, and weather on the wire between them.

Every host has two links that are real ones (veth): one to the others, which ends at a switch of ours, and one to its
device, without weather. A kernel with netem does the same weather in its queues; this switch takes frames from the
other end of the links (packet(7)) and needs none. What crosses it is everything: address resolution, multicast,
datagrams. Needs the right to make namespaces (root) and iproute2.
"""

import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from typing import Self

from .weather import Weather

PORT = 4710
DEVICES_HOST = "10.213.0.254"
"""Where this host is for the links to devices."""

_SOL_PACKET, _PACKET_VNET_HDR, _ETH_P_ALL, _OUTGOING = 263, 15, 3, 4
_HEADER_BYTES = 10
"""What the kernel says of a frame before it (struct virtio_net_hdr): whether its checksum is still to be made."""

_CLOCK_APART_S = 100_000
"""The clocks of hosts show other times, as those of hosts that were started on other days."""


def missing() -> str | None:
    """What there must be and is not; None: hosts can be made here."""
    if os.geteuid():
        return "only root makes network namespaces"
    absent = [name for name in ("ip", "unshare") if shutil.which(name) is None]
    if absent:
        return f"no {' and no '.join(absent)} here"
    tried = subprocess.run(["unshare", "--net", "--time", "--boottime", "1", "true"], check=False, capture_output=True)
    return f"no namespaces: {tried.stderr.decode().strip()}" if tried.returncode else None


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


class Switch(Weather):
    """Hosts with these names, and the switch between them; a context manager that leaves nothing behind.

    Args:
        names: Of the hosts.
        seed: Of the dice.
    """

    def __init__(self, names: Sequence[str], seed: int = 1) -> None:
        super().__init__(seed)
        self._hosts = {name: f"ps{os.getpid()}{name}" for name in names}
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._macs = {bytes((2, 0, 0, 0, 0, number)): name for name, number in self._numbers.items()}

    def place(self, name: str) -> tuple[str, int]:
        """Where a process on a host listens."""
        return f"10.214.0.{self._numbers[name]}", PORT

    def on(self, name: str) -> list[str]:
        """The words before a command that make it run on a host."""
        shift = str(self._numbers[name] * _CLOCK_APART_S)
        clocks = ["unshare", "--time", "--monotonic", shift, "--boottime", shift]
        return ["ip", "netns", "exec", self._hosts[name], *clocks]

    def __enter__(self) -> Self:
        try:
            for name in self._hosts:
                self._make(name)
        except BaseException:
            self._unmake()
            raise
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._unmake()

    def _make(self, name: str) -> None:
        space, number = self._hosts[name], self._numbers[name]
        _ip(f"netns add {space}")
        # The device's link first: what a host announces first is where nobody else can reach it.
        for link, own in (("device", f"10.213.0.{number} peer {DEVICES_HOST}"), ("others", f"10.214.0.{number}/24")):
            end = f"{space}{link[0]}"
            _ip(f"link add {end} type veth peer name {link} netns {space}")
            _ip(f"link set {end} addrgenmode none up")  # no words of its own
            _ip(f"-n {space} link set {link} address 02:00:00:00:00:{number:02x} addrgenmode none up")
            _ip(f"-n {space} addr add {own} dev {link}")
        _ip(f"addr add {DEVICES_HOST} peer 10.213.0.{number} dev {space}d")
        _ip(f"-n {space} link set lo up")
        line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._sockets[name] = line
        line.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        line.bind((f"{space}o", _ETH_P_ALL))
        line.setblocking(False)

    def _unmake(self) -> None:
        for line in self._sockets.values():
            line.close()
        for space in self._hosts.values():
            # Its links go with it.
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def _taken(self, member: str) -> Iterator[tuple[str, str, bytes]]:
        for _ in itertools.repeat(None, 64):
            try:
                frame, (_, _, kind, *_) = self._sockets[member].recvfrom(66_000)
            except OSError:
                return
            if kind == _OUTGOING:
                continue
            receiver = self._macs.get(frame[_HEADER_BYTES : _HEADER_BYTES + 6])
            for name in self._hosts if receiver is None else (receiver,):
                if name != member:
                    yield member, name, frame

    def _hand(self, sender: str, receiver: str, data: bytes) -> None:
        self._sockets[receiver].send(data)
