"""Demands, `powershare/demands/1`: what is asked and measured at one moment, to `Demands` and back."""

import json
from pathlib import Path
from typing import Any, TypeVar

import attrs

from powershare.demand import MAX_WAITING_S, Counts, Demand, Demands, ExternalLimit
from powershare.errors import DemandError, FormatError, Problem
from powershare.files.kinds import amps, amps_per_line, choice, kilowatt_hours, text, whole
from powershare.files.tables import Decoded, Key, Rows, Table, decode, draft, encode, said
from powershare.files.text import Spelling, guessed_spelling, parse, read_text, spelling_of
from powershare.site.values import MAX_PRIORITY, MAX_WEIGHT

_V = TypeVar("_V", Demand, ExternalLimit)

DEMANDS_SCHEMA = "powershare/demands/1"

_CONNECTOR = text("a connector's id")
_CIRCUIT = text("a circuit's id")

DEMAND = Table(
    "demand",
    (
        Key(name="connector", field="connector", kind=_CONNECTOR, required=True),
        Key(name="wanted_a", field="wanted_ma", kind=amps(least=0), about="Absent: all it may offer; 0: idle."),
        Key(name="lines_used", field="lines_used", kind=whole("lines", "1", 1, 3), about="Absent: all of its lines."),
        Key(name="waiting_s", field="waiting_s", kind=whole("seconds", "600", 0, MAX_WAITING_S)),
        Key(name="weight", field="weight", kind=whole("a weight", "1", 1, MAX_WEIGHT)),
        Key(name="priority", field="priority", kind=whole("a rank", "0", -MAX_PRIORITY, MAX_PRIORITY)),
        Key(name="vehicle", field="vehicle", kind=text("a vehicle's identity")),
        Key(name="energy_needed_kwh", field="energy_needed_wh", kind=kilowatt_hours(), about="Until departure."),
        Key(
            name="departs_in_s",
            field="departs_in_s",
            kind=whole("seconds", "3600", -MAX_WAITING_S, MAX_WAITING_S),
            about="Time until departure; negative when it is past.",
        ),
    ),
)

HELD = Table(
    "held entry",
    (
        Key(name="connector", field="connector", kind=_CONNECTOR, required=True),
        Key(name="amps", field="amps", kind=amps(load=True, least=0), required=True),
    ),
    about="The most that a silent connector may be drawing.",
)

OTHER_LOAD = Table(
    "other_load entry",
    (
        Key(name="circuit", field="circuit", kind=_CIRCUIT, required=True),
        Key(name="amps", field="amps", kind=amps_per_line(load=True, least=0), required=True),
    ),
    about="A fresh reading of the loads that are no connectors; export counts 0.",
)

EXTERNAL_LIMIT = Table(
    "external limit",
    (
        Key(name="circuit", field="circuit", kind=_CIRCUIT, about="Exactly one of circuit and connector."),
        Key(name="connector", field="connector", kind=_CONNECTOR),
        Key(
            name="amps",
            field="limit_ma",
            kind=amps_per_line(least=0),
            required=True,
            stand_in=0,
            about="0 stops what is below.",
        ),
        Key(name="source", field="source", kind=text("who set it"), required=True, stand_in="?"),
        Key(name="counts", field="counts", kind=choice(Counts), about="Default all; connectors: ignores other load."),
    ),
)

DEMANDS = Table(
    "demands file",
    (
        Key(name="demands", field="demands", kind=Rows(DEMAND)),
        Key(name="held", field="held", kind=Rows(HELD)),
        Key(name="other_load", field="other_load", kind=Rows(OTHER_LOAD)),
        Key(name="external_limits", field="external_limits", kind=Rows(EXTERNAL_LIMIT)),
    ),
    DEMANDS_SCHEMA,
    "What is asked and measured at one moment. A connector without a demand is idle.",
)


