"""What an address says of a device: `serial+modbus:///dev/ttyUSB0?map=heidelberg&unit=1`, `serial+modbus://HOST?map=keba`."""

from collections.abc import Iterator

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import Readers, amps, one_of, seconds, some_text, whole
from powershare.errors import ContractError, FormatError, Problem
from powershare.units import Milliamps
from powershare_serial.addresses import Address, DevicePath, Place, address_of
from powershare_serial.modbus.client import LATE_MS, REPLY_MS
from powershare_serial.modbus.map_file import load_map
from powershare_serial.modbus.register_map import RegisterMap
from powershare_serial.ports import Wiring

_TCP_PORT = 502
_GREATEST_UNIT_ON_A_LINE = 247
_WHOLE_DAY_MS = 86_400_000
_SILENT_BITS = 39
"""3.5 letters of 11 bits, rounded up."""

READERS: Readers = {
    "map": some_text,
    "unit": whole(0, 255),
    "connector": whole(1, 32),
    "framing": one_of("tcp", "rtu"),
    "baud": whole(300, 1_000_000),
    "parity": one_of("none", "even", "odd"),
    "stop_bits": whole(1, 2),
    "lines": whole(0, 3),
    "greatest_a": amps(1, 1_000_000),
    "watchdog_s": seconds(2, _WHOLE_DAY_MS),
    "failsafe_a": amps(0, 1_000_000),
    "settle_s": seconds(0, 60_000),
    "reply_s": seconds(50, 10_000),
}
"""The settings of an address."""


