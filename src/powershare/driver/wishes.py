"""What a device's reports say of its vehicle: whether one is there, whether it wants, whether current can flow.

A control pilot says less than a policy would like to know. A vehicle that is offered nothing cannot ask for anything
(state B whatever it wants), so that it counts as wanting until it has been offered current for a while and did not take
it. Then it counts as satisfied, until it says otherwise or a while has passed: vehicles wake up, and some preheat.
"""

import attrs

from powershare.adapter import PilotState, Reading

DECLINED_MS = 120_000
"""A vehicle that is offered current for so long, and stays in state B, does not want it now."""

ASKED_AGAIN_MS = 1_800_000
"""After so long it is offered current once more."""


@attrs.frozen
class Standing:
    """A vehicle as its control pilot shows it.

    Attributes:
        plugged: Whether one is there.
        wants: Whether it wants energy, or may.
        closed: Whether current can flow, or may.
    """

    plugged: bool
    wants: bool
    closed: bool


class Wishes:
    """Follows one device's reports."""

    __slots__ = ("_declined_ms", "_offered_since_ms", "_plugged")

    def __init__(self) -> None:
        self._offered_since_ms: int | None = None
        self._declined_ms: int | None = None
        self._plugged = False

    def observe(self, reading: Reading) -> Standing:
        """Take in a report, in order of time."""
        state = reading.state
        self._plugged = state in ("B", "C", "D") or (state in ("E", "F") and self._plugged)
        if state != "B":
            self._offered_since_ms = self._declined_ms = None
        else:
            self._waits(reading)
        wants = state in ("C", "D") or (state == "B" and self._declined_ms is None)
        return Standing(self._plugged, wants and reading.fault is None, closed_by(reading))

    def _waits(self, reading: Reading) -> None:
        """It is connected and draws nothing: because nothing is offered, or because it does not want."""
        now_ms = reading.at_ms
        if self._declined_ms is not None and now_ms - self._declined_ms >= ASKED_AGAIN_MS:
            self._declined_ms = None
        if not reading.offered_ma:
            self._offered_since_ms = None
            return
        if self._offered_since_ms is None:
            self._offered_since_ms = now_ms
        if self._declined_ms is None and now_ms - self._offered_since_ms >= DECLINED_MS:
            self._declined_ms = now_ms


def closed_by(reading: Reading) -> bool:
    """Whether current can flow; where nobody says so, whether it may.

    A device out of order may go on drawing (a Gen 2 Wall Connector in its error state was seen to draw 16.86 A), so
    that only a meter which reads 0 says that nothing flows there.
    """
    if reading.contactor_closed is not None:
        return reading.contactor_closed
    if drawn_most_ma(reading):
        return True
    return _FLOWS[reading.state] and (reading.state in ("C", "D") or reading.drawn_ma is None)


_FLOWS: dict[PilotState, bool] = {"A": False, "B": False, "C": True, "D": True, "E": True, "F": True}


def drawn_most_ma(reading: Reading) -> int:
    """The largest line current; 0 where nobody measures."""
    return max(reading.drawn_ma) if reading.drawn_ma else 0
