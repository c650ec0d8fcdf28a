"""Which order is due, and what a device's reports prove: every rule at the head of the actuator, and of the protocol.

The numbers in brackets are sections of docs/protocol: 3.9 on devices behind an adapter, I2 and I11 of its invariants.
"""

from itertools import pairwise

import pytest
from tests.support.devices import NOW, Bench, declared

from powershare.adapter import Deadman, Offer, Reading
from powershare.driver.actuator import AGAIN_MS, SILENT_MS, Actuator
from powershare.driver.held import FOLLOWED_MS, acted_ms
from powershare.leases import GrantKind, Pilot
from powershare.node import Applied, DeviceState, Measured

RAISE, CAP, TRIM, FALL_BACK = GrantKind.RAISE, GrantKind.CAP, GrantKind.TRIM, GrantKind.FALL_BACK
KINDS = tuple(Deadman)


def pilot(write: int, offer_ma: int, until_ms: int | None = None, then_ma: int = 0) -> Pilot:
    return Pilot(write, offer_ma, until_ms, then_ma, False, NOW, "raise")


def says(offered_ma: int, at_ms: int) -> Reading:
    return Reading(at_ms=at_ms, offered_ma=offered_ma, state="C")


def told(actuator: Actuator, now_ms: int) -> Offer:
    """Let what is due go out, at once and acknowledged."""
    offer = actuator.due(now_ms)
    assert offer is not None
    actuator.sending(offer, now_ms)
    actuator.sent(now_ms)
    return offer


def answers(actuator: Actuator, offered_ma: int, at_ms: int, asked_ms: int | None = None) -> list[Applied]:
    events = actuator.read(says(offered_ma, at_ms), at_ms if asked_ms is None else asked_ms)
    return [event for event in events if isinstance(event, Applied)]


def raised(kind: Deadman, ceiling_ma: int = 20_000, **changes: object) -> Bench:
    """A device that offers what a raise allows, and has been read back."""
    bench = Bench(declared(kind, **changes), trusted=kind is Deadman.NONE).started()  # type: ignore[arg-type]
    assert bench.grant(RAISE, ceiling_ma)
    bench.run(900)
    assert bench.device.offered_ma == ceiling_ma
    return bench


# Rule 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_answers_only_if_it_was_asked_for_after_the_settling_time(kind: Deadman) -> None:
    actuator = Actuator(declared(kind, settle_ms=300), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    assert not answers(actuator, 0, NOW + 320, asked_ms=NOW + 299)
    assert answers(actuator, 0, NOW + 320, asked_ms=NOW + 300) == [Applied(1, 0, NOW + 320, True)]
    assert not answers(actuator, 0, NOW + 900), "once is enough"


def test_a_report_that_was_made_before_the_order_proves_nothing_of_it_whenever_it_was_asked_for() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG, settle_ms=300), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    assert not answers(actuator, 0, NOW + 200, asked_ms=NOW + 5_000)
    assert answers(actuator, 0, NOW + 5_010, asked_ms=NOW + 5_000)


