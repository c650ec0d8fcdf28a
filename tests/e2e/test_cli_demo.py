"""`powershare demo`, `adapters` and `doctor`: what a newcomer meets first."""

import os
import platform
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.e2e.program import command, environment, run
from tests.e2e.test_cli_program import ESCAPE, on_terminal

import powershare
from powershare import _native
from powershare.simulation.evening import NAMES

BUDGET_S = 10.0


def test_demo_without_a_terminal_prints_looks_a_picture_and_a_summary() -> None:
    started = time.monotonic()
    done = run("demo")
    assert time.monotonic() - started < BUDGET_S
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^\d\d:\d\d  feeder: offered", done.stdout, re.MULTILINE)) == 3
    assert all(len(re.findall(rf"^{name} ", done.stdout, re.MULTILINE)) == 3 for name in NAMES)
    assert "48 A ┤" in done.stdout
    assert "█" in done.stdout
    assert "against a limit of 48 A; never above it" in done.stdout


def test_demo_is_the_same_every_time_and_another_with_another_seed() -> None:
    assert run("demo").stdout == run("demo").stdout != run("demo", "--seed", "2").stdout


def test_demo_on_a_terminal_moves_and_is_over_in_time() -> None:
    started = time.monotonic()
    code, written = on_terminal("demo")
    assert code == 0
    assert time.monotonic() - started < BUDGET_S
    assert written.count("feeder: offered") > 50
    assert ESCAPE in written
    assert "never above it" in written


def test_demo_can_be_interrupted_and_gives_the_cursor_back() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("demo"), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment(TERM="xterm")
    ) as process:
        os.close(theirs)
        written = b""
        while b"feeder: offered" not in written:
            written += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    assert process.returncode == 130
    assert written.rfind(b"\x1b[?25h") > written.rfind(b"\x1b[?25l")
    assert b"interrupted" in written


def test_demo_draws_its_letters_where_blocks_cannot_be_shown() -> None:
    done = run("demo", PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert "48 A +----" in done.stdout
    assert "@" in done.stdout


def assert_stays_under_the_limit(picture: Path) -> None:
    root = ET.parse(picture).getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert set(NAMES) | {"limit 48 A", "17:00", "21:00", "0 A"} <= set(texts)
    (limit,) = (line for line in root.iter(f"{space}line") if line.get("stroke-width") == "2")
    areas = list(root.iter(f"{space}polygon"))
    assert len(areas) == len(NAMES)
    heights = [float(point.split(",")[1]) for area in areas for point in (area.get("points") or "").split()]
    assert min(heights) >= float(limit.get("y1") or 0)  # y grows downward


def test_demo_draws_a_picture_that_stays_under_the_limit(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    done = run("demo", "--svg", picture)
    assert done.returncode == 0
    assert done.stderr == f"drawn: {picture}\n"
    assert_stays_under_the_limit(picture)


def test_the_picture_in_the_readme_is_one_of_these() -> None:
    """Drawn anew with: powershare demo --svg docs/pictures/demo.svg."""
    assert_stays_under_the_limit(Path(__file__).parents[2] / "docs" / "pictures" / "demo.svg")


def test_doctor_says_what_is_here() -> None:
    done = run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert found["powershare"] == powershare.__version__
    assert found["backend"].startswith(_native.backend)
    assert platform.python_version() in found["Python"]
    assert re.match(r"click \d+.*, rich \d+", found["extra cli"])
    assert re.search(r"resolution \d+ ns, finest step seen \d+ ns, wakes at most [\d.]+ ms late", found["clock"])
    assert {"adapters", "extra plot", "platform", "attrs", "cffi"} <= found.keys()


def test_doctor_says_why_the_twin_serves() -> None:
    done = run("doctor", POWERSHARE_NATIVE="0")
    assert re.search(r"^backend +python: .*POWERSHARE_NATIVE=0 asks for plain Python$", done.stdout, re.MULTILINE)


def test_adapters_lists_what_a_distribution_offers(tmp_path: Path) -> None:
    info = tmp_path / "powershare_trial-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: powershare-trial\nVersion: 1.2\n", encoding="utf-8")
    names = "[powershare.adapters]\ntrial = trial:Adapter\n[powershare.emulators]\ntrial-box = trial:emulator\n"
    (info / "entry_points.txt").write_text(names, encoding="utf-8")
    done = run("adapters", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert re.search(r"^trial +powershare-trial 1\.2 +", done.stdout, re.MULTILINE)
    assert re.search(r"^emulator +distribution.*\n(.*\n)*trial-box +powershare-trial 1\.2 +", done.stdout, re.MULTILINE)
    assert "  powershare-wifi: " in done.stderr
    assert "trial (powershare-trial 1.2)" in run("doctor", PYTHONPATH=str(tmp_path)).stdout


def test_doctor_names_what_a_site_needs_and_who_is_not_fail_safe(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    connector = '[[connector]]\ncircuit = "feeder"\nstep_a = 1\n'
    site.write_text(
        'schema = "powershare/site/1"\nsupply = "single_phase"\n[[circuit]]\nid = "feeder"\nlimit_a = 32\n'
        f'{connector}id = "north"\nadapter = "absent:x"\n{connector}id = "south"\nfail_safe = false\n',
        encoding="utf-8",
    )
    done = run("doctor", site)
    assert done.returncode == 0
    assert re.search(r'^connector north +no adapter "absent" is installed', done.stdout, re.MULTILINE)
    assert re.search(r"^connector south +names no adapter", done.stdout, re.MULTILINE)
    assert re.search(r"^not fail-safe: south +.*more than its fallback of 16 A", done.stdout, re.MULTILINE)
    assert "not fail-safe: north" not in done.stdout
    assert run("doctor", tmp_path / "none.toml").returncode == 2
