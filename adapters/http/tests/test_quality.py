"""The quality scale of this distribution is complete, and what it excuses is what is so."""

import re
import tomllib
from pathlib import Path

from powershare.testing import quality_scale_problems
from powershare.testing.quality_scale import RULES

PROJECT = Path(__file__).parents[1]
SCALE = PROJECT / "quality_scale.toml"


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(SCALE) == ()


def test_only_real_devices_are_excused() -> None:
    rules = tomllib.loads(SCALE.read_text(encoding="utf-8"))["rules"]
    assert {name for name in RULES if rules[name] != "done"} == {"devices-tested"}


def test_the_suite_is_whole() -> None:
    text = (PROJECT / "tests" / "test_conformance.py").read_text(encoding="utf-8")
    assert text.count("(AdapterConformance):") == 2
    assert not re.findall(r"^ +test_\w+ = None", text, re.MULTILINE)
