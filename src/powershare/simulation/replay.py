"""Replays recorded sessions on a site, in virtual time, and says how they would have fared."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, Protocol

import attrs

from powershare.errors import FormatError, Problem
from powershare.policy import OrderName, Policy, Settings
from powershare.simulation.chance import Chance
from powershare.simulation.engine import Engine
from powershare.simulation.garage import Garage
from powershare.simulation.meter import MeterTraits
from powershare.simulation.report import LinePeak, SessionOutcome, SimulationReport
from powershare.simulation.session import Session, Sessions
from powershare.simulation.vehicle import Traits, Vehicle
from powershare.site import Site
from powershare.site.checks import unknown_name
from powershare.trace import TraceEvent
from powershare.units import Milliamps

ReplayOrder = OrderName | Literal["uncontrolled"]
"""An order of the policy, or `uncontrolled`: nobody decides, and every vehicle is offered all its connector has."""


class AnyFleet(Protocol):
    """What decides what kind of vehicle each session has.

    Attributes:
        reading_step_ma: Height of the steps in which a ramp is told; 0: one step for a whole ramp.
    """

    @property
    def reading_step_ma(self) -> Milliamps:
        """Height of the steps in which a ramp is told."""

    def traits(self, session: Session, connector_max_ma: Milliamps, chance: Chance) -> Traits:
        """The vehicle of one session; `chance` is the session's own."""


@attrs.frozen(kw_only=True)
class Fleet:
    """What the vehicles of a replay are like; each draws its own figures from the seed.

    Attributes:
        reaction_ms: Shortest and longest reaction to a change of the pilot.
        shortfall_ma: Least and most that a vehicle stays below its offer.
        taper_percent: Last part of the energy asked over which the battery takes less and less. 0:
            none, since a session's record does not say how full the battery was.
        sleeping_percent: How many of a hundred vehicles sleep for a while after plugging in.
        reading_step_ma: Height of the steps in which a ramp is told; 0: one step for a whole ramp.
            The audit never sees less than the real current either way, and energy is exact.
    """

    reaction_ms: tuple[int, int] = (1_000, 5_000)
    shortfall_ma: tuple[Milliamps, Milliamps] = (0, 800)
    taper_percent: int = 0
    sleeping_percent: int = 0
    reading_step_ma: Milliamps = 0

    def traits(self, session: Session, connector_max_ma: Milliamps, chance: Chance) -> Traits:
        """The vehicle of one session."""
        return Traits(
            max_ma=connector_max_ma if session.max_ma is None else session.max_ma,
            lines_used=session.lines_used,
            identity=session.vehicle,
            reaction_ms=chance.between(*self.reaction_ms),
            shortfall_ma=chance.between(*self.shortfall_ma),
            sleeps_ms=chance.between(60_000, 7_200_000) if chance.happens(self.sleeping_percent) else 0,
            taper_percent=self.taper_percent,
        )


EXACT_FLEET = Fleet(reaction_ms=(1_000, 1_000), shortfall_ma=(0, 0))
"""Vehicles that draw exactly what they are offered: for comparison with a computed optimum."""


