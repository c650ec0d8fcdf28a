"""What no world shows, or hardly any: mistakes that take an instant, or a clock, that simulated hosts do not have.

A simulated host goes on with its clock when a process dies, and after a pause a device's measurement is the first thing
that its node hears. So these are told to one node by hand; the mutants that they are for name this file.
"""

from powershare.constraints import compile_site
from powershare.demand import ExternalLimit
from powershare.election import Role
from powershare.election.term import Term
from powershare.node import Limited, NetworkConfig, Node, Received, Vote, Woken, encode
from powershare.node.leading import DEFAULT_STALE_MS, Surroundings
from powershare.node.messages import Reading
from powershare.site import Circuit, Connector, Site, Supply

CONFIG = NetworkConfig(
    site=Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=18_000),),
        connectors=tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in "abc"),
    )
)


def yes(node: Node, term: Term, heartbeat_ms: int, report_no: int) -> Received:
    """The second member's promise for a heartbeat."""
    vote = Vote(
        member=1,
        boot=9,
        report_no=report_no,
        stamp_ms=70_000,
        term=term,
        heartbeat_ms=heartbeat_ms,
        promised=True,
        readings=(),
        bounds=(),
    )
    return Received(encode(vote, node.commissioning.hash))


def woken_until(node: Node, now_ms: int, until_ms: int, role: Role | None = None) -> int:
    """Wake a node in its time until it has a role, or for so long; when that was."""
    while now_ms < until_ms and (role is None or node.role is not role):
        wake_ms = node.step(Woken(), now_ms).wake_ms
        assert wake_ms is not None
        now_ms = max(now_ms + 1, wake_ms)
    return min(now_ms, until_ms) - 1


def test_a_vote_for_a_former_process_does_not_count_though_the_clock_has_begun_anew() -> None:
    """The host was off, too: its clock reads once more what it read when the former process asked."""
    for boot, leads in ((1, False), (2, True)):
        node = Node(CONFIG, "a", boot=2, now_ms=94_000)
        asked_ms = woken_until(node, 94_000, 104_000, Role.CANDIDATE)
        now_ms = woken_until(node, asked_ms + 1, asked_ms + 1_200)
        assert node.role is Role.CANDIDATE
        node.step(yes(node, Term(node.elector.term.counter, 0, boot), asked_ms + 1, 1), now_ms)
        assert node.leads is leads


def test_an_answer_that_comes_when_the_promises_are_over_does_not_restore_the_authority() -> None:
    """The majority that it makes is a new one: another claim, and another ledger."""
    for late_ms, same in ((-1, True), (0, False), (300, False)):
        node = Node(CONFIG, "a", boot=1, now_ms=0)
        asked_ms = woken_until(node, 0, 20_000, Role.CANDIDATE)
        node.step(yes(node, node.elector.term, asked_ms, 1), asked_ms + 1)
        assert node.leads
        term, until_ms = node.elector.term, node.elector.authority.until_ms
        now_ms = woken_until(node, asked_ms + 2, asked_ms + 1_500)
        round_ms = node._decided_ms
        assert asked_ms < round_ms <= now_ms
        node.step(yes(node, term, round_ms, 2), until_ms + late_ms)
        assert ((node.leads, node.elector.term) == (True, term)) is same


def test_a_reading_is_as_old_as_it_is_whoever_passes_it_on() -> None:
    """Half of the time a member keeps it, half of the time the next one does; then the worst counts."""
    half_ms, compiled = DEFAULT_STALE_MS // 2, compile_site(CONFIG.site)
    first, second = (Surroundings(CONFIG, compiled) for _ in range(2))
    first.read([Reading(0, (4_000,), half_ms)], 100_000)
    assert first.in_force(100_200)[0]
    second.read(first.readings(100_000 + half_ms - 500), 100_000 + half_ms - 500)
    assert second.in_force(100_000 + half_ms)[0]
    assert not second.in_force(100_001 + half_ms)[0]


def test_who_begins_to_lead_knows_the_limits_that_it_was_told_before() -> None:
    """It may be the only one that was told."""
    node = Node(CONFIG, "a", boot=1, now_ms=0)
    limit = ExternalLimit(limit_ma=10_000, source="utility", circuit="feeder")
    node.step(Limited(limit, until_ms=60_000), 10)
    asked_ms = woken_until(node, 11, 20_000, Role.CANDIDATE)
    node.step(yes(node, node.elector.term, asked_ms, 1), asked_ms + 1)
    assert node.leading is not None
    assert node.leading.surroundings.in_force(asked_ms + 1)[1]
