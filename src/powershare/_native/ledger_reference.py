"""The plain Python twin of the ledger in C: the same questions, the same answers to the last byte, written to be read.

Per unit an envelope, which is at no future instant less than what the unit may be drawing if nothing more is granted:
`high` before the instant `until`, the fall-back from then on. A grant is issued where all envelopes together keep to
every limit at every instant to come.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from powershare._native import codes
from powershare._native.codes import GrantKind, KernelCode, KernelRefusal
from powershare._native.columns import LedgerColumns

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen(eq=False)
class ReferenceLedger(LedgerColumns):
    """A leader's ledger. Raises KernelRefusal where the columns do not describe one.

    Its methods raise KernelRefusal, and have changed nothing, where an argument or an entry is not sound. `now` is the
    leader's clock and never goes back; `wait` is how long after now a raise issued by then may still be drawn.
    """

    def __attrs_post_init__(self) -> None:
        if code := _first(_wrong_with_columns(self)):
            raise KernelRefusal(code)

    def open(self, now: int, wait: int) -> None:
        """A new authority knows nothing: every unit may be drawing its greatest, until all older grants are over."""
        _refuse(_first(_wrong_with_times(wait, now)), (), (now, wait))
        for unit in range(self.n_units):
            self.high[unit], self.until[unit] = self.greatest[unit], now + wait

    def suspect(self, unit: int, now: int, wait: int) -> None:
        """The same for one unit: two were seen under its name."""
        _refuse(self._wrong_with_unit(unit) or _first(_wrong_with_times(wait, now)), (unit,), (now, wait))
        self.high[unit], self.until[unit] = self.greatest[unit], now + wait

    def learn(self, unit: int, now: int, wait: int, settled: bool, current: int, cap_until: int, measured: int) -> None:
        """Takes in a usable report.

        Args:
            unit: Whose report it is.
            now: The leader's clock.
            wait: How long a raise issued by now may still be drawn.
            settled: Whether it shows the grant issued last as applied, or a new boot. If not, only `measured` counts.
            current: What the unit may be drawing by its own account.
            cap_until: How long it surely keeps to a current below the fall-back.
            measured: What its meter reads, or NOT_MEASURED.
        """
        wrong = (
            self._wrong_with_unit(unit)
            or _first(_wrong_with_times(wait, now, cap_until))
            or _first(
                (
                    (KernelCode.AMOUNT, not 0 <= current <= codes.MAX_OFFER_MA),
                    (KernelCode.AMOUNT, not codes.NOT_MEASURED <= measured <= codes.MAX_MEASURED_MA),
                )
            )
            or _first(((KernelCode.ENTRY, not self._is_entry(unit)),))
        )
        _refuse(wrong, (unit,), (now, wait, current, cap_until, measured))
        if settled:
            self._learn_current(unit, now, wait, current, cap_until)
        if measured > self._envelope(unit, now):
            self.high[unit] = measured
            if measured > self.fallback[unit]:
                self.until[unit] = max(self.until[unit], now + wait)

    def issue(
        self, unit: int, kind: int, amps: int, ceiling: int, now: int, wait: int, horizon: int, cap_until: int
    ) -> bool:
        """Books a grant if it may be issued; if not, the ledger stays as it was.

        Args:
            unit: To whom.
            kind: A `GrantKind`, and the one that fits `amps`.
            amps: The ceiling that is granted, in milliamps.
            ceiling: The ceiling that the report told which this grant answers.
            now: The leader's clock.
            wait: How long a raise issued now may be drawn.
            horizon: From when on `limit_later` counts.
            cap_until: How long a cap issued now surely lasts.

        Returns:
            Whether the grant may be sent.
        """
        wrong = (
            self._wrong_with_unit(unit)
            or _first(_wrong_with_times(wait, now, horizon, cap_until))
            or _first(
                (
                    (KernelCode.AMOUNT, not 0 <= amps <= codes.MAX_OFFER_MA),
                    (KernelCode.AMOUNT, not 0 <= ceiling <= codes.MAX_OFFER_MA),
                    (KernelCode.KIND, not self._is_kind(unit, kind, amps)),
                )
            )
            or self._wrong_with_rows(unit)
        )
        _refuse(wrong, (unit, kind), (amps, ceiling, now, wait, horizon, cap_until))
        if kind == GrantKind.TRIM:
            return True
        high, until = self._entry_after(unit, kind, amps, now, wait, cap_until)
        if amps <= min(ceiling, self.fallback[unit]) or self._fits(unit, high, until, now, horizon):
            self.high[unit], self.until[unit] = high, until
            return True
        return False

    def room(self, unit: int, start: int, upto: int, horizon: int) -> int:
        """The least that the others leave of any row of the unit, in milliamps; it may be less than nothing.

        Args:
            unit: Who would use it.
            start: The first instant that counts.
            upto: The instant before which the last one lies.
            horizon: From when on `limit_later` counts.

        Returns:
            The room, or NO_LIMIT where no row has a limit.
        """
        wrong = (
            self._wrong_with_unit(unit)
            or _first((*_wrong_with_times(1, start, upto, horizon), (KernelCode.TIME, start >= upto)))
            or self._wrong_with_rows(unit)
        )
        _refuse(wrong, (unit,), (start, upto, horizon))
        left = codes.NO_LIMIT
        for row in self.rows_of_unit[unit]:
            others = [other for other in self.units_of_row[row] if other != unit]
            for at in (start, horizon, *(self.until[other] for other in others)):
                limit = self._limit(row, at, horizon)
                if start <= at < upto and limit != codes.NO_LIMIT:
                    left = min(left, limit - sum(self._envelope(other, at) for other in others))
        return left

    def envelope(self, unit: int, at: int) -> int:
        """What the unit may be drawing at an instant, if nothing more is granted."""
        wrong = self._wrong_with_unit(unit) or _first(
            (*_wrong_with_times(1, at), (KernelCode.ENTRY, not self._is_entry(unit)))
        )
        _refuse(wrong, (unit,), (at,))
        return self._envelope(unit, at)

    def _envelope(self, unit: int, at: int) -> int:
        return self.high[unit] if at < self.until[unit] else self.fallback[unit]

    def _limit(self, row: int, at: int, horizon: int) -> int:
        return self.limit_now[row] if at < horizon else self.limit_later[row]

    def _is_running_cap(self, unit: int, now: int) -> bool:
        """Whether the entry says that the unit stays below its fall-back for a while."""
        return self.high[unit] < self.fallback[unit] and self.until[unit] > now

    def _learn_current(self, unit: int, now: int, wait: int, current: int, cap_until: int) -> None:
        if current >= self.fallback[unit]:
            self.high[unit] = current
            if self.until[unit] <= now:
                self.until[unit] = now + wait
        elif not self._is_running_cap(unit, now) or self.until[unit] < cap_until:
            # Of two true bounds the better is kept: a report that is newer can know less.
            self.high[unit], self.until[unit] = current, cap_until

    def _entry_after(self, unit: int, kind: int, amps: int, now: int, wait: int, cap_until: int) -> tuple[int, int]:
        """What counts once the grant is on its way: it may be applied, or late, or lost.

        An entry that is over counts as the fall-back.
        """
        high = max(self._envelope(unit, now), amps)
        if kind == GrantKind.RAISE:
            return high, now + wait
        if kind == GrantKind.CAP and self._is_running_cap(unit, now):
            return high, min(self.until[unit], cap_until)  # the new cap can end before the one it replaces
        return high, self.until[unit]

    def _fits(self, unit: int, high: int, until: int, now: int, horizon: int) -> bool:
        """Whether, with this entry for the unit, no row of it is exceeded from now on.

        Between two of the instants looked at, nothing changes. That the entry is no higher than before would be no
        reason: it is an upper bound, and others may lean on the unit being lower than it says.
        """
        for row in self.rows_of_unit[unit]:
            entries = [
                (high, until, self.fallback[other])
                if other == unit
                else (self.high[other], self.until[other], self.fallback[other])
                for other in self.units_of_row[row]
            ]
            for at in (now, horizon, *(end for _, end, _ in entries)):
                limit = self._limit(row, at, horizon)
                if at < now or limit == codes.NO_LIMIT:
                    continue
                if sum(before if at < end else after for before, end, after in entries) > limit:
                    return False
        return True

    def _is_kind(self, unit: int, kind: int, amps: int) -> bool:
        fallback = self.fallback[unit]
        fitting = {
            GrantKind.RAISE: fallback < amps <= self.greatest[unit],
            GrantKind.CAP: amps < fallback,
            GrantKind.FALL_BACK: amps == fallback,
            GrantKind.TRIM: amps >= fallback,
        }
        return any(kind == each and fits for each, fits in fitting.items())

    def _is_entry(self, unit: int) -> bool:
        """Whether the unit's entry is one that calls leave: then no sum of them can wrap in C."""
        return (
            0 <= self.high[unit] <= codes.MAX_MEASURED_MA
            and -codes.MAX_TIME_MS <= self.until[unit] <= codes.MAX_TIME_MS + codes.MAX_WAIT_MS
        )

    def _wrong_with_unit(self, unit: int) -> KernelCode:
        return KernelCode.OK if 0 <= unit < self.n_units else KernelCode.UNIT

    def _wrong_with_rows(self, unit: int) -> KernelCode:
        rows = self.rows_of_unit[unit]
        seen = {unit, *(other for row in rows for other in self.units_of_row[row])}
        return _first(
            (
                (KernelCode.ROW_LIMIT, not all(map(_is_row_limit, (self.limit_now[row] for row in rows)))),
                (KernelCode.ROW_LIMIT, not all(map(_is_row_limit, (self.limit_later[row] for row in rows)))),
                (KernelCode.ENTRY, not all(map(self._is_entry, seen))),
            )
        )


