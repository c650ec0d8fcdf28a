"""What a device's silence and its disobedience mean: it counts with what it may do, and is left to its dead man.

What is in brackets are invariants and assumptions of docs/safety.md.
"""

import attrs
import pytest
from tests.support.devices import NOW, Bench, answers, declared, pilot, raised, says, told

from powershare.adapter import Deadman, Offer
from powershare.driver.actuator import SILENT_MS, Actuator
from powershare.driver.held import FOLLOWED_MS, acted_ms
from powershare.leases import GrantKind
from powershare.node import DeviceState, Measured

RAISE, CAP, TRIM, FALL_BACK = GrantKind.RAISE, GrantKind.CAP, GrantKind.TRIM, GrantKind.FALL_BACK
KINDS = tuple(Deadman)


# Rule 4


def test_a_watchdog_that_is_not_reached_counts_with_its_order_until_it_has_acted_and_then_with_what_it_does() -> None:
    bench = raised(Deadman.WATCHDOG, left_alone_ma=6_000)
    bench.fate = lambda _call: "lost"
    fed_ms = bench.device.orders[-1][0]
    bench.grant(FALL_BACK, 6_000)
    bench.run(fed_ms + acted_ms(10_000) - bench.now_ms)
    assert bench.most_ma == 20_000
    bench.run(20_000)
    assert bench.most_ma == 6_000
    assert bench.actuator.most_offered_ma(bench.now_ms) == 6_000


def test_a_lease_that_runs_out_unreached_counts_with_what_follows_it() -> None:
    """The device goes to its then, and a cap that never reached it does not hold."""
    bench = raised(Deadman.LEASE)
    bench.fate = lambda _call: "lost"
    bench.grant(CAP, 0)
    bench.run(40_000)
    assert bench.device.offered_ma == 6_000 == bench.most_ma
    bench.fate = lambda _call: "ok"
    bench.grant(CAP, 0)
    bench.run(3_000)
    assert (bench.device.offered_ma, bench.most_ma) == (0, 6_000), "its vehicle has not followed yet"
    bench.run(FOLLOWED_MS)
    assert bench.most_ma == 0


def test_a_device_with_leases_that_is_not_reached_may_have_restarted_and_counts_with_what_it_then_does() -> None:
    """As after a short blackout: it comes back at its fallback, whatever it was told, before anybody asks it."""
    bench = Bench(declared(Deadman.LEASE, left_alone_ma=6_000)).started()
    bench.grant(CAP, 0)
    bench.run(bench.timing.tail_ms + 1_000)
    assert bench.most_ma == 0
    bench.fate = lambda _call: "lost"
    bench.run(SILENT_MS + 2_000)
    bench.device.restart(bench.now_ms)
    assert bench.most_ma == bench.device.offered_ma == 6_000


def test_the_renewal_of_a_cap_that_never_reached_the_device_does_not_keep_it_low() -> None:
    """(I12) What it knows of ends first, whatever it was to be told since."""
    bench = Bench(declared(Deadman.LEASE)).started()
    bench.grant(CAP, 0)
    bench.run(1_000)
    ends_ms = bench.device.orders[-1][1].valid_until_ms
    bench.fate = lambda _call: "lost"
    for _ in range(20):
        bench.grant(CAP, 0)
        bench.run(1_000)
        assert bench.now_ms + bench.unit.holder.cap_left_ms(bench.now_ms) <= ends_ms


def test_one_without_a_dead_man_that_comes_down_late_counts_until_its_vehicle_has_followed() -> None:
    """Its lease, and the time after it, were over long ago: nothing but this order brought it down."""
    bench = raised(Deadman.NONE)
    bench.fate = lambda call: "no" if call == "order" else "ok"
    bench.grant(FALL_BACK, 6_000)
    bench.run(60_000)
    assert bench.most_ma == bench.device.offered_ma == 20_000
    bench.fate = lambda _call: "ok"
    bench.run(2_000)
    assert (bench.device.offered_ma, bench.most_ma) == (6_000, 20_000)
    bench.run(FOLLOWED_MS)
    assert bench.most_ma == 6_000


