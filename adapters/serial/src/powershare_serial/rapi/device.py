"""An emulated OpenEVSE: what its firmware says and does, without a wire.

It follows OpenEVSE/open_evse, firmware/open_evse/rapi_proc.cpp and J1772EvseController.cpp, where they decide on amps:
the volatile capacity is bounded by the saved one and lost in a restart, `$SC` clamps and then answers `$NK` with what
holds, the supervision lowers and never raises, but `$SY 165` and `$SY 0 n` do raise to the saved capacity, and after a
restart a boot lock keeps everything off until `$SB`.

Not faithful: self-tests, service levels, timers, display, temperatures; its meter is exact.
"""

from collections.abc import Callable
from random import Random

import attrs

from powershare.adapter import Clock
from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_serial.rapi.frames import Answer, Command, Lines, Notice, encode

_LEAST_A = 6
_AMP_MA: Milliamps = 1_000
_WAKING_MS = 250
_STATES = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 6, "F": 6}
_SLEEPING, _DISABLED, _RESIDUAL_CURRENT = 0xFE, 0xFF, 0x06
_ACKNOWLEDGED = "165"

FAILURES = {
    "noise": "bytes that mean nothing come before and within its answers",
    "wrong-checksum": "every second answer has a wrong checksum",
    "silent": "it neither hears nor says anything",
    "ignores": "it says yes to $SC and does nothing (outside A3)",
    "hot": "it is over temperature, and refuses every raise with $NK",
    "chatty": "notices come between a command and its answer, and break off in the middle",
    "fault": "its residual current device has tripped",
    "restart": "it restarts now",
}
"""What an emulated unit can be told to do wrong."""


@attrs.frozen(kw_only=True)
class UnitTraits:
    """What kind of unit it is.

    Attributes:
        hardware_a: The most it is built for.
        saved_a: Its saved capacity, which it offers after a restart.
        supervision: Whether its firmware has a heartbeat supervision.
        boot_lock: Whether its firmware has a boot lock, switched on.
        sequences: Whether its firmware repeats sequence ids.
        ammeter: Whether it measures.
        seed: Of its noise.
    """

    hardware_a: int = 48
    saved_a: int = 32
    supervision: bool = True
    boot_lock: bool = True
    sequences: bool = True
    ammeter: bool = True
    seed: int = 1


