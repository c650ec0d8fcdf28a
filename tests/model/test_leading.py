"""What a report may teach a leader and what it may issue, on single ledgers: each known mistake is refused."""

from typing import Any

import attrs
import pytest
from tests.model.holding import Unit
from tests.model.leading import Known, Leader, Leading
from tests.model.vocabulary import Entry, Issue, Kind, Learn, Limit, Network, NotAllowedError, Report, Row, Times

TERM = (2, 0, 10)
NOW_MS = 50_000
WAIT_MS = Times().wait_ms
SURELY = Times().surely_ms
RAISED, CAPPED = 9_000, 0
F = 6_000


def network(*rows: Row) -> Network:
    """Return three units of 6 A on a breaker of 18 A, unless other rows are given."""
    return Network(
        fallbacks_ma=(F, F, F),
        greatest_ma=(32_000,) * 3,
        weights=(1, 1, 1),
        rows=rows or (Row(18_000, frozenset({0, 1, 2})),),
    )


def report(unit: int, most_ma: int, cap_left_ms: int = 0, **values: int) -> Report:
    """Return what a unit said half a second ago."""
    return Report(
        at_ms=NOW_MS,
        member=unit,
        clock_ms=7_000_000,
        report_no=values.get("number", 5),
        term=TERM,
        claims=True,
        heartbeat_ms=NOW_MS - 500,
        fence=TERM,
        seq=values.get("seq", 3),
        session=0,
        ceiling_ma=values.get("ceiling", most_ma),
        most_ma=most_ma,
        cap_left_ms=cap_left_ms,
        measured_ma=values.get("measured", 0),
    )


def leading(said: Report, *entries: Entry, of: Network | None = None) -> Leading:
    """Return a leader with this ledger, which has issued grant 3 to every unit and hears this report now."""
    of = of or network()
    known = [Known(entry, boot=1, seq=3) for entry in entries]
    state = Leading(of, [Unit(of, number, boot=1) for number in range(3)], Leader(0, TERM, known))
    state.made(said)
    return state


def learn(state: Leading, said: Report, high_ma: int, until_ms: int) -> None:
    """The leader takes the report in, and its ledger says this afterwards."""
    entry = Entry(high_ma, until_ms)
    state.learn(
        Learn(at_ms=NOW_MS, member=0, clock_ms=NOW_MS, unit=said.member, boot=1, report_no=said.report_no, entry=entry)
    )


def issue(state: Leading, said: Report, kind: Kind, amps_ma: int, entry: Entry) -> None:
    """The leader issues a grant against the report, which it took in, and the unit's entry is this afterwards."""
    known = state.leader.known if state.leader else []
    known[said.member].report, known[said.member].unused = said, True
    ledger = [one.entry for one in known]
    ledger[said.member] = entry
    moment = {"at_ms": NOW_MS, "member": 0, "clock_ms": NOW_MS}
    state.issue(
        Issue(
            **moment,
            unit=said.member,
            boot=1,
            report_no=said.report_no,
            seq=4,
            kind=kind,
            amps_ma=amps_ma,
            ledger=tuple(ledger),
        )
    )


IDLE = Entry(F, NOW_MS)
LATER = NOW_MS + WAIT_MS


def cap(left_ms: int) -> Entry:
    """Return a cap that ends so long from now."""
    return Entry(CAPPED, NOW_MS + left_ms)


def test_a_report_at_or_above_the_fallback_bounds_what_is_drawn() -> None:
    said = report(1, RAISED)
    learn(leading(said, IDLE, Entry(12_000, NOW_MS + 5_000), IDLE), said, RAISED, NOW_MS + 5_000)
    learn(leading(said, IDLE, IDLE, IDLE), said, RAISED, LATER)
    said = report(1, F)
    learn(leading(said, IDLE, Entry(12_000, NOW_MS + 5_000), IDLE), said, F, 0)


