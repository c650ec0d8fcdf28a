"""What was checked, how often, and what failed."""

import attrs

NAMES = tuple(f"I{number}" for number in range(1, 25))
"""Every invariant of the protocol."""

KEPT = 50
"""So many failures are told in words; all of them are counted."""

ALIKE = 8
"""So many of one invariant, so that one mistake that shows again and again does not hide another."""


@attrs.define
class Counted:
    """How often one invariant was looked at.

    Attributes:
        checked: How often.
        failed: How often it did not hold, though every assumption did.
        outside: How often it did not hold while an assumption was broken that it rests on.
    """

    checked: int = 0
    failed: int = 0
    outside: int = 0


@attrs.frozen
class Failure:
    """One invariant that did not hold.

    Attributes:
        invariant: Which: `I1` to `I24`.
        t_ms: When, in true time.
        member: Whose node or device shows it; a circuit's id where sums do.
        text: What is wrong, with the figures.
    """

    invariant: str
    t_ms: int
    member: str
    text: str
