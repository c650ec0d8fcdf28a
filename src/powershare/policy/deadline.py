"""With departures in view: make sure of those who can still be met in full, then hand on the rest.

A set of vehicles is protected: together they can still get all they asked for, each as late as
possible, on every circuit and line. What the plan needs of them now, they get first. The rest goes
to whom it helps most. Departures are wrong by half an hour as a rule, so each is taken to be
earlier by a margin, as far as the vehicle's own slack allows. Who states no departure is served as
by the fair order, out of the same room.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from powershare.allocator import Allocator
from powershare.policy.orders import Fair, Plan, Scene, demands_of
from powershare.policy.report import Report
from powershare.policy.room import Room, RowIndex
from powershare.policy.settings import Settings
from powershare.policy.turns import Admission, Candidate, Standing, admit, order_key, standing
from powershare.site import Connection, Site, Wiring
from powershare.units import Milliamps, down_to_step

MILLIAMP_MS_PER_WH_VOLT = 3_600_000_000
"""One watt-hour at one volt is 3600 ampere-seconds: this many milliampere-milliseconds."""

MET_PER_MILLE = 999
"""A vehicle counts as met from 99.9 % of the energy it asked for."""

SHORTFALL_MA: Milliamps = 800
"""How far a vehicle stays below its offer: 0.5 to 0.8 A (evcc issue 14417)."""

LEAST_HORIZON_MS = 60_000
"""A vehicle whose stated departure is past may leave any minute: this is how long a plan counts on it."""


@attrs.frozen
class Task:
    """One vehicle's energy by its departure, as current over time.

    Attributes:
        candidate: Its connector.
        charge: What it still needs, in milliampere-milliseconds on each line that it loads.
        until_ms: By when, from now, as stated.
        alone_ms: How long that takes at its ceiling.
    """

    candidate: Candidate
    charge: int
    until_ms: int
    alone_ms: int

    @property
    def slack_ms(self) -> int:
        """How long it may still wait when nobody else wants anything."""
        return self.until_ms - self.alone_ms

    @property
    def due(self) -> int:
        """What to set aside by then: more than it needs, since vehicles stay below their offers, as far as possible.

        Where all it can take until then is a thousandth short of what it needs, that still counts as met.
        """
        ceiling_ma = self.candidate.ceiling_ma
        possible = ceiling_ma * self.until_ms
        if possible * 1000 < self.charge * MET_PER_MILLE:
            return self.charge
        return min(possible, self.charge * ceiling_ma // max(ceiling_ma - SHORTFALL_MA, ceiling_ma // 2))


class Timetable:
    """Room over time, from now to each departure: where charge is set aside as late as possible."""

    def __init__(self, room: Room, ends_ms: Sequence[int]) -> None:
        self._ends_ms = sorted(set(ends_ms))
        self._lengths_ms = [end - start for end, start in zip(self._ends_ms, [0, *self._ends_ms], strict=False)]
        self._rooms = [room.copy() for _ in self._ends_ms]

    def set_aside(self, task: Task) -> Milliamps | None:
        """Set a task's charge aside, the latest stretch before its departure first.

        Returns:
            What it needs in the stretch that begins now; None when it does not fit, and nothing is set aside.
        """
        rows, ceiling_ma, left = task.candidate.rows, task.candidate.ceiling_ma, task.due
        taken: list[tuple[Room, Milliamps]] = []
        now_ma = 0
        for stretch in range(self._ends_ms.index(task.until_ms), -1, -1):
            room, length_ms = self._rooms[stretch], self._lengths_ms[stretch]
            most_ma = min(ceiling_ma, room.left_ma(rows))
            if most_ma <= 0:
                continue
            current_ma = min(most_ma, -(-left // length_ms))
            room.take(rows, current_ma)
            taken.append((room, current_ma))
            left -= current_ma * length_ms
            if left <= 0:
                return current_ma if stretch == 0 else 0
        for room, now_ma in taken:
            room.take(rows, -now_ma)
        return None


class Deadline:
    """Protects those who can be met in full, and hands on the rest."""

    needs_departure = True
    ranked = False

    def __init__(self, allocator: Allocator, rows: RowIndex, settings: Settings) -> None:
        self._allocator, self._rows, self._settings = allocator, rows, settings
        self._fair = Fair(settings)
        self._protected: set[tuple[str, int]] = set()

    def plan(self, scene: Scene) -> Plan:
        """Decide who may be on and how much each is to get."""
        ceilings_ma = {one.connector: one.ceiling_ma for one in scene.candidates}
        if _all_fit(scene):
            everybody = admit(scene.candidates, scene.room, self._settings)
            return Plan(admission=everybody, ceilings_ma=ceilings_ma)
        tasks = [task for one in scene.candidates if (task := self._task(one, scene.reports[one.connector]))]
        if not tasks:
            return self._fair.plan(scene)
        shares_ma = self._fair_shares(scene, tasks)
        needs_ma = self._protect(tasks, scene, shares_ma)
        hand_out = HandOut(scene.room, self._allocator.site)
        for candidate, upto_ma in self._steps(scene, tasks, needs_ma, shares_ma):
            hand_out.raise_to(candidate, upto_ma)
        # The allocator would bring in whoever's least offer fits beside the others' least offers; the plan
        # needs that room for more, so it is not asked about those who wait.
        waiting = tuple(one.connector for one in scene.candidates if one.connector not in hand_out.wanted_ma)
        return Plan(
            admission=Admission(tuple(hand_out.wanted_ma), (), waiting),
            ceilings_ma={**ceilings_ma, **hand_out.wanted_ma},
            protected=frozenset(needs_ma),
            recheck=True,
        )

    def _task(self, candidate: Candidate, report: Report) -> Task | None:
        if report.energy_needed_wh is None or report.departs_in_s is None:
            return None
        wiring = self._allocator.site.wiring[candidate.connector]
        volts = self._allocator.site.voltage_v * _voltages(wiring, report.lines_used)
        charge = -(-report.energy_needed_wh * MILLIAMP_MS_PER_WH_VOLT // volts)
        alone_ms = -(-charge // candidate.ceiling_ma)
        until_ms = max(report.departs_in_s * 1000, LEAST_HORIZON_MS)
        return Task(candidate, charge, until_ms, alone_ms)

    def _fair_shares(self, scene: Scene, tasks: Sequence[Task]) -> dict[str, Milliamps]:
        """What those without a stated departure would get if everybody shared fairly."""
        planned = {task.candidate.connector for task in tasks}
        others = [one.connector for one in scene.candidates if one.connector not in planned]
        if not others:
            return {}
        allocation = self._allocator.allocate(
            demands_of(self._fair.plan(scene), scene.reports),
            held_ma=scene.conditions.held_ma,
            other_load_ma=scene.conditions.other_load_ma,
            external_limits=scene.conditions.external_limits,
        )
        return {connector_id: allocation.allocated_ma[connector_id] for connector_id in others}

    def _protect(self, tasks: Sequence[Task], scene: Scene, shares_ma: Mapping[str, Milliamps]) -> dict[str, Milliamps]:
        """Choose whom to protect; what each of them needs from now on, 0 if it can still wait.

        Those protected before come first, so that nobody is given up lightly; then those who need
        least, which makes the set large (Moore and Hodgson's rule, the other way round).
        """
        room = scene.room.copy()
        for one in scene.candidates:
            if one.connector in shares_ma:
                room.take(one.rows, shares_ma[one.connector])
        table = Timetable(room, [task.until_ms for task in tasks])
        sessions = {task.candidate.connector: scene.reports[task.candidate.connector].session for task in tasks}

        def key(task: Task) -> tuple[bool, int, int]:
            connector_id = task.candidate.connector
            return ((connector_id, sessions[connector_id]) not in self._protected, task.charge, task.candidate.place)

        needs_ma: dict[str, Milliamps] = {}
        for task in sorted(tasks, key=key):
            need_ma = table.set_aside(task)
            if need_ma is not None:
                needs_ma[task.candidate.connector] = need_ma
        self._protected = {(connector_id, sessions[connector_id]) for connector_id in needs_ma}
        return needs_ma

    def _steps(
        self,
        scene: Scene,
        tasks: Sequence[Task],
        needs_ma: Mapping[str, Milliamps],
        shares_ma: Mapping[str, Milliamps],
    ) -> Iterator[tuple[Candidate, Milliamps]]:
        """Whom to raise to what, in order, as far as there is room.

        What is needed now and what is shared fairly come first. Then those in a hurry get all they can
        take: the protected who might not be met if they left a little earlier, and those who cannot be
        met in full, for whom every hour without current is lost. Who needs least comes first there: a
        vehicle that is done early is met whenever it leaves. Whoever can wait comes after.
        """
        stands = {one.connector: standing(one, self._settings) for one in scene.candidates}
        asleep = (Standing.SLEEPS, Standing.MAY_SLEEP)
        tasks = sorted(tasks, key=_by_slack)
        awake = [task for task in tasks if stands[task.candidate.connector] not in asleep]
        hurried = [task for task in awake if self._hurried(task, needs_ma)]
        relaxed = [task.candidate for task in awake if not self._hurried(task, needs_ma)]
        by_turns = sorted(scene.candidates, key=lambda one: order_key(one, stands[one.connector]))
        fair = [one for one in by_turns if one.connector in shares_ma]
        yield from ((one, one.least_ma) for one in by_turns if stands[one.connector] is Standing.KEEPS)
        yield from ((task.candidate, needs_ma.get(task.candidate.connector, 0)) for task in hurried)
        yield from ((one, shares_ma[one.connector]) for one in fair)
        hurried.sort(key=lambda task: (task.charge, task.candidate.place))
        yield from ((task.candidate, task.candidate.ceiling_ma) for task in hurried)
        yield from ((one, one.least_ma) for one in relaxed if one.on)
        yield from ((one, one.least_ma) for one in relaxed)
        yield from ((one, one.ceiling_ma) for one in relaxed)
        yield from ((one, one.ceiling_ma) for one in fair)
        yield from ((task.candidate, task.candidate.ceiling_ma) for task in tasks)

    def _hurried(self, task: Task, needs_ma: Mapping[str, Milliamps]) -> bool:
        """Whether it must have current now: by the plan, by what its departure may be wrong, or late anyway."""
        return needs_ma.get(task.candidate.connector) != 0 or task.slack_ms < 2000 * self._settings.departure_margin_s


class HandOut:
    """Room handed out in steps; nobody ever gets less than the least offer, or more than the ceiling.

    Attributes:
        wanted_ma: What each has been given, in the order in which they got their least offer.
    """

    def __init__(self, room: Room, site: Site) -> None:
        self.wanted_ma: dict[str, Milliamps] = {}
        self._room, self._site = room.copy(), site

    def raise_to(self, candidate: Candidate, upto_ma: Milliamps) -> None:
        """Raise one connector as far as it should and there is room, up to a whole step; 0 does nothing."""
        has_ma = self.wanted_ma.get(candidate.connector, 0)
        if upto_ma <= has_ma:
            return
        step_ma = self._site.connector_by_id[candidate.connector].step_ma
        upto_ma = min(max(-(-upto_ma // step_ma) * step_ma, candidate.least_ma), candidate.ceiling_ma)
        given_ma = has_ma + down_to_step(min(upto_ma - has_ma, self._room.left_ma(candidate.rows)), step_ma)
        if given_ma > has_ma and given_ma >= candidate.least_ma:
            self._room.take(candidate.rows, given_ma - has_ma)
            self.wanted_ma[candidate.connector] = given_ma


def _by_slack(task: Task) -> tuple[int, int]:
    return (task.slack_ms, task.candidate.place)


def _all_fit(scene: Scene) -> bool:
    room = scene.room.copy()
    for one in scene.candidates:
        if room.left_ma(one.rows) < one.ceiling_ma:
            return False
        room.take(one.rows, one.ceiling_ma)
    return True


def _voltages(wiring: Wiring, lines_used: int | None) -> int:
    """How many line-to-neutral voltages one ampere on each loaded line works with."""
    if wiring.connection is Connection.LINE_TO_LINE:
        return 2  # the only such supply here is split phase: two halves in series
    lines = len(wiring.lines)
    return lines if lines_used is None else min(lines, lines_used)
