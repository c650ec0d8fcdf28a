"""The audit adds up what devices did and finds every limit that broke, and no other."""

import random

import pytest

from powershare.errors import ContractError, FormatError
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import UNCHANGED, Audit, Breach, CircuitEvent, ConnectorEvent, LoadKind, TraceEvent, audit
from powershare.units import ALL_LINES, Line


def garage(**changes: object) -> Site:
    """Two circuits, one below the other; a one-line and a three-line connector of known rotation."""
    fields: dict[str, object] = {
        "supply": Supply.THREE_PHASE,
        "circuits": (Circuit(id="panel", breaker_ma=50_000), Circuit(id="left", parent="panel", limit_ma=32_000)),
        "connectors": (
            Connector(id="north", circuit="left", lines=(Line.L2, Line.L3, Line.L1)),
            Connector(id="south", circuit="left", lines=ALL_LINES),
            Connector(id="east", circuit="panel", lines=ALL_LINES),
        ),
    }
    return Site(**(fields | changes))  # type: ignore[arg-type]


def car(t_ms: int, connector: str, pilot_ma: int, drawn_ma: int = 0, **more: object) -> ConnectorEvent:
    return ConnectorEvent(t_ms=t_ms, connector=connector, pilot_ma=pilot_ma, drawn_ma=drawn_ma, **more)  # type: ignore[arg-type]


def load(t_ms: int, circuit: str, limit_ma: int, other_load_ma: int, **more: object) -> CircuitEvent:
    return CircuitEvent(
        t_ms=t_ms,
        circuit=circuit,
        limit_ma=(limit_ma,) * 3,
        other_load_ma=(other_load_ma,) * 3,
        source="meter",
        **more,  # type: ignore[arg-type]
    )


def test_currents_up_to_the_limit_are_no_breach() -> None:
    result = audit(garage(), [car(0, "north", 16_000, 16_000), car(0, "south", 16_000, 16_000)])
    assert result.breaches == ()
    assert [peak.offered_ma for peak in result.peaks if peak.circuit == "left"] == [32_000] * 3


def test_one_milliamp_above_is_a_breach_of_that_kind_circuit_and_line_only() -> None:
    events = [car(0, "south", 16_000, 15_000), car(5, "north", 16_001, 16_001, lines_used=1), car(9, "north", 0)]
    assert audit(garage(), events).breaches == (
        Breach(
            t_ms=5,
            until_ms=9,
            circuit="left",
            line=Line.L2,
            limit_ma=32_000,
            load_ma=32_001,
            connectors_ma=32_001,
            kind=LoadKind.OFFERED,
            outside=False,
        ),
    )


