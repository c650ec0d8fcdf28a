"""Stories as text: comments, blocks of commands, `----`, what is to be seen, an empty line.

    # The leader disappears. Nobody may raise before its lease has run out.
    crash a
    run until leads b within 10
    ----
    after 6.8 s

The format is that of the interaction tests of etcd's raft (`testdata/campaign.txt` there): a person reads it, and a
difference says something. Rewriting puts what is seen in place of what was expected; read it before you commit it.
"""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import attrs
from tests.datadriven.story.stage import ERRORS, Story

SEPARATOR = "----"


class StoryError(Exception):
    """A line of a story that cannot be; its text begins with the file and the line."""


@attrs.frozen
class Block:
    """Commands, and what is to be seen of them.

    Attributes:
        line: The number of its first line.
        commands: Its commands, comments among them included.
        expected: What is to be seen.
    """

    line: int
    commands: tuple[str, ...]
    expected: tuple[str, ...]


def parse(text: str, name: str) -> Iterator[str | Block]:
    """The lines between blocks (comments and empty ones), and the blocks.

    Args:
        text: The story.
        name: Of its file, for errors.

    Raises:
        StoryError: Commands without a separator.
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].startswith("#"):
            yield lines[at]
            at += 1
            continue
        start = at
        while at < len(lines) and lines[at] != SEPARATOR:
            if not lines[at].strip():
                raise StoryError(f'{name}:{start + 1}: these commands end without "{SEPARATOR}"')
            at += 1
        if at == len(lines):
            raise StoryError(f'{name}:{start + 1}: these commands end without "{SEPARATOR}"')
        commands = tuple(lines[start:at])
        at += 1
        first = at
        while at < len(lines) and lines[at].strip():
            at += 1
        yield Block(start + 1, commands, tuple(lines[first:at]))


def play(text: str, name: str) -> str:
    """Tell a story, and answer its text as it went.

    Args:
        text: The story.
        name: Of its file, for errors.

    Raises:
        StoryError: A line that cannot be done, or a condition that did not come to hold.
    """
    story = Story()
    told: list[str] = []
    for part in parse(text, name):
        if isinstance(part, str):
            told.append(part)
            continue
        seen: list[str] = []
        for number, command in enumerate(part.commands, part.line):
            if command.startswith("#"):
                continue
            try:
                seen += story.say(command)
            except ERRORS as error:
                raise StoryError(f"{name}:{number}: {command}: {_said(error)}") from error
        told += [*part.commands, SEPARATOR, *(seen or ["ok"])]
    return "\n".join(told) + "\n"


def _said(error: Exception) -> str:
    """What is wrong with a line, for a person."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error) if isinstance(error, ValueError) else "something is missing, or too much"


def difference(path: Path, *, rewrite: bool = False) -> str:
    """What is seen where something else is expected, as a unified diff; empty where nothing is.

    Args:
        path: The story.
        rewrite: Whether what is seen shall be expected from now on.
    """
    expected = path.read_text(encoding="utf-8")
    seen = play(expected, path.name)
    if rewrite and seen != expected:
        path.write_text(seen, encoding="utf-8")
        return ""
    lines = unified_diff(expected.splitlines(), seen.splitlines(), f"{path.name}, expected", "seen", lineterm="", n=5)
    return "\n".join(lines)
