"""`powershare doctor`: what is installed here, and how good this machine's clock is."""

import importlib.metadata
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import click

from powershare import __version__, _native, registry
from powershare.bridging import Bridges
from powershare.cli.ending import reading
from powershare.cli.evidence import evidence_of
from powershare.cli.output import print_table
from powershare.errors import PowershareError
from powershare.files import load_site
from powershare.registry import InstalledAdapter
from powershare.site import Site
from powershare.units import amps_text

EXTRAS: Final = {"cli": ("click", "rich"), "plot": ("matplotlib",), "metrics": ("prometheus-client",)}
"""What each extra brings, as far as a user of the commands meets it."""

_CLOCK_READS = 2000
_SLEEPS = 20


@click.command("doctor")
@click.argument("site_file", metavar="[SITE]", required=False)
def command(site_file: str | None) -> None:
    """Say what is installed, which backend serves and why, and how good the clock is.

    With SITE, also which adapters its connectors and meters need, which connectors are not fail-safe, and what those
    devices say of themselves that can be asked without a change at them.
    """
    findings = list(_findings())
    if site_file is not None:
        with reading(site_file):
            findings.extend(_of_site(load_site(site_file)))
    print_table(("what", "found"), findings)


def _findings() -> Iterator[tuple[str, str]]:
    yield "powershare", __version__
    if _native.backend == "native":
        yield "backend", "native: the C kernel serves"
    else:
        yield "backend", f"python: the plain Python twin serves, same answers, slower; {_native.why}"
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    yield "platform", platform.platform()
    for name in ("attrs", "cffi"):
        yield name, _version_of(name) or "not installed"
    for extra, names in EXTRAS.items():
        missing = [name for name in names if _version_of(name) is None]
        present = ", ".join(f"{name} {_version_of(name)}" for name in names if name not in missing)
        yield f"extra {extra}", f"not installed; pip install 'powershare[{extra}]'" if missing else present
    yield "adapters", ", ".join(_titles(registry.installed())) or "none installed"
    yield "bridges", ", ".join(_titles(Bridges().installed())) or "none installed"
    yield "clock", _clock()


def _of_site(site: Site) -> Iterator[tuple[str, str]]:
    """What a site needs of this machine, and what somebody has accepted of its devices."""
    devices: dict[str, object] = {}
    for connector in site.connectors:
        if connector.adapter is None:
            yield f"connector {connector.id}", "names no adapter; it can only be emulated"
            continue
        try:
            devices[f"connector {connector.id}"] = registry.create_adapter(connector.adapter)
        except PowershareError as error:
            yield f"connector {connector.id}", " ".join(str(error).splitlines())
    for meter in site.meters:
        try:
            devices[f"meter of {meter.circuit}"] = registry.create_meter(meter.adapter)
        except PowershareError as error:
            yield f"meter of {meter.circuit}", " ".join(str(error).splitlines())
    for connector in site.connectors:
        if not connector.fail_safe:
            fallback_ma = site.fallbacks.by_connector[connector.id]
            yield (
                f"not fail-safe: {connector.id}",
                f"left alone it may offer more than its fallback of {amps_text(fallback_ma)}; the site accepts that",
            )
    yield from evidence_of(devices)


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _titles(found: Mapping[str, InstalledAdapter]) -> Iterator[str]:
    for one in found.values():
        title = " and ".join(f"{claim.distribution} {claim.version}" for claim in one.claims)
        yield f"{one.name} ({title})" + (f": {one.error}" if one.error else "")


def _clock() -> str:
    """What the monotonic clock can tell apart, and how late a sleeper wakes: leases are counted with it."""
    info = time.get_clock_info("monotonic")
    reads = [time.monotonic_ns() for _ in range(_CLOCK_READS)]
    finest_ns = min((later - sooner for sooner, later in pairwise(reads) if later > sooner), default=0)
    latest_ns = 0
    for _ in range(_SLEEPS):
        before_ns = time.monotonic_ns()
        time.sleep(0.001)
        latest_ns = max(latest_ns, time.monotonic_ns() - before_ns - 1_000_000)
    return (
        f"{info.implementation}, resolution {info.resolution * 1e9:.0f} ns, finest step seen {finest_ns} ns, "
        f"wakes at most {latest_ns / 1e6:.2f} ms late"
    )
