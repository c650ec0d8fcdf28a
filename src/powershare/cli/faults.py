"""`powershare faults`: a network of nodes in virtual time, under storms of faults, every invariant looked at."""

import concurrent.futures
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from powershare.cli.ending import DONE, LIMIT, reading
from powershare.cli.output import (
    counted,
    note,
    on_terminal,
    output_directory,
    output_path,
    print_json,
    print_table,
    whole_path,
)
from powershare.errors import InputError
from powershare.files import TraceHeader, TraceWriter, faults_to_json, load_site
from powershare.files.text import read_text
from powershare.node import NetworkConfig
from powershare.simulation.network import (
    ABOUT,
    MOST_RUNS,
    Campaign,
    Outcome,
    Tally,
    names_of,
    parse,
    percentile_ms,
    shrink,
    tally,
)

if TYPE_CHECKING:
    from powershare.site import Site
    from powershare.trace import TraceEvent

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
"""When every run starts, so that the same seed writes the same trace."""

_TOLD = 10


def _seeds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> range | None:
    """A..B as a range, both included (a click callback)."""
    if value is None:
        return None
    first, dots, last = value.partition("..")
    try:
        found = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        raise click.BadParameter(f"'{value}' is no range of seeds; write 1..100.") from None
    if not found:
        raise click.BadParameter(f"'{value}' is empty; the second seed is below the first.")
    return found


def _names(_ctx: click.Context, _parameter: click.Parameter, value: str) -> frozenset[str] | None:
    try:
        return names_of(value)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


