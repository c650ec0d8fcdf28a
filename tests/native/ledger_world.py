"""Units in real time that obey, ignore or lose what one leader after another grants them: is every ledger right?

The rules of a unit and all checks are written here once more, in fractions, and call nothing of what they judge but the
ledger itself. The world is as small as the mistakes are: few units, one or two rows which the fall-backs fill, a few
ticks of time, and a leader that grants whatever its dice say.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

from attrs import Factory, define, field, frozen

from powershare._native.codes import NOT_MEASURED, GrantKind

DRIFT = Fraction(1, 20)
RAISE_LEASE, REACTION, CAP_LEASE, COLD_HOLD, OLDEST_HEARTBEAT = 6, 2, 14, 18, 1
SLOWEST, FASTEST = (1 - DRIFT) / (1 + DRIFT), (1 + DRIFT) / (1 - DRIFT)
"""How far a unit's clock may get while the leader's gets 1."""
WAIT = -(-((RAISE_LEASE + REACTION * (1 + DRIFT)) * FASTEST) // 1)
FALLBACK = 1


class Grant(NamedTuple):
    """What a leader sends to a unit."""

    reign: int
    seq: int
    kind: GrantKind
    amps: int
    boot: int
    stamp: Fraction


class Heart(NamedTuple):
    """A heartbeat, with a grant or without."""

    reign: int
    sent: int
    grant: Grant | None


class Report(NamedTuple):
    """What a unit says of itself."""

    reign: int
    heartbeat: int
    boot: int
    number: int
    stamp: Fraction
    applied: int
    ceiling: int
    current: int
    cap_left: Fraction
    measured: int


@define
class Unit:
    """A connector: its ceiling, until when, and what it may be drawing still. All instants are the leader's."""

    pace: Fraction
    ceiling: int = 0
    until: Fraction | None = None
    tail: list[tuple[int, Fraction]] = field(factory=list)
    boot: int = 0
    fence: int = -1
    applied: int = 0
    number: int = 0
    silent_until: Fraction = Fraction(0)

    def current(self, at: Fraction) -> int:
        """What it may be drawing at an instant to come, if it hears nothing."""
        over = self.until is not None and at >= self.until
        drawn = [FALLBACK if over else self.ceiling, *(amps for amps, end in self.tail if at < end)]
        if over and self.until is not None and at < self.until + self.reaction:
            drawn.append(self.ceiling)
        return max(drawn)

    @property
    def reaction(self) -> Fraction:
        """How long a lowered current may still be drawn, as long as the unit counts it."""
        return REACTION * (1 + DRIFT) / self.pace

    def changes(self) -> list[Fraction]:
        """The instants at which what it may be drawing changes, if it hears nothing."""
        ends = [self.until, self.until + self.reaction] if self.until is not None else []
        return ends + [end for _, end in self.tail]

    def pass_time(self, now: Fraction) -> None:
        """Ends what is over."""
        if self.until is not None and now >= self.until:
            if self.ceiling > FALLBACK:
                self.tail.append((self.ceiling, self.until + self.reaction))
            self.ceiling, self.until = FALLBACK, None
        self.tail = [(amps, end) for amps, end in self.tail if now < end]

    def restart(self, now: Fraction) -> None:
        """Begins anew without memory: nothing for a while, and no word before the old current is gone."""
        self.pass_time(now)
        self.tail.append((self.ceiling, now + self.reaction))
        self.ceiling, self.until = 0, now + COLD_HOLD / self.pace
        self.boot, self.fence, self.applied, self.number = self.boot + 1, -1, 0, 0
        self.silent_until = now + self.reaction

    def hear(self, heart: Heart, now: Fraction) -> None:
        """Takes a heartbeat; a grant only if it is newer than the last and answers a young report of this boot."""
        if heart.reign < self.fence:
            return
        if heart.reign > self.fence:
            self.fence, self.applied = heart.reign, 0
        grant = heart.grant
        if grant is None or grant.boot != self.boot or grant.seq <= self.applied:
            return
        if (now - grant.stamp) * self.pace >= RAISE_LEASE:
            return
        self.applied = grant.seq
        amps = min(self.ceiling, grant.amps) if grant.kind == GrantKind.TRIM else grant.amps
        if amps < self.ceiling:
            self.tail.append((self.ceiling, now + self.reaction))
        self.ceiling = amps
        lease = {GrantKind.RAISE: RAISE_LEASE, GrantKind.CAP: CAP_LEASE, GrantKind.FALL_BACK: None}
        if grant.kind in lease:
            lasts = lease[grant.kind]
            self.until = None if lasts is None else grant.stamp + lasts / self.pace

    def report(self, heart: Heart, now: Fraction, measured: int) -> Report:
        """What it says in answer to a heartbeat."""
        self.number += 1
        left = (self.until - now) * self.pace if self.until is not None and self.ceiling < FALLBACK else Fraction(0)
        return Report(
            *(heart.reign, heart.sent, self.boot, self.number, now, self.applied, self.ceiling),
            *(self.current(now), left, measured),
        )


