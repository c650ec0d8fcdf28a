"""The three messages of OCPP-J, as text and as values; no I/O (OCPP-J 1.6 specification, section 4.2).

A message is a JSON array: `[2, id, action, payload]` asks, `[3, id, payload]` answers, `[4, id, code, text, details]`
refuses. What a station sends is hostile until it has been read here.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import attrs

from powershare.errors import AdapterRejected

LONGEST_TEXT = 65_536
"""A longer message is none: the largest that a station has reason to send is a list of its configuration."""

_LONGEST_ID = 36
_LONGEST_ACTION = 64
_SHOWN = 80

Payload: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Call:
    """One side asks.

    Attributes:
        id: By which its answer is known.
        action: What is asked.
        payload: With what.
    """

    id: str
    action: str
    payload: Payload


@attrs.frozen
class Result:
    """The other side answers.

    Attributes:
        id: Of the question.
        payload: The answer.
    """

    id: str
    payload: Payload


@attrs.frozen
class Refusal:
    """The other side could not make anything of the question.

    Attributes:
        id: Of the question.
        code: Why, in the protocol's words: `NotImplemented`, `NotSupported`, `InternalError`.
        text: Why, in its own words.
    """

    id: str
    code: str
    text: str = ""


Message: TypeAlias = Call | Result | Refusal


def message_of(text: str | bytes) -> Message:
    """Read one message.

    Args:
        text: As it came, one WebSocket message.

    Raises:
        AdapterRejected: It is none; the text says why.
    """
    if len(text) > LONGEST_TEXT:
        raise AdapterRejected(f"a message of {len(text)} characters is longer than {LONGEST_TEXT}")
    try:
        parts = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected(f"a message is no JSON: {error}") from None
    if not isinstance(parts, list) or len(parts) < 3:
        raise AdapterRejected(f"a message is no array of three or more: {shown(parts)}")
    kind, message_id = parts[0], parts[1]
    if not isinstance(message_id, str) or not 0 < len(message_id) <= _LONGEST_ID:
        raise AdapterRejected(f"a message has no id of 1 to {_LONGEST_ID} characters: {shown(message_id)}")
    if isinstance(kind, bool) or kind not in (2, 3, 4):
        raise AdapterRejected(f"a message is of no kind that there is: {shown(kind)}")
    if kind == 4:
        words = [word if isinstance(word, str) else "" for word in (*parts[2:4], "")]
        return Refusal(message_id, words[0][:_SHOWN], words[1][:_SHOWN])
    payload = parts[-1]
    if not isinstance(payload, dict) or len(parts) != (4 if kind == 2 else 3):
        raise AdapterRejected(f"a message has no payload where one belongs: {shown(parts)}")
    if kind == 3:
        return Result(message_id, payload)
    action = parts[2]
    if not isinstance(action, str) or not 0 < len(action) <= _LONGEST_ACTION:
        raise AdapterRejected(f"a question has no action: {shown(action)}")
    return Call(message_id, action, payload)


def text_of(message: Message) -> str:
    """Write one message."""
    if isinstance(message, Call):
        parts: list[Any] = [2, message.id, message.action, message.payload]
    elif isinstance(message, Result):
        parts = [3, message.id, message.payload]
    else:
        parts = [4, message.id, message.code, message.text, {}]
    return json.dumps(parts, separators=(",", ":"), allow_nan=False)


def shown(value: object) -> str:
    """What a station said, short enough for an error."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
