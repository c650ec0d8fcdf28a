"""One right run, told by hand: two units of 6 A on a breaker of 12 A; the first leads, gets all, and gives it back.

Member 0 weighs 2 and leads; its clock is right. Member 1's clock gains 1 % where the story is told with drift.
"""

from collections.abc import Iterator
from typing import Any

from tests.model import vocabulary as say
from tests.model.vocabulary import Entry, Event, Kind, Network, Row, Term, Times

NETWORK = Network(
    fallbacks_ma=(6_000, 6_000),
    greatest_ma=(32_000, 32_000),
    weights=(2, 1),
    rows=(Row(12_000, frozenset({0, 1})),),
)
TIMES = NETWORK.times
ASKING: Term = (1, 0, 10)
LEADING: Term = (2, 0, 10)
SURELY = Times().surely_ms
PROMISE_COUNTS_MS = SURELY(5_000)


def clock(member: int, at_ms: int, drift_percent: int) -> int:
    """Return what a member's clock says."""
    return at_ms if member == 0 else 500 + at_ms + at_ms * drift_percent // 100


def told(drift_percent: int = 0) -> dict[str, Event]:
    """Return the run, each event under a name by which a test can change it."""
    return dict(_told(drift_percent))


def _told(drift: int) -> Iterator[tuple[str, Event]]:
    yield from _start(drift)
    yield from _elect(drift)
    yield from _first_round(drift)
    yield from _second_round(drift)
    yield from _hand_on(drift)


def _at(member: int, at_ms: int, drift: int) -> dict[str, Any]:
    return {"member": member, "at_ms": at_ms, "clock_ms": clock(member, at_ms, drift)}


def _start(drift: int) -> Iterator[tuple[str, Event]]:
    over = [clock(unit, 0, drift) + TIMES.cold_ms for unit in (0, 1)]
    for unit in (0, 1):
        yield f"restart {unit}", say.Restart(**_at(unit, 0, drift), boot=10 + unit, ceiling_ma=0, until_ms=over[unit])
        yield f"write 0 A to {unit}", say.Write(**_at(unit, 0, drift), write=1, offer_ma=0, until_ms=over[unit])
    for unit in (0, 1):
        moment = _at(unit, 100, drift)
        values = {"write": 1, "offer_ma": 0, "when_ms": moment["clock_ms"], "until_ms": over[unit]}
        yield f"confirm 0 A of {unit}", say.Confirm(**moment, **values)


def _answer(name: str, member: int, at_ms: int, drift: int, term: Term, sent_ms: int) -> tuple[str, Event]:
    claims = term != ASKING
    until_ms = clock(member, at_ms, drift) + TIMES.promise_ms
    moment = _at(member, at_ms, drift)
    return name, say.Answer(**moment, term=term, claims=claims, heartbeat_ms=sent_ms, yes=True, until_ms=until_ms)


def _elect(drift: int) -> Iterator[tuple[str, Event]]:
    yield "first ask", say.Ask(**_at(0, 7_000, drift), term=ASKING, claims=False)
    yield _answer("first answer of 0", 0, 7_000, drift, ASKING, 7_000)
    yield _answer("first answer of 1", 1, 7_050, drift, ASKING, 7_000)
    until = 7_000 + PROMISE_COUNTS_MS
    yield "count 0", say.Count(**_at(0, 7_100, drift), voter=0, heartbeat_ms=7_000, until_ms=until)
    over = 7_100 + TIMES.wait_ms
    yield "gain", say.Gain(**_at(0, 7_100, drift), term=LEADING, ledger=(Entry(12_000, over), Entry(12_000, over)))


def _report(member: int, at_ms: int, drift: int, number: int, sent_ms: int, **values: int) -> Event:
    return say.Report(
        **_at(member, at_ms, drift),
        report_no=number,
        term=LEADING,
        claims=True,
        heartbeat_ms=sent_ms,
        fence=LEADING,
        seq=values["seq"],
        session=0,
        ceiling_ma=values["ceiling"],
        most_ma=values["most"],
        cap_left_ms=values.get("left", 0),
        measured_ma=values.get("measured", 0),
    )


def _first_round(drift: int) -> Iterator[tuple[str, Event]]:
    """Both are cold; the first gets the whole breaker, the second a cap of nothing."""
    yield "second ask", say.Ask(**_at(0, 8_000, drift), term=LEADING, claims=True)
    left, caps = [0, 0], [0, 0]
    for unit in (0, 1):
        at_ms = 8_000 + 50 * unit
        left[unit] = clock(unit, 0, drift) + TIMES.cold_ms - clock(unit, at_ms, drift)
        caps[unit] = 8_000 + SURELY(left[unit])
        yield _answer(f"second answer of {unit}", unit, at_ms, drift, LEADING, 8_000)
        yield (
            f"first report of {unit}",
            _report(unit, at_ms, drift, 1, 8_000, seq=0, ceiling=0, most=0, left=left[unit]),
        )
    until = 8_000 + PROMISE_COUNTS_MS
    yield "count 0 again", say.Count(**_at(0, 8_100, drift), voter=0, heartbeat_ms=8_000, until_ms=until)
    for unit in (0, 1):
        entry = Entry(0, caps[unit])
        moment = _at(0, 8_100, drift)
        yield f"learn of {unit}", say.Learn(**moment, unit=unit, boot=10 + unit, report_no=1, entry=entry)
    moment = _at(0, 8_100, drift)
    raised = Entry(12_000, 8_100 + TIMES.wait_ms)
    values: dict[str, Any] = {"unit": 0, "boot": 10, "report_no": 1, "seq": 1}
    ledger = (raised, Entry(0, caps[1]))
    yield "raise of 0", say.Issue(**moment, **values, kind=Kind.RAISE, amps_ma=12_000, ledger=ledger)
    values = {"unit": 1, "boot": 11, "report_no": 1, "seq": 1}
    yield "cap of 1", say.Issue(**moment, **values, kind=Kind.CAP, amps_ma=0, ledger=ledger)


