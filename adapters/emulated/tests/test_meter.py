"""The emulated meter says what its address or its file says, and fails as its settings say."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from powershare.errors import AdapterTimeout, AdapterUnavailable, FormatError
from powershare.registry import create_meter
from powershare.testing import VirtualClock
from powershare_emulated import EmulatedMeter


def run(rest: str, talk: Callable[[EmulatedMeter, VirtualClock], Awaitable[None]]) -> None:
    """Talk to an open meter in virtual time."""
    clock = VirtualClock()

    async def whole() -> None:
        meter = EmulatedMeter(rest, clock=clock)
        await meter.open()
        await talk(meter, clock)
        await meter.close()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(whole())


@pytest.mark.parametrize(
    ("amps", "load_ma"), [("10", (10_000,)), ("10.0001,-3,0", (10_001, -3_000, 0)), ("1,2", (1_000, 2_000))]
)
def test_it_measures_what_its_address_says_rounded_up(amps: str, load_ma: tuple[int, ...]) -> None:
    async def talk(meter: EmulatedMeter, clock: VirtualClock) -> None:
        before_ms = clock.now_ms()
        reading = await meter.read()
        assert (reading.load_ma, before_ms <= reading.at_ms <= clock.now_ms()) == (load_ma, True)

    run(f"?amps={amps}", talk)


def test_it_reads_its_file_again_every_time(tmp_path: Path) -> None:
    path = tmp_path / "amps.csv"

    async def talk(meter: EmulatedMeter, _: VirtualClock) -> None:
        for text, load_ma in (("4", (4_000,)), ("4\n5,6,7\n", (5_000, 6_000, 7_000)), ("[1, 2.5]\n", (1_000, 2_500))):
            path.write_text(text, encoding="utf-8")
            assert (await meter.read()).load_ma == load_ma

    run(f"?file={path}", talk)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"many", "not a number"),
        (b"[", "not a number"),
        (b"1,2,3,4", "amps for one line"),
        (b"nan", "not a finite number"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_a_file_that_is_none_is_a_meter_that_does_not_answer(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "amps.csv"
    if content is not None:
        path.write_bytes(content)

    async def talk(meter: EmulatedMeter, _: VirtualClock) -> None:
        with pytest.raises(AdapterUnavailable, match=words):
            await meter.read()

    run(f"?file={path}", talk)


def test_a_stale_meter_keeps_the_age_of_its_last_reading(tmp_path: Path) -> None:
    path = tmp_path / "amps"
    path.write_text("4", encoding="utf-8")

    async def talk(meter: EmulatedMeter, _: VirtualClock) -> None:
        await asyncio.sleep(5)
        fresh = await meter.read()
        path.write_text("40", encoding="utf-8")
        await asyncio.sleep(10)
        assert await meter.read() == fresh

    run(f"?file={path}&stale_after_s=10", talk)


def test_it_falls_silent_and_comes_back() -> None:
    async def talk(meter: EmulatedMeter, _: VirtualClock) -> None:
        await asyncio.sleep(10)
        with pytest.raises(AdapterTimeout):
            await meter.read()
        with pytest.raises(AdapterUnavailable):
            await meter.open()
        await asyncio.sleep(20)
        assert (await meter.read()).load_ma == (3_000,)
        meter.line_cut = True
        with pytest.raises(AdapterTimeout):
            await meter.read()

    run("?amps=3&silent_after_s=10&silent_for_s=20", talk)


def test_a_meter_that_is_not_open_refuses() -> None:
    async def talk(meter: EmulatedMeter, _: VirtualClock) -> None:
        await meter.close()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await meter.read()

    run("?amps=3", talk)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "needs either amps or file"),
        ("?amps=1&file=x", "needs either amps or file"),
        ("?amps=1,2,3,4", "amps: is '1,2,3,4'; write amps for one line"),
        ("?amps=lots", "amps: .*not a number"),
        ("?file=", "file: is ''; write something that can be read"),
        ("?amp=1", "amp: is no setting; did you mean amps"),
    ],
)
def test_a_bad_address_is_refused(rest: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        EmulatedMeter(rest, clock=VirtualClock())
    assert all(problem.where == f'meter "emulated:{rest}"' for problem in caught.value.problems)


def test_it_is_found_by_name() -> None:
    assert isinstance(create_meter("emulated:?amps=1"), EmulatedMeter)
