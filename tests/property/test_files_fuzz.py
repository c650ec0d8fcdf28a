"""Whatever a file holds, a reader hands out a sound value or one of the input errors, never anything else."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.datadriven.bad_inputs import base

from powershare.errors import InputError
from powershare.files import demands_from_data, loads_demands, loads_sessions, loads_site, read_trace, site_from_data
from powershare.files.norway import imports_norway

NORWAY = "Garage_ID;User_ID;Start_plugin;End_plugout;El_kWh\r\nBl2;a;21.12.2018 10:20;21.12.2018 12:20;7,2\r\n"
TEXTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "site": (base("site"), loads_site),
    "demands": (base("demands"), loads_demands),
    "sessions": (base("sessions"), loads_sessions),
    "norway": (NORWAY, imports_norway),
}
PIECES = [
    "",
    "\n",
    '"',
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "-",
    "0",
    "9999999999999999",
    "1e999999",
    "nan",
    "\0",
    "\x7f",
    "é",
]
pieces = st.sampled_from(PIECES) | st.text(max_size=3)
edits = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), pieces), max_size=4)


def edited(text: str, changes: list[tuple[int, int, str]]) -> str:
    for at, length, piece in changes:
        place = at % (len(text) + 1)
        text = text[:place] + piece + text[place + length :]
    return text


@pytest.mark.parametrize("kind", TEXTS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(changes=edits)
def test_an_edited_text_is_read_or_refused(kind: str, changes: list[tuple[int, int, str]]) -> None:
    text, read = TEXTS[kind]
    with contextlib.suppress(InputError):
        assert read(edited(text, changes)) is not None


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(changes=edits)
def test_an_edited_trace_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int, str]]) -> None:
    path = tmp_path / "trace.ndjson"
    path.write_text(edited(base("trace"), changes), encoding="utf-8", errors="replace")
    with contextlib.suppress(InputError):
        assert all(event.t_ms >= 0 for event in read_trace(path))


junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
SITE = {
    "supply": "three_phase",
    "network": {"leader": "north"},
    "circuit": [
        {"id": "panel", "breaker_a": 60, "limit_a": 40},
        {"id": "left", "parent": "panel", "limit_a": [32, 32, 20]},
    ],
    "meter": [{"circuit": "panel", "adapter": "mqtt:x", "stale_after_s": 10}],
    "connector": [{"id": "north", "circuit": "left", "lines": ["L2", "L3"], "max_offer_a": 32, "vehicles": ["x"]}],
}
DEMANDS = json.loads(base("demands"))


@pytest.mark.parametrize(
    ("sound", "read"), [(SITE, site_from_data), (DEMANDS, demands_from_data)], ids=["site", "demands"]
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_data_with_junk_in_one_place_is_read_or_refused(
    sound: dict[str, object], read: Callable[..., object], data: st.DataObject
) -> None:
    changed = json.loads(json.dumps(sound))
    node: Any = changed
    while isinstance(node, (dict, list)) and node:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(node[key], (dict, list)) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(junk)
            break
        node = node[key]
    with contextlib.suppress(InputError):
        assert read(changed, schema_required=False) is not None
