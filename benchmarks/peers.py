"""The same problem for others: max-min shares of one-line sites by HiGHS, by cvxpy and by acnportal.

Each is used as its authors mean it to be used, and its own set-up per problem is part of its time, as a
site's compile is not part of ours: a controller asks again and again about one site. Nobody here knows
0-or-at-least-6 A; the scenario keeps every share above 6 A, so that all of them solve the same problem.
"""

import warnings
from collections.abc import Callable
from typing import Any

import powershare as ps

Solver = Callable[[], list[float]]
_AHEAD = 1e-7


def _problem(site: ps.Site, asked: tuple[ps.Demand, ...]) -> tuple[list[float], list[tuple[float, list[int]]]]:
    """Ceilings in amps, and each limit in amps with the places of its members."""
    ceilings = [(demand.wanted_ma or 0) / 1000 for demand in asked]
    limits = []
    for circuit in site.circuits:
        members = [
            place
            for place, connector in enumerate(site.connectors)
            if circuit in site.circuits_above(connector.circuit)
        ]
        limits.append((circuit.usable_limit_ma(ps.Line.L1)[0] / 1000, members))
    return ceilings, limits


def highs_levels(site: ps.Site, asked: tuple[ps.Demand, ...]) -> Solver:
    """Max-min by a sequence of linear programs in one warm HiGHS model: raise the common level, fix who is stuck."""
    import highspy

    ceilings, limits = _problem(site, asked)

    def solve() -> list[float]:
        model: Any = highspy.Highs()
        model.setOptionValue("output_flag", False)
        count = len(ceilings)
        for ceiling in ceilings:
            model.addVar(0.0, ceiling)
        model.addVar(0.0, max(ceilings))
        model.changeColCost(count, -1.0)
        for limit, members in limits:
            model.addRow(-highspy.kHighsInf, limit, len(members), members, [1.0] * len(members))
        first = len(limits)
        for place in range(count):
            model.addRow(0.0, highspy.kHighsInf, 2, [place, count], [1.0, -1.0])
        free = set(range(count))
        shares = [0.0] * count
        while free:
            model.run()
            solution = model.getSolution()
            level = solution.col_value[count]
            stuck = {place for place in free if abs(solution.row_dual[first + place]) > _AHEAD}
            for place in stuck or set(free):
                shares[place] = level
                model.changeColBounds(place, level, level)
                model.changeRowBounds(first + place, -highspy.kHighsInf, highspy.kHighsInf)
                free.discard(place)
        return shares

    return solve


def cvxpy_levels(site: ps.Site, asked: tuple[ps.Demand, ...]) -> Solver:
    """The same sequence of linear programs, written in cvxpy and solved by its default solver."""
    import cvxpy as cp
    import numpy as np

    ceilings, limits = _problem(site, asked)
    count = len(ceilings)
    rows = np.zeros((len(limits), count))
    for row, (_, members) in enumerate(limits):
        rows[row, members] = 1
    bounds = np.array([limit for limit, _ in limits])

    def solve() -> list[float]:
        shares, level = cp.Variable(count), cp.Variable()
        floor, ceiling = cp.Parameter(count), cp.Parameter(count)
        follows = cp.Parameter(count, nonneg=True)
        binding = shares >= floor + cp.multiply(follows, level)
        constraints = [rows @ shares <= bounds, shares <= ceiling, binding]
        problem = cp.Problem(cp.Maximize(level), constraints)
        floor.value, ceiling.value, follows.value = np.zeros(count), np.array(ceilings), np.ones(count)
        fixed = np.zeros(count, dtype=bool)
        answer = np.zeros(count)
        while not fixed.all():
            problem.solve()
            stuck = (~fixed) & (np.asarray(binding.dual_value) > 1e-5)
            stuck = stuck if stuck.any() else ~fixed
            answer[stuck] = float(level.value)
            fixed |= stuck
            floor.value = np.where(fixed, np.minimum(answer, ceilings) - 1e-6, 0.0)
            follows.value = np.where(fixed, 0.0, 1.0)
        return [float(share) for share in answer]

    return solve


def acn_round_robin(site: ps.Site, asked: tuple[ps.Demand, ...]) -> Solver:
    """acnportal's round robin in steps of 0.1 A, which is progressive filling in steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import numpy as np
        from acnportal.acnsim.interface import InfrastructureInfo, SessionInfo
        from acnportal.algorithms import RoundRobin, first_come_first_served

    ceilings, limits = _problem(site, asked)
    count = len(ceilings)
    rows = np.zeros((len(limits), count))
    for row, (_, members) in enumerate(limits):
        rows[row, members] = 1
    names = [demand.connector for demand in asked]
    infrastructure = InfrastructureInfo(
        rows,
        np.array([limit for limit, _ in limits]),
        np.zeros(count),
        np.full(count, 230.0),
        [f"limit{row}" for row in range(len(limits))],
        names,
        np.full(count, 32.0),
        np.zeros(count),
        [np.array([0.0, 32.0])] * count,
        np.ones(count, dtype=bool),
    )
    sessions = [
        SessionInfo(name, name, 100.0, 0.0, 0, 96, current_time=0, min_rates=0, max_rates=ceiling)
        for name, ceiling in zip(names, ceilings, strict=True)
    ]
    robin = RoundRobin(first_come_first_served, continuous_inc=0.1)
    robin.register_interface(_Period())

    def solve() -> list[float]:
        return [float(share) for share in robin.round_robin(sessions, infrastructure)]

    return solve


class _Period:
    """What the sort and the schedule ask of a simulation: minutes per period, and the present."""

    period = 5
    current_time = 0

    def remaining_amp_periods(self, session: Any) -> float:  # noqa: ANN401 - the peer's own type
        return 1e9

    def infrastructure_info(self) -> None:
        return None
