"""Three doors to one kernel: `allocate`, `Prepared`, `Batch`; their errors, and what one call leaves to the next."""

from random import Random

import attrs
import pytest
from tests.oracle import campaign, generator

from powershare import (
    Allocator,
    Batch,
    Circuit,
    Connector,
    ContractError,
    Counts,
    Demand,
    DemandError,
    Demands,
    ExternalLimit,
    Line,
    Prepared,
    Site,
    Supply,
)
from powershare.site.values import on_line

FEEDER = Circuit(id="feeder", limit_ma=30_000)
SITE = Site(
    supply=Supply.THREE_PHASE,
    circuits=(FEEDER,),
    connectors=tuple(Connector(id=f"k{place}", circuit="feeder", lines=tuple(Line)) for place in range(3)),
)
ASKED = Demands(tuple(Demand(f"k{place}", waiting_s=place) for place in range(3)))


def write(prepared: Prepared, asked: Demands) -> None:
    """Write what is asked into a fresh handle, as its documentation says."""
    site = prepared.allocator.site
    places = {connector.id: place for place, connector in enumerate(site.connectors)}
    for demand in asked.demands:
        place, connector = places[demand.connector], site.connector_by_id[demand.connector]
        if connector.vehicles is not None and demand.vehicle not in connector.vehicles:
            continue  # vehicle lists are the caller's concern
        prepared.wanted_ma[place] = connector.max_offer_ma if demand.wanted_ma is None else demand.wanted_ma
        prepared.waiting_s[place] = demand.waiting_s
        prepared.lines_used[place] = demand.lines_used or 0
        prepared.weight[place] = demand.weight or connector.weight
        prepared.priority[place] = connector.priority if demand.priority is None else demand.priority
    for name, held_ma in asked.held_ma.items():
        prepared.held_ma[places[name]] = held_ma
    for name, load_ma in asked.other_load_ma.items():
        for line in site.supply.lines:
            prepared.other_load_ma[prepared.row(name, line)] = on_line(load_ma, line)
    for limit in asked.external_limits:
        if limit.connector is not None:
            place = places[limit.connector]
            loaded = site.wiring[limit.connector].loaded_lines(prepared.lines_used[place] or None)
            cap_ma = min(on_line(limit.limit_ma, line) for line in loaded)
            prepared.cap_ma[place] = min(prepared.cap_ma[place], cap_ma)
            continue
        rows = prepared.limit_ma if limit.counts is Counts.ALL else prepared.limit_connectors_ma
        for line in site.supply.lines:
            row = prepared.row(limit.circuit, line)
            rows[row] = min(rows[row], on_line(limit.limit_ma, line))


def answer_bytes(prepared: Prepared) -> tuple[bytes, ...]:
    arrays = (prepared.allocated_ma, prepared.status, prepared.bound, prepared.room_ma)
    return tuple(array.tobytes() for array in arrays)


STATUS_CODES = {"idle": 0, "allocated": 1, "shed": 2, "refused": 3, "held": 4}


@pytest.mark.parametrize("number", range(80))
def test_prepared_and_batch_answer_what_allocate_answers(number: int) -> None:
    """Bit for bit, on random sites with everything that can be asked: offers, statuses, and what is left."""
    site, asked = generator.random_problem(Random(number), generator.Shape())
    allocator = Allocator(site)
    answer = allocator.allocate(asked)
    alone, batched = allocator.prepare(), allocator.prepare()
    write(alone, asked)
    write(batched, asked)
    alone.run()
    Batch([batched]).run()
    assert answer_bytes(alone) == answer_bytes(batched)
    assert dict(zip(answer, alone.allocated_ma, strict=True)) == answer.allocated_ma
    for place, connector in enumerate(site.connectors):
        if connector.vehicles is None:
            assert alone.status[place] == STATUS_CODES[answer[connector.id].status.value]
    for circuit in site.circuits:
        room = tuple(max(0, alone.room_ma[alone.row(circuit.id, line)]) for line in site.supply.lines)
        assert room == answer.circuits[circuit.id].headroom_ma


@pytest.mark.parametrize("number", range(40))
def test_nothing_of_one_call_reaches_the_next(number: int) -> None:
    """A random sequence of calls, good and bad, answers each time what a fresh allocator answers."""
    random = Random(number)
    shape = generator.Shape(connectors=8, circuits=4)
    site = generator.random_site(random, shape)
    reused = Allocator(site)
    for _ in range(12):
        asked = generator.random_demands(random, shape, site)
        kind = random.randrange(4)
        if kind == 0:
            asked = Demands(asked.demands)  # nothing special
        elif kind == 1:
            asked = attrs.evolve(asked, demands=tuple(Demand(demand.connector) for demand in asked.demands), held_ma={})
        elif kind == 2:
            with pytest.raises(DemandError):
                reused.allocate(attrs.evolve(asked, demands=(*asked.demands, Demand("nobody"))))
        assert campaign.as_text(reused.allocate(asked)) == campaign.as_text(Allocator(site).allocate(asked))