def test_a_device_without_a_dead_man_counts_with_its_greatest_offer_for_as_long_as_it_is_not_reached() -> None:
    bench = raised(Deadman.NONE)
    bench.fate = lambda _call: "lost"
    bench.grant(FALL_BACK, 6_000)
    bench.run(300_000)
    assert bench.most_ma == 32_000
    bench.fate = lambda _call: "ok"
    bench.run(3_000)
    assert bench.device.offered_ma == 6_000
    assert bench.most_ma == 32_000, "its vehicle has not followed yet"
    bench.run(FOLLOWED_MS)
    assert bench.most_ma == 6_000


@pytest.mark.parametrize("trusted", [False, True])
def test_a_device_without_a_dead_man_is_trusted_only_where_somebody_said_so(trusted: bool) -> None:
    bench = Bench(declared(Deadman.NONE), trusted=trusted).started()
    bench.run(20_000)
    assert bench.most_ma == (6_000 if trusted else 32_000)


@pytest.mark.parametrize(
    ("kind", "left_alone_ma", "counts_ma"),
    [(Deadman.WATCHDOG, 16_000, 16_000), (Deadman.LEASE, 16_000, 32_000), (Deadman.NONE, 32_000, 32_000)],
)
def test_a_device_that_was_never_reached_is_reported_and_not_left_to_count_with_its_fallback(
    kind: Deadman, left_alone_ma: int, counts_ma: int
) -> None:
    """Its fallback may not have been set yet, so that it does more when it is left alone than the site says."""
    bench = Bench(declared(kind, left_alone_ma=left_alone_ma), offered_ma=counts_ma, trusted=True)
    bench.fate = lambda _call: "lost"
    bench.run(60_000)
    assert bench.unit.may_speak(bench.now_ms)
    assert bench.most_ma == counts_ma


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_start_the_unit_says_nothing_before_the_device_was_read_back_and_a_vehicle_has_followed(
    kind: Deadman,
) -> None:
    bench = Bench(declared(kind), offered_ma=32_000, trusted=True)
    bench.run(bench.timing.tail_ms)
    assert bench.device.offered_ma == 0
    assert not bench.unit.may_speak(bench.now_ms)
    bench.run(1_000)
    assert bench.unit.may_speak(bench.now_ms)


def test_a_new_connection_is_told_again_and_what_it_was_told_before_may_still_hold() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG), NOW)
    actuator.order(pilot(1, 16_000, NOW + 30_000))
    told(actuator, NOW)
    answers(actuator, 16_000, NOW + 400)
    actuator.forget()
    actuator.order(pilot(2, 0))
    assert not answers(actuator, 0, NOW + 1_000), "what it does before it was told again proves nothing"
    assert actuator.most_offered_ma(NOW + 1_000) == 16_000
    assert told(actuator, NOW + 1_000).offered_ma == 0


def test_a_device_is_gone_only_after_a_while_of_silence_and_its_vehicle_then_wants_nothing_more() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG, left_alone_ma=6_000), NOW)
    tuple(actuator.read(says(6_000, NOW + 1_000), NOW + 1_000))
    assert not actuator.is_silent(NOW + 1_000 + SILENT_MS - 1)
    assert actuator.is_silent(NOW + 1_000 + SILENT_MS)
    (state,) = actuator.unreached(NOW + 1_000 + SILENT_MS)
    assert state == DeviceState(plugged=True, wants=False, closed=True, offered_ma=6_000, left_alone_ma=6_000)


# Rule 5


@pytest.mark.parametrize("fate", ["no", "ignored", "unanswered"])
@pytest.mark.parametrize("fed_by_reads", [False, True])
def test_a_device_that_cannot_be_lowered_is_left_to_its_watchdog_when_the_time_of_its_order_is_over(
    fate: str, fed_by_reads: bool
) -> None:
    """(I11) Whatever is said to it may feed the watchdog, and keep up what should have ended."""
    bench = raised(Deadman.WATCHDOG, fed_by_reads=fed_by_reads)
    until_ms = bench.told[-1].until_ms
    assert until_ms is not None
    bench.device.obeys = False
    bench.device.watchdog_ms = acted_ms(10_000)
    bench.fate = lambda call: fate if call == "order" or fate == "unanswered" else "ok"
    bench.run(until_ms + bench.timing.write_ms - bench.now_ms)
    assert bench.device.offered_ma == 0
    bench.device.obeys, bench.fate = True, lambda _call: "ok"
    bench.run(20_000)
    assert bench.device.offered_ma == 6_000, "it is spoken to again"


