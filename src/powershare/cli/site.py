"""`powershare site`: what a site file means, and the schema of site files."""

import sys
from collections.abc import Iterator

import click

from powershare.cli.ending import reading
from powershare.cli.output import can_show, counted, per_line_text, print_table
from powershare.files import load_site
from powershare.site import Circuit, Connection, Connector, Site
from powershare.site.values import on_line
from powershare.units import amps_text

_WARNINGS_EACH = 3
"""So many connectors are warned of one by one; more of them in one sentence."""


@click.group("site")
def command() -> None:
    """Check a site file, or write the schema of site files."""


@command.command("schema")
def schema() -> None:
    """Write the JSON schema of site files to standard output."""
    from powershare.files.schema import committed

    click.echo(committed("site"), nl=False)


@command.command("check")
@click.argument("site_file", metavar="SITE")
def check(site_file: str) -> None:
    """Read a site file, report everything that is wrong with it, or say what it means."""
    with reading(site_file):
        site = load_site(site_file)
    click.echo(_headline(site))
    if site.network_limit_ma is not None:
        click.echo(f"network limit: {amps_text(site.network_limit_ma)} per line, over all connectors")
    click.echo()
    for line in circuit_tree(site):
        click.echo(line)
    click.echo()
    print_table(*_connector_columns(site), right=(4,))
    warnings = list(_warnings(site))
    if warnings:
        click.echo()
    for warning in warnings:
        click.echo(f"warning: {warning}")


def _headline(site: Site) -> str:
    supply = f"{site.supply.value.replace('_', '-')} supply ({', '.join(map(str, site.supply.lines))})"
    parts = (
        supply,
        f"{site.voltage_v} V",
        counted(len(site.circuits), "circuit"),
        counted(len(site.connectors), "connector"),
    )
    return f"{site.name or 'unnamed site'}: {', '.join(parts)}"


def circuit_tree(site: Site) -> Iterator[str]:
    """The circuits as a tree, each with its limits, who set them, and how many connectors hang on it.

    Walks without recursion: a site may be deeper than the interpreter's stack.
    """
    fork, last, bar = ("├── ", "└── ", "│   ") if can_show("├└│─", sys.stdout) else ("|-- ", "`-- ", "|   ")
    below: dict[str | None, list[Circuit]] = {}
    for circuit in site.circuits:
        below.setdefault(circuit.parent, []).append(circuit)
    direct: dict[str, int] = {}
    for connector in site.connectors:
        direct[connector.circuit] = direct.get(connector.circuit, 0) + 1
    waiting = [(root, "", "") for root in reversed(below.get(None, []))]
    while waiting:
        circuit, before, indent = waiting.pop()
        count = direct.get(circuit.id, 0)
        yield f"{before}{circuit.id}  {_limits(site, circuit)}" + (f"; {counted(count, 'connector')}" if count else "")
        children = below.get(circuit.id, [])
        for place, child in reversed(list(enumerate(children))):
            is_last = place == len(children) - 1
            waiting.append((child, indent + (last if is_last else fork), indent + ("    " if is_last else bar)))


def _limits(site: Site, circuit: Circuit) -> str:
    usable = [circuit.usable_limit_ma(line) for line in site.supply.lines]
    sources = {source for _, source in usable}
    words = {"limit": "limit"}
    if circuit.breaker_ma is not None:
        words["breaker"] = f"{circuit.continuous_percent} % of the {amps_text(circuit.breaker_ma)} breaker"
    limits = per_line_text([limit_ma for limit_ma, _ in usable])
    text = f"{limits} ({', '.join(words[source] for source in sorted(sources))})"
    worst = tuple(on_line(circuit.other_load_worst_ma, line) for line in site.supply.lines)
    if any(worst):
        text += f", other loads up to {per_line_text(worst)}"
    if any(meter.circuit == circuit.id for meter in site.meters):
        text += ", metered"
    return text


def _connector_columns(site: Site) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the connectors; what nobody has set has no column."""
    special = {
        "weight": [str(connector.weight) if connector.weight != 1 else "" for connector in site.connectors],
        "priority": [str(connector.priority) if connector.priority else "" for connector in site.connectors],
        "vehicles": [_vehicles(connector) for connector in site.connectors],
        "adapter": [connector.adapter or "" for connector in site.connectors],
    }
    shown = {header: cells for header, cells in special.items() if any(cells)}
    rows = [
        [*_connector_row(site, connector), *(cells[place] for cells in shown.values())]
        for place, connector in enumerate(site.connectors)
    ]
    return ["connector", "circuit", "lines", "offers", "fallback", *shown], rows


def _vehicles(connector: Connector) -> str:
    if connector.vehicles is None:
        return ""
    return ", ".join(connector.vehicles) or "none"


def _connector_row(site: Site, connector: Connector) -> Iterator[str]:
    wiring = site.wiring[connector.id]
    lines = " ".join(map(str, wiring.lines))
    if wiring.connection is Connection.LINE_TO_LINE:
        lines = lines.replace(" ", "-")
    elif not wiring.rotation_known:
        lines += ", order unknown"
    yield connector.id
    yield connector.circuit
    yield lines
    yield f"{connector.min_offer_ma / 1000:g} to {amps_text(connector.max_offer_ma)} by {amps_text(connector.step_ma)}"
    own = "" if connector.fallback_ma is None else " (set)"
    yield amps_text(site.fallbacks.by_connector[connector.id]) + own


def _warnings(site: Site) -> Iterator[str]:
    if len(site.fallbacks.warnings) <= _WARNINGS_EACH:
        yield from site.fallbacks.warnings
    else:
        by_connector = site.fallbacks.by_connector
        names = [own.id for own in site.connectors if own.fallback_ma is None and not by_connector[own.id]]
        yield (
            f"{len(names)} connectors fall back to 0, because their fair share is under their least offer: "
            f"{', '.join(names)}"
        )
    unknown = [connector.id for connector in site.connectors if not site.wiring[connector.id].rotation_known]
    if unknown:
        yield (
            f"the phase rotation is not known of {', '.join(unknown)}: a vehicle that uses fewer lines counts on all; "
            "say `lines` to share more"
        )
    used = {circuit.id for connector in site.connectors for circuit in site.circuits_above(connector.circuit)}
    for circuit in site.circuits:
        if circuit.id not in used:
            yield f'circuit "{circuit.id}" has no connector below it'
        if any(
            on_line(circuit.other_load_worst_ma, line) >= circuit.usable_limit_ma(line)[0] for line in site.supply.lines
        ):
            yield f'circuit "{circuit.id}": its other loads alone may use it up; connectors then depend on a meter'
