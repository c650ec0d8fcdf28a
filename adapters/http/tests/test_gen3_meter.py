"""A Wall Connector as a meter: never less than it may draw, with its own age, and in no hurry."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from powershare.errors import AdapterError, AdapterUnavailable, FormatError
from powershare.metering import SupportsEvidence
from powershare.registry import create_adapter, create_meter
from powershare.simulation.outlet import Outlet
from powershare.testing import VirtualClock
from powershare.testing.watched import WorldWatch
from powershare_http.bodies import BodyError
from powershare_http.exchange import Answer, Request
from powershare_http.gen3.bodies import vitals_of
from powershare_http.gen3.emulated import EmulatedWallConnector
from powershare_http.gen3.meter import Gen3Meter, load_ma_of
from powershare_http.gen3.settings import settings_of

from .benches import ENERGY_WH, VEHICLE

THREE, SPLIT, SINGLE = "supply=three_phase", "supply=split_phase", "supply=single_phase"


def load(query: str, vehicle: str, a: str, b: str, c: str) -> tuple[int, ...]:
    body = (
        f'{{"evse_state": 11, "vehicle_current_a": {vehicle}, "currentA_a": {a}, "currentB_a": {b}, "currentC_a": {c}}}'
    )
    return load_ma_of(vitals_of(body.encode()), settings_of(f"//192.0.2.30?{query}"))


@pytest.mark.parametrize(
    ("query", "figures", "expected_ma"),
    [
        # evcc-io/evcc PR 5341: three phases, each with its own figure.
        (THREE, ("6.1", "6.1", "6.1", "6.1"), (6_100, 6_100, 6_100)),
        (THREE, ("16.0", "15.9", "15.8", "16.0"), (15_900, 15_800, 16_000)),
        (THREE + "&lines=L2,L3,L1", ("16.0", "15.9", "15.8", "16.0"), (16_000, 15_900, 15_800)),
        # A vehicle on one phase: the other lines draw nothing.
        (THREE, ("16.0", "16.0", "0.0", "0.1"), (16_000, 0, 100)),
        # What it takes is on no line: it may be on each.
        (THREE, ("16.0", "5.0", "5.0", "5.0"), (16_000, 16_000, 16_000)),
        (THREE, ("16.0", "15.9", "nan", "0.0"), (15_900, 16_000, 0)),
        (THREE, ("nan", "15.9", "15.8", "16.0"), (15_900, 15_800, 16_000)),
        # evcc-io/evcc issue 7599, and a recording with all of it on B: one current, on both lines.
        (SPLIT, ("30.8", "11.4", "13.1", "12.7"), (30_800, 30_800)),
        (SPLIT, ("47.0", "0.0", "47.0", "0.0"), (47_000, 47_000)),
        (SPLIT, ("30.8", "nan", "nan", "nan"), (30_800, 30_800)),
        (SINGLE, ("15.2", "15.3", "0", "0"), (15_300,)),
        # One line of three, as its owner says.
        (THREE + "&lines=L2", ("15.2", "15.1", "0", "0"), (0, 15_200, 0)),
        (THREE + "&lines=L3,L1", ("15.2", "15.1", "15.0", "0"), (15_200, 0, 15_200)),
        # Unplugged, its meters tremble: that counts as what it says.
        (THREE, ("0.5", "0.4", "0.35", "0.3"), (400, 350, 300)),
    ],
)
def test_each_line_counts_with_no_less_than_it_may_draw(
    query: str, figures: tuple[str, str, str, str], expected_ma: tuple[int, ...]
) -> None:
    assert load(query, *figures) == expected_ma


@pytest.mark.parametrize(
    ("query", "figures"),
    [
        (SPLIT, ("nan", "11.4", "13.1", "12.7")),
        (SINGLE, ("nan", "11.4", "0", "0")),
        (THREE, ("nan", "nan", "15.8", "16.0")),
        (THREE, ("nan", "nan", "nan", "nan")),
    ],
)
def test_what_does_not_bound_its_draw_is_no_reading(query: str, figures: tuple[str, str, str, str]) -> None:
    with pytest.raises(BodyError, match="vehicle_current_a"):
        load(query, *figures)


class Near:
    """A Wall Connector in virtual time, without a socket."""

    def __init__(self, query: str = THREE) -> None:
        self.clock = VirtualClock()
        outlet = Outlet(self.clock.now_ms(), lines={THREE: 3, SPLIT: 2, SINGLE: 1}[query])
        self.connector = EmulatedWallConnector(outlet, 32_000, newer=True, now_ms=self.clock.now_ms())
        self.asked: list[tuple[int, str]] = []
        self.answer_ms = 50
        self.fails: AdapterError | None = None
        self.meter = Gen3Meter(f"//192.0.2.30?{query}", clock=self.clock, fetch=lambda: self)

    async def fetch(self, request: Request) -> Answer:
        self.asked.append((self.clock.now_ms(), request.path))
        await asyncio.sleep(self.answer_ms / 1_000)
        if self.fails is not None:
            raise self.fails
        return self.connector.answer(request, self.clock.now_ms())

    async def close(self) -> None:
        await asyncio.sleep(0)

    def plug_in(self) -> None:
        self.connector.outlet.plug_in(VEHICLE, ENERGY_WH, self.clock.now_ms())

    def run(self, talk: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(talk())


def test_it_is_asked_every_two_seconds_with_a_vehicle_and_every_five_without() -> None:
    near = Near()

    async def talk() -> None:
        await near.meter.open()
        while near.clock.now_ms() < 1_030_000:
            if near.clock.now_ms() >= 1_015_000 and not near.connector.outlet.plugged:
                near.plug_in()
            await near.meter.read()
            await asyncio.sleep(0.1)
        instants = [at_ms - 1_000_000 for at_ms, _ in near.asked]
        assert all(5_000 <= after - before < 5_200 for before, after in itertools.pairwise(instants[:4]))
        assert all(2_000 <= after - before < 2_200 for before, after in itertools.pairwise(instants[4:]))
        assert len(instants) == 11
        await near.meter.close()

    near.run(talk)


def test_a_reading_is_as_old_as_its_question() -> None:
    """A slow answer is of when it was asked for, as far as anybody knows."""
    near = Near()
    near.answer_ms = 4_000

    async def talk() -> None:
        near.plug_in()
        await near.meter.open()
        await asyncio.sleep(10)
        asked_ms = near.clock.now_ms()
        reading = await near.meter.read()
        assert near.clock.now_ms() - asked_ms == 4_000
        assert reading.at_ms == asked_ms
        assert reading.load_ma == (32_000, 32_000, 32_000)

    near.run(talk)


def test_what_repeats_its_last_answer_does_not_keep_it_fresh() -> None:
    near = Near()

    async def talk() -> None:
        await near.meter.open()
        await asyncio.sleep(6)
        before = await near.meter.read()
        near.connector.failing = "frozen"
        for _ in range(4):
            await asyncio.sleep(6)
            frozen = await near.meter.read()
            assert frozen.at_ms == before.at_ms
        near.connector.failing = "none"
        await asyncio.sleep(6)
        assert (await near.meter.read()).at_ms > before.at_ms + 24_000

    near.run(talk)


def test_one_that_does_not_answer_is_asked_less_and_less() -> None:
    """Home Assistant's library ran out of file descriptors over its own retries."""
    near = Near()
    near.fails = AdapterUnavailable("nobody is there")

    async def talk() -> None:
        for _ in range(240):
            with pytest.raises(AdapterUnavailable):
                await near.meter.open()
            await near.meter.close()
            await asyncio.sleep(0.5)
        instants = [at_ms for at_ms, _ in near.asked]
        gaps = [after - before for before, after in itertools.pairwise(instants)]
        assert gaps[:2] == [550, 550]
        assert gaps == sorted(gaps)
        assert 30_000 <= gaps[-1] <= 31_000
        near.fails = None
        await asyncio.sleep(30)
        await near.meter.open()
        assert (await near.meter.read()).load_ma == (0, 0, 0)

    near.run(talk)


