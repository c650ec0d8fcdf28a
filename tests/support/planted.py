"""What tests plant into a network to see an invariant fail, and how they see which one fails first."""

import attrs
from tests.support.networks import SIX, calm, failed

from powershare.leases import Grant, GrantKind, Holder
from powershare.node import Heartbeat, Node, encode
from powershare.node.leading import Leading
from powershare.simulation.network.invariants import Checker
from powershare.simulation.network.network import Network, leading
from powershare.site import Circuit, Site

ROOMY = attrs.evolve(
    SIX,
    circuits=(Circuit(id="main", limit_ma=60_000),),
    connectors=tuple(attrs.evolve(one, fallback_ma=6_000) for one in SIX.connectors),
)


def first(network: Network, checker: Checker, within_ms: int) -> set[str]:
    """What fails at the first instant at which anything does."""
    until_ms = network.engine.now_ms + within_ms
    while network.engine.now_ms < until_ms and not failed(checker):
        network.run(network.engine.now_ms + 1)
    return set(failed(checker))


def node_of(network: Network, member: str) -> Node:
    node = network.hosts[member].node
    assert node is not None
    return node


def holder_of(network: Network, member: str) -> Holder:
    unit = node_of(network, member).unit
    assert unit is not None
    return unit.holder


def leader_of(network: Network) -> tuple[Leading, int]:
    """The leader's authority at work, and what its clock reads."""
    host = leading(network)
    assert host is not None
    assert host.node is not None
    assert host.node.leading is not None
    return host.node.leading, host.now_ms()


def running(site: Site = SIX, until_ms: int = 50_000) -> tuple[Network, Checker]:
    """A network in which nobody charges, after its cold hold."""
    network, checker = calm(site)
    network.run(until_ms)
    assert failed(checker) == {}, checker.failures
    return network, checker


def set_entry(network: Network, place: int, high_ma: int, for_ms: int) -> None:
    """Put another entry into the leader's ledger."""
    at_work, now_ms = leader_of(network)
    kernel = at_work.granting.ledger._kernel
    kernel.high[place], kernel.until[place] = high_ma, now_ms + for_ms


def granted(network: Network, member: str, boot: int | None = None, report_no: int | None = None) -> bytes:
    """A heartbeat of the leader's that caps a member as it is capped, as an answer to its last report."""
    at_work, now_ms = leader_of(network)
    place = network.config.member_index[member]
    report = at_work.granting.accounts[place].report
    assert report is not None
    holder, host = holder_of(network, member), leading(network)
    assert host is not None
    assert host.node is not None
    assert holder.ceiling_ma == 0
    grant = Grant(
        holder.seq + 1,
        GrantKind.CAP,
        0,
        0,
        report.boot if boot is None else boot,
        report.session,
        report.report_no if report_no is None else report_no,
        report.stamp_ms,
    )
    beat = Heartbeat(host.node.elector.term, now_ms + 1, claims=True, grant=grant)
    return encode(beat, network.config.hash)
