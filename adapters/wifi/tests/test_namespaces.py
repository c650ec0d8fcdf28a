"""`powershare node` on six hosts with links, addresses and clocks of their own, found by multicast, in weather."""

from functools import partial

import attrs
import pytest

from powershare.trace import AuditResult

from .namespaces import Switch, missing
from .node_plant import LIMIT_A, NAMES, Plant
from .weather import whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]


@attrs.define(kw_only=True)
class Told:
    """What was seen.

    Attributes:
        leaders: Who led at first, and after the leader was killed.
        minority: Who could not hear a majority.
        offers: What all offered meanwhile.
        result: What the units' trace adds up to.
        words: What was said, by host.
    """

    leaders: list[str | None] = attrs.field(factory=list)
    minority: list[str] = attrs.field(factory=list)
    offers: dict[str, int] = attrs.field(factory=dict)
    result: AuditResult | None = None
    words: dict[str, list[str]] = attrs.field(factory=dict)


def all_have(plant: Plant, names: str, amps: int) -> None:
    plant.until(lambda offers: all(offers[name] == amps for name in names), 60)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    pytest.importorskip("zeroconf")
    story = Told()
    with Plant(tmp_path_factory.mktemp("hosts"), switch=partial(Switch, seed=7)) as plant:
        weather = plant.weather
        assert weather is not None
        weather.loss, weather.twice, weather.delay_s = 0.1, 0.02, (0.001, 0.1)
        plant.start()
        plant.plug_in(*"bcd")
        all_have(plant, "bcd", LIMIT_A // 3)
        leader = plant.leader()
        assert leader is not None
        story.leaders.append(leader)

        plant.kill(leader)
        lives = [name for name in "bcd" if name != leader]
        # The dead one counts with its fallback, where it is; the others have the rest.
        plant.until(lambda offers: plant.leader() not in {None, leader} and sum(offers[n] for n in lives) >= 24, 60)
        story.leaders.append(plant.leader())
        plant.start(leader)
        all_have(plant, "bcd", LIMIT_A // 3)

        minority = story.minority = [name for name in NAMES if name != plant.leader()][:3]
        weather.cut = lambda sender, receiver: (sender in minority) != (receiver in minority)
        plant.until(lambda offers: all(offers[name] <= LIMIT_A // 6 for name in minority), 40)
        story.offers = plant.offers_a()
        weather.cut = whole
        all_have(plant, "bcd", LIMIT_A // 3)

        plant.end()
        story.result = plant.result()
        story.words = {name: plant.words(name) for name in NAMES}
    return story


def test_hosts_share_and_lose_their_leader(told: Told) -> None:
    before, after = told.leaders
    assert before is not None
    assert after not in {None, before}


def test_the_half_without_a_majority_is_at_its_fallback(told: Told) -> None:
    assert all(told.offers[name] <= LIMIT_A // 6 for name in told.minority)
    assert sum(told.offers.values()) <= LIMIT_A


def test_no_limit_broke_by_the_units_own_words(told: Told) -> None:
    assert told.result is not None
    assert not told.result.breaches
    (peak,) = told.result.peaks
    assert peak.offered_ma == LIMIT_A * 1_000


def test_nothing_went_wrong_on_any_host(told: Told) -> None:
    assert not [line for lines in told.words.values() for line in lines if "Traceback" in line or "failed" in line]
