"""Emulated devices fail on purpose and say so, and what reaches them over real sockets survives each failure."""

import asyncio
from collections.abc import Iterator

import pytest

from powershare.adapter import HostClock
from powershare.errors import AdapterError, AdapterUnavailable, FormatError
from powershare.registry import create_adapter, create_emulator, create_meter
from powershare_http.charger.emulated import emulator, go_e
from powershare_http.charger.emulated_device import EmulatedDevice
from powershare_http.charger.map_file import load_map
from powershare_http.emulated_server import FAILURES
from powershare_http.exchange import Request
from powershare_http.gen3.emulated import emulator as gen3_emulator

from .benches import RealBench, VirtualBench, shipped_bench

KINDS = ("http-go-e", "http-openevse", "gen3-http")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_found_by_its_name_and_its_failures_have_sentences(kind: str) -> None:
    found = create_emulator(kind, {}, units=2)
    assert len(found.outlets) == 2
    assert {"silent", "vanish", "slow", "cut", "error", "html"} <= set(found.failures)
    assert all(len(sentence.split()) >= 3 for sentence in found.failures.values())
    with pytest.raises(ValueError, match="there is no failure 'explode'"):
        found.fail(0, "explode")
    with pytest.raises(ValueError, match="there is no unit 2"):
        found.fail(2, "silent")


@pytest.mark.parametrize(
    ("kind", "options", "parts"),
    [
        ("http", {}, ["map: is missing"]),
        ("http", {"map": "no-such"}, ["is not there"]),
        ("http-go-e", {"port": "70000", "lines": "4"}, ["port: is '70000'", "lines: is '4'"]),
        ("http-go-e", {"port": "65535"}, ["no room for 2"]),
        ("gen3-http", {"supply": "two", "firmware": "1", "colour": "red"}, ["supply: ", "firmware: ", "colour: "]),
    ],
)
def test_a_setting_that_cannot_be_is_refused(kind: str, options: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(FormatError) as caught:
        create_emulator(kind, options, units=2)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert len(caught.value.problems) == len(parts)


@pytest.mark.parametrize(
    "request_",
    [
        Request(path="/api/set", query={"amp": "33"}),
        Request(path="/api/set", query={"amp": "5"}),
        Request(path="/api/set", query={"amp": "10.5"}),
    ],
)
def test_what_no_careful_controller_tells_raises_an_alarm(request_: Request) -> None:
    bench = shipped_bench("go-e")
    assert bench.device.answer(request_, bench.clock.now_ms()).status == 400
    assert len(bench.device.alarms) == 1
    with pytest.raises(AssertionError):
        bench.device_offered_ma()


@pytest.mark.parametrize(
    "request_",
    [
        Request(path="/api/set", query={"amp": "many"}),
        Request(path="/api/set", query={"amp": "10", "frc": "0"}),
        Request(path="/api/status"),
        Request(method="POST", path="/api/set", query={"amp": "10"}),
        Request(path="/"),
    ],
)
def test_what_its_map_does_not_name_it_does_not_know(request_: Request) -> None:
    bench = shipped_bench("go-e")
    assert bench.device.answer(request_, bench.clock.now_ms()).status == 404
    assert bench.device.told == []


def test_a_restart_shows_the_worst_that_such_a_device_can_do(watchdog_bench: VirtualBench) -> None:
    bench = shipped_bench("go-e")
    bench.restart_device()
    assert bench.device_offered_ma() == 32_000
    watchdog_bench.restart_device()
    assert watchdog_bench.device_offered_ma() == 6_000


def test_every_read_of_every_shipped_map_is_answered_with_members_that_no_map_names() -> None:
    for name in ("go-e", "openevse", "evse-wifi", "warp", "nrgkick", "openwb-pro"):
        bench = shipped_bench(name)
        assert isinstance(bench.device, EmulatedDevice)
        for request in load_map(name).reads.values():
            answer = bench.device.answer(request, bench.clock.now_ms())
            assert answer.status == 200
            assert answer.body.startswith(b"[") or b'"more": ["than"' in answer.body


class TestOnRealSockets:
    @pytest.fixture
    def bench(self) -> Iterator[RealBench]:
        bench = RealBench(lambda clock: go_e({}, units=1, clock=clock, changed=lambda *_: None), "&reply_s=0.8")
        yield bench
        bench.end()

    @pytest.mark.parametrize("failure", sorted(FAILURES))
    def test_every_failure_is_an_error_of_adapters_and_over_when_it_is_over(
        self, bench: RealBench, failure: str
    ) -> None:
        async def talk() -> None:
            adapter = bench.new_adapter()
            await adapter.open()
            await adapter.offer(bench.order(10_000))
            await asyncio.get_running_loop().run_in_executor(None, bench.fail, failure)
            with pytest.raises(AdapterError):
                await adapter.read()
            if failure != "html":  # what an order is answered with proves nothing either way: it is read afterwards
                with pytest.raises(AdapterError):
                    await adapter.offer(bench.order(8_000))
            await asyncio.get_running_loop().run_in_executor(None, bench.fail, "none")
            await adapter.offer(bench.order(6_000))
            assert (await adapter.read()).offered_ma == 6_000
            await adapter.close()

        asyncio.run(talk())
        assert bench.device_offered_ma() == 6_000

    def test_a_device_that_ignores_orders_is_found_out_by_reading(self, bench: RealBench) -> None:
        async def talk() -> None:
            adapter = bench.new_adapter()
            await adapter.open()
            await adapter.offer(bench.order(16_000))
            await asyncio.get_running_loop().run_in_executor(None, bench.fail, "ignores")
            await adapter.offer(bench.order(0))
            assert (await adapter.read()).offered_ma == 16_000
            await adapter.close()

        asyncio.run(talk())

    def test_two_of_one_place_cannot_listen_and_the_second_says_so(self) -> None:
        async def talk() -> None:
            clock = HostClock()
            first = emulator({"map": "warp"}, units=1, clock=clock, changed=lambda *_: None)
            await first.start()
            await first.start()
            port = first.addresses[0].rpartition(":")[2]
            second = emulator({"map": "warp", "port": port}, units=1, clock=clock, changed=lambda *_: None)
            with pytest.raises(AdapterUnavailable, match=port):
                await second.start()
            await second.stop()
            await first.stop()
            await first.stop()
            third = emulator({"map": "warp", "port": port}, units=1, clock=clock, changed=lambda *_: None)
            await third.start()
            await third.stop()

        asyncio.run(talk())

    def test_its_addresses_are_what_reaches_it(self) -> None:
        async def talk() -> None:
            clock = HostClock()
            chargers = emulator({"map": "openevse", "lines": "2"}, units=2, clock=clock, changed=lambda *_: None)
            connectors = gen3_emulator({"supply": "split_phase"}, units=1, clock=clock, changed=lambda *_: None)
            await chargers.start()
            await connectors.start()
            for address in chargers.addresses:
                assert address.endswith("?lines=2")
                adapter = create_adapter(address, clock=clock)
                await adapter.open()
                assert (await adapter.read()).state == "A"
                await adapter.close()
            meter = create_meter(connectors.addresses[0], clock=clock)
            await meter.open()
            assert (await meter.read()).load_ma == (0, 0)
            await meter.close()
            await chargers.stop()
            await connectors.stop()

        asyncio.run(talk())