@click.command("faults", epilog="Faults: " + "; ".join(f"{name}: {words}" for name, words in ABOUT.items()) + ".")
@click.argument("site_file", metavar="SITE")
@click.option("--seed", type=int, help="Where everything accidental comes from; the same seed, the same bytes.  [1]")
@click.option("--seeds", metavar="A..B", callback=_seeds, help="Many seeds, one after the other, added up.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--loss", type=click.IntRange(0, 99), help="How many messages of a hundred get lost, whatever is drawn.")
@click.option(
    "--faults",
    "names",
    default="",
    metavar="NAMES",
    callback=_names,
    help="Which: names with commas between, none, inside (the assumptions), outside, all; left out: each seed draws "
    "some of those inside.",
)
@click.option(
    "--deeds",
    "deeds_file",
    metavar="FILE",
    help="Do what FILE says, a deed a line like those of a shrunk story, instead of what the seed would plan.",
)
@click.option(
    "--trace", metavar="FILE", callback=output_path, help="Write every change at every device; one seed only."
)
@click.option(
    "--traces", metavar="DIRECTORY", callback=output_directory, help="Of many seeds: each its own DIRECTORY/SEED.jsonl."
)
@click.option("--jobs", type=click.IntRange(1), help="Processes at work for many seeds.  [as many as processors]")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object (powershare/faults/1).")
def command(
    site_file: str,
    seed: int | None,
    seeds: range | None,
    hours: float,
    loss: int | None,
    names: frozenset[str] | None,
    deeds_file: str | None,
    trace: Path | None,
    traces: Path | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Let storms of faults loose on a network of nodes for so many network hours each.

    SITE is a site file; every connector is a node. After every event every invariant is looked at. When anything breaks
    that must hold, the exit code is 3, and the first failing seed is shrunk to a short story.
    """
    if seed is not None and seeds is not None:
        raise click.UsageError("Give --seed or --seeds, not both.")
    if trace is not None and seeds is not None:
        raise click.UsageError("--trace is for one seed; give --seed, or --traces DIRECTORY.")
    if traces is not None and seeds is None:
        raise click.UsageError("--traces is for many seeds; give --seeds, or --trace FILE.")
    with reading(site_file):
        site = load_site(Path(site_file))
        config = NetworkConfig(site=site)
    make = partial(Campaign, config, hours=hours, names=names, loss_percent=loss)
    with contextlib.ExitStack() as stack:
        if deeds_file is not None:
            stack.enter_context(reading(deeds_file))
            make = partial(make, deeds=tuple(parse(read_text(Path(deeds_file)).splitlines())))
        return _run(make, config, seed, seeds, trace or traces, jobs or os.cpu_count() or 1, as_json=as_json)


def _run(
    make: Callable[..., Campaign],
    config: NetworkConfig,
    seed: int | None,
    seeds: range | None,
    trace: Path | None,
    jobs: int,
    *,
    as_json: bool,
) -> int:
    """Run one seed or many, say what they gave, and how it ends."""
    started = time.monotonic()
    if seeds is None:
        total, outcome = _one(make, 1 if seed is None else seed, config.site, trace)
        if outcome.broken:
            _tell_story(config, make, outcome)
    else:
        total = _many(make, seeds, config.site, trace, jobs)
        if total.failing:
            note(f"failing: {', '.join(map(str, total.failing[:_TOLD]))}; run one with --seed to have its story")
    wall_s = time.monotonic() - started
    if as_json:
        print_json(faults_to_json(total, wall_s))
    else:
        _show(total, wall_s)
    return LIMIT if total.broken else DONE


def _one(make: Callable[..., Campaign], seed: int, site: "Site", trace: Path | None) -> tuple[Tally, Outcome]:
    """One seed, with its trace where that is wanted."""
    with contextlib.ExitStack() as stack:
        listener: Callable[[TraceEvent], None] | None = None
        if trace is not None:
            part = stack.enter_context(whole_path(trace))
            listener = stack.enter_context(TraceWriter(part, TraceHeader(site, STARTED))).write
        return tally(make(seed, on_event=listener))


def _tally_of(make: Callable[..., Campaign], site: "Site", traces: Path | None, seed: int) -> Tally:
    return _one(make, seed, site, None if traces is None else traces / f"{seed}.jsonl")[0]


def _many(make: Callable[..., Campaign], seeds: range, site: "Site", traces: Path | None, jobs: int) -> Tally:
    """Many seeds, in processes of their own; added up in order, so that the sum is always the same."""
    total, one_tally = Tally(), partial(_tally_of, make, site, traces)
    if traces is not None:
        traces.mkdir(parents=True, exist_ok=True)
    with _progress(len(seeds), "seeds") as advance:
        if jobs == 1 or len(seeds) == 1:
            for seed in seeds:
                total += one_tally(seed)
                advance()
            return total
        with concurrent.futures.ProcessPoolExecutor(min(jobs, len(seeds))) as pool:
            for one in pool.map(one_tally, seeds):
                total += one
                advance()
    return total


def _tell_story(config: NetworkConfig, make: Callable[..., Campaign], outcome: Outcome) -> None:
    """What broke, and the fewest deeds that still break something."""
    for failure in outcome.failures[:_TOLD]:
        note(f"{failure.t_ms / 1000:.3f} s: {failure.invariant}, {failure.member}: {failure.text}")
    for breach in outcome.audit.inside[:_TOLD]:
        where = breach.circuit or "network limit"
        over = f"{breach.load_ma / 1000:g} A {breach.kind.value} on {breach.limit_ma / 1000:g} A"
        note(f"{breach.t_ms / 1000:.3f} s: {where} {breach.line}: {over}")
    deeds = make(outcome.seed).deeds
    note(
        f"looking for the fewest of {counted(len(deeds), 'deed')} that still break something: {MOST_RUNS} runs at most"
    )
    with _progress(MOST_RUNS, "runs") as advance:
        kept, broken_ms = shrink(config, outcome.storm, outcome.seed, outcome, deeds, on_run=lambda *_: advance())
    note(f"shrunk from {counted(len(deeds), 'deed')} to {len(kept)}; something breaks at {broken_ms / 1000:.3f} s:")
    for deed in kept:
        note(f"  {deed}")


@contextlib.contextmanager
def _progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where a person sees it."""
    if not on_terminal(sys.stderr):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.update(task, advance=1)


def _show(total: Tally, wall_s: float) -> None:
    for name, value in _figures(total, wall_s):
        click.echo(f"{name:<26}{value}")
    click.echo()
    print_table(
        ("invariant", "looked at", "failed", "outside the assumptions"),
        [(name, f"{one.checked:,}", f"{one.failed:,}", f"{one.outside:,}") for name, one in total.invariants.items()],
        right=(1, 2, 3),
    )


def _figures(total: Tally, wall_s: float) -> Iterator[tuple[str, str]]:
    speed = total.connector_hours / wall_s if wall_s else 0.0
    yield "seeds", f"{len(total.seeds):,}, of which {len(total.failing):,} fail"
    yield "simulated", f"{total.connector_hours:,.1f} connector-hours in {wall_s:.1f} s ({speed:.1f} a second)"
    yield "events", f"{total.events:,}, {total.messages:,} messages of which {total.lost:,} lost"
    yield "faults", f"{total.crashes:,} crashes, {total.partitions:,} partitions, {total.leader_changes:,} leaderships"
    yield "limits broken", f"{total.limits_broken:,}"
    if total.outside or total.outside_limits_broken:
        done = ", ".join(f"{count} {word}" for word, count in sorted(total.outside.items()))
        back = f"{total.outside_limits_broken:,} limits broken, the longest for {total.back_under_ms / 1000:.1f} s"
        yield "outside the assumptions", f"{done or 'nothing done'}; {back}"
    yield "amps served", f"{total.served_percent:.2f} % of what ideal control serves"
    for name, times_ms in (
        ("leader lost, to the next", total.takeovers_ms),
        ("to all offers as due", total.recoveries_ms),
    ):
        middle, late = (percentile_ms(times_ms, percent) for percent in (50, 95))
        if middle is not None and late is not None:
            yield name, f"{middle / 1000:.1f} s in the median, {late / 1000:.1f} s in 95 of 100 ({len(times_ms)} times)"
