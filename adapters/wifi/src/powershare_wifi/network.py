"""A network of nodes over UDP: sealed datagrams, one to one, to addresses that are written, found or heard from."""

import asyncio
import itertools
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from powershare.adapter import Clock
from powershare.errors import ContractError, FormatError, Problem
from powershare.networking import Handed, Joining
from powershare_wifi.addresses import Addresses
from powershare_wifi.discovery import Discovery
from powershare_wifi.envelope import MOST_BYTES, Envelope, Opened, name_tag
from powershare_wifi.gate import Gate
from powershare_wifi.transport import ANY, Datagrams, SocketAddress

HANDED, SENT, REPEATED = "handed in", "sent", "seen too often"
NO_ADDRESS, UNSENT = "no address", "not sent"

RESOLVE_S = 30
"""How often names of hosts are looked up again: routers hand out new numbers."""

LOOK_UP_S = 3
"""For how long that is waited for."""

GREET_S, QUIET_MS, GREETED = 2, 5_000, 200
"""A member that was quiet for so long is greeted so often, so many at a time, wherever it may be: who votes speaks only
when it is asked, and who asks has to know where it is."""


class UdpNetwork:
    """The members of this process on a network over UDP.

    Args:
        joining: Who they are, and what is known of the others.
        clock: The clock.
        said: Takes words for people.

    Attributes:
        bound: Where it listens; None: it is closed.

    Raises:
        FormatError: A peer is no member or is one of this process, or nothing says where the others are.
    """

    def __init__(self, joining: Joining, *, clock: Clock, said: Callable[[str, str], None]) -> None:
        problems = tuple(_problems(joining))
        if problems:
            raise FormatError(problems)
        self._joining, self._clock, self._said = joining, clock, said
        self._envelope = Envelope(joining.keys, joining.members, joining.here, secrets.token_bytes)
        self._gate = Gate()
        self._addresses: Addresses[SocketAddress] = Addresses()
        self._datagrams = Datagrams(joining.listen, MOST_BYTES, self._arrived)
        self._counters: Counter[str] = Counter()
        self._handed: Handed | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._discovery: Discovery | None = None

    @property
    def bound(self) -> SocketAddress | None:
        """Where it listens."""
        return self._datagrams.bound

    @property
    def counters(self) -> Mapping[str, int]:
        """What was handed in, sent and dropped, by reason."""
        unsent = {UNSENT: self._datagrams.unsent} if self._datagrams.unsent else {}
        return {**self._counters, **unsent}

    async def open(self, handed: Handed) -> str:
        """Listen, look up the peers, and announce the members where that is wanted."""
        self._handed = handed
        try:
            bound = await self._datagrams.open()
            await self._resolve(first=True)
            if not self._tasks:
                self._tasks = [asyncio.ensure_future(self._keep_resolving()), asyncio.ensure_future(self._greet())]
            if self._joining.discovers:
                self._discovery = self._discoverer(bound[0])
                await self._discovery.open(bound[1])
        except BaseException:
            await self.close()
            raise
        return f"{bound[0]}:{bound[1]}"

    async def close(self) -> None:
        """Let go of everything."""
        tasks, self._tasks = self._tasks, []
        discovery, self._discovery = self._discovery, None
        await self._datagrams.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if discovery is not None:
            await discovery.close()

    def send(self, sender: str, receiver: str, data: bytes) -> None:
        """Seal, and send to where the member is."""
        address = self._addresses.of(receiver, self._clock.now_ms())
        if address is None:
            self._counters[NO_ADDRESS] += 1
            return
        self._datagrams.send(self._envelope.seal(sender, receiver, data), address)
        self._counters[SENT] += 1

    def _arrived(self, datagram: bytes, address: SocketAddress) -> None:
        opened = self._envelope.open(datagram)
        if not isinstance(opened, Opened):
            self._counters[opened] += 1
            return
        now_ms = self._clock.now_ms()
        is_new = self._gate.is_new(opened.sender, opened.start, opened.count)
        if not self._gate.passes(opened.sender, opened.start, opened.count, now_ms):
            self._counters[REPEATED] += 1
            return
        if is_new:  # a recorded one, sent again from elsewhere, must not lead astray what is for its sender
            self._addresses.hear(opened.sender, address, now_ms)
        if not opened.data:
            return  # a greeting: its address is all that it says
        self._counters[HANDED] += 1
        if self._handed is not None:
            self._handed(opened.sender, opened.receiver, opened.data)

    # Where the others are

    async def _resolve(self, *, first: bool = False) -> None:
        """Look up all at once: one that nobody answers for must not keep the others waiting."""
        await asyncio.gather(*(self._look_up(member, *peer, first) for member, peer in self._joining.peers.items()))

    async def _look_up(self, member: str, host: str, port: int, first: bool) -> None:
        loop, kind = asyncio.get_running_loop(), socket.SOCK_DGRAM
        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await loop.getaddrinfo(host, port, family=self._datagrams.family, type=kind)
        except OSError as error:  # a TimeoutError is one
            if first:
                self._said(member, f"nobody knows its host {host} yet ({error.strerror or 'no answer'}); asked again")
            return
        self._addresses.write({member: cast("SocketAddress", found[0][4])})

    async def _keep_resolving(self) -> None:
        while True:
            await asyncio.sleep(RESOLVE_S)
            await self._resolve()

    async def _greet(self) -> None:
        joining = self._joining
        pairs = [(sender, other) for other in joining.members if other not in joining.here for sender in joining.here]
        turns = itertools.cycle(pairs)
        while True:
            now_ms = self._clock.now_ms()
            for sender, other in itertools.islice(turns, min(len(pairs), GREETED)):
                if self._addresses.is_quiet(other, now_ms, QUIET_MS):
                    for address in self._addresses.known(other):
                        self._datagrams.send(self._envelope.seal(sender, other, b""), address)
            await asyncio.sleep(GREET_S)

    def _discoverer(self, host: str) -> Discovery:
        joining, network = self._joining, self._joining.keys.network
        tags = {member: name_tag(network, member) for member in joining.members}
        return Discovery(
            network,
            [tags[member] for member in joining.here],
            {tag: member for member, tag in tags.items() if member not in joining.here},
            self._addresses.find,
            None if host == ANY else [host],
        )


def _problems(joining: Joining) -> Iterator[Problem]:
    where = "network"
    for member in joining.here:
        if member not in joining.members:
            raise ContractError(f"{member} is no member; there are {', '.join(joining.members)}")
    for member in joining.peers:
        if member in joining.here:
            yield Problem(where, "--peer", f'names "{member}", which is in this process; name those elsewhere')
        elif member not in joining.members:
            yield Problem(where, "--peer", f'names "{member}"; there are {", ".join(joining.members)}')
    alone = set(joining.members) <= set(joining.here)
    if not alone and not joining.peers and not joining.discovers and joining.listen is None:
        message = "is missing: nobody knows where the other members are, and they cannot know where this one is"
        yield Problem(where, "--peer", f"{message}; write --peer ID=HOST:PORT, --listen HOST:PORT or --mdns")


def udp_network(joining: Joining, *, clock: Clock, said: Callable[[str, str], None]) -> UdpNetwork:
    """Build a network over UDP, without touching the world (the entry point `wifi`)."""
    return UdpNetwork(joining, clock=clock, said=said)
