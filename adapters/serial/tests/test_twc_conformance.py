"""Emulated Wall Connectors of both generations, on clean and on bad wires, pass the suite in virtual time."""

from collections.abc import Mapping

import pytest

from powershare.registry import create_adapter
from powershare.testing import AdapterConformance
from powershare_serial.twc.adapter import TwcAdapter

from .twc_bench import TwcBench


@pytest.mark.parametrize(
    ("options", "units", "settings"),
    [
        ({}, 1, ""),
        ({"protocol": "1", "echo": "yes"}, 1, "&greatest_a=16&step_a=0.5&protocol=1"),
        ({"noise": "yes", "echo": "yes", "lines": "3", "seed": "7"}, 3, "&lines=3&meter=yes&spike_a=21"),
    ],
    ids=["one unit", "protocol 1", "three units on a bad wire"],
)
class TestTwc(AdapterConformance):
    @pytest.fixture
    def bench(self, options: Mapping[str, str], units: int, settings: str) -> TwcBench:
        return TwcBench(options, units=units, settings=settings)


def test_it_is_found_by_name() -> None:
    adapter = create_adapter("serial+twc:///dev/ttyUSB0?id=7abc&greatest_a=16")
    assert isinstance(adapter, TwcAdapter)
    assert adapter.declaration.greatest_offer_ma == 16_000
