"""The one place that orders changes of offers: lowered first, raised only as far as there surely is room.

Until a lower offer is confirmed, its connector still counts with what it may be drawing. So at
every instant, in whatever order devices apply what they are told, the sum of offers fits every
limit. The ledger of leases takes this place behind the same signature.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import attrs

from powershare.policy.report import Report
from powershare.policy.room import Room, RowIndex, Rows
from powershare.policy.settings import Settings
from powershare.site import Connector, Site
from powershare.units import Milliamps, down_to_step

SETTLING_CHECK_MS = 1_000
"""How soon to look again at a lower offer that a report or a measurement may confirm any moment."""


@attrs.frozen
class Order:
    """One change of one offer, to be carried out at once.

    Attributes:
        connector: Its id.
        offered_ma: What it must offer from now on.
        was_ma: What it offered, or was told to offer, before.
    """

    connector: str
    offered_ma: Milliamps
    was_ma: Milliamps


class ReleaseRule(Protocol):
    """What a policy needs of whoever orders the changes; `Release` says what each of these must answer."""

    def observe(self, reports: Iterable[Report], held: Mapping[str, Milliamps], room: Room, now_ms: int) -> None:
        """Take in what is reported."""

    @property
    def reserved_ma(self) -> dict[str, Milliamps]:
        """The most that each connector may be drawing."""

    def ordered_ma(self, connector_id: str) -> Milliamps:
        """What a connector was last told to offer."""

    def overdrawn(self, connector_id: str) -> bool:
        """Whether its vehicle draws more than it is offered, past its time to follow."""

    def release(
        self, targets_ma: Mapping[str, Milliamps], reserved_ma: Mapping[str, Milliamps], now_ms: int
    ) -> tuple[Order, ...]:
        """Order what may change now."""

    def due_ms(self, targets_ma: Mapping[str, Milliamps], now_ms: int) -> int | None:
        """When to look again though nothing is reported."""


@attrs.define
class _Book:
    """What is known of one connector's offer, and what it may still be drawing."""

    ordered_ma: Milliamps
    reported_ma: Milliamps
    session: int
    changed_ms: int | None = None  # when its offer was last changed by an order
    tail_ma: Milliamps = 0  # the offer that may still be in effect after a lowering; 0: none
    tail_since_ms: int = 0
    follows_ms: int = 0  # by when a vehicle that obeys has followed the last lower offer
    above: bool = False  # whether it was measured above the lower offer while the tail lasts
    reserved_ma: Milliamps = 0
    overdrawn: bool = False
    landing_ma: Milliamps = 0  # a raise meant for the vehicle before, which may still land
    landing_until_ms: int = 0
    rows: Rows = ()  # what its current counts on, as reported
    left_rows: Rows = ()  # what it counted on before, where current may flow for a moment more
    left_until_ms: int = 0


