"""The network on real sockets: what arrives, where answers go, what a flood costs, who is found by multicast."""

import asyncio
import contextlib
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from powershare.adapter import HostClock
from powershare.errors import AdapterUnavailable, FormatError
from powershare.networking import Address, Joining, Keys
from powershare_wifi.discovery import Discovery
from powershare_wifi.envelope import BAD_TAG, FOREIGN, NETWORK_OTHER, OVERHEAD_BYTES, TOO_LONG, TRUNCATED
from powershare_wifi.network import HANDED, NO_ADDRESS, REPEATED, UdpNetwork, udp_network

LOOP = "127.0.0.1"
KEYS = Keys.new()
MEMBERS = ("a", "b", "c")
Said = list[tuple[str, str, bytes]]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(bounded())


def joining(*here: str, keys: Keys = KEYS, **peers: Address) -> Joining:
    return Joining(members=MEMBERS, here=here, keys=keys, listen=(LOOP, 0), peers=peers)


@asynccontextmanager
async def opened(wanted: Joining, said: list[str] | None = None) -> AsyncIterator[tuple[UdpNetwork, Said]]:
    """A network that listens, and what it hands in."""
    heard: Said = []
    words: list[str] = [] if said is None else said
    network = udp_network(wanted, clock=HostClock(), said=lambda about, what: words.append(f"{about}: {what}"))
    await network.open(lambda *message: heard.append(message))
    try:
        yield network, heard
    finally:
        await network.close()


def place(network: UdpNetwork) -> Address:
    assert network.bound is not None
    return LOOP, network.bound[1]


def words_of(tap: socket.socket, count: int) -> list[bytes]:
    """So many datagrams that are no greetings."""
    found: list[bytes] = []
    while len(found) < count:
        datagram = tap.recv(2_000)
        if len(datagram) > OVERHEAD_BYTES:
            found.append(datagram)
    return found


async def until(seen: Callable[[], object], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not seen():  # noqa: ASYNC110 - what is waited for is another thread's or a socket's
            await asyncio.sleep(0.01)


def test_it_is_enough_that_one_of_two_knows_where_the_other_is() -> None:
    """The other answers where it was heard from, once it has heard what nobody can have recorded."""

    async def talk() -> None:
        async with opened(joining("a")) as (a, heard_a), opened(joining("b", a=place(a))) as (b, heard_b):
            a.send("a", "b", b"too early")
            b.send("b", "a", b"one")
            await until(lambda: heard_a)
            assert a.counters[NO_ADDRESS] == 1
            b.send("b", "a", b"two")
            await until(lambda: len(heard_a) == 2)
            a.send("a", "b", b"three")
            await until(lambda: heard_b)
            assert heard_a == [("b", "a", b"one"), ("b", "a", b"two")]
            assert heard_b == [("a", "b", b"three")]

    run(talk)


def test_who_never_speaks_first_is_found_all_the_same() -> None:
    """A witness only answers; its process greets those it knows, until they know it; nothing of that is handed in."""

    async def talk() -> None:
        async with opened(joining("a", "b")) as (a, heard_a), opened(joining("c", a=place(a))) as (c, heard_c):
            await until(lambda: not a._addresses.is_quiet("c", HostClock().now_ms(), 5_000))
            a.send("a", "c", b"vote for me")
            await until(lambda: heard_c)
            c.send("c", "a", b"yes")
            c.send("c", "b", b"nobody said where b is")
            await until(lambda: heard_a)
            assert (heard_a, heard_c) == ([("c", "a", b"yes")], [("a", "c", b"vote for me")])
            assert c.counters[NO_ADDRESS] == 1

    run(talk)


def test_what_is_sent_again_from_elsewhere_leads_no_answer_astray() -> None:
    async def talk() -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tap,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief,
        ):
            tap.bind((LOOP, 0))
            async with opened(joining("b", a=tap.getsockname())) as (b, heard_b):
                b.send("b", "a", b"one")
                b.send("b", "a", b"two")
                b.send("b", "a", b"three")
                recorded = words_of(tap, 3)
                async with opened(joining("a")) as (a, heard_a):
                    assert b.bound is not None
                    for datagram in recorded:
                        tap.sendto(datagram, place(a))
                    await until(lambda: len(heard_a) == 3)
                    for datagram in recorded:
                        thief.sendto(datagram, place(a))
                    await until(lambda: len(heard_a) == 6)  # handed in: a node tells old from new
                    a.send("a", "b", b"answer")
                    tap.settimeout(5)
                    assert len(words_of(tap, 1)[0]) == OVERHEAD_BYTES + len(b"answer")
                    thief.setblocking(False)
                    with pytest.raises(BlockingIOError):
                        thief.recv(2_000)
                    assert heard_b == []

    run(talk)


def test_what_is_not_sealed_by_a_member_is_dropped_and_counted() -> None:
    async def talk() -> None:
        async with opened(joining("a")) as (a, heard), opened(joining("b", keys=Keys.new(), a=place(a))) as (b, _):
            forged = Keys(network=KEYS.network, keys=Keys.new().keys, seals=1)
            async with opened(joining("c", keys=forged, a=place(a))) as (c, _):
                b.send("b", "a", b"another network")
                c.send("c", "a", b"another key")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                    stranger.sendto(b"", place(a))
                    stranger.sendto(b"GET / HTTP/1.1" * 10, place(a))
                    stranger.sendto(bytes(9_000), place(a))
                reasons = {NETWORK_OTHER, BAD_TAG, TRUNCATED, FOREIGN, TOO_LONG}
                await until(lambda: reasons <= set(a.counters))
            assert set(a.counters) == reasons
            assert [a.counters[one] for one in (TRUNCATED, FOREIGN, TOO_LONG)] == [1, 1, 1]
            assert heard == []

    run(talk)


