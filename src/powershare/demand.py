"""What is asked and measured at one moment: demands, held currents, other loads, external limits."""

import enum
from collections.abc import Iterator, Mapping

import attrs

from powershare.errors import DemandError, Problem
from powershare.site.values import MAX_PRIORITY, MAX_WEIGHT, PerLine, choice_message
from powershare.units import MAX_CONNECTOR_MA, MAX_LIMIT_MA, Milliamps

MAX_WAITING_S = 1 << 30
"""The longest wait that counts, in seconds (34 years)."""


@attrs.frozen
class Demand:
    """What is asked for one connector. A connector without a demand is idle.

    Attributes:
        connector: Its id.
        wanted_ma: The most that the vehicle takes, 0 to 10 kA; 0 is idle; None: all the connector may offer.
        lines_used: How many of the connector's lines the vehicle loads, 1 to 3; None: all.
        waiting_s: How long it has waited for an offer, in seconds; the longest waits are admitted first.
        weight: Overrides the connector's weight, 1 to 1000.
        priority: Overrides the connector's priority.
        vehicle: The vehicle's identity, where it is known.
        energy_needed_wh: Energy until departure, for orders that plan with it.
        departs_in_s: Time until departure, for orders that plan with it; may be past (negative).

    Raises:
        DemandError: A field is out of its range.
    """

    connector: str
    wanted_ma: Milliamps | None = attrs.field(default=None, kw_only=True)
    lines_used: int | None = attrs.field(default=None, kw_only=True)
    waiting_s: int = attrs.field(default=0, kw_only=True)
    weight: int | None = attrs.field(default=None, kw_only=True)
    priority: int | None = attrs.field(default=None, kw_only=True)
    vehicle: str | None = attrs.field(default=None, kw_only=True)
    energy_needed_wh: int | None = attrs.field(default=None, kw_only=True)
    departs_in_s: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        wanted_ma, waiting_s = self.wanted_ma, self.waiting_s
        # The common demand passes on one comparison each; only a faulty one pays for its report.
        if (
            (wanted_ma is None or (type(wanted_ma) is int and 0 <= wanted_ma <= MAX_CONNECTOR_MA))
            and self.lines_used is None
            and (type(waiting_s) is int and 0 <= waiting_s <= MAX_WAITING_S)
            and self.weight is None
            and self.priority is None
            and self.energy_needed_wh is None
            and self.departs_in_s is None
        ):
            return
        problems = tuple(self.problems())
        if problems:
            raise DemandError(problems)

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this demand by itself."""
        ranges = (
            ("wanted", self.wanted_ma, 0, MAX_CONNECTOR_MA, "mA"),
            ("lines_used", self.lines_used, 1, 3, "lines"),
            ("waiting", self.waiting_s, 0, MAX_WAITING_S, "s"),
            ("weight", self.weight, 1, MAX_WEIGHT, "parts"),
            ("priority", self.priority, -MAX_PRIORITY, MAX_PRIORITY, "ranks"),
            ("energy_needed", self.energy_needed_wh, 0, 1 << 40, "Wh"),
            ("departs_in", self.departs_in_s, -MAX_WAITING_S, MAX_WAITING_S, "s"),
        )
        where = f'demand of "{self.connector}"'
        for field, value, least, greatest, unit in ranges:
            if value is not None or field == "waiting":
                yield from whole_problem(where, field, value, unit, (least, greatest))


class Counts(enum.Enum):
    """What an external limit counts."""

    ALL = "all"
    CONNECTORS = "connectors"


@attrs.frozen(kw_only=True)
class ExternalLimit:
    """A limit that somebody outside has set for now: a utility, a central system, a person.

    Attributes:
        circuit: The circuit it holds for, or None.
        connector: The connector it holds for, or None. Exactly one of the two is given.
        limit_ma: For every line alike or per line of the supply; 0 stops what is below.
        source: Who set it.
        counts: Whether other load counts against it, or only connectors.

    Raises:
        DemandError: A field is out of its range, or it names not exactly one node.
    """

    limit_ma: PerLine
    source: str
    circuit: str | None = None
    connector: str | None = None
    counts: Counts = Counts.ALL

    def __attrs_post_init__(self) -> None:
        problems = tuple(self.problems())
        if problems:
            raise DemandError(problems)

    @property
    def where(self) -> str:
        """The limit's place in a problem's text."""
        return f'external limit of "{self.circuit if self.circuit is not None else self.connector}"'

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this limit by itself."""
        if (self.circuit is None) == (self.connector is None):
            yield Problem(self.where, "", "names not exactly one of circuit and connector; name one of them")
        if not self.source:
            yield Problem(self.where, "source", "is empty; say who set it")
        if message := choice_message(self.counts, Counts):
            yield Problem(self.where, "counts", message)
        yield from _load_problems(self.where, "amps", self.limit_ma)


def whole_problem(where: str, field: str, value: object, unit: str, bounds: tuple[int, int]) -> Iterator[Problem]:
    """What is wrong with a figure that must be a whole number within bounds, both included."""
    least, greatest = bounds
    if isinstance(value, bool) or not isinstance(value, int):
        yield Problem(where, field, f"is {value!r}; write a whole number of {unit}")
    elif not least <= value <= greatest:
        yield Problem(where, field, f"is {value} {unit}; it must be between {least} and {greatest}")


def _load_problems(where: str, field: str, figure: PerLine) -> Iterator[Problem]:
    for value in figure if isinstance(figure, tuple) else (figure,):
        yield from whole_problem(where, field, value, "mA", (0, MAX_LIMIT_MA))


@attrs.frozen
class Demands:
    """Everything that one allocation is asked: the demands, and what is already taken.

    Attributes:
        demands: At most one per connector.
        held_ma: The most that a silent connector may be drawing, per connector id; counted on every
            line it is wired to.
        other_load_ma: Fresh readings of the loads that are not connectors, per circuit id; a circuit
            without one counts its commissioned worst case.
        external_limits: Limits in force from outside.
    """

    demands: tuple[Demand, ...] = ()
    held_ma: Mapping[str, Milliamps] = attrs.field(factory=dict)
    other_load_ma: Mapping[str, PerLine] = attrs.field(factory=dict)
    external_limits: tuple[ExternalLimit, ...] = ()

    def problems(self) -> Iterator[Problem]:
        """What is wrong with held currents and readings by themselves."""
        for connector, held_ma in self.held_ma.items():
            yield from whole_problem(f'held of "{connector}"', "amps", held_ma, "mA", (0, MAX_CONNECTOR_MA))
        for circuit, load_ma in self.other_load_ma.items():
            yield from _load_problems(f'other load of "{circuit}"', "amps", load_ma)
