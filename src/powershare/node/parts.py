"""The parts of messages that only some have: texts, readings of other loads, external limits."""

from struct import Struct

from powershare.errors import ContractError, MessageError, Problem
from powershare.node.messages import Bound, Reading, Vote
from powershare.units import MAX_LIMIT_MA

MOST_READINGS = 12
MOST_BOUNDS = 4
MOST_TEXT_BYTES = 40
MOST_MS = 1 << 52
"""No clock, and no time between two of its readings, is beyond this."""

ABSENT = -1

_COUNTS = Struct(">BB")
_READING = Struct(">HqB")
_BOUND = Struct(">hhqBBB")
_LINE = Struct(">q")


def wrong(field: str, message: str) -> MessageError:
    """The error of a message that cannot be."""
    return MessageError([Problem("message", field, message)])


def need(holds: bool, field: str) -> None:
    """Refuse a message in which something does not hold.

    Raises:
        MessageError: It does not.
    """
    if not holds:
        raise wrong(field, "is out of its range")


def encode_more(message: Vote) -> bytes:
    """A report's readings and limits; ContractError where there are too many for a message."""
    if len(message.readings) > MOST_READINGS or len(message.bounds) > MOST_BOUNDS:
        raise ContractError(f"a report carries at most {MOST_READINGS} readings and {MOST_BOUNDS} external limits")
    parts = [_COUNTS.pack(len(message.readings), len(message.bounds))]
    for reading in message.readings:
        parts.append(_READING.pack(reading.circuit, reading.age_ms, len(reading.load_ma)))
        parts += map(_LINE.pack, reading.load_ma)
    for bound in message.bounds:
        source = text_bytes(bound.source)
        circuit = ABSENT if bound.circuit is None else bound.circuit
        connector = ABSENT if bound.connector is None else bound.connector
        parts.append(
            _BOUND.pack(circuit, connector, bound.left_ms, bound.all_loads, len(bound.limit_ma), len(source)) + source
        )
        parts += map(_LINE.pack, bound.limit_ma)
    return b"".join(parts)


def text_bytes(text: str) -> bytes:
    """The text in UTF-8, cut where it is too long for a message."""
    return text.encode()[:MOST_TEXT_BYTES].decode(errors="ignore").encode()


def decode_text(data: bytes, at: int, length: int, field: str) -> tuple[str, int]:
    """A text, and where it ends; MessageError where it is too long, cut, or no text."""
    need(length <= MOST_TEXT_BYTES and at + length <= len(data), field)
    try:
        return data[at : at + length].decode(), at + length
    except UnicodeDecodeError:
        raise wrong(field, "is no UTF-8 text") from None


def decode_more(data: bytes, at: int) -> tuple[tuple[Reading, ...], tuple[Bound, ...], int]:
    """A report's readings and limits, and where they end."""
    n_readings, n_bounds = _COUNTS.unpack_from(data, at)
    at += _COUNTS.size
    need(n_readings <= MOST_READINGS and n_bounds <= MOST_BOUNDS, "readings")
    readings: list[Reading] = []
    for _ in range(n_readings):
        circuit, age_ms, lines = _READING.unpack_from(data, at)
        load_ma, at = _decode_lines(data, at + _READING.size, lines)
        need(0 <= age_ms <= MOST_MS, "readings")
        readings.append(Reading(circuit, load_ma, age_ms))
    bounds: list[Bound] = []
    for _ in range(n_bounds):
        circuit, connector, left_ms, all_loads, lines, length = _BOUND.unpack_from(data, at)
        source, at = decode_text(data, at + _BOUND.size, length, "bounds")
        limit_ma, at = _decode_lines(data, at, lines)
        need((circuit < 0) != (connector < 0) and all_loads <= 1, "bounds")
        need(0 <= left_ms <= MOST_MS and min(circuit, connector) >= ABSENT and bool(source), "bounds")
        bounds.append(
            Bound(
                None if circuit < 0 else circuit,
                None if connector < 0 else connector,
                limit_ma,
                left_ms,
                bool(all_loads),
                source,
            )
        )
    return tuple(readings), tuple(bounds), at


def _decode_lines(data: bytes, at: int, lines: int) -> tuple[tuple[int, ...], int]:
    need(1 <= lines <= 3, "lines")
    figures = tuple(_LINE.unpack_from(data, at + _LINE.size * place)[0] for place in range(lines))
    need(all(0 <= figure <= MAX_LIMIT_MA for figure in figures), "lines")
    return figures, at + _LINE.size * lines
