"""The checker finds nothing where nothing is wrong, in calm and in storms, and it does not borrow from the nodes."""

import ast
from pathlib import Path

import pytest

from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network import invariants
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.invariants import NAMES, Checker
from powershare.simulation.network.links import LinkTraits
from powershare.simulation.network.network import Network
from powershare.simulation.network.visit import Visit
from powershare.simulation.vehicle import Traits
from powershare.site import Circuit, Connector, Site, Supply

MINUTE_MS = 60_000
SIX = Site(
    supply=Supply.SINGLE_PHASE,
    circuits=(Circuit(id="main", limit_ma=36_000),),
    connectors=tuple(Connector(id=f"c{number}", circuit="main", step_ma=1_000) for number in range(6)),
)


def watched(storm: Storm, seed: int = 1) -> tuple[Network, Checker]:
    """A network of six with its checker, switched on, in which three vehicles come and one goes."""
    network = Network(NetworkConfig(site=SIX), storm, Chance(seed))
    checker = Checker(network)
    network.watch(checker)
    network.start()
    for member, from_ms, max_ma in (("c1", 20_000, 32_000), ("c3", 90_000, 16_000), ("c4", 150_000, 32_000)):
        visit = Visit(member, from_ms, Traits(max_ma=max_ma, ramp_up_ma_per_s=32_000, ramp_down_ma_per_s=32_000))
        network.engine.at(from_ms, lambda visit=visit: network.plug(visit))  # type: ignore[misc]
    network.engine.at(220_000, lambda: network.unplug("c1"))
    return network, checker


def failed(checker: Checker) -> dict[str, int]:
    return {name: counted.failed for name, counted in checker.results.items() if counted.failed}


def test_a_quiet_network_breaks_nothing() -> None:
    """In a network in which nothing goes wrong every invariant that shows in a run is looked at, and holds."""
    network, checker = watched(Storm(names=frozenset()))
    network.run(5 * MINUTE_MS)
    checker.finish(network)
    assert failed(checker) == {}, checker.failures
    assert tuple(checker.results) == NAMES


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_breaks_nothing(seed: int) -> None:
    """Loss, late and doubled messages, drifting clocks, deaths, pauses and a partition break nothing."""
    links = LinkTraits(loss_percent=20, late_percent=5, duplicate_percent=20)
    network, checker = watched(Storm(names=frozenset(), links=links, ppm=10_000, write_ms=(250, 495)), seed)
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
