"""The emulated device in every class of dead man's switch passes the suite."""

from pathlib import Path

import pytest

from powershare.registry import create_adapter, installed
from powershare.testing import AdapterConformance, VirtualClock, quality_scale_problems
from powershare_emulated import EmulatedAdapter, EmulatedDevice, settings_of


class EmulatedBench:
    """An emulated device in virtual time."""

    def __init__(self, rest: str) -> None:
        self.clock = VirtualClock()
        self.device = EmulatedDevice(settings_of(rest), self.clock)

    def new_adapter(self) -> EmulatedAdapter:
        return EmulatedAdapter(clock=self.clock, device=self.device)

    def device_offered_ma(self) -> int:
        return self.device.offered_ma

    def silence(self, silent: bool) -> None:
        self.device.line_cut = silent

    def restart_device(self) -> None:
        self.device.restart()

    def fallback_writes(self) -> int:
        return self.device.fallback_writes

    def plug_in(self, vehicle: str) -> None:
        self.device.plug_in(vehicle)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "?deadman=watchdog",
        "?deadman=watchdog&fallback_a=8&watchdog_s=30&lines=3",
        "?deadman=none&step_a=0.1",
        "?can_pause=no&step_a=2&greatest_a=48&least_a=8&fallback_a=8&lines=2",
    ],
)
class TestEmulated(AdapterConformance):
    @pytest.fixture
    def bench(self, rest: str) -> EmulatedBench:
        return EmulatedBench(rest)


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(Path(__file__).parents[1] / "quality_scale.toml") == ()


def test_it_is_found_by_name() -> None:
    assert "emulated" in installed()
    assert isinstance(create_adapter("emulated"), EmulatedAdapter)
    adapter = create_adapter("emulated:?greatest_a=16")
    assert adapter.declaration.greatest_offer_ma == 16_000
