"""A device, a line to it and the driver's actuator between a real unit and that device: virtual time, no asyncio.

The device is the judge: what it really offers is simulated here from `powershare.adapter.Declaration`, by a plain
reading of its words, and never taken from what the actuator believes.
"""

from collections.abc import Callable, Iterable
from random import Random

import attrs

from powershare.adapter import Deadman, Declaration, Offer, Reading
from powershare.driver.actuator import Actuator
from powershare.driver.admission import Device as Promise
from powershare.driver.admission import admit
from powershare.leases import Grant, GrantKind, Pilot
from powershare.node import Applied, DeviceState, Event, Measured
from powershare.node.unit import Unit
from powershare.site import Circuit, Connector, Site, Supply
from powershare.timing import Timing

BOOT, NOW, POLL_MS, STEP_MS = 77, 1_000_000, 1_000, 100


def declared(kind: Deadman, *, left_alone_ma: int = 0, watchdog_ms: int = 10_000, **changes: object) -> Declaration:
    """A declaration of this class."""
    plain = Declaration(
        step_ma=1_000,
        greatest_offer_ma=32_000,
        can_pause=True,
        deadman=kind,
        watchdog_ms=watchdog_ms if kind is Deadman.WATCHDOG else None,
        fallback_ma=32_000 if kind is Deadman.NONE else left_alone_ma,
        settle_ms=300,
        confirms_applied=False,
    )
    return attrs.evolve(plain, **changes)  # type: ignore[arg-type] # of any of its fields


def timing_of(*declarations: Declaration) -> Timing:
    """The times that a driver leads such devices with."""
    connectors = tuple(
        Connector(id=f"c{number}", circuit="feeder", step_ma=1_000, fallback_ma=0, fail_safe=False)
        for number, _ in enumerate(declarations)
    )
    circuit = Circuit(id="feeder", limit_ma=1_000_000)
    site = Site(supply=Supply.SINGLE_PHASE, circuits=(circuit,), connectors=connectors)
    promises = {
        connector.id: Promise(declaration=declaration, left_alone_ma=declaration.fallback_ma)
        for connector, declaration in zip(connectors, declarations, strict=True)
    }
    return admit(site, promises).timing


