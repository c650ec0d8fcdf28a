"""Adapters that break every promise, one at a time: it stays a word about their device, and the others go on."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeAlias, cast

import attrs
import pytest

from powershare.adapter import Adapter, Applied, Declaration, Offer, Reading
from powershare.demand import ExternalLimit
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable, ContractError, TopologyError
from powershare.node import Limited
from powershare_emulated import EmulatedAdapter

from .driving import Garage

CLASSES = ["?deadman=lease", "?deadman=watchdog&watchdog_s=10"]
Call: TypeAlias = Coroutine[Any, Any, object]
Deed: TypeAlias = Callable[[Call], Call]
METHODS = ["open", "offer", "read", "close", "set_fallback", "release_contactor"]


class Stranger:
    """An adapter whose methods do something else from time to time.

    Attributes:
        does: By method: what it does in place of what it should; nothing: what it should.
        cut_off: Whether it was last told to keep its contactor open.
    """

    def __init__(self, adapter: EmulatedAdapter) -> None:
        self.inner = adapter
        self.does: dict[str, Deed] = {}
        self.cut_off = False

    @property
    def declaration(self) -> Declaration:
        return self.inner.declaration

    async def open(self) -> None:
        await self._call("open", self.inner.open())

    async def offer(self, offer: Offer) -> Applied:
        return cast("Applied", await self._call("offer", self.inner.offer(offer)))

    async def read(self) -> Reading:
        return cast("Reading", await self._call("read", self.inner.read()))

    async def close(self) -> None:
        await self._call("close", self.inner.close())

    async def set_fallback(self, fallback_ma: int) -> int:
        return cast("int", await self._call("set_fallback", self.inner.set_fallback(fallback_ma)))

    async def open_contactor(self) -> None:
        await self._call("open_contactor", self.inner.open_contactor())
        self.cut_off = True

    async def release_contactor(self) -> None:
        await self._call("release_contactor", self.inner.release_contactor())
        self.cut_off = False

    async def _call(self, method: str, call: Call) -> object:
        other = self.does.get(method)
        return await (call if other is None else other(call))


async def hangs(call: Call) -> None:
    call.close()
    await asyncio.Event().wait()


def raises(error: BaseException) -> Deed:
    async def does(call: Call) -> None:
        call.close()
        raise error

    return does


def answers(answer: object) -> Deed:
    async def does(call: Call) -> object:
        call.close()
        return answer

    return does


def with_stranger(*rests: str, limit_ma: int = 32_000, fallback_ma: int = 6_000) -> tuple[Garage, Stranger]:
    """A garage whose first adapter is a stranger's."""
    strangers: list[Stranger] = []

    def wrap(name: str, adapter: Adapter) -> Adapter:
        if name != "a":
            return adapter
        assert isinstance(adapter, EmulatedAdapter)
        strangers.append(Stranger(adapter))
        return strangers[0]

    return Garage(*rests, limit_ma=limit_ma, fallback_ma=fallback_ma, wrap=wrap), strangers[0]


def settled(garage: Garage) -> bool:
    return garage.offers_ma() == [16_000, 16_000]


async def goes_wrong_for_a_while(garage: Garage, stranger: Stranger, method: str, does: Deed) -> None:
    """The others go on meanwhile, and afterwards it does so, too."""
    await garage.until(lambda: settled(garage), 100)
    stranger.does[method] = does
    garage["a"].restart()  # it is not simply left as it was
    await asyncio.sleep(60)
    assert garage.driver.handlers["b"].reached
    assert garage["b"].offered_ma >= 16_000
    stranger.does.clear()
    await garage.until(lambda: settled(garage), 150)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rest", CLASSES)
