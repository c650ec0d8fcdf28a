"""A simulated connector: control pilot, contactor, meter, and the books of one session after another."""

from powershare.errors import ContractError
from powershare.policy import Report, Turn, advance
from powershare.simulation.meter import Meter, MeterTraits
from powershare.simulation.vehicle import Vehicle
from powershare.site import Connection, Connector, Site, Supply
from powershare.units import Milliamps, down_to_step

GRACE_MS = 6_000
"""How long a vehicle may go on drawing after its offer fell to 0, before the contactor opens: D of assumption A2."""


class SimulatedConnector:
    """One connector with its device behaviour, as faithful as its vehicle needs.

    Not modelled: welded contactors, residual-current trips, the analogue pilot. A connector is told
    everything at whole milliseconds; call `advance` before anything else at a new instant.

    Attributes:
        config: What the site says of it.
        offered_ma: What its pilot offers.
        session: Grows at every plugging in and unplugging.
        unsendable: How often it was told an offer that no pilot can say; it then pauses.
        faulted: Whether it is out of order: state F, contactor open.
    """

    __slots__ = (
        "_advanced_ms",
        "_opens_ms",
        "_started_ms",
        "config",
        "departs_ms",
        "energy_wh",
        "faulted",
        "longest_wait_ms",
        "meter",
        "millivolts_by_lines",
        "offered_ma",
        "session",
        "turn",
        "unsendable",
        "vehicle",
        "waited_ms",
        "waiting_ms",
    )

    def __init__(self, site: Site, config: Connector, meter: MeterTraits, now_ms: int = 0) -> None:
        self.config = config
        self.meter = Meter(meter)
        self.millivolts_by_lines = _millivolts(site, config)
        self.offered_ma = 0
        self.session = 0
        self.unsendable = 0
        self.faulted = False
        self.vehicle: Vehicle | None = None
        self.turn = Turn()
        self.energy_wh = 0
        self.departs_ms: int | None = None
        self.waiting_ms = self.waited_ms = self.longest_wait_ms = 0
        self._started_ms = now_ms
        self._advanced_ms = now_ms
        self._opens_ms: int | None = None

    @property
    def wants(self) -> bool:
        """Whether its vehicle would take current, were it offered."""
        return self.vehicle is not None and self.vehicle.wants and not self.faulted

    @property
    def state(self) -> str:
        """Control pilot state: A no vehicle, B connected, C and D charging, F out of order."""
        vehicle = self.vehicle
        if self.faulted:
            return "F"
        if vehicle is None:
            return "A"
        if not vehicle.connected or vehicle.asleep or not vehicle.wants:
            return "B"
        return "D" if vehicle.traits.ventilation else "C"

    @property
    def drawn_ma(self) -> Milliamps:
        """What is drawn now, as a staircase that is never below the real current."""
        return self.vehicle.reading_ma if self.vehicle is not None else 0

    @property
    def lines_used(self) -> int | None:
        """How many of its lines the vehicle loads; None: all, or no vehicle."""
        return self.vehicle.traits.lines_used if self.vehicle is not None else None

    @property
    def delivered_wh(self) -> int:
        """Energy of the present session, in watt-hours, rounded down."""
        return self.energy_of(self.vehicle) if self.vehicle is not None else 0

    def energy_of(self, vehicle: Vehicle) -> int:
        """Energy that a vehicle got at this connector, in watt-hours, rounded down."""
        return vehicle.charge2 * self._volts(vehicle.traits.lines_used) // _CHARGE2_MILLIVOLTS_PER_WH

    def charge2_of(self, energy_wh: int, lines_used: int | None) -> int:
        """The charge per line, in half milliamp-milliseconds, that carries so much energy."""
        return -(-energy_wh * _CHARGE2_MILLIVOLTS_PER_WH // self._volts(lines_used))

    def _volts(self, lines_used: int | None) -> int:
        """What a current is multiplied by; a vehicle for more lines than there are loads those there are."""
        lines = len(self.millivolts_by_lines)
        return self.millivolts_by_lines[min(lines_used or lines, lines) - 1]

    def plug(self, vehicle: Vehicle, now_ms: int, *, energy_wh: int, departs_ms: int | None = None) -> None:
        """A vehicle is plugged in.

        Args:
            vehicle: It.
            now_ms: The present.
            energy_wh: Energy it asks for.
            departs_ms: When it is expected to leave, where that is known.

        Raises:
            ContractError: There is one already.
        """
        if self.vehicle is not None:
            raise ContractError(f'connector "{self.config.id}" has a vehicle; unplug it first')
        self.advance(now_ms)
        self.vehicle, self.energy_wh, self.departs_ms = vehicle, energy_wh, departs_ms
        self.session += 1
        self.turn = Turn()
        self.waiting_ms = self.waited_ms = self.longest_wait_ms = 0
        self._started_ms = now_ms
        vehicle.offer(self.offered_ma, now_ms)
        self._switch(now_ms)

    def unplug(self, now_ms: int) -> Vehicle:
        """The vehicle is unplugged; its offer ends with it.

        Returns:
            The vehicle, with its charge.

        Raises:
            ContractError: There is none.
        """
        vehicle = self.vehicle
        if vehicle is None:
            raise ContractError(f'connector "{self.config.id}" has no vehicle; plug one in first')
        self.advance(now_ms)
        vehicle.connect(now_ms, closed=False)
        self.vehicle, self.departs_ms, self._opens_ms = None, None, None
        self.session += 1
        self.turn = Turn()
        self.offered_ma = 0
        return vehicle

    def offer(self, offered_ma: Milliamps, now_ms: int) -> None:
        """Put an offer on the pilot.

        What a pilot cannot say it does not say: below the least offer it pauses (and counts it),
        between two steps it takes the lower, above its greatest it offers that.
        """
        self.advance(now_ms)
        config = self.config
        if 0 < offered_ma < config.min_offer_ma:
            self.unsendable += 1
            offered_ma = 0
        offered_ma = min(down_to_step(offered_ma, config.step_ma), config.max_offer_ma)
        if self.faulted or self.vehicle is None:
            offered_ma = 0
        if offered_ma == self.offered_ma:
            return
        self.offered_ma = offered_ma
        if self.vehicle is not None:
            self.vehicle.offer(offered_ma, now_ms)
            self._switch(now_ms)

    def open(self, now_ms: int) -> None:
        """Open the contactor at once; the next offer closes it again."""
        self.advance(now_ms)
        self._opens_ms = None
        if self.vehicle is not None:
            self.vehicle.connect(now_ms, closed=False)

    def fail(self, now_ms: int, *, faulted: bool) -> None:
        """It goes out of order, or comes back. Out of order it offers nothing and its contactor is open."""
        self.advance(now_ms)
        self.faulted = faulted
        if faulted:
            self.offered_ma = 0
            if self.vehicle is not None:
                self.vehicle.offer(0, now_ms)
                self.vehicle.connect(now_ms, closed=False)
            self._opens_ms = None

    def advance(self, now_ms: int) -> None:
        """Let pass what changes by itself up to now."""
        elapsed_ms = now_ms - self._advanced_ms
        vehicle = self.vehicle
        if elapsed_ms and vehicle is not None:
            wants = self.wants
            self.turn = advance(self.turn, wants, self.offered_ma, elapsed_ms, drawn_ma=vehicle.reading_ma)
            if wants and not self.offered_ma:
                self.waiting_ms += elapsed_ms
                self.waited_ms += elapsed_ms
                self.longest_wait_ms = max(self.longest_wait_ms, self.waiting_ms)
        if self.offered_ma or not self.wants:
            self.waiting_ms = 0
        self._advanced_ms = now_ms
        if vehicle is None:
            return
        opens_ms = self._opens_ms
        if opens_ms is not None and opens_ms <= now_ms:
            vehicle.advance(opens_ms)
            vehicle.connect(opens_ms, closed=False)
            self._opens_ms = None
        vehicle.advance(now_ms)

    def next_ms(self) -> int | None:
        """When something changes next by itself; None: never."""
        if self.vehicle is None:
            return None
        next_ms = self.vehicle.next_ms()
        if self._opens_ms is not None and (next_ms is None or self._opens_ms < next_ms):
            return self._opens_ms
        return next_ms

    def report(self, now_ms: int, *, tells_departure: bool = False) -> Report:
        """What the connector tells the policy.

        Args:
            now_ms: The present; `advance` has been called for it.
            tells_departure: Whether to tell energy and departure; only orders that declare that
                they need them may know.
        """
        vehicle = self.vehicle
        reading = self.meter.read(now_ms)
        measured_ma, age_ms = reading if reading is not None else (None, 0)
        departs_in_s = needed_wh = None
        if vehicle is not None and tells_departure:
            needed_wh = max(0, self.energy_wh - self.energy_of(vehicle))
            departs_in_s = None if self.departs_ms is None else (self.departs_ms - now_ms) // 1000
        return Report(
            connector=self.config.id,
            session=self.session,
            plugged=vehicle is not None,
            wants=self.wants,
            offered_ma=self.offered_ma,
            measured_ma=measured_ma,
            measured_age_ms=age_ms,
            wanted_ma=vehicle.traits.max_ma if vehicle is not None else None,
            lines_used=vehicle.traits.lines_used if vehicle is not None else None,
            vehicle=vehicle.traits.identity if vehicle is not None else None,
            turn=self.turn,
            energy_needed_wh=needed_wh,
            departs_in_s=departs_in_s,
        )

    def _switch(self, now_ms: int) -> None:
        """Close the contactor for an offer; after the last one leave the vehicle its grace."""
        vehicle = self.vehicle
        if vehicle is None or self.faulted:
            return
        if self.offered_ma:
            self._opens_ms = None
            vehicle.connect(now_ms, closed=True)
        elif vehicle.connected and self._opens_ms is None:
            self._opens_ms = now_ms + GRACE_MS


_CHARGE2_MILLIVOLTS_PER_WH = 2 * 3_600 * 10**9
"""Half milliamp-milliseconds times millivolts in one watt-hour."""


def _millivolts(site: Site, config: Connector) -> tuple[int, ...]:
    """The voltage that a current is multiplied by, for one line used, two, three.

    A line-to-line load counts once: at twice the voltage on split phase, root three on three-phase.
    """
    wiring = site.wiring[config.id]
    millivolts = site.voltage_v * 1000
    if wiring.connection is Connection.LINE_TO_LINE:
        # Root three to seven places is exact to the millivolt here, and integers are the same on every machine.
        factor = 20_000_000 if site.supply is Supply.SPLIT_PHASE else 17_320_508
        return (millivolts * factor // 10_000_000,) * len(wiring.lines)
    return tuple(millivolts * used for used in range(1, len(wiring.lines) + 1))
