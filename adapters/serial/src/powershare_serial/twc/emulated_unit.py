"""One emulated Gen 2 Wall Connector: what it hears, what it says, and what it does when nobody speaks to it.

It is told the time and does nothing by itself: `tick` with the instant, and again at `next_ms`. Not modelled: its own
+2 A and -2 A commands (06, 07), its rotary switch, temperatures, residual-current trips, LEDs.
"""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

import attrs

from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_serial.twc.frames import wrapped
from powershare_serial.twc.messages import (
    CENTIAMP_MA,
    VIN_LENGTHS,
    VIN_PARTS,
    ControllerBeat,
    ControllerReady,
    Message,
    Protocol,
    Query,
    Question,
    State,
    UnitBeat,
    UnitReady,
    Unknown,
    shown,
)

ANNOUNCES_MS = 10_000
_BOOT_MS = 1_500
_SEES_VEHICLE_MS = 1_500
_BURST_MS = 2_000
_JITTER_MS = 30
_CHARGING_MA: Milliamps = 1_000
_HALF_AMP_MA = 500
_RUIN = (b"\xfc\x19", b"\xfc\x1a", b"\xfb\xe8")
_ERROR_COMMAND, _LIMIT, _SESSION_LIMIT = 0x02, 0x05, 0x09
_CONTACTOR = {b"\xfc\xb1": False, b"\xfc\xb2": True}

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "silence": "its cable is out: it hears and says nothing",
        "mute": "it hears and obeys, and says nothing",
        "wrong-checksums": "every frame it says has a wrong checksum",
        "ignores": "it accepts and echoes every limit, and its pilot stays as it is (outside A3)",
        "ignores-zero": "while a vehicle charges it echoes a limit of 0, and goes on at 6 A (outside A3)",
        "error": "it is in its error state, in which the vehicle goes on drawing",
        "reset": "it restarts, once",
        "id-clash": "it takes the id of another unit, which both notice",
    }
)
"""What one unit can be told to do wrong."""


@attrs.frozen(kw_only=True)
class UnitTraits:
    """What kind of unit it is.

    Attributes:
        protocol: Its generation.
        nameplate_ma: The most it is built for; it says so, and does not enforce it.
        lost_after_ms: Without a heartbeat for so long it goes red and announces itself again.
        stopped_after_ms: Without one for so long its vehicle has stopped and its contactor opens.
        answer_ms: From a heartbeat to the beginning of its answer.
    """

    protocol: Protocol = 2
    nameplate_ma: Milliamps = 32_000
    lost_after_ms: int = 10_000
    stopped_after_ms: int = 26_000
    answer_ms: int = 80


