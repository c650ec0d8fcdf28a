"""The line for admission: who keeps a turn, who yields it, who may claim room."""

from tests.support.steps import Bench, feeder

from powershare.constraints import compile_site
from powershare.policy import Policy, Settings, Turn
from powershare.policy.room import Room, RowIndex
from powershare.policy.turns import Candidate, Standing, admit, dwell_ms, next_change_ms, order_key, standing
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import Line

MINUTE_MS = 60_000
SETTINGS = Settings()


def candidate(place: int, turn: Turn, *, on: bool, rows: tuple[int, ...] = (0,), rank: int = 0) -> Candidate:
    return Candidate(
        connector=f"c{place}", place=place, on=on, turn=turn, least_ma=6_000, ceiling_ma=32_000, rows=rows, rank=rank
    )


def admitted(room_ma: list[int], *line: Candidate) -> tuple[str, ...]:
    ordered = sorted(line, key=lambda one: order_key(one, standing(one, SETTINGS)))
    return tuple(sorted(admit(ordered, Room(room_ma), SETTINGS).admitted))


def test_each_pause_triples_the_dwell() -> None:
    assert [dwell_ms(Turn(pauses=pauses), SETTINGS) // MINUTE_MS for pauses in range(3)] == [30, 90, 270]


def test_within_its_first_dwell_nobody_displaces_a_vehicle() -> None:
    on = candidate(0, Turn(on_ms=15 * MINUTE_MS - 1), on=True)
    assert admitted([6_000], on, candidate(1, Turn(waiting_ms=10**9), on=False)) == ("c0",)


def test_after_that_it_yields_to_one_that_had_no_turn_and_only_later_to_others() -> None:
    on = candidate(0, Turn(on_ms=15 * MINUTE_MS), on=True)
    assert admitted([6_000], on, candidate(1, Turn(waiting_ms=1), on=False)) == ("c1",)
    again = candidate(1, Turn(waiting_ms=10**7, pauses=1), on=False)
    assert admitted([6_000], on, again) == ("c0",)
    past = candidate(0, Turn(on_ms=30 * MINUTE_MS), on=True)
    assert admitted([6_000], past, again) == ("c1",)


def test_who_has_used_its_pauses_keeps_its_turn() -> None:
    spent = candidate(0, Turn(on_ms=10**9, pauses=3), on=True)
    assert admitted([6_000], spent, candidate(1, Turn(waiting_ms=10**9), on=False)) == ("c0",)
    assert next_change_ms(spent, SETTINGS) is None


def test_the_one_paused_least_goes_and_of_equals_the_one_on_longest() -> None:
    waiting = candidate(3, Turn(waiting_ms=1), on=False)
    often = candidate(0, Turn(on_ms=300 * MINUTE_MS, pauses=1), on=True)
    short = candidate(1, Turn(on_ms=40 * MINUTE_MS), on=True)
    long = candidate(2, Turn(on_ms=50 * MINUTE_MS), on=True)
    assert admitted([18_000], waiting, often, short, long) == ("c0", "c1", "c3")
    assert admitted([12_000], waiting, often, short, long) == ("c0", "c3")


def test_longest_wait_comes_first() -> None:
    assert admitted([6_000], *(candidate(n, Turn(waiting_ms=n), on=False) for n in range(3))) == ("c2",)


def test_a_three_phase_vehicle_is_not_starved_by_one_phase_ones() -> None:
    first = candidate(0, Turn(waiting_ms=100), on=False, rows=(0, 1, 2))
    keeps = candidate(1, Turn(on_ms=1), on=True, rows=(1,))
    past = candidate(2, Turn(on_ms=40 * MINUTE_MS), on=True, rows=(2,))
    late = candidate(3, Turn(waiting_ms=50), on=False, rows=(0,))
    line = sorted((first, keeps, past, late), key=lambda one: order_key(one, standing(one, SETTINGS)))
    answer = admit(line, Room([6_000] * 3), SETTINGS)
    # Line L1 is left free for it, and who is on stays until all three lines can be free at once.
    assert (answer.admitted, answer.shed, answer.holding_back) == (("c1", "c2"), ("c0",), ("c3",))
    later = candidate(1, Turn(on_ms=15 * MINUTE_MS), on=True, rows=(1,))
    assert admitted([6_000] * 3, first, later, past, late) == ("c0",)


def test_a_claim_that_cannot_be_met_holds_nobody_back() -> None:
    first = candidate(0, Turn(waiting_ms=100), on=False, rows=(0, 1, 2))
    spent = candidate(1, Turn(on_ms=1, pauses=3), on=True, rows=(1,))
    late = candidate(3, Turn(waiting_ms=50), on=False, rows=(0,))
    assert admitted([6_000] * 3, first, spent, late) == ("c1", "c3")


def test_sleepers_stand_behind_those_awake_for_an_hour() -> None:
    sleeper = candidate(0, Turn(on_ms=5 * MINUTE_MS, asleep=True), on=True)
    assert standing(sleeper, SETTINGS) is Standing.SLEEPS
    assert admitted([6_000], sleeper, candidate(1, Turn(), on=False)) == ("c1",)
    off = candidate(0, Turn(waiting_ms=59 * MINUTE_MS, asleep=True), on=False)
    assert standing(off, SETTINGS) is Standing.MAY_SLEEP
    awake = candidate(0, Turn(waiting_ms=60 * MINUTE_MS, asleep=True), on=False)
    assert standing(awake, SETTINGS) is Standing.FIRST_TURN


def test_fair_does_not_look_at_priority_and_priority_does() -> None:
    for order, served in (("fair", "c0"), ("priority", "c1")):
        site = Site(
            supply=Supply.SINGLE_PHASE,
            circuits=(Circuit(id="feeder", limit_ma=11_000),),
            connectors=(Connector(id="c0", circuit="feeder"), Connector(id="c1", circuit="feeder", priority=5)),
        )
        bench = Bench(Policy(site, order))  # type: ignore[arg-type]
        bench.plug("c0")
        bench.plug("c1")
        bench.run(10_000)
        assert [name for name in ("c0", "c1") if bench.offered_ma(name)] == [served]


def test_priority_fills_the_higher_class_first() -> None:
    site = Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=40_000),),
        connectors=(Connector(id="c0", circuit="feeder"), Connector(id="c1", circuit="feeder", priority=5)),
    )
    bench = Bench(Policy(site, "priority"))
    bench.plug("c0")
    bench.plug("c1")
    bench.run(30_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (8_000, 32_000)


def test_a_higher_class_waits_for_the_first_dwell_of_a_lower_one() -> None:
    site = Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=11_000),),
        connectors=(Connector(id="c0", circuit="feeder"), Connector(id="c1", circuit="feeder", priority=5)),
    )
    bench = Bench(Policy(site, "priority"))
    bench.plug("c0")
    bench.run(10_000)
    bench.plug("c1")
    bench.run(14 * MINUTE_MS, 10_000)
    assert bench.offered_ma("c0") > 0
    bench.run(2 * MINUTE_MS, 10_000)
    assert (bench.offered_ma("c0"), bench.offered_ma("c1")) == (0, 11_000)


def test_the_policy_asks_to_be_called_when_a_turn_ends() -> None:
    bench = Bench(Policy(feeder(11_000, 2)))
    bench.plug("c0")
    bench.run(10_000)
    bench.plug("c1")
    decision = bench.run(2 * MINUTE_MS)[-1]  # past the look after the hold-off that a raise brings
    assert decision.due_ms is not None
    assert decision.due_ms - bench.now_ms == 15 * MINUTE_MS - bench.reports["c0"].turn.on_ms


def test_rows_follow_the_lines_in_use() -> None:
    site = Site(
        supply=Supply.THREE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=32_000),),
        connectors=(Connector(id="c0", circuit="feeder", lines=(Line.L2, Line.L3, Line.L1)),),
    )
    rows = RowIndex(compile_site(site))
    assert (rows.of("c0", 1), rows.of("c0", None)) == ((1,), (0, 1, 2))
