"""The committed JSON schemas are what the tables say, and what we write is valid by them."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tests.datadriven.bad_inputs import base

from powershare import Allocator
from powershare.files import (
    TraceHeader,
    allocation_to_json,
    demands_from_data,
    demands_to_data,
    load_demands,
    load_site,
    simulation_to_json,
    site_to_data,
)
from powershare.files.schema import NAMES, committed, rendered
from powershare.files.trace_file import event_to_data, header_to_data
from powershare.simulation.report import LinePeak, SimulationReport
from powershare.trace import CircuitEvent, ConnectorEvent
from powershare.units import Line

EXAMPLES = Path(__file__).parents[2] / "examples"
SITES = sorted(EXAMPLES.glob("*.toml"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(committed(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_schema_is_current_and_a_schema(name: str) -> None:
    assert committed(name) == rendered(name), "run python -m powershare.files.schema"
    Draft202012Validator.check_schema(json.loads(committed(name)))


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_every_example_site_is_valid_as_it_stands_and_as_we_write_it(path: Path) -> None:
    validator("site").validate(tomllib.loads(path.read_text(encoding="utf-8")))
    validator("site").validate(site_to_data(load_site(path)))


def test_demands_are_valid_as_they_stand_and_as_we_write_them() -> None:
    path = EXAMPLES / "split-phase-demands.json"
    validator("demands").validate(json.loads(path.read_text(encoding="utf-8")))
    validator("demands").validate(demands_to_data(load_demands(path)))
    validator("demands").validate(json.loads(base("demands")))


def test_an_allocation_is_valid() -> None:
    site = load_site(EXAMPLES / "garage.toml")
    allocator = Allocator(site)
    for asked in ([], [{"connector": "north"}, {"connector": "south"}, {"connector": "east", "lines_used": 1}]):
        answer = allocator.allocate(demands_from_data({"demands": asked}, schema_required=False))
        validator("allocation").validate(json.loads(json.dumps(allocation_to_json(answer))))


def test_a_simulation_report_is_valid_and_says_what_it_was_given() -> None:
    report = SimulationReport(
        sessions=2,
        sessions_met=1,
        energy_asked_kwh=20.5,
        energy_delivered_kwh=18.25,
        simulated_s=3600.0,
        limits_broken=0,
        peaks=(LinePeak(circuit=None, line=Line.L2, limit_ma=48_000, peak_ma=31_500),),
        binding_percent=12.5,
        offer_changes=7,
        pauses_most=1,
        longest_wait_s=60.0,
        unsendable_offers=0,
        skipped_rows=3,
        wall_s=0.25,
    )
    data = json.loads(json.dumps(simulation_to_json(report)))
    validator("simulation").validate(data)
    assert data["peaks"] == [{"circuit": None, "line": "L2", "limit_a": 48, "peak_a": 31.5}]
    assert (data["sessions_met"], data["wall_s"], data["skipped_rows"]) == (1, 0.25, 3)


def test_every_line_of_a_trace_is_valid() -> None:
    header = TraceHeader(load_site(EXAMPLES / "feeder.toml"), datetime(2026, 1, 31, tzinfo=UTC))
    lines = [
        header_to_data(header),
        event_to_data(ConnectorEvent(t_ms=12_031, connector="one", pilot_ma=20_000, drawn_ma=19_400, outside=None)),
        event_to_data(
            CircuitEvent(t_ms=13_000, circuit="feeder", limit_ma=(48_000,), other_load_ma=(10_200,), source="meter")
        ),
        *map(json.loads, base("trace").splitlines()),
    ]
    for line in lines:
        validator("trace").validate(json.loads(json.dumps(line)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("site", {"suply": "x"}),
        ("site", {"schema": "powershare/site/2"}),
        ("site", {"supply": "two_phase"}),
        ("site", {"network_limit_a": 0}),
        ("site", {"circuit": [{"id": "a", "limit_a": "40"}]}),
        ("demands", {"demands": [{"wanted_a": 3}]}),
        ("demands", {"demands": [{"connector": "a", "lines_used": 4}]}),
    ],
)
def test_a_schema_refuses_what_the_reader_refuses(name: str, change: dict[str, object]) -> None:
    good: dict[str, object] = {"schema": f"powershare/{name}/1"}
    if name == "site":
        good["supply"] = "single_phase"
    validator(name).validate(good)
    with pytest.raises(ValidationError):
        validator(name).validate(good | change)
