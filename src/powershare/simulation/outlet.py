"""An outlet: one connector and its vehicle without a site around it, for emulated devices of every kind.

It is told the time and does nothing by itself: an emulator calls `advance` with the instant, and again at `next_ms`.
What a device's protocol is, its emulator knows; what its pilot says and its vehicle draws, the outlet knows.
"""

from collections.abc import Callable

from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.meter import MeterTraits
from powershare.simulation.vehicle import Traits, Vehicle
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import LineMilliamps, Milliamps

READING_STEP_MA: Milliamps = 1_000
"""Height of the steps in which a ramp is told."""

_SUPPLIES = {1: Supply.SINGLE_PHASE, 2: Supply.SPLIT_PHASE, 3: Supply.THREE_PHASE}


class Outlet:
    """One connector with its vehicle.

    Args:
        now_ms: The present.
        lines: Lines it is wired to, 1 to 3.
        least_ma: Its least offer above 0.
        greatest_ma: Its greatest offer.
        step_ma: Step of its offers.
        changed: Called after every change of what it offers, or its vehicle draws, at the instant of the change: this
            outlet, the instant, and a word for what happened where it was no mere change of current.

    Attributes:
        ordered_ma: What the device wants offered; a pilot without a vehicle says nothing.
    """

    def __init__(
        self,
        now_ms: int,
        *,
        lines: int = 1,
        least_ma: Milliamps = 6_000,
        greatest_ma: Milliamps = 32_000,
        step_ma: Milliamps = 1,
        changed: Callable[["Outlet", int, str | None], None] | None = None,
    ) -> None:
        config = Connector(
            id="outlet",
            circuit="supply",
            min_offer_ma=least_ma,
            max_offer_ma=greatest_ma,
            step_ma=step_ma,
            fallback_ma=0,
        )
        circuit = Circuit(id="supply", limit_ma=greatest_ma)
        site = Site(supply=_SUPPLIES[lines], circuits=(circuit,), connectors=(config,))
        self._connector = SimulatedConnector(site, config, MeterTraits(), now_ms)
        self._lines, self._changed, self._now_ms = lines, changed, now_ms
        self._held_open = False
        self.ordered_ma: Milliamps = 0
        self._told: tuple[object, ...] = ()

    @property
    def lines(self) -> int:
        """Lines it is wired to."""
        return self._lines

    @property
    def offered_ma(self) -> Milliamps:
        """What its control pilot says."""
        return self._connector.offered_ma

    @property
    def drawn_ma(self) -> Milliamps:
        """What its vehicle draws on each line that it loads; never below the real current."""
        return self._connector.drawn_ma

    @property
    def drawn_per_line_ma(self) -> LineMilliamps:
        """What its vehicle draws on each of its lines."""
        loaded = self._connector.lines_used or self._lines
        return tuple(self.drawn_ma if line < loaded else 0 for line in range(self._lines))

    @property
    def lines_used(self) -> int | None:
        """How many lines its vehicle loads; None: all, or there is none."""
        return self._connector.lines_used

    @property
    def state(self) -> str:
        """State of the control pilot, A to F."""
        return self._connector.state

    @property
    def vehicle(self) -> str | None:
        """Identity of its vehicle; None: there is none, or it has none."""
        vehicle = self._connector.vehicle
        return None if vehicle is None else vehicle.traits.identity

    @property
    def plugged(self) -> bool:
        """Whether a vehicle is there."""
        return self._connector.vehicle is not None

    @property
    def wants(self) -> bool:
        """Whether its vehicle would take current, were it offered."""
        return self._connector.wants

    @property
    def closed(self) -> bool:
        """Whether the vehicle is connected to the lines."""
        vehicle = self._connector.vehicle
        return vehicle is not None and vehicle.connected

    @property
    def delivered_wh(self) -> int:
        """Energy of the present session, in watt-hours, rounded down."""
        return self._connector.delivered_wh

    def offer(self, ordered_ma: Milliamps, now_ms: int, word: str | None = None) -> None:
        """Put this on the pilot; what a pilot cannot say it does not say, rounding down."""
        self.advance(now_ms)
        self.ordered_ma = ordered_ma
        self._apply(now_ms, word)

    def plug_in(self, traits: Traits, energy_wh: int, now_ms: int) -> None:
        """Plug in a vehicle, in the place of the one that is there.

        Args:
            traits: What kind it is.
            energy_wh: How much it asks for.
            now_ms: The present.
        """
        self.unplug(now_ms)
        charge2 = self._connector.charge2_of(energy_wh, traits.lines_used)
        vehicle = Vehicle(traits, charge2, now_ms, READING_STEP_MA)
        self._connector.plug(vehicle, now_ms, energy_wh=energy_wh)
        self._apply(now_ms, "plugged in")

    def unplug(self, now_ms: int) -> None:
        """Unplug the vehicle, if there is one."""
        self.advance(now_ms)
        if self._connector.vehicle is not None:
            self._connector.unplug(now_ms)
            self._tell(now_ms, "unplugged")

    def hold_open(self, held: bool, now_ms: int, /) -> None:
        """Open the contactor now and keep it open, or let it close again."""
        self.advance(now_ms)
        self._held_open = held
        self._apply(now_ms, "opened" if held else None)

    def fail(self, faulted: bool, now_ms: int, /) -> None:
        """Go out of order, with an open contactor, or come back."""
        self.advance(now_ms)
        self._connector.fail(now_ms, faulted=faulted)
        self._apply(now_ms, "fault" if faulted else "fault over")

    def advance(self, now_ms: int) -> None:
        """Let pass what changes by itself up to now, and tell every change at its instant."""
        while (due_ms := self._connector.next_ms()) is not None and due_ms <= now_ms:
            at_ms = max(due_ms, self._now_ms)
            self._connector.advance(at_ms)
            self._tell(at_ms)
            if due_ms == self._connector.next_ms():
                break  # nothing came of it
        self._connector.advance(now_ms)
        self._tell(now_ms)

    def next_ms(self) -> int | None:
        """When something changes by itself; None: never."""
        return self._connector.next_ms()

    def _apply(self, now_ms: int, word: str | None) -> None:
        connector = self._connector
        connector.offer(0 if self._held_open else self.ordered_ma, now_ms)
        if self._held_open and connector.vehicle is not None:
            connector.vehicle.connect(now_ms, closed=False)
        self._tell(now_ms, word)

    def _tell(self, now_ms: int, word: str | None = None) -> None:
        self._now_ms = now_ms
        told = (self.offered_ma, self.drawn_ma, self.state, self.lines_used)
        if told == self._told and word is None:
            return
        self._told = told
        if self._changed is not None:
            self._changed(self, now_ms, word)
