"""Who may be on when not everybody fits: turns, long enough for contactors and vehicles to bear them.

A vehicle that is on keeps its turn for its dwell. Past it, when somebody waits, it goes to the
back. Each pause multiplies the dwell, and who has used all its pauses keeps its turn to the end.
Nothing is remembered here: waiting, on since and pauses come with the reports.
"""

import enum
from collections.abc import Sequence

import attrs

from powershare.policy.report import Turn
from powershare.policy.room import Room, Rows
from powershare.policy.settings import Settings
from powershare.units import Milliamps


class Standing(enum.IntEnum):
    """Where a candidate stands in the line for admission; the smaller comes first.

    A vehicle on for its first dwell gives way to one that had no turn at all, and past its own
    dwell to everybody who waits. Who slept through its turn waits behind those who did not.
    """

    KEEPS = 0
    URGENT = 1
    FIRST_TURN = 2
    YIELDS_TO_FIRST = 3
    NEXT_TURN = 4
    YIELDS = 5
    STAYS_IF_ROOM = 6
    STARTS_IF_ROOM = 7
    SLEEPS = 8
    MAY_SLEEP = 9


ON = frozenset({Standing.KEEPS, Standing.YIELDS_TO_FIRST, Standing.YIELDS, Standing.STAYS_IF_ROOM, Standing.SLEEPS})


@attrs.frozen
class Candidate:
    """A connector that wants an offer and can take one.

    Attributes:
        connector: Its id.
        place: Its place in site order.
        on: Whether it has an offer.
        turn: How its vehicle has fared.
        least_ma: Its least offer.
        ceiling_ma: The most it can take, a multiple of its step.
        rows: The rows its current counts on.
        rank: Its class, for orders with classes; higher first.
    """

    connector: str
    place: int
    on: bool
    turn: Turn
    least_ma: Milliamps
    ceiling_ma: Milliamps
    rows: Rows
    rank: int = 0


@attrs.frozen
class Admission:
    """Who may be on.

    Attributes:
        admitted: The ids of those whose least offers fit together, in the order of admission.
        shed: Those that do not fit.
        holding_back: Those that would fit, but leave the room to somebody who waits for more of it.
    """

    admitted: tuple[str, ...]
    shed: tuple[str, ...]
    holding_back: tuple[str, ...]


def dwell_ms(turn: Turn, settings: Settings) -> int:
    """How long a vehicle keeps its turn while others wait for another one."""
    growth: int = settings.dwell_growth**turn.pauses
    return settings.dwell_ms * growth


def standing(candidate: Candidate, settings: Settings) -> Standing:
    """Where a candidate stands by turns alone."""
    turn = candidate.turn
    if not candidate.on:
        if turn.asleep and turn.waiting_ms < settings.asleep_retry_ms:
            return Standing.MAY_SLEEP
        return Standing.NEXT_TURN if turn.pauses else Standing.FIRST_TURN
    if turn.asleep and turn.on_ms >= settings.asleep_for_ms:
        return Standing.SLEEPS
    if turn.pauses >= settings.pauses_most or turn.on_ms < settings.first_dwell_ms:
        return Standing.KEEPS
    return Standing.YIELDS_TO_FIRST if turn.on_ms < dwell_ms(turn, settings) else Standing.YIELDS


def next_change_ms(candidate: Candidate, settings: Settings) -> int | None:
    """In how long a candidate's standing changes by itself; None: never."""
    turn = candidate.turn
    if not candidate.on:
        return max(1, settings.asleep_retry_ms - turn.waiting_ms) if turn.asleep else None
    ends = [settings.asleep_for_ms] if turn.asleep else []
    if turn.pauses < settings.pauses_most:
        ends += [settings.first_dwell_ms, dwell_ms(turn, settings)]
    return min((end_ms - turn.on_ms for end_ms in ends if end_ms > turn.on_ms), default=None)


def order_key(candidate: Candidate, stand: Standing) -> tuple[int, ...]:
    """The place in line: who keeps its turn, then class by class.

    Among those who are on, the one that must go is the one paused least, of equals the one on
    longest; among those who wait, the longest wait comes first.
    """
    turn = candidate.turn
    first = 0 if stand is Standing.KEEPS else 1
    among = (-turn.pauses, turn.on_ms) if candidate.on else (-turn.waiting_ms, 0)
    return (first, -candidate.rank, stand, *among, candidate.place)


def admit(line: Sequence[Candidate], room: Room, settings: Settings) -> Admission:
    """Admit candidates in order, as their least offers fit.

    One that waits and does not fit, but would if all who can be paused were, has a claim: nobody
    new starts in its room, though who is on stays until all of that room is free at once. Without
    this a three-phase vehicle would wait for ever behind one-phase ones that take turns.

    Args:
        line: The candidates in the order of admission.
        room: What every row has left for them.
        settings: The policy's figures.

    Returns:
        Who is admitted.
    """
    now, claims, lasting = room.copy(), room.copy(), room.copy()
    for candidate in line:
        if candidate.on and candidate.turn.pauses >= settings.pauses_most:
            lasting.take(candidate.rows, candidate.least_ma)
    admitted, left_out = [], []
    claimed = False
    for candidate in line:
        rows, least_ma = candidate.rows, candidate.least_ma
        fits = now.left_ma(rows) >= least_ma
        if fits and (candidate.on or not claimed or claims.left_ma(rows) >= least_ma):
            now.take(rows, least_ma)
            claims.take(rows, least_ma)
            admitted.append(candidate.connector)
            continue
        left_out.append(candidate)
        awake = not candidate.turn.asleep or candidate.turn.waiting_ms >= settings.asleep_retry_ms
        if not fits and not candidate.on and awake and lasting.left_ma(rows) >= least_ma:
            claims.take(rows, least_ma)
            claimed = True
    shed = tuple(one.connector for one in left_out if now.left_ma(one.rows) < one.least_ma)
    back = tuple(one.connector for one in left_out if now.left_ma(one.rows) >= one.least_ma)
    return Admission(tuple(admitted), shed, back)
