"""The kinds of value that a key can hold: how each is read, written, and described to a JSON schema.

A reader raises `Misread`. Ranges are the values' own
business (they check themselves); a kind checks what only the file can get wrong.
"""

import enum
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import attrs

from powershare.units import ALL_LINES, limit_ma_from_amps, load_ma_from_amps

_BEYOND = 10**15
"""No whole number of a file is larger; a decimal such as 1e999999999 must not become an integer."""

FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Years beyond are slips of the pen, and near the ends of the calendar arithmetic with offsets fails."""

_E = TypeVar("_E", bound=enum.Enum)


class Misread(ValueError):
    """What a key holds cannot be read as its kind; the text completes "<place> ..."."""


@attrs.frozen
class Kind:
    """One kind of value.

    Attributes:
        read: From plain data to the value; `Misread` (or any ValueError) says what is wrong.
        write: From the value to plain data.
        schema: The kind in JSON Schema's words.
    """

    read: Callable[[object], Any]
    write: Callable[[Any], object]
    schema: Mapping[str, object]


def shown(raw: object) -> str:
    """Plain data as its file spells it, short enough for a message."""
    if isinstance(raw, dict):
        return "an object"
    if isinstance(raw, list):
        return "a list"
    if raw is None or isinstance(raw, (bool, str)):
        text = json.dumps(raw, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= 60 else f'{text[:56]}..."'
    if isinstance(raw, int) and abs(raw) > _BEYOND:
        return "a number with too many digits"  # Python refuses to spell the longest ones, and takes long for long ones
    text = str(raw)
    return text if len(text) <= 40 else f"{text[:36]}..."


def plain_amps(current_ma: int) -> int | float:
    """Milliamps as the shortest number of amps that means exactly them."""
    whole, rest = divmod(current_ma, 1000)
    return current_ma / 1000 if rest else whole


def _same(value: object) -> object:
    return value


def _number(raw: object, what: str, such_as: str) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        raise Misread(f"is {shown(raw)}, not a number; write {what}, such as {such_as}")
    if isinstance(raw, int) and abs(raw) > _BEYOND:  # hexadecimal TOML of any length: no decimal is made of it
        raise Misread(f"is {shown(raw)}, beyond anything there is; write {what}, such as {such_as}")
    # Our parsers give decimals; data from another parser may hold floats, which count as their shortest text.
    value = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    if not value.is_finite():
        raise Misread(f"is {shown(raw)}, not a finite number; write {what}, such as {such_as}")
    if value.copy_abs() > _BEYOND:  # abs() would overflow on an exponent out of reach
        raise Misread(f"is {shown(raw)}, beyond anything there is; write {what}, such as {such_as}")
    return value


def _refuse_halves(raw: str) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and no UTF-8 file or screen can hold."""
    if not raw.isascii() and any("\ud800" <= letter <= "\udfff" for letter in raw):
        raise Misread(f"is {shown(raw)}, which holds half a character; write both halves of the pair, or none")


def text(doc: str = "a text", *, blank: bool = False) -> Kind:
    """A text; without `blank` it must say something."""

    def read(raw: object) -> str:
        if not isinstance(raw, str):
            raise Misread(f"is {shown(raw)}; write {doc} in quotation marks")
        if not blank and not raw.strip():
            raise Misread(f"is blank; write {doc}")
        _refuse_halves(raw)
        return raw

    return Kind(read, _same, {"type": "string"} if blank else {"type": "string", "pattern": r"\S"})


