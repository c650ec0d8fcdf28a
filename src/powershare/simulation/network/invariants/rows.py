"""A site as sums: which connectors count on which line of which limit, and what each may carry. Wired lines count."""

from collections.abc import Iterable, Mapping, Sequence

from powershare.demand import Counts, ExternalLimit
from powershare.site import Site
from powershare.site.values import PerLine, on_line

NETWORK = None
"""The network limit's place among the circuits."""


class Rows:
    """Every line of every limit of a site, numbered through.

    Args:
        site: The site.

    Attributes:
        circuit: Per row, the circuit's id; None: the network limit.
        line: Per row, the line.
        of: Per connector, the rows of the lines that it is wired to, under every limit above it.
        members: Per row, the places in the site of the connectors that count on it.
        commissioned_ma: Per row, the limit beside the commissioned worst other load.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        names: list[str | None] = [circuit.id for circuit in site.circuits]
        if site.network_limit_ma is not None:
            names.append(NETWORK)
        self._lines = len(site.supply.lines)
        self.circuit: list[str | None] = [name for name in names for _ in range(self._lines)]
        self.line = [int(line) for _ in names for line in site.supply.lines]
        self._place = {name: place for place, name in enumerate(names)}
        self.of: dict[str, tuple[int, ...]] = {
            connector.id: self.loaded(connector.id, None) for connector in site.connectors
        }
        self.members: list[list[int]] = [[] for _ in self.circuit]
        for place, connector in enumerate(site.connectors):
            for row in self.of[connector.id]:
                self.members[row].append(place)
        self.commissioned_ma = self.room_ma({}, ())

    def loaded(self, connector_id: str, lines_used: int | None) -> tuple[int, ...]:
        """The rows that a vehicle loads there which uses so many lines; None: all that are wired."""
        site = self._site
        lines = site.wiring[connector_id].loaded_lines(lines_used)
        above: list[str | None] = [
            circuit.id for circuit in site.circuits_above(site.connector_by_id[connector_id].circuit)
        ]
        if NETWORK in self._place:
            above.append(NETWORK)
        return tuple(self._place[name] * self._lines + line for name in above for line in lines)

    def room_ma(self, loads_ma: Mapping[str, PerLine], limits: Iterable[ExternalLimit]) -> list[int]:
        """What connectors may draw together on each row beside these loads and under these external limits.

        Args:
            loads_ma: Readings per circuit; the others carry their commissioned worst case.
            limits: External limits of circuits; those of connectors bound nobody else.
        """
        site, lines = self._site, self._lines
        other_ma = [0] * len(self.circuit)
        room_ma = [site.network_limit_ma or 0] * len(self.circuit)
        on_all = [0] * len(self.circuit)
        for circuit in site.circuits:
            own_ma = loads_ma.get(circuit.id, circuit.other_load_worst_ma)
            for above in site.circuits_above(circuit.id):
                for line in site.supply.lines:
                    other_ma[self._place[above.id] * lines + line] += on_line(own_ma, line)
            for line in site.supply.lines:
                row = self._place[circuit.id] * lines + line
                on_all[row] = circuit.usable_limit_ma(line)[0]
                room_ma[row] = on_all[row]
        for limit in limits:
            if limit.circuit is None:
                continue
            for line in site.supply.lines:
                row = self._place[limit.circuit] * lines + line
                figure_ma = on_line(limit.limit_ma, line)
                chosen = on_all if limit.counts is Counts.ALL else room_ma
                chosen[row] = min(chosen[row], figure_ma)
        for row, name in enumerate(self.circuit):
            if name is not NETWORK:
                room_ma[row] = min(room_ma[row], on_all[row] - other_ma[row])
        return room_ma

    def greatest_sum_ma(
        self,
        row: int,
        entries: Sequence[tuple[int, int, int]],
        now_ms: int,
        horizon_ms: int,
    ) -> tuple[int, int]:
        """The greatest sums of envelopes on a row: before an instant, and from it on.

        Args:
            row: It.
            entries: Per place in the site: high, until, and what counts from then on.
            now_ms: Now.
            horizon_ms: The instant.
        """
        sum_ma = 0
        changes: list[tuple[int, int]] = []
        for place in self.members[row]:
            high_ma, until_ms, after_ma = entries[place]
            if until_ms > now_ms:
                sum_ma += high_ma
                changes.append((until_ms, after_ma - high_ma))
            else:
                sum_ma += after_ma
        before_ma, from_ma = sum_ma, None
        # Of changes at one instant the falls come first, so no sum between two of them is above both.
        for until_ms, more_ma in sorted(changes):
            if until_ms > horizon_ms and from_ma is None:
                from_ma = sum_ma
            sum_ma += more_ma
            if until_ms < horizon_ms:
                before_ma = max(before_ma, sum_ma)
            elif from_ma is not None:
                from_ma = max(from_ma, sum_ma)
        return before_ma, sum_ma if from_ma is None else from_ma
