"""From the kernel's raw answer to values with reasons, built only when somebody looks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from powershare import _native
from powershare.allocation import BoundBy, BoundKind, CircuitAllocation, ConnectorAllocation, Status
from powershare.constraints.compiled import ROWS, CompiledSite
from powershare.constraints.force import LimitsInForce
from powershare.units import Line, LineMilliamps, Milliamps

if TYPE_CHECKING:
    from array import array

_STATUSES = (Status.IDLE, Status.ALLOCATED, Status.SHED, Status.REFUSED, Status.HELD)
_BY_VEHICLE, _BY_CONNECTOR, _BY_CAP = -2, -3, -4


class RawAnswer:
    """The kernel's answer, copied out of its scratch arrays, with what is needed to explain it."""

    __slots__ = (
        "_allocated",
        "_bound",
        "_compiled",
        "_force",
        "_lines_used",
        "_refused",
        "_room",
        "_rows",
        "_status",
        "_wanted",
    )

    def __init__(
        self,
        compiled: CompiledSite,
        force: LimitsInForce,
        problem: _native.KernelProblem,
        refused: Mapping[int, str],
    ) -> None:
        self._compiled, self._force, self._refused = compiled, force, refused
        self._rows: list[Milliamps] | None = None
        self._allocated: array[int] = problem.allocated[:]
        self._status, self._bound, self._room = problem.status[:], problem.bound[:], problem.room[:]
        self._wanted, self._lines_used = problem.wanted[:], problem.lines_used[:]

    @property
    def backend(self) -> str:
        """What computed it."""
        return _native.backend

    def allocated_ma(self) -> dict[str, Milliamps]:
        """What each connector may offer, in site order."""
        return dict(zip(self._compiled.connector_index, self._allocated, strict=True))

    def connector(self, connector_id: str) -> ConnectorAllocation:
        """One connector's answer, with its reason."""
        place = self._compiled.connector_index[connector_id]
        if place in self._refused:
            reason = self._refused[place]
            return ConnectorAllocation(connector=connector_id, status=Status.REFUSED, allocated_ma=0, reason=reason)
        status = _STATUSES[self._status[place]]
        wiring = self._compiled.wirings[place]
        lines_used = self._lines_used[place] or None
        counted = wiring.loaded_lines(None if status is Status.HELD else lines_used)
        fewer = lines_used is not None and lines_used < len(wiring.lines)
        bound_by = self._bound_by(place)
        return ConnectorAllocation(
            connector=connector_id,
            status=status,
            allocated_ma=self._allocated[place],
            bound_by=bound_by,
            counted_lines=() if status is Status.IDLE else counted,
            rotation_unknown=status is not Status.IDLE and fewer and not wiring.rotation_known,
            reason=self._reason(place, status, bound_by),
        )

    def _bound_by(self, place: int) -> BoundBy | None:
        bound, connector = self._bound[place], self._compiled.site.connectors[place]
        if bound >= 0:
            circuit, line = divmod(bound, ROWS)
            return self._force.tightest(circuit, Line(line))
        if bound == _BY_VEHICLE:
            return BoundBy(
                kind=BoundKind.VEHICLE, id=connector.id, line=None, limit_ma=self._wanted[place], source="vehicle"
            )
        if bound == _BY_CONNECTOR:
            return BoundBy(
                kind=BoundKind.CONNECTOR,
                id=connector.id,
                line=None,
                limit_ma=connector.max_offer_ma,
                source="connector",
            )
        return self._cap(place) if bound == _BY_CAP else None

    def _cap(self, place: int) -> BoundBy:
        """The external limit of the connector itself that leaves it the least."""
        lines = sorted(self._compiled.wirings[place].loaded_lines(self._lines_used[place] or None))
        return self._force.tightest_of_connector(self._compiled.site.connectors[place].id, lines)

    def _reason(self, place: int, status: Status, bound_by: BoundBy | None) -> str | None:
        least_ma = self._compiled.site.connectors[place].min_offer_ma
        if status is Status.REFUSED:
            most_ma = self._wanted[place]
            return f"the vehicle takes {most_ma / 1000:g} A at most, under the least offer of {least_ma / 1000:g} A"
        if status is Status.SHED and bound_by is not None:
            on_line_text = f" on {bound_by.line}" if bound_by.line is not None else ""
            limit = f"limited to {bound_by.limit_ma / 1000:.10g} A"
            # The network limit has no id, and is what set it.
            why = f"{bound_by.id}{on_line_text} is {limit} by {bound_by.source}" if bound_by.id else ""
            why = why or f"the network{on_line_text} is {limit}"
            return f"the least offer of {least_ma / 1000:g} A does not fit now: {why}"
        return None

    def circuits(self) -> dict[str, CircuitAllocation]:
        """Every circuit's sums, in site order."""
        place_of = self._compiled.circuit_index
        return {circuit.id: self._sums(circuit.id, place_of[circuit.id]) for circuit in self._compiled.site.circuits}

    def network(self) -> CircuitAllocation | None:
        """The network limit's sums; None without one."""
        return None if self._compiled.circuits[0] is not None else self._sums(None, 0)

    def _allocated_rows(self) -> list[Milliamps]:
        """The sum of what is allocated, per row."""
        if self._rows is None:
            self._rows = [0] * (ROWS * len(self._compiled.circuits))
            for place, current_ma in enumerate(self._allocated):
                if current_ma:
                    for row in self._compiled.loaded_rows(place, self._lines_used[place] or None):
                        self._rows[row] += current_ma
        return self._rows

    def _sums(self, circuit_id: str | None, place: int) -> CircuitAllocation:
        lines = self._compiled.site.supply.lines

        def per_line(rows: "list[int] | array[int]") -> LineMilliamps:
            return tuple(rows[ROWS * place + line] for line in lines)

        room = per_line(self._room)
        return CircuitAllocation(
            circuit=circuit_id,
            limit_ma=tuple(self._force.tightest(place, line).limit_ma for line in lines),
            allocated_ma=per_line(self._allocated_rows()),
            held_ma=per_line(self._force.held_below_ma),
            other_load_ma=(0,) * len(lines) if circuit_id is None else per_line(self._force.other_below_ma),
            headroom_ma=tuple(max(0, left_ma) for left_ma in room),
            exceeded=any(left_ma < 0 for left_ma in room),
        )
