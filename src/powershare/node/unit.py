"""A node's unit: what its device says, what its holder may offer, and the reports that tell both."""

import attrs

from powershare.election import Term
from powershare.leases import Grant, Holder, LeaseState, Pilot
from powershare.node.events import Applied, DeviceState, Measured
from powershare.node.messages import Bound, Reading, StatusReport
from powershare.policy import Turn, advance
from powershare.site import Connector
from powershare.timing import Timing
from powershare.units import Milliamps

METER_STALE_MS = 2_500
"""A measurement older than this is not reported: it would say where a vehicle was, not where it is."""


@attrs.frozen
class Echo:
    """What a report echoes: the newest heartbeat seen, and the answer to it."""

    term: Term
    sent_ms: int
    promised: bool


class Unit:
    """One connector as its node sees it.

    Attributes:
        holder: Ceiling, offer and lease.
        member: The node's number in its network.
        changed: Whether something changed that the leader should hear of before it asks.
    """

    __slots__ = ("_boot", "_device", "_measured", "_turn", "_turned_ms", "changed", "holder", "member", "reported_ma")

    def __init__(
        self, connector: Connector, member: int, fallback_ma: Milliamps, timing: Timing, boot: int, now_ms: int
    ) -> None:
        self.holder = Holder(connector, fallback_ma, timing, boot, now_ms)
        self.member, self._boot = member, boot
        self._device = DeviceState(plugged=False, wants=False, closed=True)
        self._measured: Measured | None = None
        self._turn, self._turned_ms = Turn(), now_ms
        self.changed = False
        self.reported_ma = -1  # e, as last told

    def expire(self, now_ms: int) -> bool:
        """Let time pass; answers whether a lease ended."""
        ended = self.holder.expire(now_ms)
        if self.holder.most_ma(now_ms) < self.reported_ma:
            self.changed = True
        return ended

    def device(self, state: DeviceState, now_ms: int, *, led: bool) -> None:
        """The device says something new; whether the unit has a leader decides what an idle one does."""
        self._advance(now_ms)
        before, self._device = self._device, state
        session_ended = state.plugged != before.plugged
        if session_ended:
            self._turn = Turn()
            self._measured = None
        idle_and_led = led and not state.plugged
        self.holder.left_alone_ma = state.left_alone_ma
        self.holder.device(session_ended=session_ended, closed=state.closed, idle_and_led=idle_and_led, now_ms=now_ms)
        told = (before.plugged, before.wants, before.wanted_ma, before.vehicle)
        if (state.plugged, state.wants, state.wanted_ma, state.vehicle) != told:
            self.changed = True

    def measured(self, measured: Measured, now_ms: int) -> None:
        """The meter says something new."""
        self._measured = measured
        self.holder.measured(measured.current_ma, measured.at_ms, now_ms)

    def applied(self, applied: Applied, now_ms: int) -> None:
        """The device answers a write."""
        self._advance(now_ms)
        self.holder.answered(applied.write, applied.offered_ma, applied.at_ms, closed=applied.closed)
        self._device = attrs.evolve(self._device, offered_ma=applied.offered_ma, closed=applied.closed)
        if self.holder.most_ma(now_ms) < self.reported_ma:
            self.changed = True

    def accept(self, grant: Grant, now_ms: int) -> bool:
        """A grant came, behind the fence; answers whether it was applied."""
        return self.holder.accept(grant, now_ms)

    def pilot(self, now_ms: int) -> Pilot | None:
        """What to tell the device; None: nothing new."""
        return self.holder.pilot(now_ms)

    def may_speak(self, now_ms: int) -> bool:
        """Whether what a former process allowed is surely no longer drawn, so that its own words are true."""
        from_ms = self.holder.speaks_from_ms
        return from_ms is not None and now_ms >= from_ms

    def next_ms(self, now_ms: int) -> int | None:
        """When something changes by time alone; None: nothing does."""
        due_ms, speaks_ms = self.holder.next_ms(), self.holder.speaks_from_ms
        if speaks_ms is None or speaks_ms <= now_ms:
            return due_ms
        return speaks_ms if due_ms is None else min(due_ms, speaks_ms)

    def report(
        self, report_no: int, echo: Echo, readings: tuple[Reading, ...], bounds: tuple[Bound, ...], now_ms: int
    ) -> StatusReport:
        """The unit's report, now."""
        self._advance(now_ms)
        holder, device, turn, measured = self.holder, self._device, self._turn, self._measured
        most_ma = holder.most_ma(now_ms)
        self.reported_ma, self.changed = most_ma, False
        age_ms = 0 if measured is None else now_ms - measured.at_ms
        if measured is not None and age_ms > METER_STALE_MS:
            measured, age_ms = None, 0
        stopped = holder.faulted
        return StatusReport(
            member=self.member,
            boot=self._boot,
            report_no=report_no,
            stamp_ms=now_ms,
            term=echo.term,
            heartbeat_ms=echo.sent_ms,
            promised=echo.promised,
            readings=readings,
            bounds=bounds,
            seq=holder.seq,
            ceiling_ma=holder.ceiling_ma,
            offer_ma=holder.offer_ma,
            most_ma=most_ma,
            cap_left_ms=holder.cap_left_ms(now_ms),
            session=holder.session,
            plugged=device.plugged,
            wants=device.wants and not stopped,
            closed=device.closed,
            offered_ma=device.offered_ma,
            measured_ma=None if measured is None else measured.current_ma,
            measured_age_ms=age_ms,
            wanted_ma=device.wanted_ma,
            vehicle=device.vehicle,
            waiting_ms=turn.waiting_ms,
            on_ms=turn.on_ms,
            pauses=turn.pauses,
            asleep=turn.asleep,
            energy_needed_wh=device.energy_needed_wh,
            departs_in_s=device.departs_in_s,
        )

    @property
    def cold(self) -> bool:
        """Whether it has just started."""
        return self.holder.state is LeaseState.COLD

    def _advance(self, now_ms: int) -> None:
        drawn_ma = None if self._measured is None else self._measured.current_ma
        self._turn = advance(
            self._turn, self._device.wants, self._device.offered_ma, now_ms - self._turned_ms, drawn_ma=drawn_ma
        )
        self._turned_ms = now_ms
