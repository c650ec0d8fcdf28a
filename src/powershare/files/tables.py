"""Tables: every object of every file, declared once, and read, written and described from there."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import attrs

from powershare.errors import Problem
from powershare.files.kinds import Kind, shown
from powershare.files.text import JsonObject


@attrs.frozen
class Rows:
    """A list of objects of one table."""

    table: "Table"


@attrs.frozen
class Part:
    """One object of another table."""

    table: "Table"


@attrs.frozen(kw_only=True)
class Key:
    """One key of an object.

    Attributes:
        name: The key, as the file spells it.
        field: The attribute of the value that it fills.
        kind: What it holds.
        required: Whether it must be there.
        stand_in: What a draft of the value holds while this key is faulty, so that one mistake is
            reported once; None: the attribute's default.
        about: One line for the JSON schema.
    """

    name: str
    field: str
    kind: Kind | Rows | Part
    required: bool = False
    stand_in: object = None
    about: str = ""

    @property
    def problem_field(self) -> str:
        """The name under which the value itself reports this field: the key without its unit."""
        return self.name.removesuffix("_a").removesuffix("_s").removesuffix("_v").removesuffix("_kwh")


@attrs.frozen
class Table:
    """One kind of object.

    Attributes:
        name: What it is, for messages: "circuit", "site".
        keys: Its keys, in the order in which they are written.
        schema: The string that its `schema` key must hold, for a whole file; "" for a part of one.
        about: One line for the JSON schema.
    """

    name: str
    keys: tuple[Key, ...]
    schema: str = ""
    about: str = ""
    key_by_name: Mapping[str, Key] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key_by_name", {key.name: key for key in self.keys})


@attrs.define
class Decoded:
    """What one object of a file says, as far as it could be understood.

    Attributes:
        place: Where it is in the file.
        values: Field to value; a faulty key is absent.
        faulty: The keys that could not be understood.
    """

    place: str
    values: dict[str, Any] = attrs.field(factory=dict)
    faulty: list[Key] = attrs.field(factory=list)

    @property
    def faulty_fields(self) -> frozenset[str]:
        """The names under which the value itself would report the faulty fields."""
        return frozenset(key.problem_field for key in self.faulty)


_ABSENT: Final = object()

_A = TypeVar("_A", bound=attrs.AttrsInstance)


def decode(
    table: Table, raw: object, problems: list[Problem], place: str = "", *, schema_required: bool = True
) -> Decoded | None:
    """Read one object.

    Args:
        table: What it should be.
        raw: Plain data.
        problems: Every problem found is appended.
        place: Where it is in the file; "" is the top.
        schema_required: Whether a table with a schema must name it.

    Returns:
        What it says; None when it is no object or another schema's.
    """
    if not isinstance(raw, dict):
        message = f"is {shown(raw)}, not an object; write the keys of a {table.name}"
        problems.append(Problem(place or "file", "", message))
        return None
    if table.schema and not _schema_fits(table, raw, problems, place, required=schema_required):
        return None
    repeated = raw.repeated if isinstance(raw, JsonObject) else ()
    problems += [Problem(_at(place, name), "", "is given twice; give each key once") for name in repeated]
    found = Decoded(place)
    for name, entry in raw.items():
        key = table.key_by_name.get(name)
        if key is not None:
            _decode_key(key, entry, found, problems)
        elif not (name == "schema" and table.schema):
            problems.append(Problem(_at(place, name), "", _unknown_key(table, name)))
            # The key that was meant is faulty, not missing: one slip of the pen is one problem.
            meant = table.key_by_name.get(_meant(table, name))
            found.faulty += [meant] if meant is not None and meant.name not in raw else []
    for key in table.keys:
        if key.required and key.name not in raw and key not in found.faulty:
            found.faulty.append(key)
            problems.append(Problem(_at(place, key.name), "", f"is missing; every {table.name} needs it"))
    return found


def encode(table: Table, values: Mapping[str, Any]) -> dict[str, object]:
    """Write one object; fields that are absent are left out.

    Args:
        table: What it is.
        values: Field to value; rows as lists of such mappings.

    Returns:
        Plain data in the order of the table.
    """
    written: dict[str, object] = {"schema": table.schema} if table.schema else {}
    for key in table.keys:
        value = values.get(key.field, _ABSENT)
        if value is _ABSENT:
            continue
        if isinstance(key.kind, Rows):
            written[key.name] = [encode(key.kind.table, row) for row in value]
        elif isinstance(key.kind, Part):
            written[key.name] = encode(key.kind.table, value)
        else:
            written[key.name] = key.kind.write(value)
    return written


def json_schema(table: Table) -> dict[str, object]:
    """The table as a JSON schema (2020-12), without its head."""
    properties: dict[str, object] = {"schema": {"const": table.schema}} if table.schema else {}
    for key in table.keys:
        properties[key.name] = _kind_schema(key.kind) | ({"description": key.about} if key.about else {})
    required = [*(["schema"] if table.schema else []), *(key.name for key in table.keys if key.required)]
    schema: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    if table.about:
        schema["description"] = table.about
    return schema


def draft(cls: type[_A], found: Decoded) -> _A:
    """A value of an attrs class without its validation, so that it can be asked for all its problems.

    Fields that are absent or faulty have their default, or the key's stand-in.
    """
    stand_ins = {key.field: key.stand_in for key in found.faulty if key.stand_in is not None}
    values = {field.name: None if field.default is attrs.NOTHING else field.default for field in attrs.fields(cls)}
    values |= stand_ins | found.values
    value = object.__new__(cls)
    for name, content in values.items():
        object.__setattr__(value, name, content)
    return value


def said(value: attrs.AttrsInstance) -> dict[str, Any]:
    """The fields of a value that differ from their default."""
    fields = attrs.fields(type(value))
    return {field.name: content for field in fields if (content := getattr(value, field.name)) != field.default}


def _at(place: str, name: str) -> str:
    # A key from a file may hold anything, a line break included: what is not plain is shown quoted.
    shown_name = name if name.isidentifier() else shown(name)
    return f"{place}.{shown_name}" if place else shown_name


def _decode_key(key: Key, raw: object, found: Decoded, problems: list[Problem]) -> None:
    place = _at(found.place, key.name)
    if isinstance(key.kind, Kind):
        try:
            found.values[key.field] = key.kind.read(raw)
        except ValueError as error:
            message = "is null; leave the key out instead" if raw is None else str(error)
            problems.append(Problem(place, "", message))
            found.faulty.append(key)
        return
    if isinstance(key.kind, Part):
        part = decode(key.kind.table, raw, problems, place, schema_required=False)
        if part is None:
            found.faulty.append(key)
        else:
            found.values[key.field] = part
        return
    if not isinstance(raw, list):
        problems.append(Problem(place, "", f"is {shown(raw)}, not a list; write one {key.kind.table.name} per entry"))
        found.faulty.append(key)
        return
    rows = [decode(key.kind.table, entry, problems, f"{place}[{index}]") for index, entry in enumerate(raw)]
    found.values[key.field] = [row for row in rows if row is not None]
    if None in rows:
        found.faulty.append(key)


def _schema_fits(table: Table, raw: dict[str, object], problems: list[Problem], place: str, *, required: bool) -> bool:
    given = raw.get("schema", _ABSENT)
    if given == table.schema or (given is _ABSENT and not required):
        return True
    message = "is missing" if given is _ABSENT else f"is {shown(given)}"
    file = f"{table.name.removesuffix(' file')} file"
    problems.append(Problem(_at(place, "schema"), "", f'{message}; a {file} says "{table.schema}"'))
    return False


def _meant(table: Table, name: str) -> str:
    """The key that a name which is none comes close to, or ""."""
    return next(iter(get_close_matches(name, tuple(table.key_by_name), n=1)), "")


def _unknown_key(table: Table, name: str) -> str:
    meant = _meant(table, name)
    hint = f'did you mean "{meant}"?' if meant else f"its keys are {', '.join(table.key_by_name)}"
    return f"is no key of a {table.name}; {hint}"


def _kind_schema(kind: Kind | Rows | Part) -> dict[str, object]:
    if isinstance(kind, Rows):
        return {"type": "array", "items": json_schema(kind.table)}
    if isinstance(kind, Part):
        schema = json_schema(kind.table)
        if kind.table.schema:  # inside another file its schema string may be left out
            required = [name for name in schema.get("required", ()) if name != "schema"]  # type: ignore[attr-defined]  # a list, as this module made it
            schema["required"] = required
        return schema
    return dict(kind.schema)
