"""`powershare demo`: six emulated connectors share one feeder for an evening, in a few seconds."""

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from powershare.cli.chart import area, levels_for, sparkline
from powershare.cli.currents import Currents, Envelope
from powershare.cli.ending import DONE, LIMIT
from powershare.cli.output import counted, note, on_terminal, output_path, print_table
from powershare.simulation.evening import STARTED, ConnectorView, Evening, Frame
from powershare.trace import ConnectorEvent, TraceEvent
from powershare.units import amps_text

if TYPE_CHECKING:
    from rich.console import Group

    from powershare.simulation import SimulationReport

SHOW_S = 5.0
"""How long the evening takes to watch."""

_COLUMNS, _ROWS = 60, 8
_EVERY_MS = 120_000
_STILLS_MINUTES = (40, 80, 140)
"""What is shown of the evening where nothing can move."""

_HEADERS = ("connector", "car", "offered", "drawn", "energy", "bound by", "offered over the evening")

_WIDTHS = (9, 8, 7, 6, 15, 16, 30)  # so that nothing moves but what changes


@click.command("demo")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another number, another evening.")
@click.option(
    "--svg", metavar="FILE", callback=output_path, help="Also draw who drew how much, against the limit, as SVG."
)
def command(seed: int, svg: Path | None) -> int:
    """Six emulated connectors on one feeder share an evening.

    Needs no file, no hardware and no adapter. The cars come home one after another, take what they are offered, taper
    and sleep as cars do; every amp is decided by the same allocator and policy that a real site has.
    """
    show = Show(seed)
    if on_terminal(sys.stdout):
        _play(show)
    else:
        _print_stills(show)
    report = show.evening.report()
    click.echo()
    for line in _summary(show, report):
        click.echo(line)
    if svg is not None:
        from powershare.cli.demo_svg import draw

        draw(show.evening, svg)
        note(f"drawn: {svg}")
    return LIMIT if report.limits_broken else DONE


