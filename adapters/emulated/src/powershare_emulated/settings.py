"""What an address says of the device: `emulated` or `emulated:?setting=value&setting=value`."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.errors import ContractError, FormatError, Problem
from powershare.units import Milliamps, limit_ma_from_amps

SETTLE_MS = 100
LONGEST_WRITE_MS = 500


@attrs.frozen(kw_only=True)
class Settings:
    """The device, its vehicle, and how it fails. The README says what each means, in the units of an address.

    Attributes:
        lines: Lines it is wired to, 1 to 3.
        step_ma: Step of its offers.
        least_ma: Least offer.
        greatest_ma: Greatest offer.
        can_pause: Whether 0 can be ordered.
        deadman: Class of its dead man's switch.
        watchdog_ms: Its watchdog, if it has one.
        fallback_ma: What it offers left alone; None: 0, or its greatest offer without a dead man's switch.
        sets_fallback: Whether it can be told another fallback.
        vehicle: Identity of its vehicle.
        plugged: Whether the vehicle is plugged in at the start.
        vehicle_max_ma: The most the vehicle takes per line.
        vehicle_lines: How many lines the vehicle loads; None: all.
        energy_wh: How much it asks for.
        reaction_ms: How long it takes to react to its pilot.
        ignores_pilot: The vehicle draws what it can, whatever it is offered.
        silent_after_ms: The line is cut so long after the start; None: never.
        silent_for_ms: The line is joined again after so long; None: never.
        write_ms: How long an order takes to reach the pilot. Above 500 ms the caller no longer hears of it.
        refuses: It refuses every raise.
        ignores_orders: It accepts orders and does nothing, but says it has.
        reports_wrong_ma: It reports so much less than it offers.
        restarts_every_ms: It restarts again and again, forgetting its order; None: never.
    """

    lines: int = 1
    step_ma: Milliamps = 1_000
    least_ma: Milliamps = 6_000
    greatest_ma: Milliamps = 32_000
    can_pause: bool = True
    deadman: Deadman = Deadman.LEASE
    watchdog_ms: int = 10_000
    fallback_ma: Milliamps | None = None
    sets_fallback: bool = True
    vehicle: str = "5YJ3E1EA7KF317000"
    plugged: bool = True
    vehicle_max_ma: Milliamps = 32_000
    vehicle_lines: int | None = None
    energy_wh: int = 20_000
    reaction_ms: int = 3_000
    ignores_pilot: bool = False
    silent_after_ms: int | None = None
    silent_for_ms: int | None = None
    write_ms: int = 20
    refuses: bool = False
    ignores_orders: bool = False
    reports_wrong_ma: Milliamps = 0
    restarts_every_ms: int | None = None

    def declaration(self) -> Declaration:
        """What a device of these settings promises, failures aside.

        Raises:
            ContractError: The settings contradict each other.
        """
        left_alone_ma = self.greatest_ma if self.deadman is Deadman.NONE else 0
        return Declaration(
            step_ma=self.step_ma,
            least_offer_ma=self.least_ma,
            greatest_offer_ma=self.greatest_ma,
            can_pause=self.can_pause,
            deadman=self.deadman,
            watchdog_ms=self.watchdog_ms if self.deadman is Deadman.WATCHDOG else None,
            fallback_ma=left_alone_ma if self.fallback_ma is None else self.fallback_ma,
            settle_ms=SETTLE_MS,
            longest_write_ms=LONGEST_WRITE_MS,
            confirms_applied=True,
        )


def whole(least: int, greatest: int) -> Callable[[str], int]:
    """A reader of whole numbers in this range, both ends included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= greatest):
            raise ValueError(f"is {text!r}; write a whole number from {least} to {greatest}")
        return int(text)

    return read


def _amps(text: str) -> Milliamps:
    amps_ma = limit_ma_from_amps(text)
    if not 0 <= amps_ma <= 1_000_000:
        raise ValueError(f"is {text!r}; write 0 to 1000 amps")
    return amps_ma


def thousandths(text: str) -> int:
    """Seconds to milliseconds, kilowatt-hours to watt-hours."""
    thousandths = limit_ma_from_amps(text)  # the same exact decimal arithmetic
    if not 0 <= thousandths <= 10**9:
        raise ValueError(f"is {text!r}; write a number from 0 to a million")
    return thousandths


def yes_no(text: str) -> bool:
    """Read yes or no."""
    if text not in {"yes", "no"}:
        raise ValueError(f"is {text!r}; write yes or no")
    return text == "yes"


