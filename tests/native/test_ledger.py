"""The rules of a leader's ledger, one sentence each, for the C kernel and its twin.

Unless a test says otherwise: three units on one row, 6 A fall-back and 32 A greatest each, a row of 18 A that the
fall-backs fill, and a wait of 17 s.
"""

# ruff: noqa: ANN401 - either backend's ledger
from typing import Any

import pytest

import powershare._native as door
from powershare._native.codes import MAX_TIME_MS, NO_LIMIT, NOT_MEASURED, GrantKind
from powershare._native.ledger_reference import ReferenceLedger

BACKENDS = [pytest.param(ReferenceLedger, id="python")]
if door.backend == "native":
    BACKENDS.append(pytest.param(door.KernelLedger, id="native"))
WAIT = 17_000
RAISE, CAP, FALL_BACK, TRIM = GrantKind.RAISE, GrantKind.CAP, GrantKind.FALL_BACK, GrantKind.TRIM

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


def ledger(backend: Any, *, limit: int = 18_000, later: int | None = None, units: int = 3, rows: int = 1) -> Any:
    """Units on all rows; what is known of them: they are at their fall-backs."""
    made = backend([list(range(rows))] * units, rows, [6_000] * units, [32_000] * units)
    for row in range(rows):
        made.limit_now[row], made.limit_later[row] = limit, limit if later is None else later
    made.open(-1, WAIT)
    for unit in range(units):
        made.learn(unit, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    return made


def entry(made: Any, unit: int) -> tuple[int, int]:
    """What the ledger holds of a unit."""
    return made.high[unit], made.until[unit]


def issue(made: Any, unit: int, kind: GrantKind, amps: int, **named: int) -> bool:
    """Issues with usual values for what is not named."""
    now = named.get("now", 0)
    wait = named.get("wait", WAIT)
    issued: bool = made.issue(
        *(unit, kind, amps, named.get("ceiling", 0), now, wait),
        *(named.get("horizon", now + wait), named.get("cap_until", now + 28_000)),
    )
    return issued


def test_a_new_ledger_gives_nothing_before_it_is_opened_and_limits_are_written(backend: Any) -> None:
    made = backend([[0]], 1, [6_000], [32_000])
    assert made.envelope(0, MAX_TIME_MS) == 32_000
    assert made.room(0, 0, 1, 1) == 0
    assert not issue(made, 0, FALL_BACK, 6_000)


def test_a_new_authority_counts_everybody_with_the_greatest_for_a_wait(backend: Any) -> None:
    made = ledger(backend)
    made.open(100, WAIT)
    assert [entry(made, unit) for unit in range(3)] == [(32_000, 100 + WAIT)] * 3
    assert made.envelope(0, 99 + WAIT) == 32_000
    assert made.envelope(0, 100 + WAIT) == 6_000


def test_a_suspect_counts_with_the_greatest_for_a_wait_and_the_others_as_before(backend: Any) -> None:
    made = ledger(backend)
    before = entry(made, 0)
    made.suspect(1, 50, WAIT)
    assert entry(made, 1) == (32_000, 50 + WAIT)
    assert entry(made, 0) == before


def test_a_report_from_above_the_fall_back_is_believed_and_its_time_kept(backend: Any) -> None:
    made = ledger(backend)
    made.open(0, WAIT)
    made.learn(0, 1_000, WAIT, True, 20_000, 0, NOT_MEASURED)
    assert entry(made, 0) == (20_000, WAIT)


@pytest.mark.parametrize("late", [0, 1])
def test_a_report_from_above_the_fall_back_begins_a_wait_where_the_time_is_over(backend: Any, late: int) -> None:
    made = ledger(backend)
    made.open(0, WAIT)
    made.learn(0, WAIT + late, WAIT, True, 20_000, 0, NOT_MEASURED)
    assert entry(made, 0) == (20_000, 2 * WAIT + late)


def test_a_report_from_below_the_fall_back_counts_as_long_as_the_cap_surely_lasts(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 100, WAIT, True, 0, 25_000, NOT_MEASURED)
    assert made.envelope(0, 24_999) == 0
    assert made.envelope(0, 25_000) == 6_000


def test_a_shorter_cap_never_replaces_a_longer_one(backend: Any) -> None:
    """The later report can know less: its heartbeat was older."""
    made = ledger(backend)
    made.learn(0, 100, WAIT, True, 0, 25_000, NOT_MEASURED)
    made.learn(0, 200, WAIT, True, 2_000, 24_000, NOT_MEASURED)
    made.learn(0, 300, WAIT, True, 2_000, 25_000, NOT_MEASURED)
    assert entry(made, 0) == (0, 25_000)
    made.learn(0, 400, WAIT, True, 2_000, 25_001, NOT_MEASURED)
    assert entry(made, 0) == (2_000, 25_001)


def test_a_cap_that_is_over_is_replaced_by_any(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 100, WAIT, True, 0, 25_000, NOT_MEASURED)
    made.learn(0, 25_000, WAIT, True, 2_000, 24_000, NOT_MEASURED)
    assert entry(made, 0) == (2_000, 24_000)
    assert made.envelope(0, 25_000) == 6_000


def test_nothing_is_learnt_while_a_grant_is_outstanding(backend: Any) -> None:
    made = ledger(backend, limit=100_000)
    assert issue(made, 0, RAISE, 20_000)
    for current in (0, 6_000, 10_000):
        made.learn(0, 100, WAIT, False, current, 25_000, NOT_MEASURED)
    assert entry(made, 0) == (20_000, WAIT)


@pytest.mark.parametrize("settled", [True, False])
def test_what_is_measured_above_the_fall_back_counts_for_a_wait_at_least(backend: Any, settled: bool) -> None:
    made = ledger(backend)
    made.learn(0, 100, WAIT, settled, 6_000, 0, 7_000)
    assert entry(made, 0) == (7_000, 100 + WAIT)
    made.until[0] = 90_000
    made.learn(0, 200, WAIT, settled, 7_000, 0, 40_000)
    assert entry(made, 0) == (40_000, 90_000)


def test_what_is_measured_above_a_cap_counts_as_long_as_the_cap(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 100, WAIT, True, 0, 25_000, 1_500)
    assert entry(made, 0) == (1_500, 25_000)


def test_what_is_measured_within_the_envelope_changes_nothing(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 100, WAIT, True, 1_000, 25_000, 1_000)
    assert entry(made, 0) == (1_000, 25_000)
    made.learn(0, 25_000, WAIT, False, 0, 0, 6_000)
    assert entry(made, 0) == (1_000, 25_000), "the cap is over: its unit may draw the fall-back"


@pytest.mark.parametrize("stale", [0, 32_000])
def test_what_is_measured_counts_over_an_entry_whose_time_is_over(backend: Any, stale: int) -> None:
    made = ledger(backend)
    made.high[0], made.until[0] = stale, 100
    made.learn(0, 100, WAIT, False, 0, 0, 6_001)
    assert entry(made, 0) == (6_001, 100 + WAIT)


def test_a_raise_counts_for_a_wait_from_now(backend: Any) -> None:
    made = ledger(backend, limit=22_000)
    assert issue(made, 0, RAISE, 10_000, now=500)
    assert entry(made, 0) == (10_000, 500 + WAIT)
    assert not issue(made, 1, RAISE, 6_001, now=500)
    assert issue(made, 1, RAISE, 6_001, now=500 + WAIT)


def test_a_decrease_frees_nothing_before_it_is_reported(backend: Any) -> None:
    made = ledger(backend, limit=22_000)
    assert issue(made, 0, RAISE, 10_000)
    assert issue(made, 0, FALL_BACK, 6_000, now=100, ceiling=10_000)
    assert entry(made, 0) == (10_000, WAIT)
    assert not issue(made, 1, RAISE, 10_000, now=200)
    made.learn(0, 300, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert issue(made, 1, RAISE, 10_000, now=300)


def test_a_lower_raise_counts_with_the_higher_until_it_is_reported(backend: Any) -> None:
    made = ledger(backend, limit=22_000)
    assert issue(made, 0, RAISE, 10_000)
    assert issue(made, 0, RAISE, 8_000, now=400)
    assert entry(made, 0) == (10_000, 400 + WAIT)


def test_a_raise_after_an_entry_that_is_over_counts_by_itself(backend: Any) -> None:
    made = ledger(backend, limit=22_000)
    made.high[0], made.until[0] = 32_000, 100
    assert issue(made, 0, RAISE, 10_000, now=100)
    assert entry(made, 0) == (10_000, 100 + WAIT)


def test_a_cap_that_is_over_counts_as_the_fall_back_when_it_is_granted_anew(backend: Any) -> None:
    made = ledger(backend)
    made.high[0], made.until[0] = 0, 100
    assert issue(made, 0, CAP, 0, now=100)
    assert made.envelope(0, 100) == 6_000
    assert issue(made, 0, FALL_BACK, 6_000, now=200, ceiling=0)
    assert made.envelope(0, 200) == 6_000


def test_a_raise_may_lean_on_a_cap_that_outlasts_it(backend: Any) -> None:
    made = ledger(backend)
    made.learn(1, 0, WAIT, True, 0, WAIT, NOT_MEASURED)
    assert issue(made, 0, RAISE, 12_000)
    assert not issue(made, 0, RAISE, 12_001)


def test_a_raise_may_not_lean_on_a_cap_that_ends_before_it(backend: Any) -> None:
    """The sum fits now and again when all is over; in between it does not."""
    made = ledger(backend)
    made.learn(1, 0, WAIT, True, 0, WAIT - 1, NOT_MEASURED)
    before = entry(made, 0)
    assert not issue(made, 0, RAISE, 12_000)
    assert entry(made, 0) == before
    assert issue(made, 0, FALL_BACK, 6_000)


def test_the_sum_is_also_looked_at_where_two_caps_end_one_after_the_other(backend: Any) -> None:
    made = ledger(backend)
    made.learn(1, 0, WAIT, True, 0, 9_000, NOT_MEASURED)
    made.learn(2, 0, WAIT, True, 0, 12_000, NOT_MEASURED)
    assert issue(made, 0, RAISE, 12_000, wait=12_000)
    made.learn(0, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert issue(made, 0, RAISE, 18_000, wait=9_000)
    made.learn(0, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert not issue(made, 0, RAISE, 12_001, wait=12_000)
    assert not issue(made, 0, RAISE, 12_000, wait=12_001)


def test_a_new_cap_that_ends_sooner_than_the_one_it_replaces_counts_as_long_as_the_new_one(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 0, WAIT, True, 0, 31_000, NOT_MEASURED)
    assert issue(made, 0, CAP, 1_000, cap_until=28_000)
    assert entry(made, 0) == (1_000, 28_000)
    assert issue(made, 0, CAP, 0, cap_until=29_000)
    assert entry(made, 0) == (1_000, 28_000), "until it is reported, either cap may be the one that holds"


def test_a_cap_over_anything_else_frees_nothing(backend: Any) -> None:
    made = ledger(backend, limit=22_000)
    assert issue(made, 0, RAISE, 10_000)
    assert issue(made, 0, CAP, 0, now=100)
    assert entry(made, 0) == (10_000, WAIT)


def test_a_fall_back_over_a_cap_counts_at_once(backend: Any) -> None:
    made = ledger(backend)
    made.learn(0, 0, WAIT, True, 0, 28_000, NOT_MEASURED)
    assert issue(made, 0, FALL_BACK, 6_000)
    assert made.envelope(0, 0) == 6_000
    made.learn(1, 0, WAIT, True, 0, 28_000, NOT_MEASURED)
    assert issue(made, 2, RAISE, 12_000)
    assert not issue(made, 1, FALL_BACK, 6_000), "another leans on it"


def test_that_the_ledger_does_not_change_is_no_reason(backend: Any) -> None:
    """The unit is at 0; its entry does not know yet, and those of the others do not fit beside it."""
    made = ledger(backend)
    made.open(0, WAIT)
    assert not issue(made, 0, FALL_BACK, 6_000, ceiling=0)
    assert not issue(made, 0, FALL_BACK, 6_000, ceiling=5_999)
    assert not issue(made, 0, RAISE, 32_000, ceiling=32_000), "nor that the ceiling is reported, above the fall-back"
    assert entry(made, 0) == (32_000, WAIT)


def test_at_most_the_reported_ceiling_and_the_fall_back_is_always_granted(backend: Any) -> None:
    made = ledger(backend)
    made.open(0, WAIT)
    assert issue(made, 0, CAP, 0, ceiling=0)
    assert issue(made, 0, CAP, 4_000, ceiling=4_000)
    assert not issue(made, 0, CAP, 4_001, ceiling=4_000)
    assert issue(made, 0, FALL_BACK, 6_000, ceiling=32_000)


def test_a_trim_is_always_granted_and_changes_nothing(backend: Any) -> None:
    made = ledger(backend)
    made.open(0, WAIT)
    assert issue(made, 0, TRIM, 6_000)
    assert issue(made, 0, TRIM, 33_000, now=WAIT + 1), "after the measured current, which may be anything"
    assert entry(made, 0) == (32_000, WAIT)


def test_the_limit_for_later_counts_from_the_horizon_on(backend: Any) -> None:
    made = ledger(backend, limit=22_000, later=18_000)
    assert issue(made, 0, RAISE, 10_000, horizon=WAIT)
    made.learn(0, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert not issue(made, 0, RAISE, 10_000, horizon=WAIT - 1)
    assert not issue(made, 0, RAISE, 10_000, horizon=-1)
    made.limit_now[0], made.limit_later[0] = 18_000, 22_000
    assert issue(made, 0, RAISE, 10_000, horizon=0)
    made.learn(0, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert not issue(made, 0, RAISE, 10_000, horizon=1)


def test_a_limit_below_what_others_draw_serves_nobody_and_one_below_nothing_is_a_limit(backend: Any) -> None:
    made = ledger(backend, limit=-1, later=18_000)
    assert made.room(0, 0, 1, 1) == -12_001
    assert not issue(made, 0, FALL_BACK, 6_000)
    assert issue(made, 0, CAP, 0)


def test_a_fall_back_that_will_not_fit_later_is_not_granted_now(backend: Any) -> None:
    made = ledger(backend, limit=18_000, later=17_999)
    assert not issue(made, 0, FALL_BACK, 6_000)


def test_every_row_of_the_unit_counts_and_no_other(backend: Any) -> None:
    made = backend([[0, 2], [1, 2], [1]], 3, [6_000] * 3, [32_000] * 3)
    for row, limit in enumerate((32_000, 12_000, 20_000)):
        made.limit_now[row] = made.limit_later[row] = limit
    made.open(0, WAIT)
    for unit in range(3):
        made.learn(unit, 0, WAIT, True, 6_000, 0, NOT_MEASURED)
    assert made.room(0, 0, WAIT, WAIT) == 14_000
    assert not issue(made, 0, RAISE, 14_001)
    assert issue(made, 0, RAISE, 14_000)
    assert made.room(2, 0, WAIT, WAIT) == 6_000


def test_a_unit_without_a_limit_has_no_limit(backend: Any) -> None:
    made = backend([[], [0]], 1, [6_000] * 2, [32_000] * 2)
    made.limit_now[0] = made.limit_later[0] = NO_LIMIT
    assert made.room(0, 0, 1, 1) == made.room(1, 0, 1, 1) == NO_LIMIT
    assert issue(made, 0, RAISE, 32_000)
    assert issue(made, 1, RAISE, 32_000)
    made.limit_later[0] = 40_000
    assert made.room(1, 0, 2, 1) == 40_000


def test_room_is_the_least_over_the_span(backend: Any) -> None:
    made = ledger(backend, limit=40_000, later=30_000)
    made.learn(1, 0, WAIT, True, 0, 5_000, NOT_MEASURED)
    assert made.room(0, 0, 5_000, WAIT) == 34_000
    assert made.room(0, 0, 5_001, WAIT) == 28_000
    assert made.room(0, 0, WAIT, WAIT) == 28_000
    assert made.room(0, 0, WAIT + 1, WAIT) == 18_000
    assert made.room(1, 0, WAIT, WAIT) == 28_000, "its own cap is not in its way"


def test_no_sum_of_the_largest_ledger_wraps(backend: Any) -> None:
    n = 300
    made = backend([[0]] * n, 1, [0] * n, [10_000_000] * n)
    for unit in range(n):
        made.learn(unit, 0, WAIT, False, 0, 0, (1 << 31) - 1)
    made.limit_now[0] = made.limit_later[0] = -(1 << 41)
    assert made.room(0, 0, 1, 1) == -(1 << 41) - (n - 1) * ((1 << 31) - 1)
    assert not issue(made, 0, RAISE, 10_000_000)
