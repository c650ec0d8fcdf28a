"""Searches the models: `python -m tests.model --tier ci`, one line per search, exit code 1 when one is not as expected.

`--tier long` is everything (hours, and up to 10 GB; `--minutes 12 --memory 8000` bounds each search); `--only NAME ...`
some; `--markdown` prints a table; `--trail NAME` prints the shortest way into the error that a check finds.
Exit code 2: Spin or the compiler is not there.
"""

# ruff: noqa: T201 - it is a command, and prints
import argparse
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import attrs
from tests.model import checks, spin, table
from tests.model.spin import Outcome
from tests.model.table import Check

MEMORY_TO_RUN_ALONE_MB = 4000
"""A search that may take more than this runs with nothing beside it."""


def line(check: Check, outcome: Outcome) -> str:
    """Return what one check came to, for people."""
    complaint = check.complaint(outcome)
    return (
        f"{'FAILED' if complaint else 'ok':6} {check.name:32} errors {outcome.errors}  states {outcome.states:>11,}"
        f"  transitions {outcome.transitions:>13,}  depth {outcome.depth:>9,}  {outcome.memory_mb:>6,.0f} MB"
        f"  {outcome.seconds:>6.1f} s  {outcome.extent}{': ' + complaint if complaint else ''}"
    )


def row(check: Check, outcome: Outcome) -> str:
    """Return the same as a line of a table in Markdown."""
    defines = " ".join(check.search.defines)
    return (
        f"| `{check.name}` | {check.about} | `{defines}` | {outcome.errors} | {outcome.states:,}"
        f" | {outcome.transitions:,} | {outcome.depth:,} | {outcome.memory_mb:,.0f} | {outcome.seconds:,.1f}"
        f" | {outcome.extent} |"
    )


HEAD = (
    "| check | what | defines | errors | states | transitions | depth | MB | s | extent |\n"
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def bounded(check: Check, minutes: int | None, memory_mb: int | None) -> Check:
    """Return a check whose search takes no more than that; one that is cut short by it is told as partial."""
    search = check.search
    search = attrs.evolve(search, minutes=min(search.minutes, minutes or search.minutes))
    search = attrs.evolve(search, memory_mb=min(search.memory_mb, memory_mb or search.memory_mb))
    return attrs.evolve(check, search=search)


def search_all(checks: Iterable[Check], jobs: int, show: Callable[[Check, Outcome], str]) -> int:
    """Run the checks, print a line for each as it ends, and return how many are not as expected."""
    small = [check for check in checks if check.search.memory_mb <= MEMORY_TO_RUN_ALONE_MB]
    large = [check for check in checks if check.search.memory_mb > MEMORY_TO_RUN_ALONE_MB]

    def one(check: Check) -> bool:
        outcome = spin.run(check.search)
        print(show(check, outcome), flush=True)
        return bool(check.complaint(outcome))

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        failed = sum(pool.map(one, small))
    return failed + sum(map(one, large))


def main(arguments: list[str] | None = None) -> int:
    """Search, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description="Search the models of the protocol.")
    parser.add_argument("--tier", choices=table.TIERS, default="ci", help="ci: minutes; long: everything")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these checks, or all whose name starts so")
    parser.add_argument("--jobs", type=int, default=2, help="searches at a time (default 2)")
    parser.add_argument("--trail", metavar="NAME", help="print the shortest way into the error of this check")
    parser.add_argument("--markdown", action="store_true", help="print a table")
    parser.add_argument("--minutes", type=int, help="at most so long for each search, whatever the table says")
    parser.add_argument("--memory", type=int, metavar="MB", help="at most so much for each search")
    options = parser.parse_args(arguments)
    absent = spin.missing()
    if absent:
        print(f"{' and '.join(absent)} not found. {spin.HOW_TO_INSTALL}", file=sys.stderr)
        return 2
    wanted = (options.trail,) if options.trail else tuple(options.only or ())
    if wanted:
        searches = [check for check in checks.CHECKS if check.name.startswith(wanted)]
    else:
        searches = table.chosen(checks.CHECKS, options.tier)
    if not searches:
        parser.error("no check has such a name")
    if options.trail:
        print(f"{searches[0].name}: {searches[0].about}")
        for step in spin.shortest_trail(searches[0].search):
            print(step)
        return 0
    searches = [bounded(check, options.minutes, options.memory) for check in searches]
    started = time.monotonic()
    if options.markdown:
        print(HEAD)
    failed = search_all(searches, options.jobs, row if options.markdown else line)
    print(f"{len(searches)} searches, {failed} not as expected, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
