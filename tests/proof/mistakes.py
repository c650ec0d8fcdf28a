"""Mistakes put into a copy of the kernel, each of which must leave a goal unproved: so no proof is empty."""

import shutil
import tempfile
from pathlib import Path

import attrs
from tests.proof import prover


@attrs.frozen
class Mistake:
    """A text of the sources and what stands there instead."""

    about: str
    part: str
    function: str
    source: str
    right: str
    wrong: str
    ci: bool = True

    def is_found(self, jobs: int = 1) -> bool:
        """Return whether the function with the mistake has a goal that is not proved."""
        with tempfile.TemporaryDirectory(prefix="mistake-") as directory:
            sources = Path(directory) / "src"
            shutil.copytree(prover.NATIVE / "src", sources)
            path = sources / self.source
            text = path.read_text(encoding="utf-8")
            if text.count(self.right) != 1:
                raise prover.ProverError(f"{self.source} has {text.count(self.right)} times: {self.right}")
            path.write_text(text.replace(self.right, self.wrong), encoding="utf-8")
            (outcome,) = prover.prove(self.part, [self.function], sources=sources, jobs=jobs, seconds=2)
        return bool(outcome.unproved)


MISTAKES = (
    Mistake(
        "a unit that fills its row is refused",
        "ledger",
        "fits",
        "ledger.c",
        "unit_room(ledger, unit, now, until, horizon) < high",
        "unit_room(ledger, unit, now, until, horizon) <= high",
    ),
    Mistake(
        "the fit test looks at the present only",
        "ledger",
        "fits",
        "ledger.c",
        "return unit_room(ledger, unit, most_of(now, until), FOR_EVER, horizon) >= ledger->fallback[unit];",
        "return 1;",
        ci=False,
    ),
    Mistake(
        "entries that make a sum wrap are let in",
        "ledger",
        "is_entry",
        "ledger.c",
        "return high >= 0 && high <= PS_MAX_MEASURED &&",
        "return high >= 0 &&",
        ci=False,
    ),
    Mistake(
        "a sum forgets the last on the row",
        "ledger",
        "others_at",
        "ledger.c",
        "place < ledger->row_first[row + 1]; place++) {\n        const int32_t other = ledger->row_units[place];\n"
        "        if (other != unit)\n",
        "place < ledger->row_first[row + 1] - 1; place++) {\n        const int32_t other = ledger->row_units[place];\n"
        "        if (other != unit)\n",
        ci=False,
    ),
    Mistake(
        "a new cap is taken to last as long as the old one",
        "ledger",
        "ps_ledger_issue",
        "ledger.c",
        "until = least_of(until, cap_until);",
        "until = most_of(until, cap_until);",
        ci=False,
    ),
    Mistake(
        "the last line is not looked at",
        "sharing",
        "ps_full_row",
        "kernel.h",
        "line < 3; line++)\n            if ((mask >> line & 1) && run",
        "line < 2; line++)\n            if ((mask >> line & 1) && run",
    ),
    Mistake(
        "a step may go beyond the ceiling",
        "sharing",
        "fits_another_step",
        "mixed.c",
        "return run->given[k] + step <= run->ceiling[k] &&",
        "return run->given[k] <= run->ceiling[k] &&",
        ci=False,
    ),
    Mistake(
        "a step is given without a look at the room",
        "sharing",
        "hand_on_step",
        "mixed.c",
        "if (!fits_another_step(run, k))\n        return 0;",
        "",
        ci=False,
    ),
    Mistake(
        "a precondition contradicts itself",
        "sharing",
        "ps_next_level",
        "kernel.h",
        "requires 0 <= low && low + 1 < high;",
        "requires high <= low && low + 1 < high;",
        ci=False,
    ),
)


def chosen(tier: str) -> list[Mistake]:
    """Return the mistakes of a tier."""
    return [mistake for mistake in MISTAKES if mistake.ci or tier == "all"]