def replay(
    site: Site,
    sessions: Sessions,
    *,
    order: ReplayOrder = "fair",
    seed: int = 0,
    settings: Settings | None = None,
    fleet: AnyFleet | None = None,
    meter: MeterTraits | None = None,
    departure_error_s: int = 0,
    on_event: Callable[[TraceEvent], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> SimulationReport:
    """Let every session happen on the site, and report.

    A session ends when its vehicle is unplugged; from the moment it has its energy it draws nothing.
    Virtual time counts from `sessions.started`. The same arguments give the same events.

    Args:
        site: What is installed.
        sessions: What happens. The policy is told of energy and departure only where its order needs them.
        order: `fair`, `priority`, `deadline`, or `uncontrolled`.
        seed: Where the vehicles' small differences come from.
        settings: The policy's figures; None: its defaults.
        fleet: What the vehicles are like.
        meter: How the connectors' meters read.
        departure_error_s: Standard deviation of the departures told, in seconds; the real ones stay.
        on_event: Told of every change at a device, as a trace event.
        on_progress: Told after each session: how many are done, of how many.

    Returns:
        The report, its `wall_s` still 0.

    Raises:
        FormatError: A session names a connector that the site has not, or does not end after it starts,
            or overlaps another.
    """
    run = Replay(
        site,
        sessions,
        order=order,
        seed=seed,
        settings=settings,
        fleet=fleet,
        meter=meter,
        departure_error_s=departure_error_s,
        on_event=on_event,
        on_progress=on_progress,
    )
    run.run()
    return run.report()


def uncontrolled_peak_ma(report: SimulationReport, circuit: str | None) -> Milliamps:
    """The greatest current that a circuit carried on any line.

    Args:
        report: Of a replay.
        circuit: The circuit's id; None: the network limit.

    Raises:
        KeyError: The report has no such circuit.
    """
    peaks = [peak.peak_ma for peak in report.peaks if peak.circuit == circuit]
    if not peaks:
        raise KeyError(circuit)
    return max(peaks)


class Replay:
    """One replay on its way: for who wants to look at the site in between. `replay` does it all.

    Args: as of `replay`.

    Attributes:
        garage: The site, its devices and its policy.
        engine: Virtual time; starts when the first vehicle is plugged in.
        last_ms: When the last vehicle is unplugged.
    """

    def __init__(
        self,
        site: Site,
        sessions: Sessions,
        *,
        order: ReplayOrder = "fair",
        seed: int = 0,
        settings: Settings | None = None,
        fleet: AnyFleet | None = None,
        meter: MeterTraits | None = None,
        departure_error_s: int = 0,
        on_event: Callable[[TraceEvent], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        problems = tuple(_problems(site, sessions))
        if problems:
            raise FormatError(problems)
        self._site, self._fleet = site, fleet or Fleet()
        self._departure_error_s, self._on_progress = departure_error_s, on_progress
        self._sessions = sorted(sessions.sessions, key=lambda session: (session.plugged_in_ms, session.unplugged_ms))
        self._skipped = len(sessions.skipped)
        self._chance = Chance(seed)
        self._outcomes: dict[int, SessionOutcome] = {}
        self.first_ms = self._sessions[0].plugged_in_ms if self._sessions else 0
        self.last_ms = max((session.unplugged_ms for session in self._sessions), default=self.first_ms)
        self.engine = Engine(self.first_ms)
        policy = None if order == "uncontrolled" else Policy(site, order, settings or Settings())
        self.garage = Garage(
            site,
            self.engine,
            policy,
            meter=meter,
            tells_departure=policy is not None and policy.needs_departure,
            on_event=on_event,
        )
        # All unplugging is scheduled first: at one instant the connector is free before the next one plugs in.
        for number, session in enumerate(self._sessions):
            self.engine.at(session.unplugged_ms, partial(self._unplug, number, session))
        for number, session in enumerate(self._sessions):
            self.engine.at(session.plugged_in_ms, partial(self._plug, number, session))

    def run(self, until_ms: int | None = None) -> None:
        """Let time pass, up to and including an instant; None: until the last vehicle is unplugged."""
        self.engine.run(self.last_ms if until_ms is None else until_ms)

    def _plug(self, number: int, session: Session) -> None:
        chance = self._chance.fork(number)
        config = self._site.connector_by_id[session.connector]
        traits = self._fleet.traits(session, config.max_offer_ma, chance)
        connector = self.garage.connector(session.connector)
        if traits.lines_used is not None and traits.lines_used > len(self._site.wiring[session.connector].lines):
            traits = attrs.evolve(traits, lines_used=None)  # it loads those there are
        charge2 = connector.charge2_of(session.energy_wh, traits.lines_used)
        vehicle = Vehicle(traits, charge2, session.plugged_in_ms, self._fleet.reading_step_ma)
        error_ms = chance.spread(self._departure_error_s * 1000) if self._departure_error_s else 0
        self.garage.plug(
            session.connector, vehicle, energy_wh=session.energy_wh, departs_ms=session.unplugged_ms + error_ms
        )

    def _unplug(self, number: int, session: Session) -> None:
        connector = self.garage.connector(session.connector)
        vehicle = self.garage.unplug(session.connector)
        self._outcomes[number] = SessionOutcome(
            session=session,
            delivered_wh=connector.energy_of(vehicle),
            pauses=vehicle.pauses,
            waited_ms=connector.waited_ms,
            longest_wait_ms=connector.longest_wait_ms,
        )
        if self._on_progress is not None:
            self._on_progress(len(self._outcomes), len(self._sessions))

    def report(self) -> SimulationReport:
        """The figures up to now; sessions that have not ended are not in them."""
        garage = self.garage
        garage.finish()
        outcomes = tuple(outcome for _, outcome in sorted(self._outcomes.items()))
        audit = garage.audit.result()
        return SimulationReport(
            sessions=len(outcomes),
            sessions_met=sum(outcome.met for outcome in outcomes),
            energy_asked_kwh=sum(outcome.session.energy_wh for outcome in outcomes) / 1000,
            energy_delivered_kwh=sum(outcome.delivered_wh for outcome in outcomes) / 1000,
            simulated_s=(self.engine.now_ms - self.first_ms) / 1000,
            limits_broken=len(audit.inside),
            peaks=tuple(
                LinePeak(circuit=peak.circuit, line=peak.line, limit_ma=peak.limit_ma, peak_ma=peak.drawn_ma)
                for peak in audit.peaks
            ),
            binding_percent=round(100 * garage.bound_ms / garage.connected_ms, 3) if garage.connected_ms else 0.0,
            offer_changes=garage.offer_changes,
            pauses_most=max((outcome.pauses for outcome in outcomes), default=0),
            longest_wait_s=max((outcome.longest_wait_ms for outcome in outcomes), default=0) / 1000,
            unsendable_offers=sum(connector.unsendable for connector in garage.connectors),
            skipped_rows=self._skipped,
            outcomes=outcomes,
            events=garage.events,
            steps=garage.steps,
            outside=len(audit.outside),
        )


def _problems(site: Site, sessions: Sessions) -> Iterator[Problem]:
    """What keeps these sessions from being replayed on this site."""
    free_ms: dict[str, int] = {}
    unknown: set[str] = set()
    for session in sorted(sessions.sessions, key=lambda session: session.plugged_in_ms):
        name = session.connector
        if name not in site.connector_by_id:
            if name not in unknown:
                unknown.add(name)
                yield Problem("sessions", "connector", unknown_name(name, site.connector_by_id, "connector"))
            continue
        where = f'session of "{name}" at {session.plugged_in_ms} ms'
        if session.unplugged_ms <= session.plugged_in_ms:
            yield Problem(where, "unplugged", "is not after it was plugged in; leave the session out")
        if session.plugged_in_ms < free_ms.get(name, session.plugged_in_ms):
            yield Problem(where, "plugged_in", "is before the session before it ended; leave one of the two out")
        free_ms[name] = max(session.unplugged_ms, free_ms.get(name, session.unplugged_ms))