def test_a_driver_that_was_held_up_leaves_a_raised_watchdog_alone_until_that_has_acted() -> None:
    bench = raised(Deadman.WATCHDOG, watchdog_ms=60_000)
    at_ms, last = bench.device.orders[-1]
    bench.held_up(30_000)
    down_ms = max(at_ms, last.valid_until_ms) + acted_ms(60_000)
    assert bench.actuator.due(bench.now_ms) is None
    assert bench.actuator.next_ms(bench.now_ms) == bench.actuator.quiet_until_ms(bench.now_ms) == down_ms
    bench.run(down_ms - bench.now_ms)
    assert (bench.device.orders[-1][0], bench.device.offered_ma) == (at_ms, 0)
    bench.run(1_000)
    assert bench.device.offered_ma == 6_000


def test_a_device_that_is_lowered_in_time_is_never_left_to_itself() -> None:
    bench = raised(Deadman.WATCHDOG, settle_ms=2_500)
    bench.grant(TRIM, 10_000)
    bench.after_each = lambda: quiet.append(bench.actuator.quiet_until_ms(bench.now_ms))
    quiet: list[int | None] = []
    bench.run(8_000)
    assert set(quiet) == {None}
    assert bench.device.offered_ma == 6_000


@pytest.mark.parametrize("late_ms", [200, 600, 1_200])
def test_only_right_at_the_end_of_an_order_may_what_follows_it_still_go_out(late_ms: int) -> None:
    """A driver that was held up for longer than that cannot know that its order would not feed the watchdog."""
    bench = raised(Deadman.WATCHDOG)
    over_ms = bench.device.orders[-1][1].valid_until_ms
    bench.actuator.order(pilot(99, 6_000))
    offer = bench.actuator.due(over_ms + late_ms)
    assert (offer is not None) == (late_ms == 200)


def test_a_driver_that_took_its_time_to_begin_begins_all_the_same() -> None:
    """Whatever a former process ordered: it is tried to bring that down, and only then left to the watchdog."""
    actuator = Actuator(declared(Deadman.WATCHDOG), NOW)
    actuator.order(attrs.evolve(pilot(1, 0), now_ms=NOW + 9_000))
    actuator.sending(Offer(offered_ma=0, valid_until_ms=NOW + 14_000, then_ma=0), NOW + 9_100)
    actuator.failed(NOW + 9_600)
    assert actuator.due(NOW + 10_600) is not None
    actuator.failed(NOW + 12_400)
    assert actuator.quiet_until_ms(NOW + 13_000) == NOW + 12_400 + 10_200


# Rule 6


@pytest.mark.parametrize("fate", ["no", "ignored"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_does_nothing_of_what_it_is_told_counts_with_what_it_says_from_its_start_on(
    kind: Deadman, fate: str
) -> None:
    """Or its unit would never speak, and be counted with its fallback."""
    bench = Bench(declared(kind), offered_ma=30_000, trusted=True)
    bench.device.obeys = False
    bench.fate = lambda call: fate if call == "order" else "ok"
    ahead_ma: list[int] = []
    bench.after_each = lambda: ahead_ma.append(bench.device.offered_ma - bench.most_ma)
    bench.run(bench.timing.tail_ms + 2_000)
    assert bench.unit.may_speak(bench.now_ms)
    ahead_ma.clear()
    bench.run(60_000)
    assert max(ahead_ma) <= 0
    assert bench.device.offered_ma == (0 if kind is Deadman.WATCHDOG else 30_000), "a watchdog is let act"


@pytest.mark.parametrize("kind", KINDS)
def test_an_offer_beyond_every_order_counts_as_drawn_while_current_can_flow(kind: Deadman) -> None:
    bench = raised(kind, ceiling_ma=10_000)
    bench.device.offered_ma = 25_000
    bench.run(1_200)
    assert bench.most_ma == 25_000
    assert 25_000 in [event.current_ma for event in bench.events if isinstance(event, Measured)]
    assert bench.device.offered_ma <= 10_000, "it was told again"
