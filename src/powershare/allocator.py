"""The allocator: admission, fair share and rounding, exact to the milliampere, with a reason for every amp.

Three doors to one kernel, which answer the same to the bit:

- `Allocator.allocate` takes demands and gives an explained `Allocation`: the path for comfort;
- `Allocator.prepare` gives a `Prepared` handle over long-lived arrays: write, `run`, read;
- `Batch` runs many prepared handles, of one site or of many, in one crossing.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence

from powershare import _native
from powershare._native import codes
from powershare.allocation import Allocation
from powershare.constraints import CompiledSite, LimitsInForce, compile_site
from powershare.constraints.explain import RawAnswer
from powershare.constraints.names import require_known
from powershare.demand import Demand, Demands, ExternalLimit
from powershare.errors import ContractError, InternalError
from powershare.site import Site
from powershare.site.values import PerLine, on_line
from powershare.units import Line, Milliamps


class Allocator:
    """Allocates the currents of one site; compiled once, reused for every allocation.

    Not to be shared between threads at the same time: each call works in the same scratch memory.

    Attributes:
        site: The site.
        compiled: Its rows, for headroom and checks.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.compiled: CompiledSite = compile_site(site)
        self._problem = _native.KernelProblem(self.compiled.kernel)
        self._plain = LimitsInForce.of(self.compiled, {}, (), {})
        self._index = self.compiled.connector_index
        count = len(site.connectors)
        self._greatest_ma = array("i", (connector.max_offer_ma for connector in site.connectors))
        self._weights = array("i", (connector.weight for connector in site.connectors))
        self._priorities = array("i", (connector.priority for connector in site.connectors))
        self._admits = {
            place: frozenset(connector.vehicles)
            for place, connector in enumerate(site.connectors)
            if connector.vehicles is not None
        }
        self._no_words, self._no_bytes = array("i", bytes(4 * count)), array("B", bytes(count))
        self._nothing_held = array("i", [codes.NOT_HELD]) * count
        self._no_caps = array("i", [codes.NO_CAP]) * count
        self._special = True  # whether the arrays hold more than wanted currents and waits of a plain site

    def allocate(
        self,
        demands: Iterable[Demand] | Demands,
        *,
        held_ma: Mapping[str, Milliamps] | None = None,
        other_load_ma: Mapping[str, PerLine] | None = None,
        external_limits: Sequence[ExternalLimit] = (),
    ) -> Allocation:
        """Answer one set of demands.

        Args:
            demands: At most one per connector; a connector without one is idle. Or a whole
                `Demands` value, which then brings the rest of the arguments along.
            held_ma: The most that silent connectors may be drawing, per connector id; taken off first.
            other_load_ma: Fresh readings per circuit id; the others count their worst case.
            external_limits: Limits in force from outside.

        Returns:
            What each connector may offer, and why.

        Raises:
            DemandError: Every problem at once: unknown or repeated names, wrong numbers of lines.
        """
        if isinstance(demands, Demands):
            held_ma, other_load_ma = demands.held_ma, demands.other_load_ma
            external_limits, demands = demands.external_limits, demands.demands
        asked = tuple(demands)
        force = self._plain
        if held_ma or other_load_ma or external_limits:
            require_known(self.site, asked, held_ma or {}, other_load_ma or {}, external_limits)
            force = LimitsInForce.of(self.compiled, other_load_ma or {}, external_limits, held_ma or {})
        refused = self._write(asked, force)
        if refused is None:
            require_known(self.site, asked, force.held_ma, {}, ())
            raise InternalError("a demand did not fit the site, and no problem was found in it")
        if code := self._problem.run():
            raise InternalError(f"the kernel refused checked input: {_refusal(code)}")
        return Allocation(RawAnswer(self.compiled, force, self._problem, refused))

    def prepare(self) -> "Prepared":
        """A handle over long-lived arrays for callers to whom every microsecond counts."""
        return Prepared(self)

    def _write(self, asked: tuple[Demand, ...], force: LimitsInForce) -> dict[int, str] | None:
        """Write a problem into the kernel's arrays.

        Returns:
            Why connectors were refused beforehand, by place; None when a demand does not fit the site.
        """
        problem, index, refused = self._problem, self._index, dict[int, str]()
        wanted, waiting = problem.wanted, problem.waiting
        wanted[:] = waiting[:] = self._no_words
        if self._special or force is not self._plain:
            self._reset(force)
        seen, held_ma, admits = bytearray(len(index)), force.held_ma, self._admits
        for demand in asked:
            place, wanted_ma = index.get(demand.connector), demand.wanted_ma
            if place is None or seen[place] or (held_ma and demand.connector in held_ma and wanted_ma != 0):
                return None
            seen[place] = 1
            if wanted_ma is None:
                wanted_ma = self._greatest_ma[place]
            wanted[place], waiting[place] = wanted_ma, demand.waiting_s
            if demand.lines_used is not None:
                if demand.lines_used > len(self.compiled.wirings[place].lines):
                    return None
                problem.lines_used[place], self._special = demand.lines_used, True
            if demand.weight is not None:
                problem.weight[place], self._special = demand.weight, True
            if demand.priority is not None:
                problem.priority[place], self._special = demand.priority, True
            if admits and wanted_ma and place in admits and demand.vehicle not in admits[place]:
                wanted[place], refused[place] = 0, _not_admitted(demand)
        for external in force.external_limits:
            if external.connector is not None:
                self._cap(external)
        return refused

    def _reset(self, force: LimitsInForce) -> None:
        """Bring back what most calls leave alone, and lay down the limits in force."""
        problem = self._problem
        problem.lines_used[:] = self._no_bytes
        problem.weight[:], problem.priority[:] = self._weights, self._priorities
        problem.held[:], problem.cap[:] = self._nothing_held, self._no_caps
        problem.limit[:], problem.limit_connectors[:] = force.limit_ma, force.connectors_ma
        problem.other[:] = force.other_ma
        for connector_id, current_ma in force.held_ma.items():
            problem.held[self._index[connector_id]] = current_ma
        self._special = force is not self._plain

    def _cap(self, external: ExternalLimit) -> None:
        """Lay an external limit of a connector over the lines that its vehicle loads."""
        place = self._index[external.connector or ""]
        lines = self.compiled.wirings[place].loaded_lines(self._problem.lines_used[place] or None)
        cap_ma = min(on_line(external.limit_ma, line) for line in lines)
        self._problem.cap[place] = min(self._problem.cap[place], cap_ma)