def _second_round(drift: int) -> Iterator[tuple[str, Event]]:
    """Both accept and report so."""
    yield "third ask", say.Ask(**_at(0, 9_000, drift), term=LEADING, claims=True)
    yield _answer("third answer of 0", 0, 9_000, drift, LEADING, 9_000)
    until = clock(0, 8_000, drift) + TIMES.raise_ms
    values: dict[str, Any] = {"term": LEADING, "seq": 1, "report_no": 1}
    yield (
        "accept of 0",
        say.Accept(
            **_at(0, 9_000, drift), **values, kind=Kind.RAISE, amps_ma=12_000, ceiling_ma=12_000, until_ms=until
        ),
    )
    yield "write 12 A to 0", say.Write(**_at(0, 9_000, drift), write=2, offer_ma=12_000, until_ms=until)
    yield "second report of 0", _report(0, 9_000, drift, 2, 9_000, seq=1, ceiling=12_000, most=12_000)
    yield (
        "confirm 12 A of 0",
        say.Confirm(**_at(0, 9_200, drift), write=2, offer_ma=12_000, when_ms=9_200, until_ms=until),
    )
    yield _answer("third answer of 1", 1, 9_250, drift, LEADING, 9_000)
    capped = clock(1, 8_050, drift) + TIMES.cap_ms
    yield (
        "accept of 1",
        say.Accept(**_at(1, 9_250, drift), **values, kind=Kind.CAP, amps_ma=0, ceiling_ma=0, until_ms=capped),
    )
    yield "prolong 0 A of 1", say.Write(**_at(1, 9_250, drift), write=1, offer_ma=0, until_ms=capped)
    # The device has the cold hold's end still, which comes first.
    left = clock(1, 0, drift) + TIMES.cold_ms - clock(1, 9_250, drift)
    yield "second report of 1", _report(1, 9_250, drift, 2, 9_000, seq=1, ceiling=0, most=0, left=left)
    until = 9_000 + PROMISE_COUNTS_MS
    yield "count 0 third", say.Count(**_at(0, 9_300, drift), voter=0, heartbeat_ms=9_000, until_ms=until)
    moment = _at(0, 9_300, drift)
    raised = Entry(12_000, 8_100 + TIMES.wait_ms)
    yield "learn of 0 again", say.Learn(**moment, unit=0, boot=10, report_no=2, entry=raised)
    first_left = clock(1, 0, drift) + TIMES.cold_ms - clock(1, 8_050, drift)
    capped_until = max(8_000 + SURELY(first_left), 9_000 + SURELY(left))
    yield "learn of 1 again", say.Learn(**moment, unit=1, boot=11, report_no=2, entry=Entry(0, capped_until))
    values = {"unit": 0, "boot": 10, "report_no": 2, "seq": 2}
    ledger = (raised, Entry(0, capped_until))
    yield "trim of 0", say.Issue(**moment, **values, kind=Kind.TRIM, amps_ma=6_000, ledger=ledger)


def _hand_on(drift: int) -> Iterator[tuple[str, Event]]:
    """The first is trimmed; the car follows; the leader counts less only when the tail is over; then leases end."""
    yield "fourth ask", say.Ask(**_at(0, 9_900, drift), term=LEADING, claims=True)
    yield _answer("fourth answer of 0", 0, 9_900, drift, LEADING, 9_900)
    until = 8_000 + TIMES.raise_ms
    values: dict[str, Any] = {"term": LEADING, "seq": 2, "report_no": 2}
    moment = _at(0, 9_900, drift)
    yield (
        "accept trim",
        say.Accept(**moment, **values, kind=Kind.TRIM, amps_ma=6_000, ceiling_ma=6_000, until_ms=until),
    )
    yield "write 6 A to 0", say.Write(**moment, write=3, offer_ma=6_000, until_ms=until)
    yield "third report of 0", _report(0, 9_900, drift, 3, 9_900, seq=2, ceiling=6_000, most=12_000)
    yield (
        "confirm 6 A of 0",
        say.Confirm(**_at(0, 10_200, drift), write=3, offer_ma=6_000, when_ms=10_200, until_ms=until),
    )
    yield "lose", say.Lose(**_at(0, 13_900, drift))
    yield "report in the tail", _report(0, 16_200, drift, 4, 9_900, seq=2, ceiling=6_000, most=12_000)
    yield "report after the tail", _report(0, 16_300, drift, 5, 9_900, seq=2, ceiling=6_000, most=6_000)
    yield "expire of 0", say.Expire(**_at(0, 18_000, drift), ceiling_ma=6_000)
    ends = clock(1, 8_050, drift) + TIMES.cap_ms
    at_ms = next(at_ms for at_ms in range(37_000, 39_000) if clock(1, at_ms, drift) >= ends)
    yield "expire of 1", say.Expire(**_at(1, at_ms, drift), ceiling_ma=6_000)
