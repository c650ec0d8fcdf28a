"""Every shipped map is an adapter, and so is one with a watchdog: the suite in virtual time, a selection on sockets.

Bodies are fed to the parser, hostile ones too, in test_bodies.py: there is one to a connection, and no stream of them.
"""

from collections.abc import Callable, Iterator

import pytest

from powershare.testing import AdapterConformance
from powershare_http.charger.emulated import emulator
from powershare_http.charger.map_file import shipped

from .benches import RealBench, VirtualBench, shipped_bench


@pytest.mark.parametrize("name", shipped())
class TestShippedMaps(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self, name: str) -> VirtualBench:
        return shipped_bench(name)


class TestAMapWithAWatchdog(AdapterConformance):
    reopenings = 50

    @pytest.fixture
    def bench(self, watchdog_bench: VirtualBench) -> VirtualBench:
        return watchdog_bench


QUICK = [
    AdapterConformance.test_a_raise_reaches_the_device_and_is_reported,
    AdapterConformance.test_zero_pauses,
    AdapterConformance.test_opening_does_not_raise_the_offer,
    AdapterConformance.test_construction_does_no_io,
]
MORE = [
    AdapterConformance.test_reopening_leaks_nothing,
    AdapterConformance.test_a_device_that_comes_back_is_reached_again_without_a_raise,
    AdapterConformance.test_a_device_that_restarted_offers_no_more_than_its_fallback,
    AdapterConformance.test_a_silent_device_is_an_error_in_time,
    AdapterConformance.test_open_and_close_may_be_repeated,
]
CANCELLED: Callable[..., None] = AdapterConformance.test_a_cancelled_call_leaves_nothing_behind
CLOSED: Callable[..., None] = AdapterConformance.test_closing_may_come_at_any_moment
CASES = [
    *(("go-e", rule) for rule in (*QUICK, *MORE)),
    *(("openevse", rule) for rule in QUICK),
    *((name, QUICK[0]) for name in ("warp", "openwb-pro", "evse-wifi", "nrgkick")),
]


class TestOnRealSockets:
    """A selection of the suite in real time; virtual time has the rest."""

    longest_wait_ms = 60_000
    reopenings = 20

    @pytest.fixture
    def bench(self, name: str) -> Iterator[RealBench]:
        bench = RealBench(
            lambda clock: emulator({"map": name}, units=1, clock=clock, changed=lambda *_: None), "&reply_s=0.8"
        )
        yield bench
        bench.end()

    @pytest.mark.parametrize(
        ("name", "rule"), CASES, ids=[f"{name}-{rule.__name__.removeprefix('test_')}" for name, rule in CASES]
    )
    def test_it_keeps_the_rule(self, bench: RealBench, rule: Callable[..., None]) -> None:
        assert bench.device_offered_ma() <= bench.new_adapter().declaration.fallback_ma
        rule(self, bench)

    @pytest.mark.parametrize("name", ["go-e"])
    @pytest.mark.parametrize("after_ms", [0, 5])
    @pytest.mark.parametrize("what", ["open", "offer", "read", "close"])
    def test_a_cancelled_call_leaves_nothing_behind(self, bench: RealBench, what: str, after_ms: int) -> None:
        assert bench.device_offered_ma() <= bench.new_adapter().declaration.fallback_ma
        CANCELLED(self, bench, what, after_ms)

    @pytest.mark.parametrize("name", ["go-e"])
    @pytest.mark.parametrize("after_ms", [0, 5])
    @pytest.mark.parametrize("what", ["open", "offer", "read"])
    def test_closing_may_come_at_any_moment(self, bench: RealBench, what: str, after_ms: int) -> None:
        assert bench.device_offered_ma() <= bench.new_adapter().declaration.fallback_ma
        CLOSED(self, bench, what, after_ms)
