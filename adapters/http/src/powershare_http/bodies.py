"""Bodies of answers: bytes to JSON, and its fields to figures. No I/O; hostile bytes raise `BodyError`, nothing else.

Numbers stay decimal, so that 10.2 A are 10,200 mA and not one less. A figure that bounds from above rounds up.
"""

import json
import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, NoReturn

from powershare.errors import AdapterUnavailable
from powershare.units import MAX_CONNECTOR_MA, Milliamps
from powershare_http.exchange import MAX_BODY_BYTES, shown

_MOST_DIGITS = 30
_GREATEST_EXPONENT = 12


class BodyError(AdapterUnavailable):
    """The device answered with what cannot be understood."""


def json_of(body: bytes) -> object:
    """Read a body as JSON, strictly: `NaN`, other things that JSON does not have, and cut bodies are refused.

    Raises:
        BodyError: It is none.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyError(f"its answer has more than {MAX_BODY_BYTES} bytes")
    try:
        data: object = json.loads(body, parse_float=decimal_of, parse_int=decimal_of, parse_constant=_refuse)
    except BodyError:
        raise
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are kinds of ValueError
        raise BodyError(f"its answer is no JSON: {shown(body)}") from None
    return data


def field_of(data: object, path: Sequence[str]) -> object:
    """What lies at a path: names of an object's members, places in an array counted from 0.

    Raises:
        BodyError: Nothing does.
    """
    found: Any = data
    for at, step in enumerate(path):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isascii() and step.isdecimal() and int(step[:9]) < len(found):
            found = found[int(step[:9])]
        else:
            raise BodyError(f"its answer has no {'.'.join(path[: at + 1])}")
    return found


def has_field(data: object, path: Sequence[str]) -> bool:
    """Whether something lies at a path."""
    try:
        field_of(data, path)
    except BodyError:
        return False
    return True


def word_of(value: object) -> str:
    """A plain value as the word that maps write for it: `2`, `true`, `null`, `charging`.

    Raises:
        BodyError: It is an object or an array.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else str(value.normalize())
    if isinstance(value, str):
        return value
    raise BodyError(f"its answer has {'an object' if isinstance(value, dict) else 'an array'} in place of a value")


def number_of(value: object, what: str) -> Decimal:
    """A number; one in quotation marks counts, too, since some devices write them so.

    Raises:
        BodyError: It is none.
    """
    if isinstance(value, str):
        try:
            value = decimal_of(value.strip())
        except BodyError:
            value = None
    if not isinstance(value, Decimal):
        raise BodyError(f"{what} is no number")
    return value


def current_ma(value: object, unit_ma: Decimal, what: str) -> Milliamps:
    """A current, rounded up.

    Args:
        value: As it stands in the body.
        unit_ma: How many milliamps one of its units is.
        what: Its name, for an error.

    Raises:
        BodyError: It is no number, negative, or more than any connector carries.
    """
    number = number_of(value, what)
    found_ma = math.ceil(Fraction(number) * Fraction(unit_ma))
    if not 0 <= found_ma <= MAX_CONNECTOR_MA:
        raise BodyError(f"{what} is {number}, no current that a connector can have")
    return found_ma


def decimal_of(text: str) -> Decimal:
    """A number of a body; bounded, so that no arithmetic on it can take long or overflow.

    Raises:
        BodyError: It is none, or out of bounds.
    """
    if len(text) > _MOST_DIGITS:
        raise BodyError("its answer has a number with too many digits")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BodyError(f"{text!r} is no number") from None
    if not number.is_finite() or (number and abs(number.adjusted()) > _GREATEST_EXPONENT):
        raise BodyError(f"its answer has {text}, a number beyond anything there is")
    return number


def _refuse(name: str) -> NoReturn:
    raise BodyError(f"its answer says {name} for a number")
