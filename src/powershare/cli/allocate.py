"""`powershare allocate`: one answer, or a stream of them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from powershare.allocation import Allocation, BoundBy, BoundKind, ConnectorAllocation
from powershare.allocator import Allocator
from powershare.cli.ending import DONE, LIMIT, reading
from powershare.cli.output import note, print_json, print_table
from powershare.files import allocation_to_json, load_demands, load_site, loads_demands, loads_site
from powershare.files.text import decode_text
from powershare.units import Line, amps_text

if TYPE_CHECKING:
    from powershare.demand import Demands
    from powershare.site import Site

STANDARD_INPUT = "standard input"


@click.command("allocate")
@click.argument("site_file", metavar="SITE", required=False)
@click.argument("demands_file", metavar="DEMANDS", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object (powershare/allocation/1).")
@click.option("--stream", is_flag=True, help="Answer each JSON line of standard input with one line.")
def command(site_file: str | None, demands_file: str | None, as_json: bool, stream: bool) -> int:
    """Say what each connector may offer now, and which limit decides.

    SITE is a site file (TOML or JSON), DEMANDS a demands file (JSON or TOML); one of them may be `-`, which reads
    standard input. With --stream both come from standard input, one object per line: {"site": ..., "demands": ...};
    a line without a site means the last one.

    The exit code is 3 when a circuit is exceeded by held and other load alone.
    """
    if stream:
        if site_file is not None or as_json:
            raise click.UsageError("--stream takes neither files nor --json: everything is in the lines.")
        from powershare.cli.stream import answer_lines

        answer_lines(sys.stdin.buffer, sys.stdout.buffer)
        return DONE
    if site_file is None or demands_file is None:
        raise click.UsageError("SITE and DEMANDS are both needed, or --stream.")
    if site_file == demands_file == "-":
        raise click.UsageError("only one of SITE and DEMANDS can be standard input.")
    site = _site(site_file)
    demands = _demands(demands_file)
    allocator = Allocator(site)
    with reading(_name(demands_file)):
        allocation = allocator.allocate(demands)
    if as_json:
        print_json(allocation_to_json(allocation))
    else:
        _show(allocation)
    # What is held and what else draws, without any allocation: the network limit is judged as well as the circuits.
    exceeded = allocator.compiled.check(
        {},
        other_load_ma=demands.other_load_ma,
        external_limits=demands.external_limits,
        held_ma=demands.held_ma,
    )
    for violation in exceeded:
        where = "the network limit" if violation.circuit is None else violation.circuit
        note(
            f"{where} {violation.line} is exceeded by held and other load alone: "
            f"{amps_text(violation.load_ma)}, limit {amps_text(violation.limit_ma)}"
        )
    return LIMIT if exceeded else DONE


def _name(file: str) -> str:
    return STANDARD_INPUT if file == "-" else file


def _site(file: str) -> "Site":
    with reading(_name(file)):
        return loads_site(_standard_input()) if file == "-" else load_site(Path(file))


def _demands(file: str) -> "Demands":
    with reading(_name(file)):
        return loads_demands(_standard_input()) if file == "-" else load_demands(Path(file))


def _standard_input() -> str:
    return decode_text(sys.stdin.buffer.read(), STANDARD_INPUT)


def _show(allocation: Allocation) -> None:
    print_table(
        ("connector", "status", "offer", "bound by", "reason"),
        [
            (
                connector.connector,
                connector.status.value,
                amps_text(connector.allocated_ma),
                bound_text(connector.bound_by),
                _reason(connector),
            )
            for connector in allocation.connectors
        ],
        right=(2,),
    )
    click.echo()
    print_table(
        ("circuit", "line", "limit", "allocated", "held", "other load", "headroom", ""),
        list(_circuit_rows(allocation)),
        right=range(2, 7),
    )


def bound_text(bound: BoundBy | None) -> str:
    """What decided, for people: `left L3, 20 A by limit`."""
    if bound is None:
        return ""
    if bound.kind is BoundKind.VEHICLE:
        return f"the vehicle, {amps_text(bound.limit_ma)}"
    if bound.kind is BoundKind.CONNECTOR:
        return f"the connector, {amps_text(bound.limit_ma)}"
    where = bound.id if bound.id is not None else "the network"
    line = "" if bound.line is None else f" {bound.line}"
    return f"{where}{line}, {amps_text(bound.limit_ma)} by {bound.source}"


def _reason(connector: ConnectorAllocation) -> str:
    words = [] if connector.reason is None else [connector.reason]
    if connector.rotation_unknown:
        lines = ", ".join(map(str, connector.counted_lines))
        words.append(f"counted on {lines}: the phase rotation is not known")
    return "; ".join(words)


def _circuit_rows(allocation: Allocation) -> Iterator[tuple[str, ...]]:
    for circuit in allocation.circuits.values():
        for place in range(len(circuit.limit_ma)):
            figures = (
                circuit.limit_ma,
                circuit.allocated_ma,
                circuit.held_ma,
                circuit.other_load_ma,
                circuit.headroom_ma,
            )
            yield (
                (circuit.circuit or "") if place == 0 else "",
                str(Line(place)),
                *(amps_text(figure[place]) for figure in figures),
                "EXCEEDED" if circuit.exceeded and place == 0 else "",
            )
