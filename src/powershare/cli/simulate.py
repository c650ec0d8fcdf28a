"""`powershare simulate`: replay charging sessions in virtual time."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import click

from powershare.cli.currents import Currents
from powershare.cli.ending import DONE, LIMIT, reading
from powershare.cli.output import (
    counted,
    note,
    on_terminal,
    output_path,
    print_json,
    print_table,
    whole_path,
)
from powershare.cli.plot import STRETCHES, draw, picture_path
from powershare.files import TraceHeader, TraceWriter, load_sessions, load_site, simulation_to_json
from powershare.policy import OrderName
from powershare.simulation.replay import Replay
from powershare.units import amps_text

if TYPE_CHECKING:
    from powershare.simulation import Sessions, SimulationReport
    from powershare.site import Site
    from powershare.trace import TraceEvent

ORDERS: Final[tuple[OrderName, ...]] = ("fair", "priority", "deadline")
_SKIPPED_SHOWN = 20


@click.command("simulate")
@click.argument("site_file", metavar="SITE")
@click.argument("sessions_file", metavar="SESSIONS")
@click.option(
    "--policy",
    "order",
    type=click.Choice(ORDERS),
    default="fair",
    show_default=True,
    help="Share fairly, by priority, or by departure.",
)
@click.option(
    "--plot", metavar="FILE", callback=output_path, help="Draw the currents against the limits (.png or .svg)."
)
@click.option(
    "--trace", metavar="FILE", callback=output_path, help="Write every change at every device (powershare/trace/1)."
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object (powershare/simulation/1).")
def command(
    site_file: str,
    sessions_file: str,
    order: OrderName,
    plot: Path | None,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Replay charging sessions on a site in virtual time, and report how they fare.

    SITE is a site file, SESSIONS a CSV file of sessions. The exit code is 3 when a limit broke.
    """
    if plot is not None:
        picture_path(plot)
    with reading(site_file):
        site = load_site(Path(site_file))
    with reading(sessions_file):
        sessions = load_sessions(Path(sessions_file))
    _note_skipped(sessions_file, sessions)
    title = f"{site.name or Path(site_file).stem}, {Path(sessions_file).name}, policy {order}"
    report = _run(site, sessions, sessions_file, order, (plot, title), trace)
    if as_json:
        print_json(simulation_to_json(report))
    else:
        _show(report)
    return LIMIT if report.limits_broken or report.outside else DONE


def _note_skipped(sessions_file: str, sessions: "Sessions") -> None:
    for problem in sessions.skipped[:_SKIPPED_SHOWN]:
        note(f"{sessions_file}: {problem}")
    if len(sessions.skipped) > _SKIPPED_SHOWN:
        note(f"{sessions_file}: and {counted(len(sessions.skipped) - _SKIPPED_SHOWN, 'more row')} skipped")


def _run(
    site: "Site",
    sessions: "Sessions",
    sessions_file: str,
    order: OrderName,
    picture: tuple[Path | None, str],
    trace: Path | None,
) -> "SimulationReport":
    """Replay, while whoever wants to listens: the trace, the picture, the progress bar."""
    listeners: list[Callable[[TraceEvent], None]] = []
    plot, title = picture
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        if trace is not None:
            part = stack.enter_context(whole_path(trace))
            writer = stack.enter_context(TraceWriter(part, TraceHeader(site, sessions.started)))
            listeners.append(writer.write)
        progress = stack.enter_context(_progress())
        with reading(sessions_file):
            run = Replay(site, sessions, order=order, on_event=_to_all(listeners), on_progress=progress)
        currents = Currents(site, run.first_ms, run.last_ms, STRETCHES) if plot is not None else None
        if currents is not None:
            listeners.append(currents.feed)
        run.run()
        report = attrs.evolve(run.report(), wall_s=round(time.monotonic() - started, 3))
        if currents is not None and plot is not None:
            currents.finish(run.last_ms)
            draw(currents, sessions.started, title, plot)
    return report


def _to_all(listeners: "list[Callable[[TraceEvent], None]]") -> "Callable[[TraceEvent], None]":
    def tell(event: "TraceEvent") -> None:
        for listener in listeners:
            listener(event)

    return tell


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error, where a person sees it."""
    if not on_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sessions", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: "SimulationReport") -> None:
    for name, value in _figures(report):
        click.echo(f"{name:<24}{value}")
    click.echo()
    print_table(
        ("circuit", "line", "limit", "most drawn"),
        [
            (
                "network limit" if peak.circuit is None else peak.circuit,
                str(peak.line),
                amps_text(peak.limit_ma),
                amps_text(peak.peak_ma),
            )
            for peak in report.peaks
        ],
        right=(2, 3),
    )


def _figures(report: "SimulationReport") -> Iterator[tuple[str, str]]:
    share = 100 * report.energy_delivered_kwh / report.energy_asked_kwh if report.energy_asked_kwh else 100.0
    yield "sessions", f"{report.sessions:,}, of which {report.sessions_met:,} got all they asked for"
    yield "energy asked", f"{report.energy_asked_kwh:,.1f} kWh"
    yield "energy delivered", f"{report.energy_delivered_kwh:,.1f} kWh ({share:.2f} %)"
    yield "time", f"{report.simulated_s / 86_400:,.1f} days, replayed in {report.wall_s:.1f} s"
    yield (
        "limits broken",
        f"{report.limits_broken}" + (f", and {report.outside} outside the assumptions" if report.outside else ""),
    )
    yield "a limit bound", f"{report.binding_percent:.1f} % of the time in which a car was connected"
    yield "changes of an offer", f"{report.offer_changes:,}"
    yield "most pauses", f"{report.pauses_most} in one session"
    yield "longest wait", f"{report.longest_wait_s / 60:.0f} min without an offer"
    if report.unsendable_offers:
        yield "unsendable offers", f"{report.unsendable_offers}, which should not be: please report it"
    if report.skipped_rows:
        yield "rows skipped", f"{report.skipped_rows}"
