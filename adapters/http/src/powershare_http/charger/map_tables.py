"""The tables of a map file: every key there is, what it holds, and how a mistake in it is worded."""

from collections.abc import Callable
from decimal import Decimal

from powershare.adapter import PILOT_STATES, PilotState
from powershare.files.kinds import Kind, Misread, amps, flag, seconds, shown, text, texts, whole, word
from powershare.files.tables import Key, Part, Rows, Table
from powershare_http.charger.http_map import PLACEHOLDER, PLACEHOLDERS

METHODS = ("GET", "POST", "PUT", "PATCH")
_LONGEST_PATH = 8
_MOST_DIGITS = 3


def _kind(read: Callable[[object], object]) -> Kind:
    """A kind of this file alone; nothing writes it, and no schema describes it."""
    return Kind(read, lambda value: value, {})


def _target(raw: object) -> str:
    plain = isinstance(raw, str) and raw.startswith("/") and raw.isascii() and raw.isprintable()
    if not isinstance(raw, str) or not plain or any(letter in ' ?#%"<>\\^`{|}' for letter in raw):
        raise Misread(f'is {shown(raw)}; write a path such as "/api/status", and what follows a ? as query')
    return raw


def _filled_target(raw: object) -> str:
    if not isinstance(raw, str):
        return _target(raw)
    _filled(raw)
    _target(PLACEHOLDER.sub("0", raw))
    return raw


def _filled(raw: str) -> None:
    for match in PLACEHOLDER.finditer(raw):
        if match[1] not in PLACEHOLDERS and (match[1] or raw != "{}"):
            raise Misread(f"has {{{match[1]}}}; what is filled in is {{order}} and {{least}}")


def _query(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict):
        raise Misread(f'is {shown(raw)}; write a table such as {{ amp = "{{order}}" }}')
    for name, value in raw.items():
        if not isinstance(value, str):
            raise Misread(f"has {name} = {shown(value)}; write every value in quotation marks")
        _filled(value)
    return dict(raw)


def _body(raw: object) -> str:
    if not isinstance(raw, str) or not raw.isprintable():
        raise Misread(f"is {shown(raw)}; write what is sent along, in quotation marks and on one line")
    _filled(raw)
    return raw


def _path(raw: object) -> tuple[str, ...]:
    steps = tuple(raw.split(".")) if isinstance(raw, str) else ()
    if not steps or not all(steps) or len(steps) > _LONGEST_PATH:
        raise Misread(f'is {shown(raw)}; write where it lies, such as "nrg.4": names and places with points between')
    return steps


