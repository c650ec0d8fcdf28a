"""What an address of a Gen 3 Wall Connector says, and what it then promises."""

from urllib.parse import quote

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import Readers, amps, seconds, some_text, whole, yes_no
from powershare.errors import FormatError, Problem
from powershare.registry import split_address
from powershare.units import Milliamps
from powershare_serial.addresses import Place, address_of
from powershare_serial.gen3.law import CUT_MS, patience_ms

STEP_MA: Milliamps = 1_000
LONGEST_WRITE_MS = 1_200
_FLOOR_MA: Milliamps = 6_000
_ROUND_TRIP_MS = 1_000
_LONGEST_SERIAL = 13

ACCEPT = "i_accept_the_limits"
LIMITS = (
    "add i_accept_the_limits=yes once you have read what this cannot do: nothing confirms what the Wall Connector "
    "offers, it obeys within half a minute and not at once, it may stop trusting the meter and then charges at its own "
    "greatest for hours, and Tesla documents none of it; see the README"
)


def _serial(text: str) -> str:
    if not (text.isascii() and text.isalnum() and len(text) <= _LONGEST_SERIAL):
        raise ValueError(f"is {text!r}; write up to {_LONGEST_SERIAL} letters and digits")
    return text


def _meter(text: str) -> str:
    try:
        split_address(some_text(text), "meter")
    except FormatError:
        example = quote("mqtt:home/charger", safe="")
        raise ValueError(f"is {text!r}; write the address of a meter, such as own_meter={example}") from None
    return text


_READERS: Readers = {
    "limit_a": ("meter_limit_ma", amps(_FLOOR_MA, 1_000_000)),
    "greatest_a": ("greatest_ma", amps(_FLOOR_MA + STEP_MA, 80_000)),
    "margin_a": ("margin_ma", amps(1_000, 6_000)),
    "own_meter": _meter,
    "lines": whole(1, 3),
    "lost_after_s": ("lost_after_ms", seconds(2_000, 600_000)),
    "volts": whole(100, 300),
    "serial": _serial,
    ACCEPT: yes_no,
}


@attrs.frozen(kw_only=True)
class Settings:
    """One Wall Connector.

    Attributes:
        place: Where its wire begins.
        meter_limit_ma: The limit that it was told to keep at the meter when it was commissioned.
        greatest_ma: The most that it was commissioned for, whatever the meter says.
        margin_ma: How far below its share it is held.
        own_meter: Address of a meter of its own draw; None: a program hands it in.
        lines: Lines it is wired to.
        lost_after_ms: How long until it notices that its meter has fallen silent.
        volts: Between a line and neutral.
        serial: Serial number of the meter that we are.
    """

    place: Place
    meter_limit_ma: Milliamps
    greatest_ma: Milliamps
    margin_ma: Milliamps = 1_000
    own_meter: str | None = None
    lines: int = 3
    lost_after_ms: int = 60_000
    volts: int = 230
    serial: str = "POWERSHARE001"

    def declaration(self) -> Declaration:
        """What it promises, as far as anything is known.

        The least offer is the 6 A of a pilot above the margin, below which it refuses to start. It falls to 6 A without
        its meter, which counts as that least offer.
        """
        least_ma = -(-(_FLOOR_MA + self.margin_ma) // STEP_MA) * STEP_MA
        greatest_ma = self.greatest_ma // STEP_MA * STEP_MA
        return Declaration(
            step_ma=STEP_MA,
            least_offer_ma=least_ma,
            greatest_offer_ma=greatest_ma,
            can_pause=True,
            deadman=Deadman.WATCHDOG,
            watchdog_ms=self.lost_after_ms,
            fallback_ma=least_ma,
            settle_ms=patience_ms(greatest_ma) + CUT_MS + _ROUND_TRIP_MS,
            longest_write_ms=LONGEST_WRITE_MS,
            confirms_applied=False,
        )


def settings_of(rest: str, *, draw_handed_in: bool) -> Settings:
    """Read what follows `serial+gen3:`.

    Args:
        rest: The rest of the address.
        draw_handed_in: Whether a program says what the Wall Connector draws.

    Raises:
        FormatError: It cannot be understood, or the limits are not accepted; every problem at once.
    """
    address = address_of("gen3", rest, _READERS)
    values = dict(address.values)
    problems: list[Problem] = []
    if not values.pop(ACCEPT, False):
        problems.append(address.problem("", LIMITS))
    for setting, field, what in (
        ("limit_a", "meter_limit_ma", "the limit at the meter that it was commissioned with, such as limit_a=21"),
        ("greatest_a", "greatest_ma", "the most that it was commissioned for, such as greatest_a=32"),
    ):
        if field not in values:
            problems.append(address.problem(setting, f"is missing; write {what}"))
    if draw_handed_in == ("own_meter" in values):
        handed = "a program hands in what it draws, so leave it out"
        problems.append(address.problem("own_meter", handed if draw_handed_in else _NO_DRAW))
    least_ma = _FLOOR_MA + values.get("margin_ma", 1_000)
    if values.get("greatest_ma", least_ma + STEP_MA) < least_ma + STEP_MA:
        message = f"is too little; write at least {(least_ma + STEP_MA) / 1000:g} with this margin"
        problems.append(address.problem("greatest_a", message))
    if problems:
        raise FormatError(problems)
    return Settings(place=address.place, **values)


_NO_DRAW = (
    "is missing; what the meter says must contain the Wall Connector's own draw, and a made-up one it soon distrusts: "
    "name a meter of that draw, such as own_meter=mqtt%3Ahome%2Fcharger"
)
