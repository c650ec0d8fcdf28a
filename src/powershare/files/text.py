"""From a path to plain data: bytes, text, JSON or TOML, each failing with one clear error.

Numbers stay decimal, so that what a file says is converted exactly once, by a key's own rule.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias

from powershare.errors import FormatError, InputError, Problem

MAX_FILE_BYTES = 64 * 1024 * 1024
"""The largest file that is read as a whole (64 MB): a site of a million connectors needs less."""

Spelling: TypeAlias = Literal["toml", "json"]
"""The two spellings of one shape."""

_TOML_PLACE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


class JsonObject(dict[str, object]):
    """An object of a JSON text that remembers which keys were given twice."""

    repeated: tuple[str, ...] = ()


def refuse(where: str, message: str) -> FormatError:
    """One error about one place."""
    return FormatError([Problem(where, "", message)])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a path into a `FormatError`."""
    try:
        yield
    except FileNotFoundError:
        raise refuse(str(path), "does not exist; check the name and the directory") from None
    except IsADirectoryError:
        raise refuse(str(path), "is a directory; name a file in it") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refuse(str(path), f"cannot be read: {reason}") from None


def read_text(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Read a whole file as UTF-8 text; a byte order mark at its start is dropped.

    Args:
        path: The file.
        max_bytes: Beyond this it is refused unread.

    Raises:
        FormatError: It is missing, a directory, unreadable, too large, empty, or no UTF-8.
    """
    with reading(path), path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise refuse(str(path), f"is larger than {max_bytes} bytes; it cannot be what it is given as")
    return decode_text(data, str(path))


def decode_text(data: bytes, where: str) -> str:
    """Decode UTF-8, naming the line of the first byte that is none.

    Raises:
        FormatError: It is empty or no UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(f"line {line}", f"of {where} is no UTF-8 text; save the file as UTF-8") from None
    if not text.strip():
        raise refuse(where, "is empty; see the formats page for what belongs in it")
    return text


def spelling_of(path: Path, text: str) -> Spelling:
    """The spelling that the name's ending says, else the one that the text looks like."""
    suffix = path.suffix.lower()
    if suffix in {".json", ".toml"}:
        return "json" if suffix == ".json" else "toml"
    return guessed_spelling(text)


def guessed_spelling(text: str) -> Spelling:
    """JSON when the text starts with a brace, else TOML."""
    return "json" if text.lstrip().startswith("{") else "toml"


def parse(text: str, spelling: Spelling) -> object:
    """Parse a text into plain data with decimal numbers.

    Raises:
        FormatError: It is no such text; the problem names line and column.
    """
    return parse_json(text) if spelling == "json" else _parse_toml(text)


def parse_json(text: str) -> object:
    """Parse one JSON value; objects remember repeated keys, NaN and infinities become decimals.

    Raises:
        FormatError: It is no JSON; the problem names line and column.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise refuse(place, f"is no JSON: {error.msg[0].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise refuse("file", "is nested too deeply; nothing here needs more than a few levels") from None
    except ValueError:
        raise refuse("file", "has a number with too many digits; write amps, such as 32 or 10.2") from None


def _parse_toml(text: str) -> object:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        reason = _TOML_PLACE.sub("", str(error))
        place = found.group(1) if found else "file"
        raise refuse(place, f"is no TOML: {reason[0].lower()}{reason[1:]}") from None
    except RecursionError:
        raise refuse("file", "is nested too deeply; nothing here needs more than a few levels") from None
    except ValueError:
        raise refuse("file", "has a number with too many digits; write amps, such as 32 or 10.2") from None


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) != len(pairs):
        times = Counter(key for key, _ in pairs)
        found.repeated = tuple(key for key in found if times[key] > 1)
    return found


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_object)
