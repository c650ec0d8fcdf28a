"""A unit as its controller knows it: what it was told, what it said, and what is to be said to it next. No I/O.

Rule 1: what is lowered is told at once; a raise waits until it may (5 s after the last one, and until the bus allows).
Rule 2: an order that is over is never told; from a moment before its end on, the unit is told 0.
Rule 3: a unit that has forgotten its order is told 0 until there is a new one.

Sources: those of `powershare_serial.twc.messages`.
"""

import attrs

from powershare.adapter import PilotState
from powershare.units import Milliamps
from powershare_serial.twc.messages import (
    CENTIAMP_MA,
    Message,
    Meter,
    Protocol,
    Question,
    State,
    UnitBeat,
    UnitReady,
    VinPart,
)
from powershare_serial.twc.sending import Beat
from powershare_serial.twc.states import CHARGING, pilot_of
from powershare_serial.twc.vin import Vin

BEAT_MS = 1_000
"""Real controllers speak to each unit about once a second (D)."""
RAISE_MS = 5_000
"""Raises are at least so far apart; cars that get more and more often fall back to 6 A (D)."""
GOODBYE_MS = 500
"""How long before the end of an order that is not renewed the unit is told 0. A unit that is left to its watchdog shows
the car a cable fault, of which it forgives about three (D)."""
_AGAIN_MS = 150
_SLOW_BEAT_MS = 2_000
_MISSED_BEATS = 3
_GONE_MS = 5_000
_SIGNS_MS = 15_000
_CLASH_MS = 20_000
_CHARGING_MA: Milliamps = 1_000
_METER_MS = 2_000
_METER_KEPT_MS = 3_000


