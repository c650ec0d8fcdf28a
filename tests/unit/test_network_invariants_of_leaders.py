"""Each invariant of leaders and of the whole is seen to fail where it is broken on purpose, and no other."""

from collections.abc import Callable

import attrs
import pytest
from tests.support.networks import MINUTE_MS, SIX, at, calm, car, failed
from tests.support.planted import ROOMY, first, granted, holder_of, leader_of, node_of, running, set_entry

from powershare.election import Elector, Term
from powershare.election.promise import Answer
from powershare.election.roles import Role
from powershare.leases import Granting, Ledger
from powershare.node import Woken
from powershare.node.leading import Leading
from powershare.simulation.network.network import leading


def test_i1_sums() -> None:
    """A circuit that is smaller than commissioned is seen to carry too much."""
    network, checker = calm(ROOMY, before=lambda network: setattr(network, "site", SIX))
    for number in range(4):
        at(network, 40_000, car(network, f"c{number}"))
    assert first(network, checker, 2 * MINUTE_MS) == {"I1"}


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
    heard = Elector.heard

    def careless(
        elector: Elector, term: Term, *, claims: bool, releases: bool, sent_ms: int, now_ms: int
    ) -> Answer | None:
        if term < elector.fence:
            return Answer.NO
        return heard(elector, term, claims=claims, releases=releases, sent_ms=sent_ms, now_ms=now_ms)

    data = granted(network, "c3")
    node = node_of(network, "c3")
    fence = node.elector.promise.fence = Term(99, 5, 1)
    node._fence, holder_of(network, "c3").seq = fence, 0
    monkeypatch.setattr(Elector, "heard", careless)
    network.hosts["c3"].receive(data)
    assert set(failed(checker)) == {"I7"}, checker.failures


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


def test_i12_ledger_longer_than_the_cap() -> None:
    """A ledger that counts on a cap for longer than the cap surely lasts is seen."""
    network, checker = running()
    for number in range(3):
        at(network, 51_000, car(network, f"c{number}"))
    network.run(2 * MINUTE_MS)
    assert holder_of(network, "c5").ceiling_ma == 0
    set_entry(network, 5, 0, 30_000)
    assert first(network, checker, 500) == {"I12"}


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
