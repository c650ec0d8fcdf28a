"""The program as a whole: which commands there are, and what exit code each kind of ending has."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from powershare import __version__, _native
from powershare.cli.ending import DEVICE, DONE, FAILED, INTERRUPTED, REFUSED, Refused
from powershare.errors import AdapterError, InputError, InternalError, PowershareError

COMMANDS: Final = {
    "demo": "Six emulated connectors share a feeder for an evening.",
    "allocate": "Say what each connector may offer now, and which limit decides.",
    "simulate": "Replay charging sessions in virtual time.",
    "emulate": "Emulate devices of one kind, on the wire and in real time.",
    "faults": "Let storms of faults loose on a network of nodes, in virtual time.",
    "run": "Regulate the connectors of a site, on the adapters that it names.",
    "node": "Regulate some connectors of a site, and agree with the nodes of other hosts.",
    "network": "Make the keys that the hosts of one network share.",
    "site": "Check a site file, or write the schema of site files.",
    "trace": "Add up the currents of traces and check the limits.",
    "sessions": "Bring charging sessions from elsewhere into the sessions format.",
    "adapters": "List the adapters that are installed.",
    "doctor": "Say what is installed, and which backend serves.",
}
"""Every command and its one line of help, kept here so that `--help` loads none of them."""


class Commands(click.Group):
    """The commands, each loaded from the module of its name when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"powershare.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is a usage error that names those there are."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}; there are {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"powershare {__version__}, backend {_native.backend}")
        ctx.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or refused input, 3 a limit is exceeded or was broken, "
    "4 a device or network failed, 130 interrupted.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show version and backend."
)
def root() -> None:
    """Share a breaker between electric-vehicle connectors; no limit is ever exceeded."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and turn however it ends into an exit code, with words for people on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the encoding has not is no reason to fail
    try:
        code = root.main(
            args=None if arguments is None else list(arguments), prog_name="powershare", standalone_mode=False
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show(sys.stderr)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        code = INTERRUPTED
    except SystemExit as error:  # how click ends after completing words for a shell, and when its output was closed
        code = _closed_output() if error.code else DONE
    except BrokenPipeError:
        code = _closed_output()
    except PowershareError as error:
        code = _failed(error)
    except OSError as error:
        _say(f"{error.filename or 'input or output'}: {error.strerror or error}")
        code = FAILED
    return code if isinstance(code, int) else DONE


def _failed(error: PowershareError) -> int:
    """What a library error means for whoever called the program."""
    if isinstance(error, InputError):
        lines = error.lines if isinstance(error, Refused) else tuple(map(str, error.problems))
        for line in lines:
            click.echo(line, err=True)
        return REFUSED
    if isinstance(error, InternalError):
        raise error  # a defect of this library: whoever mends it needs the traceback
    _say(str(error))
    return DEVICE if isinstance(error, AdapterError) else FAILED


def _closed_output() -> int:
    """Whoever read our output went away: say nothing, and keep the interpreter from saying it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return FAILED


def _say(words: str) -> None:
    click.echo(f"powershare: {words}", err=True)
