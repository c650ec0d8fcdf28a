"""How a command can end, and input that is refused with the name of the file it came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from powershare.errors import InputError, Problem

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
LIMIT: Final = 3
DEVICE: Final = 4
INTERRUPTED: Final = 130


class Refused(InputError):
    """Input that is refused, with the file it came from.

    Attributes:
        lines: One line for people per problem, each with the file's name.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.lines = tuple(_line(source, problem) for problem in problems)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Name the file in every problem that comes up while it is read and checked.

    Raises:
        Refused: It cannot be read, or it is refused.
    """
    try:
        yield
    except Refused:
        raise
    except InputError as error:
        raise Refused(source, error.problems) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(source, (Problem("cannot be read", "", error.strerror or str(error)),)) from error


def _line(source: str, problem: Problem) -> str:
    """One problem as one line, which names the file once."""
    words = problem.message if problem.where == source and not problem.field else str(problem)
    return printable(f"{source}: {' '.join(words.splitlines())}")


def printable(text: str) -> str:
    """The text with what a terminal would obey, such as escape sequences from a file, spelled out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
