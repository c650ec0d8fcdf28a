"""`powershare adapters`: what is installed to reach connectors."""

import click

from powershare import registry
from powershare.cli.output import note, print_table


@click.command("adapters")
def command() -> None:
    """List the adapters that are installed.

    An adapter is a distribution of its own. A site file names it at the start of `adapter = "name+rest"`.
    """
    found = registry.installed()
    if found:
        rows = [
            (
                adapter.name,
                ", ".join(f"{claim.distribution} {claim.version}" for claim in adapter.claims),
                adapter.error or "ready to be imported",
            )
            for adapter in found.values()
        ]
        print_table(("adapter", "distribution", "state"), rows)
    else:
        note("no adapter is installed")
    absent = [name for name in registry.PUBLISHED if name not in found]
    if absent:
        note("not installed, or not published yet:")
        for name in absent:
            note(f"  powershare-{name}: {registry.PUBLISHED[name]}")
