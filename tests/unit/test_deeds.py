"""What is done to a network, as lines: what is planned can be written, read again, and done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.networks import SIX, calm

from powershare.errors import FormatError, InputError
from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network import ABOUT, INSIDE, OUTSIDE, WORDS, Deed, Theatre, draw, names_of, parse, plan
from powershare.timing import Timing

CONFIG = NetworkConfig(site=SIX)
HOUR_MS = 3_600_000


@given(st.integers(0, 10**9))
def test_times_are_written_to_the_millisecond(t_ms: int) -> None:
    assert [deed.t_ms for deed in parse([str(Deed(t_ms, "handover"))])] == [t_ms]


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_written_as_lines_is_read_as_the_same_plan(seed: int) -> None:
    storm = draw(Chance(seed), INSIDE + OUTSIDE, Timing())
    deeds = plan(CONFIG, storm, Chance(seed), HOUR_MS)
    assert len(deeds) > 50
    assert tuple(parse(map(str, deeds))) == deeds
    assert list(deeds) == sorted(deeds, key=lambda deed: deed.t_ms)


def test_a_plan_has_what_its_storm_has_and_nothing_else() -> None:
    words = {
        name: {deed.word for deed in plan(CONFIG, draw(Chance(1), {name}, Timing()), Chance(1), 4 * HOUR_MS)}
        for name in ABOUT
    }
    visits = {"plug", "unplug"}
    assert words["crash"] == visits | {"crash"}
    assert words["pause"] == visits | {"pause"}
    assert words["partition"] == visits | {"partition"}
    assert words["one_way"] == visits | {"block"}
    assert words["drift"] == visits | {"drift"}
    assert words["handover"] == visits | {"handover"}
    assert words["configuration"] == visits | {"configure"}
    assert words["external"] == visits | {"limit"}
    assert words["clock"] == visits | {"clock"}
    assert words["duplicate_member"] == visits | {"duplicate"}
    for name in ("loss", "delay", "duplicate", "stall", "ramp", "phases", "ignore"):
        assert words[name] == visits


def test_seeds_draw_some_of_the_faults_inside_the_assumptions_and_none_outside() -> None:
    drawn = [draw(Chance(seed), None, Timing()).names for seed in range(200)]
    assert set().union(*drawn) == set(INSIDE)
    assert len(set(drawn)) > 150
    assert {len(names) for names in drawn} >= set(range(4, 10))


def test_what_is_outside_the_assumptions_is_marked() -> None:
    assert [
        deed.outside for deed in parse(["0 plug a 32", "1 plug a 32 ignores", "2 limit feeder 10", "3 crash a"])
    ] == [
        None,
        "ignores",
        "limit",
        None,
    ]


def test_comments_and_empty_lines_are_left_out() -> None:
    lines = ["# a story", "", "1.5 plug a 32 lines 1 # comes home", "   "]
    assert list(parse(lines)) == [Deed(1_500, "plug", ("a", "32", "lines", "1"))]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("soon plug a 32", "line 2: does not begin with its time in seconds"),
        ("inf plug a 32", "line 2: does not begin with its time in seconds"),
        ("-1 plug a 32", "line 2: does not begin with its time in seconds"),
        ("nan plug a 32", "line 2: does not begin with its time in seconds"),
        ("1", "line 2: says nothing that can be done"),
        ("1 dance a", f"there are {', '.join(WORDS)}"),
    ],
)
def test_a_line_that_is_no_deed_is_named(line: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        list(parse(["0 handover", line]))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 plug c0", 'deed "0 plug c0": cannot be done: .*; write: plug MEMBER AMPS'),
        ("0 plug c0 many", "cannot be done: .*; write: plug MEMBER AMPS"),
        ("0 plug c9 32", "names 'c9', which is not there"),
        ("0 unplug", "cannot be done: .*; write: unplug MEMBER"),
        ("0 crash c9", "names 'c9', which is not there"),
        ("0 crash c0 for ever", "cannot be done: .*; write: crash MEMBER"),
        ("0 pause", "cannot be done"),
        ("0 drift c0 fast", "cannot be done"),
        ("0 loss most", "cannot be done"),
        ("0 configure c0", "cannot be done"),
        ("0 configure c0=many", "cannot be done"),
        ("0 limit cellar 10 for 5 told c0", "names 'cellar', which is not there"),
        ("0 limit main 10 for 5 told c9", "names 'c9', which is not there"),
        ("0 load cellar 10", "names 'cellar', which is not there"),
        ("0 meter cellar", "names 'cellar', which is not there"),
        ("0 meter main at c9", "names 'c9', which is not there"),
        ("0 clock c9 3 for 3", "names 'c9', which is not there"),
        ("0 duplicate c9 for 3", "names 'c9', which is not there"),
        ("0 partition c0,c9 c1 for 3", "names 'c9', which is not there"),
        ("0 block c0>c9 for 3", "names 'c9', which is not there"),
    ],
)
def test_a_deed_that_cannot_be_done_says_why_and_how_it_is_written(line: str, said: str) -> None:
    network, _ = calm()
    theatre = Theatre(network)
    (deed,) = parse([line])
    with pytest.raises(FormatError, match=said):
        theatre.do(deed)


def test_faults_are_asked_for_by_name_or_in_groups() -> None:
    assert names_of("") is None
    assert names_of("none") == frozenset()
    assert names_of("loss, one-way") == frozenset({"loss", "one_way"})
    assert names_of("inside,clock") == frozenset({*INSIDE, "clock"})
    assert names_of("all") == frozenset(ABOUT) == frozenset({*INSIDE, *OUTSIDE})


def test_an_unknown_fault_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"faults: lightning: is none; there are loss, .*, all") as caught:
        names_of("loss,lightning,flood")
    assert [problem.field for problem in caught.value.problems] == ["lightning", "flood"]
