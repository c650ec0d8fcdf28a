"""The checker finds nothing where nothing is wrong, in calm and in storms, and it does not borrow from the nodes."""

import ast
from pathlib import Path

import pytest
from tests.support.networks import MINUTE_MS, SIX, at, car, failed, watched

from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network import invariants
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.invariants import NAMES, Checker
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.links import LinkTraits
from powershare.simulation.network.network import Network
from powershare.simulation.network.visit import Visit
from powershare.simulation.vehicle import Traits


def crowded(storm: Storm, seed: int = 1) -> tuple[Network, Checker]:
    """A network of six in which three vehicles come and one goes."""
    network, checker = watched(SIX, storm, seed)
    at(network, 20_000, car(network, "c1"))
    at(network, 90_000, car(network, "c3", 16_000))
    at(network, 150_000, car(network, "c4"))
    at(network, 220_000, lambda: network.unplug("c1"))
    return network, checker


def test_a_quiet_network_breaks_nothing() -> None:
    """In a network in which nothing goes wrong every invariant that shows in a run is looked at, and holds."""
    network, checker = crowded(Storm(names=frozenset()))
    network.run(5 * MINUTE_MS)
    checker.finish(network)
    assert failed(checker) == {}, checker.failures
    assert tuple(checker.results) == NAMES
    unseen = {name for name, counted in checker.results.items() if not counted.checked}
    assert unseen == {"I11", "I15"}  # nobody is out of reach, and nothing of I15 shows in one run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_breaks_nothing(seed: int) -> None:
    """Loss, late and doubled messages, drifting clocks, deaths, pauses and a partition break nothing."""
    links = LinkTraits(loss_percent=20, late_percent=5, duplicate_percent=20)
    network, checker = crowded(Storm(names=frozenset(), links=links, ppm=10_000, write_ms=(250, 495)), seed)
    engine, hosts = network.engine, network.hosts
    engine.at(60_000, lambda: network.crash("c0"))
    engine.at(75_000, lambda: network.restart("c0"))
    engine.at(110_000, lambda: network.crash("c1"))
    engine.at(140_000, lambda: network.restart("c1"))
    engine.at(170_000, lambda: network.links.partition([["c0", "c1", "c2"], ["c3", "c4", "c5"]]))
    engine.at(200_000, lambda: network.links.partition(()))
    engine.at(230_000, hosts["c4"].pause)
    engine.at(245_000, hosts["c4"].resume)
    network.run(6 * MINUTE_MS)
    checker.finish(network)
    assert failed(checker) == {}, checker.failures


@pytest.mark.parametrize(("assumption", "outside"), [("A8", 1), ("A1", 1), (None, 0)])
def test_a_second_process_reaches_everybody_also_where_a_vehicle_ignores_its_pilot(
    assumption: str | None, outside: int
) -> None:
    network = Network(NetworkConfig(site=SIX), Storm(names=frozenset()), Chance(1))
    network.start()
    network.plug(Visit("c5", 0, Traits(max_ma=32_000, ignores_pilot=True)))
    if assumption is not None:
        network.mark("c5", assumption)
    book = Book(network)
    book.fail("I6", "c4", "two have promised as one")
    assert (book.results["I6"].outside, book.results["I6"].failed) == (outside, 1 - outside)


def test_watching_changes_nothing() -> None:
    """A network runs the same, event by event and message by message, whether or not anybody checks it."""
    storm = Storm(names=frozenset(), links=LinkTraits(loss_percent=20, late_percent=5), ppm=10_000)
    seen = []
    for checks in (True, False):
        network = Network(NetworkConfig(site=SIX), storm, Chance(7))
        if checks:
            network.watch(Checker(network))
        network.start()
        at(network, 20_000, car(network, "c1"))
        at(network, 60_000, lambda network=network: network.crash("c0"))  # type: ignore[misc]
        network.run(3 * MINUTE_MS)
        seen.append((network.events, network.links.sent, network.links.lost, network.audit.result()))
    assert seen[0] == seen[1]


def test_the_checker_imports_nothing_that_a_node_is_made_of() -> None:
    """Who checks the nodes shares no code with them: no election, no leases, no node."""
    (folder,) = invariants.__path__
    modules = sorted(Path(folder).glob("*.py"))
    assert modules
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("powershare.election", "powershare.leases", "powershare.node")), path


@pytest.mark.parametrize("dies_ms", [84_000, 85_800, 87_900, 92_000])
def test_a_vehicle_that_is_lowered_softly_has_its_time_when_the_process_dies(dies_ms: int) -> None:
    """It draws more than the pilot says when nobody is left to open its contactor; its device does that in time."""
    network, checker = watched(SIX, Storm(names=frozenset(), metered=True))
    at(network, 20_000, car(network, "c1", ramp_down_ma_per_s=1_000))
    at(network, 80_000, car(network, "c3"))
    at(network, dies_ms, lambda: network.crash("c1", unwritten=True))
    network.run(2 * MINUTE_MS)
    checker.finish(network)
    assert failed(checker) == {}, checker.failures
