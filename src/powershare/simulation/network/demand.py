"""Who is plugged in where and when, and what those vehicles take: the same in a storm and in the ideal beside it."""

from collections.abc import Iterator

import attrs

from powershare.simulation.chance import Chance
from powershare.simulation.network.faults import Storm
from powershare.simulation.vehicle import Traits
from powershare.site import Site

MOST_CHARGE2 = 1 << 60
"""A battery that no run fills: a vehicle wants current for as long as it is plugged in."""


@attrs.frozen
class Visit:
    """One vehicle at one connector.

    Attributes:
        connector: Where.
        from_ms: When it is plugged in, in true time.
        until_ms: When it is unplugged.
        traits: What kind it is.
    """

    connector: str
    from_ms: int
    until_ms: int
    traits: Traits


def exponential_ms(chance: Chance, mean_s: int) -> int:
    """A time with this mean and no memory, in whole seconds and at least one; integers only, so the same everywhere."""
    seconds = 1
    while chance.next_bits() % mean_s:
        seconds += 1
    return seconds * 1_000


def visits(site: Site, storm: Storm, chance: Chance, until_ms: int) -> Iterator[Visit]:
    """Every visit that begins before the end, connector by connector.

    Args:
        site: Where.
        storm: How long visits last, and what vehicles are like.
        chance: Where they come from.
        until_ms: The end.
    """
    for place, connector in enumerate(site.connectors):
        own = chance.fork(place)
        now_ms = exponential_ms(own, storm.toggle_s) if own.happens(50) else 0
        lines = len(site.wiring[connector.id].lines)
        while now_ms < until_ms:
            from_ms, now_ms = now_ms, now_ms + exponential_ms(own, storm.toggle_s)
            yield Visit(connector.id, from_ms, now_ms, _traits(own, storm, connector.max_offer_ma, lines))
            now_ms += exponential_ms(own, storm.toggle_s)


def _traits(chance: Chance, storm: Storm, most_ma: int, lines: int) -> Traits:
    """A vehicle of 16 A, or twice as often of 32 A, within what the connector may offer."""
    max_ma = min(most_ma, (16_000, 32_000, 32_000)[chance.between(0, 2)])
    lines_used = chance.between(1, lines) if storm.on("phases") else None
    ignores = storm.on("ignore") and chance.happens(20)
    if storm.slow:
        return Traits(
            max_ma=max_ma, lines_used=lines_used, reaction_ms=chance.between(500, 5_000), ignores_pilot=ignores
        )
    # Without a meter nobody opens a contactor in time: such a vehicle is at its offer before its 6 s are over.
    return Traits(
        max_ma=max_ma,
        lines_used=lines_used,
        reaction_ms=chance.between(200, 4_500),
        ramp_up_ma_per_s=32_000,
        ramp_down_ma_per_s=32_000,
        ignores_pilot=ignores,
    )
