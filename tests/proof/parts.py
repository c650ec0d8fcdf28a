"""What is proved, and what is not."""

import attrs
from tests.proof import prover

SOURCES = {"ledger": ("ledger.c",), "sharing": ("kernel.h", "mixed.c")}
"""The files of the kernel whose contracts a part proves."""

FIT_TEST = ("envelope_of", "others_at", "left_at", "unit_room", "fits", "check_issue", "ps_ledger_issue")

STEP = ("ps_full_row", "ps_take", "fits_another_step", "hand_on_step", "a_step_keeps_the_sum")

UNPROVED: dict[str, frozenset[str]] = {}
"""Goals that z3 does not prove, by function: whoever calls the function takes them for granted."""


@attrs.frozen
class Part:
    """A file of theorems and the contracts they rest on."""

    name: str
    quick: tuple[str, ...] | None = None
    """The functions that are proved again though everything is proved of the same sources; None: all."""

    def functions(self, tier: str) -> list[str]:
        """Return what a tier proves."""
        files = [prover.NATIVE / "src" / source for source in SOURCES[self.name]]
        files.append(prover.HERE / f"{self.name}_theorems.c")
        names = [name for file in files for name in prover.contracts(file)]
        return names if tier == "all" or self.quick is None else list(self.quick)


PARTS = (Part("sharing", STEP), Part("ledger", FIT_TEST))