def test_nobody_there_may_be_a_follower_and_the_error_says_so() -> None:
    near = Near()
    near.fails = AdapterUnavailable("192.0.2.30:80: nobody is there")

    async def talk() -> None:
        with pytest.raises(AdapterUnavailable, match="follows another one in a group is on its leader's own network"):
            await near.meter.open()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await near.meter.read()

    near.run(talk)


def test_it_says_what_a_person_who_looks_for_a_fault_wants_to_know() -> None:
    near = Near()
    assert isinstance(near.meter, SupportsEvidence)

    async def talk() -> None:
        near.plug_in()
        await near.meter.open()
        said = await near.meter.evidence()
        assert said["firmware"].startswith("25.34.1")
        assert said["Wi-Fi network"] == "emulated"
        assert said["thermal foldbacks"] == "0"
        assert said["contactor cycles under load"] == "3"
        assert said["alerts now"] == "none"
        assert said["vehicle"] == "plugged in"
        assert said["limit"] == "cannot be set over HTTP"

    near.run(talk)


def test_evidence_that_fails_is_said_in_its_place() -> None:
    near = Near()

    async def talk() -> None:
        await near.meter.open()
        near.fails = AdapterUnavailable("it broke off")
        said = await near.meter.evidence()
        assert said["version"] == said["wifi_status"] == said["lifetime"] == "it broke off"
        assert said["alerts now"] == "none"

    near.run(talk)


