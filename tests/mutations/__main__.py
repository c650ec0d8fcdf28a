"""Runs the mutation ledger: `python -m tests.mutations`, one line per mutant.

`NAME ...` runs some, by their names or what those begin with; `--tier ci` the sample of the continuous check, each with
the world and seed by which it is known to be caught; `--tier all` everything. `--table FILE` writes what came of them
in Markdown. Exit code 1: a mutant survives that is a matter of safety, or the unchanged code breaks something.
"""

# ruff: noqa: T201 - it is a command, and prints
import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import attrs
from tests.mutations import ledger, outcomes
from tests.mutations.ledger import Budget, Verdict
from tests.mutations.table import Mutant, misfits, read

TIERS = ("ci", "all")


def line(verdict: Verdict) -> str:
    """One verdict, for people."""
    mutant = verdict.mutant
    word = "caught" if verdict.caught else "SURVIVED" if mutant.safety else "survived"
    if verdict.seed is None:
        where = verdict.by + (f" {verdict.text}" if verdict.text else "")
    else:
        where = f"{verdict.by:4} {verdict.world} seed {verdict.seed} at {verdict.at_ms / 1_000:g} s"
    tried = f"{verdict.trials} trials, {verdict.minutes:g} min, {verdict.wall_s:.1f} s"
    return f"{word:8} {mutant.name:42} {mutant.source:11} {where}  ({tried})"


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Run the mutation ledger.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutants, or all whose name begins so")
    parser.add_argument("--tier", choices=TIERS, default="all", help="ci: a sample; all: everything (the default)")
    parser.add_argument("--jobs", type=int, default=2, help="copies at a time (default 2)")
    parser.add_argument("--seeds", type=int, help="another number of seeds")
    parser.add_argument("--minutes", type=float, help="another length of a trial, in simulated minutes")
    parser.add_argument("--package", type=Path, help="another copy of src/powershare to change")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write what came of them, in Markdown")
    parser.add_argument("--no-control", action="store_true", help="leave out the unchanged code")
    parser.add_argument("--text", action="store_true", help="say what broke, in words")
    options = parser.parse_args(arguments)
    said, mutants = read()
    budget = Budget(
        minutes=options.minutes or said["minutes"], seeds=options.seeds or said["seeds"], worlds=tuple(said["worlds"])
    )
    if options.package:
        budget = attrs.evolve(budget, package=options.package)
    chosen = [one for one in mutants if not options.names or one.name.startswith(tuple(options.names))]
    wrong = misfits(chosen, budget.package)
    if wrong or not chosen:
        print("\n".join(wrong) or "no mutant has such a name", file=sys.stderr)
        return 2
    started = time.monotonic()
    if options.tier == "ci":
        chosen = [one for one in chosen if one.ci]
        budget = attrs.evolve(budget, first_only=True, known_only=True)
    unsound = {} if options.no_control else checked(chosen, budget, options.jobs)

    def show(verdict: Verdict) -> None:
        print(line(verdict), flush=True)
        if options.text and verdict.text:
            print(f"         {verdict.text}\n         also {', '.join(verdict.also) or 'nothing'}", flush=True)

    verdicts = ledger.run_all(chosen, budget, options.jobs, unsound, show)
    wall_s = time.monotonic() - started
    survivors = [one.mutant.name for one in verdicts if one.failed]
    print(f"{len(verdicts)} mutants, {sum(one.caught for one in verdicts)} caught, {wall_s:.0f} s")
    if survivors:
        print(f"survived, and must not: {', '.join(survivors)}")
    if options.table:
        outcomes.write(options.table, verdicts, budget, unsound, wall_s)
    return 1 if survivors or unsound else 0


def checked(mutants: Iterable[Mutant], budget: Budget, jobs: int) -> dict[tuple[str, int], str]:
    """The control: the unchanged code over everything that mutants are run over."""
    pairs = {pair for mutant in mutants for pair in budget.pairs_of(mutant)}
    started = time.monotonic()
    found = ledger.control(sorted(pairs), budget, jobs)
    for (world, seed), text in sorted(found.items()):
        print(f"the unchanged code breaks: {world} seed {seed}: {text}")
    wall_s = time.monotonic() - started
    print(f"control: {len(pairs)} trials of {budget.minutes:g} min, {len(found)} broken, {wall_s:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