def _flood(target: Address, datagrams: list[bytes], per_s: int, ends: threading.Event) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        sent, began_s = 0, time.monotonic()
        while not ends.is_set():
            for _ in range(max(0, round((time.monotonic() - began_s) * per_s) - sent)):
                with contextlib.suppress(OSError):
                    stranger.sendto(datagrams[sent % len(datagrams)], target)
                sent += 1
            time.sleep(0.002)


@pytest.mark.parametrize("kind", ["noise", "forged", "recorded"])
def test_a_flood_of_10000_a_second_keeps_no_member_out(kind: str) -> None:
    """And what goes through to nodes stays far below what they can bear, recorded messages included."""

    async def talk() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tap:
            tap.bind((LOOP, 0))
            async with opened(joining("b", a=tap.getsockname())) as (b, _):
                for _ in range(50):
                    b.send("b", "a", bytes(150))
                recorded = words_of(tap, 50)
        forged = [one[:-1] + bytes([one[-1] ^ 1]) for one in recorded]
        datagrams = {"noise": [bytes(200)], "forged": forged, "recorded": recorded}[kind]
        async with opened(joining("a")) as (a, heard), opened(joining("b", a=place(a))) as (b, _):
            ends = threading.Event()
            flooding = threading.Thread(target=_flood, args=(place(a), datagrams, 10_000, ends))
            flooding.start()
            began_s, worked_s = time.monotonic(), time.thread_time()
            try:
                for number in range(40):
                    b.send("b", "a", b"%d" % number)
                    await asyncio.sleep(0.05)
                await until(lambda: ("b", "a", b"39") in heard)
                share = (time.thread_time() - worked_s) / (time.monotonic() - began_s)
            finally:
                ends.set()
                flooding.join()
            genuine = [message for message in heard if len(message[2]) < 10]
            dropped = sum(a.counters.get(reason, 0) for reason in (FOREIGN, BAD_TAG, REPEATED))
            assert dropped > 5_000, a.counters
            assert share < 0.6, "the work per datagram is small and bounded"
            assert len(genuine) >= 38, "a full buffer may cost one or two"
            assert len(heard) - len(genuine) <= 50 + 4 * 32, "of what was recorded, so much a second"
            assert a.counters[HANDED] == len(heard)

    run(talk)


def test_it_opens_and_closes_a_thousand_times_and_leaves_nothing() -> None:
    async def talk() -> None:
        wanted = attrs.evolve(joining("a"), peers={"b": (LOOP, 9)})
        network = udp_network(wanted, clock=HostClock(), said=lambda *_: None)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert files < 1_000_000
        for _ in range(1_000):
            await network.open(lambda *_: None)
            await network.close()
        await network.close()
        assert len(asyncio.all_tasks()) == 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as next_one:
            assert next_one.fileno() < 100

    run(talk)


def test_a_place_that_is_taken_is_an_error_that_names_it() -> None:
    async def talk() -> None:
        async with opened(joining("a")) as (a, _):
            second = udp_network(attrs.evolve(joining("b"), listen=place(a)), clock=HostClock(), said=lambda *_: None)
            with pytest.raises(AdapterUnavailable, match=f"{LOOP}:{place(a)[1]}: Address already in use"):
                await second.open(lambda *_: None)

    run(talk)


def test_nobody_listening_there_is_loss_and_no_error() -> None:
    async def talk() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind((LOOP, 0))
            nowhere = gone.getsockname()
        async with opened(joining("a", b=nowhere)) as (a, _), opened(joining("c", a=place(a))) as (c, _):
            for _ in range(20):
                a.send("a", "b", b"anybody?")
                await asyncio.sleep(0.005)
            c.send("c", "a", b"here")
            await until(lambda: a.counters.get(HANDED))

    run(talk)


def test_a_host_that_nobody_knows_yet_is_said_and_looked_up_again() -> None:
    async def talk() -> None:
        words: list[str] = []
        async with opened(joining("a", b=("no-such-host.invalid", 4710)), words) as (a, _):
            a.send("a", "b", b"words")
            assert a.counters == {NO_ADDRESS: 1}
        assert len(words) == 1
        assert "no-such-host.invalid" in words[0]

    run(talk)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (attrs.evolve(joining("a"), peers={"a": (LOOP, 1)}), "is in this process"),
        (attrs.evolve(joining("a"), peers={"x": (LOOP, 1)}), "there are a, b, c"),
        (attrs.evolve(joining("a"), listen=None), "nobody knows where the other members are"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_the_remedy(wanted: Joining, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        udp_network(wanted, clock=HostClock(), said=lambda *_: None)


def test_members_find_each_other_by_multicast() -> None:
    pytest.importorskip("zeroconf")

    async def talk() -> None:
        found: list[tuple[str, Sequence[Address]]] = []
        one = Discovery(KEYS.network, [1], {2: "b"}, lambda *what: found.append(what), [LOOP])
        two = Discovery(KEYS.network, [2], {1: "a"}, lambda *what: found.append(what), [LOOP])
        stranger = Discovery(
            Keys.new().network, [2], {1: "a"}, lambda *what: found.append(("stranger", what[1])), [LOOP]
        )
        try:
            await asyncio.gather(one.open(4711), two.open(4712), stranger.open(4713))
            await until(lambda: len(found) >= 2, 15)
            assert sorted(found) == [("a", [(LOOP, 4711)]), ("b", [(LOOP, 4712)])]
        finally:
            await asyncio.gather(one.close(), two.close(), stranger.close())

    try:
        run(talk)
    except AdapterUnavailable as error:
        pytest.skip(f"no multicast here: {error}")
