"""A site of emulated units, for whoever has none: what they share, and how each is reached."""

from collections.abc import Sequence
from contextlib import suppress

import attrs

from powershare import registry
from powershare.adapter import Clock, Declaration
from powershare.emulation import Emulator
from powershare.errors import AdapterError, InputError
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import Milliamps

_SUPPLIES = {1: Supply.SINGLE_PHASE, 2: Supply.SPLIT_PHASE, 3: Supply.THREE_PHASE}
_LEAST_MA, _GREATEST_MA, _STEP_MA = 6_000, 32_000, 1_000


def emulated_site(kind: str, connectors: Sequence[str], emulator: Emulator, clock: Clock) -> Site:
    """One feeder that carries about half of what the units could take together, so that they have to share.

    Args:
        kind: The kind of the units.
        connectors: An id for each.
        emulator: It has started.
        clock: For asking adapters what they declare.
    """
    supply = _SUPPLIES[max(outlet.lines for outlet in emulator.outlets)]
    nodes, whole_ma, alone_ma = [], 0, 0
    for name, address, outlet in zip(connectors, emulator.addresses, emulator.outlets, strict=True):
        declared = _declared(address, clock)
        least_ma, greatest_ma, step_ma, fallback_ma = _LEAST_MA, _GREATEST_MA, _STEP_MA, 0
        if declared is not None:
            least_ma, greatest_ma = declared.least_offer_ma, declared.greatest_offer_ma
            step_ma, fallback_ma = declared.step_ma, declared.fallback_ma
        whole_ma, alone_ma = whole_ma + greatest_ma, alone_ma + fallback_ma
        nodes.append(
            Connector(
                id=name,
                circuit="feeder",
                lines=supply.lines[: outlet.lines] if len(supply.lines) > 1 else None,
                min_offer_ma=least_ma,
                max_offer_ma=greatest_ma,
                step_ma=step_ma,
                fallback_ma=fallback_ma,
                adapter=address,
            )
        )
    feeder = Circuit(id="feeder", limit_ma=_whole_amps(max(whole_ma // 2, alone_ma, nodes[0].max_offer_ma)))
    return Site(name=f"Emulated {kind}", supply=supply, circuits=(feeder,), connectors=tuple(nodes))


def with_addresses(site: Site, connectors: Sequence[str], addresses: Sequence[str]) -> Site:
    """The site, with these connectors at these addresses."""
    reached = dict(zip(connectors, addresses, strict=True))
    nodes = tuple(
        attrs.evolve(connector, adapter=reached[connector.id]) if connector.id in reached else connector
        for connector in site.connectors
    )
    return attrs.evolve(site, connectors=nodes)


def must_be_connectors(addresses: Sequence[str], clock: Clock) -> None:
    """Refuse units that nobody can regulate, such as meters; of adapters that are not installed nothing is known.

    Raises:
        InputError: An adapter refuses an address.
    """
    for address in dict.fromkeys(addresses):
        with suppress(AdapterError):
            registry.create_adapter(address, clock=clock)


def _declared(address: str, clock: Clock) -> Declaration | None:
    """What the adapter of this address declares; None where none is installed, or it is no connector's."""
    try:
        return registry.create_adapter(address, clock=clock).declaration
    except (AdapterError, InputError):
        return None


def _whole_amps(current_ma: Milliamps) -> Milliamps:
    return -(-current_ma // 1_000) * 1_000
