"""The unit's side of a grant: what it may offer, for how long, and what it may be drawing.

# Rule 1: a lease is counted from the unit's own report that it answers, never from its receipt.
# Rule 2: a raise ends in time, a cap does not end early, and both end at the fallback.
# Rule 3: nothing issued against an earlier process, session or number is applied.
# Rule 4: a device is told (offer, until, then), never a bare offer; whoever dies leaves a device that falls back.
# Rule 5: what may be drawn counts from the device's answers: an unconfirmed lowering at the old ceiling,
#         an unconfirmed raise at the new one.
"""

from powershare._native.codes import GrantKind
from powershare.errors import InternalError
from powershare.leases.commands import Commands
from powershare.leases.grant import Grant, Pilot
from powershare.leases.guard import Guard
from powershare.leases.states import TRANSITIONS, Change, LeaseState
from powershare.leases.tail import Tail
from powershare.site import Connector
from powershare.timing import Timing
from powershare.units import Milliamps

TRIPS_MOST = 3
"""After so many openings by the guard in one session the connector is out of order until it is unplugged."""

TRIPPED_MS = 10_000
"""How long a contactor that the guard opened stays open."""

_CHANGE = {
    GrantKind.RAISE: Change.RAISE,
    GrantKind.CAP: Change.CAP,
    GrantKind.FALL_BACK: Change.FALL_BACK,
    GrantKind.TRIM: Change.TRIM,
}


_WHY = {
    GrantKind.RAISE: "raise",
    GrantKind.CAP: "cap",
    GrantKind.FALL_BACK: "fall-back",
    GrantKind.TRIM: "trim",
}


