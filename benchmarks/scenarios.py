"""The sites and demands that every benchmark shares, made by arithmetic: the same on every machine.

Groups of six connectors hang on a breaker each, groups of ten breakers on a panel, panels on a feeder;
each level is tighter than the sum of what is below it, so that limits bind on every level.
"""

from datetime import UTC, datetime
from typing import Final

import powershare as ps
from powershare.simulation import Session, Sessions

SIZES: Final = (6, 24, 100, 1_000)
SHAPES: Final = ("one_line", "mixed")
_GROUP, _PANEL = 6, 60


def site(shape: str, count: int) -> ps.Site:
    """A tree of breakers with so many connectors.

    Args:
        shape: `one_line` (single-phase) or `mixed` (three-phase, every rotation, one- and three-line cars).
        count: How many connectors.

    Returns:
        The site: three levels from 7 connectors on, one below that.
    """
    supply = ps.Supply.SINGLE_PHASE if shape == "one_line" else ps.Supply.THREE_PHASE
    circuits = [ps.Circuit(id="feeder", limit_ma=8_800 * count)]
    parent = "feeder"
    for group in range(-(-count // _GROUP) if count > _GROUP else 0):
        if group % (_PANEL // _GROUP) == 0:
            parent = f"panel{group // (_PANEL // _GROUP)}"
            circuits.append(ps.Circuit(id=parent, parent="feeder", limit_ma=515_000 + 7_000 * (group % 7)))
        circuits.append(ps.Circuit(id=f"group{group}", parent=parent, limit_ma=42_000 + 7_000 * (group % 5)))
    connectors = [
        ps.Connector(
            id=f"c{place}",
            circuit=f"group{place // _GROUP}" if count > _GROUP else "feeder",
            lines=None if shape == "one_line" else _rotation(place),
        )
        for place in range(count)
    ]
    return ps.Site(supply=supply, circuits=tuple(circuits), connectors=tuple(connectors), name=f"{shape} {count}")


def _rotation(place: int) -> tuple[ps.Line, ...]:
    lines = (ps.Line.L1, ps.Line.L2, ps.Line.L3)
    return lines[place % 3 :] + lines[: place % 3]


def demands(shape: str, count: int) -> tuple[ps.Demand, ...]:
    """What the cars ask for: every current from 7 to 32 A, on mixed sites every other one on one line."""
    return tuple(
        ps.Demand(
            f"c{place}",
            wanted_ma=32_000 - 100 * (place * 37 % 250),
            lines_used=None if shape == "one_line" or place % 2 else 1,
        )
        for place in range(count)
    )


def prepared(shape: str, count: int) -> ps.Prepared:
    """The same problem in a prepared handle."""
    handle = ps.Allocator(site(shape, count)).prepare()
    for place, demand in enumerate(demands(shape, count)):
        handle.wanted_ma[place] = demand.wanted_ma or 0
        handle.lines_used[place] = demand.lines_used or 0
    return handle


def demands_json(count: int) -> dict[str, object]:
    """A `powershare/demands/1` message with the same currents."""
    asked = [{"connector": d.connector, "wanted_a": (d.wanted_ma or 0) / 1000} for d in demands("one_line", count)]
    return {"schema": "powershare/demands/1", "demands": asked}


def nights(days: int) -> Sessions:
    """Six cars that charge every night on the site of six: 2,190 sessions in a year."""
    day_ms, minute_ms = 86_400_000, 60_000
    sessions = []
    for day in range(days):
        for place in range(6):
            arrives_ms = day * day_ms + (60 * 16 + (day * 7 + place * 53) % 300) * minute_ms
            stays_ms = (9 * 60 + (day * 11 + place * 17) % 240) * minute_ms
            sessions.append(
                Session(
                    connector=f"c{place}",
                    plugged_in_ms=arrives_ms,
                    unplugged_ms=arrives_ms + stays_ms,
                    energy_wh=4_000 + (day * 131 + place * 977) % 16_000,
                    max_ma=16_000 if place % 2 else 32_000,
                )
            )
    return Sessions(started=datetime(2026, 1, 1, tzinfo=UTC), sessions=tuple(sessions))
