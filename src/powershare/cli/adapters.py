"""`powershare adapters`: what is installed to reach devices, other hosts and other programs, and to emulate."""

from collections.abc import Mapping

import click

from powershare import registry
from powershare.bridging import Bridges
from powershare.cli.output import note, print_table
from powershare.networking import Networks
from powershare.registry import InstalledAdapter


@click.command("adapters")
def command() -> None:
    """List the adapters, meters, emulators, networks and bridges that are installed.

    An adapter is a distribution of its own. A site file names it at the start of `adapter = "name+rest"`, and meters in
    the same way; the names of emulators are for `powershare emulate`, those of bridges for `--bridge name:rest`.
    """
    found = registry.installed()
    if found:
        _print("adapter", found)
    else:
        note("no adapter is installed")
    others_of = {
        "meter": registry.Meters().installed(),
        "emulator": registry.Emulators().installed(),
        "network": Networks().installed(),
        "bridge": Bridges().installed(),
    }
    for noun, others in others_of.items():
        if others:
            click.echo()
            _print(noun, others)
    absent = [name for name in registry.PUBLISHED if name not in found]
    if absent:
        note("not installed, or not published yet:")
        for name in absent:
            note(f"  powershare-{name}: {registry.PUBLISHED[name]}")


def _print(noun: str, found: Mapping[str, InstalledAdapter]) -> None:
    rows = [
        (
            one.name,
            ", ".join(f"{claim.distribution} {claim.version}" for claim in one.claims),
            one.error or "ready to be imported",
        )
        for one in found.values()
    ]
    print_table((noun, "distribution", "state"), rows)
