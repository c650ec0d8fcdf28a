"""Walks two ledgers, the C kernel's and its twin's, through the same random calls, and stops where they first differ.

    python -m tests.native.ledger_lockstep --count 1000000 --seed 1

Every few dozen calls begin a new ledger. Amounts and times are mostly so small that ends, horizons and limits meet.
"""

# ruff: noqa: ANN401 - either backend's classes
from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

from attrs import define

from powershare._native import binding, codes, ledger_reference
from powershare._native.codes import GrantKind, KernelRefusal

COLUMNS = ("high", "until", "limit_now", "limit_later")
EXTREMES = (
    *(-1, 0, 1, (1 << 31) - 1, 1 << 31, -(1 << 31) - 1, (1 << 63) - 1, -(1 << 63), 1 << 63),
    *(codes.MAX_OFFER_MA + 1, codes.MAX_TIME_MS + 1, -codes.MAX_TIME_MS - 1, codes.MAX_LIMIT_MA + 1),
    codes.MIN_ROW_LIMIT_MA - 1,
)
EDGES = {
    "high": (0, codes.MAX_MEASURED_MA),
    "until": (-codes.MAX_TIME_MS, codes.MAX_TIME_MS + codes.MAX_WAIT_MS, 1 - (1 << 63)),
    "limit_now": (0, codes.MIN_ROW_LIMIT_MA, codes.MAX_LIMIT_MA, codes.NO_LIMIT - 1),
    "limit_later": (0, codes.MIN_ROW_LIMIT_MA, codes.MAX_LIMIT_MA, 1 - (1 << 63)),
}


class LedgerInput(NamedTuple):
    """What a ledger is made of."""

    rows_of_unit: list[list[int]]
    n_rows: int
    fallback: list[int]
    greatest: list[int]


class Scale(NamedTuple):
    """How large amounts and times are."""

    most: int
    span: int
    start: int


SCALES = (
    Scale(4, 6, 0),
    Scale(4, 6, 0),
    Scale(12, 30, -15),
    Scale(40_000, 40_000, 1_000_000),
    Scale(codes.MAX_OFFER_MA, codes.MAX_WAIT_MS, codes.MAX_TIME_MS - 2 * codes.MAX_WAIT_MS),
    Scale(codes.MAX_OFFER_MA, codes.MAX_WAIT_MS, -codes.MAX_TIME_MS),
)