class Release:
    """Orders the changes from what is offered to what is wanted, so that no moment between breaks a limit."""

    def __init__(self, site: Site, rows: RowIndex, settings: Settings) -> None:
        self._site, self._rows, self._settings = site, rows, settings
        self._books: dict[str, _Book] = {}
        self._room = Room(())
        self._row_of: dict[str, Rows] = {}

    def observe(self, reports: Iterable[Report], held: Mapping[str, Milliamps], room: Room, now_ms: int) -> None:
        """Take in what the devices report, before targets are decided.

        Args:
            reports: One per connector that is not held.
            held: Currents of silent connectors; what is known of those is forgotten.
            room: What every row has left beside held currents and other loads.
            now_ms: Now.
        """
        self._room = room
        for connector_id in held:
            self._books.pop(connector_id, None)
        for report in reports:
            book = self._books.get(report.connector)
            if book is None:
                book = self._books[report.connector] = self._opened(report, now_ms)
            if report.offered_ma > 0 or report.plugged or book.reserved_ma or book.ordered_ma:
                self._row_of[report.connector] = self._loaded(book, report, now_ms)
                self._update(book, report, now_ms)

    @property
    def reserved_ma(self) -> dict[str, Milliamps]:
        """Per connector, the most that it may be drawing now or be offering when all orders have arrived."""
        return {connector_id: book.reserved_ma for connector_id, book in self._books.items()}

    def ordered_ma(self, connector_id: str) -> Milliamps:
        """What a connector was last told to offer; before any order, what it offered when first seen."""
        return self._books[connector_id].ordered_ma

    def overdrawn(self, connector_id: str) -> bool:
        """Whether its vehicle draws more than it is offered, though it has had the time to follow."""
        return self._books[connector_id].overdrawn

    def release(
        self, targets_ma: Mapping[str, Milliamps], reserved_ma: Mapping[str, Milliamps], now_ms: int
    ) -> tuple[Order, ...]:
        """Order the changes that may be carried out now.

        A lowering is ordered at once and whole. A raise is ordered as far as the reserved currents
        of all leave room on every row above it, never above its target, never between 0 and the
        least offer, and no faster than the settings say.

        Args:
            targets_ma: What each connector is to offer in the end.
            reserved_ma: What each may be drawing, as `reserved_ma` says.
            now_ms: Now.

        Returns:
            The orders, lowered ones first.
        """
        lowered, rising = [], []
        room = self._room.copy()
        for connector_id, current_ma in reserved_ma.items():
            if current_ma:
                room.take(self._row_of[connector_id], current_ma)
        for connector_id, target_ma in targets_ma.items():
            book = self._books[connector_id]
            if target_ma < book.ordered_ma or (book.reported_ma > book.ordered_ma >= target_ma):
                lowered.append(self._order(book, connector_id, target_ma, now_ms))
            elif target_ma > book.ordered_ma or book.reported_ma != book.ordered_ma:
                # New, or on its way and to be repeated.
                rising.append((book.ordered_ma, connector_id, target_ma))
        # Those without an offer first, then the smallest offers; sorting is stable, so site order decides last.
        rising.sort(key=lambda entry: entry[0])
        raised: list[Order] = []
        for ordered_ma, connector_id, target_ma in rising:
            order = self._raise(room, connector_id, target_ma, reserved_ma, now_ms)
            if order is None and self._books[connector_id].reported_ma != ordered_ma:
                order = Order(connector_id, ordered_ma, self._books[connector_id].reported_ma)
            if order is not None:
                raised.append(order)
        return (*lowered, *raised)

    def due_ms(self, targets_ma: Mapping[str, Milliamps], now_ms: int) -> int | None:
        """When to look again though nothing is reported; None when all devices offer their targets."""
        dues = (self._unconfirmed_due_ms(now_ms), self._raise_due_ms(targets_ma, now_ms))
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    def _unconfirmed_due_ms(self, now_ms: int) -> int | None:
        """When to give an order again that no device has confirmed: it may have got lost."""
        unconfirmed = [book for book in self._books.values() if book.reported_ma != book.ordered_ma]
        if not unconfirmed:
            return None
        lowering = any(book.reported_ma > book.ordered_ma for book in unconfirmed)
        return now_ms + (SETTLING_CHECK_MS if lowering else max(1, self._settings.raise_interval_ms))

    def _raise_due_ms(self, targets_ma: Mapping[str, Milliamps], now_ms: int) -> int | None:
        """When the next raise may be possible; None when all targets are reached."""
        pending = [
            self._books[connector_id]
            for connector_id, target_ma in targets_ma.items()
            if target_ma > self._books[connector_id].ordered_ma
        ]
        if not pending:
            return None
        interval_ms = self._settings.raise_interval_ms
        free_ms = min(now_ms if book.changed_ms is None else book.changed_ms + interval_ms for book in pending)
        ends_ms = (book.tail_since_ms + self._settings.settle_ms for book in self._books.values() if book.tail_ma)
        settled_ms = min((end_ms for end_ms in ends_ms if end_ms > now_ms), default=now_ms + SETTLING_CHECK_MS)
        return max(now_ms + 1, settled_ms if free_ms <= now_ms else free_ms)

    def _opened(self, report: Report, now_ms: int) -> _Book:
        """Begin with a connector of which only this one report is known."""
        book = _Book(report.offered_ma, report.offered_ma, report.session)
        turn = report.turn
        lowered_lately = (
            turn.on_ms > 0 if report.offered_ma else turn.pauses > 0 and turn.waiting_ms < self._settings.settle_ms
        )
        if report.plugged and lowered_lately:
            # It may have been lowered just before this was written; what it had then is not known.
            book.tail_ma, book.tail_since_ms = self._site.connector_by_id[report.connector].max_offer_ma, now_ms
        return book

    def _loaded(self, book: _Book, report: Report, now_ms: int) -> Rows:
        """The rows that a connector's current counts on: those it just left as well, until it surely has left them."""
        rows, before = self._rows.of(report.connector, report.lines_used), book.rows
        book.rows = rows
        if report.session != book.session or now_ms >= book.left_until_ms:
            book.left_rows = ()
        if before != rows and before and report.session == book.session:
            book.left_rows = tuple(sorted({*book.left_rows, *before} - set(rows)))
            book.left_until_ms = now_ms + self._settings.settle_ms
        return rows + book.left_rows if book.left_rows else rows

    def _update(self, book: _Book, report: Report, now_ms: int) -> None:
        offered_ma, measured_ma = report.offered_ma, report.measured_ma
        measured_ms = now_ms - report.measured_age_ms
        if report.measured_age_ms > self._settings.meter_stale_ms:
            measured_ma = None
        most_ma = offered_ma + self._settings.meter_tolerance_ma
        if report.session != book.session or not report.plugged:
            # The contactor was open in between, or is now: nothing of the former offer is in effect.
            # What was measured before belongs to another vehicle.
            if book.ordered_ma > max(book.reported_ma, offered_ma):
                book.landing_ma, book.landing_until_ms = book.ordered_ma, now_ms + self._settings.settle_ms
            book.session, book.tail_ma, measured_ma = report.session, 0, None
            book.follows_ms = now_ms + self._settings.settle_ms
            if offered_ma == 0:
                book.ordered_ma = 0
        elif offered_ma < book.reported_ma:
            self._start_tail(book, book.reported_ma, offered_ma, now_ms)
        book.reported_ma = offered_ma
        if book.tail_ma:
            book.above = book.above or (measured_ma is not None and measured_ma > most_ma)
            if self._confirmed(book, measured_ma, measured_ms, most_ma, now_ms):
                book.tail_ma = 0
        seen_ma = measured_ma if measured_ma is not None and measured_ma > most_ma else 0
        book.overdrawn = seen_ma > 0 and book.tail_ma == 0 and measured_ms > book.follows_ms
        if now_ms >= book.landing_until_ms:
            book.landing_ma = 0
        book.reserved_ma = max(offered_ma, book.ordered_ma, book.tail_ma, book.landing_ma, seen_ma)

    def _confirmed(
        self, book: _Book, measured_ma: Milliamps | None, measured_ms: int, most_ma: Milliamps, now_ms: int
    ) -> bool:
        """Whether the former offer is surely out of effect.

        A vehicle that drew little all along proves nothing by drawing little: it may not have
        looked at its pilot yet. Only one that was seen above the lower offer, and then is not, has
        followed; for all others the settle time counts as well.
        """
        if book.reported_ma >= book.tail_ma and book.ordered_ma >= book.tail_ma:
            return True
        if book.reported_ma > book.ordered_ma:
            return False
        settled = now_ms - book.tail_since_ms >= self._settings.settle_ms
        if measured_ma is None:
            return settled
        # What is measured above the offer after all this time is counted as such, not as a tail.
        followed = measured_ms > book.tail_since_ms and measured_ma <= most_ma and (book.above or settled)
        return followed or (settled and measured_ms - book.tail_since_ms >= self._settings.settle_ms)

    def _start_tail(self, book: _Book, former_ma: Milliamps, offered_ma: Milliamps, now_ms: int) -> None:
        book.tail_ma, book.tail_since_ms, book.above = max(book.tail_ma, former_ma), now_ms, False
        # It ramps down by about 1 A a second, one milliamp a millisecond: until then it is slow, not disobedient.
        book.follows_ms = now_ms + self._settings.settle_ms + max(0, book.tail_ma - offered_ma)

    def _order(self, book: _Book, connector_id: str, offered_ma: Milliamps, now_ms: int) -> Order:
        was_ma = book.reported_ma if book.reported_ma > offered_ma else book.ordered_ma
        order = Order(connector_id, offered_ma, was_ma)
        if offered_ma < book.ordered_ma and book.ordered_ma > book.reported_ma:
            # The raise before may still be on its way, and in effect for a moment.
            self._start_tail(book, book.ordered_ma, offered_ma, now_ms)
        if offered_ma != book.ordered_ma:
            book.ordered_ma, book.changed_ms = offered_ma, now_ms
        return order

    def _raise(
        self, room: Room, connector_id: str, target_ma: Milliamps, reserved_ma: Mapping[str, Milliamps], now_ms: int
    ) -> Order | None:
        """As much of one raise as there is room for now, or None."""
        book, settings = self._books[connector_id], self._settings
        connector: Connector = self._site.connector_by_id[connector_id]
        if target_ma == book.ordered_ma:
            return None
        if book.changed_ms is not None and now_ms - book.changed_ms < settings.raise_interval_ms:
            return None
        rows, own_ma = self._row_of[connector_id], reserved_ma[connector_id]
        left_ma = room.left_ma(rows)
        if left_ma < 0:
            return None  # a limit fell: nothing is raised below it until it holds again
        most_ma = max(connector.min_offer_ma, book.ordered_ma + settings.max_raise_ma)
        offered_ma = down_to_step(min(target_ma, most_ma, own_ma + left_ma), connector.step_ma)
        if offered_ma < connector.min_offer_ma or offered_ma <= book.ordered_ma:
            return None
        if offered_ma > own_ma:
            room.take(rows, offered_ma - own_ma)
        return self._order(book, connector_id, offered_ma, now_ms)
