"""`powershare emulate rapi`: emulated OpenEVSEs, each on a pseudo-terminal of its own."""

import asyncio
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from powershare.adapter import Clock
from powershare.addressing import Readers, options_of, whole, yes_no
from powershare.emulation import Changed
from powershare.errors import FormatError, Problem
from powershare.simulation.outlet import Outlet
from powershare_serial.emulators import PtyEmulator
from powershare_serial.ports import PtyPort
from powershare_serial.rapi.device import FAILURES, OpenEvse, UnitTraits

_WHERE = 'emulator "rapi"'
_THINKING_MS = 4
"""From a command to its answer: the firmware's loop, and a few words at 115,200 baud."""
_LOOK_MS = 50
"""How often to look at least: what is done to a unit by hand may bring something nearer."""

_OPTIONS: Readers = {
    "hardware_a": whole(6, 80),
    "saved_a": whole(6, 80),
    "supervision": yes_no,
    "boot_lock": yes_no,
    "sequences": yes_no,
    "ammeter": yes_no,
    "lines": whole(1, 3),
    "seed": whole(0, 1_000_000),
}


class RapiEmulator(PtyEmulator[OpenEvse]):
    """Some emulated units.

    Args:
        traits: What kind of units.
        lines: Lines each is wired to.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.
    """

    def __init__(self, traits: UnitTraits, lines: int, *, units: int, clock: Clock, changed: Changed) -> None:
        self._clock = clock
        evses = [
            OpenEvse(
                Outlet(
                    clock.now_ms(),
                    lines=lines,
                    greatest_ma=traits.hardware_a * 1_000,
                    step_ma=1_000,
                    changed=functools.partial(changed, unit),
                ),
                clock,
                attrs.evolve(traits, seed=traits.seed + unit),
            )
            for unit in range(units)
        ]
        super().__init__(evses)

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The units' connectors."""
        return [unit.outlet for unit in self._units]

    @property
    def units(self) -> Sequence[OpenEvse]:
        """The units themselves."""
        return self._units

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each unit."""
        return [self._address(unit, port) for unit, port in zip(self._units, self._ports, strict=True)]

    def _address(self, unit: OpenEvse, port: PtyPort) -> str:
        traits = unit.traits
        settings = [f"greatest_a={traits.saved_a}", f"lines={unit.outlet.lines}"]
        settings += [] if traits.supervision else ["watchdog_s=0"]
        settings += ["boot_lock=no"] if traits.supervision and not traits.boot_lock else []
        settings += [] if traits.ammeter else ["meter=no"]
        return f"serial+rapi://{port.path}?{'&'.join(settings)}"

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one unit."""
        self.unit(unit).fail(failure)

    @property
    def failures(self) -> Mapping[str, str]:
        """The failures that there are."""
        return MappingProxyType(FAILURES)

    async def _serve(self, unit: OpenEvse, port: PtyPort) -> None:
        while True:
            now_ms = self._clock.now_ms()
            due_ms = min(unit.next_ms() or now_ms + _LOOK_MS, now_ms + _LOOK_MS)
            try:
                async with asyncio.timeout(max(0, due_ms - now_ms) / 1000):
                    data = await port.receive()
            except TimeoutError:
                data = b""
            unit.advance()
            if data:
                await asyncio.sleep(_THINKING_MS / 1000)
                unit.hear(data)
            if said := unit.take():
                await port.send(said)


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> RapiEmulator:
    """Build emulated OpenEVSEs, without touching the world.

    Args:
        options: `hardware_a`, `saved_a`, `supervision`, `boot_lock`, `sequences`, `ammeter`, `lines`, `seed`.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    values = options_of(_WHERE, options, _OPTIONS)
    lines = values.pop("lines", 1)
    traits = UnitTraits(**values)
    if traits.saved_a > traits.hardware_a:
        message = f"is {traits.saved_a}, above hardware_a {traits.hardware_a}"
        raise FormatError([Problem(_WHERE, "saved_a", message)])
    return RapiEmulator(traits, lines, units=units, clock=clock, changed=changed)
