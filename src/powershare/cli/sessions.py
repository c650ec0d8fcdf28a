"""`powershare sessions`: charging sessions from elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from powershare.cli.ending import reading
from powershare.cli.output import counted, note, output_path, whole_path
from powershare.files import dump_sessions, import_norway
from powershare.simulation import Sessions


@click.group("sessions")
def command() -> None:
    """Bring charging sessions from elsewhere into the sessions format."""


@command.group("import")
def import_from() -> None:
    """Read sessions in the format of a public data set."""


def _output(ctx: click.Context, parameter: click.Parameter, value: str) -> Path | None:
    return None if value == "-" else output_path(ctx, parameter, value)


@import_from.command("norway")
@click.argument("data_file", metavar="FILE")
@click.option("--garage", metavar="ID", help="Only this garage, such as Bl2; without it: all.")
@click.option(
    "-o", "--output", metavar="OUT", required=True, callback=_output, help="Where to write; - is standard output."
)
def norway(data_file: str, garage: str | None, output: Path | None) -> None:
    """Import the Norwegian apartment data (Sorensen et al., Mendeley Data jbks2rcwyj, Dataset 1).

    Each user becomes a connector. Rows that cannot be used are listed with their line number and skipped.
    """
    _import(data_file, lambda: import_norway(Path(data_file), garage), output)


def _import(data_file: str, load: Callable[[], Sessions], output: Path | None) -> None:
    with reading(data_file):
        sessions = load()
    text = dump_sessions(sessions)
    if output is None:
        click.echo(text, nl=False)
        sys.stdout.flush()
    else:
        with whole_path(output) as part:
            part.write_text(text, encoding="utf-8", newline="")
    for problem in sessions.skipped:
        note(f"{data_file}: {problem}")
    connectors = len({session.connector for session in sessions.sessions})
    note(
        f"{counted(len(sessions.sessions), 'session')} at {counted(connectors, 'connector')}, "
        f"{counted(len(sessions.skipped), 'row')} skipped"
    )
