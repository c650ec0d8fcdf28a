"""The words in which a run is told to `relation.first_wrong`: what happened, to whom, when, and the values afterwards.

Every event has `at_ms` (true time, never decreasing along the trace), `member` (who acts) and `clock_ms` (what that
member's own clock says). All other times are readings of the acting member's clock, but for `heartbeat_ms`, which is a
reading of the leader's. A term is (counter, leader, leader's boot). Values are those after the step.

A unit
    Restart   a process starts without memory: cold hold at 0
    Write     its device is told an offer, until when, and what then; the same number again only prolongs
    Confirm   the device answered a write; writes before it are carried out or void
    Contact   its contactor opened or closed
    Plug      a vehicle came or went: raises end, caps stay; and a unit at its fall-back may cap itself
    Answer    it answers a heartbeat at or above its fence: promises itself, or not; a claim moves the fence
    Free      a leader that hands over has freed it; or a leader that gave up frees its own vote
    Accept    it applied a grant
    Expire    its lease, or the cold hold, is over; comes before anything else that happens at or after that time
    Report    it made a report

A leader
    Ask       it sends a heartbeat, once for all members; `clock_ms` is the time of sending that the answers echo
    Count     it counts a promise
    Gain      it has authority, with a term never used before, to which its own fence moves, and a new ledger
    Climb     it goes on under a higher term, authority and ledger unbroken
    Lose      it has none any more; comes before anything else that happens at or after that time
    Release   it hands over (after Lose)
    Learn     it took in a report of its authority
    Issue     it issued a grant against the newest report that it took in of that unit
    Limit     another limit is in force on a row of its ledger (external limits, other load), until told otherwise;
              a new ledger has the commissioned ones

What is refused, dropped or repeated is no event. A leader is told to itself like to others: its own Answer, Report
and Accept, with its own time of sending as the heartbeat's. What happens in one call is told in the order in which it
happens: Expire, Answer, Accept, Write, Report for a unit; Lose, Count, Gain, Learn, Issue, Ask for a leader.
"""

from enum import Enum
from typing import TypeVar

import attrs

Term = tuple[int, int, int]
NO_TERM: Term = (0, 0, 0)
MILLION = 1_000_000


class Kind(Enum):
    """What a grant does."""

    RAISE = "raise"
    CAP = "cap"
    FALL_BACK = "fall-back"
    TRIM = "trim"


@attrs.frozen
class Entry:
    """What the ledger says of a unit: at most so much until then, and its fall-back from then on."""

    high_ma: int
    until_ms: int


@attrs.frozen
class Row:
    """A limit of the ledger, one per circuit and line, and who hangs on it."""

    limit_ma: int
    """The commissioned limit less the worst other load."""
    members: frozenset[int]


@attrs.frozen(kw_only=True)
class Times:
    """The protocol's times, in ms, as the implementation has them."""

    promise_ms: int = 5_000
    raise_ms: int = 10_000
    cap_ms: int = 30_000
    cold_ms: int = 31_000
    echo_ms: int = 2_000
    follow_ms: int = 6_000
    write_ms: int = 500
    tail_ms: int = 6_061
    wait_ms: int = 16_900
    drift_ppm: int = 10_000

    def surely_ms(self, left_ms: int) -> int:
        """Return what of a time on one clock has surely not ended on another."""
        return left_ms * (MILLION - self.drift_ppm) // (MILLION + self.drift_ppm)

    def faults(self) -> list[str]:
        """Return what is wrong with the times themselves."""
        fast, slow = MILLION + self.drift_ppm, MILLION - self.drift_ppm
        over_ms = self.raise_ms + self.write_ms + self.tail_ms
        said = {
            "the tail is shorter than D(1 + rho)": self.tail_ms * MILLION < self.follow_ms * fast,
            "the wait is shorter than a raise may last": self.wait_ms * slow < over_ms * fast,
            "the cold hold is shorter than a cap": self.cold_ms < self.cap_ms,
            "a cap may end before the raises that lean on it": self.surely_ms(self.cap_ms)
            < self.wait_ms + self.echo_ms,
        }
        return [what for what, wrong in said.items() if wrong]


