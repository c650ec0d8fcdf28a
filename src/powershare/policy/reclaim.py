"""Giving away the share that a vehicle does not use, and giving it back when it does.

A vehicle's cap follows what it was measured to draw, never what it was offered, so an old
measurement cannot make it climb. Two thresholds a margin apart and a hold-off after each raise
keep it from flapping: a vehicle counts as using its offer down to 1 A below it, and a cap leaves
1.25 A above what it draws, so a capped vehicle that draws the same is capped the same.
"""

import attrs

from powershare.policy.report import Report
from powershare.policy.settings import Settings
from powershare.site import Connector
from powershare.units import Milliamps


@attrs.define
class _Watch:
    """What was seen of one vehicle since its offer last changed."""

    session: int
    offered_ma: Milliamps
    cap_ma: Milliamps | None = None
    quiet_until_ms: int = 0  # nothing measured before is looked at
    looked: bool = False  # whether anything measured since then was
    unused_since_ms: int | None = None
    used_since_ms: int | None = None
    drawn_most_ma: Milliamps = 0


class Reclaim:
    """Watches what each vehicle draws and says how much of its offer it has use for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._watches: dict[str, _Watch] = {}

    def forget(self, connector_id: str) -> None:
        """Drop what is known of a connector that has no vehicle, or is silent."""
        self._watches.pop(connector_id, None)

    def observe(self, report: Report, connector: Connector, now_ms: int) -> Milliamps | None:
        """Take in one report of a vehicle that wants energy.

        Args:
            report: What the connector reports.
            connector: The connector itself.
            now_ms: Now.

        Returns:
            The most that the vehicle has use for, at least the least offer; None: no cap.
        """
        watch = self._watches.get(report.connector)
        if watch is None or watch.session != report.session or report.offered_ma == 0:
            watch = self._watches[report.connector] = _Watch(report.session, report.offered_ma)
            watch.quiet_until_ms = now_ms + self._settings.hold_off_ms
            watch.looked = report.offered_ma == 0  # nothing to see before it is offered something
            return None
        if report.offered_ma != watch.offered_ma:
            self._offer_changed(watch, report, now_ms)
        self._measured(watch, report, connector, now_ms)
        return watch.cap_ma

    def due_ms(self, connector_id: str, now_ms: int) -> int | None:
        """When this connector's cap may change by measurements that nobody announces; None: it will not."""
        watch = self._watches.get(connector_id)
        if watch is None:
            return None
        # A share that has been found unused once changes rarely after that.
        often_ms = max(1, self._settings.unused_for_ms // (6 if watch.cap_ma is None else 1))
        if watch.unused_since_ms is not None or watch.used_since_ms is not None:
            return now_ms + often_ms
        return None if watch.looked else max(now_ms, watch.quiet_until_ms) + often_ms

    def _offer_changed(self, watch: _Watch, report: Report, now_ms: int) -> None:
        """A raise takes time to show; a lowering shows when the vehicle has followed."""
        raised = report.offered_ma > watch.offered_ma
        hold_ms = self._settings.hold_off_ms if raised else self._settings.settle_ms
        watch.quiet_until_ms = max(watch.quiet_until_ms, now_ms + hold_ms)
        watch.offered_ma, watch.looked = report.offered_ma, False
        watch.unused_since_ms = watch.used_since_ms = None

    def _measured(self, watch: _Watch, report: Report, connector: Connector, now_ms: int) -> None:
        settings, drawn_ma = self._settings, report.measured_ma
        measured_ms = now_ms - report.measured_age_ms
        if drawn_ma is None or report.measured_age_ms > settings.meter_stale_ms:
            watch.unused_since_ms = watch.used_since_ms = None
            watch.looked = watch.looked or drawn_ma is None  # without a meter there is nothing to come
            return
        if measured_ms < watch.quiet_until_ms:
            return
        watch.looked = True
        if drawn_ma >= report.offered_ma - settings.use_tolerance_ma:
            watch.unused_since_ms = None
            if watch.cap_ma is not None and watch.used_since_ms is None:
                watch.used_since_ms = measured_ms
            if watch.used_since_ms is not None and measured_ms - watch.used_since_ms >= settings.unused_for_ms:
                # It uses all it has: what it was capped at is no longer so.
                watch.cap_ma = watch.used_since_ms = None
            return
        watch.used_since_ms = None
        if watch.unused_since_ms is None:
            watch.unused_since_ms, watch.drawn_most_ma = measured_ms, drawn_ma
        watch.drawn_most_ma = max(watch.drawn_most_ma, drawn_ma)
        if measured_ms - watch.unused_since_ms >= settings.unused_for_ms:
            watch.cap_ma = self._cap_ma(watch.drawn_most_ma, connector)
            watch.unused_since_ms, watch.drawn_most_ma = measured_ms, drawn_ma

    def _cap_ma(self, drawn_ma: Milliamps, connector: Connector) -> Milliamps:
        """What is drawn, what a vehicle stays below its offer anyway, and a margin; up to a whole step."""
        needed_ma = drawn_ma + self._settings.use_tolerance_ma + self._settings.unused_margin_ma
        return max(connector.min_offer_ma, -(-needed_ma // connector.step_ma) * connector.step_ma)
