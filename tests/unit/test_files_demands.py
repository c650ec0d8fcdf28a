"""Demands files and allocations as JSON: what is asked, and the answer with its reasons."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare import Allocator, Circuit, Connector, Counts, Demand, DemandError, Demands, ExternalLimit, Site, Supply
from powershare.files import allocation_to_json, demands_from_data, dump_demands, load_demands, load_site, loads_demands
from powershare.files.allocation_file import ROTATION_NOTE

EXAMPLES = Path(__file__).parents[2] / "examples"

names = st.sampled_from(["north", "south", "east"])
currents = st.integers(0, 10_000_000)
per_line = st.one_of(currents, st.tuples(currents, currents, currents))
asked = st.builds(
    Demand,
    connector=names,
    wanted_ma=st.none() | currents,
    lines_used=st.none() | st.integers(1, 3),
    waiting_s=st.integers(0, 1 << 30),
    weight=st.none() | st.integers(1, 1000),
    priority=st.none() | st.integers(-1_000_000, 1_000_000),
    vehicle=st.none() | names,
    energy_needed_wh=st.none() | st.integers(0, 1 << 40),
    departs_in_s=st.none() | st.integers(-(1 << 30), 1 << 30),
)
limits = st.builds(
    ExternalLimit, limit_ma=per_line, source=names, circuit=names, connector=st.none(), counts=st.sampled_from(Counts)
)


@given(
    st.builds(
        Demands,
        st.lists(asked, max_size=3).map(tuple),
        st.dictionaries(names, currents),
        st.dictionaries(names, per_line),
        st.lists(limits, max_size=2).map(tuple),
    )
)
def test_demands_written_and_read_again_are_the_same(demands: Demands) -> None:
    assert loads_demands(dump_demands(demands)) == demands


def test_demands_round_down_and_loads_round_up() -> None:
    data = {
        "schema": "powershare/demands/1",
        "demands": [{"connector": "north", "wanted_a": 16.0009}],
        "held": [{"connector": "south", "amps": 8.0001}],
        "other_load": [{"circuit": "panel", "amps": [1, 2, 3.0001]}],
        "external_limits": [{"circuit": "panel", "amps": 9.0009, "source": "utility"}],
    }
    demands = loads_demands(json.dumps(data))
    assert demands.demands[0].wanted_ma == 16_000
    assert demands.held_ma == {"south": 8_001}
    assert demands.other_load_ma == {"panel": (1_000, 2_000, 3_001)}
    assert demands.external_limits[0].limit_ma == 9_000


def test_a_toml_spelling_of_demands_is_the_same() -> None:
    text = 'schema = "powershare/demands/1"\n[[demands]]\nconnector = "north"\nwanted_a = 10.5\n'
    assert loads_demands(text) == Demands((Demand(connector="north", wanted_ma=10_500),))


def test_all_problems_of_several_demands_are_reported_together() -> None:
    data = {"demands": [{"connector": "a", "wanted_a": -1}, {"connector": "b", "weight": 0}]}
    with pytest.raises(DemandError) as caught:
        demands_from_data(data, schema_required=False)
    assert [problem.where for problem in caught.value.problems] == ['demand of "a"', 'demand of "b"']


def test_the_split_phase_example_refuses_the_unlisted_and_the_unidentified_car_with_the_reason() -> None:
    site = load_site(EXAMPLES / "split-phase.toml")
    answer = allocation_to_json(Allocator(site).allocate(load_demands(EXAMPLES / "split-phase-demands.json")))
    connectors = {entry["connector"]: entry for entry in json.loads(json.dumps(answer))["connectors"]}
    assert connectors["bay-1"]["allocated_a"] == 32
    assert connectors["bay-1"]["bound_by"]["kind"] == "vehicle"
    assert connectors["bay-2"]["allocated_a"] == 48
    assert {connectors[name]["status"] for name in ("bay-5", "bay-6")} == {"refused"}
    assert "identif" in connectors["bay-5"]["reason"]
    assert "WVWZZZE1ZMP000000" in connectors["bay-6"]["reason"]
    assert connectors["bay-3"]["status"] == "idle"


def test_an_allocation_names_the_limit_that_bound_and_the_lines_it_counts_on() -> None:
    site = Site(
        supply=Supply.THREE_PHASE,
        circuits=(Circuit(id="panel", limit_ma=(16_000, 20_000, 20_000)),),
        connectors=(Connector(id="north", circuit="panel"),),
    )
    answer = allocation_to_json(Allocator(site).allocate([Demand(connector="north", lines_used=1)]))
    assert answer["schema"] == "powershare/allocation/1"
    assert answer["connectors"] == [
        {
            "connector": "north",
            "status": "allocated",
            "allocated_a": 16,
            "bound_by": {"kind": "circuit", "id": "panel", "line": "L1", "limit_a": 16, "source": "limit"},
            "counted_on": ["L1", "L2", "L3"],
            "note": ROTATION_NOTE,
        }
    ]
    assert answer["circuits"] == [
        {
            "circuit": "panel",
            "limit_a": [16, 20, 20],
            "allocated_a": [16, 16, 16],
            "held_a": [0, 0, 0],
            "other_load_a": [0, 0, 0],
            "headroom_a": [0, 4, 4],
            "exceeded": False,
        }
    ]