def test_a_cap_counts_from_the_heartbeat_and_only_as_long_as_it_surely_lasts() -> None:
    """Mistake 10: counted from the receipt of the report, or without the margin for drift."""
    said = report(1, CAPPED, 20_000)
    start = (IDLE, Entry(12_000, NOW_MS + 5_000), IDLE)
    learn(leading(said, *start), said, CAPPED, NOW_MS - 500 + SURELY(20_000))
    for until_ms in (NOW_MS + SURELY(20_000), NOW_MS - 500 + 20_000):
        with pytest.raises(NotAllowedError, match="must count unit 1 with 0 mA until"):
            learn(leading(said, *start), said, CAPPED, until_ms)


def test_of_two_true_bounds_the_better_is_kept() -> None:
    """Mistake 15."""
    said = report(1, CAPPED, 10_000)
    learn(leading(said, IDLE, cap(15_000), IDLE), said, CAPPED, NOW_MS + 15_000)
    with pytest.raises(NotAllowedError, match="until 65000"):
        learn(leading(said, IDLE, cap(15_000), IDLE), said, CAPPED, NOW_MS - 500 + SURELY(10_000))


def test_while_a_grant_is_outstanding_nothing_is_learnt() -> None:
    said = report(1, F, seq=2)
    start = (IDLE, Entry(12_000, NOW_MS + 5_000), IDLE)
    learn(leading(said, *start), said, 12_000, NOW_MS + 5_000)
    with pytest.raises(NotAllowedError, match="12000 mA"):
        learn(leading(said, *start), said, F, NOW_MS)


def test_what_is_measured_above_the_envelope_counts() -> None:
    said = report(1, F, measured=8_000)
    learn(leading(said, IDLE, IDLE, IDLE), said, 8_000, LATER)
    with pytest.raises(NotAllowedError, match="8000 mA"):
        learn(leading(said, IDLE, IDLE, IDLE), said, F, NOW_MS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"term": (1, 0, 10)}, "does not echo this authority"),  # mistake 12
        ({"claims": False}, "does not echo this authority"),
        ({"heartbeat_ms": NOW_MS - 2_001}, "2001 ms ago"),
        ({"report_no": 4}, "taken in before"),
    ],
)
def test_reports_that_teach_nothing(change: dict[str, Any], why: str) -> None:
    said = attrs.evolve(report(1, F), **change)
    state = leading(said, IDLE, IDLE, IDLE)
    assert state.leader is not None
    state.leader.known[1].report = report(1, F, number=4)
    with pytest.raises(NotAllowedError, match=why):
        learn(state, said, F, NOW_MS)


def test_a_raise_is_booked_before_it_is_sent() -> None:
    said = report(1, F)
    start = (cap(20_000), IDLE, cap(20_000))
    issue(leading(said, *start), said, Kind.RAISE, 18_000, Entry(18_000, LATER))
    with pytest.raises(NotAllowedError, match="18000 mA until"):
        issue(leading(said, *start), said, Kind.RAISE, 18_000, Entry(18_000, LATER - 1_000))


def test_a_decrease_is_not_believed_at_once() -> None:
    """Mistakes 1 and 23."""
    said = report(1, RAISED)
    start = (IDLE, Entry(RAISED, NOW_MS + 5_000), IDLE)
    for kind, amps_ma in ((Kind.CAP, CAPPED), (Kind.FALL_BACK, F), (Kind.TRIM, F)):
        issue(leading(said, *start), said, kind, amps_ma, start[1])
        with pytest.raises(NotAllowedError, match="9000 mA"):
            issue(leading(said, *start), said, kind, amps_ma, Entry(amps_ma, LATER))


@pytest.mark.parametrize("left_ms", [1_000, WAIT_MS - 1])
def test_a_raise_must_fit_at_every_future_instant(left_ms: int) -> None:
    """Mistake 11: it fits now, and no longer when the cap that it leans on ends."""
    said = report(1, F)
    with pytest.raises(NotAllowedError, match=f"24000 of 18000 mA in {left_ms} ms"):
        issue(leading(said, cap(20_000), IDLE, cap(left_ms)), said, Kind.RAISE, 18_000, Entry(18_000, LATER))