@attrs.frozen(kw_only=True)
class Settings:
    """A device, and how it is reached.

    Attributes:
        map: What it is like.
        place: Where the wire begins.
        tcp: Whether frames are framed for TCP.
        wiring: How bytes are put on a serial wire.
        unit: Its address on the wire.
        connector: Which connector of the station it is, from 1.
        lines: How many lines its meter reports; 0: it has none.
        greatest_ma: Its greatest offer.
        watchdog_ms: When its watchdog acts; None: it has none.
        fallback_ma: What it offers then, at the most.
        settle_ms: The longest from its answer to its pilot.
        reply_ms: The longest that it may take to answer.
    """

    map: RegisterMap
    place: Place
    tcp: bool
    wiring: Wiring
    unit: int
    connector: int
    lines: int
    greatest_ma: Milliamps
    watchdog_ms: int | None
    fallback_ma: Milliamps
    settle_ms: int
    reply_ms: int

    @property
    def shift(self) -> int:
        """How far the connector's registers lie from those in the map."""
        return self.connector * self.map.connection.connector_step

    @property
    def gap_ms(self) -> int:
        """The least silence between two frames: at least 3.5 letters (Modbus over serial line 1.02, 2.5.1.1)."""
        letters_ms = 0 if self.tcp else -(-_SILENT_BITS * 1_000 // self.wiring.baud)
        return max(self.map.connection.gap_ms, letters_ms)

    def declaration(self) -> Declaration:
        """What such a device promises.

        Raises:
            ContractError: The settings contradict each other.
        """
        offers, writes = self.map.offers, self.map.writes_per_order
        dog = self.map.watchdog
        return Declaration(
            step_ma=offers.step_ma,
            least_offer_ma=offers.least_ma,
            greatest_offer_ma=self.greatest_ma,
            can_pause=self.map.can_pause,
            deadman=Deadman.NONE if dog is None else Deadman.WATCHDOG,
            watchdog_ms=self.watchdog_ms,
            fallback_ma=self.fallback_ma,
            settle_ms=self.settle_ms,
            # Each write may take its whole time; before the first one somebody else's may have to end.
            longest_write_ms=(writes + 1) * (self.reply_ms + self.gap_ms) + LATE_MS,
            confirms_applied=False,
            fed_by_reads=dog is not None and dog.fed_by_reads,
        )


def settings_of(rest: str) -> Settings:
    """Read the rest of an address, what follows `serial+modbus:`.

    Raises:
        FormatError: It, or the map that it names, means nothing; every problem at once.
    """
    needed = {"map": "write map=NAME of a family of devices, or map=/path/to/a/map.toml"}
    address = address_of("modbus", rest, READERS, default_tcp_port=_TCP_PORT, needed=needed)
    found = load_map(address.values["map"])
    problems = list(_problems(address, found))
    if problems:
        raise FormatError(problems)
    settings = _settings(address, found)
    try:
        settings.declaration()
    except ContractError as error:
        raise FormatError([address.problem("", str(error))]) from error
    return settings


def _settings(address: Address, found: RegisterMap) -> Settings:
    values, connection, dog = address.values, found.connection, found.watchdog
    serial = isinstance(address.place, DevicePath)
    greatest_ma = values.get("greatest_a", found.offers.greatest_ma)
    return Settings(
        map=found,
        place=address.place,
        tcp=values.get("framing", "rtu" if serial else "tcp") == "tcp",
        wiring=Wiring(
            baud=values.get("baud", connection.baud),
            parity=values.get("parity", connection.parity),
            stop_bits=values.get("stop_bits", connection.stop_bits),
        ),
        unit=values.get("unit", connection.unit),
        connector=values.get("connector", 1),
        lines=values.get("lines", len(found.drawn)),
        greatest_ma=greatest_ma,
        watchdog_ms=None if dog is None else values.get("watchdog_s", dog.after_ms),
        fallback_ma=greatest_ma if dog is None else values.get("failsafe_a", dog.fallback_ma),
        settle_ms=values.get("settle_s", found.offers.settle_ms),
        reply_ms=values.get("reply_s", REPLY_MS),
    )


def _problems(address: Address, found: RegisterMap) -> Iterator[Problem]:
    """What fits neither the map nor the rest of the address."""
    values, offers, dog = address.values, found.offers, found.watchdog
    greatest_ma = values.get("greatest_a", offers.greatest_ma)
    if greatest_ma > offers.greatest_ma:
        message = f"is {greatest_ma / 1000:g}; {found.name} goes up to {offers.greatest_ma / 1000:g} A"
        yield address.problem("greatest_a", message)
    if "lines" in values and values["lines"] > len(found.drawn):
        yield address.problem("lines", f"is {values['lines']}; {found.name} measures {len(found.drawn)}")
    if "connector" in values and not found.connection.connector_step:
        yield address.problem("connector", f"means nothing to {found.name}, which has one connector for each address")
    if dog is None:
        for setting in ("watchdog_s", "failsafe_a"):
            if setting in values:
                yield address.problem(setting, f"cannot be: {found.name} has no watchdog, as far as is known")
    else:
        after_ms = values.get("watchdog_s", dog.after_ms)
        if not dog.least_ms <= after_ms <= dog.greatest_ms:
            span = f"{dog.least_ms / 1000:g} to {dog.greatest_ms / 1000:g}"
            yield address.problem("watchdog_s", f"is {after_ms / 1000:g}; {found.name} takes {span} seconds")
        fallback_ma = values.get("failsafe_a", dog.fallback_ma)
        least_ma = 0 if dog.failsafe is None else dog.failsafe.least_ma
        if fallback_ma < least_ma:
            message = f"is {fallback_ma / 1000:g}; {found.name} takes {least_ma / 1000:g} A at least"
            yield address.problem("failsafe_a", message)
        if dog.failsafe is None and dog.failsafe_read is None and fallback_ma != dog.fallback_ma:
            message = f"cannot be told to {found.name}, which then offers {dog.fallback_ma / 1000:g} A"
            yield address.problem("failsafe_a", message)
    yield from _line_problems(address, found)


def _line_problems(address: Address, found: RegisterMap) -> Iterator[Problem]:
    values = address.values
    on_a_line = isinstance(address.place, DevicePath) or values.get("framing") == "rtu"
    unit = values.get("unit", found.connection.unit)
    if on_a_line and not 1 <= unit <= _GREATEST_UNIT_ON_A_LINE:
        yield address.problem("unit", f"is {unit}; write the unit's address on the line, 1 to 247")
    if isinstance(address.place, DevicePath):
        if values.get("framing") == "tcp":
            yield address.problem("framing", "is tcp, on a serial line; leave it out")
        return
    for setting in ("baud", "parity", "stop_bits"):
        if setting in values:
            yield address.problem(setting, "means nothing over TCP; it is set in the converter")
    cast = found.broadcast
    if cast is not None and not on_a_line:
        yield address.problem("framing", f"is tcp; {found.name} hears one frame for all, so write framing=rtu")
    if cast is not None and not cast.first_unit <= unit < cast.first_unit + cast.slots:
        last = cast.first_unit + cast.slots - 1
        yield address.problem("unit", f"is {unit}; {found.name} has {cast.first_unit} to {last}")
