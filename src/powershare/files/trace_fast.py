"""The quick way through a trace: the common connector event, without the tables.

A simulated year has millions of lines. What this way does not recognise at once (another event, a
rare key, a number with more than three decimals, anything wrong) it leaves to the tables, which
know the rules and have the messages; where it answers, they would have answered the same.
"""

import json
from collections.abc import Container

from powershare.trace import PILOT_STATES, ConnectorEvent

_KEYS = frozenset({"t_s", "connector", "pilot_a", "drawn_a", "state"})
MAX_TIME_MS = 10**13
"""The latest time of an event, 317 years after the start: beyond it is a slip, and no calendar has the instant."""

_EXACT = 1 << 40
"""Below this many thousandths, a number with three decimals is its nearest double's shortest text."""

_decode = json.JSONDecoder(object_pairs_hook=tuple).decode


def quick_event(line: str, connectors: Container[str]) -> ConnectorEvent | None:
    """Read a line that is a plain connector event.

    Args:
        line: One line of a trace.
        connectors: The connectors of the site.

    Returns:
        The event; None: the tables must look at it.
    """
    try:
        pairs = _decode(line)
        if type(pairs) is not tuple:  # a list of pairs would make a dict as well, and is no event
            return None
        raw = dict(pairs)
    except (ValueError, TypeError, RecursionError):
        return None
    extra = raw.keys() - _KEYS
    if len(raw) != len(pairs) or len(raw) - len(extra) != len(_KEYS) or extra - {"lines_used", "event"}:
        return None
    t_ms, pilot_ma, drawn_ma = map(_thousandths, (raw["t_s"], raw["pilot_a"], raw["drawn_a"]))
    connector, state, lines_used, event = raw["connector"], raw["state"], raw.get("lines_used"), raw.get("event")
    if t_ms is None or t_ms > MAX_TIME_MS or pilot_ma is None or drawn_ma is None:
        return None
    if not (isinstance(connector, str) and connector in connectors):
        return None
    if not (isinstance(state, str) and state in PILOT_STATES):
        return None
    if "lines_used" in raw and not (type(lines_used) is int and 1 <= lines_used <= 3):
        return None
    if "event" in raw and not (isinstance(event, str) and event.isascii() and event.strip()):
        return None
    return ConnectorEvent(
        t_ms=t_ms,
        connector=connector,
        pilot_ma=pilot_ma,
        drawn_ma=drawn_ma,
        lines_used=lines_used,
        state=state,
        event=event,
    )


def _thousandths(value: object) -> int | None:
    """The number in whole thousandths, if it surely is a whole number of them and not negative."""
    if type(value) is int:
        return value * 1000 if 0 <= value < _EXACT // 1000 else None
    if type(value) is not float or not 0 <= value < _EXACT / 1000:
        return None
    whole = round(value * 1000)
    return whole if whole / 1000 == value else None
