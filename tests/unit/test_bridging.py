"""Bridges: found by name, run again when they end, said once, and no cover for what a limit breaks in this library."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest
from tests.unit.test_registry import install, site_packages

from powershare.bridging import LASTED_S, RETRY_S, Bridges, Regulation, keep
from powershare.demand import ExternalLimit
from powershare.driver import Snapshot
from powershare.errors import AdapterNotInstalled, AdapterUnavailable, ContractError, FormatError, InternalError
from powershare.node import Limited
from powershare.site import Circuit, Connector, Site, Supply
from powershare.testing import VirtualClock

__all__ = ["site_packages"]

SITE = Site(
    supply=Supply.SINGLE_PHASE,
    circuits=(Circuit(id="feeder", limit_ma=32_000),),
    connectors=(Connector(id="north", circuit="feeder"),),
)
SNAPSHOT = Snapshot(now_ms=0, leader=None, connectors=(), circuits=())
LIMIT = Limited(ExternalLimit(limit_ma=0, source="test", connector="north"), 1_000)


@attrs.define
class Stub:
    """A driver that does with limits what the test says."""

    limited: Callable[[Limited], None]
    site: Site = SITE

    def snapshot(self) -> Snapshot:
        return SNAPSHOT

    def limit(self, event: Limited, /) -> None:
        self.limited(event)


@attrs.define
class Scripted:
    """A bridge whose runs are what the test says, one after the other, the last one ever after."""

    clock: VirtualClock
    runs: Iterator[Callable[[Regulation], Awaitable[None]]]
    started_s: list[float] = attrs.field(factory=list)

    async def run(self, regulation: Regulation, /) -> None:
        self.started_s.append(self.clock.now_s)
        await next(self.runs)(regulation)


def play(
    *runs: Callable[[Regulation], Awaitable[None]],
    seconds: float,
    limited: Callable[[Limited], None] = lambda _event: None,
) -> tuple[Scripted, list[str]]:
    """Keep a bridge for so long; the bridge, and what was said."""
    clock = VirtualClock()
    said: list[str] = []

    def each() -> Iterator[Callable[[Regulation], Awaitable[None]]]:
        yield from runs
        while True:
            yield runs[-1]

    bridge = Scripted(clock, each())

    async def whole() -> None:
        keeping = asyncio.ensure_future(
            keep(bridge, "it", Stub(limited), lambda about, words: said.append(f"{about}: {words}"))
        )
        await asyncio.wait([keeping], timeout=seconds)
        if keeping.done():
            keeping.result()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())
    return bridge, said


async def lost(_regulation: Regulation) -> None:
    raise AdapterUnavailable("the broker is gone")


async def odd(_regulation: Regulation) -> None:
    raise KeyError("x")


async def ends(_regulation: Regulation) -> None:
    pass


async def lasts(_regulation: Regulation) -> None:
    await asyncio.sleep(LASTED_S)
    raise AdapterUnavailable("the broker is gone")


async def cancels_itself(_regulation: Regulation) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lost, "it: the broker is gone; it is tried again, and regulation goes on"),
        (odd, "it: failed in a way that no bridge may: KeyError: 'x'; it is tried again, and regulation goes on"),
        (ends, "it: ended by itself; it is tried again, and regulation goes on"),
        (cancels_itself, "it: was cancelled from within; it is tried again, and regulation goes on"),
    ],
)
def test_however_a_bridge_ends_it_is_run_again_and_that_is_said_once(
    run: Callable[[Regulation], Awaitable[None]], words: str
) -> None:
    bridge, said = play(run, seconds=30)
    waits = [later - sooner for sooner, later in zip(bridge.started_s, bridge.started_s[1:], strict=False)]
    assert waits[: len(RETRY_S)] == pytest.approx(list(RETRY_S))
    assert said == [words]


def test_another_trouble_is_said_as_well() -> None:
    _, said = play(lost, odd, lost, seconds=30)
    assert len(said) == 3


def test_one_that_lasted_is_run_again_at_once_and_its_trouble_said_again() -> None:
    bridge, said = play(lasts, seconds=2.5 * (LASTED_S + RETRY_S[0]))
    assert len(bridge.started_s) == 3
    assert len(said) == 2


def test_a_limit_that_does_not_fit_is_the_bridges_own_trouble() -> None:
    def refuse(_event: Limited) -> None:
        raise ContractError("there is no such circuit")

    async def gives(regulation: Regulation) -> None:
        assert regulation.site is SITE
        assert regulation.snapshot() is SNAPSHOT
        regulation.limit(LIMIT)

    _, said = play(gives, seconds=5, limited=refuse)
    (words,) = said
    assert words.startswith("it: failed in a way that no bridge may: ContractError: there is no such circuit; it is")


@pytest.mark.parametrize("hides", [False, True])
def test_what_a_limit_breaks_in_this_library_is_not_hidden_by_the_bridge(hides: bool) -> None:
    def breaks(_event: Limited) -> None:
        raise InternalError("an invariant failed")

    async def gives(regulation: Regulation) -> None:
        try:
            regulation.limit(LIMIT)
        except InternalError:
            if not hides:
                raise

    with pytest.raises(InternalError, match="an invariant failed"):
        play(gives, seconds=5, limited=breaks)


BRIDGE = """
class Echo:
    def __init__(self, rest, /, *, clock, said):
        self.rest, self.clock, self.said = rest, clock, said
"""


def test_a_bridge_is_built_by_the_name_in_its_address(site_packages: Path) -> None:
    install(site_packages, "strangers-bridge", "own", code=BRIDGE, group="powershare.bridges")
    clock = VirtualClock()
    built = Bridges([str(site_packages)]).create("own:?x=1", clock=clock, said=print)
    assert (vars(built)["rest"], vars(built)["clock"]) == ("?x=1", clock)


def test_one_that_is_missing_says_what_to_install(site_packages: Path) -> None:
    bridges = Bridges([str(site_packages)])
    with pytest.raises(AdapterNotInstalled, match='no bridge "mqtt" is installed; install it with: pip install power'):
        bridges.create("mqtt:?broker=h", clock=VirtualClock(), said=print)
    with pytest.raises(FormatError, match=r"write name[+]rest, such as mqtt:"):
        bridges.create(":h", clock=VirtualClock(), said=print)
