"""What is installed: a supply, circuits, connectors, meters.

Each value checks itself where it is built and reports every problem of its own at once; what needs
the other nodes to judge (unknown parents, cycles, lines that the supply has not) is checked by
`Site`, in `checks`.
"""

import enum
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from powershare.errors import Problem, TopologyError
from powershare.units import ALL_LINES, MAX_CONNECTOR_MA, MAX_LIMIT_MA, Line, LineMilliamps, Milliamps

PerLine: TypeAlias = Milliamps | LineMilliamps
"""Milliamps for every line alike, or one figure per line of the supply."""

MAX_WEIGHT = 1000
MAX_PRIORITY = 1_000_000


class Supply(enum.Enum):
    """How the site is fed, and so which lines there are."""

    SINGLE_PHASE = "single_phase"
    SPLIT_PHASE = "split_phase"
    THREE_PHASE = "three_phase"

    @property
    def lines(self) -> tuple[Line, ...]:
        """The supply's lines, L1 first."""
        return ALL_LINES[: _LINES_OF[self.value]]

    @property
    def nominal_voltage_v(self) -> int:
        """The usual voltage from a line to neutral, in volts; for energy and watts only."""
        return 120 if self is Supply.SPLIT_PHASE else 230


_LINES_OF = {"single_phase": 1, "split_phase": 2, "three_phase": 3}


class Connection(enum.Enum):
    """What a connector's load hangs between."""

    LINE_TO_NEUTRAL = "line_to_neutral"
    LINE_TO_LINE = "line_to_line"


