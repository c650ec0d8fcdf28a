"""Each invariant of a unit is seen to fail where it is broken on purpose, and no other does."""

import attrs
import pytest
from tests.support.networks import MINUTE_MS, SIX, at, calm, car, failed
from tests.support.planted import ROOMY, first, granted, holder_of, node_of, running

from powershare.election import Term
from powershare.leases import Grant, GrantKind, Holder, Ledger, Pilot
from powershare.leases.tail import Tail
from powershare.node import Heartbeat, encode
from powershare.node.config import Commissioning
from powershare.node.leading import Leading
from powershare.policy import Report
from powershare.simulation.network.invariants import Checker
from powershare.simulation.network.network import Network


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


def test_a_grant_of_a_leader_to_itself_is_not_taken_for_one_of_the_same_number_that_comes_in_with_it() -> None:
    """A heartbeat of a former leader, late by a minute, arrives at a leader in the very step that it grants itself."""
    network, checker = running()
    node, holder = node_of(network, "c0"), holder_of(network, "c0")
    assert node.leading is not None
    number = holder.seq + 1
    late = Grant(number, GrantKind.RAISE, 8_000, 8_000, node.boot, holder.session, report_no=1, stamp_ms=0)
    beat = Heartbeat(Term(1, 1, node_of(network, "c1").boot), sent_ms=1, claims=True, grant=late)
    node.leading.urgent = True
    network.hosts["c0"].receive(encode(beat, network.config.hash))
    assert (holder.seq, holder.ceiling_ma) == (number, 0), "it has granted itself what it had"
    assert node.counters["below the fence"] == 1
    assert failed(checker) == {}, checker.failures


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


def test_a_device_that_was_cut_off_stays_so_under_a_process_that_dies_before_it_has_told_it_anything() -> None:
    """A contactor that one process opened for good is still open when the next one has died in its first write."""
    network, checker = calm(ROOMY)
    device = network.hosts["c3"].device
    assert device is not None
    at(network, 40_000, car(network, "c3", ramp_down_ma_per_s=100))
    network.run(80_000)
    network.links.partition([[member] for member in network.hosts])
    while not (holder_of(network, "c3").tripped and device.offer_ma == 0):
        network.run(network.engine.now_ms + 100)
    network.crash("c3")
    network.run(network.engine.now_ms + 1_000)
    network.restart("c3")
    network.crash("c3", unwritten=True)
    network.run(network.engine.now_ms + MINUTE_MS)
    assert device.offer_ma == 0
    assert failed(checker) == {}, checker.failures


def test_i13_no_whole_number() -> None:
    """A figure that is no whole number is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3"))
    network.run(MINUTE_MS)
    holder_of(network, "c3").offer_ma = 20_000.0  # type: ignore[assignment]
    assert first(network, checker, 2_000) == {"I13"}


def test_i19_tail_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that reports its new ceiling while its vehicle may still draw the former one is seen."""
    network, checker = running()
    at(network, 51_000, car(network, "c3", sleeps_ms=10 * MINUTE_MS))
    network.run(80_000)
    monkeypatch.setattr(Tail, "most_ma", lambda *_: 0)
    network.links.partition([["c3"], ["c0", "c1", "c2", "c4", "c5"]])
    assert first(network, checker, 20_000) == {"I19"}


def test_i12_cap_told_before_the_device_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that tells of a cap while its device would still leave it earlier, were the process to die, is seen."""

    def hasty(holder: Holder, now_ms: int) -> int:
        return 0 if holder.until_ms is None or holder.ceiling_ma else holder.until_ms - now_ms

    monkeypatch.setattr(Holder, "cap_left_ms", hasty)
    network, checker = calm(SIX)
    assert first(network, checker, MINUTE_MS) == {"I12"}


def test_i23_tail_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that goes on saying that it may draw what it no longer may is seen."""
    monkeypatch.setattr(Tail, "most_ma", lambda *_: 8_000)
    network, checker = calm(ROOMY)
    assert first(network, checker, MINUTE_MS) == {"I23"}


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
