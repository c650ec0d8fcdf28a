"""What each connector says of itself, and what travels with it from one leader to the next."""

from collections.abc import Mapping, Sequence
from math import inf

import attrs

from powershare.demand import ExternalLimit
from powershare.errors import ContractError, DemandError, Problem
from powershare.site.values import PerLine
from powershare.units import Milliamps

ASLEEP_BELOW_MA: Milliamps = 1_000
"""A vehicle that draws less takes no energy to speak of: its electronics alone."""


@attrs.frozen
class Turn:
    """How a vehicle has fared since it was plugged in: all that turns and holds need.

    It is kept by the connector's side and travels with each report, so that a policy which takes
    over from another goes on where that one stopped.

    Attributes:
        waiting_ms: For how long it has wanted an offer and had none, without a break.
        on_ms: For how long it has had an offer, without a break.
        pauses: How often its offer fell to 0 while it wanted energy.
        asleep: Whether it has drawn nothing since its present or last offer began.
    """

    waiting_ms: int = 0
    on_ms: int = 0
    pauses: int = 0
    asleep: bool = False


def advance(
    turn: Turn, wants: bool, offered_ma: Milliamps, elapsed_ms: int, *, drawn_ma: Milliamps | None = None
) -> Turn:
    """Move a turn on by a stretch of time; a connector does so before each report.

    A turn in which the vehicle drew nothing ends without counting as a pause: nothing was interrupted.

    Args:
        turn: The turn so far; `Turn()` when a vehicle is plugged in.
        wants: Whether the vehicle wants energy.
        offered_ma: What the connector offers now, and has offered for the time that elapsed.
        elapsed_ms: Time since the turn was last moved on, 0 or more.
        drawn_ma: The largest line current that it drew in that time; None where nobody measures,
            which counts as drawing.

    Returns:
        The turn now.

    Raises:
        ContractError: The time that elapsed is negative.
    """
    if elapsed_ms < 0:
        raise ContractError(f"a turn was moved on by {elapsed_ms} ms; time does not go backwards")
    if offered_ma > 0:
        drew = drawn_ma is None or drawn_ma >= ASLEEP_BELOW_MA
        asleep = not drew and (turn.asleep or turn.on_ms == 0)
        return Turn(0, turn.on_ms + elapsed_ms, turn.pauses, asleep)
    interrupted = turn.on_ms > 0 and wants and not turn.asleep
    waiting_ms = turn.waiting_ms + elapsed_ms if wants else 0
    return Turn(waiting_ms, 0, turn.pauses + interrupted, turn.asleep and wants)


@attrs.frozen(kw_only=True)
class Report:
    """What one connector reports. Every connector of the site reports at each step, or is held.

    Attributes:
        connector: Its id.
        session: A number that grows at each plugging in and unplugging.
        plugged: Whether a vehicle is connected.
        wants: Whether the vehicle wants energy.
        offered_ma: What the device says it offers now, never what it was told to offer.
        measured_ma: The largest line current, as last measured; None without a meter.
        measured_age_ms: How old that measurement is.
        wanted_ma: The most that the vehicle takes; None: all the connector may offer.
        lines_used: How many of the connector's lines the vehicle loads; None: all.
        vehicle: Its identity, where it is known.
        turn: How the vehicle has fared since it was plugged in.
        energy_needed_wh: Energy it still wants until departure, for orders that plan with it.
        departs_in_s: Time until departure, for orders that plan with it; may be past (negative).

    Raises:
        DemandError: A figure is no whole number, or cannot be.
    """

    connector: str
    session: int = 0
    plugged: bool = False
    wants: bool = False
    offered_ma: Milliamps = 0
    measured_ma: Milliamps | None = None
    measured_age_ms: int = 0
    wanted_ma: Milliamps | None = None
    lines_used: int | None = None
    vehicle: str | None = None
    turn: Turn = Turn()
    energy_needed_wh: int | None = None
    departs_in_s: int | None = None

    def __attrs_post_init__(self) -> None:
        problems = []
        for field, least, greatest in _FIGURES:
            value = getattr(self, field)
            if type(value) is int:
                if least <= value <= greatest:
                    continue
                wrong = f"it must be {least} or more" if value < least else f"it must be at most {greatest}"
            elif value is None and field not in _NEVER_ABSENT:
                continue
            else:
                wrong = "write a whole number"
            problems.append(Problem(f'report of "{self.connector}"', field, f"is {value!r}; {wrong}"))
        if problems:
            raise DemandError(problems)


_FIGURES: tuple[tuple[str, float, float], ...] = (
    ("session", -inf, inf),
    ("offered_ma", 0, inf),
    ("measured_ma", 0, inf),
    ("measured_age_ms", 0, inf),
    ("wanted_ma", 0, inf),
    ("lines_used", 1, 3),
    ("energy_needed_wh", 0, inf),
    ("departs_in_s", -inf, inf),
)
"""Every figure of a report, with its least and its greatest value."""

_NEVER_ABSENT = frozenset({"session", "offered_ma", "measured_age_ms"})


@attrs.frozen(kw_only=True)
class Conditions:
    """What holds around the connectors at one step.

    Attributes:
        held_ma: The most that a silent connector may be drawing, per connector id; its report, if
            there is one, is not looked at.
        other_load_ma: Fresh readings of other loads per circuit id; the others count their worst case.
        external_limits: Limits in force from outside.
    """

    held_ma: Mapping[str, Milliamps] = attrs.field(factory=dict)
    other_load_ma: Mapping[str, PerLine] = attrs.field(factory=dict)
    external_limits: Sequence[ExternalLimit] = ()
