"""`powershare emulate twc-gen2`: emulated Gen 2 Wall Connectors on one RS-485 wire, which is a pseudo-terminal."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType

import attrs

from powershare.adapter import Clock
from powershare.addressing import Readers, amps, one_of, options_of, seconds, whole, yes_no
from powershare.emulation import Changed
from powershare.errors import AdapterUnavailable, FormatError, Problem
from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_serial.ports import PtyPort, open_pty
from powershare_serial.twc.emulated_unit import FAILURES, EmulatedUnit, UnitTraits
from powershare_serial.twc.emulated_wire import EmulatedWire, ids
from powershare_serial.twc.messages import shown

_MOST_UNITS = 8
_PILOT_STEP_MA: Milliamps = 10
_GREATEST_PILOT_MA: Milliamps = 80_000
"""A unit does not protect its wiring: what it is told goes to the pilot, up to the most a pilot says."""

_WIRE_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "noise": "on its wire a byte floats after every frame",
        "unplugged": "the cable between the controller and all units of its wire is out",
        "second-controller": "another controller begins to speak on its wire",
        "hang-up": "the controller's own serial adapter is pulled out, for good",
    }
)

_READERS: Readers = {
    "protocol": one_of("1", "2"),
    "echo": yes_no,
    "noise": yes_no,
    "nameplate_a": amps(6_000, 80_000),
    "lines": whole(1, 3),
    "lost_after_s": seconds(1_000, 600_000),
    "stopped_after_s": seconds(1_000, 600_000),
    "seed": whole(0, 1_000_000_000),
}


@attrs.frozen(kw_only=True)
class Options:
    """What the units are like.

    Attributes:
        traits: What kind of unit they are.
        lines: Lines each is wired to.
        echo: Whether what the controller says comes back to it.
        noise: Whether a byte floats on the wire after each frame.
        seed: Another number, other ids and instants.
    """

    traits: UnitTraits = attrs.field(factory=UnitTraits)
    lines: int = 1
    echo: bool = False
    noise: bool = False
    seed: int = 1


def _read_options(options: Mapping[str, str]) -> Options:
    """Read the settings of `--set`.

    Args:
        options: As given on the command line.

    Raises:
        FormatError: A setting means nothing here; every problem at once.
    """
    values = options_of('emulator "twc-gen2"', options, _READERS)
    usual = UnitTraits()
    return Options(
        traits=UnitTraits(
            protocol=1 if values.get("protocol") == "1" else 2,
            nameplate_ma=values.get("nameplate_a", usual.nameplate_ma),
            lost_after_ms=values.get("lost_after_s", usual.lost_after_ms),
            stopped_after_ms=values.get("stopped_after_s", usual.stopped_after_ms),
        ),
        lines=values.get("lines", 1),
        echo=values.get("echo", False),
        noise=values.get("noise", False),
        seed=values.get("seed", 1),
    )


class TwcEmulator:
    """Some emulated units on one wire.

    Args:
        options: What they are like.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.
    """

    def __init__(self, options: Options, *, units: int, clock: Clock, changed: Changed) -> None:
        self._clock = clock
        self._port: PtyPort | None = None
        self._task: asyncio.Task[None] | None = None
        now_ms = clock.now_ms()
        dice = Random(options.seed)  # noqa: S311 - the same units every time
        self.wire = EmulatedWire(dice, echo=options.echo, noise=options.noise)
        for place, unit_id in enumerate(ids(units, dice)):
            outlet = Outlet(
                now_ms,
                lines=options.lines,
                greatest_ma=_GREATEST_PILOT_MA,
                step_ma=_PILOT_STEP_MA,
                changed=self._telling(place, changed),
            )
            self.wire.units.append(self._unit(options.traits, outlet, unit_id, now_ms, Random(dice.randrange(2**32))))  # noqa: S311

    def _unit(self, traits: UnitTraits, outlet: Outlet, unit_id: int, now_ms: int, dice: Random) -> EmulatedUnit:
        def say(start_ms: int, frame: bytes) -> None:
            self.wire.say(unit, start_ms, frame)

        unit = EmulatedUnit(traits, outlet, unit_id, now_ms, dice, say)
        return unit

    def _telling(self, place: int, changed: Changed) -> Callable[[Outlet, int, str | None], None]:
        def tell(outlet: Outlet, now_ms: int, word: str | None) -> None:
            self.wire.units[place].look_at_vehicle(now_ms)
            changed(place, outlet, now_ms, word)

        return tell

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The units' connectors."""
        return [unit.outlet for unit in self.wire.units]

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each unit; empty until it has started."""
        if self._port is None:
            return []
        return [f"serial+twc://{self._port.path}?id={shown(unit.unit_id)}" for unit in self.wire.units]

    @property
    def failures(self) -> Mapping[str, str]:
        """What it can be told to do wrong."""
        return MappingProxyType({**FAILURES, **_WIRE_FAILURES})

    @property
    def alarms(self) -> Sequence[str]:
        """What the units were told that nobody may tell a unit."""
        return [alarm for unit in self.wire.units for alarm in unit.alarms]

    async def start(self) -> None:
        """Open the wire and begin to answer."""
        if self._port is None:
            self._port = open_pty()
            self._task = asyncio.create_task(self._serve(self._port))

    async def stop(self) -> None:
        """Fall silent and let go of the wire."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        port, self._port = self._port, None
        if port is not None:
            await port.close()

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one unit.

        Args:
            unit: Its place.
            failure: One of `failures`, or `none`.

        Raises:
            ValueError: There is no such failure.
        """
        one, wire, now_ms = self.wire.units[unit], self.wire, self._clock.now_ms()
        if failure == "none":
            wire.noise = wire.cut = wire.stranger = False
            one.begin("none", now_ms)
        elif failure == "reset":
            one.restart(now_ms)
        elif failure == "id-clash":
            others = [other for other in wire.units if other is not one]
            if others:
                one.take_id(others[0].unit_id, now_ms)
        elif failure in FAILURES:
            one.begin(failure, now_ms)
        elif failure == "noise":
            wire.noise = True
        elif failure == "unplugged":
            wire.cut = True
        elif failure == "second-controller":
            wire.let_in(now_ms)
        elif failure == "hang-up":
            if self._port is not None:
                self._port.hang_up()
        else:
            raise ValueError(f"is {failure!r}; there are none, {', '.join(self.failures)}")

    async def _serve(self, port: PtyPort) -> None:
        """Answer until the port is gone; when nobody answers any more, for whatever reason, it is gone."""
        try:
            while True:
                heard = self.wire.advance(self._clock.now_ms())
                if heard:
                    await port.send(heard)
                wait_ms = max(1, self.wire.next_ms() - self._clock.now_ms())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_ms / 1000):
                        data = await port.receive()
                        self.wire.hear(data, self._clock.now_ms())
        except AdapterUnavailable:
            return
        finally:
            port.hang_up()


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> TwcEmulator:
    """Build emulated units, without touching the world.

    Args:
        options: `protocol`, `echo`, `noise`, `nameplate_a`, `lines`, `lost_after_s`, `stopped_after_s`, `seed`.
        units: How many; all on one wire.
        clock: Where the time comes from.
        changed: Told of every change.

    Raises:
        FormatError: A setting means nothing here, or there are too many units; every problem at once.
    """
    read = _read_options(options)
    if not 1 <= units <= _MOST_UNITS:
        message = f"are {units}; one wire has 1 to {_MOST_UNITS} emulated units"
        raise FormatError([Problem('emulator "twc-gen2"', "units", message)])
    return TwcEmulator(read, units=units, clock=clock, changed=changed)
