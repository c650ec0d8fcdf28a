"""A vehicle as its connector sees it: what it draws, when, and how slowly it follows its pilot.

Its current is a straight line from one change to the next, so the energy of any stretch is a
trapezoid and nothing is stepped: thirteen months cost as much as the changes in them. Figures of the
defaults: measured on a three-phase vehicle by zany92/tesla-loadpilot (docs/en/BEHAVIOR.md): it reacts
about 5 s after the pilot, ramps down at about 1 A/s and up at about 0.65 A/s.

What is written into a trace and read by a meter is a staircase that is never below the real current
(`reading_ma`): while the current rises, the value it will have at the end of the step; while it
falls, the value it had at the start.
"""

import attrs

from powershare.errors import ContractError
from powershare.units import Milliamps

OBEDIENT_REACTION_MS = 5_000
"""The longest reaction within assumption A2: a vehicle follows a lowered pilot within 5 s (IEC 61851-1, annex A)."""

_TAPER_STEPS = 8


@attrs.frozen(kw_only=True)
class Traits:
    """What kind of vehicle it is.

    Attributes:
        max_ma: The most it takes on each line.
        lines_used: How many of the connector's lines it loads; None: all.
        identity: What it calls itself, if it does.
        reaction_ms: From a change of the pilot until it acts on it. Above 5 s: outside assumption A2.
        ramp_up_ma_per_s: How fast its current rises.
        ramp_down_ma_per_s: How fast its current falls.
        shortfall_ma: By how much it stays below an offer that limits it; onboard chargers stay 0 to 0.8 A below.
        sleeps_ms: For so long after plugging in it draws nothing, though it is offered current; it
            wakes earlier when an offer comes back after a pause. A connector cannot tell that from
            a vehicle that is about to start, so it counts as wanting.
        taper_percent: Of the energy it asks for, the last part over which its battery takes less and less.
        gives_up_after: It stops asking, until plugged in anew, after more pauses than this; None:
            never. An offer that ends before it drew anything interrupted nothing, and is no pause.
        ignores_pilot: It draws all it can while the contactor is closed: outside assumption A2.
        ventilation: It asks for ventilation: control pilot state D in place of C.
    """

    max_ma: Milliamps
    lines_used: int | None = None
    identity: str | None = None
    reaction_ms: int = 3_000
    ramp_up_ma_per_s: int = 650
    ramp_down_ma_per_s: int = 1_000
    shortfall_ma: Milliamps = 0
    sleeps_ms: int = 0
    taper_percent: int = 0
    gives_up_after: int | None = None
    ignores_pilot: bool = False
    ventilation: bool = False

    @property
    def obeys(self) -> bool:
        """Whether it keeps assumption A2."""
        return not self.ignores_pilot and self.reaction_ms <= OBEDIENT_REACTION_MS


