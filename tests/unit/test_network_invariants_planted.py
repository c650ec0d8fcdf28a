"""Each invariant is seen to fail where it is broken on purpose, and no other: who finds nothing must be able to."""

from collections.abc import Callable

import attrs
import pytest
from tests.support.networks import MINUTE_MS, SIX, at, calm, car, failed

from powershare.election import Elector, Promise, Term
from powershare.election.promise import Answer
from powershare.election.roles import Role
from powershare.leases import Grant, Granting, GrantKind, Holder, Ledger, Pilot
from powershare.leases.tail import Tail
from powershare.node import Heartbeat, Node, Woken, encode
from powershare.node.config import Commissioning
from powershare.node.leading import Leading
from powershare.policy import Report
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


def test_i1_sums() -> None:
    """A circuit that is smaller than commissioned is seen to carry too much."""
    network, checker = calm(ROOMY, before=lambda network: setattr(network, "site", SIX))
    for number in range(4):
        at(network, 40_000, car(network, f"c{number}"))
    assert first(network, checker, 2 * MINUTE_MS) == {"I1"}


def test_i2_more_is_drawn_than_may_be() -> None:
    """A vehicle that lowers its current too slowly is seen to draw more than its unit says."""
    network, checker = calm(ROOMY, metered=False)
    at(network, 40_000, car(network, "c1", ramp_down_ma_per_s=100))
    at(network, 80_000, lambda: network.links.partition([["c1"], ["c0", "c2", "c3", "c4", "c5"]]))
    assert first(network, checker, 2 * MINUTE_MS) == {"I2"}


def test_i3_ceiling_without_a_grant() -> None:
    """A ceiling that nobody granted is seen; nobody leads, so no ledger misses it."""
    network, checker = running(ROOMY)
    network.links.partition([[member] for member in network.hosts])
    network.run(70_000)
    holder_of(network, "c3").ceiling_ma = 8_000
    assert first(network, checker, 20_000) == {"I3"}


def test_i3_pilot_above_the_ceiling() -> None:
    """A device that offers more than the ceiling while no write is under way is seen."""
    network, checker = running(ROOMY)
    assert meddled(network, checker, crashed_ms=90_000) == {"I3"}


def test_i22_device_that_rises_by_itself() -> None:
    """A device that is left alone and rises while its cap runs is seen."""
    network, checker = running(ROOMY)
    assert meddled(network, checker, crashed_ms=60_000) == {"I22"}


def meddled(network: Network, checker: Checker, crashed_ms: int) -> set[str]:
    """What fails when a device offers more than anybody told it; its process is dead, and nobody leads."""
    device = network.hosts["c3"].device
    assert device is not None
    network.links.partition([[member] for member in network.hosts])
    network.run(crashed_ms)
    network.crash("c3")
    network.run(crashed_ms + 10_000)
    assert failed(checker) == {}
    device.offer_ma = 8_000
    network._device_changed("c3", "meddled with", None)
    return set(failed(checker))


def test_i4_ledger_below_what_may_be_drawn() -> None:
    """A ledger that says less than a unit may draw is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3"))
    network.run(MINUTE_MS)
    set_entry(network, 3, 7_000, 16_900)
    leader = leading(network)
    assert leader is not None
    leader.tell(Woken())
    assert set(failed(checker)) == {"I4"}


def test_i4_ledger_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that counts a raise for less than the wait is seen, though it covers everything now."""
    network, checker = running()
    leader, _ = leader_of(network)
    timing = attrs.evolve(network.config.timing)
    monkeypatch.setitem(timing.__dict__, "wait_ms", 12_000)
    monkeypatch.setattr(leader.granting.ledger, "_timing", timing)
    at(network, 51_000, car(network, "c1"))
    assert first(network, checker, 20_000) == {"I4"}