class EmulatedUnit:
    """One unit on an emulated wire.

    Args:
        traits: What kind it is.
        outlet: Its connector and vehicle.
        unit_id: Its id at first.
        now_ms: The present.
        dice: What chooses its ids, its signs and when it speaks.
        say: Where its frames go: the instant at which it begins, and the frame.

    Attributes:
        unit_id: Its id now.
        allowed_ma: What it says it may offer.
        failure: What it does wrong now; `none`: nothing.
        alarms: What it was told that nobody may tell a unit.
    """

    def __init__(
        self,
        traits: UnitTraits,
        outlet: Outlet,
        unit_id: int,
        now_ms: int,
        dice: Random,
        say: Callable[[int, bytes], None],
    ) -> None:
        self.outlet, self.unit_id, self.failure = outlet, unit_id, "none"
        self.allowed_ma: Milliamps = 0
        self.alarms: list[str] = []
        self._traits, self._dice, self._say = traits, dice, say
        self._sign = dice.randrange(256)
        self._ruined = False
        self._now_ms = self._boots_ms = now_ms
        self._heard_ms: int | None = None
        self._stopped = True
        self._announces_ms = now_ms + dice.randrange(1_000, ANNOUNCES_MS)
        self._burst_ms, self._replying = now_ms - _BURST_MS, False
        self._said: list[tuple[int, Callable[[int], bytes | None]]] = []
        self._vehicle: tuple[bool, str | None] = (outlet.plugged, outlet.vehicle)
        self._seen_ms = now_ms
        self._echoes = False

    @property
    def linked(self) -> bool:
        """Whether it hears a controller."""
        return self._heard_ms is not None

    def begin(self, failure: str, now_ms: int) -> None:
        """Begin a failure that lasts, or end it with `none`."""
        self.failure = failure
        if failure == "none":
            self._put(now_ms)

    def restart(self, now_ms: int) -> None:
        """Lose power for a moment: the contactor falls open, and every order is forgotten."""
        self._boots_ms = now_ms + _BOOT_MS
        self._heard_ms, self._stopped, self.allowed_ma, self._echoes = None, True, 0, False
        self._said.clear()
        self._replying = False
        self._sign = self._dice.randrange(256)
        self._announces_ms = self._boots_ms
        self.outlet.fail(True, now_ms)
        self.outlet.fail(False, now_ms)
        self.outlet.hold_open(False, now_ms)
        self._put(now_ms)

    def take_id(self, unit_id: int, now_ms: int) -> None:
        """Go by another id from now on, and say so."""
        self.unit_id, self._heard_ms = unit_id, None
        self._announces_ms = now_ms + self._dice.randrange(200, 1_000)

    def hear(self, message: Message, now_ms: int) -> None:
        """Hear a controller's frame."""
        self.tick(now_ms)
        if self.failure == "silence" or self._ruined or now_ms < self._boots_ms:
            return
        match message:
            case ControllerReady():
                self._hear_ready(message, now_ms)
            case ControllerBeat(receiver=self.unit_id):
                self._hear_beat(message, now_ms)
            case Query(receiver=self.unit_id) if self._traits.protocol == 2:
                self._answer(now_ms, lambda at_ms: self._told(message.question, at_ms))
            case Unknown():
                self._hear_unknown(message.body, now_ms)

    def overhear(self, message: Message, now_ms: int) -> None:
        """Hear another unit's frame: two of one id notice each other, and this one takes a new id."""
        if self.failure == "silence" or now_ms < self._boots_ms:
            return
        if isinstance(message, (UnitReady, UnitBeat)) and message.sender == self.unit_id:
            self.take_id(self._dice.randrange(1, 0xFFFF), now_ms)

    def look_at_vehicle(self, now_ms: int) -> None:
        """Something has changed at its connector: it takes a moment to see which vehicle is there."""
        vehicle = (self.outlet.plugged, self.outlet.vehicle)
        if vehicle != self._vehicle:
            self._vehicle, self._seen_ms = vehicle, now_ms + _SEES_VEHICLE_MS

    def tick(self, now_ms: int) -> None:
        """Let pass what happens by itself up to now."""
        self._now_ms = now_ms
        self.outlet.advance(now_ms)
        for at_ms, compose in sorted((entry for entry in self._said if entry[0] <= now_ms), key=lambda entry: entry[0]):
            self._speak(at_ms, compose(at_ms))
        self._said = [entry for entry in self._said if entry[0] > now_ms]
        if self._heard_ms is not None and now_ms >= self._heard_ms + self._traits.stopped_after_ms:
            self._heard_ms, self._stopped, self.allowed_ma = None, True, 0
            self._put(now_ms)
        if now_ms >= self._announces_ms and now_ms >= self._boots_ms:
            self._announces_ms = now_ms + ANNOUNCES_MS
            if self._is_lost(now_ms):
                self._speak(now_ms, self._ready())

    def next_ms(self) -> int:
        """When something happens next by itself."""
        due = [self._announces_ms, *(at_ms for at_ms, _ in self._said)]
        if self._heard_ms is not None:
            due.append(self._heard_ms + self._traits.stopped_after_ms)
        outlet_ms = self.outlet.next_ms()
        if outlet_ms is not None and outlet_ms > self._now_ms:
            due.append(outlet_ms)
        return min(due)

    def _is_lost(self, now_ms: int) -> bool:
        return self._heard_ms is None or now_ms >= self._heard_ms + self._traits.lost_after_ms

    def _hear_ready(self, message: ControllerReady, now_ms: int) -> None:
        if message.sender == self.unit_id:
            self.take_id(self._dice.randrange(1, 0xFFFF), now_ms)
            return
        if not message.second:
            return
        first, self._burst_ms = now_ms - self._burst_ms >= _BURST_MS, now_ms
        if not first and not self._replying:  # the first of several is ignored (D)
            self._replying = True
            self._said.append((now_ms + self._dice.randrange(20, 400), self._reply))

    def _reply(self, _: int) -> bytes:
        self._replying = False
        return self._ready()

    def _hear_beat(self, message: ControllerBeat, now_ms: int) -> None:
        self._heard_ms, self._stopped, self._echoes = now_ms, False, False
        charging = self.outlet.drawn_ma >= _CHARGING_MA
        if message.command == _ERROR_COMMAND:
            self._ruin(f"heartbeat command 02 to {shown(self.unit_id)}")
        elif message.command == _LIMIT and not (self._traits.protocol == 2 and charging):
            self._limit(message.amount_ma, now_ms)
        elif message.command == _SESSION_LIMIT and self._traits.protocol == 2:
            self._limit(message.amount_ma, now_ms)
            self._echoes = True
        self._answer(now_ms, self._beat_to(message.sender))

    def _hear_unknown(self, body: bytes, now_ms: int) -> None:
        if body[:2] in _RUIN:
            self._ruin(f"{body.hex(' ')}, which disables a unit")
        elif body[:2] in _CONTACTOR and int.from_bytes(body[4:6]) == self.unit_id:
            self.outlet.hold_open(_CONTACTOR[body[:2]], now_ms)

    def _ruin(self, what: str) -> None:
        self.alarms.append(what)
        self._ruined = True
        self._said.clear()

    def _limit(self, allowed_ma: Milliamps, now_ms: int) -> None:
        self.allowed_ma = allowed_ma
        if self.failure in {"ignores", "error"}:
            return
        self._put(now_ms)

    def _put(self, now_ms: int) -> None:
        """Put what it may offer on the pilot."""
        on_pilot_ma = 0 if self._stopped else self.allowed_ma
        if self.failure == "ignores-zero" and not on_pilot_ma and self.outlet.drawn_ma >= _CHARGING_MA:
            on_pilot_ma = 6_000
        if on_pilot_ma != self.outlet.ordered_ma:
            self.outlet.offer(on_pilot_ma, now_ms)

    def _answer(self, now_ms: int, compose: Callable[[int], bytes | None]) -> None:
        self._said.append((now_ms + self._traits.answer_ms + self._dice.randrange(_JITTER_MS), compose))

    def _speak(self, at_ms: int, body: bytes | None) -> None:
        if body is None or self.failure in {"silence", "mute"} or self._ruined or at_ms < self._boots_ms:
            return
        frame = wrapped(body)
        if self.failure == "wrong-checksums":
            frame = frame[:-2] + bytes([frame[-2] ^ 0x10]) + frame[-1:]
        self._say(at_ms, frame)

    def _state(self, now_ms: int) -> State:
        outlet = self.outlet
        if self.failure == "error" or outlet.state == "F":
            return State.ERROR
        if not outlet.plugged or now_ms < self._seen_ms:
            return State.READY
        if outlet.drawn_ma:
            return State.LIMITED if self._echoes else State.CHARGING
        if outlet.state in {"C", "D"}:
            return State.STARTING
        if not outlet.wants:
            return State.PLUGGED_IDLE
        # A vehicle that was offered something and has not closed its contactor sleeps, which looks like no vehicle (O).
        return State.READY if outlet.offered_ma else State.ASKS_FOR_AMPS

    def _ready(self) -> bytes:
        amount = self._traits.nameplate_ma // CENTIAMP_MA
        return self._padded(b"\xfd\xe2" + self._own_id() + bytes([self._sign]) + amount.to_bytes(2))

    def _beat_to(self, controller: int) -> Callable[[int], bytes]:
        def compose(now_ms: int) -> bytes:
            actual = -(-self.outlet.drawn_ma // CENTIAMP_MA)
            amounts = (self.allowed_ma // CENTIAMP_MA).to_bytes(2) + min(actual, 0xFFFF).to_bytes(2)
            head = b"\xfd\xe0" + self._own_id() + controller.to_bytes(2)
            return self._padded(head + bytes([self._state(now_ms)]) + amounts)

        return compose

    def _own_id(self) -> bytes:
        return self.unit_id.to_bytes(2)

    def _padded(self, body: bytes) -> bytes:
        return body.ljust(13 if self._traits.protocol == 1 else 15, b"\0")

    def _told(self, question: Question, now_ms: int) -> bytes:
        """The long answer to a question."""
        outlet = self.outlet
        match question:
            case Question.METER:
                halves = [-(-drawn_ma // _HALF_AMP_MA) for drawn_ma in outlet.drawn_per_line_ma]
                volts = b"".join((230 if line < outlet.lines else 0).to_bytes(2) for line in range(3))
                payload = outlet.delivered_wh.to_bytes(4) + volts + bytes(min(half, 255) for half in halves)
            case Question.FIRMWARE:
                payload = bytes([4, 5, 3, 0])
            case Question.SERIAL:
                payload = f"A00E000{shown(self.unit_id)}".encode()
            case _:
                payload = self._vin_part(question, now_ms)
        return (bytes([0xFD, question.value]) + self._own_id() + payload).ljust(19, b"\0")

    def _vin_part(self, question: Question, now_ms: int) -> bytes:
        vin = (self.outlet.vehicle or "") if now_ms >= self._seen_ms else ""
        if len(vin) != sum(VIN_LENGTHS) or not vin.isascii():
            return b""
        at = VIN_PARTS.index(question)
        start = sum(VIN_LENGTHS[:at])
        return vin[start : start + VIN_LENGTHS[at]].encode()