def _whole(value: object, least: int, greatest: int, unit: str) -> str | None:
    """What is wrong with a whole number that must lie within bounds, or None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return f"is {value!r}; write a whole number of {unit}"
    if not least <= value <= greatest:
        return f"is {value} {unit}; it must be between {least} and {greatest}"
    return None


def _current(value: object, least: int, greatest: int) -> str | None:
    """What is wrong with a current in mA that must lie within bounds, or None."""
    if isinstance(value, int) and not isinstance(value, bool) and value < least:
        return f"is {value} mA; it must be {'above zero' if least == 1 else f'at least {least} mA'}"
    return _whole(value, least, greatest, "mA")


def _per_line(value: object, least: int, greatest: int) -> str | None:
    """What is wrong with a figure in mA given once or per line, or None."""
    figures = value if isinstance(value, tuple) else (value,)
    if not figures:
        return "is empty; give one number, or one per line of the supply"
    return next((message for figure in figures if (message := _current(figure, least, greatest))), None)


def _identifier(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return f"is {value!r}; give it a name of its own"
    return None


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else f"is {value!r}; write a text"


def choice_message(value: object, kind: type[enum.Enum]) -> str | None:
    """What is wrong with a value that must be a member of an enumeration, or None."""
    if isinstance(value, kind):
        return None
    return f"is {value!r}; give {' or '.join(map(str, kind))}"


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else f"is {value!r}; give True or False"


def _identities(value: object) -> str | None:
    if not isinstance(value, tuple):
        return f"is {value!r}; give a tuple of vehicle identities"
    return "has an entry that is no name; list vehicle identities" if any(map(_identifier, value)) else None


def _line_names(value: object) -> str | None:
    if not isinstance(value, tuple) or not all(isinstance(line, Line) for line in value):
        return f"is {value!r}; give a tuple of lines, such as (Line.L1, Line.L2)"
    if not value or len(set(value)) != len(value):
        return "names no line, or one twice; name each line once, or leave the field out"
    return None


def _raise_own(problems: Iterator[Problem]) -> None:
    found = tuple(problems)
    if found:
        raise TopologyError(found)


@attrs.frozen(kw_only=True)
class Circuit:
    """Conductors behind one overcurrent protective device, with everything that hangs on them.

    Attributes:
        id: Its name, unique among the circuits of the site.
        parent: The circuit that feeds it; None means the supply does.
        breaker_ma: Rating of its breaker, 1 mA or more. With `limit_ma` too, the smaller counts.
        continuous_percent: What of the rating may flow continuously, 1 to 100: 80 unless the device
            is listed for 100 (NEC 625.41, 2023: EV charging is a continuous load).
        limit_ma: Usable current, for every line alike or per line, 1 mA or more.
        other_load_worst_ma: The most that loads other than connectors, hanging on this circuit
            itself, may draw; counted whenever no fresh reading exists.

    Raises:
        TopologyError: A field is out of its range, or there is neither breaker nor limit.
    """

    id: str
    parent: str | None = None
    breaker_ma: Milliamps | None = None
    continuous_percent: int = 80
    limit_ma: PerLine | None = None
    other_load_worst_ma: PerLine = 0

    def __attrs_post_init__(self) -> None:
        _raise_own(self.problems())

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this circuit by itself."""
        where = f'circuit "{self.id}"'
        checks: list[tuple[str, str | None]] = [("id", _identifier(self.id))]
        if self.parent is not None:
            checks.append(("parent", _identifier(self.parent)))
        if self.breaker_ma is None and self.limit_ma is None:
            checks.append(("breaker", "is missing, and so is a limit; give at least one of the two"))
        if self.breaker_ma is not None:
            checks.append(("breaker", _current(self.breaker_ma, 1, MAX_LIMIT_MA)))
        if self.limit_ma is not None:
            checks.append(("limit", _per_line(self.limit_ma, 1, MAX_LIMIT_MA)))
        checks.append(("continuous_percent", _whole(self.continuous_percent, 1, 100, "percent")))
        checks.append(("other_load_worst", _per_line(self.other_load_worst_ma, 0, MAX_LIMIT_MA)))
        yield from (Problem(where, field, message) for field, message in checks if message)

    def usable_limit_ma(self, line: Line) -> tuple[Milliamps, str]:
        """The limit that counts on a line and who set it: `breaker` or `limit`.

        The breaker's share is rounded down to the milliampere.
        """
        limits: list[tuple[Milliamps, str]] = []
        if self.breaker_ma is not None:
            limits.append((self.breaker_ma * self.continuous_percent // 100, "breaker"))
        if self.limit_ma is not None:
            limits.append((on_line(self.limit_ma, line), "limit"))
        return min(limits, key=lambda limit: limit[0])


@attrs.frozen(kw_only=True)
class Connector:
    """The outlet that we allocate to: the active outlet of one EVSE.

    Attributes:
        id: Its name, unique among the connectors of the site.
        circuit: The circuit it hangs on.
        lines: Site lines in the order of its own lines (phase rotation). None means all lines of the
            supply; on three phases the rotation is then unknown.
        connection: What the load hangs between; None: line to line on split phase with two lines,
            else line to neutral.
        min_offer_ma: The least offer; below it the connector must pause. 6 A is the least that a
            control pilot can say (IEC 61851-1, table A.8; SAE J1772).
        max_offer_ma: The greatest offer, at most 10 kA.
        step_ma: Offers are multiples of it; so are least, greatest and fallback.
        fallback_ma: What it may offer alone, without an order; None: its fair share (`Site.fallbacks`).
        weight: Its part in the fair share, 1 to 1000.
        priority: Higher is served first.
        generation: Hardware generation, if known.
        firmware: Firmware version, if known.
        vehicles: None: every vehicle; else only these, and an unidentified one gets nothing.
        adapter: How to reach it: `scheme+rest`, the scheme naming an adapter.
        fail_safe: Whether its device must keep to its fallback when it is left alone; False: it is known that it may
            do more, and somebody has accepted that.

    Raises:
        TopologyError: A field is out of its range, or the figures contradict each other.
    """

    id: str
    circuit: str
    lines: tuple[Line, ...] | None = None
    connection: Connection | None = None
    min_offer_ma: Milliamps = 6_000
    max_offer_ma: Milliamps = 32_000
    step_ma: Milliamps = 100
    fallback_ma: Milliamps | None = None
    weight: int = 1
    priority: int = 0
    generation: int | None = None
    firmware: str | None = None
    vehicles: tuple[str, ...] | None = None
    adapter: str | None = None
    fail_safe: bool = True

    def __attrs_post_init__(self) -> None:
        _raise_own(self.problems())

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this connector by itself."""
        where = f'connector "{self.id}"'
        checks: list[tuple[str, str | None]] = [("id", _identifier(self.id)), ("circuit", _identifier(self.circuit))]
        if self.lines is not None:
            checks.append(("lines", _line_names(self.lines)))
        if self.connection is not None:
            checks.append(("connection", choice_message(self.connection, Connection)))
        checks.extend(self._offer_problems())
        checks.append(("weight", _whole(self.weight, 1, MAX_WEIGHT, "parts")))
        checks.append(("priority", _whole(self.priority, -MAX_PRIORITY, MAX_PRIORITY, "ranks")))
        if self.generation is not None:
            checks.append(("generation", _whole(self.generation, 1, 100, "as a generation")))
        checks.extend(
            (field, _text(value))
            for field, value in (("firmware", self.firmware), ("adapter", self.adapter))
            if value is not None
        )
        if self.vehicles is not None:
            checks.append(("vehicles", _identities(self.vehicles)))
        checks.append(("fail_safe", _flag(self.fail_safe)))
        yield from (Problem(where, field, message) for field, message in checks if message)

    def _offer_problems(self) -> Iterator[tuple[str, str | None]]:
        """Range first, then how the figures fit each other: one error for one mistake."""
        ranges = {
            "step": _current(self.step_ma, 1, MAX_CONNECTOR_MA),
            "min_offer": _current(self.min_offer_ma, 1, MAX_CONNECTOR_MA),
            "max_offer": _current(self.max_offer_ma, 1, MAX_CONNECTOR_MA),
        }
        if self.fallback_ma is not None:
            ranges["fallback"] = _current(self.fallback_ma, 0, MAX_CONNECTOR_MA)
        yield from ranges.items()
        if any(ranges.values()):
            return
        figures = {"min_offer": self.min_offer_ma, "max_offer": self.max_offer_ma, "fallback": self.fallback_ma or 0}
        for field, value_ma in figures.items():
            if value_ma % self.step_ma:
                yield field, f"is {value_ma} mA, no multiple of the step of {self.step_ma} mA"
        if self.min_offer_ma > self.max_offer_ma:
            yield "min_offer", f"is {self.min_offer_ma} mA, above max_offer of {self.max_offer_ma} mA"
        elif 0 < figures["fallback"] < self.min_offer_ma:
            yield (
                "fallback",
                f"is {self.fallback_ma} mA, between 0 and the least offer of {self.min_offer_ma} mA; use 0",
            )
        elif figures["fallback"] > self.max_offer_ma:
            yield "fallback", f"is {self.fallback_ma} mA, above max_offer of {self.max_offer_ma} mA"


@attrs.frozen(kw_only=True)
class Meter:
    """A measurement of the loads on a circuit that are not connectors.

    Attributes:
        circuit: The circuit whose other load it measures.
        adapter: How to reach it.
        stale_after_ms: A reading older than this counts as silence: the commissioned worst case.

    Raises:
        TopologyError: A field is out of its range.
    """

    circuit: str
    adapter: str
    stale_after_ms: int = 10_000

    def __attrs_post_init__(self) -> None:
        _raise_own(self.problems())

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this meter by itself."""
        where = f'meter of "{self.circuit}"'
        checks = (
            ("circuit", _identifier(self.circuit)),
            ("adapter", _identifier(self.adapter)),
            ("stale_after", _whole(self.stale_after_ms, 1, 86_400_000, "ms")),
        )
        yield from (Problem(where, field, message) for field, message in checks if message)


def on_line(figure: PerLine, line: Line) -> Milliamps:
    """The figure on one line, whether it was given once or per line."""
    return figure[line] if isinstance(figure, tuple) else figure