def test_one_that_hangs_for_ever_is_given_up(rest: str, method: str) -> None:
    garage, stranger = with_stranger(rest, rest)
    garage.play(lambda garage: goes_wrong_for_a_while(garage, stranger, method, hangs))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "error",
    [
        AdapterRejected("no"),
        AdapterTimeout("no answer"),
        AdapterUnavailable("gone"),
        ZeroDivisionError("a mistake"),
        ContractError("a value that cannot be"),
        TimeoutError("of its own"),
        asyncio.CancelledError(),
        ExceptionGroup("several", [OSError("one"), ValueError("two")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_it_raises_stays_with_its_device(method: str, error: BaseException) -> None:
    garage, stranger = with_stranger(*CLASSES)
    garage.play(lambda garage: goes_wrong_for_a_while(garage, stranger, method, raises(error)))


@pytest.mark.parametrize("method", ["offer", "read", "set_fallback"])
@pytest.mark.parametrize("answer", [None, "16 A", 16.5, object()], ids=["nothing", "text", "float", "thing"])
def test_an_answer_of_another_kind_stays_with_its_device(method: str, answer: object) -> None:
    garage, stranger = with_stranger(*CLASSES)
    garage.play(lambda garage: goes_wrong_for_a_while(garage, stranger, method, answers(answer)))


@pytest.mark.parametrize(
    "changes",
    [
        {"at_ms": 10**12},
        {"at_ms": -(10**15)},
        {"offered_ma": 10**9},
        {"drawn_ma": (10**9,)},
        {"drawn_ma": ()},
        {"vehicle": "\ud800"},
        {"vehicle": "x" * 100_000},
        {"vehicle": ""},
        {"fault": "\x1b[2J"},
    ],
    ids=lambda changes: "-".join(f"{name}" for name in changes),
)
def test_a_report_that_no_device_can_have_made_stays_with_its_device(changes: dict[str, Any]) -> None:
    async def does(call: Call) -> Reading:
        reading = cast("Reading", await call)
        return attrs.evolve(reading, **changes)

    garage, stranger = with_stranger(*CLASSES)
    garage.play(lambda garage: goes_wrong_for_a_while(garage, stranger, "read", does))


def test_a_report_from_its_memory_proves_no_order() -> None:
    """It goes on saying what it said once, with the time at which that was so."""
    kept: list[Reading] = []

    async def does(call: Call) -> Reading:
        kept.append(cast("Reading", await call))
        return kept[0]

    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage), 100)
        stranger.does["read"] = does
        await asyncio.sleep(5)
        garage["b"].unplug()
        await asyncio.sleep(40)
        assert garage["a"].offered_ma == 32_000
        garage["b"].plug_in("another")
        await asyncio.sleep(8)
        assert garage["b"].offered_ma == 0, "nothing says that the first has been lowered, but the end of its lease"
        stranger.does.clear()
        await garage.until(lambda: settled(garage), 100)

    garage, stranger = with_stranger(*CLASSES)
    garage.play(story)


@pytest.mark.parametrize("answer", [-1, None, "6"])
def test_one_that_says_an_impossible_fallback_is_not_reached_until_it_says_another(answer: object) -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(60)
        assert not garage.driver.handlers["a"].reached
        assert garage["b"].offered_ma > 0
        stranger.does.clear()
        await garage.until(lambda: settled(garage), 100)

    garage, stranger = with_stranger(*CLASSES[::-1])
    stranger.does["set_fallback"] = answers(answer)
    garage.play(story)


@pytest.mark.parametrize("rest", CLASSES)
@pytest.mark.parametrize("error", [None, AdapterRejected("no"), OSError("no")], ids=["well", "rejected", "failed"])
def test_a_vehicle_that_draws_though_nothing_is_offered_is_cut_off_and_that_is_tried_until_it_is(
    rest: str, error: Exception | None
) -> None:
    """(A2) Its pilot says nothing already, so that no order goes out with which its contactor could be told."""

    async def draws(call: Call) -> Reading:
        reading = cast("Reading", await call)
        return attrs.evolve(reading, drawn_ma=(30_000,), contactor_closed=not stranger.cut_off)

    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage), 100)
        until_ms = garage.clock.now_ms() + 600_000
        garage.driver.limit(Limited(ExternalLimit(limit_ma=0, source="utility", connector="a"), until_ms))
        await garage.until(lambda: garage["a"].offered_ma == 0, 20)
        stranger.does["read"] = draws
        if error is not None:
            stranger.does["open_contactor"] = raises(error)
            await asyncio.sleep(20)
            assert not stranger.cut_off
            del stranger.does["open_contactor"]
        await garage.until(lambda: stranger.cut_off, 8)

    garage, stranger = with_stranger(rest, rest, fallback_ma=0)
    garage.play(story)


