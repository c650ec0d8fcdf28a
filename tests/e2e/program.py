"""The real program in a process of its own, as a shell would start it."""

import os
import subprocess
import sys
from pathlib import Path

SITE = """
schema = "powershare/site/1"
name = "Maple Street garage"
supply = "single_phase"

[[circuit]]
id = "feeder"
breaker_a = 40

[[connector]]
id = "north"
circuit = "feeder"

[[connector]]
id = "south"
circuit = "feeder"
"""

DEMANDS = """
{"schema": "powershare/demands/1",
 "demands": [{"connector": "north", "wanted_a": 32}, {"connector": "south", "wanted_a": 10}]}
"""

SESSIONS = """connector,plugged_in,unplugged,energy_kwh,max_a,lines_used,vehicle
north,2026-01-31T17:00:00+01:00,2026-01-31T22:00:00+01:00,10,,,
south,2026-01-31T18:00:00+01:00,2026-01-31T23:00:00+01:00,10,16,,
south,2026-01-31T18:30:00+01:00,2026-01-31T23:00:00+01:00,10,16,,
"""


def environment(**changes: str) -> dict[str, str]:
    """The environment of a plain shell: no colour settings, no terminal size, UTF-8."""
    dropped = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "COLUMNS", "LINES", "PYTHONIOENCODING"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONUTF8": "1"} | changes


def command(*arguments: str | Path) -> list[str]:
    """The words that start the program."""
    return [sys.executable, "-m", "powershare", *map(str, arguments)]


def run(
    *arguments: str | Path, given: str | bytes = b"", cwd: Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    done = subprocess.run(
        command(*arguments),
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env=environment(**changes),
    )
    out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def write(directory: Path, name: str, text: str) -> Path:
    """A file with this text."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path
