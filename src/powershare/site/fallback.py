"""The fallback: what each connector may offer alone when nobody tells it anything.

All fallbacks together fit every circuit and line beside its worst other load, so a site whose
connectors have lost each other is safe without a message. (Wall Connector practice: network limit
divided by network size; here the least over every limit above the connector, per line.)
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from powershare.site.values import on_line
from powershare.units import Line, Milliamps, down_to_step

if TYPE_CHECKING:
    from powershare.site.site import Site
    from powershare.site.values import Circuit, Connector


@attrs.frozen
class Fallbacks:
    """The fallback of every connector, and what a person should know about them.

    Attributes:
        by_connector: Milliamps per connector id.
        warnings: Connectors whose fair share is under their least offer, and so became 0.
    """

    by_connector: Mapping[str, Milliamps]
    warnings: tuple[str, ...]


@attrs.frozen
class Share:
    """One limit on one line, and those who share it when alone."""

    circuit: "Circuit | None"  # None: the network limit
    line: Line
    spare_ma: Milliamps  # the limit less the worst other load; may be negative
    members: "tuple[Connector, ...]"

    @property
    def explicit_ma(self) -> Milliamps:
        """What the members with a commissioned fallback take."""
        return sum(member.fallback_ma or 0 for member in self.members)

    @property
    def each_ma(self) -> Milliamps:
        """The fair share of each member without a commissioned fallback."""
        sharers = sum(member.fallback_ma is None for member in self.members)
        return max(0, self.spare_ma - self.explicit_ma) // sharers if sharers else 0


def shares(site: "Site") -> Iterator[Share]:
    """Every limit of the site, per line, with the connectors wired to that line below it."""
    below: dict[str, list[Connector]] = {circuit.id: [] for circuit in site.circuits}
    worst: dict[str, list[Milliamps]] = {circuit.id: [0] * len(site.supply.lines) for circuit in site.circuits}
    for connector in site.connectors:
        for circuit in site.circuits_above(connector.circuit):
            below[circuit.id].append(connector)
    for source in site.circuits:
        for circuit in site.circuits_above(source.id):
            for line in site.supply.lines:
                worst[circuit.id][line] += on_line(source.other_load_worst_ma, line)
    for line in site.supply.lines:
        for circuit in site.circuits:
            members = tuple(member for member in below[circuit.id] if line in site.wiring[member.id].lines)
            yield Share(circuit, line, circuit.usable_limit_ma(line)[0] - worst[circuit.id][line], members)
        if site.network_limit_ma is not None:
            members = tuple(member for member in site.connectors if line in site.wiring[member.id].lines)
            yield Share(None, line, site.network_limit_ma, members)


def share_fallbacks(site: "Site") -> Fallbacks:
    """The fallback of each connector: its own, or the least fair share of the limits above it.

    Args:
        site: A site whose structure is sound and whose explicit fallbacks fit.

    Returns:
        The fallbacks; every sum fits its circuit beside the worst other load.
    """
    least = {connector.id: connector.max_offer_ma for connector in site.connectors}
    for share in shares(site):
        each_ma = share.each_ma
        for member in share.members:
            least[member.id] = min(least[member.id], each_ma)
    by_connector: dict[str, Milliamps] = {}
    warnings: list[str] = []
    for connector in site.connectors:
        if connector.fallback_ma is not None:
            by_connector[connector.id] = connector.fallback_ma
            continue
        fair_ma = down_to_step(least[connector.id], connector.step_ma)
        if fair_ma < connector.min_offer_ma:
            warnings.append(
                f'connector "{connector.id}": its fair share of {fair_ma / 1000:g} A is under its least offer of '
                f"{connector.min_offer_ma / 1000:g} A, so it falls back to 0"
            )
            fair_ma = 0
        by_connector[connector.id] = fair_ma
    return Fallbacks(by_connector, tuple(warnings))
