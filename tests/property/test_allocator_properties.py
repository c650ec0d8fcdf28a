"""What an allocation promises, on random sites, against an oracle that shares no code with the library.

Ten thousand sites: `python -m tests.oracle.campaign --sites 10000 --seed 1`.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from random import Random

import attrs
import pytest
from tests.oracle import campaign, generator, judge, leximin
from tests.oracle.filling import admit, by_single_steps, classes
from tests.oracle.picture import Picture, picture_of

from powershare import (
    Allocation,
    Allocator,
    Circuit,
    CircuitAllocation,
    Connector,
    ConnectorAllocation,
    Demand,
    Demands,
    Line,
    Site,
    Supply,
)

SITES = 330
SEED = 20_261


@pytest.fixture(scope="module")
def tally() -> campaign.Tally:
    tally = campaign.Tally()
    for number in range(SITES):
        campaign.look_at(number, SEED, tally)
    return tally


EVERYWHERE = [*judge.ALWAYS, "same input, same bytes"]
SOMEWHERE = {
    "exact leximin, by the unit rule": 100,
    "exact leximin, by search": 40,
    "exact leximin, by HiGHS": 5,
    "order changes no total": 100,
    "raising lowers no smallest share": 30,
    f"mixed lines: within {judge.FEW_MA} mA of the rational answer": 25,
}
"""Properties of some sites only, with the fewest that a run must have met: of nothing, everything holds."""


@pytest.mark.parametrize("name", EVERYWHERE)
def test_holds_on_every_random_site(tally: campaign.Tally, name: str) -> None:
    """Each property that is claimed of every site holds on every random one."""
    assert [complaint for complaint in tally.complaints if f": {name}: " in complaint] == []
    assert tally.looked[name] == SITES


@pytest.mark.parametrize("name", SOMEWHERE)
def test_holds_where_it_is_claimed(tally: campaign.Tally, name: str) -> None:
    """Each property that is claimed of nested limits, or of mixed lines, holds on every random site of that kind."""
    assert [complaint for complaint in tally.complaints if f": {name}: " in complaint] == []
    assert tally.looked[name] >= SOMEWHERE[name]


def test_random_sites_reach_every_outcome(tally: campaign.Tally) -> None:
    """The generator is hostile enough: every status occurs often, and every shape."""
    assert set(tally.shapes) == set(generator.SHAPES)
    assert min(tally.statuses[status] for status in ("allocated", "shed", "refused", "idle", "held")) >= 50


def tiny(number: int, shape: generator.Shape = generator.TINY) -> Picture:
    """A tiny random problem in which everybody is admitted, of one class."""
    random = Random(number)
    while True:
        picture = picture_of(*generator.random_problem(random, attrs.evolve(shape, priorities=False)))
        if not admit(picture).full and 1 < leximin.search_size(picture.candidates) <= judge.SEARCH_AT_MOST:
            return picture


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("wiring", ["one", "any"])
def test_search_and_integer_programs_agree(number: int, wiring: str) -> None:
    """The two exact oracles, which share nothing but the question, give the same leximin, on mixed lines as well."""
    picture = tiny(number, attrs.evolve(generator.TINY, wiring=wiring, step_ma=2_000))
    (group,) = classes(picture.candidates)
    assert leximin.by_programs(group, picture.room_ma()) == leximin.by_search(group, picture.room_ma())


@pytest.mark.parametrize("number", range(20))
def test_unit_rule_from_the_bottom_is_the_same_with_a_head_start(number: int) -> None:
    """Beginning near the rational shares changes nothing about the unit rule on nested limits."""
    picture = tiny(number)
    admitted = admit(picture).admitted
    assert by_single_steps(picture, admitted) == by_single_steps(picture, admitted, head_start=False)


class Doctored:
    """The raw outcome of an honest allocation with some offers changed: the judge must see it."""

    backend = "python"

    def __init__(self, honest: Allocation, changes: Mapping[str, int]) -> None:
        self.honest, self.changes = honest, changes

    def allocated_ma(self) -> dict[str, int]:
        return {**self.honest.allocated_ma, **self.changes}

    def connector(self, connector_id: str) -> ConnectorAllocation:
        return self.honest[connector_id]

    def circuits(self) -> dict[str, CircuitAllocation]:
        return dict(self.honest.circuits)

    def network(self) -> CircuitAllocation | None:
        return self.honest.network


def doctored(honest: Allocation, changes: Mapping[str, int]) -> Allocation:
    return Allocation(Doctored(honest, changes))


def feeder(*wanted_ma: int) -> Picture:
    circuits = (Circuit(id="feeder", limit_ma=20_000),)
    names = [f"k{place}" for place in range(len(wanted_ma))]
    connectors = tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in names)
    demands = tuple(Demand(name, wanted_ma=wanted) for name, wanted in zip(names, wanted_ma, strict=True))
    return picture_of(Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=connectors), Demands(demands))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"k0": 11_000}, "limits kept"),
        ({"k0": 9_000}, "nobody can be raised"),
        ({"k0": 9_500}, "offers sendable"),
        ({"k0": 5_000}, "offers sendable"),
        ({"k0": 0}, "what fits is admitted"),
        ({"k0": 9_000}, "circuits add up"),
    ],
)
def test_the_judge_sees_a_doctored_answer(changes: dict[str, int], broken: str) -> None:
    """Each check fails on an answer that breaks it, and passes on the honest one."""
    picture = feeder(32_000, 32_000)
    honest = Allocator(picture.site).allocate(picture.asked)
    assert list(judge.ALWAYS[broken](picture, honest)) == []
    assert list(judge.ALWAYS[broken](picture, doctored(honest, changes))) != []


@pytest.mark.parametrize("check", [judge.exact_leximin, judge.by_the_unit_rule, judge.by_the_letter])
def test_the_judge_sees_an_unfair_answer(check: Callable[[Picture, Allocation], Iterator[str]]) -> None:
    """12 and 8 where 10 and 10 would fit is within every limit, and not leximin."""
    picture = feeder(32_000, 32_000)
    honest = Allocator(picture.site).allocate(picture.asked)
    unfair = doctored(honest, {"k0": 12_000, "k1": 8_000})
    assert list(check(picture, honest)) == []
    assert list(check(picture, unfair)) != []
    assert judge.distance_from_rational(picture, unfair) == 2_000


def test_the_rational_answer_of_mixed_lines() -> None:
    """One three-phase car and one on L1 of 20 A share L1 at 10 A each; a car on L2 takes the 10 A left there."""
    circuits = (Circuit(id="feeder", limit_ma=20_000),)
    connectors = tuple(
        Connector(id=name, circuit="feeder", lines=lines, step_ma=1)
        for name, lines in (("three", tuple(Line)), ("first", (Line.L1,)), ("second", (Line.L2,)))
    )
    site = Site(supply=Supply.THREE_PHASE, circuits=circuits, connectors=connectors)
    demands = Demands((Demand("three"), Demand("first"), Demand("second", wanted_ma=32_000)))
    answer = Allocator(site).allocate(demands)
    assert dict(answer.allocated_ma) == {"three": 10_000, "first": 10_000, "second": 10_000}
    assert judge.distance_from_rational(picture_of(site, demands), answer) == 0


def test_the_integer_programs_do_not_mind_an_exceeded_circuit_elsewhere() -> None:
    """A circuit that nobody asks under may be exceeded: the shares elsewhere are what they are."""
    picture = feeder(32_000, 32_000)
    (group,) = classes(picture.candidates)
    room = {**picture.room_ma(), ("attic", Line.L1): -5_000}
    assert leximin.by_programs(group, room) == leximin.by_search(group, room) == (Fraction(10_000),) * 2
