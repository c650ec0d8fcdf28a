"""Runs the ledger: the control first, then each mutant in its own copy, and what came of it."""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
from tests.mutations import scratch
from tests.mutations.table import PACKAGE, Mutant

SLACK_S = 120
"""What a process may take beside its trials."""


@attrs.frozen(kw_only=True)
class Budget:
    """How much is tried.

    Attributes:
        minutes: Simulated time of one trial.
        seeds: So many, from 1 on.
        worlds: What `all` stands for.
        wall_s: How long one mutant is tried.
        first_only: Whether a trial ends with the first thing that breaks.
        known_only: Whether nothing is tried but what is known to see a mutant.
        package: Where the code is.
    """

    minutes: float
    seeds: int
    worlds: tuple[str, ...]
    wall_s: float = 3_600
    first_only: bool = False
    known_only: bool = False
    package: Path = PACKAGE

    def worlds_of(self, mutant: Mutant) -> list[str]:
        """The worlds of a mutant, each once."""
        named = [one for world in mutant.worlds for one in (self.worlds if world == "all" else (world,))]
        return list(dict.fromkeys(named))

    def pairs_of(self, mutant: Mutant) -> list[tuple[str, int]]:
        """The worlds and seeds that are tried, in this order: what is known to see it comes first."""
        known = [] if mutant.seen is None else [mutant.seen]
        if self.known_only:
            return known
        worlds = self.worlds_of(mutant)
        return list(dict.fromkeys([*known, *((world, seed) for seed in range(1, self.seeds + 1) for world in worlds)]))


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of one mutant.

    Attributes:
        mutant: It.
        caught: Whether anything saw it.
        by: What saw it first: an invariant, `limit`, an exception, a test; empty: nothing.
        world: Where; empty: in a test.
        seed: With which seed; None: in a test.
        at_ms: When, in simulated time.
        text: In words.
        also: What else it broke.
        drawn: Whether devices offered, or vehicles drew, more than a limit.
        trials: How many were tried.
        minutes: How much was simulated.
        wall_s: How long it took.
    """

    mutant: Mutant
    caught: bool
    by: str = ""
    world: str = ""
    seed: int | None = None
    at_ms: int = 0
    text: str = ""
    also: tuple[str, ...] = ()
    drawn: bool = False
    trials: int = 0
    minutes: float = 0.0
    wall_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether this must not be: what is a matter of safety survives."""
        return self.mutant.safety and not self.caught


def control(pairs: Sequence[tuple[str, int]], budget: Budget, jobs: int) -> dict[tuple[str, int], str]:
    """Run the unchanged code over worlds and seeds; what breaks there, in words, which must be nothing."""
    found: dict[tuple[str, int], str] = {}
    with tempfile.TemporaryDirectory() as directory:
        scratch.copy(None, Path(directory), budget.package)

        def one(share: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
            request = {"pairs": share, "minutes": budget.minutes, "first_only": True, "every": True}
            answer = scratch.run(Path(directory), "any", request, 24 * 3_600)
            return list(answer["broken"])

        with ThreadPoolExecutor(jobs) as pool:
            for broken in pool.map(one, [list(pairs[place::jobs]) for place in range(jobs)]):
                for entry in broken:
                    at_s = entry["at_ms"] / 1_000
                    found[entry["world"], entry["seed"]] = f"{entry['by']} at {at_s:g} s: {entry['text']}"
    return found


def judge(mutant: Mutant, budget: Budget, unsound: Mapping[tuple[str, int], str]) -> Verdict:
    """Run one mutant; where the unchanged code breaks, too, nothing is concluded."""
    started = time.monotonic()
    if mutant.kernel == "native" and not scratch.can_compile():
        return Verdict(mutant=mutant, caught=True, by="not run: nothing to compile with")
    with tempfile.TemporaryDirectory() as directory:
        where = scratch.copy(mutant, Path(directory), budget.package)
        pairs = [pair for pair in budget.pairs_of(mutant) if pair not in unsound]
        answer: dict[str, Any] = {"broken": [], "trials": 0, "minutes": 0.0}
        if pairs:
            request = {"pairs": pairs, "minutes": budget.minutes, "first_only": budget.first_only}
            answer = scratch.run(where, mutant.kernel, {**request, "budget_s": budget.wall_s}, budget.wall_s + SLACK_S)
        verdict = Verdict(mutant=mutant, caught=False)
        if answer.get("hangs"):
            verdict = Verdict(mutant=mutant, caught=True, by="comes to no end")
        elif answer["broken"]:
            broken = answer["broken"][0]
            broken.pop("wall_s")
            verdict = Verdict(mutant=mutant, caught=True, **{**broken, "also": tuple(broken["also"])})
        if not verdict.caught and mutant.tests:
            passed, failed = scratch.pytest(where, mutant.kernel, mutant.tests, 900)
            if not passed:
                verdict = Verdict(mutant=mutant, caught=True, by="test", text=failed)
    wall_s = time.monotonic() - started
    return attrs.evolve(
        verdict, trials=answer.get("trials", 0), minutes=round(answer.get("minutes", 0.0), 1), wall_s=wall_s
    )


def run_all(
    mutants: Iterable[Mutant],
    budget: Budget,
    jobs: int,
    unsound: Mapping[tuple[str, int], str],
    show: Callable[[Verdict], None],
) -> list[Verdict]:
    """Run mutants, each within the budget, and tell of each as it is done."""

    def one(mutant: Mutant) -> Verdict:
        verdict = judge(mutant, budget, unsound)
        show(verdict)
        return verdict

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, mutants))
