"""One meter in virtual time: what it measured keeps its age, silence is said once, and never counts as nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from powershare.driver.meters import MeterHandler
from powershare.errors import AdapterTimeout, AdapterUnavailable, InternalError
from powershare.metering import MeterReading
from powershare.node import OtherLoad
from powershare.site import Meter
from powershare.testing import VirtualClock

METER = Meter(circuit="feeder", adapter="a test's own", stale_after_ms=10_000)


@attrs.define
class Line:
    """A meter that does what the test says."""

    clock: VirtualClock
    answer: Callable[["Line"], Awaitable[MeterReading]]
    opened: int = 0
    closed: int = 0
    cannot_close: bool = False

    async def open(self) -> None:
        self.opened += 1

    async def read(self) -> MeterReading:
        return await self.answer(self)

    async def close(self) -> None:
        self.closed += 1
        if self.cannot_close:
            raise RuntimeError("it will not close")

    def reads(self, *load_ma: int, age_ms: int = 0) -> MeterReading:
        return MeterReading(at_ms=self.clock.now_ms() - age_ms, load_ma=load_ma)


class Bench:
    """A handler of a scripted meter, and what it told."""

    def __init__(self, answer: Callable[[Line], Awaitable[MeterReading]], *, lines: int = 1) -> None:
        self.clock = VirtualClock()
        self.line = Line(self.clock, answer)
        self.measured: list[OtherLoad] = []
        self.said: list[str] = []
        self.handler = MeterHandler(
            METER,
            self.line,
            lines,
            self.clock,
            measured=self.measured.append,
            said=lambda about, words: self.said.append(f"{about}: {words}"),
        )

    def run(self, seconds: float) -> None:
        async def whole() -> None:
            task = asyncio.ensure_future(self.handler.run())
            done, _ = await asyncio.wait([task], timeout=seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for one in done:
                one.result()

        with asyncio.Runner(loop_factory=self.clock.new_event_loop) as runner:
            runner.run(whole())


def test_what_it_measures_is_told_with_the_time_at_which_it_was() -> None:
    async def answer(line: Line) -> MeterReading:
        return line.reads(9_000, age_ms=400)

    bench = Bench(answer)
    bench.run(3.5)
    assert len(bench.measured) == 4
    assert {one.load_ma for one in bench.measured} == {(9_000,)}
    assert bench.measured[0].at_ms == 1_000_000 - 400
    assert not bench.said


def test_silence_is_said_once_and_nothing_is_told_for_it() -> None:
    async def answer(line: Line) -> MeterReading:
        if line.clock.now_ms() > 1_005_000:
            raise AdapterTimeout("no answer")
        return line.reads(9_000)

    bench = Bench(answer)
    bench.run(300)
    assert bench.measured[-1].at_ms <= 1_005_000
    assert bench.said == [
        "feeder: its meter: no answer",
        "feeder: its meter is silent: other loads count with their worst case",
    ]
    assert not bench.handler.is_fresh(bench.clock.now_ms())


def test_a_meter_that_never_answers_is_said_to_be_silent() -> None:
    async def answer(line: Line) -> MeterReading:
        raise AdapterUnavailable("nobody there")

    bench = Bench(answer)
    bench.run(60)
    assert len(bench.said) == 2
    assert not bench.measured


def test_one_that_repeats_what_it_said_before_does_not_keep_it_alive() -> None:
    async def answer(line: Line) -> MeterReading:
        return MeterReading(at_ms=1_000_000, load_ma=(9_000,))

    bench = Bench(answer)
    bench.run(60)
    assert len(bench.measured) == 1
    assert bench.said == ["feeder: its meter is silent: other loads count with their worst case"]


def test_one_that_comes_back_counts_again_and_its_next_silence_is_said_again() -> None:
    async def answer(line: Line) -> MeterReading:
        if 1_005_000 < line.clock.now_ms() < 1_060_000 or line.clock.now_ms() > 1_100_000:
            raise AdapterTimeout("no answer")
        return line.reads(9_000)

    bench = Bench(answer)
    bench.run(200)
    assert bench.said == [
        "feeder: its meter: no answer",
        "feeder: its meter is silent: other loads count with their worst case",
        "feeder: its meter answers again",
        "feeder: its meter: no answer",
        "feeder: its meter is silent: other loads count with their worst case",
    ]
    assert bench.line.opened > 2, "it is dialled anew"


@pytest.mark.parametrize(
    ("load_ma", "age_ms", "words"),
    [((9_000, 9_000), 0, "measures 2 lines, and the supply has 1"), ((9_000,), -5_000, "5000 ms from now")],
)
def test_what_cannot_be_is_not_passed_on(load_ma: tuple[int, ...], age_ms: int, words: str) -> None:
    async def answer(line: Line) -> MeterReading:
        return line.reads(*load_ma, age_ms=age_ms)

    bench = Bench(answer)
    bench.run(30)
    assert not bench.measured
    assert words in bench.said[0]


@pytest.mark.parametrize("error", [ZeroDivisionError("by a stranger"), asyncio.CancelledError(), OSError("gone")])
def test_whatever_a_strangers_meter_raises_it_is_a_meter_that_is_silent(error: BaseException) -> None:
    async def answer(line: Line) -> MeterReading:
        if line.clock.now_ms() < 1_030_000:
            raise error
        return line.reads(9_000)

    bench = Bench(answer)
    bench.run(60)
    assert bench.measured
    assert bench.said[-1] == "feeder: its meter answers again"


def test_one_that_never_ends_is_given_up_and_dialled_anew() -> None:
    async def answer(line: Line) -> MeterReading:
        await asyncio.Event().wait()
        raise AssertionError

    bench = Bench(answer)
    bench.run(60)
    assert bench.line.opened > 3
    assert "did not end" in bench.said[0]


def test_one_that_cannot_be_closed_is_said_so_once() -> None:
    async def answer(line: Line) -> MeterReading:
        raise AdapterTimeout("no answer")

    bench = Bench(answer)
    bench.line.cannot_close = True
    bench.run(60)
    assert len([words for words in bench.said if "could not be closed" in words]) == 1


def test_a_mistake_of_this_library_is_not_laid_at_the_meters_door() -> None:
    """Rule 3 of the driver: it ends, and leaves every device at its fallback."""

    async def answer(line: Line) -> MeterReading:
        return line.reads(9_000)

    def measured(_reading: OtherLoad) -> None:
        raise InternalError("an invariant failed")

    bench = Bench(answer)
    bench.handler._measured = measured
    with pytest.raises(InternalError):
        bench.run(10)