@attrs.frozen(kw_only=True)
class Network:
    """What is commissioned. Members are numbered from 0, units first; who has a weight and no unit is a witness."""

    fallbacks_ma: tuple[int, ...]
    greatest_ma: tuple[int, ...]
    weights: tuple[int, ...]
    rows: tuple[Row, ...]
    times: Times = attrs.field(factory=Times)
    slack_ms: int = 4
    """By how much a time may differ from the exact one, to the safe side: rounding."""
    caps_confirmed: bool = True
    """Whether a cap counts in a report only for as long as the device has confirmed it. False for devices that do not
    answer a prolonging: then a process that dies after its report and before its write leaves a cap that is counted
    longer than it lasts, and this relation looks away."""


@attrs.frozen(kw_only=True)
class Event:
    """What happened: when, and to whom."""

    at_ms: int
    member: int
    clock_ms: int


@attrs.frozen(kw_only=True)
class Restart(Event):
    boot: int
    ceiling_ma: int = 0
    until_ms: int = 0
    """Of the cold hold; a witness has none."""


@attrs.frozen(kw_only=True)
class Write(Event):
    write: int
    offer_ma: int
    until_ms: int | None


@attrs.frozen(kw_only=True)
class Confirm(Event):
    write: int
    offer_ma: int
    when_ms: int
    """Read after the pilot changed."""
    until_ms: int | None
    """Until when the device does so by itself."""


@attrs.frozen(kw_only=True)
class Contact(Event):
    closed: bool


@attrs.frozen(kw_only=True)
class Plug(Event):
    session: int
    ceiling_ma: int
    until_ms: int | None


@attrs.frozen(kw_only=True)
class Answer(Event):
    term: Term
    claims: bool
    heartbeat_ms: int
    yes: bool
    until_ms: int
    """With a yes: until when it is promised."""


@attrs.frozen(kw_only=True)
class Free(Event):
    leader: int
    leader_boot: int


@attrs.frozen(kw_only=True)
class Accept(Event):
    term: Term
    seq: int
    kind: Kind
    amps_ma: int
    report_no: int
    """The report of this process that the grant answers."""
    ceiling_ma: int
    until_ms: int | None


@attrs.frozen(kw_only=True)
class Expire(Event):
    ceiling_ma: int


@attrs.frozen(kw_only=True)
class Report(Event):
    report_no: int
    term: Term
    claims: bool
    """Whether the heartbeat that it echoes claimed authority."""
    heartbeat_ms: int
    fence: Term
    seq: int
    """The last grant applied under this fence; 0: none."""
    session: int
    ceiling_ma: int
    most_ma: int
    """The most that the vehicle may draw (e)."""
    cap_left_ms: int
    measured_ma: int = 0


@attrs.frozen(kw_only=True)
class Ask(Event):
    term: Term
    claims: bool


@attrs.frozen(kw_only=True)
class Count(Event):
    voter: int
    heartbeat_ms: int
    until_ms: int


@attrs.frozen(kw_only=True)
class Gain(Event):
    term: Term
    ledger: tuple[Entry, ...]


@attrs.frozen(kw_only=True)
class Climb(Event):
    term: Term


@attrs.frozen(kw_only=True)
class Lose(Event):
    pass


@attrs.frozen(kw_only=True)
class Release(Event):
    pass


@attrs.frozen(kw_only=True)
class Learn(Event):
    unit: int
    boot: int
    report_no: int
    entry: Entry


@attrs.frozen(kw_only=True)
class Issue(Event):
    unit: int
    boot: int
    report_no: int
    seq: int
    kind: Kind
    amps_ma: int
    ledger: tuple[Entry, ...]


@attrs.frozen(kw_only=True)
class Limit(Event):
    row: int
    limit_ma: int


class NotAllowedError(Exception):
    """The relation has no such step; the text says why."""


K = TypeVar("K")
T = TypeVar("T")
KEPT = 1_000


def found(value: T | None, why: str) -> T:
    """Return a value that a step rests on, or refuse the step."""
    if value is None:
        raise NotAllowedError(why)
    return value


def remember(memory: dict[K, T], key: K, value: T) -> None:
    """Put a value in, and forget the oldest ones when there are many: a run may be long."""
    memory[key] = value
    if len(memory) > 4 * KEPT:
        for old in list(memory)[:KEPT]:
            del memory[old]


def require(condition: bool, why: str) -> None:
    """Refuse a step unless the condition holds."""
    if not condition:
        raise NotAllowedError(why)
