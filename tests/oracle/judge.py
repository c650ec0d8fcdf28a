"""What is wrong with an answer: each check gives a list of complaints, empty where the property holds."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from tests.oracle import leximin
from tests.oracle.filling import Admission, admit, by_single_steps, classes, share_out
from tests.oracle.picture import Asker, Picture, Row

from powershare import Allocation, BoundBy, BoundKind, ConnectorAllocation, Line, Status

SEARCH_AT_MOST = 2_000
LEVELS_AT_MOST = 30
FEW_MA = 4
"""How far a share on mixed lines may be from the rational one, at a step of 1 mA and weights up to 3."""


def load_ma(picture: Picture, answer: Allocation) -> dict[Row, int]:
    """The connectors' currents on every row."""
    load = dict.fromkeys(picture.limits, 0)
    for asker in picture.askers:
        for row in asker.rows:
            load[row] += answer.allocated_ma[asker.id]
    return load


def limits_kept(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Allocated + held + other load <= limit; where those two alone exceed it, nothing is allocated below."""
    load = load_ma(picture, answer)
    for row, limits in picture.limits.items():
        for limit in limits:
            left_ma = picture.left_ma(row, limit)
            if load[row] > max(0, left_ma):
                yield f"{row}: {load[row]} mA on what {limit} leaves, {left_ma} mA"


def exceeded_said(picture: Picture, answer: Allocation) -> Iterator[str]:
    """A circuit says that it is exceeded where held and other load alone are above its limit, and only there."""
    room = picture.room_ma()
    for circuit in picture.site.circuits:
        truth = any(room[circuit.id, line] < 0 for line in picture.lines)
        if answer.circuits[circuit.id].exceeded is not truth:
            yield f"{circuit.id}: says exceeded={not truth}"


def sendable(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Every offer is 0 or within [least, ceiling], a multiple of the step; only candidates are offered anything."""
    for asker in picture.askers:
        offer_ma = answer.allocated_ma[asker.id]
        if offer_ma == 0:
            continue
        fits = asker.least_ma <= offer_ma <= asker.ceiling_ma and offer_ma % asker.step_ma == 0
        if asker.standing != "candidate" or not fits:
            yield f"{asker.id}: {offer_ma} mA to {asker}"


def admission(picture: Picture, answer: Allocation) -> Iterator[str]:
    """A candidate that fits beside those admitted before it is never refused, and one that does not never admitted."""
    expected = {asker.id for asker in admit(picture).admitted}
    for asker in picture.candidates:
        if (answer.allocated_ma[asker.id] > 0) is not (asker.id in expected):
            yield f"{asker.id}: {'not ' * (asker.id in expected)}admitted"


def nobody_can_be_raised(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Nobody who charges can be raised by one of its own steps."""
    room, load = picture.room_ma(), load_ma(picture, answer)
    for asker in picture.askers:
        offer_ma = answer.allocated_ma[asker.id]
        if 0 < offer_ma <= asker.ceiling_ma - asker.step_ma and all(
            load[row] + asker.step_ma <= room[row] for row in asker.rows
        ):
            yield f"{asker.id} at {offer_ma} mA could take {asker.step_ma} mA more"


def is_nested(picture: Picture, admission: Admission) -> bool:
    """All candidates admitted, the same lines for all or one line each, and one step."""
    askers = picture.candidates
    if not askers or admission.full:
        return False
    one_step = len({asker.step_ma for asker in askers}) == 1
    same_lines = len({frozenset(asker.loaded) for asker in askers}) == 1
    return one_step and (same_lines or all(len(asker.loaded) == 1 for asker in askers))


def exact_leximin(picture: Picture, answer: Allocation, *, programs: bool = False) -> Iterator[str]:
    """Each class has the exact integer leximin of what the classes before it and the leasts after it leave."""
    room, offers = picture.room_ma(), answer.allocated_ma
    groups = classes(picture.candidates)
    for place, group in enumerate(groups):
        beside = {asker.id: offers[asker.id] for earlier in groups[:place] for asker in earlier}
        beside |= {asker.id: asker.least_ma for later in groups[place + 1 :] for asker in later}
        left = dict(room)
        for asker in picture.candidates:
            for row in asker.rows:
                left[row] -= beside.get(asker.id, 0)
        if programs:
            best = leximin.by_programs(group, left)
        elif leximin.search_size(group) <= SEARCH_AT_MOST:
            best = leximin.by_search(group, left)
        else:
            continue
        got = leximin.shares_of(group, offers)
        if got != best:
            yield f"class {place}: shares {got}, best {best}"


def by_the_unit_rule(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Exactly what handing out one step at a time gives, by connector; on nested limits that is leximin."""
    yield from _differences(answer, by_single_steps(picture, admit(picture).admitted))


def by_the_letter(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Exactly what rational level, rounding down and single steps give, connector by connector."""
    yield from _differences(answer, share_out(picture, admit(picture).admitted, answer.allocated_ma).rounded_ma)


def _differences(answer: Allocation, expected: Mapping[str, int]) -> Iterator[str]:
    for name, offer_ma in answer.allocated_ma.items():
        if offer_ma != expected.get(name, 0):
            yield f"{name}: {offer_ma} mA, should be {expected.get(name, 0)} mA"


def distance_from_rational(picture: Picture, answer: Allocation) -> Fraction:
    """The greatest distance of an offer from its rational share, beside what the classes before hold."""
    exact = share_out(picture, admit(picture).admitted, answer.allocated_ma).exact_ma
    return max((abs(answer.allocated_ma[name] - share) for name, share in exact.items()), default=Fraction(0))


def circuits_add_up(picture: Picture, answer: Allocation) -> Iterator[str]:
    """The report's sums, limits and headroom of every circuit are those that one adds up oneself."""
    room, load = picture.room_ma(), load_ma(picture, answer)
    if list(answer.circuits) != [circuit.id for circuit in picture.site.circuits]:
        yield f"circuits are {list(answer.circuits)}"
    for circuit in picture.site.circuits:
        rows = [(circuit.id, line) for line in picture.lines]
        said = answer.circuits[circuit.id]
        limits = tuple(
            min(picture.limits[row], key=lambda limit, row=row: picture.left_ma(row, limit)).limit_ma  # type: ignore[misc]
            for row in rows
        )
        truth = {
            "circuit": circuit.id,
            "limit_ma": limits,
            "allocated_ma": tuple(load[row] for row in rows),
            "held_ma": tuple(picture.held_ma[row] for row in rows),
            "other_load_ma": tuple(picture.other_ma[row] for row in rows),
            "headroom_ma": tuple(max(0, room[row] - load[row]) for row in rows),
        }
        for field, value in truth.items():
            if getattr(said, field) != value:
                yield f"{circuit.id}: {field} is {getattr(said, field)}, should be {value}"


_STATUS = {
    "idle": Status.IDLE,
    "held": Status.HELD,
    "refused": Status.REFUSED,
    "unlisted": Status.REFUSED,
    "capped": Status.SHED,
}


def statuses(picture: Picture, answer: Allocation) -> Iterator[str]:
    """Status, reason, counted lines and doubt about the rotation say what became of each connector."""
    admitted = {asker.id for asker in admit(picture).admitted}
    if list(answer) != [asker.id for asker in picture.askers]:
        yield f"connectors are {list(answer)}"
    for asker in picture.askers:
        said = answer[asker.id]
        served = Status.ALLOCATED if asker.id in admitted else Status.SHED
        status = _STATUS.get(asker.standing, served)
        if said.status is not status:
            yield f"{asker.id}: {said.status}, should be {status}"
        if said.allocated_ma != answer.allocated_ma[asker.id] or said.connector != asker.id:
            yield f"{asker.id}: says {said}"
        if (said.reason is None) is (status in (Status.SHED, Status.REFUSED)):
            yield f"{asker.id}: {status} with reason {said.reason!r}"
        if asker.standing == "unlisted":
            continue  # what the vehicle would load was not looked at
        counted = {"idle": (), "held": asker.wired}.get(asker.standing, asker.loaded)
        if said.counted_lines != counted:
            yield f"{asker.id}: counts on {said.counted_lines}, should be {counted}"
        if asker.standing not in ("idle", "held") and said.rotation_unknown is not asker.fewer_lines:
            yield f"{asker.id}: rotation_unknown is {said.rotation_unknown}"


def reasons_bind(picture: Picture, answer: Allocation) -> Iterator[str]:
    """`bound_by` names the limit that binds: nearest circuit first, then lowest line, and of a row the tightest."""
    load, admission = load_ma(picture, answer), admit(picture)
    room = picture.room_ma()
    for asker in picture.askers:
        said = answer[asker.id]
        if asker.standing in ("idle", "held", "unlisted"):
            expected = None
        elif asker.standing == "refused":
            expected = BoundBy(
                kind=BoundKind.VEHICLE, id=asker.id, line=None, limit_ma=asker.wanted_ma, source="vehicle"
            )
        elif asker.standing == "candidate" and asker.id in admission.full:
            expected = _row_bound(picture, admission.full[asker.id])
        elif said.allocated_ma >= asker.ceiling_ma or asker.standing == "capped":
            yield from _ceiling_complaints(picture, asker, said)
            continue
        else:
            full = [row for row in asker.rows if load[row] + asker.step_ma > room[row]]
            expected = _row_bound(picture, full[0]) if full else None
        if said.bound_by != expected:
            yield f"{asker.id}: bound by {said.bound_by}, should be {expected}"


def _row_bound(picture: Picture, row: Row) -> BoundBy:
    circuit, line = row
    limit = min(picture.limits[row], key=lambda limit: picture.left_ma(row, limit))
    return BoundBy(kind=BoundKind(limit.kind), id=circuit, line=line, limit_ma=limit.limit_ma, source=limit.source)


def _ceiling_complaints(picture: Picture, asker: Asker, said: ConnectorAllocation) -> Iterator[str]:
    """At the ceiling: the vehicle, the connector, or the connector's own external limit."""
    bound = said.bound_by
    if bound is None or bound.id != asker.id:
        yield f"{asker.id}: at its ceiling, bound by {bound}"
    elif asker.ceiling_ma < asker.uncapped_ma:
        limits = [
            (limit.limit_ma if isinstance(limit.limit_ma, int) else limit.limit_ma[line], limit.source, line)
            for limit in picture.asked.external_limits
            if limit.connector == asker.id
            for line in asker.loaded
        ]
        found = (bound.limit_ma, bound.source, bound.line)
        if bound.kind is not BoundKind.EXTERNAL or found not in limits or bound.limit_ma != asker.cap_ma:
            yield f"{asker.id}: bound by {bound}, of {limits}"
    elif asker.wanted_ma < asker.greatest_ma:
        if (bound.kind, bound.limit_ma, bound.line) != (BoundKind.VEHICLE, asker.wanted_ma, None):
            yield f"{asker.id}: bound by {bound}, should be its vehicle"
    elif (bound.kind, bound.limit_ma, bound.line) != (BoundKind.CONNECTOR, asker.greatest_ma, None):
        yield f"{asker.id}: bound by {bound}, should be the connector"


def line_totals(picture: Picture, answer: Allocation) -> tuple[int, ...]:
    """What all connectors together take on each line."""
    return tuple(
        sum(answer.allocated_ma[asker.id] for asker in picture.askers if line in asker.loaded) for line in Line
    )


def smallest_share(picture: Picture, answer: Allocation) -> int:
    """The smallest offer among the candidates."""
    return min(answer.allocated_ma[asker.id] for asker in picture.candidates)


ALWAYS: dict[str, Callable[[Picture, Allocation], Iterator[str]]] = {
    "limits kept": limits_kept,
    "exceeded said": exceeded_said,
    "offers sendable": sendable,
    "what fits is admitted": admission,
    "nobody can be raised": nobody_can_be_raised,
    "circuits add up": circuits_add_up,
    "statuses and reasons": statuses,
    "named limits bind": reasons_bind,
}
"""What holds on every site."""
