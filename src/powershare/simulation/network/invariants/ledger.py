"""A leader's ledger watched: that it covers what units may truly draw, fits the limits, and promises nothing too long.

The envelope of a unit is `high` until an instant on the leader's clock, then the fallback. It is compared with what the
shadow of the unit may draw, both as steps in time, for the worst that both clocks may do from here on (`times`): then
no passing of time has to be looked at, only changes on either side.
"""

from collections.abc import Sequence

from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.rows import Rows
from powershare.simulation.network.invariants.times import MILLION, ROUNDING_MS, Times
from powershare.simulation.network.invariants.unit import UnitWatch
from powershare.simulation.network.invariants.wire import CAP, RAISE, TRIM


class LedgerWatch:
    """The ledger of one member, whenever it leads.

    Args:
        host: Its host.
        units: Every unit, by its place in the site; None: no device is known there.
        times: The protocol's times.
        book: Where results go.
    """

    __slots__ = (
        "_book",
        "_grants",
        "_i4",
        "_i13",
        "_i18",
        "_of_grants",
        "fallbacks_ma",
        "high_ma",
        "host",
        "member",
        "rows",
        "times",
        "units",
        "until_ms",
    )

    def __init__(self, host: Host, units: Sequence[UnitWatch], times: Times, book: Book) -> None:
        self.host, self.member, self.units, self.times, self._book = host, host.member, units, times, book
        self.high_ma: list[int] = []
        self.until_ms: list[int] = []
        self.fallbacks_ma: list[int] = []
        results = book.results
        self._i4, self._i13, self._i18 = results["I4"], results["I13"], results["I18"]
        self._of_grants = tuple(results[name] for name in ("I5", "I6", "I18", "I20"))
        self._grants: list[object] = []
        self.rows: Rows | None = None

    def begin(self, rows: Rows, fallbacks_ma: list[int], now_ms: int) -> None:
        """A new authority: nothing of an earlier ledger is left (I16)."""
        node = self.host.node
        leading = None if node is None else node.leading
        if leading is None:
            return
        ledger = leading.granting.ledger
        self.rows, self.fallbacks_ma = rows, fallbacks_ma
        self.high_ma, self.until_ms = [-1] * len(self.units), [0] * len(self.units)
        self._grants = [None] * len(self.units)
        for place, unit in enumerate(self.units):
            self._book.results["I16"].checked += 1
            account = leading.granting.accounts[place]
            if account.report is not None and unit.member == self.member:
                continue  # its own unit has been heard in the very step that began this authority
            most_ma, until_ms = account.connector.max_offer_ma, now_ms + self.times.wait_ms
            high_ma = ledger.high_ma[place]
            if high_ma < most_ma or ledger.until_ms[place] < until_ms:
                self._book.fail(
                    "I16",
                    self.member,
                    f"begins with {unit.member} at {high_ma} mA until {ledger.until_ms[place]} on its clock; "
                    f"nothing is known of it yet, so {most_ma} mA until {until_ms} must count",
                )

    def step(self, exact: int, true_ms: int) -> None:
        """The leader's node took in an event: look at what changed in its ledger."""
        node = self.host.node
        leading = None if node is None else node.leading
        if leading is None:
            return
        granting = leading.granting
        ledger, grants = granting.ledger, self._grants
        high_ma, until_ms = ledger.high_ma, ledger.until_ms
        before_ma, before_ms = self.high_ma, self.until_ms
        changed = list(until_ms) != before_ms or list(high_ma) != before_ma
        if changed:
            self.high_ma, self.until_ms = list(high_ma), list(until_ms)
        for place, account in enumerate(granting.accounts):
            if account.grant is not grants[place]:
                grants[place] = account.grant
                if account.grant is not None:
                    self._issued(place, exact // MILLION, before_ma, before_ms)
            if changed and (until_ms[place] != before_ms[place] or high_ma[place] != before_ma[place]):
                report = account.report
                measured = report is not None and report.measured_ma == high_ma[place]
                self._entry(place, exact // MILLION, measured=measured)
                self.covers(place, exact, true_ms)

    def _entry(self, place: int, now_ms: int, *, measured: bool) -> None:
        """I18 and I13: how long an entry may say anything else than the fallback."""
        book, times = self._book, self.times
        high_ma, until_ms, fallback_ma = self.high_ma[place], self.until_ms[place], self.fallbacks_ma[place]
        self._i18.checked += 1
        self._i13.checked += 1
        if high_ma > fallback_ma and not measured:
            longest_ms = times.wait_ms + ROUNDING_MS
        elif high_ma == fallback_ma:
            return  # the instant does not matter: nothing changes then
        else:
            # What is measured above the entry of a capped unit counts until the end of that entry.
            longest_ms = max(times.cap_exact, times.cold_exact) // MILLION
        if until_ms > now_ms + longest_ms:
            book.fail(
                "I18",
                self.member,
                f"counts {self.units[place].member} with {high_ma} mA for {until_ms - now_ms} ms from now; "
                f"{longest_ms} ms is the most",
            )
        if not 0 <= high_ma < 1 << 31 or not -(1 << 52) < until_ms < 1 << 53:
            book.fail("I13", self.member, f"an entry is out of range: {high_ma} mA until {until_ms}")

    def covers(self, place: int, exact: int, true_ms: int) -> None:
        """I4 and I12: the envelope covers what the unit may draw, now and at every instant to come."""
        unit = self.units[place]
        self._i4.checked += 1
        high_ma, fallback_ma = self.high_ma[place], self.fallbacks_ma[place]
        left = self.until_ms[place] * MILLION - exact
        running = left > 0
        if not running:
            high_ma = fallback_ma
        own_exact = unit.host.clock.exact(true_ms)
        unit.pass_time(own_exact)
        most_ma = unit.most_ma(own_exact, true_ms)
        if most_ma > high_ma or unit.fallback_ma > fallback_ma:
            self._uncovered(place, f"{most_ma} mA may be drawn now", left)
            return
        if not running:
            return
        if high_ma > fallback_ma:
            self._outlasts(place, unit, left, own_exact)
        elif high_ma < unit.fallback_ma:
            self._book.results["I12"].checked += 1
            until_ms = unit.rises_ms()
            # Its rise to the fallback, at the earliest, lies after the end of the entry, at the latest.
            if until_ms is None or (until_ms * MILLION - own_exact) * self.times.slow < left * self.times.fast:
                self._book.fail(
                    "I12",
                    unit.member,
                    f"its cap may end before {left // MILLION} ms are over, as {self.member} counts: {unit.said()}",
                )

    def _outlasts(self, place: int, unit: UnitWatch, left: int, own_exact: int) -> None:
        """I4 above the fallback: ceiling, pilot and what either was end before the entry does, by any clocks."""
        fallback_ma, times = self.fallbacks_ma[place], self.times
        ends: list[tuple[int, int | None]] = []
        if unit.ceiling_ma > fallback_ma:
            until_ms = unit.until_ms
            ends.append(
                (unit.ceiling_ma, None if until_ms is None else until_ms * MILLION + times.ramp_exact - own_exact)
            )
        if unit.pilot_ma > fallback_ma and unit.pilot_ma > unit.ceiling_ma:
            ends.append((unit.pilot_ma, unit.pilot_left(own_exact, fallback_ma)))
        ends += [(former_ma, end - own_exact) for former_ma, end in unit.formers if former_ma > fallback_ma]
        for most_ma, end in ends:
            if end is None or not times.surely_as_long(left, end):
                lasts = "for ever" if end is None else f"for {end // MILLION} ms"
                self._uncovered(place, f"{most_ma} mA may be drawn {lasts}", left)

    def _uncovered(self, place: int, why: str, left: int) -> None:
        unit = self.units[place]
        self._book.fail(
            "I4",
            unit.member,
            f"{why}; the ledger of {self.member} says {self.high_ma[place]} mA for {left // MILLION} ms, "
            f"then {self.fallbacks_ma[place]} mA: {unit.said()}, pilot {unit.pilot_ma} mA, former {unit.formers}",
        )

    def _issued(self, place: int, now_ms: int, before_ma: list[int], before_ms: list[int]) -> None:
        """A grant was issued: I5, I18 and I20 of it, and that there is authority for it (I6).

        Args:
            place: To whom.
            now_ms: Now.
            before_ma: Every entry as it was before this step.
            before_ms: Until when they were.
        """
        node, book = self.host.node, self._book
        leading = None if node is None else node.leading
        if node is None or leading is None:
            return
        account = leading.granting.accounts[place]
        grant, report = account.grant, account.report
        unit = self.units[place]
        if grant is None:
            return
        for counted in self._of_grants:
            counted.checked += 1
        if now_ms >= node.elector.authority.until_ms:
            book.fail("I6", self.member, f"grants at {now_ms} with authority until {node.elector.authority.until_ms}")
        if report is None or (grant.boot, grant.session, grant.report_no, grant.stamp_ms) != (
            report.boot,
            report.session,
            report.report_no,
            report.stamp_ms,
        ):
            book.fail("I20", self.member, f"grants {unit.member} something that answers no report of it: {grant}")
            return
        amps_ma, fallback_ma = grant.ceiling_ma, self.fallbacks_ma[place]
        running = self.high_ma[place] < fallback_ma and self.until_ms[place] > now_ms
        if grant.kind == CAP and running:
            latest_ms = report.heartbeat_ms + self.times.cap_exact // MILLION
            if self.until_ms[place] > latest_ms:
                book.fail(
                    "I18",
                    self.member,
                    f"counts on a cap of {unit.member} until {self.until_ms[place]}, not {latest_ms}",
                )
        if grant.kind == RAISE and self.until_ms[place] < now_ms + self.times.wait_ms:
            book.fail("I4", self.member, f"raises {unit.member} and counts it until {self.until_ms[place]} only")
        if grant.kind == TRIM or amps_ma <= min(report.ceiling_ma, fallback_ma):
            return
        capped = [other.grant is not None and other.grant.kind == CAP for other in leading.granting.accounts]
        self._fits(place, now_ms, self._as_issued(capped, now_ms, before_ma, before_ms))

    def _as_issued(self, capped: list[bool], now_ms: int, before_ma: list[int], before_ms: list[int]) -> list[int]:
        """Until when the entries were, as far as a raise of this step could know.

        A cap at or below what its unit has now is granted without regard to sums, maybe after the raise, and may end a
        little before the one that it replaces.
        """
        until_ms = list(self.until_ms)
        for place, high_ma in enumerate(self.high_ma):
            running = capped[place] and high_ma < self.fallbacks_ma[place] and until_ms[place] > now_ms
            if running and high_ma == before_ma[place]:
                until_ms[place] = max(until_ms[place], before_ms[place])
        return until_ms

    def _fits(self, place: int, now_ms: int, until_ms: list[int]) -> None:
        """I5: after a raise all sums of envelopes fit from now on: limits as they are now, later as commissioned."""
        node, rows, unit = self.host.node, self.rows, self.units[place]
        leading = None if node is None else node.leading
        if leading is None or rows is None:
            return
        entries = list(zip(self.high_ma, until_ms, self.fallbacks_ma, strict=True))
        loads_ma, limits = leading.surroundings.in_force(now_ms)
        later_ma = rows.commissioned_ma
        present_ma = later_ma if not loads_ma and not limits else rows.room_ma(loads_ma, limits)
        horizon_ms = now_ms + self.times.wait_ms + ROUNDING_MS
        for row in rows.of[unit.member]:
            before_ma, after_ma = rows.greatest_sum_ma(row, entries, now_ms, horizon_ms)
            if before_ma > present_ma[row] or after_ma > later_ma[row]:
                self._book.fail(
                    "I5",
                    self.member,
                    f"raises {unit.member} so that envelopes add up to {before_ma} mA, later {after_ma} mA, on line "
                    f"{rows.line[row] + 1} of {rows.circuit[row] or 'the network'}; {present_ma[row]} mA and "
                    f"{later_ma[row]} mA may be drawn: {entries}",
                )
