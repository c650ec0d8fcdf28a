"""The box adapter is an adapter: the suite against an emulated box, and a few words over a real socket."""

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path

import pytest

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterUnavailable, FormatError
from powershare.testing import AdapterConformance, VirtualClock, quality_scale_problems
from powershare_template import BoxAdapter
from powershare_template.emulated import BoxLine, EmulatedBox, serve
from powershare_template.frames import Lines


class BoxBench:
    """An emulated box in virtual time, whose line can be cut and whose power can fail."""

    frames = (b"ST 16 C 15.7\n", b"ST 0 B 0\n", b"FS 6\n", b"NO 0 or 6 to 32\n")

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.box = EmulatedBox(self.clock)

    def new_adapter(self) -> BoxAdapter:
        return BoxAdapter("box:7070", clock=self.clock, connect=functools.partial(BoxLine.connect, self.box))

    def device_offered_ma(self) -> int:
        return self.box.offered_ma

    def silence(self, silent: bool) -> None:
        self.box.silent = silent

    def restart_device(self) -> None:
        self.box.restart()

    def fallback_writes(self) -> int:
        return self.box.failsafe_writes

    def parse(self, chunks: Sequence[bytes]) -> Sequence[object]:
        lines = Lines()
        return [answer for chunk in chunks for answer in lines.feed(chunk)]


class TestBox(AdapterConformance):
    @pytest.fixture
    def bench(self) -> BoxBench:
        return BoxBench()


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(Path(__file__).parents[1] / "quality_scale.toml") == ()


@pytest.mark.parametrize(
    "rest", ["", "host", "host:", ":7070", "host:0", "host:99999", "host:http", "host:" + "9" * 5_000]
)
def test_a_bad_address_is_refused(rest: str) -> None:
    with pytest.raises(FormatError, match="; write template:HOST:PORT"):
        BoxAdapter(rest, clock=HostClock())


def test_it_speaks_over_a_real_socket() -> None:
    async def talk() -> None:
        clock = HostClock()
        server = await serve(EmulatedBox(clock), "127.0.0.1", 0)
        adapter = BoxAdapter(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", clock=clock)
        await adapter.open()
        applied = await adapter.offer(Offer(offered_ma=16_900, valid_until_ms=clock.now_ms() + 5_000, then_ma=0))
        assert applied.offered_ma == 16_000
        assert (await adapter.read()).drawn_ma == (16_000,)
        server.close()
        await adapter.close()
        with pytest.raises(AdapterUnavailable, match="no connection"):
            await adapter.open()

    asyncio.run(talk())


def test_a_host_that_no_name_server_takes_is_not_there() -> None:
    with pytest.raises(AdapterUnavailable, match=r"no connection to a\.\.b:80"):
        asyncio.run(BoxAdapter("a..b:80", clock=HostClock()).open())


def test_closing_while_it_opens_leaves_it_closed() -> None:
    box, dialled = EmulatedBox(HostClock()), asyncio.Event()
    closed: list[BoxLine] = []

    class SlowLine(BoxLine):
        async def close(self) -> None:
            closed.append(self)

    async def connect() -> BoxLine:
        dialled.set()
        await asyncio.sleep(0.01)
        return SlowLine(box)

    async def talk() -> None:
        adapter = BoxAdapter("box:7070", clock=HostClock(), connect=connect)
        opening = asyncio.create_task(adapter.open())
        await dialled.wait()
        await adapter.close()
        with pytest.raises(AdapterUnavailable, match="closed while it opened"):
            await opening
        with pytest.raises(AdapterUnavailable, match="not open"):
            await adapter.read()
        assert len(closed) == 1
        await adapter.open()
        assert (await adapter.read()).offered_ma == 6_000

    asyncio.run(talk())


@pytest.mark.parametrize("answer", [b"FS 6\n", b""])
def test_an_answer_to_another_question_is_none(answer: bytes) -> None:
    class OddBox(EmulatedBox):
        def answer(self, line: bytes) -> bytes:
            return answer

    async def talk() -> None:
        adapter = BoxAdapter("box:7070", clock=HostClock(), connect=lambda: BoxLine.connect(OddBox(HostClock())))
        await adapter.open()
        for words in ("the box answered Failsafe|the box closed the connection", "the adapter is not open"):
            with pytest.raises(AdapterUnavailable, match=words):
                await adapter.read()

    asyncio.run(talk())
