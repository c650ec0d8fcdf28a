"""How results are shown: tables that are plain without a terminal, amps in words, files that are whole or not there."""

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import click

from powershare.cli.ending import printable
from powershare.units import Line, Milliamps, amps_text


def per_line_text(figures_ma: Sequence[Milliamps]) -> str:
    """One figure where all lines are alike, else one per line: `48 A`, `L1 32 A, L2 32 A, L3 20 A`."""
    if len(set(figures_ma)) == 1:
        return amps_text(figures_ma[0])
    return ", ".join(f"{Line(place)} {amps_text(figure_ma)}" for place, figure_ma in enumerate(figures_ma))


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 connector`, `6 connectors`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def on_terminal(stream: TextIO) -> bool:
    """Whether a person sees this stream, on something that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def can_show(text: str, stream: TextIO) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def note(words: str) -> None:
    """Words for people, on standard error."""
    click.echo(words, err=True)


def print_json(data: Mapping[str, object]) -> None:
    """Print one JSON object to standard output, on one line, in ASCII where its encoding cannot say more."""
    text = json.dumps(data, ensure_ascii=False)
    click.echo(text if can_show(text, sys.stdout) else json.dumps(data))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Print a table to standard output: ruled on a terminal, plain columns elsewhere.

    Args:
        headers: One per column.
        rows: One text per column each.
        right: Columns whose text is set flush right.
    """
    body, flush_right = [tuple(map(printable, row)) for row in rows], frozenset(right)
    if on_terminal(sys.stdout):
        _ruled_table(headers, body, flush_right)
        return
    widths = [max(map(len, column)) for column in zip(headers, *body, strict=True)]
    for row in (headers, *body):
        cells = (
            text.rjust(width) if place in flush_right else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join(cells).rstrip())


def _ruled_table(headers: Sequence[str], rows: Iterable[Sequence[str]], flush_right: frozenset[int]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if place in flush_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in row))
    Console().print(table)


_STYLES = {
    "allocated": "green",
    "shed": "yellow",
    "refused": "red",
    "held": "magenta",
    "idle": "dim",
    "EXCEEDED": "bold red",
}


def output_path(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:  # noqa: ARG001
    """Check before any work that a file can be put where it is wanted (a click callback)."""
    if value is None:
        return None
    path = Path(value)
    if path.is_dir():
        raise click.BadParameter(f"'{value}' is a directory; name a file.")
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no directory '{path.parent}'.")
    return path


def output_directory(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:  # noqa: ARG001
    """Check before any work that files can be put where they are wanted (a click callback)."""
    if value is None:
        return None
    path = Path(value)
    if path.exists() and not path.is_dir():
        raise click.BadParameter(f"'{value}' is a file; name a directory.")
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no directory '{path.parent}'.")
    return path


@contextlib.contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there at the end appears under the wanted name at once.

    It is written beside its place and then renamed, so a reader never sees half of it, and what was
    there before stays if the writing fails.

    Args:
        path: Where the file shall be. A pipe or a device is written to as it is.

    Yields:
        The path to write to, an empty file.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()  # a link stays a link, to the new file
    # The name is chosen before there is a file, so that an interrupt between the two leaves nothing behind.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield part
        if path.exists():
            part.chmod(path.stat().st_mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
