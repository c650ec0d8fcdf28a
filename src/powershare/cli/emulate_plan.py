"""What happens at emulated units while `powershare emulate` runs: vehicles come and go, devices fail."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from powershare.errors import FormatError, Problem
from powershare.files.kinds import amps, flag, kilowatt_hours, seconds, text, whole, word
from powershare.files.tables import Key, Table, decode
from powershare.files.text import parse_json, read_text
from powershare.simulation.chance import Chance
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits

_LINE = Table(
    "deed",
    (
        Key(name="t_s", field="t_ms", kind=seconds("3", 0), required=True),
        Key(name="unit", field="unit", kind=whole("units", "0", 0), required=True),
        Key(name="do", field="do", kind=word("plug_in", "unplug", "fail"), required=True),
        Key(name="max_a", field="max_ma", kind=amps(above=0)),
        Key(name="lines_used", field="lines_used", kind=whole("lines", "1", 1, 3)),
        Key(name="energy_kwh", field="energy_wh", kind=kilowatt_hours()),
        Key(name="reaction_s", field="reaction_ms", kind=seconds("3", 0)),
        Key(name="ignores_pilot", field="ignores_pilot", kind=flag()),
        Key(name="vehicle", field="identity", kind=text("an identity")),
        Key(name="failure", field="failure", kind=text("a failure of the emulator, or none")),
    ),
)
_OF_VEHICLES = frozenset({"max_ma", "lines_used", "energy_wh", "reaction_ms", "ignores_pilot", "identity"})
_MAX_MA = 32_000
_ENERGY_WH = 20_000
_REACTION_MS = 2_000
_RAMP_UP_MA_PER_S = 4_000
_RAMP_DOWN_MA_PER_S = 10_000
"""From 32 A to nothing within 6 s of the order, reaction included: what assumption A2 asks for (docs/safety.md)."""
_ORDINARY = {
    "max_ma": _MAX_MA,
    "reaction_ms": _REACTION_MS,
    "ramp_up_ma_per_s": _RAMP_UP_MA_PER_S,
    "ramp_down_ma_per_s": _RAMP_DOWN_MA_PER_S,
}
_GREATEST_SIZES_MA = (32_000, 32_000, 24_000, 16_000, 10_000)


@attrs.frozen(kw_only=True)
class Deed:
    """One thing that is done to a unit.

    Attributes:
        t_ms: When, since the units listen.
        unit: Which, from 0.
        plug_in: The vehicle that is plugged in, if one is.
        energy_wh: What that vehicle asks for.
        failure: The failure that begins, or `none`. Neither vehicle nor failure: the vehicle is unplugged.
    """

    t_ms: int
    unit: int
    plug_in: Traits | None = None
    energy_wh: int = 0
    failure: str | None = None


def all_at_once(units: int, seed: int) -> Iterator[Deed]:
    """One vehicle for every unit, at the start."""
    for unit in range(units):
        chance = Chance(seed).fork(unit)
        yield Deed(t_ms=0, unit=unit, plug_in=_traits(unit, chance), energy_wh=_ENERGY_WH)


def evening(units: int, seed: int) -> Iterator[Deed]:
    """Vehicles that come, charge for half a minute to two, leave, and are followed by others, for ever."""
    return heapq.merge(*(_guests(unit, seed) for unit in range(units)), key=lambda deed: deed.t_ms)


def script(path: Path, outlets: Sequence[Outlet], failures: Mapping[str, str]) -> list[Deed]:
    """Read a script: NDJSON, one deed a line, in any order.

    Args:
        path: The file.
        outlets: The units it may name.
        failures: The failures it may name.

    Returns:
        The deeds in order of time.

    Raises:
        FormatError: Some lines cannot be read or fit no unit; every problem at once.
    """
    problems: list[Problem] = []
    deeds: list[Deed] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            found = decode(_LINE, parse_json(line), problems, place)
        except FormatError as error:
            problems += [Problem(place, "", problem.message) for problem in error.problems]
            continue
        if found is None or found.faulty:
            continue
        faults = list(_misfits(found.values, outlets, failures))
        problems += [Problem(f"{place}.{key}", "", message) for key, message in faults]
        if not faults:
            deeds.append(_deed(found.values))
    if problems:
        raise FormatError(problems)
    return sorted(deeds, key=lambda deed: deed.t_ms)


def failure_message(failure: str, failures: Mapping[str, str]) -> str | None:
    """What is wrong with the name of a failure; None: it is one."""
    if failure == "none" or failure in failures:
        return None
    return f'is "{failure}"; this emulator can fail with {", ".join(failures) or "nothing"}, and none ends it'


def _deed(values: Mapping[str, Any]) -> Deed:
    t_ms, unit, do = values["t_ms"], values["unit"], values["do"]
    if do == "fail":
        return Deed(t_ms=t_ms, unit=unit, failure=values["failure"])
    if do == "unplug":
        return Deed(t_ms=t_ms, unit=unit)
    traits = {name: value for name, value in values.items() if name in _OF_VEHICLES - {"energy_wh"}}
    return Deed(
        t_ms=t_ms,
        unit=unit,
        plug_in=Traits(**(_ORDINARY | traits)),
        energy_wh=values.get("energy_wh", _ENERGY_WH),
    )


def _misfits(
    values: Mapping[str, Any], outlets: Sequence[Outlet], failures: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    unit, do = values["unit"], values["do"]
    if unit >= len(outlets):
        yield "unit", f"is {unit}; there are {len(outlets)} units, the first is 0"
    elif values.get("lines_used", 1) > outlets[unit].lines:
        yield "lines_used", f"is {values['lines_used']}; the unit is wired to {outlets[unit].lines}"
    foreign = [key.name for key in _LINE.keys if key.field in _OF_VEHICLES and key.field in values]
    if do != "plug_in" and foreign:
        yield foreign[0], f"belongs to plug_in, not to {do}"
    if (do == "fail") != ("failure" in values):
        yield "failure", "is missing; name one" if do == "fail" else f"belongs to fail, not to {do}"
    elif do == "fail" and (message := failure_message(values["failure"], failures)) is not None:
        yield "failure", message


def _guests(unit: int, seed: int) -> Iterator[Deed]:
    chance = Chance(seed).fork(unit)
    t_ms, guest = chance.between(0, 10_000), unit
    while True:
        # Between 0.05 and 1 kWh: at 7 kW that is half a minute to eight, so that some are full before they leave.
        energy_wh = chance.between(50, 1_000)
        yield Deed(t_ms=t_ms, unit=unit, plug_in=_traits(guest, chance), energy_wh=energy_wh)
        t_ms += chance.between(30_000, 120_000)
        yield Deed(t_ms=t_ms, unit=unit)
        t_ms += chance.between(3_000, 20_000)
        guest += 100


def _traits(guest: int, chance: Chance) -> Traits:
    """A vehicle as many are: within the assumptions, no two alike."""
    return Traits(
        max_ma=_GREATEST_SIZES_MA[chance.between(0, len(_GREATEST_SIZES_MA) - 1)],
        identity=f"5YJ3E1EA7KF{317_000 + guest % 600_000:06d}",
        reaction_ms=chance.between(500, 2_500),
        ramp_up_ma_per_s=chance.between(650, _RAMP_UP_MA_PER_S),
        ramp_down_ma_per_s=chance.between(_RAMP_DOWN_MA_PER_S, 2 * _RAMP_DOWN_MA_PER_S),
        shortfall_ma=chance.between(0, 800),
    )
