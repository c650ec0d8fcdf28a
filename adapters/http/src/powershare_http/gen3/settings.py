"""What an address says of a Wall Connector that is a meter: `http+gen3://192.0.2.30?supply=three_phase&lines=L2,L3,L1`."""

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from powershare.addressing import HostPort, Readers, one_of, seconds
from powershare.errors import FormatError
from powershare.units import ALL_LINES, Line
from powershare_http import GEN3
from powershare_http.addresses import address_of

ACTIVE_MS, IDLE_MS = 2_000, 5_000
"""How often it is asked at the most: while a vehicle is plugged in, and while none is."""

REPLY_MS = 6_000
"""How long an answer may take: several seconds have been seen (home-assistant/core issue 61150)."""

_SUPPLIES: Mapping[str, int] = MappingProxyType({"single_phase": 1, "split_phase": 2, "three_phase": 3})


def _lines(text: str) -> tuple[Line, ...]:
    names = {line.name: line for line in ALL_LINES}
    found = text.split(",")
    if not all(name in names for name in found) or len(set(found)) < len(found):
        raise ValueError(f"is {text!r}; write lines of the supply, each once, such as L2,L3,L1")
    return tuple(names[name] for name in found)


_READERS: Readers = MappingProxyType(
    {
        "supply": one_of(*_SUPPLIES),
        "lines": _lines,
        "reply_s": seconds(500, 7_500),
        "poll_s": seconds(1_000, 60_000),
    }
)


@attrs.frozen(kw_only=True)
class Settings:
    """A Wall Connector, and how it is wired.

    Attributes:
        place: Where it listens.
        supply_lines: How many lines the site's supply has.
        lines: The lines of the supply that its conductors A, B and C are on, in that order.
        reply_ms: How long an answer may take.
        poll_ms: How often it is asked at the most while a vehicle is plugged in.
    """

    place: HostPort
    supply_lines: int
    lines: tuple[Line, ...]
    reply_ms: int
    poll_ms: int


def settings_of(rest: str) -> Settings:
    """Read an address.

    Args:
        rest: What follows `http+gen3:`.

    Raises:
        FormatError: It means nothing; every problem at once.
    """
    needed = {"supply": f"write the supply of the site: supply={'|'.join(_SUPPLIES)}"}
    address = address_of(GEN3, rest, _READERS, noun="meter", needed=needed)
    values, supply_lines = address.values, _SUPPLIES[address.values["supply"]]
    lines = values.get("lines", ALL_LINES[:supply_lines])
    if any(line >= supply_lines for line in lines):
        known = ", ".join(line.name for line in ALL_LINES[:supply_lines])
        raise FormatError([address.problem("lines", f"has a line that a {values['supply']} supply has not: {known}")])
    return Settings(
        place=address.place,
        supply_lines=supply_lines,
        lines=lines,
        reply_ms=values.get("reply_s", REPLY_MS),
        poll_ms=values.get("poll_s", ACTIVE_MS),
    )
