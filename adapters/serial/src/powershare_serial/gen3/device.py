"""An emulated Gen 3 Wall Connector with a meter, at the wire: it asks, and does what was measured of a real one.

What it does is the table of zany92/tesla-loadpilot, docs/en/BEHAVIOR.md, firmware 26.18 and 26.26: service on the mean
of the lines, protection on the worst, a dead band above the limit, a bite, an integral that opens the contactor, a slow
recovery, a start that wants headroom, and a meter that is no longer believed once it does not follow the Wall
Connector's own draw. Where measurements disagree it is given what is harder on whoever leads it.

Not faithful: how long it takes to miss its meter (nobody has measured it), what restores its trust, thermal limits. A
descent under a reading that stands still is believed, as was measured; an ascent under one is not.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import attrs

from powershare.adapter import Clock
from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_serial.gen3.frames import (
    CURRENTS,
    IDENTITY,
    MAKER,
    POWERS,
    PROBE,
    Answers,
    Question,
    encode_question,
    thousandths_of,
)
from powershare_serial.ports import Port

POLL_MS = 195
ANSWER_WITHIN_MS = 66
_GREETING = (Question(MAKER, 6), Question(IDENTITY, 55), Question(PROBE, 1))
_EVERY_POWER = 5

_FLOOR_MA: Milliamps = 6_000
_DEAD_BAND_MA: Milliamps = 850
_HEADROOM_MA: Milliamps = 5_000
_LATENCY_MS = 5_000
_STOPS_AFTER_MS = 5_000
_DOWN_MA_PER_S = 1_000
_UP_MA, _UP_EVERY_MS = 1_000, 30_000
_CLEAR_MA: Milliamps = 1_000
_BITE_MA: Milliamps = 4_000
_BITE_MS = 8_000
_FREE_MA: Milliamps = 1_000
_CUT_MA_MS = 20_000 * 1_000
_OPEN_MS = 17_000
_BELOW_OWN_MA: Milliamps = 500
_RAMP_MA: Milliamps = 3_000
_RAMP_MS = 8_000
_FORGIVES_MS = 2 * 3_600_000


@attrs.frozen(kw_only=True)
class ConnectorTraits:
    """How it was commissioned.

    Attributes:
        meter_limit_ma: The limit at the meter.
        greatest_ma: Its own greatest offer.
        lost_after_ms: How long until it misses its meter.
    """

    meter_limit_ma: Milliamps = 21_000
    greatest_ma: Milliamps = 32_000
    lost_after_ms: int = 10_000


class WallConnector:
    """One Wall Connector.

    Args:
        outlet: Its connector.
        clock: Where the time comes from.
        traits: How it was commissioned.

    Attributes:
        outlet: Its connector.
        traits: How it was commissioned.
        silent: It asks nothing, as if it had no power for its wire.
        deaf: It hears no answer.
        trusts: Whether it believes its meter.
        cuts: How often it has opened its contactor under load.
        heard_ms: When its meter last told it currents.
        looked: Called after every question, with or without an answer.
    """

    def __init__(self, outlet: Outlet, clock: Clock, traits: ConnectorTraits) -> None:
        self.outlet, self.traits = outlet, traits
        self.silent = self.deaf = False
        self.trusts = True
        self.cuts = 0
        self.looked: Callable[[], None] = lambda: None
        self._clock = clock
        now_ms = clock.now_ms()
        self.heard_ms = now_ms - traits.lost_after_ms  # out of its box it has heard of no meter
        self._looked_ms = now_ms
        self._pilot_ma: Milliamps = _FLOOR_MA
        self._reset(now_ms)
        self._apply(now_ms)

    def _reset(self, now_ms: int) -> None:
        self._too_much_since_ms: int | None = None
        self._bitten_until_ms = self._open_until_ms = self._stops_ms = now_ms
        self._excess_ma_ms = 0
        self._rises_ms = now_ms + _UP_EVERY_MS
        self._distrusts_until_ms = now_ms
        self._history: deque[tuple[int, Milliamps, Milliamps]] = deque()

    @property
    def pilot_ma(self) -> Milliamps:
        """What it would have its pilot say."""
        return self._pilot_ma

    def restart(self) -> None:
        """Lose power for a moment."""
        now_ms = self._clock.now_ms()
        self.outlet.fail(True, now_ms)
        self.outlet.offer(0, now_ms)
        self.outlet.fail(False, now_ms)
        self._pilot_ma, self.trusts = 0, True
        self.heard_ms = now_ms - self.traits.lost_after_ms
        self._reset(now_ms)
        self.look(None)

    def distrust(self) -> None:
        """Stop believing the meter, for hours."""
        self.trusts = False
        self._distrusts_until_ms = self._clock.now_ms() + _FORGIVES_MS

    def look(self, line_ma: Sequence[Milliamps] | None) -> None:
        """Do what is due after a question.

        Args:
            line_ma: What the meter says of each line; None: no answer.
        """
        now_ms = self._clock.now_ms()
        self.outlet.advance(now_ms)
        elapsed_ms, self._looked_ms = now_ms - self._looked_ms, now_ms
        if line_ma is not None and not self.deaf:
            self.heard_ms = now_ms
            self._obey(line_ma, now_ms, elapsed_ms)
        elif now_ms - self.heard_ms >= self.traits.lost_after_ms:
            self._pilot_ma = min(self._pilot_ma or _FLOOR_MA, _FLOOR_MA)
            self._too_much_since_ms = None
        self._apply(now_ms)
        self.looked()

    def _obey(self, line_ma: Sequence[Milliamps], now_ms: int, elapsed_ms: int) -> None:
        worst_ma, mean_ma = max(line_ma), sum(line_ma) // len(line_ma)
        self._check_trust(line_ma, mean_ma, now_ms)
        if not self._pilot_ma:
            self._start(worst_ma, now_ms)
        elif not self.trusts:
            self._pilot_ma = self.traits.greatest_ma
        else:
            self._protect(worst_ma, now_ms, elapsed_ms)
            self._serve(mean_ma, now_ms, elapsed_ms)

    def _check_trust(self, line_ma: Sequence[Milliamps], mean_ma: Milliamps, now_ms: int) -> None:
        """A meter never reads less than the Wall Connector draws, and rises as it rises."""
        own_ma = self.outlet.drawn_per_line_ma
        real = all(line + _BELOW_OWN_MA >= own for line, own in zip(line_ma, own_ma, strict=False))
        self._history.append((now_ms, max(own_ma), mean_ma))
        while self._history[0][0] < now_ms - _RAMP_MS:
            self._history.popleft()
        _, own_before_ma, mean_before_ma = self._history[0]
        rise_ma = max(own_ma) - own_before_ma
        mirrored = rise_ma < _RAMP_MA or 2 * (mean_ma - mean_before_ma) >= rise_ma
        if not (real and mirrored):
            self.distrust()
        elif now_ms >= self._distrusts_until_ms:
            self.trusts = True

    def _start(self, worst_ma: Milliamps, now_ms: int) -> None:
        headroom_ma = self.traits.meter_limit_ma - worst_ma
        if now_ms >= self._open_until_ms and headroom_ma >= _HEADROOM_MA:
            self._pilot_ma = min(self.traits.greatest_ma, max(_FLOOR_MA, headroom_ma))
            self._rises_ms, self._history = now_ms + _UP_EVERY_MS, deque()

    def _protect(self, worst_ma: Milliamps, now_ms: int, elapsed_ms: int) -> None:
        """Bite, and open the contactor, on the worst line."""
        excess_ma = worst_ma - self.traits.meter_limit_ma
        if excess_ma >= _FREE_MA:
            self._excess_ma_ms += (excess_ma - _FREE_MA) * elapsed_ms
        else:
            self._excess_ma_ms = max(0, self._excess_ma_ms - _FREE_MA * elapsed_ms)
        if self._excess_ma_ms >= _CUT_MA_MS:
            self.cuts += 1
            self._pilot_ma, self._excess_ma_ms, self._too_much_since_ms = 0, 0, None
            self._open_until_ms = now_ms + _OPEN_MS
            self.outlet.hold_open(True, now_ms)

    def _serve(self, mean_ma: Milliamps, now_ms: int, elapsed_ms: int) -> None:
        """Move the pilot slowly, on the mean of the lines."""
        above_ma = mean_ma - self.traits.meter_limit_ma
        if above_ma <= _DEAD_BAND_MA:
            self._too_much_since_ms = None
            if above_ma < -_CLEAR_MA and now_ms >= self._rises_ms and self._pilot_ma:
                self._rises_ms = now_ms + _UP_EVERY_MS
                self._pilot_ma = min(self.traits.greatest_ma, self._pilot_ma + _UP_MA)
            return
        if self._too_much_since_ms is None:
            self._too_much_since_ms = now_ms
            self._stops_ms = now_ms + _LATENCY_MS + _STOPS_AFTER_MS
        since_ms = now_ms - self._too_much_since_ms
        self._rises_ms = now_ms + _UP_EVERY_MS
        if since_ms >= _LATENCY_MS and now_ms >= self._bitten_until_ms and above_ma > _FREE_MA:
            self._bitten_until_ms = now_ms + _BITE_MS
        if since_ms < _LATENCY_MS:
            return
        self._pilot_ma = max(_FLOOR_MA, self._pilot_ma - _DOWN_MA_PER_S * elapsed_ms // 1000)
        if self._pilot_ma > _FLOOR_MA:
            self._stops_ms = now_ms + _STOPS_AFTER_MS
        elif now_ms >= self._stops_ms:
            self._pilot_ma, self._open_until_ms = 0, now_ms + _OPEN_MS

    def _apply(self, now_ms: int) -> None:
        bite_ma = _BITE_MA if now_ms < self._bitten_until_ms and self._too_much_since_ms is not None else 0
        offered_ma = max(_FLOOR_MA, self._pilot_ma - bite_ma) if self._pilot_ma else 0
        if self.outlet.ordered_ma != offered_ma:
            if offered_ma and now_ms >= self._open_until_ms:
                self.outlet.hold_open(False, now_ms)
            self.outlet.offer(offered_ma, now_ms)

    async def ask_for_ever(self, port: Port, spoil: Callable[[bytes], bytes] = bytes) -> None:
        """Ask the meter on a wire, as often as the real one does.

        Args:
            port: The wire.
            spoil: What the wire does to the questions.

        Raises:
            AdapterUnavailable: The wire is gone.
        """
        count = 0
        while True:
            began_ms = self._clock.now_ms()
            if not self.silent:
                question = self._question(count)
                registers = await self._ask(port, question, spoil)
                count = 0 if registers is None and count < len(_GREETING) else count + 1
                self.look(_line_ma(question, registers))
            else:
                self.look(None)
            spent_ms = self._clock.now_ms() - began_ms
            await asyncio.sleep(max(1, POLL_MS - spent_ms) / 1000)

    @staticmethod
    def _question(count: int) -> Question:
        if count < len(_GREETING):
            return _GREETING[count]
        return Question(POWERS, 10) if count % _EVERY_POWER == 0 else Question(CURRENTS, 8)

    async def _ask(self, port: Port, question: Question, spoil: Callable[[bytes], bytes]) -> tuple[int, ...] | None:
        port.pending()
        answers = Answers(question)
        await port.send(spoil(encode_question(question)))
        try:
            async with asyncio.timeout(ANSWER_WITHIN_MS / 1000):
                while True:
                    registers = answers.feed(await port.receive())
                    if registers is not None:
                        return registers
        except TimeoutError:
            return None


def _line_ma(question: Question, registers: tuple[int, ...] | None) -> tuple[Milliamps, ...] | None:
    """What an answer says of the lines; None: nothing. A figure that is none is no answer."""
    if registers is None or question.first != CURRENTS:
        return None
    try:
        return tuple(thousandths_of(registers[at : at + 2]) for at in (0, 2, 4))
    except ValueError:
        return None
