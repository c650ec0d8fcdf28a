"""An emulated device: registers that behave as a map says, over a connector with its vehicle.

It is told the time with everything it is asked, and does nothing by itself; a watchdog that was due meanwhile acts
before that. What no device would take raises an alarm.

Not faithful: it answers at once, applies orders at once, and knows no register that its map does not name.
"""

from collections.abc import Sequence

from pymodbus.constants import ExcCodes

from powershare.errors import AdapterError
from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_serial.modbus.register_map import Failsafe, RegisterMap, StateRule
from powershare_serial.modbus.registers import Kind, Register, Table


class EmulatedUnit:
    """One device.

    Args:
        found: What it is like.
        shift: How far its registers lie from those in the map.
        outlet: Its connector.
        now_ms: The present.

    Attributes:
        alarms: What it was told that must not be.
        fallback_ma: What it offers when it is left alone.
        after_ms: When its watchdog acts; 0: never.
        tripped: Whether it has acted.
        ignores_writes: It accepts what is written, and does nothing.
        fallback_writes: How often its fallback was written.
    """

    def __init__(self, found: RegisterMap, shift: int, outlet: Outlet, now_ms: int) -> None:
        self.map = found
        self.outlet = outlet
        self.alarms: list[str] = []
        self.ignores_writes = False
        self.fallback_writes = 0
        self._shift = shift
        self._known = {(each.table, each.address + at) for each in found.registers() for at in range(each.words)}
        if found.grants is not None:
            words = max(map(len, found.grants.answers.values()))
            self._known.update((found.grants.register.table, found.grants.register.address + at) for at in range(words))
        self._memory: dict[tuple[Table, int], int] = {}
        dog = found.watchdog
        self.fallback_ma: Milliamps = 0
        if dog is not None:
            # Where it can be told, it comes with the worst.
            self.fallback_ma = dog.fallback_ma if dog.failsafe is None else found.offers.greatest_ma
        self.restart(now_ms)

    def restart(self, now_ms: int) -> None:
        """Lose power for a moment: its order and its watchdog's time are forgotten, its failsafe is kept."""
        found, dog = self.map, self.map.watchdog
        self._memory = dict.fromkeys(self._known, 0)
        self._order_ma: Milliamps = 0 if dog is not None else found.offers.least_ma
        self._released = dog is None
        self._granted = False
        self._fed_ms = now_ms
        # Nobody has spoken to it yet: where it cannot be told a current, that is its failsafe.
        self.tripped = dog is not None and dog.failsafe is None
        self.after_ms = 0 if dog is None or dog.time is not None else dog.after_ms
        self._settle_memory()
        self.outlet.advance(now_ms)
        self._apply(now_ms, "restarted")

    def catch_up(self, now_ms: int) -> None:
        """Let its watchdog act if that was due."""
        due_ms = self.due_ms()
        if due_ms is not None and due_ms <= now_ms:
            self._trip(now_ms)  # somebody else may have let the outlet's time pass beyond the instant that was due
        self.outlet.advance(now_ms)

    def due_ms(self) -> int | None:
        """When its watchdog acts; None: it is off, or has acted."""
        if self.map.watchdog is None or self.tripped or not self.after_ms:
            return None
        return self._fed_ms + self.after_ms

    def get(self, table: Table, address: int, count: int, now_ms: int) -> list[int] | ExcCodes:
        """Answer a question that reads."""
        self.catch_up(now_ms)
        self._hear(now_ms, wrote=None)
        places = [(table, address + at - self._shift) for at in range(count)]
        if not self._known.issuperset(places):
            return ExcCodes.ILLEGAL_ADDRESS
        self._refresh(now_ms)
        return [self._memory[place] for place in places]

    def put(self, table: Table, address: int, words: Sequence[int], now_ms: int) -> ExcCodes | None:
        """Answer a question that writes."""
        self.catch_up(now_ms)
        first = address - self._shift
        if not self._known.issuperset((table, first + at) for at in range(len(words))):
            return ExcCodes.ILLEGAL_ADDRESS
        register = self._at(table, first)
        if register is None:
            self._alarm(f"wrote {table.value} {first}, which is read only, or is no beginning of a figure", now_ms)
            return ExcCodes.ILLEGAL_VALUE
        if self.ignores_writes:
            return None
        grants = self.map.grants
        whole = len(words) == register.words or (grants is not None and register == grants.register)
        if not whole or not self._legal(register, words):
            self._alarm(f"wrote {list(words)} to {register}", now_ms)
            return ExcCodes.ILLEGAL_VALUE
        self._take(register, words, now_ms)
        self._hear(now_ms, wrote=register)
        return None

    def hear_order(self, word: int, now_ms: int) -> None:
        """Take one word of a frame for several units."""
        self.catch_up(now_ms)
        cast = self.map.broadcast
        if cast is None or self.ignores_writes:
            return
        if not self._legal(self.map.setpoint.register, [word]):
            self._alarm(f"was broadcast {word}", now_ms)
            return
        self._take(self.map.setpoint.register, [word], now_ms)
        self._hear(now_ms, wrote=self.map.setpoint.register)

    def _at(self, table: Table, address: int) -> Register | None:
        """The register that is written at an address."""
        found, dog = self.map, self.map.watchdog
        written = [found.setpoint.register, *(fixed.register for fixed in found.init)]
        written += [part.register for part in (found.release, found.grants) if part is not None]
        if dog is not None:
            written += [part.register for part in (dog.failsafe, dog.heartbeat) if part is not None]
            written += [] if dog.time is None else [dog.time]
        return next((each for each in written if (each.table, each.address) == (table, address)), None)

    def _legal(self, register: Register, words: Sequence[int]) -> bool:
        """Whether a device would take it, and a careful controller would write it."""
        found, dog = self.map, self.map.watchdog
        if register == found.setpoint.register:
            current_ma = _current_ma(register, words)
            if current_ma == 0:
                return found.setpoint.zero_pauses
            return current_ma is not None and found.offers.least_ma <= current_ma <= found.offers.greatest_ma
        if dog is not None and register == dog.time:
            return dog.least_ms <= (register.thousandths_of(words) or 0) <= dog.greatest_ms
        if dog is not None and dog.failsafe is not None and register == dog.failsafe.register:
            current_ma = dog.failsafe.current_ma(tuple(words))
            return (current_ma == 0 and not dog.failsafe.least_ma) or (
                current_ma is not None and found.offers.least_ma <= current_ma <= found.offers.greatest_ma
            )
        return True

    def _take(self, register: Register, words: Sequence[int], now_ms: int) -> None:
        found, dog = self.map, self.map.watchdog
        for at, word in enumerate(words):
            self._memory[register.table, register.address + at] = word
        if register == found.setpoint.register:
            self._order_ma = _current_ma(register, words) or 0
            if dog is not None and dog.ends == "order" and self.tripped:
                self.tripped, self._fed_ms = False, now_ms
        elif found.release is not None and register == found.release.register:
            self._released = register.raw_of(words) == found.release.on
        elif found.grants is not None and register == found.grants.register:
            self._granted = self._order_ma > 0
        elif dog is not None and register == dog.time:
            self.after_ms = register.thousandths_of(words) or 0
        elif dog is not None and dog.failsafe is not None and register == dog.failsafe.register:
            self.fallback_ma = dog.failsafe.current_ma(tuple(words)) or 0
            self.fallback_writes += 1
        self._apply(now_ms, None)

    def _hear(self, now_ms: int, wrote: Register | None) -> None:
        """Somebody has spoken: feed the watchdog if that does, and end a trip if that does."""
        dog = self.map.watchdog
        if dog is None:
            return
        feeder = self.map.setpoint.register
        if dog.heartbeat is not None:
            feeder = dog.heartbeat.register
        elif dog.rewrite_time and dog.time is not None:
            feeder = dog.time
        if dog.fed_by_reads or wrote == feeder:
            self._fed_ms = now_ms
            if self.tripped and dog.ends == "message":
                self.tripped = False
                self._apply(now_ms, None)

    def _trip(self, at_ms: int) -> None:
        dog = self.map.watchdog
        self.tripped, self._granted = True, False
        if dog is not None and dog.ends == "order" and dog.failsafe is not None:
            self._released = False
        self._apply(at_ms, "watchdog")

    def _apply(self, now_ms: int, word: str | None) -> None:
        self.outlet.offer(self._pilot_ma(), now_ms, word)

    def _pilot_ma(self) -> Milliamps:
        if self.tripped:
            return self.fallback_ma
        if self.map.release is not None and not self._released:
            return 0
        return 0 if self.map.grants is not None and not self._granted else self._order_ma

    def _alarm(self, what: str, now_ms: int) -> None:
        self.alarms.append(what)
        self.outlet.offer(self.outlet.ordered_ma, now_ms, f"alarm: {what}")

    def _settle_memory(self) -> None:
        """What stands in registers that nobody computes."""
        found, dog = self.map, self.map.watchdog
        for fixed in (*found.expect, *([found.honoured] if found.honoured is not None else [])):
            raw = next(bound for bound in (fixed.raw, fixed.least_raw, fixed.greatest_raw) if bound is not None)
            self._store(fixed.register, fixed.register.words_of(raw << fixed.register.shift))
        if found.setpoint.zero_pauses or self._order_ma:
            self._store(found.setpoint.register, found.setpoint.register.words_below(self._order_ma))
        if found.release is not None:
            raw = found.release.on if self._released else found.release.off
            self._store(found.release.register, found.release.register.words_of(raw))
        if dog is not None and dog.failsafe is not None:
            self._store(dog.failsafe.register, dog.failsafe.words_for(self.fallback_ma))

    def _refresh(self, now_ms: int) -> None:
        """Compute what is read."""
        found, dog, outlet = self.map, self.map.watchdog, self.outlet
        reported = found.reported.register
        if reported is not None and (found.reported.applied or reported.address != found.setpoint.register.address):
            shown_ma = outlet.offered_ma if found.reported.applied else self._order_ma
            self._store(reported, reported.words_below(shown_ma))
        for number, rule in enumerate(found.states):
            self._store(rule.register, self._state_words(rule, first=number == 0))
        for register, drawn_ma in zip(found.drawn, outlet.drawn_per_line_ma, strict=False):
            self._store(register, _words_above(register, drawn_ma))
        if dog is None:
            return
        if dog.time_read is not None:
            self._store(dog.time_read, dog.time_read.words_below(self.after_ms))
        if dog.failsafe_read is not None:
            self._store(dog.failsafe_read.register, _failsafe_words(dog.failsafe_read, self.fallback_ma))
        if dog.left is not None:
            due_ms = self.due_ms()
            self._store(dog.left, dog.left.words_below(0 if due_ms is None else max(0, due_ms - now_ms)))

    def _state_words(self, rule: StateRule, *, first: bool) -> tuple[int, ...]:
        state, grants = self.outlet.state, self.map.grants
        known = [raw for raw, letter in rule.values.items() if letter == state]
        offering = [raw for raw in known if raw not in rule.not_offering]
        idle = [raw for raw in known if raw in rule.not_offering]
        if first and grants is not None and self._order_ma and not self._granted and state != "A":
            return rule.register.words_of(max(grants.answers))
        paused = self.outlet.offered_ma == 0
        candidates = (idle or offering) if paused else (offering or idle)
        if not candidates:  # it is for another register to say
            unknown = (raw for raw in range(256) if raw not in rule.values and rule.register.mask in {None, raw})
            candidates = [next(unknown)]
        return _raw_words(rule.register, candidates[0])

    def _store(self, register: Register, words: Sequence[int]) -> None:
        for at, word in enumerate(words):
            self._memory[register.table, register.address + at] = word


def _current_ma(register: Register, words: Sequence[int]) -> Milliamps | None:
    try:
        return register.thousandths_of(words)
    except AdapterError:
        return None


def _words_above(register: Register, current_ma: Milliamps) -> tuple[int, ...]:
    """A meter that never says too little."""
    words = register.words_below(current_ma)
    exact = register.exact(words)
    if register.kind is Kind.FLOAT32 or exact is None or exact >= current_ma:
        return words
    raw = register.raw_of(words)
    return register.words_of(raw + 1) if isinstance(raw, int) else words


def _failsafe_words(failsafe: Failsafe, current_ma: Milliamps) -> tuple[int, ...]:
    return failsafe.words_for(current_ma)


def _raw_words(register: Register, raw: int | str) -> tuple[int, ...]:
    if isinstance(raw, int):
        return register.words_of(raw << register.shift)
    letters = raw.encode("ascii").ljust(2 * register.words, b"\0")
    return tuple(int.from_bytes(letters[at : at + 2], "big") for at in range(0, 2 * register.words, 2))
