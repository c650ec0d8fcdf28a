"""Writes what came of the ledger as a table in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutations.ledger import Budget, Verdict

LEGEND = """
`amps`: within two minutes of what was seen first, devices offered or vehicles drew more than a limit. Most mistakes are
seen by the rule that they break, long before that, and in many worlds nothing comes of them in that time.

| mutant | from | what it does | seen by | amps | world and seed | after | wall clock |
| --- | --- | --- | --- | --- | --- | --- | --- |""".splitlines()


def write(
    path: Path, verdicts: Sequence[Verdict], budget: Budget, unsound: Mapping[tuple[str, int], str], wall_s: float
) -> None:
    """Write the table.

    Args:
        path: Where to.
        verdicts: What came of each mutant.
        budget: What was tried.
        unsound: Where the unchanged code broke.
        wall_s: How long it all took.
    """
    path.write_text("\n".join(lines(verdicts, budget, unsound, wall_s)) + "\n", encoding="utf-8")


def lines(
    verdicts: Sequence[Verdict], budget: Budget, unsound: Mapping[tuple[str, int], str], wall_s: float
) -> list[str]:
    """The lines of the table and what is around it."""
    safety = [one for one in verdicts if one.mutant.safety]
    caught = sum(one.caught for one in safety)
    others = len(verdicts) - len(safety)
    models = sum(one.mutant.source != "own" for one in verdicts)
    said = [
        f"{len(verdicts)} mutants: {models} of mistakes that the models seed or found, {len(verdicts) - models} own.",
        "",
        f"- A matter of safety are {len(safety)}: {caught} are caught, {len(safety) - caught} survive.",
        f"- Of the {others} others {sum(one.caught for one in verdicts) - caught} are caught.",
        f"- A trial is {budget.minutes:g} simulated minutes; up to {budget.seeds} seeds of each of a mutant's worlds.",
        f"- The unchanged code over the same trials: {len(unsound)} broken.",
        f"- It took {wall_s / 60:.0f} minutes.",
        *LEGEND,
    ]
    said += [_row(one) for one in verdicts]
    kept = [one for one in verdicts if not one.mutant.safety or not one.caught]
    if kept:
        said += ["", "What is no matter of safety, and why it may survive (or be seen by a test alone):", ""]
        said += [f"- `{one.mutant.name}`: {one.mutant.harmless or 'it must not survive.'}" for one in kept]
    if unsound:
        said += ["", "Where the unchanged code breaks:", ""]
        said += [f"- {world} seed {seed}: {text}" for (world, seed), text in sorted(unsound.items())]
    return said


def _row(verdict: Verdict) -> str:
    mutant = verdict.mutant
    by = verdict.by if verdict.by != "test" else _test(verdict.text)
    if not verdict.caught:
        by = "**nothing: survives**" if mutant.safety else f"nothing in {verdict.trials} trials: survives, harmless"
    seen = verdict.seed is not None
    cells = (
        f"`{mutant.name}`",
        mutant.source,
        mutant.about,
        by,
        "yes" if verdict.drawn else "",
        f"{verdict.world} {verdict.seed}" if seen else "",
        f"{verdict.at_ms / 1_000:.0f} s" if seen else "",
        f"{verdict.wall_s:.1f} s",
    )
    return "| " + " | ".join(cells) + " |"


def _test(failed: str) -> str:
    """The test's name, of a line of pytest's summary."""
    return f"test `{failed.partition(' ')[2].partition(' - ')[0].rpartition('::')[2]}`"