def _not_admitted(demand: Demand) -> str:
    if demand.vehicle is None:
        return "the vehicle is not identified, and this connector serves listed vehicles only"
    return f'vehicle "{demand.vehicle}" is not on this connector\'s list'


def allocate(
    site: Site,
    demands: Iterable[Demand] | Demands,
    *,
    held_ma: Mapping[str, Milliamps] | None = None,
    other_load_ma: Mapping[str, PerLine] | None = None,
    external_limits: Sequence[ExternalLimit] = (),
) -> Allocation:
    """Answer one set of demands on a site; for more than one, keep an `Allocator`.

    Arguments, result and errors are those of `Allocator.allocate`.
    """
    return Allocator(site).allocate(
        demands, held_ma=held_ma, other_load_ma=other_load_ma, external_limits=external_limits
    )


class Prepared:
    """One problem over long-lived arrays: write into them, `run`, read the answer.

    Everything is in site order and in the kernel's units. An external limit is written by whoever
    sets it, into `cap_ma` or the limit rows; vehicle lists are the caller's concern.

    Attributes:
        wanted_ma: The most each vehicle takes; 0 is idle (what the handle starts with).
        lines_used: Lines in use, 1 to 3; 0 means all of the connector's.
        waiting_s: How long each has waited.
        weight: 1 to 1000.
        priority: Higher first.
        held_ma: What a silent connector may be drawing; -1 means it is not held.
        cap_ma: An external limit of the connector itself; `NO_CAP` for none.
        limit_ma: Per row, the limit on connectors, held currents and other load together.
        limit_connectors_ma: Per row, the limit on connectors and held currents alone.
        other_load_ma: Per row, the circuit's own other load; starts at the commissioned worst case.
        allocated_ma: The answer: what each may offer.
        status: The answer: 0 idle, 1 allocated, 2 shed, 3 refused, 4 held.
        bound: The answer: the row that bound, or -1 none, -2 the vehicle, -3 the connector, -4 its cap.
        room_ma: The answer: what each row has left; negative where exceeded.
        problem: The kernel's own view of these arrays.
    """

    NO_CAP = codes.NO_CAP
    NO_LIMIT = codes.NO_LIMIT
    NOT_HELD = codes.NOT_HELD

    __slots__ = (
        "_allocate",
        "_asked",
        "allocated_ma",
        "allocator",
        "bound",
        "cap_ma",
        "held_ma",
        "limit_connectors_ma",
        "limit_ma",
        "lines_used",
        "other_load_ma",
        "priority",
        "problem",
        "room_ma",
        "status",
        "waiting_s",
        "wanted_ma",
        "weight",
    )

    def __init__(self, allocator: Allocator) -> None:
        compiled = allocator.compiled
        problem = _native.KernelProblem(compiled.kernel)
        problem.limit[:], problem.limit_connectors[:] = compiled.limit_ma, compiled.network_ma
        problem.other[:] = compiled.worst_other_ma
        for place, connector in enumerate(allocator.site.connectors):
            problem.weight[place], problem.priority[place] = connector.weight, connector.priority
        self.allocator = allocator
        self.problem, (self._allocate, self._asked) = problem, problem.call
        self.wanted_ma, self.lines_used = problem.wanted, problem.lines_used
        self.waiting_s, self.weight, self.priority = problem.waiting, problem.weight, problem.priority
        self.held_ma, self.cap_ma = problem.held, problem.cap
        self.limit_ma, self.limit_connectors_ma = problem.limit, problem.limit_connectors
        self.other_load_ma = problem.other
        self.allocated_ma, self.status, self.bound = problem.allocated, problem.status, problem.bound
        self.room_ma = problem.room

    def row(self, circuit_id: str | None, line: Line) -> int:
        """The row of a circuit's line; None is the network limit.

        Raises:
            KeyError: The site has no such circuit, or no network limit.
        """
        if circuit_id is not None:
            return 3 * self.allocator.compiled.circuit_index[circuit_id] + line
        if self.allocator.compiled.circuits[0] is not None:
            raise KeyError("this site has no network limit")
        return int(line)

    def run(self) -> None:
        """Compute the answer from what stands in the arrays, in one crossing into the kernel.

        Raises:
            ContractError: Something in the arrays is out of range; the answer arrays are untouched.
        """
        if self._allocate(self._asked):
            raise ContractError(f"the kernel refused what stands in the arrays: {_refusal(self.problem.run())}")


class Batch:
    """Many prepared handles, of one site or of many, computed in one crossing."""

    __slots__ = ("_problems", "handles")

    def __init__(self, handles: Sequence[Prepared]) -> None:
        self.handles = tuple(handles)
        self._problems = [handle.problem for handle in self.handles]

    def run(self) -> None:
        """Compute every handle's answer.

        Raises:
            ContractError: Something in one handle's arrays is out of range; handles before it are computed.
        """
        if code := _native.run_each(self._problems):
            raise ContractError(f"the kernel refused a handle's arrays: {_refusal(code)}")


def _refusal(code: int) -> str:
    """The field that the kernel refused, in words."""
    return _native.KernelCode(code).name.lower().replace("_", " ")