def _is_row_limit(limit: int) -> bool:
    return codes.MIN_ROW_LIMIT_MA <= limit <= codes.MAX_LIMIT_MA or limit == codes.NO_LIMIT


def _wrong_with_times(wait: int, *instants: int) -> tuple[tuple[KernelCode, bool], ...]:
    return (
        (KernelCode.TIME, any(not -codes.MAX_TIME_MS <= at <= codes.MAX_TIME_MS for at in instants)),
        (KernelCode.WAIT, not 0 < wait <= codes.MAX_WAIT_MS),
    )


def _wrong_with_columns(ledger: LedgerColumns) -> Iterable[tuple[KernelCode, bool]]:
    yield KernelCode.TOPOLOGY, any(one == other for rows in ledger.rows_of_unit for one, other in pairwise(rows))
    for fallback, greatest in zip(ledger.fallback, ledger.greatest, strict=False):
        yield KernelCode.FALLBACK, not 0 <= fallback <= greatest <= codes.MAX_OFFER_MA


def _first(wrong: Iterable[tuple[KernelCode, bool]]) -> KernelCode:
    return next((code for code, applies in wrong if applies), KernelCode.OK)


def _refuse(code: KernelCode, narrow: tuple[int, ...], wide: tuple[int, ...]) -> None:
    """Raises what the door to C raises: what does not fit an integer of C is turned away before anybody looks at it."""
    if code == KernelCode.OK:
        return
    if not (
        all(-(1 << 31) <= value < 1 << 31 for value in narrow) and all(-(1 << 63) <= value < 1 << 63 for value in wide)
    ):
        raise OverflowError("a value does not fit the kernel's integers")
    raise KernelRefusal(code)
