"""Proves the kernel: `python -m tests.proof`, one line per function, exit code 1 when a goal is not as expected.

`--tier all` (the default) proves every contract, and with `--record` remembers of which sources. `--tier ci` proves a
part of it again where the sources are those, and otherwise everything: a proof of the same bytes is the same proof.
Both put mistakes into a copy of the sources and expect an unproved goal. Exit code 2: Frama-C, Why3 or z3 is not there.
"""

# ruff: noqa: T201 - it is a command, and prints
import argparse
import sys
import time

from tests.proof import mistakes, parts, prover, record
from tests.proof.prover import Outcome


def line(outcome: Outcome) -> tuple[str, bool]:
    """Return what the goals of a function came to, for people, and whether that is as expected."""
    known = parts.UNPROVED.get(outcome.function, frozenset())
    surprises = sorted(set(outcome.unproved) ^ known)
    proved = outcome.goals - len(outcome.unproved)
    verdict = "FAILED" if surprises or not outcome.goals else "open" if known else "ok"
    text = f"{verdict:6} {outcome.function:24} {proved:>3} of {outcome.goals:>3} goals proved"
    return f"{text}{': ' + ', '.join(surprises or sorted(known)) if surprises or known else ''}", verdict != "FAILED"


def main(arguments: list[str] | None = None) -> int:
    """Prove, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description="Prove the kernel's contracts.")
    parser.add_argument(
        "--tier", choices=("ci", "all"), default="all", help="ci: a part, where everything is proved of these sources"
    )
    parser.add_argument("--record", action="store_true", help="remember that everything was proved of these sources")
    parser.add_argument("--only", nargs="+", metavar="FUNCTION", help="these functions, and no mistakes")
    parser.add_argument("--jobs", type=int, default=1, help="goals at a time (default 1)")
    options = parser.parse_args(arguments)
    absent = prover.missing()
    if absent:
        print(f"{' and '.join(absent)} not found. {prover.HOW_TO_INSTALL}", file=sys.stderr)
        return 2
    if options.record and (options.tier != "all" or options.only):
        parser.error("--record needs everything to be proved: neither --tier ci nor --only")
    tier = options.tier
    if tier == "ci" and not record.is_current():
        print("the sources are not those of which everything was last proved: everything is proved")
        print("(python -m tests.proof --record remembers it)", flush=True)
        tier = "all"
    started = time.monotonic()
    failed = goals = 0
    for part in parts.PARTS:
        chosen = [name for name in part.functions(tier) if not options.only or name in options.only]
        for outcome in prover.prove(part.name, chosen, jobs=options.jobs) if chosen else []:
            text, as_expected = line(outcome)
            print(text, flush=True)
            failed += not as_expected
            goals += outcome.goals - len(outcome.unproved)
    for mistake in () if options.only else mistakes.chosen(options.tier):
        found = mistake.is_found(options.jobs)
        verdict, result = ("ok", "not proved") if found else ("FAILED", "PROVED")
        print(f"{verdict:6} {mistake.function:24} {mistake.about}: {result}", flush=True)
        failed += not found
    if options.record and not failed:
        record.write(goals)
    print(f"{goals} goals proved, {failed} lines not as expected, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
