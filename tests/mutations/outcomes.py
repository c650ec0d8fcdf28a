"""Writes what came of the whole ledger to `outcomes.md`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutations.ledger import Budget, Verdict

OUTCOMES = Path(__file__).with_name("outcomes.md")

HEAD = """# What came of the mutation ledger

Written by `python -m tests.mutations`. Each mutant is one mistake in the real code, run in a process of its own; the
seeds of its worlds (`worlds.py`) are tried in turn until an invariant, a limit or a test breaks.
""".splitlines()

LEGEND = """
`amps` says whether devices offered or vehicles drew more than a limit within two minutes of what was seen first: most
mistakes are seen by the rule that they break, long before that.

| mutant | from | what it does | | seen by | also broken | amps | world | seed | after | trials | wall |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |""".splitlines()


def write(verdicts: Sequence[Verdict], budget: Budget, unsound: Mapping[tuple[str, int], str], wall_s: float) -> None:
    """Write the table.

    Args:
        verdicts: What came of each mutant.
        budget: What was tried.
        unsound: Where the unchanged code broke.
        wall_s: How long it all took.
    """
    OUTCOMES.write_text("\n".join(lines(verdicts, budget, unsound, wall_s)) + "\n", encoding="utf-8")


def lines(
    verdicts: Sequence[Verdict], budget: Budget, unsound: Mapping[tuple[str, int], str], wall_s: float
) -> list[str]:
    """The lines of the table and what is around it."""
    safety = [one for one in verdicts if one.mutant.safety]
    caught = sum(one.caught for one in safety)
    others = len(verdicts) - len(safety)
    said = [
        *HEAD,
        f"- Mutants that are a matter of safety: {len(safety)}; {caught} are caught, {len(safety) - caught} survive.",
        f"- Others, which cost amps or time: {others}; {sum(one.caught for one in verdicts) - caught} are caught.",
        f"- A trial is {budget.minutes:g} simulated minutes; up to {budget.seeds} seeds of each world.",
        f"- The unchanged code over the same trials: {len(unsound)} broken.",
        f"- It took {wall_s / 60:.0f} minutes.",
        *LEGEND,
    ]
    said += [_row(one) for one in verdicts]
    kept = [one for one in verdicts if not one.caught]
    if kept:
        said += ["", "## What survives, and why it may", ""]
        said += [f"- **{one.mutant.name}**: {one.mutant.harmless or 'it must not.'}" for one in kept]
    if unsound:
        said += ["", "## Where the unchanged code breaks", ""]
        said += [f"- {world} seed {seed}: {text}" for (world, seed), text in sorted(unsound.items())]
    return said


def _row(verdict: Verdict) -> str:
    mutant = verdict.mutant
    word = "caught" if verdict.caught else "**survives**" if mutant.safety else "survives"
    by = verdict.by if verdict.by != "test" else f"test: {verdict.text.partition(' ')[2].partition(' - ')[0]}"
    seen = verdict.seed is not None
    cells = (
        f"`{mutant.name}`",
        mutant.source,
        mutant.about,
        word,
        by,
        ", ".join(verdict.also),
        "yes" if verdict.drawn else "",
        verdict.world,
        str(verdict.seed) if seen else "",
        f"{verdict.at_ms / 1_000:.0f} s" if seen else "",
        str(verdict.trials),
        f"{verdict.wall_s:.0f} s",
    )
    return "| " + " | ".join(cells) + " |"
