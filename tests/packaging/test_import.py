"""`import powershare` is cheap: attrs and cffi, nothing else that is heavy, and well under a tenth of a second."""

import json
import os
import subprocess
import sys
from pathlib import Path

# What must never come along: extras, and the slow corners of the standard library.
HEAVY = {
    "asyncio", "ssl", "http", "urllib.request", "email", "importlib.metadata", "multiprocessing", "unittest", "sqlite3",
    "click", "rich", "matplotlib", "numpy", "scipy", "hypothesis", "pytest", "aiohttp", "pycparser", "cffi",
}  # fmt: skip
THIRD_PARTY = {"powershare", "attr", "attrs", "_cffi_backend"}
BUDGET_S = 0.1
CI_MARGIN = 2.0  # a slower runner


def python(program: str) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parent,
    )
    return done.stdout


def test_import_brings_attrs_and_the_cffi_runtime_only() -> None:
    loaded: list[str] = json.loads(
        python(
            "import sys; before = set(sys.modules); import powershare, json as _json_is_after\n"
            "print(_json_is_after.dumps(sorted(set(sys.modules) - before)))"
        )
    )
    tops = {name.split(".")[0] for name in loaded}
    assert HEAVY.isdisjoint(loaded), sorted(HEAVY.intersection(loaded))
    foreign = {name for name in tops if name not in sys.stdlib_module_names and not name.startswith("_editable")}
    assert foreign <= THIRD_PARTY, sorted(foreign - THIRD_PARTY)


def test_import_takes_less_than_a_tenth_of_a_second() -> None:
    # The process's own time: on a machine that is busy with something else, the wall clock measures that.
    program = "import time; t = time.process_time(); import powershare; print(time.process_time() - t)"
    fastest = min(float(python(program)) for _ in range(7))
    assert fastest < BUDGET_S * (CI_MARGIN if os.environ.get("CI") else 1.5)