@attrs.frozen(kw_only=True)
class Order:
    """An order to a unit.

    Attributes:
        offered_ma: What it may offer.
        given_ms: When it was given.
        valid_until_ms: When it is over.
    """

    offered_ma: Milliamps
    given_ms: int
    valid_until_ms: int

    @property
    def goodbye_ms(self) -> int:
        """When the unit is told 0, unless the order is renewed before."""
        return self.valid_until_ms - min(GOODBYE_MS, (self.valid_until_ms - self.given_ms) // 4)


class LinkedUnit:
    """One unit.

    Args:
        unit_id: Its id.
        now_ms: When it was first heard of.

    Attributes:
        greatest_ma: The most it may ever be told; 0 until an adapter takes charge of it.
        spike_ma: A raise to this or more stops here for 5 s; None: no such stop.
        metered: Whether it is asked for its meter.
        owned: Whether an adapter has taken charge of it.
        first_ms: When it was first heard of.
        protocol: Its generation; None: not known yet.
        nameplate_ma: The most it is built for; None: it has not said so yet.
        beat: What it said last.
        beat_ms: When.
        spoken_ms: When it was spoken to last.
        low: Whether it has said that it allows 0.
        pilot: State of its control pilot, as far as it tells.
        vin: What is known of the vehicle's VIN.
    """

    def __init__(self, unit_id: int, now_ms: int) -> None:
        self.unit_id = unit_id
        self.protocol: Protocol | None = None
        self._sure = False
        self.greatest_ma: Milliamps = 0
        self.spike_ma: Milliamps | None = None
        self.metered = self.owned = False
        self.nameplate_ma: Milliamps | None = None
        self.beat: UnitBeat | None = None
        self.beat_ms = self.first_ms = self.spoken_ms = now_ms
        self.low = False
        self.pilot: PilotState = "A"
        self.vin = Vin()
        self._meter: tuple[int, Milliamps] | None = None
        self._metered_ms = now_ms
        self._order: Order | None = None
        self._told_ma: Milliamps = 0
        self._raised_ms: int | None = None
        self._agreed = False
        self._missed = 0
        self._next_ms = now_ms
        self._signs: dict[int, int] = {}
        self._clash_ms: int | None = None

    @property
    def heard(self) -> bool:
        """Whether it has ever said anything."""
        return self.beat is not None or self.nameplate_ma is not None

    @property
    def told_ma(self) -> Milliamps:
        """What it was told last that it may offer."""
        return self._told_ma

    @property
    def charging(self) -> bool:
        """Whether a vehicle charges, by its last words."""
        return self.beat is not None and (self.beat.state in CHARGING or self.beat.actual_ma >= _CHARGING_MA)

    def ordered(self, now_ms: int) -> bool:
        """Whether there is an order that is not over."""
        return self._order is not None and now_ms < self._order.valid_until_ms

    def take(self, order: Order) -> None:
        """From now on this order holds."""
        self._order = order
        self._next_ms = min(self._next_ms, order.given_ms)

    def void(self) -> None:
        """There is no order any more."""
        self._order = None

    def release(self, now_ms: int) -> None:
        """No adapter has charge of it any more: for as long as its last order would have lasted it is told 0."""
        self.owned = self.metered = False
        if self._order is not None:
            self.take(Order(offered_ma=0, given_ms=now_ms, valid_until_ms=self._order.valid_until_ms))

    def meter_ma(self, now_ms: int) -> Milliamps | None:
        """The largest current that its meter has on any line; None: it was not asked, or too long ago."""
        if self._meter is None or now_ms - self._meter[0] > _METER_KEPT_MS:
            return None
        return self._meter[1]

    def settled(self, now_ms: int, watchdog_ms: int) -> bool:
        """Whether it cannot be offering anything that this controller has not told it."""
        return self.low or now_ms - max(self.first_ms, self.beat_ms) >= watchdog_ms

    def beat_due_ms(self, now_ms: int, watchdog_ms: int) -> int | None:
        """When it is to be spoken to next; None: not before there is an order, or somebody asks."""
        order = self._order
        if order is None or now_ms >= order.valid_until_ms:
            self._order = None
            return None if self.settled(now_ms, watchdog_ms) else self._next_ms
        if now_ms >= order.goodbye_ms and self._agreed and not self._told_ma:
            return None
        due = [self._next_ms]
        if self._told_ma:
            due.append(order.goodbye_ms)
        if self._raised_ms is not None and order.offered_ma > self._told_ma:
            due.append(self._raised_ms + RAISE_MS)
        return min(due_ms for due_ms in due if due_ms >= self._next_ms or due_ms > self.spoken_ms)

    def next_beat(self, sender: int, now_ms: int, *, may_raise: bool) -> Beat:
        """Return what to say to it now; from now on it counts as told.

        Args:
            sender: Our id.
            now_ms: The clock, read now and not a moment ago: an order that ends meanwhile must not be sent.
            may_raise: Whether every unit of the bus has been brought low.
        """
        order = self._order
        wanted_ma = 0
        if order is not None and now_ms < order.goodbye_ms:
            wanted_ma = min(order.offered_ma, self.greatest_ma)
        if wanted_ma < self._told_ma:
            self._told_ma, self._agreed = wanted_ma, False
        elif wanted_ma > self._told_ma and may_raise and self._may_be_raised(now_ms):
            self._told_ma, self._agreed = self._step_towards(wanted_ma), False
            self._raised_ms = now_ms
        self.spoken_ms = now_ms
        # 00 and 05 in turn while 0 is wanted would switch the relay every second, so that 0 is told every time (D).
        told_already = self._agreed and self._told_ma > 0
        self._next_ms = now_ms + (_SLOW_BEAT_MS if self._missed >= _MISSED_BEATS else BEAT_MS)
        if order is not None and now_ms >= order.goodbye_ms:
            self._next_ms = now_ms + _AGAIN_MS
        return Beat(
            sender=sender,
            receiver=self.unit_id,
            offered_ma=None if told_already else self._told_ma,
            session=self.charging,
            protocol=self.protocol or 1,
        )

    def _may_be_raised(self, now_ms: int) -> bool:
        return self._raised_ms is None or now_ms - self._raised_ms >= RAISE_MS

    def _step_towards(self, wanted_ma: Milliamps) -> Milliamps:
        if self.spike_ma is not None and self._told_ma < self.spike_ma < wanted_ma:
            return self.spike_ma
        return wanted_ma

    def be(self, protocol: Protocol) -> None:
        """Its generation is this, whatever it says itself."""
        self.protocol, self._sure = protocol, True

    def _learn(self, protocol: Protocol | None) -> None:
        if not self._sure and protocol is not None:
            self.protocol = protocol

    def missed(self) -> None:
        """It did not answer."""
        self._missed += 1

    def hear_ready(self, ready: UnitReady, now_ms: int) -> None:
        """It announced itself, since it has begun anew or lost its controller.

        A unit chooses another sign when it begins anew; two units of one id show two signs in turn.
        """
        self._learn(ready.protocol)
        self.nameplate_ma = ready.nameplate_ma
        if self.beat is not None and now_ms - self.beat_ms < _GONE_MS:
            self.void()
        lately = {sign: at_ms for sign, at_ms in self._signs.items() if now_ms - at_ms < _SIGNS_MS}
        before_ms = lately.pop(ready.sign, None)
        self._signs = {**lately, ready.sign: now_ms}
        if before_ms is not None and any(at_ms > before_ms for at_ms in lately.values()):
            self._clash_ms = now_ms
            self.void()

    def clashes(self, now_ms: int) -> bool:
        """Whether two units have been heard under its id lately. They settle that between them."""
        return self._clash_ms is not None and now_ms - self._clash_ms < _CLASH_MS

    def hear(self, message: Message, now_ms: int) -> None:
        """It said something to us."""
        match message:
            case UnitBeat():
                self._hear_beat(message, now_ms)
            case Meter():
                self._meter = (now_ms, max(message.lines_ma))
            case VinPart():
                self.vin.hear(message, now_ms)

    def _hear_beat(self, beat: UnitBeat, now_ms: int) -> None:
        self._learn(beat.protocol)
        if self.beat is None or now_ms - self.beat_ms > _GONE_MS:
            self.vin.forget(now_ms)
        self.vin.watch(plugged=beat.state != State.READY or beat.actual_ma >= _CHARGING_MA, now_ms=now_ms)
        self.beat, self.beat_ms, self._missed = beat, now_ms, 0
        self.pilot = pilot_of(beat, self.pilot, known=self.vin.text is not None)
        if beat.allowed_ma == 0:
            self.low = True
            if self._agreed and self._told_ma:  # it has begun anew, or its vehicle has: it has forgotten its order
                self.void()
        self._agreed = beat.allowed_ma // CENTIAMP_MA == self._told_ma // CENTIAMP_MA

    def question_due(self, now_ms: int) -> Question | None:
        """What to ask it next, when there is time; units of protocol 1 know no questions."""
        if self.protocol != 2 or self.beat is None:
            return None
        if self.metered and now_ms - self._metered_ms >= _METER_MS:
            return Question.METER
        return self.vin.part if now_ms >= self.vin.next_ms else None

    def asked(self, question: Question, now_ms: int) -> None:
        """It is being asked."""
        if question is Question.METER:
            self._metered_ms = now_ms
        else:
            self.vin.asked(now_ms)
