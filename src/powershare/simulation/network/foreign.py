"""What is not the protocol's: other loads, limits from outside, and the marks of broken assumptions in the trace."""

from collections.abc import Callable, Iterator

from powershare.demand import ExternalLimit
from powershare.simulation.engine import Engine
from powershare.site import Site
from powershare.site.values import on_line
from powershare.trace import UNCHANGED, CircuitEvent, Mark
from powershare.units import LineMilliamps

EXCUSED_MS = 30_000
"""For so long after other load rose, or an external limit ended, what is above is outside the assumptions (A7): a stale
meter, and leases that lapse where no message gets through."""


class Marks:
    """Which assumptions are broken where; a node of the site is marked while any is."""

    def __init__(self) -> None:
        self._broken: dict[str, list[str]] = {}

    def begin(self, node: str, assumption: str) -> Mark:
        """An assumption breaks; answers what the trace must say of it."""
        broken = self._broken.setdefault(node, [])
        broken.append(assumption)
        return assumption if len(broken) == 1 else UNCHANGED

    def end(self, node: str, assumption: str) -> Mark:
        """It holds again; answers what the trace must say of it."""
        broken = self._broken.get(node, [])
        if assumption not in broken:
            return UNCHANGED
        broken.remove(assumption)
        if broken:
            return UNCHANGED
        del self._broken[node]
        return None

    def outside(self, node: str | None = None) -> bool:
        """Whether an assumption is broken at a node of the site; None: anywhere."""
        return bool(self._broken) if node is None else node in self._broken

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each node with each assumption that is broken there."""
        return ((node, assumption) for node, broken in self._broken.items() for assumption in broken)


class Foreign:
    """Other loads and external limits of all circuits.

    Args:
        site: The site.
        engine: Virtual time.
        marks: Where it is marked that they break an assumption (A7).
        tell: Told of every change, as a trace event.

    Attributes:
        loads_ma: Other load per circuit, where it is not the commissioned worst case.
        limits: External limits in force, per circuit.
    """

    def __init__(self, site: Site, engine: Engine, marks: Marks, tell: Callable[[CircuitEvent], None]) -> None:
        self._site, self._engine, self._marks, self._tell = site, engine, marks, tell
        self.loads_ma: dict[str, LineMilliamps] = {}
        self.limits: dict[str, ExternalLimit] = {}

    def other_ma(self, circuit_id: str) -> LineMilliamps:
        """The load that hangs on a circuit itself, per line."""
        worst_ma = self._site.circuit_by_id[circuit_id].other_load_worst_ma
        worst = tuple(on_line(worst_ma, line) for line in self._site.supply.lines)
        return self.loads_ma.get(circuit_id, worst)

    def limit_ma(self, circuit_id: str) -> LineMilliamps:
        """What a circuit may carry, per line."""
        circuit, limit = self._site.circuit_by_id[circuit_id], self.limits.get(circuit_id)
        outside = [] if limit is None else [limit.limit_ma]
        return tuple(
            min([circuit.usable_limit_ma(line)[0], *(on_line(figure_ma, line) for figure_ma in outside)])
            for line in self._site.supply.lines
        )

    def change_load(self, circuit_id: str, load_ma: LineMilliamps) -> None:
        """The load of a circuit that is no connector's changes; excused for a while where it is more than before."""
        before = self.other_ma(circuit_id)
        self.loads_ma[circuit_id] = load_ma
        if any(now > then for now, then in zip(load_ma, before, strict=True)):
            self._say(circuit_id, self._marks.begin(circuit_id, "A7"))
            self._settle_later(circuit_id)
        else:
            self._say(circuit_id, UNCHANGED)

    def limit(self, limit: ExternalLimit) -> None:
        """Somebody outside limits a circuit; until it is lifted what is above is outside the assumptions.

        It holds while a leader knows of it: not while nobody leads, nor while who was told cannot reach the leader.
        """
        circuit_id = limit.circuit or ""
        self.limits[circuit_id] = limit
        self._say(circuit_id, self._marks.begin(circuit_id, "A7"))

    def lift(self, limit: ExternalLimit) -> None:
        """An external limit is over, unless another one has taken its place."""
        circuit_id = limit.circuit or ""
        if self.limits.get(circuit_id) is limit:
            del self.limits[circuit_id]
            self._say(circuit_id, UNCHANGED)
        self._settle_later(circuit_id)

    def _settle_later(self, circuit_id: str) -> None:
        self._engine.at(
            self._engine.now_ms + EXCUSED_MS, lambda: self._say(circuit_id, self._marks.end(circuit_id, "A7"))
        )

    def _say(self, circuit_id: str, outside: Mark) -> None:
        """Tell what holds at a circuit now."""
        self._tell(
            CircuitEvent(
                t_ms=self._engine.now_ms,
                circuit=circuit_id,
                limit_ma=self.limit_ma(circuit_id),
                other_load_ma=self.other_ma(circuit_id),
                source="external" if circuit_id in self.limits else "meter",
                outside=outside,
            )
        )
