"""Somebody else limits a device by a way of their own: the driver asks its adapter, and the leader counts it."""

import asyncio
from collections.abc import Callable

import pytest

from powershare.adapter import Adapter, Applied, Declaration, Offer, Reading
from powershare.demand import ExternalLimit
from powershare.driver.bounds import HOLDS_MS, Bound
from powershare.errors import AdapterUnavailable, ContractError
from powershare.limiting import OutsideLimit
from powershare.node import Limited

from .driving import Garage


class Limitable:
    """An adapter whose device somebody else limits."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.limit: Callable[[], OutsideLimit | None] = lambda: None
        self.asked = 0

    @property
    def declaration(self) -> Declaration:
        return self._adapter.declaration

    async def open(self) -> None:
        await self._adapter.open()

    async def offer(self, offer: Offer) -> Applied:
        return await self._adapter.offer(offer)

    async def read(self) -> Reading:
        return await self._adapter.read()

    async def close(self) -> None:
        await self._adapter.close()

    def outside_limit(self) -> OutsideLimit | None:
        self.asked += 1
        return self.limit()


def garage_of(*rests: str) -> tuple[Garage, dict[str, Limitable]]:
    limitables: dict[str, Limitable] = {}

    def wrap(name: str, adapter: Adapter) -> Adapter:
        limitables[name] = Limitable(adapter)
        return limitables[name]

    return Garage(*rests, wrap=wrap), limitables


def at_most(most_ma: int, until_ms: int | None = None) -> OutsideLimit:
    return OutsideLimit(most_ma=most_ma, until_ms=until_ms, source="csms")


def test_a_limit_at_a_device_lowers_it_and_the_others_have_what_it_leaves() -> None:
    garage, limitables = garage_of("?", "?")

    async def story(garage: Garage) -> None:
        await garage.until(lambda: garage.offers_ma() == [16_000, 16_000], 60)
        limitables["a"].limit = lambda: at_most(9_000)
        assert await garage.until(lambda: garage.offers_ma()[0] <= 9_000, 20) < 5
        await garage.until(lambda: garage.offers_ma() == [9_000, 23_000], 60)
        await asyncio.sleep(3 * HOLDS_MS / 1000)
        assert garage.offers_ma() == [9_000, 23_000], "it holds for as long as it is not taken back"
        limitables["a"].limit = lambda: None
        await garage.until(lambda: garage.offers_ma() == [16_000, 16_000], 60)

    garage.play(story)


def test_a_limit_below_the_least_offer_stops_it() -> None:
    garage, limitables = garage_of("?", "?")
    limitables["a"].limit = lambda: at_most(4_000)

    async def story(garage: Garage) -> None:
        await garage.until(lambda: garage.offers_ma() == [0, 32_000], 60)

    garage.play(story)


def test_an_adapter_is_asked_at_the_instant_at_which_its_limit_may_change() -> None:
    garage, limitables = garage_of("?")
    changes_ms = garage.clock.now_ms() + 40_310
    later = at_most(7_000)
    limitables["a"].limit = lambda: at_most(20_000, changes_ms) if garage.clock.now_ms() < changes_ms else later

    async def story(garage: Garage) -> None:
        await garage.until(lambda: garage.offers_ma() == [20_000], 30)
        await garage.until(lambda: garage.clock.now_ms() >= changes_ms, 60)
        assert await garage.until(lambda: garage.offers_ma() == [7_000], 20) < 3

    garage.play(story)


def test_an_adapter_that_fails_leaves_its_last_limit_as_it_was() -> None:
    garage, limitables = garage_of("?")

    def broken() -> OutsideLimit | None:
        raise RuntimeError("the cable is in the wrong socket")

    async def story(garage: Garage) -> None:
        limitables["a"].limit = lambda: at_most(8_000)
        await garage.until(lambda: garage.offers_ma() == [8_000], 30)
        for wrong in (broken, lambda: 16_000):
            limitables["a"].limit = wrong  # type: ignore[assignment] # on purpose
            await asyncio.sleep(3 * HOLDS_MS / 1000)
            assert garage.offers_ma() == [8_000]
        assert any("wrong socket" in words for words in garage.said), garage.said
        limitables["a"].limit = lambda: None
        await garage.until(lambda: garage.offers_ma() == [32_000], 60)

    garage.play(story)


def test_more_limits_than_a_node_takes_are_said_and_end_nothing() -> None:
    garage, limitables = garage_of("?")

    async def story(garage: Garage) -> None:
        for number in range(4):
            limit = ExternalLimit(limit_ma=20_000, source=f"utility {number}", circuit="feeder")
            garage.driver.limit(Limited(limit, garage.clock.now_ms() + 600_000))
        limitables["a"].limit = lambda: at_most(8_000)
        await garage.until(lambda: any("takes at most 4" in words for words in garage.said), 20)
        await garage.until(lambda: garage.offers_ma() == [20_000], 60)

    garage.play(story)


def test_a_node_is_told_when_it_changes_and_in_good_time_before_it_ends() -> None:
    adapter = Limitable.__new__(Limitable)
    adapter.asked, adapter.limit = 0, lambda: at_most(8_000)
    bound = Bound("a", adapter)

    def told(now_ms: int) -> list[Limited]:
        bound.ask()
        return list(bound.news(now_ms))

    by_csms = ExternalLimit(limit_ma=8_000, source="csms", connector="a")
    assert told(0) == [Limited(by_csms, HOLDS_MS)]
    assert told(1) == []
    assert told(HOLDS_MS // 2) == [Limited(by_csms, HOLDS_MS // 2 + HOLDS_MS)]
    adapter.limit = lambda: OutsideLimit(most_ma=8_000, source="utility")
    by_utility = ExternalLimit(limit_ma=8_000, source="utility", connector="a")
    assert told(40_000) == [Limited(by_csms, 40_000), Limited(by_utility, 40_000 + HOLDS_MS)]
    adapter.limit = lambda: None
    assert told(50_000) == [Limited(by_utility, 50_000)]
    assert told(50_001) == []
    adapter.limit = lambda: True  # type: ignore[assignment,return-value] # on purpose
    with pytest.raises(AdapterUnavailable, match="True, which is no limit"):
        bound.ask()


@pytest.mark.parametrize(
    ("most_ma", "until_ms", "source"),
    [
        (-1, None, "csms"),
        (10_000_001, None, "csms"),
        (1.5, None, "csms"),
        (True, None, "csms"),
        (0, 0.5, "csms"),
        (0, None, ""),
        (0, None, "é" * 21),
    ],
)
def test_a_limit_that_cannot_be_is_refused(most_ma: int, until_ms: int | None, source: str) -> None:
    with pytest.raises(ContractError):
        OutsideLimit(most_ma=most_ma, until_ms=until_ms, source=source)
