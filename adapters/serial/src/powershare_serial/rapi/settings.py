"""What an address of an OpenEVSE says, and what the unit then promises."""

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import Readers, whole, yes_no
from powershare.errors import FormatError
from powershare.units import Milliamps
from powershare_serial.addresses import Place, address_of

AMP_MA: Milliamps = 1_000
LEAST_A = 6
"""The firmware offers no less (MIN_CURRENT_CAPACITY_J1772), and falls to no less when its supervision acts."""
GREATEST_A = 80

SETTLE_MS = 1_000
"""The firmware waits 250 ms before it believes a change of state, and passes two of them on its way out of sleep."""
LONGEST_WRITE_MS = 1_500
LOOP_MS = 1_000
"""The firmware looks at its heartbeat timer between other work, such as its self-tests."""

_LONGEST_WATCHDOG_S = 65
"""Beyond it the timer's seconds times 1000 do not fit the 16 bits in which an ATmega multiplies them."""


def _watchdog(text: str) -> int:
    if text == "0":
        return 0
    try:
        return whole(4, _LONGEST_WATCHDOG_S)(text)
    except ValueError:
        message = f"is {text!r}; write whole seconds from 4 to {_LONGEST_WATCHDOG_S}, or 0 for a unit without $SY"
        raise ValueError(message) from None


_READERS: Readers = {
    "greatest_a": whole(LEAST_A, GREATEST_A),
    "fallback_a": whole(LEAST_A, GREATEST_A),
    "watchdog_s": _watchdog,
    "boot_lock": yes_no,
    "lines": whole(1, 3),
    "meter": yes_no,
    "baud": whole(1_200, 1_000_000),
}


@attrs.frozen(kw_only=True)
class Settings:
    """One OpenEVSE.

    Attributes:
        place: Where its wire begins.
        greatest_a: The most it may offer.
        fallback_a: What its heartbeat supervision lowers it to.
        watchdog_s: Without a pulse for so long its supervision acts; 0: its firmware has none.
        boot_lock: Whether it has to stay off after a restart until it is told otherwise.
        lines: Lines it is wired to. It measures one, which counts for each.
        meter: Whether it has an ammeter.
        baud: Speed of its serial line.
    """

    place: Place
    greatest_a: int = 32
    fallback_a: int = LEAST_A
    watchdog_s: int = 15
    boot_lock: bool = True
    lines: int = 1
    meter: bool = True
    baud: int = 115_200

    @property
    def supervised(self) -> bool:
        """Whether its supervision is used."""
        return self.watchdog_s > 0

    @property
    def restarts_off(self) -> bool:
        """Whether a restart leaves it off."""
        return self.supervised and self.boot_lock

    def declaration(self) -> Declaration:
        """What it promises.

        Without a boot lock a restart brings it to its saved capacity, so that its fallback is no less than that,
        whatever its supervision does afterwards.
        """
        return Declaration(
            step_ma=AMP_MA,
            least_offer_ma=LEAST_A * AMP_MA,
            greatest_offer_ma=self.greatest_a * AMP_MA,
            can_pause=True,
            deadman=Deadman.WATCHDOG if self.supervised else Deadman.NONE,
            watchdog_ms=self.watchdog_s * 1_000 + LOOP_MS if self.supervised else None,
            fallback_ma=(self.fallback_a if self.restarts_off else self.greatest_a) * AMP_MA,
            settle_ms=SETTLE_MS,
            longest_write_ms=LONGEST_WRITE_MS,
            confirms_applied=True,
        )


def settings_of(rest: str) -> Settings:
    """Read what follows `serial+rapi:`.

    Raises:
        FormatError: It cannot be understood, or contradicts itself; every problem at once.
    """
    address = address_of("rapi", rest, _READERS)
    settings = Settings(place=address.place, **address.values)
    problems = []
    if settings.fallback_a > settings.greatest_a:
        message = (
            f"is {settings.fallback_a}, above greatest_a {settings.greatest_a}; write {settings.greatest_a} at most"
        )
        problems.append(address.problem("fallback_a", message))
    unused = [name for name in ("fallback_a", "boot_lock") if name in address.values and not settings.supervised]
    problems += [address.problem(name, "means nothing with watchdog_s=0; leave it out") for name in unused]
    if problems:
        raise FormatError(problems)
    return settings
