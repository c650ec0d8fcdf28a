"""What only the site as a whole can judge: names, the tree, lines, and fallbacks that must fit.

The checks read a site-shaped value and never trust it, so that a file's loader can run them over a
draft with faulty parts and report every problem of the file at once.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from powershare.errors import Problem
from powershare.site.fallback import NAMED, shares
from powershare.site.values import Circuit, Connection, Connector, Supply, choice_message
from powershare.units import MAX_LIMIT_MA

if TYPE_CHECKING:
    from powershare.site.site import Site

MAX_NODES = 1 << 20
"""The most circuits, and the most connectors, of one site."""

MANY_NAMES = 2000
"""Beyond so many names the likeliest one is not looked for: it would take longer than reading the file."""

MANY_HINTS = 20
"""After so many slips of the pen it is no longer looked for either: the file is wrong as a whole."""


class Names:
    """The names that there are of one kind of node, and the message for one that is none of them.

    Args:
        known: The names.
        kind: `circuit` or `connector`.
    """

    def __init__(self, known: Collection[str], kind: str) -> None:
        self._known, self._kind = known, kind
        self._hints_left = MANY_HINTS if len(known) <= MANY_NAMES else 0

    def unknown(self, name: object) -> str:
        """The message for a name that is none, with the likeliest slip of the pen for the first few."""
        close: list[str] = []
        if isinstance(name, str) and self._hints_left:
            from difflib import get_close_matches  # only a mistake pays for its import

            self._hints_left -= 1
            close = get_close_matches(name, self._known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"declare that {self._kind}, or name one that is declared"
        return f'names "{name}", which is no {self._kind} of this site; {hint}'


def unknown_name(name: object, known: Collection[str], kind: str) -> str:
    """The message for a single name that is none; for more of them, keep one `Names`."""
    return Names(known, kind).unknown(name)


def site_problems(site: "Site") -> Iterator[Problem]:
    """Everything that is wrong with a site beyond its single nodes.

    Args:
        site: The site, or a draft of one whose nodes may be faulty.

    Yields:
        Each problem, naming node and field.
    """
    if message := choice_message(site.supply, Supply):
        yield Problem("site", "supply", message)
        return  # without lines nothing else can be judged
    yield from _own_problems(site)
    yield from _name_problems(site)
    yield from _tree_problems(site)
    for circuit in site.circuits:
        yield from _line_count_problems(circuit, site.supply)
    for connector in site.connectors:
        yield from _wiring_problems(connector, site.supply)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _own_problems(site: "Site") -> Iterator[Problem]:
    if not site.circuits:
        yield Problem("site", "circuit", "there is none; declare at least one circuit with its limit")
    if not site.connectors:
        yield Problem("site", "connector", "there is none; declare at least one connector")
    if len(site.circuits) >= MAX_NODES or len(site.connectors) > MAX_NODES:
        yield Problem("site", "", f"has more than {MAX_NODES} circuits or connectors")
    limit_ma = site.network_limit_ma
    if limit_ma is not None and not _is_whole(limit_ma):
        yield Problem("site", "network_limit", f"is {limit_ma!r}; write a whole number of mA")
    elif limit_ma is not None and not 0 < limit_ma <= MAX_LIMIT_MA:
        yield Problem("site", "network_limit", f"is {limit_ma} mA; it must be above zero (leave it out for none)")
    voltage_v = site.nominal_voltage_v
    if voltage_v is not None and not _is_whole(voltage_v):
        yield Problem("site", "nominal_voltage", f"is {voltage_v!r}; write a whole number of volts")
    elif voltage_v is not None and not 50 <= voltage_v <= 1000:
        yield Problem("site", "nominal_voltage", f"is {voltage_v} V; line to neutral it is between 50 and 1000")


def _name_problems(site: "Site") -> Iterator[Problem]:
    circuits = [circuit.id for circuit in site.circuits]
    connectors = [connector.id for connector in site.connectors]
    yield from (Problem(f'circuit "{name}"', "id", "is given twice; ids are unique") for name in _repeated(circuits))
    yield from (
        Problem(f'connector "{name}"', "id", "is given twice; ids are unique") for name in _repeated(connectors)
    )
    known, names = set(circuits), Names(circuits, "circuit")
    for connector in site.connectors:
        if connector.circuit and connector.circuit not in known:
            yield Problem(f'connector "{connector.id}"', "circuit", names.unknown(connector.circuit))
    for meter in site.meters:
        if meter.circuit not in known:
            yield Problem(f'meter of "{meter.circuit}"', "circuit", names.unknown(meter.circuit))
    for name in _repeated([meter.circuit for meter in site.meters]):
        yield Problem(f'meter of "{name}"', "circuit", "has a second meter; one meter tells a circuit's other load")
    leader = site.network.leader
    if leader is not None and leader not in set(connectors):
        yield Problem("network", "leader", unknown_name(leader, connectors, "connector"))


def _repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _tree_problems(site: "Site") -> Iterator[Problem]:
    """Unknown parents, and cycles, each named once by its first circuit in the file."""
    parents = {circuit.id: circuit.parent for circuit in site.circuits}
    names = Names(parents, "circuit")
    for circuit in site.circuits:
        if circuit.parent and circuit.parent not in parents:
            yield Problem(f'circuit "{circuit.id}"', "parent", names.unknown(circuit.parent))
    sound: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        node: str | None = start
        while node is not None and node in parents and node not in sound and node not in path:
            path[node] = None
            node = parents[node]
        if node is not None and node in path:
            cycle = list(path)[list(path).index(node) :]
            shown = cycle if len(cycle) <= MANY_HINTS else [*cycle[:MANY_HINTS], "..."]
            chain = " -> ".join([*shown, node])
            yield Problem(f'circuit "{node}"', "parent", f"feeds itself: {chain}; one of them hangs on the supply")
        sound.update(path)


def _line_count_problems(circuit: Circuit, supply: Supply) -> Iterator[Problem]:
    for field, figure in (("limit", circuit.limit_ma), ("other_load_worst", circuit.other_load_worst_ma)):
        if isinstance(figure, tuple) and len(figure) != len(supply.lines):
            message = (
                f"has {len(figure)} figures; a {supply.value} supply has {len(supply.lines)}: "
                "give one number, or one per line"
            )
            yield Problem(f'circuit "{circuit.id}"', field, message)


def _wiring_problems(connector: Connector, supply: Supply) -> Iterator[Problem]:
    where = f'connector "{connector.id}"'
    for line in connector.lines or ():
        if line not in supply.lines:
            names = ", ".join(map(str, supply.lines))
            yield Problem(where, "lines", f"names {line}; a {supply.value} supply has only {names}")
    if connector.connection is not Connection.LINE_TO_LINE:
        return
    if supply is Supply.THREE_PHASE:
        message = (
            "is line_to_line on a three_phase supply, whose currents add as phasors; this version does not "
            "compute that, and adding amps would only approximate it: use line_to_neutral where a neutral is wired"
        )
        yield Problem(where, "connection", message)
    elif len(connector.lines or supply.lines) != 2:
        yield Problem(where, "connection", "is line_to_line, which takes exactly two lines")


def fallback_problems(site: "Site") -> Iterator[Problem]:
    """Commissioned fallbacks that do not fit a limit beside its worst other load.

    Args:
        site: A site whose structure is sound.

    Yields:
        One problem per limit and line that they exceed.
    """
    for share in shares(site):
        explicit_ma = share.below.explicit_ma
        if explicit_ma == 0 or explicit_ma <= share.spare_ma:
            continue
        what = "site" if share.circuit is None else f'circuit "{share.circuit.id}"'
        field = "network_limit" if share.circuit is None else "limit"
        named = ", ".join(site.connectors[place].id for place in share.below.explicit[:NAMED])
        if len(share.below.explicit) > NAMED:
            named += " and others"
        message = (
            f"leaves {max(0, share.spare_ma) / 1000:g} A on {share.line} beside the worst other load, and the "
            f"fallbacks of {named} add up to {explicit_ma / 1000:g} A; lower them"
        )
        yield Problem(what, field, message)