def test_drawn_current_is_judged_beside_the_offer() -> None:
    (breach,) = audit(garage(), [car(0, "south", 6_000, 40_000, lines_used=1)]).inside[:1]
    assert (breach.kind, breach.circuit, breach.line) == (LoadKind.DRAWN, "left", Line.L1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_decrease_and_a_raise_at_one_instant_are_one_step(order: tuple[int, int]) -> None:
    handover = [car(7, "north", 0), car(7, "south", 32_000)]
    start: list[TraceEvent] = [car(0, "north", 32_000)]
    assert audit(garage(), [*start, *(handover[index] for index in order)]).breaches == ()


def test_a_raise_an_instant_before_the_decrease_is_a_breach() -> None:
    result = audit(garage(), [car(0, "north", 32_000), car(6, "south", 32_000), car(7, "north", 0)])
    assert {(breach.t_ms, breach.until_ms) for breach in result.breaches} == {(6, 7)}


def test_unknown_rotation_counts_on_every_line() -> None:
    site = garage(connectors=(Connector(id="north", circuit="left"),))
    result = audit(site, [car(0, "north", 33_000, lines_used=1)])
    assert [breach.line for breach in result.breaches] == [Line.L1, Line.L2, Line.L3]


def test_a_change_of_the_lines_in_use_moves_the_current_to_the_other_lines() -> None:
    auditor = Audit(garage())
    auditor.feed(car(0, "north", 20_000, 20_000))
    auditor.feed(car(1, "north", 20_000, 20_000, lines_used=1))
    auditor.feed(car(2, "south", 13_000))
    assert [(breach.line, breach.t_ms) for breach in auditor.result().breaches] == [(Line.L2, 2)]


def test_other_load_counts_on_its_circuit_and_above_and_the_worst_case_until_a_reading() -> None:
    circuits = (
        Circuit(id="panel", limit_ma=40_000, other_load_worst_ma=30_000),
        Circuit(id="left", parent="panel", limit_ma=32_000),
    )
    site = garage(circuits=circuits)
    silent = audit(site, [car(0, "south", 16_000)])
    assert {
        (breach.circuit, breach.load_ma, breach.connectors_ma) for breach in silent.breaches if breach.connectors_ma
    } == {("panel", 46_000, 16_000)}
    assert audit(site, [load(0, "panel", 40_000, 24_000), car(0, "south", 16_000)]).breaches == ()
    below = audit(site, [load(0, "panel", 40_000, 0), load(0, "left", 32_000, 25_000), car(0, "east", 16_000)])
    assert {breach.circuit for breach in below.breaches} == {"panel"}


def test_other_load_alone_is_reported_with_no_part_of_the_connectors() -> None:
    (first, *_) = audit(garage(), [load(3, "panel", 40_000, 40_001)]).breaches
    assert (first.load_ma, first.connectors_ma) == (40_001, 0)


def test_a_limit_in_the_trace_lowers_the_sites_own_and_never_raises_it() -> None:
    lowered = audit(garage(), [load(0, "left", 10_000, 0), car(1, "north", 10_001)])
    assert {breach.limit_ma for breach in lowered.breaches} == {10_000}
    raised = audit(garage(), [load(0, "left", 99_000, 0), car(1, "north", 33_000)])
    assert {breach.limit_ma for breach in raised.breaches} == {32_000}


def test_the_network_limit_counts_connectors_and_no_other_load() -> None:
    site = garage(network_limit_ma=20_000)
    result = audit(site, [load(0, "panel", 40_000, 15_000), car(0, "east", 12_000), car(0, "south", 9_000)])
    assert {(breach.circuit, breach.load_ma) for breach in result.breaches} == {(None, 21_000)}


def test_a_mark_splits_a_breach_into_inside_and_outside() -> None:
    events = [
        car(0, "south", 6_000, 40_000, outside="A2"),
        car(5, "south", 6_000, 40_000),
        car(8, "south", 6_000, 40_000, outside=None),
        car(9, "south", 6_000, 6_000),
    ]
    result = audit(garage(network_limit_ma=100_000), events)
    assert {(breach.t_ms, breach.until_ms) for breach in result.outside} == {(0, 8)}
    assert {(breach.t_ms, breach.until_ms) for breach in result.inside if breach.circuit == "left"} == {(8, 9)}


def test_a_mark_excuses_only_the_circuits_above_it() -> None:
    circuits = (Circuit(id="left", limit_ma=32_000), Circuit(id="right", limit_ma=32_000))
    connectors = (Connector(id="north", circuit="left"), Connector(id="south", circuit="right"))
    events = [car(0, "north", 6_000, 6_000, outside="A2"), car(0, "south", 33_000)]
    assert len(audit(garage(circuits=circuits, connectors=connectors), events).inside) == 3


def test_a_repeated_mark_counts_once() -> None:
    events = [
        car(0, "north", 0, 0, outside="A2"),
        car(1, "north", 0, 0, outside="A1"),
        car(2, "north", 40_000, outside=None),
    ]
    assert audit(garage(), events).inside


def test_a_breach_reports_its_worst_instant() -> None:
    events = [car(0, "north", 33_000), car(1, "north", 38_000), car(2, "north", 34_000)]
    result = audit(garage(), events)
    assert {(breach.t_ms, breach.load_ma, breach.until_ms) for breach in result.breaches} == {(0, 38_000, None)}


def test_time_that_goes_back_is_the_callers_fault() -> None:
    with pytest.raises(ContractError, match="back from 5 ms to 4 ms"):
        audit(garage(), [car(5, "north", 0), car(4, "north", 0)])


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (car(1500, "nort", 0), 'event at 1.5 s: connector: names "nort", .* did you mean "north"'),
        (load(0, "cellar", 1, 0), 'circuit: names "cellar", which is no circuit'),
        (
            CircuitEvent(t_ms=0, circuit="left", limit_ma=(1,), other_load_ma=(0, 0, 0), source="x"),
            "limit_a: has 1 figures",
        ),
    ],
)
def test_an_event_that_does_not_fit_the_site_names_its_place(event: TraceEvent, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        audit(garage(), [event])


def obvious_breaches(site: Site, events: list[TraceEvent]) -> set[tuple[int, str | None, Line, LoadKind, bool]]:
    """Every instant at which something was above its limit, by adding everything up from scratch."""
    found = set()
    cars: dict[str, ConnectorEvent] = {}
    circuits: dict[str, CircuitEvent] = {}
    marked: set[str] = set()
    for index, event in enumerate(events):
        (cars if isinstance(event, ConnectorEvent) else circuits)[
            event.connector if isinstance(event, ConnectorEvent) else event.circuit
        ] = event  # type: ignore[assignment]
        if isinstance(event, ConnectorEvent) and event.outside is not UNCHANGED:
            (marked.discard if event.outside is None else marked.add)(event.connector)
        if index + 1 < len(events) and events[index + 1].t_ms == event.t_ms:
            continue
        for circuit in (*site.circuits, None):
            below = [c.id for c in site.connectors if circuit is None or circuit in site.circuits_above(c.circuit)]
            for line in site.supply.lines:
                limit_ma = site.network_limit_ma if circuit is None else circuit.usable_limit_ma(line)[0]
                assert limit_ma is not None
                other_ma = 0
                if circuit is not None:
                    if circuit.id in circuits:
                        limit_ma = min(limit_ma, circuits[circuit.id].limit_ma[line])
                    feeding = [other for other in site.circuits if circuit in site.circuits_above(other.id)]
                    other_ma = sum(circuits[o.id].other_load_ma[line] for o in feeding if o.id in circuits)
                for kind in LoadKind:
                    total_ma = other_ma
                    for name in below:
                        if name in cars and line in site.wiring[name].loaded_lines(cars[name].lines_used):
                            total_ma += cars[name].pilot_ma if kind is LoadKind.OFFERED else cars[name].drawn_ma
                    if total_ma > limit_ma:
                        name_of = None if circuit is None else circuit.id
                        found.add((event.t_ms, name_of, line, kind, bool(marked & set(below))))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_increments_agree_with_adding_everything_up(seed: int) -> None:
    rng = random.Random(seed)
    site = garage(network_limit_ma=45_000)
    events: list[TraceEvent] = []
    t_ms = 0
    for _ in range(150):
        t_ms += rng.choice((0, 0, 1, 5))
        if rng.random() < 0.2:
            events.append(
                load(t_ms, rng.choice(("panel", "left")), rng.randrange(20_000, 60_000), rng.randrange(20_000))
            )
            continue
        mark = rng.choice((UNCHANGED, UNCHANGED, UNCHANGED, "A2", None))
        lines_used = rng.choice((None, 1, 2, 3))
        name = rng.choice(("north", "south", "east"))
        events.append(
            car(t_ms, name, rng.randrange(33_000), rng.randrange(33_000), lines_used=lines_used, outside=mark)
        )
    result = audit(site, events)
    instants = sorted({event.t_ms for event in events})
    seen = {
        (t, breach.circuit, breach.line, breach.kind, breach.outside)
        for breach in result.breaches
        for t in instants
        if breach.t_ms <= t and (breach.until_ms is None or t < breach.until_ms)
    }
    assert seen == obvious_breaches(site, events)
    assert seen
