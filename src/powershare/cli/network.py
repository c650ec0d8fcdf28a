"""`powershare network`: the keys that the hosts of one network share."""

from collections.abc import Callable
from pathlib import Path

import click

from powershare.cli.ending import DONE
from powershare.errors import ContractError, InputError, Problem
from powershare.networking import Keys, load_keys, write_keys


@click.group("network")
def command() -> None:
    """Make the keys that the hosts of one network share."""


@command.group("key")
def key() -> None:
    """Make, change and forget keys.

    To change keys without a gap: `add`, copy the file to every host and start its node again; then `use`, copy, start
    again; then `forget`, copy, start again.
    """


@key.command("new", short_help="A network of its own, with one key.")
@click.argument("file", metavar="FILE")
def new(file: str) -> int:
    """Write FILE with a network of its own and one key; copy it to every host, and to nobody else."""
    if Path(file).exists():
        message = "is there already, and its network would be lost; use add, or take it away first"
        raise InputError([Problem(file, "", message)])
    write_keys(file, Keys.new())
    click.echo(f"{file}: key 1; copy it to every host of the network, readable for its owner alone")
    return DONE


@key.command("add", short_help="A further key, which opens and does not seal yet.")
@click.argument("file", metavar="FILE")
def add(file: str) -> int:
    """Add a key to FILE that opens and does not seal yet: every host must have it before one may."""
    return _change(file, Keys.with_another)


@key.command("use", short_help="Seal with the newest key.")
@click.argument("file", metavar="FILE")
def use(file: str) -> int:
    """Let the newest key of FILE seal; the others still open."""
    return _change(file, Keys.sealing_newest)


@key.command("forget", short_help="Keep only the key that seals.")
@click.argument("file", metavar="FILE")
def forget(file: str) -> int:
    """Take every key out of FILE but the one that seals: what others sealed is foreign from now on."""
    return _change(file, Keys.without_others)


def _change(file: str, change: Callable[[Keys], Keys]) -> int:
    try:
        keys = change(load_keys(file))
    except ContractError as error:
        raise InputError([Problem(file, "key", str(error))]) from None
    write_keys(file, keys)
    opening = ", ".join(str(one.id) for one in keys.keys)
    click.echo(f"{file}: seals with key {keys.seals}, opens {opening}; copy it to every host, and start its node again")
    return DONE
