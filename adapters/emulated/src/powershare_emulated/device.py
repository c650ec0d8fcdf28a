"""The device: a simulated connector and vehicle of the library's own, driven by a clock that goes on by itself.

Nothing runs in the background. Whoever looks at the device first lets everything happen that was due since the last
look, at the instants at which it was due, in order.
"""

from collections.abc import Callable

import attrs

from powershare.adapter import Clock, Deadman, Offer
from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.meter import MeterTraits
from powershare.simulation.vehicle import Traits, Vehicle
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import Milliamps
from powershare_emulated.settings import Settings

_SUPPLIES = {1: Supply.SINGLE_PHASE, 2: Supply.SPLIT_PHASE, 3: Supply.THREE_PHASE}


class EmulatedDevice:
    """One connector with its vehicle.

    Attributes:
        settings: What it is like.
        line_cut: Whether somebody has cut the line by hand, on top of what the settings say.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.line_cut = False
        self._clock = clock
        self._started_ms = self._now_ms = clock.now_ms()
        self._declaration = settings.declaration()
        self._connector = _connector(settings, self._started_ms)
        self._ordered_ma = self._declaration.fallback_ma
        self._last_ordered_ma = self._ordered_ma
        self._dead_ms: int | None = None
        self._dead_ma = 0
        self._held_open = False
        self._pending: list[tuple[int, Offer]] = []
        self._restarts_ms = self._next_restart(self._started_ms)
        if settings.plugged:
            self.plug_in(settings.vehicle)

    @property
    def silent(self) -> bool:
        """Whether the line to it is cut now."""
        start_ms, length_ms = self.settings.silent_after_ms, self.settings.silent_for_ms
        if self.line_cut or start_ms is None:
            return self.line_cut
        since_ms = self._clock.now_ms() - self._started_ms - start_ms
        return since_ms >= 0 and (length_ms is None or since_ms < length_ms)

    @property
    def offered_ma(self) -> Milliamps:
        """What its control pilot really says now."""
        self._catch_up()
        return self._connector.offered_ma

    @property
    def reported_ma(self) -> Milliamps:
        """What it says that it offers."""
        self._catch_up()
        offered_ma = self._last_ordered_ma if self.settings.ignores_orders else self._connector.offered_ma
        return max(0, offered_ma - self.settings.reports_wrong_ma)

    @property
    def drawn_ma(self) -> tuple[Milliamps, ...]:
        """What its vehicle draws now on each of its lines."""
        self._catch_up()
        loaded = self._connector.lines_used or self.settings.lines
        return tuple(self._connector.drawn_ma if at < loaded else 0 for at in range(self.settings.lines))

    @property
    def state(self) -> str:
        """State of the control pilot."""
        self._catch_up()
        return self._connector.state

    @property
    def vehicle(self) -> str | None:
        """Identity of its vehicle."""
        vehicle = self._connector.vehicle
        return vehicle.traits.identity if vehicle is not None else None

    @property
    def contactor_closed(self) -> bool:
        """Whether the vehicle is connected to the lines."""
        self._catch_up()
        vehicle = self._connector.vehicle
        return vehicle is not None and vehicle.connected

    def order(self, offer: Offer, *, after_ms: int = 0) -> None:
        """Take an order, which reaches the pilot a little later."""
        self._catch_up()
        self._pending.append((self._now_ms + after_ms, offer))
        self._pending.sort(key=lambda pending: pending[0])
        self._catch_up()

    def plug_in(self, identity: str) -> None:
        """Plug in a vehicle, in the place of the one that is there."""
        self._catch_up()
        self.unplug()
        settings, connector = self.settings, self._connector
        traits = Traits(
            max_ma=settings.vehicle_max_ma,
            lines_used=settings.vehicle_lines,
            identity=identity,
            reaction_ms=settings.reaction_ms,
            ignores_pilot=settings.ignores_pilot,
        )
        charge2 = connector.charge2_of(settings.energy_wh, settings.vehicle_lines)
        connector.plug(Vehicle(traits, charge2, self._now_ms), self._now_ms, energy_wh=settings.energy_wh)
        self._apply()

    def unplug(self) -> None:
        """Unplug the vehicle, if there is one."""
        self._catch_up()
        if self._connector.vehicle is not None:
            self._connector.unplug(self._now_ms)

    def hold_open(self, held: bool, /) -> None:
        """Open the contactor now and keep it open, or let it close again."""
        self._catch_up()
        self._held_open = held
        self._apply()

    def restart(self) -> None:
        """Lose power for a moment: the contactor falls open, and every order is forgotten."""
        self._catch_up()
        self._restart()

    def _catch_up(self) -> None:
        now_ms = self._clock.now_ms()
        while (due := self._next_due()) is not None and due[0] <= now_ms:
            due_ms, act = due
            self._now_ms = max(self._now_ms, due_ms)
            self._connector.advance(self._now_ms)
            act()
        self._now_ms = now_ms
        self._connector.advance(now_ms)

    def _next_due(self) -> tuple[int, Callable[[], None]] | None:
        """What happens next by itself. Of one instant: the dead man first, so that an order never outlives its time."""
        due: list[tuple[int, Callable[[], None]]] = []
        if self._dead_ms is not None:
            due.append((self._dead_ms, self._die))
        if self._restarts_ms is not None:
            due.append((self._restarts_ms, self._restart))
        if self._pending:
            due.append((self._pending[0][0], self._take))
        return min(due, key=lambda entry: entry[0], default=None)

    def _take(self) -> None:
        """An order reaches the pilot."""
        _, offer = self._pending.pop(0)
        kind = self._declaration.deadman
        # A device with leases knows when an order came too late; one with a watchdog does not.
        over = kind is Deadman.LEASE and self._now_ms >= offer.valid_until_ms
        self._last_ordered_ma = offer.then_ma if over else self._declaration.sendable_ma(offer.offered_ma)
        if kind is Deadman.LEASE:
            self._dead_ms, self._dead_ma = offer.valid_until_ms, offer.then_ma
        elif kind is Deadman.WATCHDOG:
            self._dead_ms = self._now_ms + self.settings.watchdog_ms
            self._dead_ma = self._declaration.fallback_ma
        if not self.settings.ignores_orders:
            self._ordered_ma = self._last_ordered_ma
        self._apply()

    def _die(self) -> None:
        """Nobody has renewed the order."""
        self._dead_ms = None
        self._ordered_ma = self._last_ordered_ma = self._dead_ma
        self._apply()

    def _restart(self) -> None:
        self._restarts_ms = self._next_restart(self._now_ms)
        self._dead_ms, self._held_open = None, False
        self._pending.clear()
        self._ordered_ma = self._last_ordered_ma = self._declaration.fallback_ma
        self._connector.fail(self._now_ms, faulted=True)
        self._connector.fail(self._now_ms, faulted=False)
        self._apply()

    def _next_restart(self, now_ms: int) -> int | None:
        every_ms = self.settings.restarts_every_ms
        return None if every_ms is None else now_ms + every_ms

    def _apply(self) -> None:
        """Put what holds now on the pilot. Without a vehicle a pilot says nothing."""
        connector, now_ms = self._connector, self._now_ms
        connector.offer(0 if self._held_open else self._ordered_ma, now_ms)
        if self._held_open and connector.vehicle is not None:
            connector.vehicle.connect(now_ms, closed=False)


def _connector(settings: Settings, now_ms: int) -> SimulatedConnector:
    """A site of one connector, and the connector."""
    config = Connector(
        id="emulated",
        circuit="supply",
        min_offer_ma=settings.least_ma,
        max_offer_ma=settings.greatest_ma,
        step_ma=settings.step_ma,
        fallback_ma=0,
    )
    circuit = Circuit(id="supply", limit_ma=settings.greatest_ma)
    site = Site(supply=_SUPPLIES[settings.lines], circuits=(circuit,), connectors=(config,))
    return SimulatedConnector(site, attrs.evolve(config), MeterTraits(), now_ms)