@attrs.define
class Device:
    """What really is on the wall.

    Attributes:
        declaration: What it is known to promise.
        offered_ma: What its pilot says.
        watchdog_ms: How fast its own timer really is.
        obeys: Whether it does what it is told.
        late_ms: How long it takes to do so; to lower, `lowers_late_ms`.
    """

    declaration: Declaration
    offered_ma: int
    watchdog_ms: int = 0
    obeys: bool = True
    late_ms: int = 0
    lowers_late_ms: int = 0
    now_ms: int = NOW
    _dead_ms: int | None = None
    _dead_ma: int = 0
    _coming: list[tuple[int, Offer]] = attrs.Factory(list)
    orders: list[tuple[int, Offer]] = attrs.Factory(list)

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due by now."""
        while self._coming and self._coming[0][0] <= now_ms:
            self._die(self._coming[0][0])
            if self._coming:
                self._take(*self._coming.pop(0))
        self._die(now_ms)
        self.now_ms = now_ms

    def hear(self, offer: Offer, now_ms: int, *, obeys: bool = True) -> None:
        """An order arrives."""
        self.advance(now_ms)
        self.feed(now_ms)
        self.orders.append((now_ms, offer))
        if obeys and self.obeys:
            if offer.offered_ma <= self.offered_ma:
                self._coming = [(now_ms + self.lowers_late_ms, offer)]  # at once, whatever was to come
            else:
                earliest_ms = self._coming[-1][0] if self._coming else 0
                self._coming.append((max(earliest_ms, now_ms + self.late_ms), offer))
        self.advance(now_ms)

    def feed(self, now_ms: int) -> None:
        """Somebody speaks to it."""
        if self.declaration.deadman is Deadman.WATCHDOG:
            self.advance(now_ms)
            self._dead_ms, self._dead_ma = now_ms + self.watchdog_ms, self.declaration.fallback_ma

    def restart(self, now_ms: int) -> None:
        """Forget everything."""
        self.advance(now_ms)
        self._coming.clear()
        self._dead_ms, self.offered_ma = None, self.declaration.fallback_ma

    def _die(self, now_ms: int) -> None:
        if self._dead_ms is not None and self._dead_ms <= now_ms:
            self._dead_ms, self.offered_ma = None, self._dead_ma
            if self.declaration.deadman is Deadman.WATCHDOG:
                self._coming.clear()  # nobody has spoken to it since

    def _take(self, now_ms: int, offer: Offer) -> None:
        if self.declaration.deadman is Deadman.LEASE:
            if now_ms >= offer.valid_until_ms:
                self.offered_ma, self._dead_ms = offer.then_ma, None
                return
            self._dead_ms, self._dead_ma = offer.valid_until_ms, offer.then_ma
        self.offered_ma = self.declaration.sendable_ma(offer.offered_ma)


class Bench:
    """A unit, its actuator, a line and a device, led by whoever calls `grant`.

    Attributes:
        fate: Decides what becomes of each call: `ok`, `lost` (not heard), `unanswered` (heard), `no` (heard, refused),
            `ignored` (heard, acknowledged, not done), `kept` (a question: answered with what was said before).
    """

    def __init__(
        self, declaration: Declaration, *, fallback_ma: int = 6_000, offered_ma: int = 0, trusted: bool = False
    ) -> None:
        self.declaration, self.fallback_ma = declaration, fallback_ma
        self.timing = timing_of(declaration)
        connector = Connector(id="a", circuit="feeder", step_ma=1_000, fallback_ma=fallback_ma)
        self.unit = Unit(connector, 0, fallback_ma, self.timing, BOOT, NOW)
        self.device = Device(declaration, offered_ma, watchdog_ms=declaration.watchdog_ms or 0)
        self.device.feed(NOW)  # by a former process, at its end
        self.actuator = Actuator(declaration, NOW, trusted=trusted)
        self.now_ms = NOW
        self.fate: Callable[[str], str] = lambda _call: "ok"
        self.after_each: Callable[[], None] = lambda: None
        self.alive = self.dialled = True
        self.reached = True
        self.missing = 0
        self.told: list[Pilot] = []
        self.events: list[Event] = []
        self._asked_ms = NOW - POLL_MS
        self._kept: Reading | None = None
        self._news()

    # Time

    def run(self, duration_ms: int) -> None:
        """Let time pass, and the driver do what is due."""
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            if self.alive:
                self._drive()
            self._pass(max(0, min(STEP_MS, end_ms - self.now_ms)))

    def held_up(self, duration_ms: int) -> None:
        """The process stands still; its device does not."""
        self.alive = False
        for _ in range(duration_ms // STEP_MS):
            self.now_ms += STEP_MS
            self.device.advance(self.now_ms)
        self.alive = True

    def _pass(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self.device.advance(self.now_ms)
        if self.alive:
            self.unit.expire(self.now_ms)
            self._news()
        self.after_each()

    @property
    def most_ma(self) -> int:
        """What the unit says may be drawn, e."""
        return self.unit.holder.most_ma(self.now_ms)

    # What a leader does

    def grant(self, kind: GrantKind, ceiling_ma: int, *, offer_ma: int | None = None, age_ms: int = 0) -> bool:
        """Answer a report that the unit made so long ago."""
        holder = self.unit.holder
        offer = ceiling_ma if offer_ma is None else offer_ma
        grant = Grant(holder.seq + 1, kind, ceiling_ma, offer, BOOT, holder.session, 1, max(NOW, self.now_ms - age_ms))
        accepted = self.unit.accept(grant, self.now_ms)
        self._news()
        return accepted

    def started(self) -> "Bench":
        """The same, past its cold hold."""
        self.run(self.timing.cold_hold_ms + 1_000)
        return self

    # What the driver does, as its handler does it

    def _drive(self) -> None:
        actuator = self.actuator
        if not self.dialled:
            quiet_ms = actuator.quiet_until_ms(self.now_ms)
            if quiet_ms is not None:
                return self._unreached()
            self.dialled = True
            actuator.forget()
            self._ask()
            return self._unreached()
        offer = actuator.due(self.now_ms)
        if offer is not None:
            self._order(offer)
        elif self._ask_due_ms() <= self.now_ms:
            self._ask()
        return self._unreached()

    def _ask_due_ms(self) -> int:
        quiet_ms = self.actuator.quiet_until_ms(self.now_ms)
        if quiet_ms is not None and self.declaration.fed_by_reads:
            return quiet_ms
        confirm_ms = self.actuator.confirm_from_ms if self.actuator.confirming else None
        poll_ms = self._asked_ms + POLL_MS
        return poll_ms if confirm_ms is None else min(poll_ms, max(confirm_ms, self._asked_ms + 50))

    def _order(self, offer: Offer) -> None:
        self._tell(self.actuator.sending(offer, self.now_ms))
        fate = self.fate("order")
        if fate != "lost":
            self.device.hear(offer, self.now_ms, obeys=fate in {"ok", "unanswered", "kept"})
        if fate in {"ok", "ignored", "kept"}:
            self._pass(40)
            self.actuator.sent(self.now_ms)
        else:
            self._pass(40 if fate == "no" else self.declaration.longest_write_ms)
            self.actuator.failed(self.now_ms)
            self._missed(hangs_up=False if fate == "no" else None)

    def _ask(self) -> None:
        self._asked_ms = asked_ms = self.now_ms
        self.actuator.asking(asked_ms)
        fate = self.fate("ask")
        if fate != "lost" and self.declaration.fed_by_reads:
            self.device.feed(self.now_ms)
        reading = Reading(at_ms=self.now_ms, offered_ma=self.device.offered_ma, state="C")
        self._pass(20)
        self.actuator.asking(self.now_ms)
        if fate in {"lost", "unanswered", "no"}:
            self._missed()
            return
        was_kept = fate == "kept" and self._kept is not None
        reading = self._kept if was_kept and self._kept else attrs.evolve(reading, at_ms=self.now_ms)
        self._kept, self.reached, self.missing = reading, True, 0
        self._tell(self.actuator.read(reading, asked_ms))

    def _missed(self, *, hangs_up: bool | None = None) -> None:
        if hangs_up is False:
            return
        self.reached, self.missing = False, self.missing + 1
        if self.missing >= 3:
            self.missing, self.dialled = 0, False

    def _unreached(self) -> None:
        if not self.reached and self.actuator.is_silent(self.now_ms):
            self._tell(self.actuator.unreached(self.now_ms))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in tuple(events):
            self.events.append(event)
            self.unit.expire(self.now_ms)
            if isinstance(event, Applied):
                self.unit.applied(event, self.now_ms)
            elif isinstance(event, DeviceState):
                self.unit.device(event, self.now_ms, led=True)
            elif isinstance(event, Measured):
                self.unit.measured(event, self.now_ms)
            self._news()
        self.after_each()

    def _news(self) -> None:
        pilot = self.unit.pilot(self.now_ms)
        if pilot is not None:
            self.told.append(pilot)
            self.actuator.order(pilot)

    # What is to be looked at

    def answers(self) -> list[Applied]:
        """What the unit was told of its writes."""
        return [event for event in self.events if isinstance(event, Applied)]

    def orders_ma(self) -> list[int]:
        """What the device heard."""
        return [offer.offered_ma for _, offer in self.device.orders]


def pilot(write: int, offer_ma: int, until_ms: int | None = None, then_ma: int = 0) -> Pilot:
    """What a node wants of its device."""
    return Pilot(write, offer_ma, until_ms, then_ma, False, NOW, "raise")


def says(offered_ma: int, at_ms: int) -> Reading:
    """What a device with a vehicle reports."""
    return Reading(at_ms=at_ms, offered_ma=offered_ma, state="C")


def told(actuator: Actuator, now_ms: int) -> Offer:
    """Let what is due go out, at once and acknowledged."""
    offer = actuator.due(now_ms)
    assert offer is not None
    actuator.sending(offer, now_ms)
    actuator.sent(now_ms)
    return offer


def answers(actuator: Actuator, offered_ma: int, at_ms: int, asked_ms: int | None = None) -> list[Applied]:
    """Which writes a report answers."""
    events = actuator.read(says(offered_ma, at_ms), at_ms if asked_ms is None else asked_ms)
    return [event for event in events if isinstance(event, Applied)]


def raised(kind: Deadman, ceiling_ma: int = 20_000, **changes: object) -> Bench:
    """A device that offers what a raise allows, and has been read back."""
    bench = Bench(declared(kind, **changes), trusted=kind is Deadman.NONE).started()  # type: ignore[arg-type] # of any of its fields
    assert bench.grant(GrantKind.RAISE, ceiling_ma)
    bench.run(900)
    assert bench.device.offered_ma == ceiling_ma
    return bench


FATES = ("ok",) * 5 + ("lost", "unanswered", "no", "ignored", "kept")
"""What may become of a call, as often as that."""


def fates_of(chance: Random, *, without: frozenset[str] = frozenset()) -> Callable[[str], str]:
    """Weather that changes: mostly fair, at times one trouble for a while."""
    kinds = [fate for fate in FATES if fate not in without]
    left, now = 0, "ok"

    def fate(_call: str) -> str:
        nonlocal left, now
        if left <= 0:
            left, now = chance.choice((1, 1, 2, 5, 20, 60)), chance.choice(kinds)
        left -= 1
        return now

    return fate


def a_grant(bench: Bench, chance: Random) -> None:
    """Something that a leader may do."""
    fallback_ma = bench.fallback_ma
    steps = range(6_000, 33_000, 1_000)
    kind = chance.choice((GrantKind.RAISE, GrantKind.RAISE, GrantKind.TRIM, GrantKind.CAP, GrantKind.FALL_BACK))
    if kind is GrantKind.RAISE:
        ceiling_ma = chance.choice([ma for ma in steps if ma > fallback_ma])
    elif kind is GrantKind.CAP:
        ceiling_ma = chance.choice([ma for ma in (0, *steps) if ma < fallback_ma] or [0])
        if ceiling_ma >= fallback_ma:
            return
    elif kind is GrantKind.TRIM:
        ceiling_ma = chance.choice([ma for ma in (0, *steps) if ma >= fallback_ma])
    else:
        ceiling_ma = fallback_ma
    bench.grant(kind, ceiling_ma, age_ms=chance.randrange(0, 900))
