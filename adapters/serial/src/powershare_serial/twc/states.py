"""From what a unit says it is doing to the states of a control pilot."""

from powershare.adapter import PilotState
from powershare.units import Milliamps
from powershare_serial.twc.messages import State, UnitBeat

CHARGING = frozenset({State.CHARGING, State.RAISED_2_A, State.LOWERED_2_A, State.LIMITED, State.ADJUSTED})
"""A vehicle charges; the last four are seen while a limit changes (D of `powershare_serial.twc.messages`)."""

DRAWING_MA: Milliamps = 1_000
"""Less than this is no vehicle that charges: units report up to 0.25 A of nothing (D)."""


def pilot_of(beat: UnitBeat, before: PilotState, *, known: bool) -> PilotState:
    """Return the state of the control pilot, as far as a unit tells.

    Args:
        beat: What it said.
        before: The state until now, which holds while it says nothing that is understood.
        known: Whether it tells the VIN of a vehicle.
    """
    if beat.state == State.ERROR:
        return "F"
    if beat.actual_ma >= DRAWING_MA or beat.state in CHARGING or beat.state == State.STARTING:
        return "C"
    match beat.state:
        case State.READY:
            return "B" if known else "A"  # a vehicle that sleeps says nothing (O)
        case State.PLUGGED_IDLE:
            return "B"
        case State.ASKS_FOR_AMPS:
            return "C" if beat.allowed_ma else "B"
    return before


def fault_of(beat: UnitBeat) -> str | None:
    """Return what is wrong with a unit in its own words; None when nothing is."""
    if beat.state != State.ERROR:
        return None
    drawing = f", while the vehicle draws {beat.actual_ma / 1000:g} A" if beat.actual_ma >= DRAWING_MA else ""
    return f"error state 02{drawing}"
