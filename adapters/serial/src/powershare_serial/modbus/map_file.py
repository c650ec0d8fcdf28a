"""Files of register maps: TOML to values, every problem at once, each with the file, the place in it and the remedy."""

import functools
import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal

from powershare.adapter import PILOT_STATES, PilotState
from powershare.errors import FormatError, Problem
from powershare_serial.modbus import tables
from powershare_serial.modbus.map_parts import (
    broadcast_of,
    fixed_of,
    grants_of,
    register_of,
    watchdog_of,
)
from powershare_serial.modbus.register_map import (
    Connection,
    Range,
    RegisterMap,
    Release,
    Reported,
    Setpoint,
    StateRule,
)
from powershare_serial.modbus.registers import Kind, Register, Table
from powershare_serial.modbus.tables import TomlTable

MAX_MAP_BYTES = 65_536
_PARITIES: tuple[Literal["none", "even", "odd"], ...] = ("none", "even", "odd")
_STOP_BITS: tuple[Literal[1, 2], ...] = (1, 2)


def shipped() -> tuple[str, ...]:
    """The names of the maps that come with this distribution."""
    directory = resources.files(__package__).joinpath("maps")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in directory.iterdir() if entry.is_file()))


@functools.cache
def load_map(name: str) -> RegisterMap:
    """Read a map, once.

    Args:
        name: One of `shipped()`, or the path of a file that ends in `.toml`.

    Raises:
        FormatError: There is no such map, or something is wrong with it; every problem at once.
    """
    if name.endswith(".toml"):
        where, source = f'map "{name}"', Path(name)
    else:
        where, source = f'map "{name}.toml"', resources.files(__package__).joinpath("maps", f"{name}.toml")  # type: ignore[assignment]  # both read
        if "/" in name or "\\" in name or not source.is_file():
            message = f"is not there; write the path of a .toml file, or one of {', '.join(shipped())}"
            raise FormatError([Problem(f'map "{name}"', "", message)])
    try:
        with source.open("rb") as file:
            data = file.read(MAX_MAP_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise FormatError([Problem(where, "", f"cannot be read: {error}")]) from error
    if len(data) > MAX_MAP_BYTES:
        raise FormatError([Problem(where, "", f"has more than {MAX_MAP_BYTES} bytes, and cannot be a map")])
    return map_of(where, text)


def map_of(where: str, source: str) -> RegisterMap:
    """Read the text of a map.

    Args:
        where: The file, in the words of an error.
        source: Its text.

    Raises:
        FormatError: Every problem at once.
    """
    try:
        data = tomllib.loads(source, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise FormatError([Problem(where, "", f"is no TOML: {error}")]) from error
    problems: list[Problem] = []
    found = _map_of(TomlTable(where, "", data, problems))
    if problems or found is None:
        raise FormatError(problems)
    return found


def _map_of(file: TomlTable) -> RegisterMap | None:
    connection = _connection_of(file.table("connection", needed=True))
    offers = _range_of(file.table("offers", needed=True))
    setpoint = _setpoint_of(file.table("set", needed=True))
    reported = _reported_of(file.table("offered", needed=True))
    release = _release_of(file.table("release"))
    states = tuple(rule for entry in file.tables("state") if (rule := _state_of(entry)) is not None)
    if not states:
        file.problem("state", "is missing; write [[state]] with a register and its values")
    honoured = file.table("honoured")
    name = file.need("name", tables.text, "")
    sources = file.need("sources", tables.texts, ())
    notes = file.get("notes", tables.texts, ())
    drawn = _drawn_of(file.table("drawn"))
    watchdog = watchdog_of(file.table("watchdog"))
    init = tuple(fixed_of(entry, write=True) for entry in file.tables("init"))
    expect = tuple(fixed_of(entry, write=False) for entry in file.tables("expect"))
    broadcast = broadcast_of(file.table("broadcast"))
    grants = grants_of(file.table("grant"))
    file.end()
    if connection is None or offers is None or setpoint is None or reported is None:
        return None
    return RegisterMap(
        where=file.where,
        name=name,
        sources=sources,
        notes=notes,
        connection=connection,
        offers=offers,
        setpoint=setpoint,
        release=release,
        reported=reported,
        states=states,
        drawn=drawn,
        watchdog=watchdog,
        init=init,
        expect=expect,
        honoured=None if honoured is None else fixed_of(honoured, write=False),
        broadcast=broadcast,
        grants=grants,
    )


def _connection_of(entry: TomlTable | None) -> Connection | None:
    if entry is None:
        return None
    connection = Connection(
        unit=entry.need("unit", tables.whole(0, 255), 1),
        tcp=entry.get("tcp", tables.flag, False),
        baud=entry.get("baud", tables.whole(300, 1_000_000), 9_600),
        parity=entry.get("parity", tables.one_of(_PARITIES), _PARITIES[0]),
        stop_bits=entry.get("stop_bits", tables.one_of(_STOP_BITS), _STOP_BITS[0]),
        gap_ms=entry.get("gap_s", tables.thousandths(0, 2_000), 0),
        block_reads=entry.get("block_reads", tables.flag, True),
        connector_step=entry.get("connector_step", tables.whole(0, 10_000), 0),
    )
    entry.end()
    return connection


def _range_of(entry: TomlTable | None) -> Range | None:
    if entry is None:
        return None
    amps = tables.thousandths(1, 1_000_000)
    found = Range(
        least_ma=entry.get("least_a", amps, 6_000),
        greatest_ma=entry.need("greatest_a", amps, 32_000),
        step_ma=entry.need("step_a", amps, 1_000),
        settle_ms=entry.get("settle_s", tables.thousandths(0, 60_000), 1_000),
    )
    for key, current_ma in (("least_a", found.least_ma), ("greatest_a", found.greatest_ma)):
        if current_ma % found.step_ma:
            entry.problem(key, f"is {current_ma / 1000:g}, no multiple of step_a {found.step_ma / 1000:g}")
    if found.least_ma > found.greatest_ma:
        entry.problem("least_a", f"is {found.least_ma / 1000:g}, above greatest_a {found.greatest_ma / 1000:g}")
    entry.end()
    return found


def _setpoint_of(entry: TomlTable | None) -> Setpoint | None:
    if entry is None:
        return None
    zero = entry.need("zero", tables.one_of(("pauses", "never")), "never")
    wears = entry.get("wears", tables.flag, False)
    register = register_of(entry, unit_key="unit_a", writable=True)
    entry.end()
    return None if register is None else Setpoint(register=register, zero_pauses=zero == "pauses", wears=wears)


def _reported_of(entry: TomlTable | None) -> Reported | None:
    if entry is None:
        return None
    says = entry.need("says", tables.one_of(("applied", "order", "nothing")), "order")
    if says == "nothing":
        entry.end()
        return Reported(register=None, applied=False)
    register = register_of(entry, unit_key="unit_a")
    entry.end()
    return None if register is None else Reported(register=register, applied=says == "applied")


def _release_of(entry: TomlTable | None) -> Release | None:
    if entry is None:
        return None
    on, off = entry.need("on", tables.whole(0, 0xFFFF), 1), entry.need("off", tables.whole(0, 0xFFFF), 0)
    readable = entry.get("readable", tables.flag, True)
    register = register_of(entry, writable=True)
    if on == off:
        entry.problem("on", f"is {on}, and off is the same")
    entry.end()
    return None if register is None else Release(register=register, on=on, off=off, readable=readable)


def _state_of(entry: TomlTable) -> StateRule | None:
    register = register_of(entry)
    textual = register is not None and register.kind is Kind.TEXT
    nothing: dict[int | str, PilotState] = {}
    values = entry.need("values", lambda data: _states(data, textual=textual), nothing)
    idle = entry.get("not_offering", lambda data: _raws(data, textual=textual), ())
    entry.end()
    return None if register is None else StateRule(register=register, values=values, not_offering=idle)


def _raw(key: object, *, textual: bool) -> int | str:
    if textual:
        return tables.text(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if not isinstance(key, str) or not (key.isascii() and key.isdecimal() and len(key) < 11):
        raise ValueError(f"has {key!r}; write what stands in the register, a whole number")
    return int(key)


def _states(data: object, *, textual: bool) -> dict[int | str, PilotState]:
    if not isinstance(data, dict) or not data:
        raise ValueError(f'is {data!r}; write {{ 1 = "A", 2 = "B" }}')
    state = tables.one_of(PILOT_STATES)
    return {_raw(key, textual=textual): state(value) for key, value in data.items()}


def _raws(data: object, *, textual: bool) -> tuple[int | str, ...]:
    if not isinstance(data, list):
        raise ValueError(f"is {data!r}; write an array")  # noqa: TRY004 - one kind of error for one kind of mistake
    return tuple(_raw(key, textual=textual) for key in data)


def _drawn_of(entry: TomlTable | None) -> tuple[Register, ...]:
    if entry is None:
        return ()
    addresses: tuple[int, ...] = entry.need("addresses", tables.wholes(0, 0xFFFF), ())
    if len(addresses) > 3:
        entry.problem("addresses", f"has {len(addresses)} of them; a connector has 1 to 3 lines")
    first = register_of(entry, unit_key="unit_a", address=addresses[0] if addresses else 0)
    entry.end()
    if first is None:
        return ()
    if first.table is Table.COIL or first.table is Table.DISCRETE:
        entry.problem("table", "holds bits, and no currents")
    return tuple(first.moved(address - first.address) for address in addresses)
