"""`powershare trace`: add up what devices wrote, and check it against the limits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click

from powershare.cli.ending import DONE, LIMIT, reading
from powershare.cli.output import counted, note, print_table
from powershare.files import Trace, load_site, merge_traces, read_trace
from powershare.trace import Audit, AuditResult, Breach, TraceEvent
from powershare.units import amps_text


@click.group("trace")
def command() -> None:
    """Add up the currents of traces and check the limits."""


@command.command("check", short_help="Say at which instant a limit broke.")
@click.argument("site_file", metavar="SITE")
@click.argument("trace_files", metavar="TRACE...", nargs=-1, required=True)
def check(site_file: str, trace_files: tuple[str, ...]) -> int:
    """Add up the currents of one or more traces and say at which instant a limit broke.

    The limits are those of SITE. Several traces are merged by the time at which they started. The exit code is 3 when
    a limit broke, whether inside the assumptions that the limits rest on or outside them.
    """
    with reading(site_file):
        site = load_site(Path(site_file))
    traces = [_open(name) for name in trace_files]
    for trace in traces:
        if trace.header.site != site:
            note(f"{trace.path}: was written on a site that differs from {site_file}, whose limits count here")
    started, events = merge_traces(traces)
    audit = Audit(site)
    with reading(f"{', '.join(trace_files)} on {site_file}"):
        for event in events:
            audit.feed(event)
    result = audit.result()
    _show(result, started)
    return LIMIT if result.breaches else DONE


class _NamedTrace(Trace):
    """A trace whose problems name its file, which matters as soon as there are two."""

    def __iter__(self) -> Iterator[TraceEvent]:
        with reading(str(self.path)):
            yield from Trace.__iter__(self)


def _open(name: str) -> Trace:
    with reading(name):
        trace = read_trace(name)
    return _NamedTrace(trace.path, trace.header)


def _show(result: AuditResult, started: datetime) -> None:
    first, last = (_instant(started, t_ms or 0) for t_ms in (result.first_ms, result.last_ms))
    click.echo(f"{counted(result.events, 'event')} from {first} to {last}")
    click.echo()
    print_table(
        ("circuit", "line", "limit", "most offered", "most drawn"),
        [
            (
                "network limit" if peak.circuit is None else peak.circuit,
                str(peak.line),
                amps_text(peak.limit_ma),
                amps_text(peak.offered_ma),
                amps_text(peak.drawn_ma),
            )
            for peak in result.peaks
        ],
        right=(2, 3, 4),
    )
    click.echo()
    if not result.breaches:
        click.echo("no limit broke")
    for breach in result.breaches:
        click.echo(_breach_text(breach, started))
    if result.breaches:
        click.echo(
            f"limits broke {_times(len(result.inside))} inside the assumptions, {_times(len(result.outside))} outside"
        )


def _breach_text(breach: Breach, started: datetime) -> str:
    """One breach in words: `2026-01-31T18:00:12.031+00:00 (12.031 s), for 3.5 s: left L3 offered 21 A, limit 20 A`."""
    how_long = "to the end" if breach.until_ms is None else f"for {(breach.until_ms - breach.t_ms) / 1000:g} s"
    where = "network limit" if breach.circuit is None else breach.circuit
    own = breach.load_ma - breach.connectors_ma
    other = f" ({amps_text(own)} of it other load)" if own else ""
    side = "outside" if breach.outside else "inside"
    return (
        f"{_instant(started, breach.t_ms)} ({breach.t_ms / 1000:.10g} s), {how_long}: {where} {breach.line} "
        f"{breach.kind.value} {amps_text(breach.load_ma)}{other}, limit {amps_text(breach.limit_ma)}, "
        f"{side} the assumptions"
    )


def _instant(started: datetime, t_ms: int) -> str:
    return (started + timedelta(milliseconds=t_ms)).isoformat(timespec="milliseconds")


def _times(number: int) -> str:
    return counted(number, "time")