def test_naming_it_as_an_adapter_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(FormatError) as caught:
        create_adapter("http+gen3://192.0.2.30?supply=three_phase")
    (problem,) = caught.value.problems
    assert "takes no limit" in problem.message
    assert "[[meter]]" in problem.message
    assert "serial+gen3:" in problem.message


def test_building_one_touches_nothing() -> None:
    create_meter("http+gen3://192.0.2.30?supply=three_phase")
    with WorldWatch() as world:
        create_meter("http+gen3://192.0.2.30?supply=three_phase")
    assert world.seen == []


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("gen3", ["does not name a meter"]),
        ("warp://192.0.2.30", ["does not name a meter"]),
        ("gen3:", ["names no host", "supply: is missing"]),
        ("gen3://192.0.2.30", ["supply: is missing; write the supply of the site"]),
        ("gen3://192.0.2.30?supply=two_phase&lines=L1,L1&reply_s=9", ["supply: is", "lines: is", "reply_s: is"]),
        ("gen3://192.0.2.30?supply=split_phase&lines=L3", ["lines: has a line that a split_phase supply has not"]),
        ("gen3://192.0.2.30?suply=three_phase", ["suply: is no setting; did you mean supply?", "supply: is missing"]),
    ],
)
def test_a_bad_address_is_refused_with_every_problem_at_once(rest: str, parts: list[str]) -> None:
    with pytest.raises(FormatError) as caught:
        create_meter(f"http+{rest}")
    words = str(caught.value)
    assert all(part in words for part in parts), words
    assert len(caught.value.problems) == len(parts)


@pytest.mark.parametrize("after_ms", [0, 10, 40, 60])
def test_closing_may_come_at_any_moment_and_then_it_is_closed(after_ms: int) -> None:
    near = Near()

    async def talk() -> None:
        opening = asyncio.ensure_future(near.meter.open())
        await asyncio.sleep(after_ms / 1_000)
        await near.meter.close()
        with contextlib.suppress(AdapterUnavailable):
            await opening
        with pytest.raises(AdapterUnavailable, match="not open"):
            await near.meter.read()
        await near.meter.open()
        await near.meter.open()
        assert (await near.meter.read()).load_ma == (0, 0, 0)
        await near.meter.close()
        await near.meter.close()

    near.run(talk)


@pytest.mark.parametrize("after_ms", [0, 10, 40])
def test_a_cancelled_reading_leaves_it_usable(after_ms: int) -> None:
    near = Near()

    async def talk() -> None:
        await near.meter.open()
        await asyncio.sleep(6)
        reading = asyncio.ensure_future(near.meter.read())
        await asyncio.sleep(after_ms / 1_000)
        assert reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await near.meter.read()).at_ms >= near.clock.now_ms() - 100
        await near.meter.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    near.run(talk)


def test_a_split_phase_one_is_read_by_what_its_vehicle_takes() -> None:
    near = Near(SPLIT)

    async def talk() -> None:
        near.plug_in()
        await near.meter.open()
        await asyncio.sleep(10)
        assert (await near.meter.read()).load_ma == (32_000, 32_000)
        said = json.loads(near.connector.answer(Request(path="/api/1/vitals"), near.clock.now_ms()).body)
        assert said["currentA_a"] + said["currentB_a"] < 26, "the quirk that adding up the lines falls for"

    near.run(talk)
