"""`powershare node`: the nodes of some members of a site in this process, which agree with those of other hosts."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import attrs
import click

from powershare import registry
from powershare.adapter import Clock, HostClock
from powershare.addressing import whole
from powershare.cli.ending import Refused, reading
from powershare.cli.node_process import MemberLocks, Service
from powershare.cli.output import output_path
from powershare.cli.run import Run, Wanted, metrics_address
from powershare.driver import Driver, Part, shared_timing
from powershare.driver.part import SLOWEST_WRITE_MS
from powershare.errors import InputError, Problem
from powershare.files import load_site
from powershare.metering import MeterAdapter
from powershare.networking import Address, Joining, Keys, Network, Networks, load_keys
from powershare.node import WITNESS
from powershare.policy import OrderName
from powershare.site import Connector, Site
from powershare.site.checks import unknown_name

_AGAIN_MS, _ALIKE = 60_000, 4
"""The same words are said so often in so long, and what was counted once in it."""


@attrs.frozen(kw_only=True)
class _Place:
    """Where this process stands in its network."""

    members: tuple[str, ...]
    keys: Keys
    network: str
    listen: Address | None
    peers: Mapping[str, Address]
    mdns: bool
    watchdog_ms: int | None
    write_ms: int
    meters: tuple[str, ...] | None


def _host_port(text: str, what: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        tcp_port = whole(0, 65_535)(port)
    except ValueError:
        tcp_port = None
    if not host or tcp_port is None:
        raise click.BadParameter(f"'{text}' is no {what}.")
    return host.strip("[]"), tcp_port


def _listen(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Address | None:
    """HOST:PORT (a click callback)."""
    return None if value is None else _host_port(value, "place to listen; write HOST:PORT")


def _peers(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> Mapping[str, Address]:
    """ID=HOST:PORT (a click callback)."""
    peers = {}
    for value in values:
        member, equals, place = value.rpartition("=")
        if not equals or not member:
            raise click.BadParameter(f"'{value}' is no peer; write ID=HOST:PORT.")
        peers[member] = _host_port(place, "place of a peer; write ID=HOST:PORT")
    return peers


@click.command("node")
@click.argument("site_file", metavar="SITE")
@click.argument("members", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--key", "key_file", metavar="FILE", required=True, help="The network's keys: powershare network key new."
)
@click.option("--listen", metavar="HOST:PORT", callback=_listen, help="Where to listen.  [a free port]")
@click.option("--peer", "peers", metavar="ID=HOST:PORT", multiple=True, callback=_peers, help="Where a member listens.")
@click.option("--mdns", is_flag=True, help="Announce the members on the local network, and look for the others there.")
@click.option("--network", default="wifi", show_default=True, help="What carries messages.")
@click.option(
    "--longest-watchdog", type=click.FloatRange(1, 600), help="The site's slowest watchdog, in s; equal on all hosts."
)
@click.option(
    "--longest-write",
    type=click.FloatRange(0.05, 60),
    default=SLOWEST_WRITE_MS / 1000,
    show_default=True,
    help="The site's slowest order, in s; equal on all hosts.",
)
@click.option("--meter", "meters", metavar="CIRCUIT", multiple=True, help="Read this meter here.  [who leads: all]")
@click.option("--dry-run", is_flag=True, help="Ask the devices, tell them nothing, and agree with other dry runs only.")
@click.option("--emulate", is_flag=True, help="Emulate the connectors that name no adapter.")
@click.option(
    "--policy",
    "order",
    type=click.Choice(["fair", "priority", "deadline"]),
    default="fair",
    show_default=True,
    help="Who comes first where there is not enough; equal on all hosts.",
)
@click.option("--trace", metavar="FILE", callback=output_path, help="Write what the devices report, as it happens.")
@click.option("--metrics", metavar="[HOST:]PORT", callback=metrics_address, help="Serve metrics to Prometheus there.")
@click.option("--bridge", "bridges", metavar="ADDRESS", multiple=True, help="Show it there, and be limited from there.")
@click.option("--seconds", type=click.FloatRange(0), help="How long.  [until it is interrupted]")
def command(
    site_file: str,
    members: tuple[str, ...],
    key_file: str,
    listen: Address | None,
    peers: Mapping[str, Address],
    mdns: bool,
    network: str,
    longest_watchdog: float | None,
    longest_write: float,
    meters: tuple[str, ...],
    dry_run: bool,
    emulate: bool,
    order: OrderName,
    trace: Path | None,
    metrics: tuple[str, int] | None,
    bridges: tuple[str, ...],
    seconds: float | None,
) -> int:
    """Regulate some connectors of a site from this host, and agree with the nodes of the others.

    Each ID is a connector of SITE, or `witness`. SITE, --policy and the --longest times have to be equal on all hosts:
    members that hold anything else are ignored. Ended, it hands over and leaves its devices at their fallbacks at most.
    """
    with reading(site_file):
        site = load_site(site_file)
        _check(site, members, meters, emulate=emulate)
    place = _Place(
        members=members,
        keys=load_keys(key_file),
        network=network,
        listen=listen,
        peers=peers,
        mdns=mdns,
        watchdog_ms=None if longest_watchdog is None else round(longest_watchdog * 1000),
        write_ms=round(longest_write * 1000),
        meters=meters or None,
    )
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
    with MemberLocks(place.keys.network, members):
        try:
            return asyncio.run(_Process(wanted, place, HostClock()).run())
        except InputError as error:
            if isinstance(error, Refused):
                raise
            raise Refused(site_file, error.problems) from error


def _check(site: Site, members: tuple[str, ...], meters: tuple[str, ...], *, emulate: bool) -> None:
    """Refuse what names nothing of the site; every problem at once."""
    names = [connector.id for connector in site.connectors] + [WITNESS] * site.network.witness
    problems = [Problem("network", "ID", unknown_name(name, names, "member")) for name in members if name not in names]
    if len(set(members)) < len(members):
        problems.append(Problem("network", "ID", "is written twice; write each member once"))
    metered = [meter.circuit for meter in site.meters]
    problems += [
        Problem("network", "--meter", unknown_name(name, metered, "metered circuit"))
        for name in meters
        if name not in metered
    ]
    for name in members:
        connector = site.connector_by_id.get(name)
        if connector is not None and connector.adapter is None and not emulate:
            message = "is missing; name how the device is reached, or try it out with --emulate"
            problems.append(Problem(f'connector "{name}"', "adapter", message))
    if problems:
        raise InputError(problems)


class _Process(Run):
    """One run of the command."""

    def __init__(self, wanted: Wanted, place: _Place, clock: Clock) -> None:
        self._place, self._service = place, Service()
        self._said: dict[tuple[str, str], list[int]] = {}
        self._stopping = False
        self._dropped: Mapping[str, int] = {}
        self._counted_ms = clock.now_ms() - _AGAIN_MS
        super().__init__(wanted, clock)

    def _build(self) -> Driver:
        """The driver of the members that live here."""
        wanted, place = self._wanted, self._place
        timing, words = shared_timing(wanted.site, watchdog_ms=place.watchdog_ms, write_ms=place.write_ms)
        if words:
            self._say("site", words)
        self._network = self._way()  # before any device is dialled: what cannot be is refused first
        here = [connector for connector in wanted.site.connectors if connector.id in place.members]
        return Driver(
            _common(wanted.site, dry_run=wanted.dry_run),
            self._adapters(here),
            meters=self._meters(),
            clock=self._clock,
            boot=lambda: secrets.randbits(64),
            order=wanted.order,
            said=self._say,
            looked=self._looked,
            part=Part(members=place.members, timing=timing, elsewhere=self._network.send),
            turned=self._service.alive,
        )

    def _way(self) -> Network:
        """The way to the members elsewhere."""
        place, site = self._place, self._wanted.site
        joining = Joining(
            members=tuple(connector.id for connector in site.connectors) + (WITNESS,) * site.network.witness,
            here=place.members,
            keys=place.keys,
            listen=place.listen,
            peers=place.peers,
            discovers=place.mdns,
        )
        return Networks().resolve(place.network)(joining, clock=self._clock, said=self._say)

    def _emulated(self, connector: Connector) -> str:
        """An emulated device that can do what the site says: others would not know of anything less."""
        figures = {"least": connector.min_offer_ma, "greatest": connector.max_offer_ma, "step": connector.step_ma}
        settings = "&".join(f"{name}_a={figure_ma / 1000:g}" for name, figure_ma in figures.items())
        return f"{super()._emulated(connector)}&{settings}"

    def _meters(self) -> Mapping[str, MeterAdapter]:
        """The meters that this host reads: those it is told to, or all where the witness or the leader lives."""
        site, place = self._wanted.site, self._place
        reader = WITNESS if site.network.witness else site.leader
        names: Iterable[str] = [meter.circuit for meter in site.meters] if reader in place.members else ()
        chosen = frozenset(names if place.meters is None else place.meters)
        return {
            meter.circuit: registry.create_meter(meter.adapter, clock=self._clock)
            for meter in site.meters
            if meter.circuit in chosen
        }

    async def _join(self, stack: AsyncExitStack) -> None:
        """Listen to the others, and say to the host that the service is ready."""
        stack.push_async_callback(self._driver.close)
        stack.push_async_callback(self._network.close)
        where = await self._network.open(self._driver.received)
        self._say("network", f"{', '.join(self._place.members)} at {where}")
        self._service.say("READY=1")
        stack.callback(partial(self._count, last=True))

    def _stops(self) -> None:
        self._stopping = True
        self._service.say("STOPPING=1")

    # What is told

    def _look(self) -> None:
        if self._stopping:
            self._service.alive(self._clock.now_ms())  # the manager has another time for how long an end may take
        if self._clock.now_ms() - self._counted_ms >= _AGAIN_MS:
            self._count()

    def _count(self, *, last: bool = False) -> None:
        """Say what the network has counted, where anything new was dropped, and at the end."""
        counters = dict(self._network.counters)
        passed = {"handed in", "sent"}
        dropped = {reason: count for reason, count in counters.items() if reason not in passed}
        if dropped != self._dropped or last:
            self._dropped, self._counted_ms = dropped, self._clock.now_ms()
            self._say("network", ", ".join(f"{count} {what}" for what, count in sorted(counters.items())) or "silent")

    def _say(self, about: str, words: str) -> None:
        """Say it, but not the same over and over: a second process of a member speaks many times a second."""
        now_ms = self._clock.now_ms()
        recent = [at_ms for at_ms in self._said.get((about, words), ()) if now_ms - at_ms < _AGAIN_MS]
        if len(recent) >= _ALIKE:
            return
        self._said = {key: times for key, times in self._said.items() if now_ms - times[-1] < _AGAIN_MS}
        self._said[about, words] = [*recent, now_ms]
        super()._say(about, words)


def _common(site: Site, *, dry_run: bool) -> Site:
    """The site as all hosts hold it: how a device is reached is its host's own affair.

    A dry run tells its devices nothing, so what it reports of them is not so: it must not be heard by those who do.
    """
    connectors = tuple(attrs.evolve(connector, adapter=None) for connector in site.connectors)
    return attrs.evolve(site, connectors=connectors, name=f"{site.name} (dry run)" if dry_run else site.name)
