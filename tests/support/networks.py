"""Small networks in virtual time with their checker, for tests."""

from collections.abc import Callable

from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.invariants import Checker
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


def watched(
    site: Site, storm: Storm, seed: int = 1, before: Callable[[Network], None] | None = None
) -> tuple[Network, Checker]:
    """A network with its checker, switched on; `before` is done to it before the checker is made."""
    network = Network(NetworkConfig(site=site), storm, Chance(seed))
    if before is not None:
        before(network)
    checker = Checker(network)
    network.watch(checker)
    network.start()
    return network, checker


def calm(
    site: Site = SIX, *, metered: bool = True, before: Callable[[Network], None] | None = None
) -> tuple[Network, Checker]:
    """One in which nothing goes wrong by itself."""
    return watched(site, Storm(names=frozenset(), metered=metered), before=before)


def car(
    network: Network, member: str, max_ma: int = 32_000, ramp_down_ma_per_s: int = 32_000, sleeps_ms: int = 0
) -> Callable[[], None]:
    """Have a vehicle plugged in."""
    traits = Traits(max_ma=max_ma, ramp_up_ma_per_s=32_000, ramp_down_ma_per_s=ramp_down_ma_per_s, sleeps_ms=sleeps_ms)
    return lambda: network.plug(Visit(member, network.engine.now_ms, traits))


def at(network: Network, t_ms: int, action: Callable[[], object]) -> None:
    """Have something happen, in true time."""
    network.engine.at(t_ms, action)


def failed(checker: Checker) -> dict[str, int]:
    """What failed, and how often."""
    return {name: counted.failed for name, counted in checker.results.items() if counted.failed}
