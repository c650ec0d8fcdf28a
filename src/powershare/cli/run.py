"""`powershare run`: regulate the connectors of a site, on the adapters that it names."""

import asyncio
import secrets
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from powershare import registry
from powershare.adapter import Adapter, Clock, HostClock
from powershare.addressing import whole
from powershare.bridging import Bridge, Bridges, keep
from powershare.cli.ending import DONE, INTERRUPTED, Refused, printable, reading
from powershare.cli.output import counted, on_terminal, output_path
from powershare.driver import Driver, Recorder, rehearsed
from powershare.errors import AdapterNotInstalled, InputError, Problem
from powershare.files import TraceHeader, load_site
from powershare.metering import MeterAdapter
from powershare.policy import OrderName
from powershare.site import Connector, Site
from powershare.trace import ConnectorEvent

if TYPE_CHECKING:
    from powershare.cli.run_table import Screen

_SHOW_S = 1.0
"""How often the table is drawn anew."""


@attrs.frozen(kw_only=True)
class Wanted:
    """What the command line asks for; see the options' own words."""

    site: Site
    dry_run: bool
    emulate: bool
    order: OrderName
    trace: Path | None
    metrics: tuple[str, int] | None
    seconds: float | None
    bridges: tuple[str, ...] = ()


def metrics_address(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """[HOST:]PORT (a click callback)."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    try:
        return host.strip("[]") or "127.0.0.1", whole(0, 65_535)(port)
    except ValueError:
        raise click.BadParameter(f"'{value}' is no port; write [HOST:]PORT.") from None


@click.command("run")
@click.argument("site_file", metavar="SITE")
@click.option("--dry-run", is_flag=True, help="Ask the devices, tell them nothing, and say what they would be told.")
@click.option("--emulate", is_flag=True, help="Emulate the connectors that name no adapter.")
@click.option(
    "--policy",
    "order",
    type=click.Choice(["fair", "priority", "deadline"]),
    default="fair",
    show_default=True,
    help="Who comes first where there is not enough.",
)
@click.option("--trace", metavar="FILE", callback=output_path, help="Write what the devices report, as it happens.")
@click.option("--metrics", metavar="[HOST:]PORT", callback=metrics_address, help="Serve metrics to Prometheus there.")
@click.option("--bridge", "bridges", metavar="ADDRESS", multiple=True, help="Show it there, and be limited from there.")
@click.option("--seconds", type=click.FloatRange(0), help="How long.  [until it is interrupted]")
def command(
    site_file: str,
    dry_run: bool,
    emulate: bool,
    order: OrderName,
    trace: Path | None,
    metrics: tuple[str, int] | None,
    bridges: tuple[str, ...],
    seconds: float | None,
) -> int:
    """Regulate the connectors of a site until interrupted; then every device is left at its fallback.

    SITE names an adapter for each connector. A person who looks sees a table of what is offered and drawn; words about
    devices go to standard error in any case. A second interruption lets go of the devices at once.
    """
    with reading(site_file):
        site = load_site(site_file)
        _need_adapters(site, emulate=emulate)
    wanted = Wanted(
        site=site,
        dry_run=dry_run,
        emulate=emulate,
        order=order,
        trace=trace,
        metrics=metrics,
        seconds=seconds,
        bridges=bridges,
    )
    try:
        return asyncio.run(Run(wanted, HostClock()).run())
    except InputError as error:
        if isinstance(error, Refused):
            raise
        raise Refused(site_file, error.problems) from error


def _need_adapters(site: Site, *, emulate: bool) -> None:
    without = [connector.id for connector in site.connectors if connector.adapter is None]
    if without and not emulate:
        message = "is missing; name how the device is reached, or try it out with --emulate"
        raise InputError(Problem(f'connector "{name}"', "adapter", message) for name in without)


class Run:
    """One run of the command."""

    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self._wanted, self._clock = wanted, clock
        self._started_ms, self._started = clock.now_ms(), datetime.now(UTC)
        self._recorder: Recorder | None = None
        self._told: dict[str, tuple[object, ...]] = {}
        self._screen: Screen | None = None
        self._signals, self._interrupted = 0, False
        self._bridges = self._build_bridges()
        self._bridging: list[asyncio.Task[None]] = []
        self._driver = self._build()

    def _build(self) -> Driver:
        """The driver of all that is wanted."""
        wanted = self._wanted
        return Driver(
            wanted.site,
            self._adapters(wanted.site.connectors),
            meters=self._meters(),
            clock=self._clock,
            boot=lambda: secrets.randbits(64),
            order=wanted.order,
            said=self._say,
            looked=self._looked,
        )

    def _adapters(self, connectors: Iterable[Connector]) -> Mapping[str, Adapter]:
        """Every connector's adapter; all that is wrong with their addresses at once."""
        problems: list[Problem] = []
        adapters: dict[str, Adapter] = {}
        for connector in connectors:
            address = connector.adapter or self._emulated(connector)
            try:
                adapter = registry.create_adapter(address, clock=self._clock)
            except InputError as error:
                problems.extend(Problem(f'connector "{connector.id}"', "adapter", str(one)) for one in error.problems)
                continue
            except AdapterNotInstalled as error:
                raise AdapterNotInstalled(f'connector "{connector.id}": {error}') from None
            if self._wanted.dry_run:
                adapter = rehearsed(adapter, self._clock, partial(self._say, connector.id))
            adapters[connector.id] = adapter
        if problems:
            raise InputError(problems)
        return adapters

    def _emulated(self, connector: Connector) -> str:
        """The address of an emulated device for a connector that names none."""
        return f"emulated:?lines={len(self._wanted.site.wiring[connector.id].lines)}"

    def _meters(self) -> Mapping[str, MeterAdapter]:
        return {
            meter.circuit: registry.create_meter(meter.adapter, clock=self._clock) for meter in self._wanted.site.meters
        }

    def _build_bridges(self) -> Mapping[str, Bridge]:
        """Every bridge, by its address; all that is wrong with their addresses at once."""
        problems: list[Problem] = []
        found: dict[str, Bridge] = {}
        for address in self._wanted.bridges:
            if address in found:
                problems.append(Problem(f'bridge "{address}"', "", "is written twice; once is enough"))
                continue
            try:
                found[address] = Bridges().create(address, clock=self._clock, said=self._say)
            except InputError as error:
                problems.extend(error.problems)
        if problems:
            raise Refused("--bridge", tuple(problems))
        return found

    async def run(self) -> int:
        """Regulate, and show it; answers the exit code."""
        wanted, stopping = self._wanted, asyncio.Event()
        async with AsyncExitStack() as stack:
            admission = await self._driver.prepare()
            for words in admission.notes:
                self._say("site", words)
            if wanted.trace is not None:
                header = TraceHeader(wanted.site, self._started, "monotonic")
                self._recorder = Recorder(wanted.trace, header, self._present, self._say)
                stack.callback(self._recorder.close)
            if wanted.metrics is not None:
                from powershare.cli.run_metrics import served

                url = stack.enter_context(served(self._driver, *wanted.metrics))
                self._say("metrics", f"served at {url}")
            await self._join(stack)
            regulating = asyncio.ensure_future(self._driver.run(stopping))
            stack.push_async_callback(self._end_bridges)
            self._bridging = [
                asyncio.ensure_future(keep(bridge, address, self._driver, self._say))
                for address, bridge in self._bridges.items()
            ]
            self._listen(stopping, regulating)
            self._say("site", f"regulates {counted(len(self._driver.handlers), 'connector')}")
            with ExitStack() as shown:
                if on_terminal(sys.stdout):
                    from powershare.cli.run_table import Screen

                    self._screen = shown.enter_context(Screen(self._driver))
                await self._watch(regulating, stopping)
            try:
                await regulating
            except asyncio.CancelledError:
                self._say("site", "let go of the devices as they were")
            for bridging in self._bridging:
                if bridging.done():
                    bridging.result()  # what a limit broke in this library
        return INTERRUPTED if self._interrupted else DONE

    async def _join(self, stack: AsyncExitStack) -> None:
        """Reach whoever else there is, until the stack ends; here there is nobody else."""

    async def _end_bridges(self) -> None:
        """Once nothing is regulated any more, so that the end can be seen on the other side, too."""
        for bridging in self._bridging:
            bridging.cancel()
        await asyncio.gather(*self._bridging, return_exceptions=True)

    async def _watch(self, regulating: "asyncio.Task[None]", stopping: asyncio.Event) -> None:
        """Draw, and end in time, until regulation ends."""
        seconds, elapsed_s = self._wanted.seconds, 0.0
        while not regulating.done():
            wait_s = _SHOW_S if seconds is None else min(_SHOW_S, max(0.0, seconds - elapsed_s))
            await asyncio.wait([regulating], timeout=wait_s or _SHOW_S)
            elapsed_s = (self._clock.now_ms() - self._started_ms) / 1000
            if (seconds is not None and elapsed_s >= seconds) or any(one.done() for one in self._bridging):
                stopping.set()
            if self._screen is not None:
                with suppress(OSError):
                    self._screen.draw()
            self._look()

    def _look(self) -> None:
        """Once a second, for whoever wants to say something then."""

    def _stops(self) -> None:
        """Somebody wants it to end, for whoever has to be told."""

    def _listen(self, stopping: asyncio.Event, regulating: "asyncio.Task[None]") -> None:
        """The first signal stops in order, a second one at once."""
        loop = asyncio.get_running_loop()

        def stop(*, interrupted: bool) -> None:
            self._signals += 1
            self._interrupted |= interrupted
            if self._signals > 1:
                regulating.cancel()
                return
            self._say("site", "brings the devices to their fallbacks; interrupt again to let go of them at once")
            stopping.set()
            self._stops()

        loop.add_signal_handler(signal.SIGINT, partial(stop, interrupted=True))
        for number in (signal.SIGTERM, signal.SIGHUP):  # the second: its terminal is gone
            loop.add_signal_handler(number, partial(stop, interrupted=False))

    # What is told

    def _say(self, about: str, words: str) -> None:
        line = printable(f"{datetime.now(UTC):%H:%M:%S} {about}: {' '.join(words.splitlines())}")
        # Words that nobody can take down, on a full disk or a pipe without an end, are no reason not to regulate.
        with suppress(OSError):
            if self._screen is not None:
                self._screen.say(line)
            else:
                click.echo(line, err=True)

    def _looked(self, name: str) -> None:
        if self._recorder is None:
            return
        event = self._event(name)
        told = (event.pilot_ma, event.drawn_ma, event.state, event.event)
        if told != self._told.get(name):
            self._told[name] = told
            self._recorder.write(event, self._clock.now_ms())

    def _present(self) -> Iterator[ConnectorEvent]:
        return (self._event(name) for name in self._driver.handlers)

    def _event(self, name: str) -> ConnectorEvent:
        """A connector's device as it reports itself; one that is not reached, at the most that it may offer."""
        actuator = self._driver.handlers[name].actuator
        report, pilot, now_ms = actuator.reading, actuator.pilot, self._clock.now_ms()
        t_ms = now_ms - self._started_ms
        if report is None:
            most_ma = actuator.most_offered_ma(now_ms)
            return ConnectorEvent(t_ms=t_ms, connector=name, pilot_ma=most_ma, drawn_ma=most_ma, event="silent")
        flows_ma = report.offered_ma if report.state in {"C", "D"} else 0
        until_ms = None if pilot is None or pilot.until_ms is None else pilot.until_ms - self._started_ms
        return ConnectorEvent(
            t_ms=t_ms,
            connector=name,
            pilot_ma=report.offered_ma,
            drawn_ma=flows_ma if report.drawn_ma is None else max(report.drawn_ma),
            state=report.state,
            event=None if pilot is None else pilot.why,
            term=self._driver.term_of(name),
            by=self._driver.leader_of(name) or self._driver.site.leader,
            valid_until_ms=until_ms,
            then_ma=None if pilot is None or until_ms is None else pilot.then_ma,
        )