def test_an_answer_outlives_the_next_call() -> None:
    """The first answer, looked at only after a second call, still says what it said."""
    allocator = Allocator(SITE)
    first = allocator.allocate(ASKED, held_ma={})
    expected = campaign.as_text(Allocator(SITE).allocate(ASKED))
    allocator.allocate([Demand("k0", lines_used=1, weight=9)], held_ma={"k1": 9_000}, other_load_ma={"feeder": 12_000})
    assert campaign.as_text(first) == expected


def test_a_handle_can_be_run_again_and_again() -> None:
    """The answer follows what stands in the arrays, and nothing else."""
    prepared = Allocator(SITE).prepare()
    prepared.wanted_ma[0] = 32_000
    prepared.run()
    assert list(prepared.allocated_ma) == [30_000, 0, 0]
    prepared.wanted_ma[1] = 32_000
    prepared.run()
    assert list(prepared.allocated_ma) == [15_000, 15_000, 0]
    prepared.wanted_ma[0] = prepared.wanted_ma[1] = 0
    prepared.run()
    assert list(prepared.allocated_ma) == [0, 0, 0]
    assert list(prepared.bound) == [-1, -1, -1]


def test_handles_of_one_allocator_are_independent() -> None:
    """Two handles and the allocator itself do not share what they were asked."""
    allocator = Allocator(SITE)
    one, other = allocator.prepare(), allocator.prepare()
    one.wanted_ma[0] = 10_000
    other.run()
    one.run()
    allocator.allocate(ASKED)
    assert (list(one.allocated_ma), list(other.allocated_ma)) == ([10_000, 0, 0], [0, 0, 0])


FAULTS = [
    ("wanted_ma", -1, "wanted"),
    ("lines_used", 4, "lines used"),
    ("waiting_s", -1, "waiting"),
    ("weight", 0, "weight"),
    ("weight", 1_001, "weight"),
    ("held_ma", -2, "held"),
    ("held_ma", 6_000, "held"),  # it also asks
    ("cap_ma", -1, "cap"),
    ("limit_ma", -1, "limit"),
    ("limit_connectors_ma", (1 << 40) + 1, "limit"),
    ("other_load_ma", -1, "other load"),
]


@pytest.mark.parametrize(("field", "value", "named"), FAULTS)
def test_a_refused_handle_keeps_its_answer(field: str, value: int, named: str) -> None:
    """Bad arrays are refused with the field's name, before anything is written; mended, they serve again."""
    prepared = Allocator(SITE).prepare()
    write(prepared, ASKED)
    prepared.run()
    before = answer_bytes(prepared)
    column = getattr(prepared, field)
    good, column[0] = column[0], value
    prepared.wanted_ma[1] = 0
    for run in (prepared.run, Batch([prepared]).run):
        with pytest.raises(ContractError, match=named):
            run()
        assert answer_bytes(prepared) == before
    column[0] = good
    prepared.run()
    assert list(prepared.allocated_ma) == [15_000, 0, 15_000]


def test_a_batch_computes_the_handles_before_a_faulty_one() -> None:
    """The error names the field; what came before is done, and the faulty one is untouched."""
    allocator = Allocator(SITE)
    good, bad = allocator.prepare(), allocator.prepare()
    good.wanted_ma[0], bad.wanted_ma[0] = 8_000, -1
    with pytest.raises(ContractError, match="wanted"):
        Batch([good, bad]).run()
    assert (good.allocated_ma[0], bad.allocated_ma[0]) == (8_000, 0)


def test_a_batch_may_hold_handles_of_many_sites() -> None:
    """One crossing for all; an empty batch is none."""
    small = Site(supply=Supply.SINGLE_PHASE, circuits=(FEEDER,), connectors=(Connector(id="x", circuit="feeder"),))
    handles = [Allocator(SITE).prepare(), Allocator(small).prepare()]
    for handle in handles:
        handle.wanted_ma[0] = 32_000
    Batch(handles).run()
    assert [handle.allocated_ma[0] for handle in handles] == [30_000, 30_000]
    Batch([]).run()


def test_a_row_is_found_by_name() -> None:
    """By circuit and line; the network limit where there is one; nothing else."""
    prepared = Allocator(attrs.evolve(SITE, network_limit_ma=40_000)).prepare()
    assert [prepared.limit_ma[prepared.row("feeder", line)] for line in Line] == [30_000] * 3
    assert [prepared.limit_connectors_ma[prepared.row(None, line)] for line in Line] == [40_000] * 3
    with pytest.raises(KeyError, match="attic"):
        prepared.row("attic", Line.L1)
    with pytest.raises(KeyError, match="no network limit"):
        Allocator(SITE).prepare().row(None, Line.L1)