@frozen
class Leader:
    """One reign: its ledger, and what it knows of each unit's boot, last report and last grant."""

    reign: int
    ledger: Any
    boots: dict[int, int] = field(factory=dict)
    numbers: dict[int, int] = field(factory=dict)
    granted: dict[int, tuple[int, int]] = field(factory=dict)

    def reads(self, unit: int, report: Report, now: int) -> bool:
        """Learns from a report, if it is usable."""
        if report.reign != self.reign or now - report.heartbeat > OLDEST_HEARTBEAT:
            return False
        if (report.boot, report.number) <= (self.boots.get(unit, -1), self.numbers.get(unit, -1)):
            return False
        self.boots[unit], self.numbers[unit] = report.boot, report.number
        boot, seq = self.granted.get(unit, (report.boot, 0))
        settled = report.boot != boot or report.applied == seq
        cap_until = report.heartbeat + int(report.cap_left * SLOWEST // 1)
        self.ledger.learn(unit, now, int(WAIT), settled, report.current, cap_until, report.measured)
        return True

    def grants(self, unit: int, report: Report, amps: int, trim: bool, now: int) -> Grant | None:
        """Grants so much in answer to a report, if its ledger allows it."""
        kind = GrantKind.RAISE if amps > FALLBACK else GrantKind.CAP if amps < FALLBACK else GrantKind.FALL_BACK
        if trim and amps >= FALLBACK:
            kind = GrantKind.TRIM
        cap_until = report.heartbeat + int(CAP_LEASE * SLOWEST // 1)
        over = now + int(WAIT)
        if not self.ledger.issue(unit, kind, amps, report.ceiling, now, int(WAIT), over, cap_until):
            return None
        boot, seq = self.granted.get(unit, (report.boot, 0))
        seq = seq + 1 if boot == report.boot else 1
        self.granted[unit] = (report.boot, seq)
        return Grant(self.reign, seq, kind, amps, report.boot, report.stamp)


class Wrong(AssertionError):
    """A ledger said less than the truth, or allowed more than a row carries."""


@define
class World:
    """Units, the leader of the day, and messages on their way."""

    rng: Random
    ledger_type: Any
    rows_of_unit: list[list[int]]
    limits: list[int]
    units: list[Unit]
    leader: Leader
    losses: float
    now: int = 0
    to_units: list[tuple[int, int, Heart]] = Factory(list)
    to_leader: list[tuple[int, int, Report]] = Factory(list)

    @classmethod
    def begin(cls, rng: Random, ledger_type: Any) -> World:  # noqa: ANN401 - either backend's ledger
        """All units have just started; the fall-backs fill the rows, or nearly."""
        n = rng.choice((2, 2, 3))
        rows = rng.choice(([[0]] * n, [[0, 1]] * n, [[0], *[[0, 1]] * (n - 1)]))
        n_rows = 1 + max(max(row) for row in rows)
        limits = [sum(row in one for one in rows) * FALLBACK + rng.choice((0, 0, 1)) for row in range(n_rows)]
        units = [Unit(rng.choice((SLOWEST, Fraction(1), FASTEST))) for _ in range(n)]
        for unit in units:
            unit.until = COLD_HOLD / unit.pace
        world = cls(rng, ledger_type, rows, limits, units, Leader(0, None), rng.choice((0.05, 0.3, 0.6)))
        world.crown(0)
        return world

    def crown(self, reign: int) -> None:
        """A new leader, which knows nothing."""
        n = len(self.units)
        ledger = self.ledger_type(self.rows_of_unit, len(self.limits), [FALLBACK] * n, [max(self.limits)] * n)
        for row, limit in enumerate(self.limits):
            ledger.limit_now[row] = ledger.limit_later[row] = limit
        ledger.open(self.now, int(WAIT))
        self.leader = Leader(reign, ledger)

    def delay(self) -> int:
        return self.rng.choice((0, 0, 0, 1, 1, self.rng.randint(0, RAISE_LEASE)))

    def send_hearts(self) -> None:
        for unit in range(len(self.units)):
            self.send(unit, Heart(self.leader.reign, self.now, None))

    def send(self, unit: int, heart: Heart) -> None:
        if self.rng.random() >= self.losses:
            self.to_units.append((self.now + self.delay(), unit, heart))

    def deliver_to_units(self) -> None:
        due = [message for message in self.to_units if message[0] <= self.now]
        self.to_units = [message for message in self.to_units if message[0] > self.now]
        self.rng.shuffle(due)
        for _, place, heart in due:
            unit = self.units[place]
            unit.pass_time(Fraction(self.now))
            unit.hear(heart, Fraction(self.now))
            self.check()
            speaks = heart.reign == unit.fence and self.now >= unit.silent_until
            if speaks and self.rng.random() >= self.losses:
                measured = self.rng.choice((NOT_MEASURED, self.rng.randint(0, unit.current(Fraction(self.now)))))
                report = unit.report(heart, Fraction(self.now), measured)
                self.to_leader.append((self.now + self.rng.choice((0, 0, 1)), place, report))

    def deliver_to_leader(self) -> None:
        due = [message for message in self.to_leader if message[0] <= self.now]
        self.to_leader = [message for message in self.to_leader if message[0] > self.now]
        self.rng.shuffle(due)
        for _, place, report in due:
            if not self.leader.reads(place, report, self.now):
                continue
            self.check()
            if self.rng.random() < 0.8:
                amps = self.rng.choice((0, FALLBACK, max(self.limits), self.rng.randint(0, max(self.limits))))
                grant = self.leader.grants(place, report, amps, self.rng.random() < 0.1, self.now)
                self.check()
                if grant is not None:
                    self.send(place, Heart(self.leader.reign, self.now, grant))

    def tick(self) -> None:
        """One tick of the leader's clock; raises Wrong where something does not hold."""
        self.now += 1
        for unit in self.units:
            unit.pass_time(Fraction(self.now))
        self.check()
        if self.rng.random() < 0.02:
            self.crown(self.leader.reign + 1)
        if self.rng.random() < 0.03:
            self.rng.choice(self.units).restart(Fraction(self.now))
        self.send_hearts()
        self.deliver_to_units()
        self.deliver_to_leader()
        self.check()

    def check(self) -> None:
        """At no instant to come does a unit draw more than its envelope says, or do all together exceed a row."""
        now = Fraction(self.now)
        ledger = self.leader.ledger
        changes = {at for unit in self.units for at in unit.changes() if at > now} | {now}
        for at in changes:
            drawn = [unit.current(at) for unit in self.units]
            for place, amps in enumerate(drawn):
                envelope = ledger.high[place] if at < ledger.until[place] else FALLBACK
                if amps > envelope:
                    raise Wrong(f"at {self.now}: unit {place} draws {amps} at {at}, the envelope says {envelope}")
            for row, limit in enumerate(self.limits):
                together = sum(amps for amps, rows in zip(drawn, self.rows_of_unit, strict=True) if row in rows)
                if together > limit:
                    raise Wrong(f"at {self.now}: row {row} carries {together} of {limit} at {at}")


def found_wrong(ledger_type: Any, seed: int, ticks: int) -> str:  # noqa: ANN401 - either backend's ledger
    """What is wrong with this kind of ledger in one world; empty where nothing was found."""
    world = World.begin(Random(seed), ledger_type)
    try:
        for _ in range(ticks):
            world.tick()
    except Wrong as wrong:
        return str(wrong)
    return ""
