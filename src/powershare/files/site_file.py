"""Site files, `powershare/site/1`: TOML or JSON to a `Site` and back, all errors of a file at once."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from powershare.errors import FormatError, Problem, TopologyError
from powershare.files.kinds import (
    amps,
    amps_per_line,
    choice,
    flag,
    seconds,
    site_lines,
    text,
    texts,
    whole,
)
from powershare.files.tables import Decoded, Key, Part, Rows, Table, decode, draft, encode, said
from powershare.files.text import Spelling, guessed_spelling, parse, read_text, spelling_of
from powershare.files.toml import dump_toml
from powershare.site import Circuit, Connection, Connector, Meter, Network, Site, Supply
from powershare.site.checks import site_problems
from powershare.site.values import MAX_PRIORITY, MAX_WEIGHT

SITE_SCHEMA = "powershare/site/1"

_PERCENT = whole("percent", "80", 1, 100)

NETWORK = Table(
    "network",
    (
        Key(
            name="leader",
            field="leader",
            kind=text("a connector's id"),
            about="Default: the first connector.",
        ),
        Key(name="witness", field="witness", kind=flag(), about="Whether a meter votes."),
    ),
)

CIRCUIT = Table(
    "circuit",
    (
        Key(name="id", field="id", kind=text("a name of its own"), required=True),
        Key(name="parent", field="parent", kind=text("a circuit's id"), about="Absent: fed by the supply."),
        Key(name="breaker_a", field="breaker_ma", kind=amps(above=0), stand_in=1, about="Rating of the breaker."),
        Key(
            name="continuous_percent",
            field="continuous_percent",
            kind=whole("percent", "80", 1, 100),
            about="Default 80.",
        ),
        Key(
            name="limit_a",
            field="limit_ma",
            kind=amps_per_line(above=0),
            stand_in=1,
            about="The smaller counts.",
        ),
        Key(name="other_load_worst_a", field="other_load_worst_ma", kind=amps_per_line(load=True, least=0)),
    ),
)

METER = Table(
    "meter",
    (
        Key(name="circuit", field="circuit", kind=text("a circuit's id"), required=True, stand_in=""),
        Key(name="adapter", field="adapter", kind=text('an adapter, such as "mqtt:home/panel"'), required=True),
        Key(name="stale_after_s", field="stale_after_ms", kind=seconds("10"), about="Default 10."),
    ),
)

CONNECTOR = Table(
    "connector",
    (
        Key(name="id", field="id", kind=text("a name of its own"), required=True),
        Key(name="circuit", field="circuit", kind=text("a circuit's id"), required=True, stand_in=""),
        Key(name="lines", field="lines", kind=site_lines(), about="Site lines in the order of the connector's own."),
        Key(name="connection", field="connection", kind=choice(Connection)),
        Key(name="min_offer_a", field="min_offer_ma", kind=amps(above=0), about="Default 6."),
        Key(name="max_offer_a", field="max_offer_ma", kind=amps(above=0), about="Default 32."),
        Key(name="step_a", field="step_ma", kind=amps(above=0), about="Default 0.1."),
        Key(name="fallback_a", field="fallback_ma", kind=amps(least=0), about="Default: its fair share."),
        Key(name="weight", field="weight", kind=whole("a weight", "1", 1, MAX_WEIGHT)),
        Key(name="priority", field="priority", kind=whole("a rank", "0", -MAX_PRIORITY, MAX_PRIORITY)),
        Key(name="generation", field="generation", kind=whole("a generation", "3", 1, 100)),
        Key(name="firmware", field="firmware", kind=text("a version")),
        Key(name="vehicles", field="vehicles", kind=texts("vehicle identities"), about="Absent: all vehicles."),
        Key(name="adapter", field="adapter", kind=text('an adapter, such as "emulated:"')),
        Key(name="fail_safe", field="fail_safe", kind=flag(), about="Whether its device, left alone, keeps to it."),
    ),
)

SITE = Table(
    "site",
    (
        Key(name="name", field="name", kind=text("a name", blank=True)),
        Key(name="supply", field="supply", kind=choice(Supply), required=True, stand_in=Supply.THREE_PHASE),
        Key(name="network_limit_a", field="network_limit_ma", kind=amps(above=0)),
        Key(name="nominal_voltage_v", field="nominal_voltage_v", kind=whole("volts", "230", 50, 1000)),
        Key(name="network", field="network", kind=Part(NETWORK)),
        Key(name="circuit", field="circuits", kind=Rows(CIRCUIT)),
        Key(name="meter", field="meters", kind=Rows(METER)),
        Key(name="connector", field="connectors", kind=Rows(CONNECTOR)),
    ),
    SITE_SCHEMA,
    "What is installed: a supply, circuits, connectors, meters. Amps in files, milliamps inside.",
)

_Node: TypeAlias = Circuit | Meter | Connector

_NODES: tuple[tuple[str, type[_Node]], ...] = (("circuits", Circuit), ("meters", Meter), ("connectors", Connector))

_OFFER_FIELDS = frozenset({"min_offer", "max_offer", "step", "fallback"})
_WIRING_FIELDS = frozenset({"lines", "connection"})
_SUPPLY_FIELDS = frozenset({"limit", "other_load_worst", "lines", "connection"})


def load_site(path: str | Path) -> Site:
    """Read a site file, TOML or JSON by its ending (else by its look).

    Args:
        path: The file.

    Returns:
        The validated site.

    Raises:
        FormatError: The file cannot be read as a site; every problem at once, faults of the site included.
        TopologyError: It can, and the site cannot be.
    """
    path = Path(path)
    content = read_text(path)
    return loads_site(content, spelling_of(path, content))


def loads_site(content: str, spelling: Spelling | None = None) -> Site:
    """Read a site from a text.

    Args:
        content: The text.
        spelling: `toml` or `json`; None: by its look.

    Returns:
        The validated site.

    Raises:
        FormatError: The text cannot be read as a site; every problem at once.
        TopologyError: It can, and the site cannot be.
    """
    return site_from_data(parse(content, spelling or guessed_spelling(content)))


def site_from_data(raw: object, place: str = "", *, schema_required: bool = True) -> Site:
    """Read a site from plain data, such as the `site` of a message or of a trace's first line.

    Args:
        raw: The data, as a JSON or TOML parser gives it.
        place: Where it is in its file.
        schema_required: Whether it must name its schema itself.

    Returns:
        The validated site.

    Raises:
        FormatError: The data cannot be read as a site; every problem at once.
        TopologyError: It can, and the site cannot be.
    """
    problems: list[Problem] = []
    found = decode(SITE, raw, problems, place, schema_required=schema_required)
    if found is None:
        raise FormatError(problems)
    return site_from_decoded(found, problems)


def site_from_decoded(found: Decoded, problems: list[Problem]) -> Site:
    """Build the site from what a file says, or report what is wrong with it.

    Args:
        found: What the file says.
        problems: What was wrong with its spelling.

    Raises:
        FormatError: There are problems of spelling; those of the site follow them.
        TopologyError: The site cannot be.
    """
    unsound = list(_site_faults(found))
    if problems:
        raise FormatError([*problems, *unsound])
    if unsound:
        raise TopologyError(unsound)
    fields = dict(found.values)
    for name, cls in _NODES:
        fields[name] = tuple(cls(**row.values) for row in fields.get(name, ()))
    if "network" in fields:
        fields["network"] = Network(**fields["network"].values)
    return Site(**fields)


def site_to_data(site: Site) -> dict[str, object]:
    """The site as plain data, ready for JSON; defaults are left out."""
    fields: dict[str, Any] = said(site)
    for name in ("circuits", "meters", "connectors"):
        fields[name] = [said(node) for node in getattr(site, name)]
    if not site.meters:
        del fields["meters"]
    if site.network == Network():
        fields.pop("network", None)
    else:
        fields["network"] = said(site.network)
    return encode(SITE, fields)


def dump_site(site: Site, spelling: Spelling = "toml") -> str:
    """Write a site as a file's text; reading it again gives an equal site.

    Args:
        site: The site.
        spelling: `toml` or `json`.

    Returns:
        The text, with a final line break.
    """
    data = site_to_data(site)
    return dump_toml(data) if spelling == "toml" else json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _site_faults(found: Decoded) -> list[Problem]:
    """What is wrong with the site itself, without what follows from a fault of spelling."""
    nodes: list[tuple[_Node, Decoded]] = []
    parts: dict[str, list[_Node]] = {}
    for name, cls in _NODES:
        rows = found.values.get(name, [])
        parts[name] = [draft(cls, row) for row in rows]
        for node, row in zip(parts[name], rows, strict=True):
            if any(key.name == "id" for key in row.faulty):
                object.__setattr__(node, "id", row.place)  # a name that no other node has
        nodes += zip(parts[name], rows, strict=True)
    network = found.values.get("network")
    whole_site = SimpleNamespace(
        supply=found.values.get("supply", Supply.THREE_PHASE),
        network_limit_ma=found.values.get("network_limit_ma"),
        nominal_voltage_v=found.values.get("nominal_voltage_v"),
        network=Network() if network is None else draft(Network, network),
        **parts,
    )
    own = [problem for node, _ in nodes for problem in node.problems()]
    consequences = _consequences(found, nodes)
    of_site = [problem for problem in site_problems(cast("Site", whole_site)) if not consequences(problem)]
    faulty = {(_where(node), field) for node, row in nodes for field in _kin(row.faulty_fields)}
    return [problem for problem in (*own, *of_site) if (problem.where, problem.field) not in faulty]


def _kin(fields: frozenset[str]) -> frozenset[str]:
    """The fields whose checks compare them with a faulty one."""
    kin = fields
    for group in (_OFFER_FIELDS, _WIRING_FIELDS):
        if fields & group:
            kin |= group
    return kin


def _where(node: _Node) -> str:
    """The node's place as its own problems name it."""
    if isinstance(node, Meter):
        return f'meter of "{node.circuit}"'
    return f'{"circuit" if isinstance(node, Circuit) else "connector"} "{node.id}"'


def _consequences(found: Decoded, nodes: list[tuple[_Node, Decoded]]) -> Callable[[Problem], bool]:
    """Which problems of the site only follow from a key that could not be read."""
    site_faulty = found.faulty_fields
    nameless = {type(node) for node, row in nodes if any(key.name == "id" for key in row.faulty)}
    no_circuits = Circuit in nameless or "circuit" in site_faulty or not found.values.get("circuits")
    no_connectors = Connector in nameless or "connector" in site_faulty or not found.values.get("connectors")

    def follows(problem: Problem) -> bool:
        if problem.where == "site":
            return problem.field in site_faulty
        if problem.field in {"circuit", "parent"} and problem.message.startswith("names"):
            return no_circuits
        if problem.field == "leader":
            return no_connectors
        return "supply" in site_faulty and problem.field in _SUPPLY_FIELDS

    return follows