def texts(doc: str) -> Kind:
    """A list of texts."""

    def read(raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise Misread(f"is {shown(raw)}; write a list of {doc}")
        for entry in raw:
            if not isinstance(entry, str) or not entry.strip():
                raise Misread(f"holds {shown(entry)}; write a list of {doc}")
            _refuse_halves(entry)
        return tuple(raw)

    return Kind(read, list, {"type": "array", "items": {"type": "string", "pattern": r"\S"}})


def flag() -> Kind:
    """True or false."""

    def read(raw: object) -> bool:
        if not isinstance(raw, bool):
            raise Misread(f"is {shown(raw)}; write true or false")
        return raw

    return Kind(read, _same, {"type": "boolean"})


def choice(words: type[_E]) -> Kind:
    """One word of an enumeration."""
    spelled = {str(word.value): word for word in words}

    def read(raw: object) -> _E:
        if not isinstance(raw, str) or raw not in spelled:
            raise Misread(f"is {shown(raw)}; write one of {', '.join(spelled)}")
        return spelled[raw]

    return Kind(read, lambda word: word.value, {"enum": list(spelled)})


def word(*words: str) -> Kind:
    """One of a few texts."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or raw not in words:
            raise Misread(f"is {shown(raw)}; write one of {', '.join(words)}")
        return raw

    return Kind(read, _same, {"enum": list(words)})


def site_lines() -> Kind:
    """A list of line names."""
    names = {line.name: line for line in ALL_LINES}

    def read(raw: object) -> tuple[object, ...]:
        if not isinstance(raw, list):
            raise Misread(f'is {shown(raw)}; write a list of lines, such as ["L1"]')
        for entry in raw:
            if not isinstance(entry, str) or entry not in names:
                raise Misread(f"holds {shown(entry)}; lines are {', '.join(names)}")
        return tuple(names[entry] for entry in raw)

    items = {"enum": list(names)}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": 3, "uniqueItems": True}
    return Kind(read, lambda lines: [line.name for line in lines], schema)


def whole(doc: str, such_as: str, least: int | None = None, greatest: int | None = None) -> Kind:
    """A whole number; the bounds are for the schema, the value itself checks them."""

    def read(raw: object) -> int:
        value = _number(raw, doc, such_as)
        if value != value.to_integral_value():
            raise Misread(f"is {shown(raw)}, not a whole number; write {doc}, such as {such_as}")
        return int(value)

    schema: dict[str, object] = {"type": "integer"}
    if least is not None:
        schema["minimum"] = least
    if greatest is not None:
        schema["maximum"] = greatest
    return Kind(read, _same, schema)


def _thousandths(doc: str, such_as: str, rounding: str, least: int | None) -> Kind:
    """A decimal number that is kept in whole thousandths."""

    def read(raw: object) -> int:
        return int((_number(raw, doc, such_as) * 1000).to_integral_value(rounding))

    schema: dict[str, object] = {"type": "number"} if least is None else {"type": "number", "minimum": least}
    return Kind(read, plain_amps, schema)


def seconds(such_as: str, least: int | None = None) -> Kind:
    """Seconds, kept in whole milliseconds; rounded down."""
    return _thousandths("seconds", such_as, ROUND_FLOOR, least)


def kilowatt_hours() -> Kind:
    """Kilowatt-hours, kept in whole watt-hours; rounded to the nearest."""
    return _thousandths("kilowatt-hours", "7.5", ROUND_HALF_UP, 0)


def _amps_reader(*, load: bool) -> Callable[[object], int]:
    convert = load_ma_from_amps if load else limit_ma_from_amps

    def read(raw: object) -> int:
        try:
            return convert(_number(raw, "amps", "32 or 10.2"))
        except ValueError as error:
            message = str(error)
            raise Misread(message if ";" in message else f"{message}; write amps, such as 32 or 10.2") from None

    return read


def _amps_schema(least: int | None, above: int | None) -> dict[str, object]:
    schema: dict[str, object] = {"type": "number"}
    if least is not None:
        schema["minimum"] = least
    if above is not None:
        schema["exclusiveMinimum"] = above
    return schema


def amps(*, load: bool = False, least: int | None = None, above: int | None = None) -> Kind:
    """Amps, kept in whole milliamps: a load rounds up, everything else rounds down."""
    return Kind(_amps_reader(load=load), plain_amps, _amps_schema(least, above))


def amps_per_line(
    *, load: bool = False, least: int | None = None, above: int | None = None, alike: bool = True
) -> Kind:
    """Amps for every line alike (where `alike` allows one number) or a list of one figure per line."""
    one = _amps_reader(load=load)

    def read(raw: object) -> int | tuple[int, ...]:
        if not isinstance(raw, list):
            if not alike:
                raise Misread(f"is {shown(raw)}; write a list of amps, one figure per line")
            return one(raw)
        if not 1 <= len(raw) <= len(ALL_LINES):
            raise Misread(
                f"has {len(raw)} figures; give {'one number, or ' if alike else ''}one per line of the supply"
            )
        return tuple(one(figure) for figure in raw)

    def write(figure: int | tuple[int, ...]) -> object:
        return [plain_amps(line_ma) for line_ma in figure] if isinstance(figure, tuple) else plain_amps(figure)

    item = _amps_schema(least, above)
    per_line = {"type": "array", "items": item, "minItems": 1, "maxItems": len(ALL_LINES)}
    return Kind(read, write, {"anyOf": [item, per_line]} if alike else per_line)


def instant() -> Kind:
    """An ISO 8601 instant; its offset is required."""
    return Kind(read_instant, lambda at: at.isoformat(), {"type": "string", "format": "date-time"})


def read_instant(raw: object) -> datetime:
    """An ISO 8601 text with its offset as a datetime.

    Raises:
        Misread: It is none, or has no offset.
    """
    try:
        at = datetime.fromisoformat(raw.strip()) if isinstance(raw, str) else None
    except ValueError:
        at = None
    if at is None:
        raise Misread(f"is {shown(raw)}, no ISO 8601 time; write it like 2026-01-31T18:00:00+01:00")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise Misread(f"is {shown(raw)}; the year must be between {FIRST_YEAR} and {LAST_YEAR}")
    if at.tzinfo is None:
        raise Misread(f"is {shown(raw)}, without an offset; write it like 2026-01-31T18:00:00+01:00")
    return at


def optional(kind: Kind) -> Kind:
    """The kind, or null for none."""
    return Kind(
        lambda raw: None if raw is None else kind.read(raw),
        lambda value: None if value is None else kind.write(value),
        {"anyOf": [kind.schema, {"type": "null"}]},
    )
