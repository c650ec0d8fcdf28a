"""What an address says of the device: `emulated` or `emulated:?setting=value&setting=value`."""

from typing import Any

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import Readers, amps, query_of, seconds, some_text, thousandths, whole, yes_no
from powershare.errors import ContractError, FormatError, Problem
from powershare.units import Milliamps

SETTLE_MS = 100
LONGEST_WRITE_MS = 500

LONGEST_MS = 1_000_000_000
"""The longest time that a setting may name."""

_MOST_MA: Milliamps = 1_000_000
_MOST_WH = 1_000_000_000


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


def _deadman(text: str) -> Deadman:
    try:
        return Deadman(text)
    except ValueError:
        raise ValueError(f"is {text!r}; write {', '.join(kind.value for kind in Deadman)}") from None


_READERS: Readers = {
    "lines": whole(1, 3),
    "step_a": ("step_ma", amps(0, _MOST_MA)),
    "least_a": ("least_ma", amps(0, _MOST_MA)),
    "greatest_a": ("greatest_ma", amps(0, _MOST_MA)),
    "can_pause": yes_no,
    "deadman": _deadman,
    "watchdog_s": ("watchdog_ms", seconds(0, LONGEST_MS)),
    "fallback_a": ("fallback_ma", amps(0, _MOST_MA)),
    "sets_fallback": yes_no,
    "vehicle": some_text,
    "plugged": yes_no,
    "vehicle_max_a": ("vehicle_max_ma", amps(0, _MOST_MA)),
    "vehicle_lines": whole(1, 3),
    "energy_kwh": ("energy_wh", thousandths(0, _MOST_WH, "kilowatt-hours")),
    "reaction_s": ("reaction_ms", seconds(0, LONGEST_MS)),
    "ignores_pilot": yes_no,
    "silent_after_s": ("silent_after_ms", seconds(0, LONGEST_MS)),
    "silent_for_s": ("silent_for_ms", seconds(0, LONGEST_MS)),
    "write_ms": whole(0, 60_000),
    "refuses": yes_no,
    "ignores_orders": yes_no,
    "reports_wrong_a": ("reports_wrong_ma", amps(0, _MOST_MA)),
    "restarts_every_s": ("restarts_every_ms", seconds(0, LONGEST_MS)),
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
    values = query_of(where, rest[1:], readers, problems)
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
