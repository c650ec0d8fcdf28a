"""What is proved, and what is not."""

import attrs
from tests.proof import prover

SOURCES = {"ledger": ("ledger.c",), "sharing": ("kernel.h", "mixed.c")}
"""The files of the kernel whose contracts a part proves."""

FIT_TEST = (
    "least_of",
    "most_of",
    "is_entry",
    "entries_are_wrong",
    "check_rows",
    "envelope_of",
    "others_at",
    "left_at",
    "last_fall",
    "row_room",
    "unit_room",
    "fits",
    "is_running_cap",
    "kind_is_wrong",
    "check_issue",
    "ps_ledger_issue",
)

UNPROVED: dict[str, frozenset[str]] = {}
"""Goals that z3 does not prove, by function: whoever calls the function takes them for granted."""


@attrs.frozen
class Part:
    """A file of theorems and the contracts they rest on."""

    name: str
    quick: tuple[str, ...] | None = None
    """The functions of the ci tier; None: all."""

    def functions(self, tier: str) -> list[str]:
        """Return what a tier proves."""
        files = [prover.NATIVE / "src" / source for source in SOURCES[self.name]]
        files.append(prover.HERE / f"{self.name}_theorems.c")
        names = [name for file in files for name in prover.contracts(file)]
        return names if tier == "all" or self.quick is None else list(self.quick)


PARTS = (Part("sharing"), Part("ledger", FIT_TEST))
