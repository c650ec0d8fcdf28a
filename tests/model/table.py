"""What a check is: a search of a model in some scope, and what must come out."""

from collections.abc import Iterable
from typing import Any

import attrs
from tests.model.spin import Outcome, Search

TIERS = ("ci", "long")


@attrs.frozen
class Check:
    """One search and its expected outcome."""

    name: str
    about: str
    search: Search
    errors: int
    """0: no state breaks the claim. 1: one is found, for a mistake put in on purpose or a state one wants to reach."""
    tier: str = "ci"
    states: int | None = None
    """How many states there are, as seen before: a model that changed unnoticed has another number."""
    complete: bool = True
    """Whether every state must have been seen; where not, "no error" says only that none was met."""

    def complaint(self, outcome: Outcome) -> str:
        """Return how an outcome differs from the expected one, or nothing."""
        if outcome.errors != self.errors:
            return f"expected errors: {self.errors}"
        if self.errors == 0 and self.complete and not outcome.complete:
            return "expected a complete search"
        if self.states is not None and outcome.states != self.states:
            return f"expected {self.states:,} states"
        return ""


@attrs.frozen
class Line:
    """One line of the table: what it adds to its scope."""

    name: str
    defines: str
    about: str
    errors: int
    states: int | None = None
    tier: str = "ci"
    complete: bool = True
    limits: dict[str, Any] = attrs.field(factory=dict)

    def long(self, **limits: int | str) -> "Line":
        """Return the same for the long tier, with what it may take."""
        return attrs.evolve(self, tier="long", limits={**self.limits, **limits})

    def deep(self) -> "Line":
        """Return the same, searched depth first: sooner where there are many short ways into no error."""
        return attrs.evolve(self, limits={**self.limits, "breadth_first": False})

    def hard(self) -> "Line":
        """Return the same, compiled to be fast: an error that is found only after many states."""
        return attrs.evolve(self, limits={**self.limits, "optimised": True})

    def partial(self) -> "Line":
        """Return the same, not expected to see every state."""
        return attrs.evolve(self, complete=False)


def holds(name: str, defines: str, states: int | None, about: str) -> Line:
    """No state breaks the claim."""
    return Line(name, defines, about, errors=0, states=states)


def caught(bug: int, defines: str, about: str) -> Line:
    """A numbered mistake of the model, which the search must find."""
    return found(f"bug-{bug}", f"{defines} BUG={bug}", about)


def found(name: str, defines: str, about: str) -> Line:
    """A mistake, or a state, that the search must find."""
    return Line(name, defines, about, errors=1)


def reached(goal: int, defines: str, about: str) -> Line:
    """A state that must be reachable: a model in which nothing happens would be safe as well."""
    return found(f"goal-{goal}", f"{defines} GOAL={goal}", f"reachable: {about}")


def scope(name: str, model: str, defines: str, *lines: Line) -> Iterable[Check]:
    """Yield the checks of one model in one scope; a line's defines override the scope's."""
    for one in lines:
        merged = {word.partition("=")[0]: word for word in f"{defines} {one.defines}".split()}
        error = one.errors > 0
        limits = {"breadth_first": error, "optimised": not error or one.tier == "long", **one.limits}
        search = Search(model=model, defines=tuple(merged.values()), **limits)
        yield Check(f"{name}.{one.name}", one.about, search, one.errors, one.tier, one.states, one.complete)


def chosen(checks: Iterable[Check], tier: str) -> list[Check]:
    """Return the checks of a tier; the long one is everything."""
    return [check for check in checks if tier in ("long", check.tier)]
