"""The demonstration: six connectors on one feeder share an evening."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import attrs

from powershare.allocation import BoundBy
from powershare.policy import OrderName
from powershare.simulation.chance import Chance
from powershare.simulation.replay import Replay
from powershare.simulation.report import SimulationReport
from powershare.simulation.session import Session, Sessions
from powershare.simulation.vehicle import Traits
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import ConnectorEvent, TraceEvent
from powershare.units import Milliamps

_MINUTE_MS = 60_000
_HOURS = 4
STARTED = datetime(2026, 1, 16, 17, 0, tzinfo=UTC)
"""When the evening starts, on the wall of the demonstration."""

NAMES = ("north", "east", "south", "west", "yard", "gate")


@attrs.frozen(kw_only=True)
class ConnectorView:
    """One connector at one moment.

    Attributes:
        connector: Its id.
        state: Control pilot state, A to F.
        wants: Whether its vehicle would take current.
        offered_ma: What its pilot offers.
        drawn_ma: What the vehicle really draws.
        delivered_wh: Energy that the vehicle has got.
        asked_wh: Energy that it asks for; 0 without a vehicle.
        bound_by: The limit that keeps it from more, by the last decision.
    """

    connector: str
    state: str
    wants: bool
    offered_ma: Milliamps
    drawn_ma: Milliamps
    delivered_wh: int
    asked_wh: int
    bound_by: BoundBy | None


@attrs.frozen(kw_only=True)
class Frame:
    """The whole site at one moment.

    Attributes:
        t_ms: Milliseconds since the evening started.
        connectors: One view per connector, in site order.
        limit_ma: What the feeder may carry.
        offered_ma: Sum of the offers.
        drawn_ma: Sum of what is drawn.
    """

    t_ms: int
    connectors: tuple[ConnectorView, ...]
    limit_ma: Milliamps
    offered_ma: Milliamps
    drawn_ma: Milliamps


@attrs.define(kw_only=True)
class Series:
    """The currents of one connector as staircases: each value holds from its instant to the next.

    Attributes:
        t_ms: Instants of change.
        offered_ma: The offer from each of them on.
        drawn_ma: The current from each of them on, never below the real one.
    """

    t_ms: list[int] = attrs.field(factory=list)
    offered_ma: list[Milliamps] = attrs.field(factory=list)
    drawn_ma: list[Milliamps] = attrs.field(factory=list)


def evening_site() -> Site:
    """Six connectors of 32 A on one feeder with a 60 A breaker, of which 48 A may flow continuously."""
    return Site(
        name="Evening",
        supply=Supply.SPLIT_PHASE,
        circuits=(Circuit(id="feeder", breaker_ma=60_000),),
        connectors=tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in NAMES),
    )


class Evening:
    """An evening at six connectors, the same for the same seed.

    Args:
        seed: Who comes when, and how much they ask for.
        order: `fair`, `priority` or `deadline`.
        on_event: Told of every change at a device.

    Attributes:
        site: The site.
        sessions: Who comes.
        series: The currents up to now, per connector.
        ends_ms: When it is over, on the evening's clock.
    """

    def __init__(
        self, seed: int = 1, order: OrderName = "fair", on_event: Callable[[TraceEvent], None] | None = None
    ) -> None:
        self.site = evening_site()
        self.sessions, fleet = _guests(Chance(seed))
        self.series = {name: Series() for name in NAMES}
        self.ends_ms = _HOURS * 60 * _MINUTE_MS
        self._on_event = on_event
        self._replay = Replay(self.site, self.sessions, order=order, seed=seed, fleet=fleet, on_event=self._note)

    def frames(self, every_ms: int = _MINUTE_MS) -> Iterator[Frame]:
        """Let the evening pass, and look at it again and again.

        Args:
            every_ms: Virtual time between two looks, above 0.

        Yields:
            The site at each look, from the start to the end.
        """
        for t_ms in range(0, self.ends_ms + 1, every_ms):
            if t_ms >= self._replay.first_ms:
                self._replay.run(t_ms)
            yield self._frame(t_ms)
        self._replay.run(self.ends_ms)

    def report(self) -> SimulationReport:
        """The figures of what has passed, its `wall_s` still 0."""
        return self._replay.report()

    def _note(self, event: TraceEvent) -> None:
        if isinstance(event, ConnectorEvent):
            series = self.series[event.connector]
            series.t_ms.append(event.t_ms)
            series.offered_ma.append(event.pilot_ma)
            series.drawn_ma.append(event.drawn_ma)
        if self._on_event is not None:
            self._on_event(event)

    def _frame(self, t_ms: int) -> Frame:
        garage = self._replay.garage
        allocation = garage.allocation
        views = []
        for connector in garage.connectors:
            name, vehicle = connector.config.id, connector.vehicle
            connector.advance(max(t_ms, garage.engine.now_ms))
            views.append(
                ConnectorView(
                    connector=name,
                    state=connector.state,
                    wants=connector.wants,
                    offered_ma=connector.offered_ma,
                    drawn_ma=vehicle.current_ma if vehicle is not None else 0,
                    delivered_wh=connector.delivered_wh,
                    asked_wh=connector.energy_wh if vehicle is not None else 0,
                    bound_by=allocation[name].bound_by if allocation is not None and connector.wants else None,
                )
            )
        return Frame(
            t_ms=t_ms,
            connectors=tuple(views),
            limit_ma=garage.site.circuits[0].usable_limit_ma(garage.site.supply.lines[0])[0],
            offered_ma=sum(view.offered_ma for view in views),
            drawn_ma=sum(view.drawn_ma for view in views),
        )


@attrs.frozen
class _Guests:
    """The vehicles of the evening, by connector."""

    kinds: dict[str, Traits]
    reading_step_ma: Milliamps = 1_000

    def traits(self, session: Session, connector_max_ma: Milliamps, chance: Chance) -> Traits:
        """The vehicle of one session; its small differences come from `chance`."""
        kind = self.kinds[session.connector]
        return attrs.evolve(
            kind,
            max_ma=min(kind.max_ma, connector_max_ma),
            reaction_ms=chance.between(2_000, 5_000),
            shortfall_ma=chance.between(0, 800),
        )


def _guests(chance: Chance) -> tuple[Sessions, _Guests]:
    """Six neighbours come home within an hour and a half; one naps first, one is small, two taper."""
    common = Traits(max_ma=32_000, taper_percent=10)
    kinds = {
        "north": common,
        "east": attrs.evolve(common, max_ma=16_000),
        "south": attrs.evolve(common, taper_percent=30),
        "west": attrs.evolve(common, sleeps_ms=25 * _MINUTE_MS),
        "yard": attrs.evolve(common, max_ma=24_000),
        "gate": attrs.evolve(common, taper_percent=25),
    }
    sessions = []
    for place, name in enumerate(NAMES):
        arrives_ms = chance.between(place * 15 * _MINUTE_MS, (place * 15 + 12) * _MINUTE_MS) if place else 0
        leaves_ms = chance.between(200 * _MINUTE_MS, 239 * _MINUTE_MS)
        asks_wh = chance.between(33, 72) * 100
        sessions.append(
            Session(
                connector=name,
                plugged_in_ms=arrives_ms,
                unplugged_ms=leaves_ms,
                energy_wh=asks_wh,
                max_ma=kinds[name].max_ma,
            )
        )
    return Sessions(started=STARTED, sessions=tuple(sessions)), _Guests(kinds)