class OpenEvse:
    """One unit.

    It does nothing by itself: whoever has it calls `advance` with every new instant, and at `next_ms`.

    Args:
        outlet: Its connector.
        clock: Where the time comes from.
        traits: What kind of unit it is.

    Attributes:
        outlet: Its connector.
        traits: What kind of unit it is.
        failing: Its failures.
        saved: How often it has written into the memory that wears out.
    """

    def __init__(self, outlet: Outlet, clock: Clock, traits: UnitTraits) -> None:
        self.outlet, self.traits = outlet, traits
        self.failing: set[str] = set()
        self.saved = 0
        self._clock = clock
        self._dice = Random(traits.seed)  # noqa: S311 - the same noise every time
        self._lines = Lines()
        self._outbox = bytearray()
        self._answers = 0
        self._saved_a = traits.saved_a
        self._interval_s, self._fallback_a = 0, 0
        self._capacity_a = traits.saved_a
        self._stopped: int | None = _SLEEPING  # as somebody left it, so that nothing is offered out of the box
        self._boot_locked = self._missed = False
        self._wakes_ms: int | None = None
        self._pulsed_ms = clock.now_ms()
        self._told: tuple[object, ...] = ()

    @property
    def offered_a(self) -> int:
        """What it wants on its pilot."""
        off = self._stopped is not None or self._boot_locked or self._wakes_ms is not None or "fault" in self.failing
        return 0 if off else self._capacity_a

    def next_ms(self) -> int | None:
        """When something happens by itself; None: never."""
        due_ms = [due for due in (self._due_ms(), self.outlet.next_ms()) if due is not None]
        return min(due_ms, default=None)

    def _due_ms(self) -> int | None:
        """When the firmware itself does something next."""
        return min((due for due in (self._wakes_ms, self._acts_ms()) if due is not None), default=None)

    def _acts_ms(self) -> int | None:
        """When its supervision acts: later than its interval, not at it."""
        return self._pulsed_ms + self._interval_s * 1000 + 1 if self._interval_s else None

    def advance(self) -> None:
        """Let everything happen that was due."""
        now_ms = self._clock.now_ms()
        while (due_ms := self._due_ms()) is not None and due_ms <= now_ms:
            if due_ms == self._wakes_ms:
                self._wakes_ms = None
            else:
                self._act(due_ms)
            self._apply(now_ms)  # somebody else may have let the outlet's time pass beyond the instant that was due
        self.outlet.advance(now_ms)
        self._tell()

    def _act(self, now_ms: int) -> None:
        """Nobody has sent a pulse."""
        self._capacity_a = min(self._capacity_a, max(self._fallback_a, _LEAST_A))
        self._missed, self._pulsed_ms = True, now_ms

    def hear(self, data: bytes) -> None:
        """Take some bytes; what it says to them is then in `take`."""
        self.advance()
        if "silent" in self.failing:
            return
        spoiled = self._lines.spoiled
        for message in self._lines.feed(data):
            if isinstance(message, Command):
                self._say(self._answer(message))
                self._apply(self._clock.now_ms())
                self._tell()
        for _ in range(self._lines.spoiled - spoiled):
            self._say(Answer(False))

    def take(self) -> bytes:
        """What it says now, once."""
        said = bytes(self._outbox)
        self._outbox.clear()
        return b"" if "silent" in self.failing else said

    def restart(self) -> None:
        """Lose power for a moment."""
        self.advance()
        now_ms = self._clock.now_ms()
        self.outlet.fail(True, now_ms)
        self.outlet.offer(0, now_ms)
        self.outlet.fail(False, now_ms)
        self._outbox.clear()
        self._capacity_a, self._stopped = self._saved_a, None
        self._boot_locked, self._missed = self.traits.boot_lock, False
        self._wakes_ms, self._pulsed_ms = now_ms + _WAKING_MS, now_ms
        self._apply(now_ms)
        self._send(Notice("AB", ("00", "8.2.1")))

    def fail(self, failure: str) -> None:
        """Begin a failure, or end all with `none`.

        Raises:
            ValueError: There is no such failure.
        """
        if failure == "none":
            self.failing.clear()
            self.outlet.fail(False, self._clock.now_ms())
        elif failure == "restart":
            self.restart()
        elif failure in FAILURES:
            self.failing.add(failure)
            if failure == "fault":
                self.outlet.fail(True, self._clock.now_ms())
        else:
            raise ValueError(f"{failure!r} is no failure; there are {', '.join(FAILURES)} and none")
        self._apply(self._clock.now_ms())

    def press_button(self) -> None:
        """Press the button at its front, which puts it to sleep and wakes it."""
        self.advance()
        self._sleep(_SLEEPING) if self._stopped is None else self._wake()
        self._apply(self._clock.now_ms())
        self._tell()

    def _apply(self, now_ms: int) -> None:
        ordered_ma = self.offered_a * _AMP_MA
        if self.outlet.ordered_ma != ordered_ma:
            self.outlet.offer(ordered_ma, now_ms)

    def _tell(self) -> None:
        """Send a notice of every change, as the firmware does."""
        told = (self._state(), self._pilot(), self._capacity_a)
        if self._told and told != self._told:
            words = (f"{told[0]:02x}", f"{told[1]:02x}", str(told[2]), f"{self._flags():04x}")
            self._send(Notice("AT", words))
        self._told = told

    def _say(self, answer: Answer) -> None:
        self._answers += 1
        if "chatty" in self.failing:
            notice = encode(Notice("AT", ("03", "03", "16", "0140")))
            self._outbox += notice + encode(Notice("WF", ("01",))) + notice[: self._dice.randrange(1, len(notice) - 1)]
        self._send(answer)

    def _send(self, message: Answer | Notice) -> None:
        line = bytearray(encode(message))
        if "wrong-checksum" in self.failing and self._answers % 2:
            line[-2] ^= 0x01
        if "noise" in self.failing:
            line[:0] = bytes(byte for byte in self._dice.randbytes(9) if byte not in b"\r$")
            if self._answers % 3 == 0:
                line[self._dice.randrange(10, len(line))] ^= 0x10
        self._outbox += line

    def _state(self) -> int:
        if "fault" in self.failing:
            return _RESIDUAL_CURRENT
        if self._stopped is not None:
            return self._stopped
        return 0 if self._wakes_ms is not None else _STATES[self.outlet.state]

    def _pilot(self) -> int:
        return _STATES[self.outlet.state]

    def _flags(self) -> int:
        charging = 0x0040 if self.outlet.closed else 0
        connected = 0x0100 if self.outlet.plugged else 0
        return charging | connected | (0x4000 if self._boot_locked else 0)

    def _sleep(self, state: int) -> None:
        self._stopped, self._wakes_ms = state, None

    def _wake(self) -> None:
        if self._stopped is not None:
            self._stopped, self._wakes_ms = None, self._clock.now_ms() + _WAKING_MS

    def _answer(self, command: Command) -> Answer:
        actions: dict[str, Callable[[tuple[str, ...]], Answer]] = {
            "FS": lambda _: self._do(lambda: self._sleep(_SLEEPING)),
            "FD": lambda _: self._do(lambda: self._sleep(_DISABLED)),
            "FE": lambda _: self._do(self._wake),
            "FF": self._feature,
            "SB": self._unlock,
            "SC": self._set_capacity,
            "SY": self._supervise,
            "GY": lambda _: self._supervision(True) if self.traits.supervision else Answer(False),
            "GV": lambda _: Answer(True, ("8.2.1", "5.1.0")),
            "GC": lambda _: Answer(True, tuple(map(str, self._capacities()))),
            "GE": lambda _: Answer(True, (str(self._capacity_a), "0021")),
            "GS": lambda _: Answer(True, (f"{self._state():02x}", "0", f"{self._pilot():02x}", f"{self._flags():04x}")),
            "GG": lambda _: Answer(True, (str(self._measured_ma()), "230000")),
            "GU": lambda _: Answer(True, (str(self.outlet.delivered_wh * 3600), "0")),
        }
        words, sequence = command.words, command.sequence
        if sequence is not None and not self.traits.sequences:
            words, sequence = (*words, f":{sequence:02X}"), None
        action = actions.get(command.name)
        answer = Answer(False) if action is None else action(words)
        return attrs.evolve(answer, sequence=sequence)

    @staticmethod
    def _do(action: Callable[[], None]) -> Answer:
        action()
        return Answer(True)

    def _capacities(self) -> tuple[int, int, int, int]:
        return _LEAST_A, self.traits.hardware_a, self._capacity_a, self._saved_a

    def _measured_ma(self) -> Milliamps:
        return max(self.outlet.drawn_per_line_ma) if self.traits.ammeter else -1

    def _feature(self, words: tuple[str, ...]) -> Answer:
        return Answer(words == ("L", "1") and self.traits.boot_lock)

    def _unlock(self, _: tuple[str, ...]) -> Answer:
        if not self.traits.boot_lock:
            return Answer(False)
        self._boot_locked = False
        return Answer(True, ("0",))

    def _set_capacity(self, words: tuple[str, ...]) -> Answer:
        if len(words) not in {1, 2} or not words[0].isdecimal():
            return Answer(False)
        wanted_a, volatile = int(words[0]) & 0xFF, len(words) == 2
        if "ignores" in self.failing:
            return Answer(True, (str(wanted_a),))
        if "hot" in self.failing and wanted_a > self._capacity_a:
            return Answer(False, (str(self._capacity_a),))
        greatest_a = self._saved_a if volatile else self.traits.hardware_a
        self._capacity_a = min(max(wanted_a, _LEAST_A), greatest_a)
        if not volatile:
            self._saved_a = self._capacity_a
            self.saved += 1
        return Answer(wanted_a == self._capacity_a, (str(self._capacity_a),))

    def _supervise(self, words: tuple[str, ...]) -> Answer:
        if not self.traits.supervision:
            return Answer(False)
        if not words:
            self._pulsed_ms = self._clock.now_ms()
            return self._supervision(not self._missed)
        if words == (_ACKNOWLEDGED,):
            if self._missed:
                self._capacity_a, self._missed = self._saved_a, False
            return self._supervision(True)
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            return self._supervision(False)
        if int(words[0]) == 0 and self._missed:
            self._capacity_a = self._saved_a
        figures = (int(words[0]) & 0xFFFF, int(words[1]) & 0xFF)
        self.saved += sum(old != new for old, new in zip((self._interval_s, self._fallback_a), figures, strict=True))
        self._interval_s, self._fallback_a = figures
        self._missed, self._pulsed_ms = False, self._clock.now_ms()
        return self._supervision(True)

    def _supervision(self, accepted: bool) -> Answer:
        return Answer(accepted, (str(self._interval_s), str(self._fallback_a), "2" if self._missed else "0"))
