"""The quality scale of this distribution is complete, and what it excuses is what is so."""

import tomllib
from pathlib import Path

from powershare.testing import quality_scale_problems
from powershare.testing.quality_scale import RULES

SCALE = Path(__file__).parents[1] / "quality_scale.toml"


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(SCALE) == ()


def test_only_what_needs_a_device_is_excused() -> None:
    rules = tomllib.loads(SCALE.read_text(encoding="utf-8"))["rules"]
    assert {name for name in RULES if rules[name] != "done"} == {"conformance-suite", "devices-tested"}
