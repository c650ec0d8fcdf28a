"""The fallback: what a connector may offer alone, so that all together fit every limit."""

import time
from random import Random

import pytest
from tests.oracle import generator
from tests.oracle.picture import picture_of

from powershare import Circuit, Connector, Demands, Line, Site, Supply, TopologyError


def connectors(circuit: str, count: int, **fields: int) -> tuple[Connector, ...]:
    return tuple(Connector(id=f"{circuit}{place}", circuit=circuit, **fields) for place in range(count))  # type: ignore[arg-type]


def feeder(limit_ma: int, *hanging: Connector, network_limit_ma: int | None = None, worst_ma: int = 0) -> Site:
    circuits = (Circuit(id="f", limit_ma=limit_ma, other_load_worst_ma=worst_ma),)
    return Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=hanging, network_limit_ma=network_limit_ma)


def test_the_fallback_is_the_fair_share_of_the_limit() -> None:
    """80 A and four connectors: 20 A each."""
    assert dict(feeder(80_000, *connectors("f", 4)).fallbacks.by_connector) == dict.fromkeys(
        ("f0", "f1", "f2", "f3"), 20_000
    )


def test_the_fair_share_goes_down_to_the_step() -> None:
    """50 A for three is 16.666 A, and 16.6 A in steps of 0.1 A."""
    assert set(feeder(50_000, *connectors("f", 3)).fallbacks.by_connector.values()) == {16_600}


def test_the_greatest_offer_caps_the_fallback() -> None:
    """One connector on 80 A falls back to what it may offer at all."""
    assert feeder(80_000, *connectors("f", 1)).fallbacks.by_connector["f0"] == 32_000


def test_a_share_under_the_least_offer_becomes_0_with_a_warning() -> None:
    """20 A for four is 5 A: nothing between 0 and 6 A, and a person hears of it."""
    fallbacks = feeder(20_000, *connectors("f", 4)).fallbacks
    assert set(fallbacks.by_connector.values()) == {0}
    assert fallbacks.warnings[0] == (
        'connector "f0": its fair share of 5 A is under its least offer of 6 A, so it falls back to 0'
    )
    assert len(fallbacks.warnings) == 4


def test_there_is_no_warning_without_a_reason() -> None:
    """A fallback that serves needs no words."""
    assert feeder(80_000, *connectors("f", 4)).fallbacks.warnings == ()


def test_other_load_is_taken_off_at_its_worst() -> None:
    """80 A with 20 A of other load at worst leaves 15 A for each of four."""
    assert set(feeder(80_000, *connectors("f", 4), worst_ma=20_000).fallbacks.by_connector.values()) == {15_000}


def test_the_network_limit_is_shared_too_and_knows_no_other_load() -> None:
    """A network limit of 40 A for four is 10 A each, whatever else the house draws."""
    site = feeder(80_000, *connectors("f", 4), network_limit_ma=40_000, worst_ma=20_000)
    assert set(site.fallbacks.by_connector.values()) == {10_000}


def test_a_commissioned_fallback_is_taken_off_first() -> None:
    """32 A of 80 A are commissioned; three others share 48 A."""
    own = Connector(id="own", circuit="f", fallback_ma=32_000)
    fallbacks = feeder(80_000, own, *connectors("f", 3)).fallbacks.by_connector
    assert dict(fallbacks) == {"own": 32_000, "f0": 16_000, "f1": 16_000, "f2": 16_000}


def test_a_commissioned_0_is_no_share() -> None:
    """Who falls back to 0 leaves his share to the others."""
    own = Connector(id="own", circuit="f", fallback_ma=0)
    assert feeder(40_000, own, *connectors("f", 2)).fallbacks.by_connector["f1"] == 20_000


def test_the_least_share_of_all_limits_above_counts() -> None:
    """Two of four hang on a branch of 16 A: 8 A each, though the root leaves 20 A."""
    circuits = (Circuit(id="root", limit_ma=80_000), Circuit(id="b", parent="root", limit_ma=16_000))
    site = Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=(*connectors("root", 2), *connectors("b", 2)))
    assert dict(site.fallbacks.by_connector) == {"root0": 20_000, "root1": 20_000, "b0": 8_000, "b1": 8_000}


