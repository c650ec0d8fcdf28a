"""`powershare allocate --stream`: one process, a line of JSON in, a line of JSON out.

For programs in other languages that ask often. Compiling a site costs more than a question to it, so the allocator is
kept for as long as the site stays the same.
"""

import json
from typing import BinaryIO

from powershare.allocator import Allocator
from powershare.errors import InputError, Problem
from powershare.files import allocation_to_json, demands_from_data, site_from_data
from powershare.files.text import decode_text, parse_json

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is answered with an error, so that no input can fill the memory."""

_KEYS = ("site", "demands")
_spelled = json.JSONEncoder(separators=(",", ":")).encode


class Stream:
    """Answers lines, and remembers the last site."""

    def __init__(self) -> None:
        self._site_data: object = None
        self._allocator: Allocator | None = None

    def answer(self, line: bytes) -> str:
        """Answer one line: an allocation, or an error that says what is wrong with the line."""
        try:
            return _spelled(self._allocate(line))
        except InputError as error:
            return _spelled(_error(error.problems))

    def _allocate(self, line: bytes) -> dict[str, object]:
        message = parse_json(decode_text(line.rstrip(b"\r\n"), "line"))
        if not isinstance(message, dict):
            raise _refuse("line", 'is no object; write {"site": {...}, "demands": {...}}')
        unknown = [key for key in message if key not in _KEYS]
        if unknown:
            raise _refuse(unknown[0], "is no key of a line; its keys are site, demands")
        if "site" in message and (self._allocator is None or message["site"] != self._site_data):
            allocator = Allocator(site_from_data(message["site"], "site", schema_required=False))
            self._allocator, self._site_data = allocator, message["site"]
        if self._allocator is None:
            raise _refuse("site", "is missing, and no line before had one; give it in the first line")
        if "demands" not in message:
            raise _refuse("demands", 'is missing; {"demands": []} asks for nothing')
        demands = demands_from_data(message["demands"], "demands", schema_required=False)
        return allocation_to_json(self._allocator.allocate(demands))


def answer_lines(lines: BinaryIO, answers: BinaryIO) -> None:
    """Answer every line, in order, each as soon as it is there."""
    stream = Stream()
    while line := lines.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = lines.readline(MAX_LINE_BYTES)
            answer = _spelled(_error((Problem("line", "", f"is longer than {MAX_LINE_BYTES} bytes"),)))
        else:
            answer = stream.answer(line)
        answers.write(answer.encode() + b"\n")
        answers.flush()


def _refuse(where: str, message: str) -> InputError:
    return InputError([Problem(where, "", message)])


def _error(problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "error": "; ".join(_in_line(str(problem)) for problem in problems),
        "problems": [
            {"where": _in_line(problem.where), "field": problem.field, "message": problem.message}
            for problem in problems
        ],
    }


def _in_line(words: str) -> str:
    """Every line is line 1 to its parser, which helps nobody."""
    return words.removeprefix("line 1, ")
