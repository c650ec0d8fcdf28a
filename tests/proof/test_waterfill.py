"""Water-filling by steps, by induction with z3: if all sums hold before a step, they hold after it, so always.

A step raises one unit by no more than its ceiling and the least slack of its breakers allow. Integers are unbounded and
which breakers a unit hangs on is free, so each proof is of every site with so many units and breakers at once. For any
number of them the step of the kernel itself is proved: `a_step_keeps_the_sum` in `sharing_theorems.c`.
"""

from typing import Any, TypeAlias

import attrs
import pytest

Term: TypeAlias = Any
"""An expression of z3, which has no types of its own."""

z3: Any = pytest.importorskip("z3", reason="z3-solver is not installed")

SIZES = [(units, breakers) for units in (2, 3, 4) for breakers in (1, 2, 3)]
BITS = 12
"""Of a word in machine arithmetic. The claim is the same at any width; at 16 it takes a minute."""
MOST_OF_LIMIT, MOST_OF_UNIT = 1600, 250
"""The greatest limit and ceiling there: two ceilings fit a word, as they do in the kernel."""


@attrs.frozen
class Sharing:
    """A site of any shape, and what its units are given."""

    floor: list[Term]
    ceiling: list[Term]
    given: list[Term]
    limit: list[Term]
    on: list[list[Term]]

    @classmethod
    def of(cls, units: int, breakers: int) -> "Sharing":
        """Return a site of so many units and breakers about which nothing is known."""
        floor, ceiling, given = (z3.Ints(" ".join(f"{name}{i}" for i in range(units))) for name in "fcx")
        on = [[z3.Bool(f"on{b}_{i}") for i in range(units)] for b in range(breakers)]
        return cls(floor, ceiling, given, [z3.Int(f"limit{b}") for b in range(breakers)], on)

    def slack(self, given: list[Term], breaker: int) -> Term:
        """Return what is left of a breaker."""
        drawn = [z3.If(on, amps, 0) for on, amps in zip(self.on[breaker], given, strict=True)]
        return self.limit[breaker] - z3.Sum(drawn)

    def holds(self, given: list[Term]) -> Term:
        """Return that floors, ceilings and every limit are kept."""
        each = zip(self.floor, given, self.ceiling, strict=True)
        kept = [z3.And(floor <= amps, amps <= ceiling) for floor, amps, ceiling in each]
        return z3.And(*kept, *(self.slack(given, breaker) >= 0 for breaker in range(len(self.limit))))

    def is_admitted(self) -> Term:
        """Return that the floors are sound and fit together."""
        sound = [z3.And(low >= 0, low <= high) for low, high in zip(self.floor, self.ceiling, strict=True)]
        return z3.And(*sound, *(self.slack(self.floor, breaker) >= 0 for breaker in range(len(self.limit))))

    def step(self, looked_at: int) -> tuple[Any, list[Term]]:
        """Return when a step may be taken that looks at so many breakers, and what is given after it."""
        unit, amount = z3.Ints("unit amount")
        may = [amount >= 0, unit >= 0, unit < len(self.given)]
        for i, amps in enumerate(self.given):
            may.append(z3.Implies(unit == i, amps + amount <= self.ceiling[i]))
            for breaker in range(looked_at):
                here = z3.And(unit == i, self.on[breaker][i])
                may.append(z3.Implies(here, amount <= self.slack(self.given, breaker)))
        return z3.And(*may), [z3.If(unit == i, amps + amount, amps) for i, amps in enumerate(self.given)]


def can_be(*claims: Term) -> bool:
    """Return whether all can be true at once."""
    solver = z3.Solver()
    solver.add(*claims)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


@pytest.mark.parametrize(("units", "breakers"), SIZES)
def test_what_is_admitted_holds_before_the_first_step(units: int, breakers: int) -> None:
    site = Sharing.of(units, breakers)
    assert can_be(site.is_admitted())
    assert not can_be(site.is_admitted(), z3.Not(site.holds(site.floor)))


@pytest.mark.parametrize(("units", "breakers"), SIZES)
def test_a_step_keeps_every_limit(units: int, breakers: int) -> None:
    site = Sharing.of(units, breakers)
    may, after = site.step(breakers)
    assert can_be(site.is_admitted(), site.holds(site.given), may, z3.Sum(after) > z3.Sum(site.given))
    assert not can_be(site.is_admitted(), site.holds(site.given), may, z3.Not(site.holds(after)))


@pytest.mark.parametrize(("units", "breakers"), [size for size in SIZES if size[1] > 1])
def test_a_step_that_looks_at_one_breaker_less_is_refuted(units: int, breakers: int) -> None:
    site = Sharing.of(units, breakers)
    may, after = site.step(breakers - 1)
    assert can_be(site.is_admitted(), site.holds(site.given), may, z3.Not(site.holds(after)))


def words(invariant: bool) -> list[Term]:
    """Return claims on a step of two units on one breaker in machine words that ends with a limit exceeded."""
    limit, amount, *rest = z3.BitVecs("limit amount f0 f1 x0 x1 c0 c1", BITS)
    floor, given, ceiling = rest[:2], rest[2:4], rest[4:]

    def total(amps: list[Term]) -> Term:
        return z3.ZeroExt(BITS, amps[0]) + z3.ZeroExt(BITS, amps[1])

    after = [given[0] + amount, given[1]]
    claims = [
        z3.ULE(limit, MOST_OF_LIMIT),
        z3.ULE(amount, limit - (given[0] + given[1])),
        z3.ULE(amount, ceiling[0] - given[0]),
    ]
    for low, amps, high in zip(floor, given, ceiling, strict=True):
        claims += [z3.ULE(low, amps), z3.ULE(amps, high), z3.ULE(high, MOST_OF_UNIT)]
    if invariant:
        claims.append(z3.ULE(total(given), z3.ZeroExt(BITS, limit)))
    exceeded = z3.UGT(total(after), z3.ZeroExt(BITS, limit))
    return [*claims, z3.Or(exceeded, z3.UGT(after[0], ceiling[0]), z3.ULT(after[0], given[0]))]


def test_a_step_in_machine_words_does_not_wrap() -> None:
    assert not can_be(*words(invariant=True))


def test_without_the_invariant_the_slack_wraps() -> None:
    assert can_be(*words(invariant=False))