class Vehicle:
    """One vehicle, plugged in.

    Call `advance` before anything else at a new instant; `next_ms` says when something changes by
    itself. Charge is counted in half milliamp-milliseconds per line, so that trapezoids are whole.

    Args:
        traits: What kind it is.
        charge2: The charge it asks for, per line, in half milliamp-milliseconds.
        now_ms: When it is plugged in.
        reading_step_ma: Height of a step of the staircase; 0: one step for a whole ramp.
    """

    __slots__ = (
        "_asleep_until_ms",
        "_charge2",
        "_drew",
        "_from_ma",
        "_heard_ma",
        "_milestones",
        "_now_ms",
        "_reacts_ms",
        "_since_ms",
        "_step_ma",
        "_target_ma",
        "_was_offered",
        "connected",
        "pauses",
        "pilot_ma",
        "traits",
        "wants",
    )

    def __init__(self, traits: Traits, charge2: int, now_ms: int, reading_step_ma: Milliamps = 0) -> None:
        self.traits = traits
        self.wants = charge2 > 0
        self.connected = False
        """Whether the contactor is closed."""
        self.pilot_ma = 0
        self.pauses = 0
        self._drew = self._was_offered = False
        self._heard_ma = 0
        self._reacts_ms: int | None = None
        self._asleep_until_ms: int | None = now_ms + traits.sleeps_ms if traits.sleeps_ms else None
        self._now_ms = self._since_ms = now_ms
        self._from_ma = self._target_ma = 0
        self._charge2 = 0
        self._step_ma = reading_step_ma
        self._milestones = _milestones(traits, charge2)

    @property
    def asleep(self) -> bool:
        """Whether it draws nothing though it wants."""
        return self._asleep_until_ms is not None

    @property
    def charge2(self) -> int:
        """The charge delivered up to now, per line, in half milliamp-milliseconds."""
        return self._charge2 + self._charge2_after(self._now_ms - self._since_ms)

    @property
    def current_ma(self) -> Milliamps:
        """What it really draws now, on each line it loads."""
        return self._current_after(self._now_ms - self._since_ms)

    @property
    def reading_ma(self) -> Milliamps:
        """What it draws now as a staircase that is never below the real current."""
        since_ms = self._now_ms - self._since_ms
        start_ma, target_ma, step_ma = self._from_ma, self._target_ma, self._step_ma
        if start_ma <= target_ma:
            if not step_ma or start_ma == target_ma:
                return target_ma
            return min(target_ma, (self._current_after(since_ms) // step_ma + 1) * step_ma)
        if since_ms >= self._ramp_ms():
            return target_ma
        return min(start_ma, -(-self._current_after(since_ms) // step_ma) * step_ma) if step_ma else start_ma

    def offer(self, pilot_ma: Milliamps, now_ms: int) -> None:
        """The pilot says something new.

        Args:
            pilot_ma: What is offered; 0 is a pause.
            now_ms: The present; `advance` has been called for it.
        """
        if pilot_ma == self.pilot_ma:
            return
        if pilot_ma == 0 and self.wants and self._drew:
            self.pauses += 1
            if self.traits.gives_up_after is not None and self.pauses > self.traits.gives_up_after:
                self.wants = False
        elif self.pilot_ma == 0 and self._was_offered:
            self._asleep_until_ms = None
        self._drew = self._drew and pilot_ma > 0
        self._was_offered = self._was_offered or pilot_ma > 0
        self.pilot_ma = pilot_ma
        if self._reacts_ms is None:
            self._reacts_ms = now_ms + self.traits.reaction_ms

    def connect(self, now_ms: int, *, closed: bool) -> None:
        """The contactor closes, or opens and so ends the current at once."""
        if closed == self.connected:
            return
        self.connected = closed
        if not closed:
            self._turn_to(0, now_ms, at_once=True)
            self._heard_ma, self._reacts_ms = 0, None
        elif self._reacts_ms is None:
            self._reacts_ms = now_ms + self.traits.reaction_ms

    def advance(self, now_ms: int) -> None:
        """Let everything happen that changes by itself up to now.

        Raises:
            ContractError: Time goes back.
        """
        if now_ms < self._now_ms:
            raise ContractError(f"time goes back from {self._now_ms} ms to {now_ms} ms")
        while (next_ms := self._next_turn_ms()) is not None and next_ms <= now_ms:
            self._now_ms = max(self._now_ms, next_ms)
            self._turn()
        self._now_ms = now_ms

    def next_ms(self) -> int | None:
        """When its current bends or its reading changes next by itself; None: never."""
        turn_ms, reading_ms = self._next_turn_ms(), self._next_reading_ms()
        if turn_ms is None or reading_ms is None:
            return turn_ms if reading_ms is None else reading_ms
        return min(turn_ms, reading_ms)

    def _next_turn_ms(self) -> int | None:
        """When its target changes next: it reacts, wakes, reaches a milestone of its battery."""
        next_ms = self._reacts_ms
        asleep_ms = self._asleep_until_ms
        if asleep_ms is not None and (next_ms is None or asleep_ms < next_ms):
            next_ms = asleep_ms
        if self._milestones and (self._from_ma or self._target_ma):
            after_ms = self._reaches_after(self._milestones[-1][0] - self._charge2)
            if after_ms is not None and (next_ms is None or self._since_ms + after_ms < next_ms):
                next_ms = self._since_ms + after_ms
        return next_ms

    def _turn(self) -> None:
        """Do what is due now."""
        now_ms = self._now_ms
        if self._reacts_ms is not None and self._reacts_ms <= now_ms:
            self._reacts_ms = None
            self._heard_ma = self.pilot_ma
        if self._asleep_until_ms is not None and self._asleep_until_ms <= now_ms:
            self._asleep_until_ms = None
        while self._milestones and self.charge2 >= self._milestones[-1][0]:
            self._milestones.pop()
        if not self._milestones and self.wants:
            self.wants = False
            self._turn_to(0, now_ms, at_once=True)
        self._turn_to(self._aim_ma(), now_ms)

    def _aim_ma(self) -> Milliamps:
        """What it makes for: its offer as it heard it, less its shortfall, within what its battery takes."""
        traits = self.traits
        if not self.connected or self.asleep or not self._milestones:
            return 0
        takes_ma = self._milestones[-1][1]
        if traits.ignores_pilot:
            return takes_ma
        if not self.wants or not self._heard_ma:
            return 0
        # Where its own charger is the limit it reaches that; below it, the offer is what it stays short of.
        return takes_ma if self._heard_ma >= takes_ma else max(0, self._heard_ma - traits.shortfall_ma)

    def _turn_to(self, target_ma: Milliamps, now_ms: int, *, at_once: bool = False) -> None:
        """Start a new stretch from here."""
        if target_ma == self._target_ma and not at_once:
            return
        since_ms = now_ms - self._since_ms
        self._charge2 += self._charge2_after(since_ms)
        self._from_ma = target_ma if at_once else self._current_after(since_ms)
        self._since_ms, self._target_ma = now_ms, target_ma
        self._drew = self._drew or target_ma > 0

    def _rate(self) -> int:
        return self.traits.ramp_up_ma_per_s if self._target_ma > self._from_ma else self.traits.ramp_down_ma_per_s

    def _ramp_ms(self) -> int:
        """How long the ramp of this stretch takes."""
        return -(-abs(self._target_ma - self._from_ma) * 1000 // self._rate())

    def _current_after(self, since_ms: int) -> Milliamps:
        start_ma, target_ma = self._from_ma, self._target_ma
        if start_ma == target_ma:
            return target_ma
        moved_ma = since_ms * self._rate() // 1000
        return min(target_ma, start_ma + moved_ma) if target_ma > start_ma else max(target_ma, start_ma - moved_ma)

    def _charge2_after(self, since_ms: int) -> int:
        """The charge of this stretch after so long: a trapezoid, then a rectangle."""
        start_ma, target_ma = self._from_ma, self._target_ma
        if start_ma == target_ma:
            return 2 * target_ma * since_ms
        ramp_ms = self._ramp_ms()
        if since_ms <= ramp_ms:
            return (start_ma + self._current_after(since_ms)) * since_ms
        return (start_ma + target_ma) * ramp_ms + 2 * target_ma * (since_ms - ramp_ms)

    def _reaches_after(self, charge2: int) -> int | None:
        """How long after the start of this stretch its charge reaches so much, were it to go on; None: never."""
        start_ma, target_ma = self._from_ma, self._target_ma
        if charge2 <= 0:
            return 0
        ramp_ms = self._ramp_ms()
        in_ramp = (start_ma + target_ma) * ramp_ms
        if charge2 > in_ramp:
            return ramp_ms + -(-(charge2 - in_ramp) // (2 * target_ma)) if target_ma else None
        early, late = 0, ramp_ms
        while early < late:
            middle = (early + late) // 2
            if self._charge2_after(middle) >= charge2:
                late = middle
            else:
                early = middle + 1
        return late

    def _next_reading_ms(self) -> int | None:
        """When the staircase steps next within this stretch."""
        start_ma, target_ma, step_ma = self._from_ma, self._target_ma, self._step_ma
        if start_ma == target_ma or (target_ma > start_ma and not step_ma):
            return None
        end_ms = self._since_ms + self._ramp_ms()
        if end_ms <= self._now_ms:
            return None
        if not step_ma:
            return end_ms
        now_ma = self._current_after(self._now_ms - self._since_ms)
        if target_ma > start_ma:
            edge_ma = (now_ma // step_ma + 1) * step_ma
            moved_ma = edge_ma - start_ma
        else:
            edge_ma = (-(-now_ma // step_ma) - 1) * step_ma
            moved_ma = start_ma - edge_ma
        edge_ms = self._since_ms + -(-moved_ma * 1000 // self._rate())
        return min(edge_ms, end_ms)


def _milestones(traits: Traits, charge2: int) -> list[tuple[int, Milliamps]]:
    """Charge by charge, in half milliamp-milliseconds, what the battery takes up to it; the next one is last."""
    if charge2 <= 0:
        return []
    taper2 = charge2 * traits.taper_percent // 100
    steps = [(charge2 - taper2, traits.max_ma)] if taper2 < charge2 else []
    if taper2:
        for number in range(1, _TAPER_STEPS + 1):
            takes_ma = traits.max_ma * (_TAPER_STEPS + 1 - number) // (_TAPER_STEPS + 1)
            steps.append((charge2 - taper2 + taper2 * number // _TAPER_STEPS, max(1, takes_ma)))
    return steps[::-1]