class Show:
    """The evening, and what has been seen of it up to now."""

    def __init__(self, seed: int) -> None:
        self.evening = Evening(seed, on_event=self._note)
        ends_ms = self.evening.ends_ms
        site = self.evening.site
        self.limit_ma = site.circuits[0].usable_limit_ma(site.supply.lines[0])[0]
        self.currents = Currents(site, 0, ends_ms, _COLUMNS)
        width_ms = self.currents.width_ms
        self._short = {connector.id: Envelope(0, 2 * width_ms, _COLUMNS // 2) for connector in site.connectors}
        self._reached_ms = 0
        self._got_wh: dict[str, tuple[int, int]] = {}
        self.levels = levels_for(sys.stdout)

    def _note(self, event: TraceEvent) -> None:
        self.currents.feed(event)
        if isinstance(event, ConnectorEvent):
            self._short[event.connector].change(event.t_ms, event.pilot_ma)

    def frames(self) -> Iterator[Frame]:
        """The evening, look by look."""
        for frame in self.evening.frames(_EVERY_MS):
            self._reached_ms = frame.t_ms
            self.currents.finish(frame.t_ms)
            came = {connector for connector, series in self.evening.series.items() if series.t_ms}
            if any(view.connector in came - self._got_wh.keys() for view in frame.connectors if view.state == "A"):
                for outcome in self.evening.report().outcomes:
                    session = outcome.session
                    self._got_wh[session.connector] = (outcome.delivered_wh, session.energy_wh)
            for envelope in self._short.values():
                envelope.reach(frame.t_ms)
            yield frame

    def rows(self, frame: Frame) -> list[tuple[str, ...]]:
        """The table of one look: a row per connector."""
        full_ma = max(connector.max_offer_ma for connector in self.evening.site.connectors)
        seen = max(1, self._reached_ms // (2 * self.currents.width_ms))
        return [
            (
                view.connector,
                _car(view, left=view.connector in self._got_wh),
                amps_text(view.offered_ma) if view.state != "A" else "",
                f"{view.drawn_ma / 1000:.1f} A" if view.state != "A" else "",
                self._energy(view),
                _bound(view),
                sparkline(self._short[view.connector].greatest_ma[:seen], full_ma, self.levels),
            )
            for view in frame.connectors
        ]

    def _energy(self, view: ConnectorView) -> str:
        """What the car has got up to now, or had got when it left."""
        got_wh, asked_wh = self._got_wh.get(view.connector, (view.delivered_wh, view.asked_wh))
        return f"{got_wh / 1000:.1f} of {asked_wh / 1000:.1f} kWh" if asked_wh else ""

    def picture(self) -> Sequence[str]:
        """What the feeder carries, against its limit, up to now."""
        panel = self.currents.panels[0]
        drawn_ma = [max(lines) for lines in zip(*(line.greatest_ma for line in panel.drawn), strict=True)]
        hours = range(self.evening.ends_ms // 3_600_000 + 1)
        width = _COLUMNS // (len(hours) - 1)
        clock = "".join(f"{STARTED + timedelta(hours=hour):%H:%M}".ljust(width) for hour in hours)
        return [*area(drawn_ma, self.limit_ma, _ROWS, self.levels), " " * 9 + clock.rstrip()]

    def headline(self, frame: Frame) -> str:
        """Time and sums of one look."""
        return (
            f"{STARTED + timedelta(milliseconds=frame.t_ms):%H:%M}  feeder: offered {amps_text(frame.offered_ma)}, "
            f"drawn {frame.drawn_ma / 1000:.1f} A, limit {amps_text(frame.limit_ma)} "
            f"(80 % of the {amps_text(self.evening.site.circuits[0].breaker_ma or 0)} breaker)"
        )


def _car(view: ConnectorView, *, left: bool) -> str:
    if view.state in "CD":
        return "charging"
    if view.state == "B":
        return ("asleep" if view.offered_ma else "waiting") if view.wants else "full"
    if view.state in "EF":
        return "out of order"
    return "left" if left else "none"


def _bound(view: ConnectorView) -> str:
    if view.bound_by is None or not view.offered_ma:
        return ""
    who = "the car" if view.bound_by.kind.value == "vehicle" else (view.bound_by.id or "the network")
    return f"{who}, {amps_text(view.bound_by.limit_ma)}"


def _play(show: Show) -> None:
    """The evening as a film on the terminal; its last picture stays."""
    from rich.console import Console
    from rich.live import Live

    looks = show.evening.ends_ms // _EVERY_MS + 1
    started = time.monotonic()
    with Live(console=Console(), auto_refresh=False) as live:
        for number, frame in enumerate(show.frames(), 1):
            live.update(_screen(show, frame), refresh=True)
            time.sleep(max(0.0, started + SHOW_S * number / looks - time.monotonic()))


def _screen(show: Show, frame: Frame) -> "Group":
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, header in enumerate(_HEADERS):
        justify: Literal["left", "right"] = "right" if place in (2, 3, 4) else "left"
        table.add_column(header, justify=justify, no_wrap=True, min_width=_WIDTHS[place])
    for row in show.rows(frame):
        *cells, spark = row
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells), Text(spark, style="cyan"))
    top, *rest = show.picture()
    picture = Text("\n".join(rest), style="cyan")
    return Group(Text(show.headline(frame), style="bold"), table, Text(top, style="red"), picture)


_STYLES = {"charging": "green", "waiting": "yellow", "asleep": "magenta", "full": "blue", "none": "dim", "left": "dim"}


def _print_stills(show: Show) -> None:
    """A few looks at the evening, and the picture of all of it, where nothing can move."""
    for frame in show.frames():
        if frame.t_ms // 60_000 in _STILLS_MINUTES:
            click.echo(show.headline(frame))
            print_table(_HEADERS, show.rows(frame), right=(2, 3, 4))
            click.echo()
    click.echo("drawn on the feeder")
    for line in show.picture():
        click.echo(line)


def _summary(show: Show, report: "SimulationReport") -> Iterator[str]:
    peak_ma = max(peak.peak_ma for peak in report.peaks)
    panel = show.currents.panels[0]
    offered_ma = max(max(envelope.greatest_ma) for envelope in panel.offered)
    yield (
        f"{counted(report.sessions, 'car')}, {report.sessions_met} got all they asked for: "
        f"{report.energy_delivered_kwh:.1f} of {report.energy_asked_kwh:.1f} kWh in {report.simulated_s / 3600:.1f} h"
    )
    yield (
        f"at most {amps_text(peak_ma)} drawn and {amps_text(offered_ma)} offered, against a limit of "
        f"{amps_text(show.limit_ma)}; "
        + (f"broken {counted(report.limits_broken, 'time')}" if report.limits_broken else "never above it")
    )
    paused = f"no car paused more than {counted(report.pauses_most, 'time')}" if report.pauses_most else "no car paused"
    yield (
        f"{counted(report.offer_changes, 'change')} of an offer, {paused}, "
        f"longest wait without an offer {report.longest_wait_s / 60:.0f} min"
    )
