"""The fallback: what each connector may offer alone when nobody tells it anything.

All fallbacks together fit every circuit and line beside its worst other load, so a site whose
connectors have lost each other is safe without a message. (Wall Connector practice: network limit
divided by network size; here the least over every limit above the connector, per line.)
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from powershare.site.values import on_line
from powershare.units import MAX_LIMIT_MA, Line, Milliamps, down_to_step

if TYPE_CHECKING:
    from powershare.site.site import Site
    from powershare.site.values import Circuit

NAMED = 8
"""How many commissioned fallbacks an error names; a site may have a hundred thousand."""


@attrs.frozen
class Fallbacks:
    """The fallback of every connector, and what a person should know about them.

    Attributes:
        by_connector: Milliamps per connector id.
        warnings: Connectors whose fair share is under their least offer, and so became 0.
    """

    by_connector: Mapping[str, Milliamps]
    warnings: tuple[str, ...]


@attrs.define
class Below:
    """What hangs below one limit on one line, as far as it has been added up."""

    worst_ma: Milliamps = 0
    explicit_ma: Milliamps = 0
    sharers: int = 0  # connectors without a commissioned fallback
    explicit: list[int] = attrs.field(factory=list)  # the first connectors with one above 0, by place in the site

    def add(self, other: "Below") -> None:
        """Add what hangs below a circuit that this limit feeds."""
        self.worst_ma += other.worst_ma
        self.explicit_ma += other.explicit_ma
        self.sharers += other.sharers
        self.explicit = sorted([*self.explicit, *other.explicit])[: NAMED + 1]


@attrs.frozen
class Share:
    """One limit on one line, and what those below it share when alone."""

    circuit: "Circuit | None"  # None: the network limit
    line: Line
    spare_ma: Milliamps  # the limit less the worst other load; may be negative
    below: Below

    @property
    def each_ma(self) -> Milliamps:
        """The fair share of each connector without a commissioned fallback."""
        sharers = self.below.sharers
        return max(0, self.spare_ma - self.below.explicit_ma) // sharers if sharers else 0


def _added_up(site: "Site") -> dict[str | None, list[Below]]:
    """What hangs below each circuit, and below all roots (None), per line: every circuit adds to its parent once."""
    lines = site.supply.lines
    below: dict[str | None, list[Below]] = {
        name: [Below() for _ in lines] for name in (None, *(circuit.id for circuit in site.circuits))
    }
    for place, connector in enumerate(site.connectors):
        for line in site.wiring[connector.id].lines:
            own = below[connector.circuit][line]
            own.sharers += connector.fallback_ma is None
            if connector.fallback_ma:
                own.explicit_ma += connector.fallback_ma
                if len(own.explicit) <= NAMED:
                    own.explicit.append(place)
    for circuit in reversed(site.parents_first):
        for line in lines:
            below[circuit.id][line].worst_ma += on_line(circuit.other_load_worst_ma, line)
            below[circuit.parent][line].add(below[circuit.id][line])
    return below


def shares(site: "Site") -> Iterator[Share]:
    """Every limit of the site, per line, with what hangs below it on that line."""
    below = _added_up(site)
    for line in site.supply.lines:
        for circuit in site.circuits:
            hanging = below[circuit.id][line]
            yield Share(circuit, line, circuit.usable_limit_ma(line)[0] - hanging.worst_ma, hanging)
        if site.network_limit_ma is not None:
            yield Share(None, line, site.network_limit_ma, below[None][line])


def _least_shares(site: "Site") -> dict[str | None, list[Milliamps]]:
    """The least fair share of the limits from each circuit upward, and of the network limit (None), per line."""
    lines = site.supply.lines
    unlimited = [MAX_LIMIT_MA] * len(lines)  # what no network limit leaves
    least: dict[str | None, list[Milliamps]] = {None: unlimited}
    for circuit in site.circuits:
        least[circuit.id] = unlimited[:]
    for share in shares(site):
        least[share.circuit.id if share.circuit else None][share.line] = share.each_ma
    for circuit in site.parents_first:
        least[circuit.id] = list(map(min, least[circuit.parent], least[circuit.id]))
    return least


def share_fallbacks(site: "Site") -> Fallbacks:
    """The fallback of each connector: its own, or the least fair share of the limits above it.

    Args:
        site: A site whose structure is sound and whose explicit fallbacks fit.

    Returns:
        The fallbacks; every sum fits its circuit beside the worst other load.
    """
    least = _least_shares(site)
    by_connector: dict[str, Milliamps] = {}
    warnings: list[str] = []
    for connector in site.connectors:
        if connector.fallback_ma is not None:
            by_connector[connector.id] = connector.fallback_ma
            continue
        shares_ma = (least[connector.circuit][line] for line in site.wiring[connector.id].lines)
        fair_ma = down_to_step(min(connector.max_offer_ma, *shares_ma), connector.step_ma)
        if fair_ma < connector.min_offer_ma:
            warnings.append(
                f'connector "{connector.id}": its fair share of {fair_ma / 1000:g} A is under its least offer of '
                f"{connector.min_offer_ma / 1000:g} A, so it falls back to 0"
            )
            fair_ma = 0
        by_connector[connector.id] = fair_ma
    return Fallbacks(by_connector, tuple(warnings))
