"""What an address says of a device: `http+go-e://192.0.2.20?greatest_a=16`, `http+map://HOST?map=/etc/mine.toml`."""

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import HostPort, Readers, amps, seconds, some_text, whole
from powershare.errors import ContractError, FormatError, Problem
from powershare.units import Milliamps
from powershare_http import OWN_MAP
from powershare_http.addresses import Address, address_of
from powershare_http.charger.http_map import HttpMap
from powershare_http.charger.map_file import load_map
from powershare_http.client import AuthFile

_WHOLE_DAY_MS = 86_400_000
_OWN_WORK_MS = 200
"""What an order takes beside waiting for answers."""

_READERS: Readers = MappingProxyType(
    {
        "greatest_a": amps(1, 1_000_000),
        "lines": whole(0, 3),
        "settle_s": seconds(0, 60_000),
        "reply_s": seconds(50, 10_000),
        "watchdog_s": seconds(1_000, _WHOLE_DAY_MS),
        "failsafe_a": amps(0, 1_000_000),
        "auth_file": some_text,
    }
)


@attrs.frozen(kw_only=True)
class Settings:
    """A device, and how it is reached.

    Attributes:
        map: What it is like.
        place: Where it listens.
        auth_file: Its login; None: it wants none.
        lines: How many lines its meter counts for; 0: it has none.
        greatest_ma: Its greatest offer.
        watchdog_ms: When its watchdog acts; None: it has none.
        fallback_ma: What it offers when it is left alone, at the most.
        settle_ms: The longest from its answer to its pilot and its report.
        reply_ms: The longest that an answer takes.
    """

    map: HttpMap
    place: HostPort
    auth_file: AuthFile | None
    lines: int
    greatest_ma: Milliamps
    watchdog_ms: int | None
    fallback_ma: Milliamps
    settle_ms: int
    reply_ms: int

    def declaration(self) -> Declaration:
        """What such a device promises.

        Raises:
            ContractError: The settings contradict each other.
        """
        offers, dog = self.map.offers, self.map.watchdog
        questions = max(len(self.map.offer), len(self.map.pause))
        return Declaration(
            step_ma=offers.step_ma,
            least_offer_ma=offers.least_ma,
            greatest_offer_ma=self.greatest_ma,
            can_pause=bool(self.map.pause),
            deadman=Deadman.NONE if dog is None else Deadman.WATCHDOG,
            watchdog_ms=self.watchdog_ms,
            fallback_ma=self.fallback_ma,
            settle_ms=self.settle_ms,
            longest_write_ms=questions * self.reply_ms + _OWN_WORK_MS,
            confirms_applied=False,
            fed_by_reads=dog is not None and dog.fed_by_reads,
        )


def settings_of(scheme: str, rest: str) -> Settings:
    """Read an address.

    Args:
        scheme: A shipped map, or `map`.
        rest: What follows it and its colon.

    Raises:
        FormatError: It, or the map that it names, means nothing; every problem at once.
    """
    own = scheme == OWN_MAP
    readers = {"map": _map_path, **_READERS} if own else _READERS
    needed = {"map": "write map=/path/to/a/map.toml"} if own else {}
    address = address_of(scheme, rest, readers, needed=needed)
    found = load_map(address.values["map"] if own else scheme)
    problems = list(_problems(address, found))
    if problems:
        raise FormatError(problems)
    values, dog = address.values, found.watchdog
    greatest_ma = values.get("greatest_a", found.offers.greatest_ma)
    auth_file = AuthFile(Path(values["auth_file"]), found.login) if "auth_file" in values else None
    settings = Settings(
        map=found,
        place=address.place,
        auth_file=auth_file,
        lines=values.get("lines", 0 if found.drawn is None else len(found.drawn.places)),
        greatest_ma=greatest_ma,
        watchdog_ms=None if dog is None else values.get("watchdog_s", dog.after_ms),
        fallback_ma=greatest_ma if dog is None else values.get("failsafe_a", dog.fallback_ma),
        settle_ms=values.get("settle_s", found.offers.settle_ms),
        reply_ms=values.get("reply_s", found.reply_ms),
    )
    try:
        settings.declaration()
    except ContractError as error:
        raise FormatError([address.problem("", str(error))]) from error
    return settings


def _map_path(text: str) -> str:
    if not text.endswith(".toml") or not text.isprintable():
        raise ValueError(f"is {text!r}; write the path of a .toml file (a shipped map is named as http+NAME:)")
    return text


def _problems(address: Address, found: HttpMap) -> Iterator[Problem]:
    """What does not fit the map."""
    values, offers = address.values, found.offers
    if values.get("greatest_a", 0) > offers.greatest_ma:
        message = f"is {values['greatest_a'] / 1000:g}; {found.name} goes up to {offers.greatest_ma / 1000:g} A"
        yield address.problem("greatest_a", message)
    if values.get("greatest_a", 0) % offers.step_ma:
        message = f"is {values['greatest_a'] / 1000:g}, no multiple of its step of {offers.step_ma / 1000:g} A"
        yield address.problem("greatest_a", message)
    measured = 0 if found.drawn is None else len(found.drawn.places)
    if values.get("lines", 0) > measured != 1:  # a device that measures one line may be wired to more
        yield address.problem("lines", f"is {values['lines']}; {found.name} measures {measured}")
    for setting in ("watchdog_s", "failsafe_a") if found.watchdog is None else ():
        if setting in values:
            yield address.problem(setting, f"cannot be: {found.name} has no watchdog, as far as is known")
