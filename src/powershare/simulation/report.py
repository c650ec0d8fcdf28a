"""What a simulation found: the figures of `powershare/simulation/1`, and how each session fared."""

import attrs

from powershare.simulation.session import Session
from powershare.units import Line, Milliamps

MET_PER_MILLE = 999
"""A session counts as met from 99.9 % of the energy it asked for."""


@attrs.frozen(kw_only=True)
class LinePeak:
    """The most that one line of a circuit carried.

    Attributes:
        circuit: The circuit; None: the network limit.
        line: The line.
        limit_ma: The site's own limit.
        peak_ma: The greatest current drawn, other load included.
    """

    circuit: str | None
    line: Line
    limit_ma: Milliamps
    peak_ma: Milliamps


@attrs.frozen(kw_only=True)
class SessionOutcome:
    """How one session fared.

    Attributes:
        session: What was asked.
        delivered_wh: Energy that reached the vehicle, in watt-hours, rounded down.
        pauses: How often its offer fell to 0 while it still wanted energy.
        waited_ms: For how long in all it was plugged in and wanting without an offer.
        longest_wait_ms: The longest stretch of that.
    """

    session: Session
    delivered_wh: int
    pauses: int
    waited_ms: int
    longest_wait_ms: int

    @property
    def met(self) -> bool:
        """Whether it got what it asked for, to within one part in a thousand."""
        return self.delivered_wh * 1000 >= self.session.energy_wh * MET_PER_MILLE


@attrs.frozen(kw_only=True)
class SimulationReport:
    """The figures of one simulation, named as in `powershare/simulation/1`.

    Attributes:
        sessions: How many sessions were replayed.
        sessions_met: How many of them got at least 99.9 % of the energy they asked for.
        energy_asked_kwh: Energy asked for in all.
        energy_delivered_kwh: Energy delivered in all.
        simulated_s: Virtual time from the first event to the last.
        wall_s: Time it took, filled in by the caller: this library reads no clock.
        limits_broken: Instants at which a line of a circuit rose above its limit, drawn or offered,
            inside the assumptions.
        peaks: The greatest current drawn, per circuit and line, the network limit last.
        binding_percent: Of the time in which some vehicle was connected, the part in which some
            connector was kept from more by a circuit, the network limit or an external limit.
        offer_changes: How often a control pilot changed.
        pauses_most: The most pauses of any one session.
        longest_wait_s: The longest stretch in which one vehicle was plugged in and wanting, without an offer.
        unsendable_offers: Offers above 0 and below the connector's least; must be 0.
        skipped_rows: Rows of the session file that could not be used.
        outcomes: How each session fared, in the order in which they were plugged in.
        events: Trace events of the devices.
        steps: How often the policy was asked.
        outside: Instants at which a line rose above its limit outside the assumptions.
    """

    sessions: int
    sessions_met: int
    energy_asked_kwh: float
    energy_delivered_kwh: float
    simulated_s: float
    limits_broken: int
    peaks: tuple[LinePeak, ...]
    binding_percent: float
    offer_changes: int
    pauses_most: int
    longest_wait_s: float
    unsendable_offers: int
    skipped_rows: int
    wall_s: float = 0.0
    outcomes: tuple[SessionOutcome, ...] = ()
    events: int = 0
    steps: int = 0
    outside: int = 0
