"""A Wall Connector as a meter: what it draws on each line of the supply, and what it says of itself."""

from collections.abc import Callable, Mapping
from functools import partial

from powershare.adapter import Clock
from powershare.errors import AdapterError, AdapterUnavailable
from powershare.metering import MeterReading
from powershare.units import LineMilliamps, Milliamps
from powershare_http.bodies import BodyError
from powershare_http.client import HttpFetch
from powershare_http.exchange import Fetch, Request
from powershare_http.gen3.bodies import Vitals, duration_words, lifetime_words, version_words, vitals_of, wifi_words
from powershare_http.gen3.settings import IDLE_MS, Settings, settings_of
from powershare_http.line import Line

_VITALS = Request(path="/api/1/vitals")
_LONGEST_PAUSE_MS = 30_000
_STRAYS_MA: Milliamps = 1_000
"""How much more the vehicle may draw than any line before the lines are not believed."""

_FOLLOWER = (
    "a Wall Connector that follows another one in a group is on its leader's own network, and cannot be asked from here"
)


class Gen3Meter:
    """What a Tesla Gen 3 Wall Connector draws, where it is an other load of a circuit.

    Args:
        rest: What follows `http+gen3:` in a site file; the README lists the settings.
        clock: Where the time comes from.
        fetch: Builds what moves questions and answers; None: over HTTP, as the address says.

    Raises:
        FormatError: The address means nothing; every problem at once.
    """

    def __init__(self, rest: str, /, *, clock: Clock, fetch: Callable[[], Fetch] | None = None) -> None:
        self._settings = settings_of(rest)
        self._clock = clock
        # One line for good: closing and opening after every failure must not begin its pauses anew.
        self._line = Line(
            self._settings.place,
            (fetch or partial(HttpFetch, self._settings.place))(),
            clock,
            reply_ms=self._settings.reply_ms,
            longest_pause_ms=_LONGEST_PAUSE_MS,
        )
        self._open = False
        self._closings = 0
        self._vitals: Vitals | None = None
        self._last: MeterReading | None = None
        self._next_ms = 0

    async def open(self) -> None:
        """Ask it for its vitals once.

        Raises:
            AdapterError: It cannot be reached, or is no Wall Connector.
        """
        if self._open:
            return
        closings = self._closings
        try:
            await self._measure()
        except AdapterUnavailable as error:
            await self._line.close()
            if isinstance(error, BodyError):
                raise
            raise AdapterUnavailable(f"{error}; {_FOLLOWER}") from error
        except BaseException:
            await self._line.close()
            raise
        if closings != self._closings:  # close() may come at any moment, and then counts
            raise AdapterUnavailable("the meter was closed while it opened")
        self._open = True

    async def read(self) -> MeterReading:
        """What it drew when it was asked last, which is at most every few seconds: it is a small server.

        Raises:
            AdapterError: It did not answer, or not what can be understood.
        """
        self._must_be_open()
        if self._last is not None and self._clock.now_ms() < self._next_ms:
            return self._last
        reading = await self._measure()
        self._must_be_open()
        return reading

    async def close(self) -> None:
        """Let go of it."""
        self._closings += 1
        self._open = False
        await self._line.close()

    async def evidence(self) -> Mapping[str, str]:
        """What its firmware, its Wi-Fi and its life have to say (SupportsEvidence)."""
        self._must_be_open()
        said: dict[str, str] = {}
        for name, words_of in (("version", version_words), ("wifi_status", wifi_words), ("lifetime", lifetime_words)):
            try:
                answer = await self._line.ask(Request(path=f"/api/1/{name}"), may_be_cut=True)
                said.update(words_of(answer.body))
            except AdapterError as error:
                said[name] = str(error)
        vitals = self._vitals
        if vitals is not None:
            said["alerts now"] = ", ".join(vitals.alerts) or "none"
            said["evse_state, not documented"] = str(vitals.evse_state)
            said["vehicle"] = {True: "plugged in", False: "none", None: "not said"}[vitals.vehicle_connected]
            if vitals.uptime_s is not None:
                said["since its start"] = duration_words(vitals.uptime_s)
        said["limit"] = "cannot be set over HTTP"
        return said

    def _must_be_open(self) -> None:
        if not self._open:
            raise AdapterUnavailable("the meter is not open")

    async def _measure(self) -> MeterReading:
        asked_ms = self._clock.now_ms()
        answer = await self._line.ask(_VITALS, may_be_cut=True)
        try:
            vitals = vitals_of(answer.body)
            load_ma = load_ma_of(vitals, self._settings)
        except BodyError as error:
            raise BodyError(f"{self._settings.place}: {error}") from None
        # It counts the seconds since its start: where those stand still, the rest is of then, too.
        stands_still = (
            self._last is not None
            and self._vitals is not None
            and vitals.uptime_s is not None
            and vitals.uptime_s == self._vitals.uptime_s
        )
        at_ms = self._last.at_ms if stands_still and self._last is not None else asked_ms
        idle = vitals.vehicle_connected is False
        self._vitals, self._last = vitals, MeterReading(at_ms=at_ms, load_ma=load_ma)
        self._next_ms = asked_ms + (max(IDLE_MS, self._settings.poll_ms) if idle else self._settings.poll_ms)
        return self._last


def load_ma_of(vitals: Vitals, settings: Settings) -> LineMilliamps:
    """What it draws on each line of the supply; never less than it may.

    On three lines each has its own figure. Where it says only what the vehicle takes, or much more for it than for any
    line, each may be the one. On one or two lines all figures are of one current, and the greatest counts: in North
    America those of the conductors have been seen at 11 to 13 A while the vehicle took 30.8 (evcc-io/evcc issue 7599).

    Raises:
        BodyError: It does not say enough.
    """
    known_ma = [line_ma for line_ma in vitals.line_ma if line_ma is not None]
    vehicle_ma = vitals.vehicle_ma
    loads_ma = [0] * settings.supply_lines
    if len(settings.lines) < 3:
        if vehicle_ma is None:
            raise BodyError("its answer does not say vehicle_current_a, and the currents of its lines prove nothing")
        for line in settings.lines:
            loads_ma[line] = max(vehicle_ma, *known_ma, 0)
        return tuple(loads_ma)
    if vehicle_ma is None and len(known_ma) < 3:
        raise BodyError("its answer says neither vehicle_current_a nor the currents of all its lines")
    highest_ma = max(vehicle_ma or 0, *known_ma, 0)
    strays = vehicle_ma is not None and vehicle_ma > max(known_ma, default=0) + _STRAYS_MA
    for line, line_ma in zip(settings.lines, vitals.line_ma, strict=True):
        loads_ma[line] = highest_ma if line_ma is None or strays else line_ma
    return tuple(loads_ma)