def test_one_that_promises_a_higher_fallback_than_it_declared_counts_with_what_it_declared() -> None:
    async def story(garage: Garage) -> None:
        await garage.until(lambda: settled(garage), 100)
        assert garage.driver.handlers["a"].actuator.left_alone_ma == 0

    garage, stranger = with_stranger(*CLASSES)
    stranger.does["set_fallback"] = answers(20_000)
    garage.play(story)


@pytest.mark.parametrize("error", [AdapterTimeout("no"), OSError("no")], ids=lambda error: type(error).__name__)
def test_a_fallback_that_could_not_be_set_is_set_before_the_device_is_told_anything(error: Exception) -> None:
    async def story(garage: Garage) -> None:
        await asyncio.sleep(60)
        assert garage["a"].offered_ma == 16_000, "it has not been told anything, and is counted so"
        assert garage["b"].offered_ma == 24_000
        stranger.does.clear()
        await garage.until(lambda: garage.offers_ma() == [20_000, 20_000], 100)
        assert garage["a"].fallback_ma == 6_000

    garage, stranger = with_stranger("?deadman=watchdog&fallback_a=16", "?", limit_ma=40_000)
    stranger.does["set_fallback"] = raises(error)
    garage.play(story)


def test_one_that_cannot_be_set_lower_is_refused_where_nobody_answers_for_it() -> None:
    garage = Garage("?fallback_a=16&sets_fallback=no", "?")
    with pytest.raises(TopologyError) as caught:
        garage.go(garage.driver.prepare())
    assert "left alone, its device offers up to 16 A" in str(caught.value)


def makes_trouble(garage: Garage, stranger: Stranger, chance: Random) -> None:
    """Something that happens in a garage."""
    device = garage.devices[chance.choice("abcd")]
    deed = chance.randrange(9)
    if deed < 2:
        device.unplug()
    elif deed < 4:
        device.plug_in(f"car {chance.randrange(100)}")
    elif deed < 6:
        device.line_cut = not device.line_cut
    elif deed == 6:
        device.restart()
    elif deed == 7:
        garage.stand_still(chance.choice((0.5, 3, 12, 30)))
    elif stranger.does:
        stranger.does.clear()
    else:
        errors = (AdapterTimeout("no"), OSError("no"), AdapterRejected("no"))
        stranger.does[chance.choice(METHODS)] = chance.choice([hangs, *map(raises, errors)])


@pytest.mark.parametrize("seed", range(2))
def test_all_kinds_of_trouble_at_once_never_bring_the_circuit_above_its_limit(seed: int) -> None:
    """Cars, lines, restarts, a driver that is held up and a stranger's adapter, for a quarter of an hour."""
    chance = Random(seed)

    async def story(garage: Garage) -> None:
        for _ in range(60):
            makes_trouble(garage, stranger, chance)
            await asyncio.sleep(chance.choice((0.1, 1, 5, 15, 30)))
        stranger.does.clear()
        for device in garage.devices.values():
            device.line_cut = False
            device.unplug()
        await asyncio.sleep(200)
        for device in garage.devices.values():
            device.plug_in("at last")
        await garage.until(lambda: garage.offers_ma() == [12_000] * 4, 200)

    mild = "&reaction_s=1"
    # Vehicles lower by 1 A a second, and whoever is not reached, or held up, cuts nobody off: offers are what counts.
    rests = (
        f"?deadman=watchdog&watchdog_s=10{mild}",
        f"?deadman=lease{mild}",
        f"?deadman=watchdog&watchdog_s=30{mild}",
    )
    strangers: list[Stranger] = []

    def wrap(name: str, adapter: Adapter) -> Adapter:
        if name != "a" or not isinstance(adapter, EmulatedAdapter):
            return adapter
        strangers.append(Stranger(adapter))
        return strangers[0]

    garage = Garage(*rests, rests[0], limit_ma=48_000, wrap=wrap, follows=False)
    (stranger,) = strangers
    garage.play(story)