def test_i5_raise_that_does_not_fit() -> None:
    """A raise beyond the limit is seen when it is issued, before anybody draws it."""
    network, checker = running()
    kernel = leader_of(network)[0].granting.ledger._kernel
    kernel.limit_later[0] = 100_000
    at(network, 51_000, car(network, "c1"))
    at(network, 51_000, car(network, "c2"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "set_limits", lambda ledger, *_: kernel.limit_now.__setitem__(0, 100_000))
        patch.setattr(Granting, "_worth_a_change", lambda *_: True)
        patch.setattr(Granting, "release", _released_whole(Granting.release, {"c1": 32_000, "c2": 32_000}))
        assert first(network, checker, MINUTE_MS) == {"I5"}


def _released_whole(release: Callable[..., object], targets_ma: dict[str, int]) -> Callable[..., object]:
    def released(granting: Granting, _targets: object, reserved: object, now_ms: int) -> object:
        return release(granting, targets_ma, reserved, now_ms)

    return released


def test_i6_second_authority() -> None:
    """A second member that has authority at the same true instant is seen."""
    network, checker = running()
    node, host = node_of(network, "c3"), network.hosts["c3"]
    now_ms = host.now_ms()
    node.elector.role = Role.LEADER
    node.elector.term = Term(99, 3, node.boot)
    node.elector.authority.until_ms = now_ms + 4_000
    node.leading = Leading(node.config, node._membership.compiled, node.config.fallbacks_ma, node._own, now_ms)
    host.tell(Woken())
    assert set(failed(checker)) == {"I6"}


def test_i6_promise_twice() -> None:
    """A voter that gives itself to somebody else before its promise is over is seen."""
    network, checker = running()
    node_of(network, "c3").elector.promise.to = (5, node_of(network, "c5").boot)
    assert first(network, checker, 5_000) == {"I6"}


def test_i6_promise_counted_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promises that are counted from their receipt are seen: they outlast what was promised."""
    monkeypatch.setattr(Elector, "answered", _counted_from_receipt(Elector.answered))
    network, checker = calm(SIX)
    assert first(network, checker, 30_000) == {"I6"}


def _counted_from_receipt(answered: Callable[..., object]) -> Callable[..., object]:
    def late(elector: Elector, member: int, *, promised: bool, sent_ms: int, now_ms: int) -> object:
        return answered(elector, member, promised=promised, sent_ms=now_ms + 100, now_ms=now_ms + 100)

    return late


def test_i7_below_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant of a lower term is seen to be applied."""
    network, checker = running()
    heard = Promise.heard

    def careless(promise: Promise, term: Term, claims: bool, now_ms: int) -> Answer:
        return Answer.NO if term < promise.fence else heard(promise, term, claims, now_ms)

    data = granted(network, "c3")
    node = node_of(network, "c3")
    fence = node.elector.promise.fence = Term(99, 5, 1)
    node._fence, holder_of(network, "c3").seq = fence, 0
    monkeypatch.setattr(Promise, "heard", careless)
    network.hosts["c3"].receive(data)
    assert set(failed(checker)) == {"I7"}, checker.failures


def test_i8_earlier_boot() -> None:
    """A grant to an earlier process is seen to be applied."""
    network, checker = running()
    holder_of(network, "c3")._boot = 7
    network.hosts["c3"].receive(granted(network, "c3", boot=7))
    assert set(failed(checker)) == {"I8"}


def test_i8_number_again() -> None:
    """A number that is not above the one before is seen to be applied."""
    network, checker = running()
    holder_of(network, "c3").seq = 0
    network.hosts["c3"].receive(granted(network, "c3"))
    assert set(failed(checker)) == {"I8"}


def test_i9_anchor_that_was_never_sent() -> None:
    """A lease that hangs on a report which was never made is seen."""
    network, checker = running()
    network.hosts["c3"].receive(granted(network, "c3", report_no=100_000))
    assert set(failed(checker)) == {"I9"}


def test_i9_lease_that_outlives_its_anchor() -> None:
    """A raise that lasts longer than its report allows is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c1"))
    network.run(MINUTE_MS)
    network.links.partition([[member] for member in network.hosts])
    network.run(66_000)  # nobody leads any more, so no ledger misses what follows
    holder = holder_of(network, "c1")
    assert holder.until_ms is not None
    holder.until_ms += 5_000
    assert first(network, checker, 1_000) == {"I9"}


def test_i10_other_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that holds a greater fallback than commissioned is seen at its start, as what its device is told (I3)."""
    fallback_ma = Commissioning.fallback_ma
    monkeypatch.setattr(Commissioning, "fallback_ma", lambda held, member: fallback_ma(held, member) + 2_000)
    network, checker = calm(SIX)
    assert first(network, checker, 1_000) == {"I10", "I3"}


def test_i11_raise_without_a_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that nobody can reach and that stays above its fallback is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3"))
    network.run(70_000)
    links = network.links
    monkeypatch.setattr(links, "passes", lambda one, other: "c3" not in {one, other})
    send = type(links).send

    def through(sender: str, to: str, data: bytes) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(links, "passes", lambda *_: True)
            send(links, sender, to, data)

    monkeypatch.setattr(links, "send", through)
    assert first(network, checker, MINUTE_MS) == {"I11"}


def test_i11_cold_for_ever() -> None:
    """A unit that nobody grants anything and that does not come out of its cold hold is seen."""
    network, checker = running()
    for member in network.hosts:
        network.crash(member)
    network.restart("c3")
    holder = holder_of(network, "c3")
    assert holder.until_ms is not None
    holder.until_ms += 20_000
    assert first(network, checker, MINUTE_MS) == {"I11"}


def test_i12_ledger_longer_than_the_cap() -> None:
    """A ledger that counts on a cap for longer than the cap surely lasts is seen."""
    network, checker = running()
    for number in range(3):
        at(network, 51_000, car(network, f"c{number}"))
    network.run(2 * MINUTE_MS)
    assert holder_of(network, "c5").ceiling_ma == 0
    set_entry(network, 5, 0, 30_000)
    assert first(network, checker, 500) == {"I12"}


def test_i13_no_whole_number() -> None:
    """A figure that is no whole number is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3"))
    network.run(MINUTE_MS)
    holder_of(network, "c3").offer_ma = 20_000.0  # type: ignore[assignment]
    assert first(network, checker, 2_000) == {"I13"}


def test_i14_nobody_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that never raises anybody is seen, once everything has been at rest for long enough."""
    monkeypatch.setattr(Granting, "_raise", lambda *_: False)
    network, checker = calm(SIX)
    at(network, 51_000, car(network, "c3"))
    assert first(network, checker, 5 * MINUTE_MS) == {"I14"}


def test_i16_ledger_that_begins_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new authority that does not count everybody with the most is seen."""
    monkeypatch.setattr(Ledger, "open", lambda ledger, now_ms: ledger._kernel.open(now_ms, 1_000))
    network, checker = calm(SIX)
    assert first(network, checker, 30_000) == {"I16"}


def test_i16_authority_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that goes on with its ledger when its authority is over is seen; it leads without any, too (I6)."""
    network, checker = running()
    monkeypatch.setattr(Elector, "tick", lambda elector, now_ms: None)
    network.links.partition([["c0"], ["c1", "c2", "c3", "c4", "c5"]])
    assert first(network, checker, 10_000) == {"I6", "I16"}


def test_i17_fence_that_falls() -> None:
    """A fence that falls is seen."""
    network, checker = running()
    node = node_of(network, "c3")
    node._fence = node.elector.promise.fence = Term(1, 0, 0)
    holder_of(network, "c3").seq = 0
    assert first(network, checker, 2_000) == {"I17"}


def test_i18_entry_for_too_long() -> None:
    """A ledger that counts a raise for longer than the wait is seen."""
    network, checker = running()
    set_entry(network, 3, 8_000, 30_000)
    assert first(network, checker, 500) == {"I18"}


def test_i19_tail_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that reports its new ceiling while its vehicle may still draw the former one is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3", sleeps_ms=10 * MINUTE_MS))
    network.run(80_000)
    monkeypatch.setattr(Tail, "most_ma", lambda *_: 0)
    network.links.partition([["c3"], ["c0", "c1", "c2", "c4", "c5"]])
    assert first(network, checker, 20_000) == {"I19"}


def test_i20_session_that_never_was() -> None:
    """A unit that counts a session in which no vehicle came is seen."""
    network, checker = running()
    holder_of(network, "c3").session += 1
    assert first(network, checker, 2_000) == {"I20"}


def test_i21_second_process() -> None:
    """A second process under a member's name is seen."""
    network, checker = running()
    network.duplicate("c3")
    assert set(failed(checker)) == {"I21"}


def test_i22_device_that_rises_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is told to rise before its cap is over is seen."""
    network, checker = running()
    for number in range(3):
        at(network, 51_000, car(network, f"c{number}"))
    network.run(2 * MINUTE_MS)
    pilot_of = Holder.pilot

    def early(holder: Holder, now_ms: int) -> Pilot | None:
        pilot = pilot_of(holder, now_ms)
        if pilot is None or pilot.until_ms is None or holder.ceiling_ma:
            return pilot
        return attrs.evolve(pilot, until_ms=pilot.until_ms - 10_000)

    monkeypatch.setattr(Holder, "pilot", early)
    assert first(network, checker, 5_000) == {"I22"}


def test_i23_ledger_that_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that stays above what units say is seen."""
    monkeypatch.setattr(Ledger, "learn", lambda *_, **__: None)
    network, checker = calm(SIX)
    assert first(network, checker, MINUTE_MS) == {"I23"}


def test_i24_unit_that_waits_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that is kept below its fallback though its vehicle wants current is seen."""
    reports_of = Leading._reports

    def deaf(at_work: Leading, now_ms: int) -> tuple[list[Report], dict[str, int]]:
        reports, held_ma = reports_of(at_work, now_ms)
        return [attrs.evolve(one, wants=one.wants and one.connector != "c3") for one in reports], held_ma

    monkeypatch.setattr(Leading, "_reports", deaf)
    network, checker = calm(SIX)
    for number in range(4):
        at(network, 51_000, car(network, f"c{number}"))
    assert first(network, checker, 5 * MINUTE_MS) == {"I24"}