def test_shares_are_counted_line_by_line() -> None:
    """16 A a line: alone on L2 all of it, two on L1 half each; who is on both has the smaller."""
    hanging = tuple(
        Connector(id=name, circuit="f", lines=lines)
        for name, lines in (("one", (Line.L1,)), ("two", (Line.L3,)), ("both", (Line.L1, Line.L2)))
    )
    circuits = (Circuit(id="f", limit_ma=16_000),)
    site = Site(supply=Supply.THREE_PHASE, circuits=circuits, connectors=hanging)
    assert dict(site.fallbacks.by_connector) == {"one": 8_000, "two": 16_000, "both": 8_000}


def test_commissioned_fallbacks_must_fit() -> None:
    """Three of 16 A on 40 A are an error of the site, with limit, sum and names."""
    with pytest.raises(TopologyError) as caught:
        feeder(40_000, *connectors("f", 3, fallback_ma=16_000))
    (problem,) = caught.value.problems
    assert (problem.where, problem.field) == ('circuit "f"', "limit")
    assert "leaves 40 A on L1" in problem.message
    assert "fallbacks of f0, f1, f2 add up to 48 A" in problem.message


def test_commissioned_fallbacks_must_fit_the_network_limit() -> None:
    """The network limit is checked as well, and named as such."""
    with pytest.raises(TopologyError, match="site: network_limit: leaves 20 A"):
        feeder(80_000, *connectors("f", 2, fallback_ma=16_000), network_limit_ma=20_000)


def test_fallbacks_of_0_fit_even_an_exceeded_circuit() -> None:
    """Where the worst other load alone exceeds the limit, everybody falls back to 0."""
    fallbacks = feeder(10_000, *connectors("f", 1), Connector(id="own", circuit="f", fallback_ma=0), worst_ma=20_000)
    assert dict(fallbacks.fallbacks.by_connector) == {"f0": 0, "own": 0}


@pytest.mark.parametrize("number", range(60))
def test_all_fallbacks_together_fit_every_limit(number: int) -> None:
    """On random sites: beside the worst other load, on every circuit and line and in the network."""
    site = generator.random_site(Random(number), generator.Shape())
    picture = picture_of(site, Demands())
    room = {row: max(0, room_ma) for row, room_ma in picture.room_ma().items()}
    for asker in picture.askers:
        fallback_ma = site.fallbacks.by_connector[asker.id]
        assert fallback_ma == 0 or asker.least_ma <= fallback_ma <= asker.greatest_ma
        for row in asker.rows:
            room[row] -= fallback_ma
    assert min(room.values()) >= 0


def test_an_error_names_a_few_of_many_fallbacks() -> None:
    """A thousand names help nobody."""
    with pytest.raises(TopologyError) as caught:
        feeder(40_000, *connectors("f", 1_000, fallback_ma=16_000))
    (problem,) = caught.value.problems
    assert "fallbacks of f0, f1, f2, f3, f4, f5, f6, f7 and others add up to 16000 A" in problem.message


def test_the_names_in_an_error_stand_in_the_order_of_the_site() -> None:
    """Whichever branches they hang on."""
    circuits = (Circuit(id="root", limit_ma=20_000), Circuit(id="b", parent="root", limit_ma=80_000))
    placed = (("z", "b"), ("y", "root"), ("x", "b"))
    hanging = tuple(Connector(id=name, circuit=circuit, fallback_ma=16_000) for name, circuit in placed)
    with pytest.raises(TopologyError, match="fallbacks of z, y, x add up to 48 A"):
        Site(supply=Supply.SINGLE_PHASE, circuits=circuits, connectors=hanging)


def test_a_deep_site_is_shared_in_linear_time() -> None:
    """2,000 connectors under a chain of 2,000 circuits: gathered circuit by circuit it took 20 s."""
    chain = tuple(
        Circuit(id=f"c{depth}", parent=f"c{depth - 1}" if depth else None, limit_ma=20_000_000)
        for depth in range(2_000)
    )
    before_s = time.process_time()
    site = Site(supply=Supply.SINGLE_PHASE, circuits=chain, connectors=connectors("c1999", 2_000))
    assert set(site.fallbacks.by_connector.values()) == {10_000}
    assert time.process_time() - before_s < 4
