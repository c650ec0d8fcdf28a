"""`powershare run` as a process with a bridge, and what its devices say that they did."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from powershare.files import read_trace
from powershare.trace import ConnectorEvent

_STARTS_WITHIN_S = 30.0
_MODULES = ("plant_device.py", "plant_bridges.py")
_ENTRIES = """[powershare.adapters]
plant = plant_device:PlantAdapter

[powershare.bridges]
failing = plant_bridges:Failing
breaking = plant_bridges:Breaking
"""


def installed(directory: Path) -> Path:
    """Put the tests' own adapter and bridges where Python finds them as a distribution of its own; answers where."""
    info = directory / "plant_device-1.0.dist-info"
    info.mkdir(parents=True)
    for name in _MODULES:
        shutil.copy(Path(__file__).with_name(name), directory)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plant-device\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(_ENTRIES, encoding="utf-8")
    return directory


class Process:
    """One that runs, and everything that it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.said = process, list[str]()
        self._news = asyncio.Event()

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode().rstrip())
            self._news.set()
        self._news.set()

    async def says(self, words: str, within_s: float = 10.0) -> None:
        """Wait until it says something."""
        try:
            async with asyncio.timeout(within_s):
                while not any(words in line for line in self.said):
                    assert self.process.returncode is None, self.said
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not said within {within_s} s: {words}; but {self.said}") from None

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        async with asyncio.timeout(30):
            return await self.process.wait()


@asynccontextmanager
async def running(site: Path, *words: object) -> AsyncIterator[Process]:
    """It regulates the site, whose directory has the adapter; ended in the end, whatever happens."""
    keep = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = Process(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "powershare", "run", str(site), *map(str, words)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=keep | {"PYTHONUTF8": "1", "PYTHONPATH": str(site.parent / "adapters")},
        )
    )
    reading = asyncio.ensure_future(process.read())
    try:
        await process.says("regulates", _STARTS_WITHIN_S)
        yield process
    finally:
        if process.process.returncode is None:
            process.process.kill()
            await process.process.wait()
        await reading


def pilots(trace: Path, connector: str) -> list[tuple[int, int]]:
    """What a device says that it offered, from when on, in ms since the start."""
    return [
        (event.t_ms, event.pilot_ma)
        for event in read_trace(trace)
        if isinstance(event, ConnectorEvent) and event.connector == connector
    ]