def _paths(raw: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= 3:
        raise Misread(f"is {shown(raw)}; write a list with a place for each of one to three lines")
    return tuple(map(_path, raw))


def _word(raw: object) -> str:
    """A plain value, as the word that `bodies.word_of` makes of it."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str) or (isinstance(raw, int) and abs(raw) < 10**12):
        return str(raw)
    raise Misread(f"is {shown(raw)}; write a word, a whole number, true or false")


def _words(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Misread(f"is {shown(raw)}; write a list of words, whole numbers, true or false")
    return tuple(map(_word, raw))


def _states(raw: object) -> dict[str, PilotState]:
    if not isinstance(raw, dict) or not raw:
        raise Misread(f'is {shown(raw)}; write a table such as {{ 1 = "A", 2 = "B" }}')
    states: dict[str, PilotState] = {}
    for name, state in raw.items():
        found = next((known for known in PILOT_STATES if known == state), None)
        if found is None:
            raise Misread(f"has {name} = {shown(state)}; a state is one of {', '.join(PILOT_STATES)}")
        states[name] = found
    return states


def _unit(raw: object) -> Decimal:
    value = Decimal(raw) if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else Decimal("nan")
    if not value.is_finite() or not Decimal("0.0001") <= value <= 1_000:
        raise Misread(f"is {shown(raw)}; write how many amps one of its units is, 0.0001 to 1000")
    return value * 1_000


def _place(*others: Key) -> tuple[Key, ...]:
    return (
        Key(name="from", field="read", kind=text("the name of a question")),
        Key(name="field", field="path", kind=_kind(_path), required=True),
        *others,
    )


_UNIT = Key(name="unit_a", field="unit_ma", kind=_kind(_unit), required=True)

STEP = Table(
    "question",
    (
        Key(name="method", field="method", kind=word(*METHODS)),
        Key(name="path", field="path", kind=_kind(_filled_target), required=True),
        Key(name="query", field="query", kind=_kind(_query)),
        Key(name="body", field="body", kind=_kind(_body)),
        Key(name="content_type", field="content_type", kind=text("a type such as application/json")),
        Key(name="answers", field="answers", kind=text("how an answer begins that is no refusal")),
    ),
)

READ = Table(
    "question",
    (
        Key(name="name", field="name", kind=text("a name for it"), required=True),
        Key(name="path", field="path", kind=_kind(_target), required=True),
        Key(name="query", field="query", kind=_kind(_query)),
    ),
)

CONNECTION = Table(
    "connection",
    (
        Key(name="login", field="login", kind=word("basic", "digest", "bearer")),
        Key(name="reply_s", field="reply_ms", kind=seconds("2")),
    ),
)

OFFERS = Table(
    "range of offers",
    (
        Key(name="least_a", field="least_ma", kind=amps()),
        Key(name="greatest_a", field="greatest_ma", kind=amps(), required=True),
        Key(name="step_a", field="step_ma", kind=amps(), required=True),
        Key(name="settle_s", field="settle_ms", kind=seconds("2"), required=True),
    ),
)

AMOUNT = Table(
    "way to write amps",
    (_UNIT, Key(name="digits", field="digits", kind=whole("how many digits behind the point", "0", 0, _MOST_DIGITS))),
)

OFFERED = Table(
    "report",
    _place(_UNIT, Key(name="says", field="says", kind=word("applied", "order"), required=True)),
)

SWITCH = Table(
    "switch",
    _place(
        Key(name="paused", field="paused", kind=_kind(_words), required=True),
        Key(name="offering", field="offering", kind=_kind(_word), required=True),
    ),
)

STATE = Table(
    "state",
    _place(
        Key(name="values", field="values", kind=_kind(_states), required=True),
        Key(name="not_offering", field="not_offering", kind=_kind(_words)),
    ),
)

DRAWN = Table(
    "meter",
    (
        Key(name="from", field="read", kind=text("the name of a question")),
        Key(name="fields", field="paths", kind=_kind(_paths), required=True),
        _UNIT,
    ),
)

TROUBLE = Table("trouble", _place(Key(name="fine", field="fine", kind=_kind(_words), required=True)))

EXPECT = Table(
    "expectation",
    _place(
        Key(name="value", field="value", kind=_kind(_word)),
        Key(name="absent", field="absent", kind=flag()),
        Key(name="remedy", field="remedy", kind=text("what to do if it is not so"), required=True),
    ),
)

EVIDENCE = Table("evidence", _place(Key(name="name", field="name", kind=text("what it is called"), required=True)))

_AT = Table("place", _place())

WATCHDOG = Table(
    "watchdog",
    (
        Key(name="after_s", field="after_ms", kind=seconds("60"), required=True),
        Key(name="fallback_a", field="fallback_ma", kind=amps(), required=True),
        Key(name="fed_by_reads", field="fed_by_reads", kind=flag(), required=True),
        Key(name="time", field="time", kind=Part(_AT)),
        Key(name="failsafe", field="failsafe", kind=Part(_AT)),
    ),
)

MAP = Table(
    "map",
    (
        Key(name="name", field="name", kind=text("what it is called"), required=True),
        Key(name="sources", field="sources", kind=texts("addresses of documents"), required=True),
        Key(name="notes", field="notes", kind=texts("sentences")),
        Key(name="connection", field="connection", kind=Part(CONNECTION)),
        Key(name="offers", field="offers", kind=Part(OFFERS), required=True),
        Key(name="amount", field="amount", kind=Part(AMOUNT), required=True),
        Key(name="offer", field="offer", kind=Rows(STEP), required=True),
        Key(name="pause", field="pause", kind=Rows(STEP)),
        Key(name="read", field="read", kind=Rows(READ), required=True),
        Key(name="offered", field="offered", kind=Part(OFFERED), required=True),
        Key(name="switch", field="switch", kind=Part(SWITCH)),
        Key(name="state", field="state", kind=Rows(STATE), required=True),
        Key(name="drawn", field="drawn", kind=Part(DRAWN)),
        Key(name="trouble", field="trouble", kind=Part(TROUBLE)),
        Key(name="expect", field="expect", kind=Rows(EXPECT)),
        Key(name="evidence", field="evidence", kind=Rows(EVIDENCE)),
        Key(name="watchdog", field="watchdog", kind=Part(WATCHDOG)),
    ),
)