def ledger_input(rng: Random, most: int, most_units: int = 7, most_rows: int = 4) -> LedgerInput:
    """A ledger that compiles."""
    n, m = rng.randint(0 if rng.random() < 0.05 else 1, most_units), rng.randint(0, most_rows)
    everywhere = rng.random() < 0.4
    rows = [rng.sample(range(m), m if everywhere else rng.randint(0, m)) for _ in range(n)]
    fallback = [rng.choice((0, most // 4, rng.randint(0, most))) for _ in range(n)]
    return LedgerInput(rows, m, fallback, [rng.choice((most, rng.randint(low, most))) for low in fallback])


def spoil(rng: Random, made: LedgerInput) -> LedgerInput:
    """Breaks one thing: rows listed twice or not there, lengths that differ, amounts out of their order."""
    rows, n_rows, fallback, greatest = [list(row) for row in made.rows_of_unit], *made[1:]
    fallback, greatest = list(fallback), list(greatest)
    what = rng.randrange(6)
    if what == 0 and rows:
        rng.choice(rows).append(rng.choice((0, n_rows, -1, n_rows - 1)))
    elif what == 1:
        n_rows = rng.choice((-1, 0, n_rows - 1, codes.MAX_ROWS + 1))
    elif what == 2:
        rng.choice((fallback, greatest)).extend([0] * rng.randint(0, 2))
        del rng.choice((fallback, greatest))[rng.randint(0, len(rows)) :]
    elif rows:
        rng.choice((fallback, greatest))[rng.randrange(len(rows))] = rng.choice(EXTREMES)
    return LedgerInput(rows, n_rows, fallback, greatest)


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What a call answers or raises."""
    try:
        return "answers", call()
    except KernelRefusal as refusal:
        return "refuses", refusal.code
    except OverflowError:
        return "overflows", None


def held(ledger: Any) -> tuple[bytes, ...]:
    """Every byte that a ledger holds."""
    return tuple(getattr(ledger, name).tobytes() for name in COLUMNS)


@define
class Walk:
    """Two ledgers side by side, and the time on their leader's clock."""

    rng: Random
    made: LedgerInput
    scale: Scale
    native: Any
    twin: Any
    now: int

    def amount(self) -> int:
        """An amount that the kernel accepts."""
        return self.rng.choice((0, self.scale.most, self.rng.randint(0, self.scale.most), *self.made.fallback))

    def instant(self, spread: int = 2) -> int:
        """An instant about now; often one that the ledger knows."""
        known = self.rng.choice(self.twin.until) if self.made.rows_of_unit and self.rng.random() < 0.4 else self.now
        found = known + self.rng.choice((0, -1, 1, self.rng.randint(-self.scale.span, spread * self.scale.span)))
        return max(-codes.MAX_TIME_MS, min(codes.MAX_TIME_MS, found))

    def wait(self) -> int:
        return self.rng.choice((self.scale.span, self.rng.randint(1, self.scale.span)))

    def unit(self) -> int:
        return self.rng.randrange(max(1, len(self.made.rows_of_unit)))

    def call(self) -> tuple[str, list[int]]:
        """A method and arguments that the kernel accepts, mostly."""
        rng, unit, wait = self.rng, self.unit(), self.wait()
        name = rng.choices(("issue", "learn", "room", "envelope", "open", "suspect"), (8, 6, 4, 1, 1, 1))[0]
        if name == "open":
            return name, [self.now, wait]
        if name == "suspect":
            return name, [unit, self.now, wait]
        if name == "envelope":
            return name, [unit, self.instant()]
        if name == "room":
            start = rng.choice((self.now, self.instant()))
            upto = min(start + rng.randint(1, 2 * self.scale.span), codes.MAX_TIME_MS)
            return name, [unit, start, upto, self.instant()]
        if name == "learn":
            measured = rng.choice((-1, -1, self.amount(), codes.MAX_MEASURED_MA if rng.random() < 0.1 else 0))
            return name, [unit, self.now, wait, rng.random() < 0.6, self.amount(), self.instant(), measured]
        amps = self.amount()
        fallback = self.made.fallback[unit] if unit < len(self.made.fallback) else 0
        kind = GrantKind.RAISE if amps > fallback else GrantKind.CAP if amps < fallback else GrantKind.FALL_BACK
        kind = GrantKind.TRIM if amps >= fallback and rng.random() < 0.1 else kind
        horizon = rng.choice((self.now + wait, self.instant()))
        horizon = min(horizon, codes.MAX_TIME_MS)
        return name, [unit, kind, amps, self.amount(), self.now, wait, horizon, self.instant()]

    def write(self, column: str, place: int, value: int) -> None:
        """Writes the same value into both."""
        getattr(self.native, column)[place] = value
        getattr(self.twin, column)[place] = value

    def set_limits(self) -> None:
        """Limits about where they bind."""
        plenty = sum(self.made.greatest) + 1
        for column in COLUMNS[2:]:
            for row in range(self.made.n_rows):
                binding_here = sum(self.made.fallback) + self.rng.randint(-1, self.scale.most)
                self.write(column, row, self.rng.choice((binding_here, self.rng.randint(-1, plenty), codes.NO_LIMIT)))

    def spoil_entry(self) -> tuple[str, int, int] | None:
        """Writes what no call leaves there, or nearly; answers what to write to mend it."""
        column = self.rng.choice(COLUMNS)
        held_here = getattr(self.twin, column)
        if not held_here:
            return None
        place = self.rng.randrange(len(held_here))
        mended = column, place, held_here[place]
        self.write(column, place, self.rng.choice(EDGES[column]) + self.rng.choice((-1, 0, 1)))
        return mended

    def step(self) -> tuple[str, str]:
        """One call on both; answers what it was. AssertionError where they differ."""
        rng = self.rng
        if rng.random() < 0.5:
            self.now = min(self.now + rng.choice((0, 1, rng.randint(0, self.scale.span))), codes.MAX_TIME_MS)
        if rng.random() < 0.05:
            self.set_limits()
        name, arguments = self.call()
        if rng.random() < 0.05:
            place = rng.randrange(len(arguments))
            if not isinstance(arguments[place], bool):
                arguments[place] = rng.choice(EXTREMES)
        written = self.spoil_entry() if rng.random() < 0.03 else None
        before = held(self.twin)
        answers = [outcome(partial(getattr(ledger, name), *arguments)) for ledger in (self.native, self.twin)]
        what = (self.made, dict(zip(COLUMNS, before, strict=True)), name, arguments)
        assert answers[0] == answers[1], (answers, what)
        assert held(self.native) == held(self.twin), what
        assert answers[0][0] == "answers" or held(self.twin) == before, ("written after a refusal", what)
        if written is not None:
            self.write(*written)
        kind, value = answers[0]
        return name, value.name if kind == "refuses" else str(value) if isinstance(value, bool) else kind


def begin(rng: Random, most_units: int, most_rows: int, twin_type: Any) -> tuple[Walk | None, str]:
    """Two ledgers of the same random columns, or None and the code with which both were refused."""
    scale = rng.choice(SCALES)
    made = ledger_input(rng, scale.most, most_units, most_rows)
    if rng.random() < 0.2:
        made = spoil(rng, made)
    native = outcome(lambda: binding.NativeLedger(*made))
    twin = outcome(lambda: twin_type(*made))
    if native[0] != "answers" or twin[0] != "answers":
        assert native == twin, (native, twin, made)
        return None, twin[1].name if twin[0] == "refuses" else twin[0]
    walk = Walk(rng, made, scale, native[1], twin[1], scale.start)
    assert held(walk.native) == held(walk.twin)
    if rng.random() < 0.9:
        walk.set_limits()
        walk.native.open(walk.now, scale.span)
        walk.twin.open(walk.now, scale.span)
    return walk, "answers"


def run(
    rng: Random, count: int, most_units: int = 7, most_rows: int = 4, twin_type: Any = ledger_reference.ReferenceLedger
) -> Counter[tuple[str, str]]:
    """Makes so many calls; answers how many of each kind there were, by what became of them."""
    seen: Counter[tuple[str, str]] = Counter()
    while seen.total() < count:
        walk, made = begin(rng, most_units, most_rows, twin_type)
        seen["compile", made] += 1
        if walk is not None:
            seen.update(walk.step() for _ in range(min(60, count - seen.total())))
    return seen


def main(arguments: Sequence[str] | None = None) -> None:
    """Counts calls by kind and outcome, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--units", type=int, default=7)
    parser.add_argument("--rows", type=int, default=4)
    options = parser.parse_args(arguments)
    seen = run(Random(options.seed), options.count, options.units, options.rows)
    for (name, became), count in sorted(seen.items(), key=lambda item: (item[0][0], -item[1])):
        sys.stdout.write(f"{count:9}  {name:9} {became}\n")
    sys.stdout.write(f"{seen.total():9}  calls, C and twin the same to the last byte (seed {options.seed})\n")


if __name__ == "__main__":
    main()