def test_no_change_of_the_ledger_is_no_licence() -> None:
    """Mistake 16: the ledger is an upper bound; the unit may be lower, and others may lean on that."""
    said = report(1, CAPPED, 20_000, seq=2)
    with pytest.raises(NotAllowedError, match="of 18000 mA"):
        issue(leading(said, IDLE, Entry(F, 0), Entry(RAISED, LATER)), said, Kind.FALL_BACK, F, Entry(F, 0))
    said = report(1, F)  # what it has is harmless
    issue(leading(said, IDLE, Entry(F, 0), Entry(RAISED, LATER)), said, Kind.FALL_BACK, F, Entry(F, 0))


def test_a_new_cap_may_end_before_the_one_that_it_replaces() -> None:
    """Mistake 17."""
    said = report(1, CAPPED, 31_000)
    until_ms = NOW_MS - 500 + SURELY(Times().cap_ms)
    start = (IDLE, cap(40_000), IDLE)
    issue(leading(said, *start), said, Kind.CAP, CAPPED, Entry(CAPPED, until_ms))
    with pytest.raises(NotAllowedError, match=f"until {until_ms}"):
        issue(leading(said, *start), said, Kind.CAP, CAPPED, start[1])


@pytest.mark.parametrize(
    ("inner_ma", "outer_ma", "row"),
    [(12_000, 40_000, 0), (40_000, 18_000, 1)],  # mistakes 19 and 18
)
def test_a_raise_must_fit_every_breaker_above_the_unit(inner_ma: int, outer_ma: int, row: int) -> None:
    said = report(1, F)
    rows = (Row(inner_ma, frozenset({0, 1})), Row(outer_ma, frozenset({0, 1, 2})))
    state = leading(said, IDLE, IDLE, IDLE, of=network(*rows))
    with pytest.raises(NotAllowedError, match=f"row {row} would carry"):
        issue(state, said, Kind.RAISE, 10_000, Entry(10_000, LATER))
    other = report(2, F)
    wide = (rows[0], Row(40_000, frozenset({0, 1, 2})))
    state = leading(other, Entry(F, 0), Entry(20_000, LATER), IDLE, of=network(*wide))
    issue(state, other, Kind.RAISE, 10_000, Entry(10_000, LATER))  # not on the inner breaker, however full that is


def test_a_limit_in_force_holds_for_the_wait_and_the_commissioned_one_after() -> None:
    said = report(1, F)
    state = leading(said, cap(20_000), IDLE, cap(20_000))
    state.limit(Limit(at_ms=NOW_MS, member=0, clock_ms=NOW_MS, row=0, limit_ma=10_000))
    issue(state, said, Kind.RAISE, 10_000, Entry(10_000, LATER))
    state = leading(said, cap(20_000), IDLE, cap(20_000))
    state.limit(Limit(at_ms=NOW_MS, member=0, clock_ms=NOW_MS, row=0, limit_ma=10_000))
    with pytest.raises(NotAllowedError, match="11000 of 10000 mA in 0 ms"):
        issue(state, said, Kind.RAISE, 11_000, Entry(11_000, LATER))


def test_one_grant_per_report() -> None:
    said = report(1, F)
    state = leading(said, IDLE, IDLE, IDLE)
    issue(state, said, Kind.FALL_BACK, F, IDLE)
    assert state.leader is not None
    assert not state.leader.known[1].unused
    moment = {"at_ms": NOW_MS, "member": 0, "clock_ms": NOW_MS}
    again = Issue(
        **moment, unit=1, boot=1, report_no=5, seq=5, kind=Kind.FALL_BACK, amps_ma=F, ledger=(IDLE, IDLE, IDLE)
    )
    with pytest.raises(NotAllowedError, match="has had one"):
        state.issue(again)


def test_kinds_are_what_they_say() -> None:
    said = report(1, F)
    for kind, amps_ma in ((Kind.RAISE, F), (Kind.CAP, F), (Kind.FALL_BACK, CAPPED), (Kind.TRIM, CAPPED)):
        with pytest.raises(NotAllowedError, match=f"is no {kind.value}"):
            issue(leading(said, IDLE, IDLE, IDLE), said, kind, amps_ma, IDLE)
