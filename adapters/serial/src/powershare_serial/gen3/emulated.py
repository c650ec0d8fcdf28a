"""`powershare emulate gen3-wall-connector`: emulated Wall Connectors, each on a pseudo-terminal, asking their meter.

With `draw_dir` each writes what it draws into a file, as the meter of its own draw that the adapter needs; the address
then names that file as a meter of powershare-emulated, and is complete.
"""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from types import MappingProxyType
from urllib.parse import quote

from powershare.adapter import Clock
from powershare.addressing import Readers, amps, options_of, seconds, some_text, whole
from powershare.emulation import Changed
from powershare.errors import AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare_serial.emulators import PtyEmulator
from powershare_serial.gen3.device import ConnectorTraits, WallConnector
from powershare_serial.gen3.settings import ACCEPT
from powershare_serial.ports import PtyPort


def _directory(text: str) -> Path:
    path = Path(some_text(text))
    if not path.is_dir():
        raise ValueError(f"is {text!r}; name a directory that is there")
    return path


_OPTIONS: Readers = {
    "limit_a": ("meter_limit_ma", amps(6_000, 1_000_000)),
    "greatest_a": ("greatest_ma", amps(7_000, 80_000)),
    "lost_after_s": ("lost_after_ms", seconds(2_000, 600_000)),
    "lines": whole(1, 3),
    "draw_dir": _directory,
    "seed": whole(0, 1_000_000),
}

FAILURES = {
    "silent": "it asks its meter nothing",
    "deaf": "it hears no answer, as when A and B are swapped",
    "noise": "bytes that mean nothing come before its questions, and every third is spoiled",
    "distrust": "it has stopped believing its meter, and offers its greatest for hours (outside A3)",
    "restart": "it restarts now",
    "fault": "it is out of order, with an open contactor",
}
"""What an emulated Wall Connector can be told to do wrong."""


class _Unit:
    """One Wall Connector and what its wire does to it."""

    def __init__(self, device: WallConnector, seed: int) -> None:
        self.device = device
        self.noisy = False
        self._dice = Random(seed)  # noqa: S311 - the same noise every time
        self._sent = 0

    def write_draw(self, path: Path) -> None:
        """Write what it draws into a file, whole or not at all."""
        amps_per_line = (f"{line_ma / 1000:g}" for line_ma in self.device.outlet.drawn_per_line_ma)
        part = path.with_suffix(".part")
        with contextlib.suppress(OSError):  # a meter that stops measuring, as the disk of a real one may be full
            part.write_text(",".join(amps_per_line), encoding="ascii")
            part.replace(path)

    def spoil(self, question: bytes) -> bytes:
        """What the wire makes of a question."""
        if not self.noisy:
            return question
        self._sent += 1
        spoiled = bytearray(question)
        if self._sent % 3 == 0:
            spoiled[self._dice.randrange(len(spoiled))] ^= 1 << self._dice.randrange(8)
        return self._dice.randbytes(self._dice.randrange(12)) + bytes(spoiled)


class Gen3Emulator(PtyEmulator[_Unit]):
    """Some emulated Wall Connectors.

    Args:
        traits: How they were commissioned.
        lines: Lines each is wired to.
        seed: Of their noise.
        draw_dir: Where each writes what it draws; None: nowhere.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.
    """

    def __init__(
        self,
        traits: ConnectorTraits,
        lines: int,
        seed: int,
        draw_dir: Path | None,
        *,
        units: int,
        clock: Clock,
        changed: Changed,
    ) -> None:
        self._clock, self._traits, self._lines = clock, traits, lines
        self._draw_files = [None if draw_dir is None else draw_dir / f"draw{unit}" for unit in range(units)]
        connectors = [
            _Unit(
                WallConnector(
                    Outlet(
                        clock.now_ms(),
                        lines=lines,
                        greatest_ma=traits.greatest_ma,
                        changed=functools.partial(changed, unit),
                    ),
                    clock,
                    traits,
                ),
                seed + unit,
            )
            for unit in range(units)
        ]
        super().__init__(connectors)

    @property
    def outlets(self) -> Sequence[Outlet]:
        """Their connectors."""
        return [unit.device.outlet for unit in self._units]

    @property
    def units(self) -> Sequence[WallConnector]:
        """The Wall Connectors themselves."""
        return [unit.device for unit in self._units]

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each; without `draw_dir` its own meter and the opt-in are left to add."""
        traits, lines = self._traits, self._lines
        figures = f"limit_a={traits.meter_limit_ma / 1000:g}&greatest_a={traits.greatest_ma / 1000:g}&lines={lines}"
        lost = f"lost_after_s={traits.lost_after_ms / 1000:g}"
        return [
            f"serial+gen3://{port.path}?{figures}&{lost}{'' if path is None else _meter_in(path)}"
            for port, path in zip(self._ports, self._draw_files, strict=True)
        ]

    async def start(self) -> None:
        """Open a pseudo-terminal for each, and begin to ask; the files of their draw are there from the beginning."""
        for unit, path in zip(self._units, self._draw_files, strict=True):
            if path is not None:
                unit.write_draw(path)
                unit.device.looked = functools.partial(unit.write_draw, path)
        await super().start()

    async def _serve(self, unit: _Unit, port: PtyPort) -> None:
        with contextlib.suppress(AdapterUnavailable):  # the emulator has let go of the wire
            await unit.device.ask_for_ever(port, unit.spoil)

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one unit."""
        wire = self.unit(unit)
        if failure != "none" and failure not in FAILURES:
            raise ValueError(f"{failure!r} is no failure; there are {', '.join(FAILURES)} and none")
        device = wire.device
        if failure == "none":
            wire.noisy = device.silent = device.deaf = False
            device.outlet.fail(False, self._clock.now_ms())
        elif failure in {"silent", "deaf"}:
            setattr(device, failure, True)
        elif failure == "noise":
            wire.noisy = True
        elif failure == "fault":
            device.outlet.fail(True, self._clock.now_ms())
        else:
            {"distrust": device.distrust, "restart": device.restart}[failure]()

    @property
    def failures(self) -> Mapping[str, str]:
        """The failures that there are."""
        return MappingProxyType(FAILURES)


def _meter_in(path: Path) -> str:
    """The rest of an address whose own meter is a file."""
    meter = f"emulated:?file={quote(str(path.absolute()), safe='/')}"
    return f"&own_meter={quote(meter, safe='')}&{ACCEPT}=yes"


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> Gen3Emulator:
    """Build emulated Wall Connectors, without touching the world.

    Args:
        options: `limit_a`, `greatest_a`, `lost_after_s`, `lines`, `draw_dir`, `seed`.
        units: How many.
        clock: Where the time comes from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    values = options_of('emulator "gen3-wall-connector"', options, _OPTIONS)
    lines, seed, draw_dir = values.pop("lines", 3), values.pop("seed", 1), values.pop("draw_dir", None)
    traits = ConnectorTraits(**values)
    return Gen3Emulator(traits, lines, seed, draw_dir, units=units, clock=clock, changed=changed)