# Errors of the comfortable door


def problems_of(asked: Demands) -> list[tuple[str, str]]:
    with pytest.raises(DemandError) as caught:
        Allocator(SITE).allocate(asked)
    return [(problem.where, problem.field) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("asked", "where", "field"),
    [
        (Demands((Demand("k9"),)), 'demand of "k9"', "connector"),
        (Demands((Demand("k0"), Demand("k0"))), 'demand of "k0"', "connector"),
        (Demands((Demand("k0"), Demand("k0", wanted_ma=0))), 'demand of "k0"', "connector"),
        (Demands((Demand("k0"),), held_ma={"k0": 6_000}), 'demand of "k0"', "connector"),
        (Demands((), held_ma={"k9": 6_000}), 'held of "k9"', "connector"),
        (Demands((), held_ma={"k0": -1}), 'held of "k0"', "amps"),
        (Demands((), other_load_ma={"roof": 1}), 'other load of "roof"', "circuit"),
        (Demands((), other_load_ma={"feeder": (1, 2)}), 'other load of "feeder"', "amps"),
        (
            Demands((), external_limits=(ExternalLimit(circuit="roof", limit_ma=0, source="x"),)),
            'external limit of "roof"',
            "circuit",
        ),
    ],
)
def test_a_faulty_question_is_one_named_problem(asked: Demands, where: str, field: str) -> None:
    """Each mistake is named once, with its node and field."""
    assert problems_of(asked) == [(where, field)]


def test_more_lines_than_the_connector_has() -> None:
    """A three-phase car cannot use three lines of a connector that has one."""
    connector = Connector(id="k", circuit="feeder", lines=(Line.L2,))
    site = Site(supply=Supply.THREE_PHASE, circuits=(FEEDER,), connectors=(connector,))
    with pytest.raises(DemandError, match="lines_used: is 2; the connector has only L2"):
        Allocator(site).allocate([Demand("k", lines_used=2)])


def test_all_problems_of_a_question_at_once() -> None:
    """Demands, held currents, readings and limits: one error for all of them."""
    asked = Demands(
        (Demand("k9"), Demand("k0"), Demand("k0"), Demand("k1")),
        held_ma={"k1": 6_000, "k8": 1},
        other_load_ma={"roof": 0},
        external_limits=(ExternalLimit(connector="k7", limit_ma=0, source="x"),),
    )
    assert sorted(problems_of(asked)) == [
        ('demand of "k0"', "connector"),
        ('demand of "k1"', "connector"),
        ('demand of "k9"', "connector"),
        ('external limit of "k7"', "connector"),
        ('held of "k8"', "connector"),
        ('other load of "roof"', "circuit"),
    ]


def test_a_held_connector_may_say_that_it_asks_for_nothing() -> None:
    """A demand of 0 A beside a held current contradicts nothing."""
    answer = Allocator(SITE).allocate([Demand("k0", wanted_ma=0)], held_ma={"k0": 6_000})
    assert answer.circuits["feeder"].headroom_ma == (24_000,) * 3


# The answer as a value


def test_equal_answers_are_equal_and_others_are_not() -> None:
    """Two answers that say the same of everybody are equal, whichever allocator gave them."""
    first, second = Allocator(SITE).allocate(ASKED), Allocator(SITE).allocate(ASKED)
    assert first == second
    assert first != Allocator(SITE).allocate(ASKED.demands[:2])
    assert first != dict(first.allocated_ma)


def test_the_same_offers_for_other_reasons_are_not_equal() -> None:
    """10 A each because the vehicles take no more is another answer than 10 A each because the feeder is full."""
    wanting = Allocator(SITE).allocate([Demand(f"k{place}", wanted_ma=10_000) for place in range(3)])
    full = Allocator(SITE).allocate(ASKED)
    assert wanting.allocated_ma == full.allocated_ma
    assert wanting != full


def test_an_answer_is_a_mapping_in_site_order() -> None:
    """By id, in the order of the file, with the usual manners."""
    answer = Allocator(SITE).allocate([Demand("k2")])
    assert (list(answer), len(answer), "k1" in answer, "k9" in answer) == (["k0", "k1", "k2"], 3, True, False)
    assert [entry.connector for entry in answer.connectors] == ["k0", "k1", "k2"]
    assert repr(answer) == "<Allocation k0=0 A, k1=0 A, k2=30 A>"
    with pytest.raises(KeyError):
        answer["k9"]
    with pytest.raises(TypeError):
        hash(answer)
