"""Real processes: a controller, stations of every kind, each a process of its own, and a central system behind one.

One obeys, one accepts and ignores, one takes only watts, one only stack level 0, one vanishes, and one is limited from
behind. The controller is killed. What the stations have written of themselves is judged by `powershare trace check`.
"""

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import attrs
import pytest

from .processes import Stations, Yard, at, reaches_s
from .upstreams import Csms

_LOG = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals"),
]

KINDS = {
    "obeys": {},
    "lies": {},
    "watts": {"kind": "only-watts"},
    "level0": {"kind": "level-0"},
    "gone": {},
    "behind": {},
}
LIMIT_A, FALLBACK_A, GREATEST_MA = 112, 6, 32_000
LEASE_S = 10.0
"""The longest that a raise is granted for (docs/protocol.md, U)."""
VANISHES_S = 40.0
"""So long after it began to dial; it has been raised by then, and for long, on a busy host, too."""
ALONE_S = LEASE_S + 2
LIMITED_A = 6.5


@attrs.define
class Played:
    """What was seen."""

    stations: dict[str, Stations]
    vanished_s: float
    limited_s: float
    killed_s: float
    code: int
    verdict: str
    words: list[str]


class Thread:
    """A central system behind, in a thread of its own."""

    def __init__(self, tcp_port: int) -> None:
        self.csms, self._loop = Csms(tcp_port), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: "asyncio.Future[object] | object") -> object:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)  # type: ignore[arg-type] # a coroutine

    def ends(self) -> None:
        self.do(self.csms.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def until(holds: Callable[[], bool], within_s: float = 60) -> None:
    """Wait until something holds."""
    ends_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends_s, "it never came to that"
        time.sleep(0.25)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """It is played once, and looked at by every test."""
    place = tmp_path_factory.mktemp("yard")
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
    thread = Thread(ports[1])
    thread.do(thread.csms.open())
    with Yard(place, list(KINDS), limit_a=LIMIT_A, fallback_a=FALLBACK_A, tcp_port=ports[0]) as yard:
        stations = {}
        for name, settings in KINDS.items():
            fails = {"lies": ("--fail", "0=ignores@0"), "gone": ("--fail", f"0=vanishes@{VANISHES_S}")}.get(name, ())
            stations[name] = yard.emulate([name], settings, *fails)
        # Who ignores its profiles is known by its meter, and by nothing else. A vehicle that took its time to draw more
        # than it may would be found only once others have been given what it was believed to leave (outside of A2).
        stations["lies"].addresses()
        until(lambda: stations["lies"].drawn_ma("lies") == GREATEST_MA)
        behind = f"&upstream=ws://127.0.0.1:{ports[1]}/csms&upstream_store={place}/store"
        controller = yard.regulate({"behind": behind})
        until(lambda: at(stations["behind"].offers("behind"), time.time()) > 1_000 * LIMITED_A)
        limited_s = time.time()
        assert thread.csms.line is not None, controller.words
        assert thread.do(thread.csms.limits(LIMITED_A)) == "Accepted"
        time.sleep(4)
        thread.do(thread.csms.close())  # and then nobody is behind any more
        until(lambda: stations["gone"].happened_s("failure vanishes") is not None)
        time.sleep(3)
        killed_s = time.time()
        controller.ends(signal.SIGKILL)
        time.sleep(ALONE_S)
        for one in yard.stations:
            one.ends(signal.SIGTERM)
        code, verdict = yard.judged()
        vanished_s = stations["gone"].happened_s("failure vanishes")
        assert vanished_s is not None
        yield Played(stations, vanished_s, limited_s, killed_s, code, verdict, controller.words)
    thread.ends()


def test_the_sums_hold_at_the_meters(played: Played) -> None:
    assert "no limit broke" in played.verdict, played.verdict
    assert played.code == 0, played.verdict


def test_the_stations_that_obey_get_what_one_that_does_not_leaves(played: Played) -> None:
    """What it draws is counted by its meter, and given to nobody else.

    How the others share that is not looked at: until it is found out (30 s), it is believed to leave more, and who asks
    first has more of what there is.
    """
    assert at(played.stations["lies"].offers("lies"), played.killed_s) == GREATEST_MA
    offers = {name: played.stations[name].offers(name) for name in ("obeys", "watts", "level0")}
    # A station with one stack level is at what stays for moments, until it is known to have no more.
    instants = [played.killed_s - 0.5 * part for part in range(1, 10)]
    together_ma = max(sum(at(one, when_s) for one in offers.values()) for when_s in instants)
    assert together_ma > 1_000 * (3 * FALLBACK_A + 20), offers


def test_a_limit_from_behind_holds_within_seconds_and_without_who_set_it(played: Played) -> None:
    offers = played.stations["behind"].offers("behind")
    assert at(offers, played.limited_s) > 1_000 * LIMITED_A, offers
    limited_s = reaches_s(offers, lambda offered_ma: offered_ma <= 1_000 * LIMITED_A, played.limited_s)
    _LOG.info("limited after %.1f s", limited_s)
    assert limited_s < 4
    later = [offered_ma for at_s, offered_ma in offers if at_s >= played.limited_s + 4]
    assert max([*later, 0]) <= 1_000 * LIMITED_A


def test_one_that_vanishes_falls_back_by_itself_and_is_named(played: Played) -> None:
    offers = played.stations["gone"].offers("gone")
    assert at(offers, played.vanished_s - 1) > 1_000 * FALLBACK_A, offers
    assert reaches_s(offers, lambda offered_ma: offered_ma <= 1_000 * FALLBACK_A, played.vanished_s) < LEASE_S + 1.5
    assert any(" gone: " in words for words in played.words), played.words


def test_the_controller_killed_every_obeying_station_is_at_its_fallback_within_one_lease(played: Played) -> None:
    fell_s = {}
    for name in ("obeys", "watts", "level0", "behind", "gone"):
        offers = played.stations[name].offers(name)
        fell_s[name] = reaches_s(offers, lambda offered_ma: offered_ma <= 1_000 * FALLBACK_A, played.killed_s)
        after = [offered_ma for at_s, offered_ma in offers if at_s >= played.killed_s + fell_s[name]]
        assert max([*after, 0]) <= 1_000 * FALLBACK_A, "and stays there"
    _LOG.info("fell back after %s s", {name: round(seconds, 1) for name, seconds in fell_s.items()})
    assert max(fell_s.values()) <= LEASE_S, fell_s