def load_demands(path: str | Path) -> Demands:
    """Read a demands file, JSON or TOML by its ending (else by its look).

    Args:
        path: The file.

    Returns:
        The demands; whether they fit a site is for the allocator to say.

    Raises:
        FormatError: The file cannot be read as demands; every problem at once.
        DemandError: It can, and what it says cannot be.
    """
    path = Path(path)
    content = read_text(path)
    return loads_demands(content, spelling_of(path, content))


def loads_demands(content: str, spelling: Spelling | None = None) -> Demands:
    """Read demands from a text.

    Args:
        content: The text.
        spelling: `toml` or `json`; None: by its look.

    Returns:
        The demands.

    Raises:
        FormatError: The text cannot be read as demands; every problem at once.
        DemandError: It can, and what it says cannot be.
    """
    return demands_from_data(parse(content, spelling or guessed_spelling(content)))


def demands_from_data(raw: object, place: str = "", *, schema_required: bool = True) -> Demands:
    """Read demands from plain data, such as the `demands` of a message.

    Args:
        raw: The data, as a JSON or TOML parser gives it.
        place: Where it is in its file.
        schema_required: Whether it must name its schema itself.

    Returns:
        The demands.

    Raises:
        FormatError: The data cannot be read as demands; every problem at once.
        DemandError: It can, and what it says cannot be.
    """
    problems: list[Problem] = []
    found = decode(DEMANDS, raw, problems, place, schema_required=schema_required)
    if found is None:
        raise FormatError(problems)
    unsound: list[Problem] = []
    demands = [_checked(Demand, row, unsound) for row in found.values.get("demands", ())]
    limits = [_checked(ExternalLimit, row, unsound) for row in found.values.get("external_limits", ())]
    held = _by_name(found.values.get("held", ()), "connector", unsound)
    other_load = _by_name(found.values.get("other_load", ()), "circuit", unsound)
    asked = Demands(tuple(demands), held, other_load, tuple(limits))
    unsound += asked.problems()
    if problems:
        raise FormatError([*problems, *unsound])
    if unsound:
        raise DemandError(unsound)
    return asked


def demands_to_data(demands: Demands) -> dict[str, object]:
    """The demands as plain data, ready for JSON; defaults are left out."""
    fields: dict[str, Any] = {"demands": [said(demand) for demand in demands.demands]}
    if demands.held_ma:
        fields["held"] = [{"connector": name, "amps": held_ma} for name, held_ma in demands.held_ma.items()]
    if demands.other_load_ma:
        fields["other_load"] = [{"circuit": name, "amps": load} for name, load in demands.other_load_ma.items()]
    if demands.external_limits:
        fields["external_limits"] = [said(limit) for limit in demands.external_limits]
    return encode(DEMANDS, fields)


def dump_demands(demands: Demands) -> str:
    """Write demands as JSON; reading the text again gives equal demands."""
    return json.dumps(demands_to_data(demands), indent=2, ensure_ascii=False) + "\n"


def _checked(cls: type[_V], row: Decoded, unsound: list[Problem]) -> _V:
    """The value, or a draft of it when something is wrong: then its problems are appended."""
    value = draft(cls, row)
    names_unknown = {"circuit", "connector"} & row.faulty_fields
    nameless = f'external limit of "{None}"'  # how a limit on nothing names itself
    unsound += [
        attrs.evolve(problem, where=row.place) if problem.where == nameless else problem
        for problem in value.problems()
        if problem.field not in row.faulty_fields and not (names_unknown and not problem.field)
    ]
    return value


def _by_name(rows: list[Decoded], who: str, unsound: list[Problem]) -> dict[str, Any]:
    """The figures under the names they are for; a name that comes twice is a problem, not a choice."""
    figures: dict[str, Any] = {}
    for row in rows:
        name, figure = row.values.get(who), row.values.get("amps")
        if name is None:
            continue
        if name in figures:
            unsound.append(Problem(f"{row.place}.{who}", "", f'names "{name}" a second time; give one figure for each'))
        elif figure is not None:
            figures[name] = figure
    return figures
