"""The quality scale of this distribution is complete, and what it excuses is what is so."""

import re
import tomllib
from pathlib import Path

from powershare.testing import quality_scale_problems
from powershare.testing.quality_scale import RULES

PROJECT = Path(__file__).parents[1]
SCALE = PROJECT / "quality_scale.toml"
SUITES = ("test_twc_conformance.py", "test_modbus_conformance.py", "test_rapi_conformance.py")


def test_quality_scale_is_complete() -> None:
    assert quality_scale_problems(SCALE) == ()


def test_only_the_suite_of_gen3_and_real_devices_are_excused() -> None:
    rules = tomllib.loads(SCALE.read_text(encoding="utf-8"))["rules"]
    assert {name for name in RULES if rules[name] != "done"} == {"conformance-suite", "devices-tested"}


def test_the_other_three_inherit_the_whole_suite_and_leave_nothing_out() -> None:
    for name in SUITES:
        text = (PROJECT / "tests" / name).read_text(encoding="utf-8")
        assert "(AdapterConformance):" in text, name
        assert not re.findall(r"^ +test_\w+ = None", text, re.MULTILINE), f"{name} takes a rule away"
