"""The diagrams of the documentation are what the tables say that the code acts by."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_diagrams_are_drawn_from_the_tables() -> None:
    command = [sys.executable, str(ROOT / "docs" / "diagrams" / "draw.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
