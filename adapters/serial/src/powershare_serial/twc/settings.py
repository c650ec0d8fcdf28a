"""What an address of a Gen 2 Wall Connector says: `serial+twc:///dev/ttyUSB0?id=7777&greatest_a=32`."""

from collections.abc import Mapping

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import Readers, amps, hexadecimal, one_of, seconds, whole, yes_no
from powershare.errors import FormatError, Problem
from powershare.units import Milliamps
from powershare_serial.addresses import Address, Place, address_of
from powershare_serial.twc.messages import CENTIAMP_MA, Protocol
from powershare_serial.twc.sending import GREATEST_MA

LEAST_MA: Milliamps = 6_000
"""Protocol 2 offers no less, and a pilot says no less; protocol 1 could say 5 A (D of `twc.messages`)."""
LOWERS_MS = 1_500
"""What is less is told at once, and waits for nothing but a heartbeat that is under way."""

LONGEST_WRITE_MS = 1_500
SETTLE_MS = 6_500
"""Raises are 5 s apart, heartbeats 1 s, and one of those may be lost. Lowering takes a heartbeat and its answer."""
SPIKE_MS = 5_000

_READERS: Readers = {
    "id": ("unit_id", hexadecimal(4)),
    "greatest_a": ("greatest_ma", amps(LEAST_MA, GREATEST_MA)),
    "step_a": ("step_ma", amps(CENTIAMP_MA, 2_000)),
    "watchdog_s": ("watchdog_ms", seconds(10_000, 600_000)),
    "protocol": one_of("auto", "1", "2"),
    "lines": whole(1, 3),
    "controller_id": hexadecimal(4),
    "spike_a": ("spike_ma", amps(LEAST_MA, GREATEST_MA)),
    "meter": yes_no,
}


@attrs.frozen(kw_only=True)
class Settings:
    """One unit.

    Attributes:
        place: Where its wire begins.
        unit_id: Its id; None: the only unit on the wire.
        greatest_ma: The most it is ever told.
        step_ma: Step of its offers; cars prefer whole amps (D of `twc.messages`).
        watchdog_ms: The longest that its vehicle goes on drawing without heartbeats; 20 to 30 s are reported (D).
        protocol: Its generation; None: as it shows itself.
        lines: Lines it is wired to; it measures one figure, which counts for each.
        controller_id: The id that we go by on its wire.
        spike_ma: A raise to this or more stops here for 5 s; None: no such stop.
        meter: Whether to ask for its meter, too.
    """

    place: Place
    unit_id: int | None = None
    greatest_ma: Milliamps = 32_000
    step_ma: Milliamps = 1_000
    watchdog_ms: int = 30_000
    protocol: Protocol | None = None
    lines: int = 1
    controller_id: int = 0x7777
    spike_ma: Milliamps | None = None
    meter: bool = False

    def declaration(self) -> Declaration:
        """What the adapter promises of such a unit."""
        return Declaration(
            step_ma=self.step_ma,
            least_offer_ma=LEAST_MA,
            greatest_offer_ma=self.greatest_ma,
            can_pause=True,
            deadman=Deadman.WATCHDOG,
            watchdog_ms=self.watchdog_ms,
            fallback_ma=0,
            settle_ms=SETTLE_MS + (0 if self.spike_ma is None else SPIKE_MS),
            lowers_ms=LOWERS_MS,
            longest_write_ms=LONGEST_WRITE_MS,
            confirms_applied=False,
            fed_by_reads=True,  # it answers nothing but heartbeats
        )


def settings_of(rest: str) -> Settings:
    """Read the rest of an address, what follows `serial+twc:`.

    Args:
        rest: `///dev/ttyUSB0?setting=value` or `//HOST:PORT?setting=value`.

    Raises:
        FormatError: It cannot be; every problem at once.
    """
    address = address_of("twc", rest, _READERS)
    values = dict(address.values)
    protocol = values.pop("protocol", "auto")
    settings = Settings(place=address.place, protocol=_PROTOCOLS[protocol], **values)
    problems = _contradictions(address, settings)
    if problems:
        raise FormatError(problems)
    return settings


_PROTOCOLS: Mapping[str, Protocol | None] = {"auto": None, "1": 1, "2": 2}


def _contradictions(address: Address, settings: Settings) -> list[Problem]:
    found = []
    step_ma = settings.step_ma
    if step_ma % CENTIAMP_MA or LEAST_MA % step_ma:
        message = f"is {step_ma / 1000:g}; write a step of whole hundredths that divides 6, such as 1, 0.5 or 0.1"
        found.append(address.problem("step_a", message))
    for setting, amount_ma in (("greatest_a", settings.greatest_ma), ("spike_a", settings.spike_ma or 0)):
        if amount_ma % step_ma:
            message = f"is {amount_ma / 1000:g}, no multiple of step_a {step_ma / 1000:g}"
            found.append(address.problem(setting, message))
    if (settings.spike_ma or 0) > settings.greatest_ma:
        found.append(address.problem("spike_a", f"is above greatest_a {settings.greatest_ma / 1000:g}"))
    if settings.unit_id == settings.controller_id:
        found.append(address.problem("controller_id", "is the unit's own id; write another"))
    return found
