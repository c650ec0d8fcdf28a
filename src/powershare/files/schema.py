"""JSON Schema (2020-12) of every file and answer, generated from the tables that read and write them.

`python -m powershare.files.schema` writes them beside this module; a test holds them current.
"""

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from powershare.allocation import BoundKind, Status
from powershare.files.allocation_file import ALLOCATION_SCHEMA, NETWORK_KEYS, SIMULATION_SCHEMA
from powershare.files.demands_file import DEMANDS
from powershare.files.kinds import amps, amps_per_line, choice, optional, site_lines, text, word
from powershare.files.site_file import SITE
from powershare.files.tables import json_schema
from powershare.files.trace_file import CIRCUIT_EVENT, CONNECTOR_EVENT, HEADER
from powershare.units import ALL_LINES

NAMES = ("site", "demands", "allocation", "simulation", "trace")

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_AMPS = dict(amps(least=0).schema)
_PER_LINE = dict(amps_per_line(least=0, alike=False).schema)
_LINE = dict(word(*(line.name for line in ALL_LINES)).schema)
_ID = dict(text().schema)
_COUNT: dict[str, object] = {"type": "integer", "minimum": 0}
_AMOUNT: dict[str, object] = {"type": "number", "minimum": 0}


def generate(name: str) -> dict[str, object]:
    """The schema of one kind of file.

    Args:
        name: One of `NAMES`.

    Returns:
        The schema as plain data. That of a trace describes each of its lines.
    """
    makers: dict[str, Callable[[], dict[str, object]]] = {
        "site": lambda: json_schema(SITE),
        "demands": lambda: json_schema(DEMANDS),
        "allocation": _allocation,
        "simulation": _simulation,
        "trace": lambda: {"anyOf": [json_schema(table) for table in (HEADER, CONNECTOR_EVENT, CIRCUIT_EVENT)]},
    }
    head: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"powershare/{name}/1",
    }
    return head | makers[name]()


def rendered(name: str) -> str:
    """The schema of one kind of file as the text that is committed."""
    return json.dumps(generate(name), indent=2, ensure_ascii=False) + "\n"


def committed(name: str) -> str:
    """The schema of one kind of file as it was committed, which is what is installed."""
    return files("powershare.files").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")


def _allocation() -> dict[str, object]:
    bound_by = _object(
        {
            "kind": choice(BoundKind).schema,
            "id": optional(text()).schema,
            "line": optional(word(*(line.name for line in ALL_LINES))).schema,
            "limit_a": _AMPS,
            "source": _ID,
        }
    )
    connector = _object(
        {
            "connector": _ID,
            "status": choice(Status).schema,
            "allocated_a": _AMPS,
            "bound_by": {"anyOf": [bound_by, {"type": "null"}]},
        },
        {"reason": _ID, "counted_on": site_lines().schema, "note": _ID},
    )
    sums = ("limit_a", "allocated_a", "held_a", "other_load_a", "headroom_a")
    figures: dict[str, object] = {**dict.fromkeys(sums, _PER_LINE), "exceeded": {"type": "boolean"}}
    circuit = _object({"circuit": _ID, **figures})
    return _object(
        {
            "schema": {"const": ALLOCATION_SCHEMA},
            "backend": {"enum": ["native", "python"]},
            "connectors": {"type": "array", "items": connector},
            "circuits": {"type": "array", "items": circuit},
        },
        {"network": _object({key: figures[key] for key in NETWORK_KEYS})},
    )


def _simulation() -> dict[str, object]:
    peak = _object({"circuit": optional(text()).schema, "line": _LINE, "limit_a": _AMPS, "peak_a": _AMPS})
    return _object(
        {
            "schema": {"const": SIMULATION_SCHEMA},
            "sessions": _COUNT,
            "sessions_met": _COUNT,
            "energy_asked_kwh": _AMOUNT,
            "energy_delivered_kwh": _AMOUNT,
            "simulated_s": _AMOUNT,
            "wall_s": _AMOUNT,
            "limits_broken": _COUNT,
            "peaks": {"type": "array", "items": peak},
            "binding_percent": {"type": "number", "minimum": 0, "maximum": 100},
            "offer_changes": _COUNT,
            "pauses_most": _COUNT,
            "longest_wait_s": _AMOUNT,
            "unsendable_offers": _COUNT,
            "skipped_rows": _COUNT,
        }
    )


def _object(required: Mapping[str, object], more: Mapping[str, object] | None = None) -> dict[str, object]:
    properties = dict(required) | dict(more or {})
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": list(required)}


def _write_all() -> None:
    for name in NAMES:
        path = Path(__file__).parent / "schemas" / f"{name}.json"
        path.write_text(rendered(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    _write_all()
