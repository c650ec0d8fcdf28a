"""A scarce site for the policy's tests: vehicles that never have enough, meters that lag, changes that take time."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from random import Random

import attrs

from powershare.constraints import compile_site
from powershare.policy import Conditions, Decision, Policy, Report, Turn, advance
from powershare.site import Circuit, Connector, Site, Supply
from powershare.units import Line

LAG_MS = 10_000
HOUR_MS = 3_600_000


@attrs.define
class Car:
    """A vehicle that wants all it can get; it follows its pilot up to five seconds late."""

    connector: str
    from_ms: int
    until_ms: int
    wanted_ma: int
    lines_used: int | None
    reacts_ms: int
    metered: bool = True
    sleeps: bool = False
    session: int = 1
    offered_ma: int = 0
    turn: Turn = attrs.field(factory=Turn)
    turned_ms: int = 0
    had_ms: int = 0
    changes: list[tuple[int, int]] = attrs.field(factory=lambda: [(-1, 0)])

    def drawn_ma(self, now_ms: int) -> int:
        """What it draws: its offer of a moment ago, as far as it wants."""
        if self.sleeps or not self.from_ms <= now_ms < self.until_ms:
            return 0
        place = bisect_right(self.changes, (now_ms - self.reacts_ms, 1 << 60)) - 1
        return min(self.wanted_ma, self.changes[place][1])

    def move_on(self, now_ms: int) -> None:
        """Bring its turn up to date."""
        elapsed_ms = now_ms - self.turned_ms
        if elapsed_ms and self.offered_ma:
            self.had_ms += elapsed_ms
        self.turn = advance(self.turn, True, self.offered_ma, elapsed_ms, drawn_ma=self.drawn_ma(now_ms))
        self.turned_ms = now_ms

    def report(self, now_ms: int, lag_ms: int) -> Report:
        """What its connector says, with a measurement some time old."""
        if not self.from_ms <= now_ms < self.until_ms:
            return Report(
                connector=self.connector, offered_ma=self.offered_ma, session=0 if now_ms < self.from_ms else 2
            )
        self.move_on(now_ms)
        return Report(
            connector=self.connector,
            session=self.session,
            plugged=True,
            wants=True,
            offered_ma=self.offered_ma,
            measured_ma=self.drawn_ma(now_ms - lag_ms) if self.metered else None,
            measured_age_ms=lag_ms,
            wanted_ma=self.wanted_ma,
            lines_used=self.lines_used,
            turn=self.turn,
        )


class Scarcity:
    """Runs a policy over cars in virtual time and checks every moment against the limits."""

    def __init__(self, site: Site, cars: Sequence[Car], policy: Policy, lag: Callable[[], int]) -> None:
        self.site, self.cars, self.policy, self._lag = site, {car.connector: car for car in cars}, policy, lag
        self._compiled = compile_site(site)
        self.now_ms = 0
        self.decision: Decision | None = None
        self.steps = 0

    def run(self, until_ms: int, every_ms: int, conditions: Conditions | None = None) -> None:
        """Step when due, and at least this often."""
        while self.now_ms < until_ms:
            self.step(conditions or Conditions())
            assert self.decision is not None
            due_ms = self.decision.due_ms
            assert due_ms is None or due_ms > self.now_ms
            marks = [mark for car in self.cars.values() for mark in (car.from_ms, car.until_ms) if mark > self.now_ms]
            self.now_ms = min([self.now_ms + every_ms, *marks, *([due_ms] if due_ms is not None else [])])

    def step(self, conditions: Conditions) -> None:
        """One step: report, decide, carry out one change after the other, and look at the sums after each."""
        reports = [car.report(self.now_ms, self._lag()) for car in self.cars.values()]
        self.decision = self.policy.step(reports, conditions, self.now_ms)
        self.steps += 1
        for change in self.decision.changes:
            car, connector = self.cars[change.connector], self.site.connector_by_id[change.connector]
            assert change.offered_ma == 0 or connector.min_offer_ma <= change.offered_ma <= connector.max_offer_ma
            car.move_on(self.now_ms)
            car.offered_ma = change.offered_ma
            car.move_on(self.now_ms)
            car.changes.append((self.now_ms, change.offered_ma))
            self.check(conditions)

    def check(self, conditions: Conditions) -> None:
        """Neither the offers nor what is really drawn, slow to follow as it may be, exceed any limit."""
        used = {car.connector: car.lines_used for car in self.cars.values()}
        offered = {car.connector: car.offered_ma for car in self.cars.values()}
        drawn = {car.connector: max(car.drawn_ma(self.now_ms), car.offered_ma) for car in self.cars.values()}
        for load_ma in (offered, drawn):
            broken = self._compiled.check(
                load_ma,
                lines_used=used,
                other_load_ma=conditions.other_load_ma,
                external_limits=conditions.external_limits,
                held_ma=conditions.held_ma,
            )
            assert not broken, (self.now_ms, broken)


def scarce_site(kind: str, count: int, places: int, random: Random) -> tuple[Site, list[int | None]]:
    """A site whose limits let about so many of its vehicles be on; and the lines that each vehicle uses.

    Kinds are `single` (one line), `lines` (one- and three-phase vehicles) and `nested` (panels
    under a feeder).
    """
    if kind == "single":
        feeder = Circuit(id="feeder", limit_ma=6_000 * places + random.randrange(0, 5_900))
        places_on_it = tuple(Connector(id=f"c{n}", circuit="feeder") for n in range(count))
        return Site(supply=Supply.SINGLE_PHASE, circuits=(feeder,), connectors=places_on_it), [None] * count
    orders = ((Line.L1, Line.L2, Line.L3), (Line.L2, Line.L3, Line.L1), (Line.L3, Line.L1, Line.L2))
    limit_ma = tuple(6_000 * places + random.randrange(0, 5_900) for _ in range(3))
    names = ["feeder"]
    circuits: tuple[Circuit, ...] = (Circuit(id="feeder", limit_ma=limit_ma),)
    if kind == "nested":
        circuits += tuple(
            Circuit(id=f"panel{n}", parent="feeder", limit_ma=6_000 * max(1, places - n) + random.randrange(0, 5_900))
            for n in range(2)
        )
        names = ["panel0", "panel1"]
    connectors = tuple(
        Connector(id=f"c{n}", circuit=random.choice(names), lines=random.choice(orders)) for n in range(count)
    )
    used = [random.choice((1, 1, 1, 3)) for _ in range(count)]
    return Site(supply=Supply.THREE_PHASE, circuits=circuits, connectors=connectors), [*used]


def cars_for(site: Site, used: Sequence[int | None], random: Random, *, arrive_by_ms: int) -> list[Car]:
    """One vehicle per connector that stays and never has enough."""
    return [
        Car(
            connector=connector.id,
            from_ms=random.choice((0, random.randrange(0, arrive_by_ms + 1))),
            until_ms=1 << 60,
            wanted_ma=random.choice((10_000, 16_000, 32_000)),
            lines_used=lines_used,
            reacts_ms=random.randrange(0, 5_001),
            metered=random.random() < 0.8,
        )
        for connector, lines_used in zip(site.connectors, used, strict=True)
    ]