class Holder:
    """Ceiling, offer, lease and tail of one unit.

    Call `expire` before anything else at each event.

    Args:
        connector: What is installed.
        fallback_ma: What it may offer alone.
        timing: The network's times.
        boot: This process.
        now_ms: When it starts; the device is at 0 from `pilot` on.
        tolerance_ma: What its meter may read above the truth.

    Attributes:
        state: What the ceiling rests on.
        ceiling_ma: The most that the leader counts it with.
        offer_ma: What the pilot is to say; at most the ceiling.
        until_ms: When the lease, or the cold hold, ends; None: no timer.
        session: Grows at every plugging in and unplugging.
        seq: The last grant applied under the present fence.
        left_alone_ma: The most that the device may come to offer by itself at any moment.
    """

    __slots__ = (
        "_boot",
        "_closed",
        "_commands",
        "_connector",
        "_fallback_ma",
        "_guard",
        "_tail",
        "_timing",
        "_tripped_until_ms",
        "_trips",
        "_why",
        "ceiling_ma",
        "left_alone_ma",
        "offer_ma",
        "seq",
        "session",
        "speaks_from_ms",
        "state",
        "until_ms",
    )

    def __init__(
        self,
        connector: Connector,
        fallback_ma: Milliamps,
        timing: Timing,
        boot: int,
        now_ms: int,
        tolerance_ma: Milliamps = 500,
    ) -> None:
        self._connector, self._fallback_ma, self._timing, self._boot = connector, fallback_ma, timing, boot
        self.state = LeaseState.COLD
        self.ceiling_ma = self.offer_ma = 0
        self.until_ms: int | None = now_ms + timing.cold_hold_ms
        self.session = self.seq = 0
        self.left_alone_ma: Milliamps = 0
        self.speaks_from_ms: int | None = None
        """From when on it may report: once what a former process allowed is surely no longer drawn."""
        self._tail = Tail(timing.tail_ms)
        self._guard = Guard(timing, tolerance_ma)
        self._closed = True  # until the device says otherwise
        self._commands = Commands()
        self._tripped_until_ms: int | None = None
        self._trips = 0
        self._why = self.state.value

    @property
    def fallback_ma(self) -> Milliamps:
        """What it offers alone."""
        return self._fallback_ma

    @property
    def faulted(self) -> bool:
        """Whether its vehicle has been above its ceiling too often; ends when it is unplugged."""
        return self._trips >= TRIPS_MOST

    @property
    def tripped(self) -> bool:
        """Whether the guard holds the contactor open."""
        return self._tripped_until_ms is not None

    @property
    def settled(self) -> bool:
        """Whether the device has answered everything that it was told."""
        return self._commands.settled

    def most_ma(self, now_ms: int) -> Milliamps:
        """The most that its vehicle may be drawing (e): the ceiling, or a former one that is still in effect.

        A device that may leave what it was told at any moment is never counted with less than what it then does
        (`left_alone_ma`).
        """
        return max(self.left_alone_ma, self.ceiling_ma, self._tail.most_ma(now_ms))

    @property
    def _capped(self) -> bool:
        """Whether it is kept below its fallback for a time."""
        return self.state is LeaseState.CAPPED or self.state is LeaseState.COLD

    def cap_left_ms(self, now_ms: int) -> int:
        """How long it surely stays below its fallback, even if this process dies now; 0 where nothing keeps it there.

        That is as long as the device has answered that it will, and no longer: left alone it goes to the fallback
        when the time is over that it knows of. Of what is on its way to it, any part may be the last that it takes in.
        """
        if not self._capped or self.until_ms is None:
            return 0
        end_ms = self._commands.kept_low_until_ms(self.until_ms)
        return 0 if end_ms is None else max(0, end_ms - now_ms)

    def next_ms(self) -> int | None:
        """When something changes by time alone; None: nothing does."""
        tripped_ms = None if self.faulted else self._tripped_until_ms
        dues = (
            self.until_ms,
            self._commands.rises_ms(self.ceiling_ma),
            self._tail.next_ms(),
            self._guard.next_ms(),
            tripped_ms,
        )
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    def expire(self, now_ms: int) -> bool:
        """Let time pass.

        Returns:
            Whether a lease, or the cold hold, ended.
        """
        if self._tripped_until_ms is not None and now_ms >= self._tripped_until_ms and not self.faulted:
            self._tripped_until_ms = None
        ended = self.until_ms is not None and now_ms >= self.until_ms
        if ended:
            # The vehicle has seen that since the lease ended, however late this process looks at it.
            self._commands.lapse(self._fallback_ma)
            if self.ceiling_ma > self._fallback_ma and self.until_ms is not None:
                self._guard.lowered(self._fallback_ma, self.until_ms)
            self._move(Change.ENDED)
            self._why = self.state.value
            self._set(self._fallback_ma, self._fallback_ma, None, now_ms)
        rises_ms = self._commands.rises_ms(self.ceiling_ma)
        if rises_ms is not None and now_ms >= rises_ms:
            # The device has left a cap, its renewal being under way yet: its vehicle may see that.
            risen_ma, write = self._commands.rises()
            self._tail.lowered(risen_ma, now_ms, pilot_is_low=False, write=write)
        self._tail.forget(now_ms)
        if self._guard.must_open(self.ceiling_ma, now_ms):
            self._trips += 1
            self._tripped_until_ms = now_ms + TRIPPED_MS
            self._guard.reset()
        return ended

    def accept(self, grant: Grant, now_ms: int) -> bool:
        """Apply a grant of the leader that the fence admits, or refuse it.

        Args:
            grant: It.
            now_ms: Now.

        Returns:
            Whether it was applied.
        """
        age_ms = now_ms - grant.stamp_ms
        if (
            grant.boot != self._boot
            or grant.session != self.session
            or grant.seq <= self.seq
            or not 0 <= age_ms < self._timing.raise_lease_ms
            or not self._can_be(grant)
        ):
            return False
        self.seq = grant.seq
        self._move(_CHANGE[grant.kind])
        self._why = _WHY[grant.kind]
        if grant.kind is GrantKind.TRIM:
            if self.state is LeaseState.RAISED and grant.ceiling_ma < self.ceiling_ma:
                self._set(grant.ceiling_ma, grant.offer_ma, self.until_ms, now_ms)
            elif self.state is LeaseState.RAISED:
                self._set(self.ceiling_ma, min(grant.offer_ma, self.ceiling_ma), self.until_ms, now_ms)
            return True
        lease_ms = {
            GrantKind.RAISE: self._timing.raise_lease_ms,
            GrantKind.CAP: self._timing.cap_lease_ms,
        }.get(grant.kind)
        until_ms = None if lease_ms is None else grant.stamp_ms + lease_ms
        self._set(grant.ceiling_ma, grant.offer_ma, until_ms, now_ms)
        return True

    def commission(self, fallback_ma: Milliamps, connector: Connector, timing: Timing, now_ms: int) -> None:
        """Another configuration, or a step towards one.

        A raise ends, since nobody of the next step counts it. A cap goes on: others lean on it. And a fallback above
        the former one waits until whatever was granted beside the former one is surely over, everywhere. Of the
        former times and the new ones the longer hold for what is being lowered.

        Args:
            fallback_ma: What it may offer alone from now on.
            connector: What is installed.
            timing: The network's times from now on.
            now_ms: Now.
        """
        self._timing = max(self._timing, timing, key=lambda one: one.write_ms + one.tail_ms)
        self._tail.tail_ms = self._timing.tail_ms
        wait_ms = max(self._timing.wait_ms, timing.wait_ms)
        former_ma, self._fallback_ma = self._fallback_ma, fallback_ma
        self._step_to(fallback_ma, former_ma, now_ms + wait_ms, now_ms)
        self._connector, self._timing = connector, timing
        self._guard.follow(timing)

    def _step_to(self, fallback_ma: Milliamps, former_ma: Milliamps, waited_ms: int, now_ms: int) -> None:
        """Go to another fallback: down at once, up when the wait is over."""
        if self.state is LeaseState.COLD:
            if fallback_ma > former_ma and self.until_ms is not None:
                self.until_ms = max(self.until_ms, waited_ms)
            return
        capped = self.state is LeaseState.CAPPED
        ceiling_ma = min(self.ceiling_ma, former_ma, fallback_ma)
        offer_ma = min(self.offer_ma, ceiling_ma) if capped else ceiling_ma
        if ceiling_ma == fallback_ma:
            self._move(Change.FALL_BACK)
            self._why = self.state.value
            self._set(ceiling_ma, ceiling_ma, None, now_ms)
            return
        until_ms = self.until_ms if capped and self.until_ms is not None else now_ms
        if fallback_ma > former_ma:
            until_ms = max(until_ms, waited_ms)
        self._move(Change.CAP)
        self._why = self.state.value
        self._set(ceiling_ma, offer_ma, until_ms, now_ms)

    def bow(self) -> None:
        """The fence moved: nothing of the new term is applied yet."""
        self.seq = 0

    def device(self, *, session_ended: bool, closed: bool, idle_and_led: bool, now_ms: int) -> None:
        """Take in what the device says of its vehicle and its contactor.

        Args:
            session_ended: Whether a vehicle was plugged in or unplugged: what was granted to the one before is void.
            closed: Whether the contactor is closed.
            idle_and_led: Whether no vehicle is there, and a leader is: the unit then caps itself, since anybody may
                lower a limit of their own at any time, and others can have the amps a round trip sooner.
            now_ms: Now.
        """
        self._closed = closed
        if not closed:
            self._tail.opened()
            self._guard.reset()
        if session_ended:
            self.session += 1
            self._trips, self._tripped_until_ms = 0, None
            self._move(Change.SESSION)
            if self.state is LeaseState.FALL_BACK and idle_and_led and self._fallback_ma:
                self._move(Change.CAP)
                self._why = "idle"
                self._set(0, 0, now_ms + self._timing.cap_lease_ms, now_ms)
            elif self.state is LeaseState.FALL_BACK:
                self._why = self.state.value
                self._set(self._fallback_ma, self._fallback_ma, None, now_ms)

    def measured(self, current_ma: Milliamps, at_ms: int, now_ms: int) -> None:
        """Take in a measurement: the largest line current."""
        self._guard.measured(current_ma, at_ms, self.most_ma(now_ms))

    def answered(self, write: int, offer_ma: Milliamps, at_ms: int, *, closed: bool) -> None:
        """Take in the device's answer to a write.

        Args:
            write: Its number; what was written before it is carried out or void.
            offer_ma: What the pilot says now.
            at_ms: Read from the clock after the pilot changed.
            closed: Whether the contactor is closed.
        """
        lowered = self._commands.answer(write, offer_ma)
        if lowered is None:
            return
        self._closed = closed
        if self.speaks_from_ms is None and offer_ma <= self.ceiling_ma:
            self.speaks_from_ms = at_ms + self._timing.tail_ms if closed else at_ms
        self._tail.answered(write, at_ms)
        if not closed:
            self._tail.opened()
        elif lowered:
            self._guard.lowered(self.ceiling_ma, at_ms)

    def pilot(self, now_ms: int) -> Pilot | None:
        """What the device must be told now; None: it knows."""
        # A process starts with an open contactor: what a former one allowed may not have ended yet.
        is_open = self.tripped or self.state is LeaseState.COLD
        offer_ma, then_ma = 0 if is_open else self.offer_ma, self._fallback_ma
        write = self._commands.tell(offer_ma, self.until_ms, then_ma, is_open=is_open, capped=self._capped)
        if write is None:
            return None
        why = "opened" if self.tripped else self._why
        return Pilot(write, offer_ma, self.until_ms, then_ma, is_open, now_ms, why)

    def _can_be(self, grant: Grant) -> bool:
        """Whether the grant is one that a leader of this configuration can issue."""
        least_ma, most_ma, step_ma = self._connector.min_offer_ma, self._connector.max_offer_ma, self._connector.step_ma
        ceiling_ma, offer_ma, fallback_ma = grant.ceiling_ma, grant.offer_ma, self._fallback_ma
        fits_kind = {
            GrantKind.RAISE: ceiling_ma > fallback_ma,
            GrantKind.CAP: ceiling_ma < fallback_ma,
            GrantKind.FALL_BACK: ceiling_ma == offer_ma == fallback_ma,
            GrantKind.TRIM: ceiling_ma >= fallback_ma,
        }
        sayable = offer_ma == 0 or (offer_ma >= least_ma and offer_ma % step_ma == 0)
        return fits_kind.get(grant.kind, False) and 0 <= offer_ma <= ceiling_ma <= most_ma and sayable

    def _move(self, change: Change) -> None:
        after = TRANSITIONS.get((self.state, change))
        if after is None:
            raise InternalError(f"a unit in state {self.state.value} cannot change by: {change.value}")
        self.state = after

    def _set(self, ceiling_ma: Milliamps, offer_ma: Milliamps, until_ms: int | None, now_ms: int) -> None:
        """Put a new ceiling, offer and lease end in place; a lowered ceiling leaves a tail."""
        former_ma, former_until_ms = self.ceiling_ma, self.until_ms
        self.ceiling_ma, self.offer_ma, self.until_ms = ceiling_ma, offer_ma, until_ms
        if ceiling_ma >= former_ma:
            if ceiling_ma > former_ma:
                self._guard.raised(ceiling_ma)
            return
        # The device left alone is at its fallback a write after the former lease ended.
        latest_ms = None
        falls_below = max(self._fallback_ma, self._commands.then_most_ma) <= ceiling_ma
        if former_until_ms is not None and former_ma > self._fallback_ma and falls_below:
            latest_ms = former_until_ms + self._timing.write_ms + self._timing.tail_ms
        pilot_is_low = self._commands.most_ma <= ceiling_ma
        if pilot_is_low and not self._closed:
            return  # nothing is drawn, and what will be follows the pilot as it is
        write = self._commands.lowering_to(ceiling_ma)
        self._tail.lowered(former_ma, now_ms, pilot_is_low=pilot_is_low, write=write, latest_ms=latest_ms)
        if pilot_is_low:
            self._guard.lowered(ceiling_ma, now_ms)