def _deadman(text: str) -> Deadman:
    try:
        return Deadman(text)
    except ValueError:
        raise ValueError(f"is {text!r}; write {', '.join(kind.value for kind in Deadman)}") from None


def _some_text(text: str) -> str:
    if not text:
        raise ValueError("is empty; write an identity")
    return text


Readers: TypeAlias = Mapping[str, tuple[str, Callable[[str], Any]]]
"""What settings there are: the key in an address, the field it fills, and what reads its text."""

_READERS: Readers = {
    "lines": ("lines", whole(1, 3)),
    "step_a": ("step_ma", _amps),
    "least_a": ("least_ma", _amps),
    "greatest_a": ("greatest_ma", _amps),
    "can_pause": ("can_pause", yes_no),
    "deadman": ("deadman", _deadman),
    "watchdog_s": ("watchdog_ms", thousandths),
    "fallback_a": ("fallback_ma", _amps),
    "sets_fallback": ("sets_fallback", yes_no),
    "vehicle": ("vehicle", _some_text),
    "plugged": ("plugged", yes_no),
    "vehicle_max_a": ("vehicle_max_ma", _amps),
    "vehicle_lines": ("vehicle_lines", whole(1, 3)),
    "energy_kwh": ("energy_wh", thousandths),
    "reaction_s": ("reaction_ms", thousandths),
    "ignores_pilot": ("ignores_pilot", yes_no),
    "silent_after_s": ("silent_after_ms", thousandths),
    "silent_for_s": ("silent_for_ms", thousandths),
    "write_ms": ("write_ms", whole(0, 60_000)),
    "refuses": ("refuses", yes_no),
    "ignores_orders": ("ignores_orders", yes_no),
    "reports_wrong_a": ("reports_wrong_ma", _amps),
    "restarts_every_s": ("restarts_every_ms", thousandths),
}


def settings_of(rest: str) -> Settings:
    """Read the rest of an address, what follows `emulated:`.

    Args:
        rest: Empty, or `?` and settings.

    Raises:
        FormatError: Every setting that cannot be, at once.
    """
    where = f'adapter "emulated:{rest}"'
    settings = Settings(**read_settings(where, rest, _READERS))
    problems = [Problem(where, field, message) for field, message in _contradictions(settings)]
    if problems:
        raise FormatError(problems)
    return settings


def read_settings(where: str, rest: str, readers: Readers) -> dict[str, Any]:
    """Read the settings of an address.

    Args:
        where: What it is the address of, for messages.
        rest: Empty, or `?` and settings.
        readers: What settings there are.

    Returns:
        The fields that are given.

    Raises:
        FormatError: Every setting that cannot be, at once.
    """
    if rest and not rest.startswith("?"):
        raise FormatError([Problem(where, "", "is not emulated:?setting=value&...; there is nothing else to name")])
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for key, text in parse_qsl(rest[1:], keep_blank_values=True):
        if key not in readers:
            close = difflib.get_close_matches(key, readers, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(readers)}"
            problems.append(Problem(where, key, f"is no setting; {hint}"))
            continue
        field, reader = readers[key]
        if field in values:
            problems.append(Problem(where, key, "is given twice"))
            continue
        try:
            values[field] = reader(text)
        except ValueError as error:
            values[field] = None
            problems.append(Problem(where, key, str(error)))
    if problems:
        raise FormatError(problems)
    return values


def silent_at(since_ms: int, after_ms: int | None, for_ms: int | None) -> bool:
    """Whether a line that is cut so long after the start, for so long, is cut now.

    Args:
        since_ms: Time since the start.
        after_ms: When it is cut; None: never.
        for_ms: For how long; None: for ever.
    """
    if after_ms is None or since_ms < after_ms:
        return False
    return for_ms is None or since_ms < after_ms + for_ms


def _contradictions(settings: Settings) -> list[tuple[str, str]]:
    found = []
    if (settings.vehicle_lines or 0) > settings.lines:
        found.append(("vehicle_lines", f"is {settings.vehicle_lines}, more than the device's {settings.lines}"))
    if settings.restarts_every_ms == 0:
        found.append(("restarts_every_s", "is 0; leave it out for never"))
    if not settings.vehicle_max_ma:
        found.append(("vehicle_max_a", "is 0; use plugged=no for no vehicle"))
    try:
        settings.declaration()
    except ContractError as error:
        found.append(("", str(error)))
    return found
