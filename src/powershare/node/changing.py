"""A step from one configuration to the next: who holds it already, and whom to tell that this member does."""

from powershare.node.config import Commissioning, Stage

ANNOUNCED_MS = 1_000
"""How often a member says what it holds while somebody's word is missing."""


class Changing:
    """One member's account of one step.

    Args:
        commissioning: The step, which this member holds.
        member: It.
        now_ms: Now.

    Attributes:
        number: The member's number in confirmations of this step.
        missing: Members whose word is missing.
        next_ms: When to announce again.
    """

    __slots__ = ("_announced", "_commissioning", "_names", "missing", "next_ms", "number")

    def __init__(self, commissioning: Commissioning, member: str, now_ms: int) -> None:
        self._commissioning = commissioning
        # Members are numbered alike by everybody who holds the step.
        self._names = tuple(sorted(commissioning.everybody))
        self.number = self._names.index(member)
        self.missing = set(commissioning.confirmers) - {member}
        self._announced = [name for name in self._names if name != member]
        self.next_ms = now_ms

    def name_of(self, number: int) -> str | None:
        """The member of a number; None: there is none."""
        return self._names[number] if number < len(self._names) else None

    def confirmed(self, number: int) -> None:
        """A member's word came in."""
        if number < len(self._names):
            self.missing.discard(self._names[number])

    def due(self, now_ms: int) -> list[str]:
        """Whom to tell now that this member holds the step."""
        if now_ms < self.next_ms:
            return []
        self.next_ms = now_ms + ANNOUNCED_MS
        return self._announced

    @property
    def may_go_on(self) -> bool:
        """Whether the next step may begin: everybody holds this one."""
        return not self.missing

    @property
    def finished(self) -> bool:
        """Whether this was the last step, and everybody holds it."""
        return self._commissioning.stage is Stage.FINAL and not self.missing
