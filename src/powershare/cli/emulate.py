"""`powershare emulate`: devices of one kind on a wire of their own, with vehicles, in real time."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click

from powershare import registry
from powershare.adapter import Clock, HostClock
from powershare.cli.emulate_plan import Deed, all_at_once, evening, failure_message, script
from powershare.cli.emulate_site import emulated_site, must_be_connectors, with_addresses
from powershare.cli.emulate_trace import Recorder
from powershare.cli.ending import DONE, reading
from powershare.cli.output import counted, note, output_path, print_json
from powershare.emulation import Emulator
from powershare.files import TraceHeader, TraceWriter, dump_site, load_site
from powershare.simulation.outlet import Outlet
from powershare.site import Site
from powershare.units import amps_text

SCHEMA = "powershare/emulation/1"
_LOOK_MS = 50
"""How often to look at least: an order over the wire may bring a change nearer."""
_SECONDS = re.compile(r"\d{1,7}(\.\d{1,3})?", re.ASCII)


def _settings(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE as a mapping (a click callback)."""
    settings: dict[str, str] = {}
    for pair in value:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{pair}' is no setting; write KEY=VALUE.")
        if key in settings:
            raise click.BadParameter(f"'{key}' is given twice.")
        settings[key] = text
    return settings


def _failures(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[Deed]:
    """UNIT=FAILURE@SECONDS as deeds (a click callback)."""
    deeds = []
    for text in value:
        unit, _, what = text.partition("=")
        failure, _, after = what.rpartition("@")
        if not (failure and unit.isascii() and unit.isdecimal() and _SECONDS.fullmatch(after)):
            raise click.BadParameter(f"'{text}' is no failure; write UNIT=FAILURE@SECONDS.")
        deeds.append(Deed(t_ms=round(float(after) * 1000), unit=int(unit), failure=failure))
    return deeds


def _ids(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(filter(None, map(str.strip, value.split(","))))


@attrs.frozen(kw_only=True)
class _Wanted:
    """What the command line asks for, read and checked as far as it can be before there is an emulator."""

    kind: str
    units: int
    settings: Mapping[str, str]
    site: Site | None
    connectors: tuple[str, ...]
    vehicles: str
    failures: Sequence[Deed]
    seconds: float | None
    seed: int
    trace: Path | None
    print_site: bool


@click.command("emulate")
@click.argument("kind", metavar="KIND")
@click.option("--units", type=click.IntRange(1, 247), help="How many.  [as many as connectors are named, else 1]")
@click.option("--site", "site_file", metavar="SITE", help="The site whose connectors they are.")
@click.option("--connectors", metavar="A,B,...", callback=_ids, help="Which of its connectors.  [the first, in order]")
@click.option("--trace", metavar="FILE", callback=output_path, help="Write every change at every unit, as it happens.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, callback=_settings, help="The kind's own setting."
)
@click.option(
    "--vehicles",
    default="all",
    show_default=True,
    metavar="none|all|evening|FILE",
    help="none; all: one for each unit at the start; evening: they come and go; FILE: as it says.",
)
@click.option(
    "--fail",
    "failures",
    metavar="UNIT=FAILURE@SECONDS",
    multiple=True,
    callback=_failures,
    help="Begin a failure, or end it with none. The first unit is 0.",
)
@click.option("--seconds", type=click.FloatRange(0), help="How long.  [until it is interrupted]")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another number, other vehicles.")
@click.option("--print-site", is_flag=True, help="Print a site file of the units in place of the JSON line.")
def command(
    kind: str,
    units: int | None,
    site_file: str | None,
    connectors: tuple[str, ...],
    trace: Path | None,
    settings: dict[str, str],
    vehicles: str,
    failures: list[Deed],
    seconds: float | None,
    seed: int,
    print_site: bool,
) -> int:
    """Emulate devices of one kind, on the wire and in real time.

    KIND is an emulator that some installed adapter brings along. Once the units listen, one line of JSON on standard
    output says at which addresses a site file reaches them. The trace is written by the units themselves.
    """
    site = None
    if site_file is not None:
        with reading(site_file):
            site = load_site(site_file)
    units, connectors = _who(units, site, connectors)
    wanted = _Wanted(
        kind=kind,
        units=units,
        settings=settings,
        site=site,
        connectors=connectors,
        vehicles=vehicles,
        failures=failures,
        seconds=seconds,
        seed=seed,
        trace=trace,
        print_site=print_site,
    )
    return asyncio.run(_Emulation(wanted, HostClock()).run())


def _who(units: int | None, site: Site | None, connectors: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """How many units, and which connectors they are."""
    if connectors and site is not None:
        unknown = [name for name in connectors if name not in site.connector_by_id]
        if unknown:
            raise click.BadParameter(f"the site has no connector {', '.join(unknown)}.", param_hint="--connectors")
    if len(set(connectors)) < len(connectors):
        raise click.BadParameter("a connector is named twice.", param_hint="--connectors")
    if not connectors and site is not None:
        connectors = tuple(connector.id for connector in site.connectors)[:units]
    if units is None:
        units = len(connectors) or 1
    if not connectors:
        connectors = tuple(f"unit{number}" for number in range(units))
    if units != len(connectors):
        message = f"{counted(units, 'unit')}, but {counted(len(connectors), 'connector')} to be; give as many."
        raise click.BadParameter(message, param_hint="--units")
    return units, connectors


class _Emulation:
    """One run of the command."""

    def __init__(self, wanted: _Wanted, clock: Clock) -> None:
        self._wanted, self._clock = wanted, clock
        self._recorder: Recorder | None = None
        self._unwritable: OSError | None = None
        self._emulator = self._build()
        self._deeds = self._plan(self._emulator)

    def _build(self) -> Emulator:
        wanted = self._wanted
        return registry.create_emulator(
            wanted.kind, wanted.settings, units=wanted.units, clock=self._clock, changed=self._changed
        )

    def _plan(self, emulator: Emulator) -> Iterator[Deed]:
        wanted = self._wanted
        failures, outlets = emulator.failures, emulator.outlets
        for deed in wanted.failures:
            if not 0 <= deed.unit < len(outlets):
                raise click.BadParameter(f"there is no unit {deed.unit}; the first is 0.", param_hint="--fail")
            if (message := failure_message(deed.failure or "", failures)) is not None:
                raise click.BadParameter(f"{message}.", param_hint="--fail")
        plan: Iterator[Deed]
        if wanted.vehicles == "none":
            plan = iter(())
        elif wanted.vehicles == "all":
            plan = all_at_once(wanted.units, wanted.seed)
        elif wanted.vehicles == "evening":
            plan = evening(wanted.units, wanted.seed)
        else:
            with reading(wanted.vehicles):
                plan = iter(script(Path(wanted.vehicles), outlets, failures))
        return _merged(plan, wanted.failures)

    def _changed(self, unit: int, outlet: Outlet, at_ms: int, word: str | None) -> None:
        if self._recorder is None or self._unwritable is not None:
            return
        try:
            self._recorder.changed(unit, outlet, at_ms, word)
        except OSError as error:  # raised here it would end somewhere in the emulator
            self._unwritable = error

    async def run(self) -> int:
        """Listen, and let everything happen until it is over."""
        emulator, ended, loop = self._emulator, asyncio.Event(), asyncio.get_running_loop()
        before = signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(ended.set))
        try:
            with contextlib.ExitStack() as files:
                try:
                    await emulator.start()
                    self._listen(files)
                    await self._go_on(ended)
                finally:
                    await emulator.stop()
        finally:
            signal.signal(signal.SIGTERM, before)
        return DONE

    def _listen(self, files: contextlib.ExitStack) -> None:
        """Begin the trace, and say where the units are."""
        wanted, emulator = self._wanted, self._emulator
        addresses = list(emulator.addresses)
        if wanted.site is None:
            site = emulated_site(wanted.kind, wanted.connectors, emulator, self._clock)
        else:
            site = with_addresses(wanted.site, wanted.connectors, addresses)
        if wanted.trace is not None:
            header = TraceHeader(wanted.site or site, datetime.now(UTC), "monotonic")
            writer = files.enter_context(TraceWriter(wanted.trace, header, live=True))
            self._recorder = Recorder(self._clock, site, wanted.connectors, writer.write)
            for number, outlet in enumerate(emulator.outlets):
                self._recorder.changed(number, outlet, self._clock.now_ms(), "starts")
        note(f"{counted(wanted.units, 'unit')} of {wanted.kind} at {', '.join(dict.fromkeys(addresses))}")
        if wanted.print_site:
            must_be_connectors(addresses, self._clock)
            click.echo(dump_site(site), nl=False)
            return
        print_json(
            {
                "schema": SCHEMA,
                "kind": wanted.kind,
                "addresses": addresses,
                "connectors": list(wanted.connectors),
                "failures": dict(emulator.failures),
                "trace": None if wanted.trace is None else str(wanted.trace),
            }
        )

    async def _go_on(self, ended: asyncio.Event) -> None:
        """Do what is due, look at the units, wait for what is due next."""
        clock, wanted, outlets = self._clock, self._wanted, self._emulator.outlets
        started_ms = clock.now_ms()
        ends_ms = None if wanted.seconds is None else started_ms + round(wanted.seconds * 1000)
        deed = next(self._deeds, None)
        while not ended.is_set() and (ends_ms is None or clock.now_ms() < ends_ms):
            if self._unwritable is not None:
                raise self._unwritable
            while deed is not None and started_ms + deed.t_ms <= clock.now_ms():
                self._do(deed)
                deed = next(self._deeds, None)
            now_ms = clock.now_ms()
            for outlet in outlets:
                outlet.advance(now_ms)
            due_ms = [at_ms for outlet in outlets if (at_ms := outlet.next_ms()) is not None]
            if self._recorder is not None:
                self._recorder.look(outlets, now_ms)
                due_ms += [at_ms] if (at_ms := self._recorder.due_ms()) is not None else []
            due_ms += [now_ms + _LOOK_MS, *([] if ends_ms is None else [ends_ms])]
            due_ms += [] if deed is None else [started_ms + deed.t_ms]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(1, min(due_ms) - now_ms) / 1000):
                    await ended.wait()

    def _do(self, deed: Deed) -> None:
        outlet, now_ms = self._emulator.outlets[deed.unit], self._clock.now_ms()
        at = f"{deed.t_ms / 1000:g} s: unit {deed.unit}"
        if deed.plug_in is not None:
            traits = deed.plug_in
            outlet.plug_in(traits, deed.energy_wh, now_ms)
            note(f"{at}: a vehicle for {amps_text(traits.max_ma)} and {deed.energy_wh / 1000:g} kWh is plugged in")
        elif deed.failure is None:
            outlet.unplug(now_ms)
            note(f"{at}: unplugged")
        else:
            ends = deed.failure == "none"  # a mark begins before what it excuses, and ends after it
            if ends:
                self._emulator.fail(deed.unit, deed.failure)
            if self._recorder is not None:
                self._recorder.failed(deed.unit, outlet, now_ms, deed.failure, self._emulator.failures)
            if not ends:
                self._emulator.fail(deed.unit, deed.failure)
            note(f"{at}: failure {deed.failure}")


def _merged(plan: Iterator[Deed], failures: Sequence[Deed]) -> Iterator[Deed]:
    """Both in order of time; the plan may go on for ever."""
    waiting = sorted(failures, key=lambda deed: deed.t_ms)
    for deed in plan:
        while waiting and waiting[0].t_ms <= deed.t_ms:
            yield waiting.pop(0)
        yield deed
    yield from waiting