@pytest.mark.parametrize("fate", ["lost", "unanswered", "no"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_order_without_an_acknowledgement_is_not_answered_by_a_device_that_stays_above_it(
    kind: Deadman, fate: str
) -> None:
    bench = raised(kind, ceiling_ma=20_000)
    bench.device.obeys = False
    before = len(bench.answers())
    bench.fate = lambda call: fate if call == "order" else "ok"
    assert bench.grant(TRIM, 10_000)
    bench.run(2_000)
    assert len(bench.answers()) == before
    assert bench.most_ma == 20_000


def test_an_order_that_is_repeated_faster_than_the_device_settles_is_proven_by_the_first_of_them() -> None:
    """Or a slow device with a fast watchdog would never be known to have been lowered."""
    bench = raised(Deadman.WATCHDOG, watchdog_ms=4_000, settle_ms=2_500, longest_write_ms=100)
    for _ in range(10):
        bench.grant(RAISE, 10_000)
        bench.run(1_000)
    assert bench.most_ma == 10_000


def test_a_lower_offer_that_was_on_its_way_does_not_answer_for_a_later_pilot() -> None:
    actuator = Actuator(declared(Deadman.WATCHDOG), NOW)
    actuator.order(pilot(1, 16_000, NOW + 20_000))
    told(actuator, NOW)
    actuator.order(pilot(2, 8_000, NOW + 20_000))
    assert not answers(actuator, 16_000, NOW + 500), "that shows the first, and the second has still to go"
    told(actuator, NOW + 500)
    assert not answers(actuator, 8_000, NOW + 510)
    assert [one.write for one in answers(actuator, 8_000, NOW + 900)] == [2]


def test_a_device_with_leases_must_have_been_told_the_write_itself() -> None:
    """Another end and another then: the amps alone do not show that it knows."""
    actuator = Actuator(declared(Deadman.LEASE), NOW)
    actuator.order(pilot(1, 0, NOW + 30_000, 6_000))
    told(actuator, NOW)
    answers(actuator, 0, NOW + 400)
    actuator.order(pilot(2, 0, NOW + 40_000, 6_000))
    assert not answers(actuator, 0, NOW + 800)
    assert told(actuator, NOW + 900) == Offer(offered_ma=0, valid_until_ms=NOW + 40_000, then_ma=6_000)
    assert answers(actuator, 0, NOW + 1_300)


def test_a_contradicted_order_is_repeated_at_once_but_not_more_often_than_each_second() -> None:
    actuator = Actuator(declared(Deadman.LEASE), NOW)
    actuator.order(pilot(1, 0))
    told(actuator, NOW)
    answers(actuator, 0, NOW + 400)
    answers(actuator, 6_000, NOW + 5_000)  # it has restarted
    told(actuator, NOW + 5_000)
    answers(actuator, 6_000, NOW + 5_400)
    assert actuator.due(NOW + 5_400) is None
    assert actuator.next_ms(NOW + 5_400) == NOW + 5_000 + AGAIN_MS
    assert actuator.refused == 2


# Rule 2


@pytest.mark.parametrize("watchdog_ms", [4_000, 10_000, 30_000, 60_000])
@pytest.mark.parametrize("fed_by_reads", [False, True])
def test_a_raise_that_nobody_renews_is_over_by_the_end_of_its_lease(watchdog_ms: int, fed_by_reads: bool) -> None:
    """(I11) Even if the host dies at the last moment at which it feeds the watchdog."""
    bench = raised(Deadman.WATCHDOG, watchdog_ms=watchdog_ms, fed_by_reads=fed_by_reads)
    until_ms = bench.told[-1].until_ms
    assert until_ms is not None
    bench.run(until_ms - acted_ms(watchdog_ms) - bench.now_ms - 1)
    bench.device.watchdog_ms = acted_ms(watchdog_ms)
    bench.alive = False
    bench.run(until_ms - bench.now_ms)
    assert bench.device.offered_ma == 0


@pytest.mark.parametrize("fed_by_reads", [False, True])
def test_what_follows_the_lease_is_told_a_watchdog_before_its_end(fed_by_reads: bool) -> None:
    bench = raised(Deadman.WATCHDOG, fed_by_reads=fed_by_reads)
    until_ms = bench.told[-1].until_ms
    assert until_ms is not None
    bench.run(until_ms - bench.now_ms - 100)
    at_ms, last = next(order for order in bench.device.orders[::-1] if order[1].offered_ma != 6_000)
    assert last.offered_ma == 20_000
    assert max(at_ms, last.valid_until_ms) <= until_ms - acted_ms(10_000)
    assert bench.device.offered_ma == 6_000, "fed before the lease ended, and with nothing above the fallback"


@pytest.mark.parametrize("watchdog_ms", [100_000, 150_000, 600_000])
def test_a_device_with_a_slow_watchdog_can_be_raised_all_the_same(watchdog_ms: int) -> None:
    """Its timer may be slow by a share of itself, and a lease must be longer than that by some cycles (3.9)."""
    bench = raised(Deadman.WATCHDOG, watchdog_ms=watchdog_ms)
    for _ in range(20):
        bench.grant(RAISE, 20_000)
        bench.run(1_000)
        assert bench.device.offered_ma == 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_raise_that_has_grown_stale_in_a_driver_that_stood_still_is_not_sent(kind: Deadman) -> None:
    bench = Bench(declared(kind), trusted=kind is Deadman.NONE).started()
    bench.actuator.order(pilot(99, 30_000, bench.now_ms + 10_000, 6_000))
    bench.held_up(30_000)
    offer = bench.actuator.due(bench.now_ms)
    assert offer is not None
    assert offer.offered_ma <= 6_000 or offer.valid_until_ms <= bench.now_ms, "over, for a device that knows of ends"


# Rule 3


@pytest.mark.parametrize("ceiling_ma", [0, 20_000])
@pytest.mark.parametrize("watchdog_ms", [4_000, 30_000])
def test_an_order_is_repeated_within_half_the_watchdog_0_included(ceiling_ma: int, watchdog_ms: int) -> None:
    bench = Bench(declared(Deadman.WATCHDOG, watchdog_ms=watchdog_ms)).started()
    for _ in range(120):
        bench.grant(RAISE if ceiling_ma else CAP, ceiling_ma)
        bench.run(1_000)
    times_ms = [at_ms for at_ms, _ in bench.device.orders]
    assert max(after - before for before, after in pairwise(times_ms)) <= watchdog_ms // 2 + 150
    assert bench.device.offered_ma == ceiling_ma


@pytest.mark.parametrize("kind", [Deadman.LEASE, Deadman.NONE])
def test_an_order_without_an_end_is_renewed_before_it_ends(kind: Deadman) -> None:
    bench = Bench(declared(kind), trusted=True).started()
    bench.run(200_000)
    assert bench.device.offered_ma == 6_000
    assert len([at_ms for at_ms, _ in bench.device.orders if at_ms > bench.now_ms - 130_000]) >= 2


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
    """(3.9) The device goes to its then, and a cap that never reached it does not hold."""
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
    """Its fallback may not have been set yet, so that it does more when it is left alone than the site says (3.9)."""
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
    """(3.9, I11) Whatever is said to it may feed the watchdog, and keep up what should have ended."""
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
