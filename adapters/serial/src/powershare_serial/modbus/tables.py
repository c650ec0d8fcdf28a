"""TOML tables, read key by key: every problem is kept with its place, and what nobody asked for is a problem, too."""

import difflib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from powershare.errors import Problem

_T = TypeVar("_T")
_D = TypeVar("_D")


class TomlTable:
    """One table of a file.

    Args:
        where: The file, in the words of an error.
        path: The table's place in the file; empty for the file itself.
        data: What stands in it.
        problems: Where every problem goes.
    """

    def __init__(self, where: str, path: str, data: dict[str, Any], problems: list[Problem]) -> None:
        self.where = where
        self.path = path
        self.problems = problems
        self._data = data
        self._asked: set[str] = set()

    def problem(self, key: str, message: str) -> None:
        """Note that something is wrong with a key, or with the table itself."""
        self.problems.append(Problem(self.where, ".".join(filter(None, (self.path, key))), message))

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._data

    def get(self, key: str, check: Callable[[Any], _T], default: _D) -> _T | _D:
        """Return what stands at a key, checked; the default where nothing or nonsense does."""
        if key not in self:
            return default
        try:
            return check(self._data[key])
        except ValueError as error:
            self.problem(key, str(error))
            return default

    def need(self, key: str, check: Callable[[Any], _T], stand_in: _D) -> _T | _D:
        """Return what stands at a key, checked; a stand-in, and a problem, where nothing does."""
        if key not in self:
            self.problem(key, "is missing")
            return stand_in
        return self.get(key, check, stand_in)

    def table(self, key: str, *, needed: bool = False) -> "TomlTable | None":
        """Return the table at a key; None where there is none."""
        if key not in self:
            if needed:
                self.problem(key, f"is missing; write a table [{'.'.join(filter(None, (self.path, key)))}]")
            return None
        data = self._data[key]
        if not isinstance(data, dict):
            self.problem(key, f"is {data!r}, no table")
            return None
        return TomlTable(self.where, ".".join(filter(None, (self.path, key))), data, self.problems)

    def tables(self, key: str) -> "list[TomlTable]":
        """Return the tables of an array at a key."""
        if key not in self:
            return []
        data = self._data[key]
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            self.problem(key, f"is no array of tables; write [[{key}]]")
            return []
        return [TomlTable(self.where, f"{key}[{number}]", entry, self.problems) for number, entry in enumerate(data, 1)]

    def end(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._data:
            if key not in self._asked:
                close = difflib.get_close_matches(key, self._asked, n=1)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(self._asked))}"
                self.problem(key, f"is not known here; {hint}")


def whole(least: int, greatest: int) -> Callable[[Any], int]:
    """Return a check for whole numbers within bounds."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
            raise ValueError(f"is {value!r}; write a whole number from {least} to {greatest}")
        return value

    return check


def thousandths(least: int, greatest: int) -> Callable[[Any], int]:
    """Return a check for amps or seconds that come out as whole thousandths within bounds."""

    def check(value: object) -> int:
        exact = _decimal(value) * 1000
        if exact != int(exact) or not least <= exact <= greatest:
            raise ValueError(f"is {value}; write {least / 1000:g} to {greatest / 1000:g}, in steps of 0.001")
        return int(exact)

    return check


def unit(value: object) -> Decimal:
    """Check the amps or seconds of one unit of a register; return them in thousandths, to the last digit."""
    exact = _decimal(value) * 1000
    if not 0 < exact <= 1_000_000:
        raise ValueError(f"is {value}; write how many amps or seconds one of its units is, above 0 and up to 1000")
    return exact


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"is {value!r}, no number")  # noqa: TRY004 - one kind of error for one kind of mistake
    number = Decimal(value)
    if not number.is_finite() or abs(number) > 10**9:
        raise ValueError(f"is {value}, no number that can be used")
    return number


def flag(value: object) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {value!r}; write true or false")  # noqa: TRY004 - one kind of error
    return value


def text(value: object) -> str:
    """Check for a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"is {value!r}; write a text")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Check for an array of texts."""
    if not isinstance(value, list):
        raise ValueError(f"is {value!r}; write an array of texts")  # noqa: TRY004 - one kind of error
    return tuple(map(text, value))


def wholes(least: int, greatest: int) -> Callable[[Any], tuple[int, ...]]:
    """Return a check for an array, not empty, of whole numbers within bounds."""
    each = whole(least, greatest)

    def check(value: object) -> tuple[int, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError(f"is {value!r}; write an array of whole numbers")
        return tuple(map(each, value))

    return check


def one_of(words: Sequence[_T]) -> Callable[[Any], _T]:
    """Return a check for one of some words."""

    def check(value: object) -> _T:
        for word in words:
            if value == word and type(value) is type(word):
                return word
        raise ValueError(f"is {value!r}; write one of {', '.join(map(str, words))}")

    return check
