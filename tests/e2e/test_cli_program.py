"""The program as a whole: help, version, exit codes of every ending, standard output and standard error apart."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.program import DEMANDS, SESSIONS, SITE, command, environment, run, write

import powershare
from powershare import _native
from powershare.cli.app import COMMANDS

ESCAPE = "\x1b"


def on_terminal(*arguments: str | Path, **changes: str) -> tuple[int, str]:
    """Run the program with a terminal as its standard output and error; what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm-256color", COLUMNS="140", LINES="50", **changes),
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how a terminal says that nobody is at its other end any more
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return process.returncode, written.decode("utf-8")


def test_help_names_every_command_and_the_exit_codes() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)
    assert "3 a limit is" in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_that_says_what_the_list_says(name: str) -> None:
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: powershare {name} ")


def test_version_says_which_backend_serves() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"powershare {powershare.__version__}, backend {_native.backend}\n"


def test_version_of_the_twin() -> None:
    assert run("--version", POWERSHARE_NATIVE="0").stdout.endswith(", backend python\n")


def test_the_installed_script_is_the_same_program() -> None:
    script = Path(sys.executable).with_name("powershare")
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == run("--version").stdout


def test_a_shell_can_complete_its_words() -> None:
    done = run(_POWERSHARE_COMPLETE="bash_complete", COMP_WORDS="powershare a", COMP_CWORD="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["plain,allocate", "plain,adapters"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("--nonsense",),
        ("allocate",),
        ("allocate", "only-one"),
        ("allocate", "-", "-"),
        ("allocate", "--stream", "site.toml"),
        ("allocate", "--stream", "--json"),
        ("simulate", "site.toml", "sessions.csv", "--policy", "unfair"),
        ("simulate", "site.toml", "sessions.csv", "--plot", "picture.bmp"),
        ("simulate", "site.toml", "sessions.csv", "--trace", "no/such/directory/t.ndjson"),
        ("simulate", "site.toml", "sessions.csv", "--trace", "."),
        ("trace", "check", "site.toml"),
        ("sessions", "import", "norway", "data.csv"),
        ("demo", "--seed", "-1"),
    ],
)
def test_wrong_usage_is_2_and_says_so_on_standard_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: powershare")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("site", "check", "absent.toml"),
        ("allocate", "absent.toml", "absent.json"),
        ("simulate", "absent.toml", "absent.csv"),
        ("trace", "check", "absent.toml", "absent.ndjson"),
        ("sessions", "import", "norway", "absent.csv", "-o", "out.csv"),
    ],
)
def test_an_absent_file_is_2_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"absent\.\w+: does not exist.*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_130_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        command("allocate", "--stream"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"error"')  # it is up and waits for more
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip() == b"powershare: interrupted"


def test_an_interrupted_replay_leaves_no_half_written_file(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE)
    header, *_ = SESSIONS.splitlines()
    rows = [
        f"north,2026-01-{day:02}T{hour:02}:00:00+00:00,2026-01-{day:02}T{hour:02}:50:00+00:00,5,,,"
        for day in range(1, 29)
        for hour in range(24)
    ]
    sessions = write(tmp_path, "sessions.csv", "\n".join([header, *rows]))
    with subprocess.Popen(
        command("simulate", site, sessions, "--trace", tmp_path / "out.ndjson"), stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None and not list(tmp_path.glob(".out.ndjson.*.part")):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.skip("the replay was over before it could be interrupted")
    assert process.returncode == 130
    assert {path.name for path in tmp_path.iterdir()} == {"site.toml", "sessions.csv"}


@pytest.mark.parametrize("arguments", [("site", "schema"), ("demo",), ("--help",)])
def test_a_closed_pipe_is_quiet(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command(*arguments), stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60, env=environment()
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 1


def test_a_pipe_closed_while_the_stream_runs_is_quiet() -> None:
    with subprocess.Popen(
        command("allocate", "--stream"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"x\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"y\n")
        process.stdin.close()
        err = process.stderr.read()
        assert process.wait(30) == 1
    assert err == b""


def test_a_terminal_gets_colour_and_rules(tmp_path: Path) -> None:
    site, demands = write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS)
    code, written = on_terminal("allocate", site, demands)
    assert code == 0
    assert f"{ESCAPE}[32mallocated" in written
    assert "─" in written


def test_no_color_is_honoured_on_a_terminal(tmp_path: Path) -> None:
    site, demands = write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS)
    code, written = on_terminal("allocate", site, demands, NO_COLOR="1")
    assert code == 0
    assert "allocated" in written
    assert re.search(rf"{ESCAPE}\[[0-9;]*3[0-7]", written) is None


@pytest.mark.parametrize("forced", ["", "1"])
def test_without_a_terminal_there_is_no_colour_and_no_spinner(tmp_path: Path, forced: str) -> None:
    site, demands = write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS)
    sessions = write(tmp_path, "sessions.csv", SESSIONS)
    for arguments in (("allocate", site, demands), ("simulate", site, sessions), ("demo",), ("doctor",)):
        done = run(*arguments, FORCE_COLOR=forced)
        assert done.returncode == 0
        assert ESCAPE not in done.stdout + done.stderr
        assert "\r" not in done.stdout + done.stderr


def test_a_replay_on_a_terminal_shows_its_progress(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    code, written = on_terminal("simulate", site, sessions)
    assert code == 0
    assert "2/2" in written


def test_what_the_encoding_cannot_say_is_spelled_out(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE.replace("Maple", "楓"))
    done = run("site", "check", site, PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert done.stdout.startswith("\\u6953 Street garage: ")


def test_escape_sequences_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE.replace('id = "south"', 'id = "so\\u001b[2Juth"'))
    done = run("site", "check", site)
    assert done.returncode == 0
    assert ESCAPE not in done.stdout
    assert "so\\x1b[2Juth" in done.stdout


def test_without_the_extra_one_line_says_what_to_install() -> None:
    program = (
        "import sys, importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name in ('click', 'rich') else found(name, *more)\n"
        "from powershare.cli import main\n"
        "sys.exit(main(['doctor']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "powershare: the commands need click and rich; install with: pip install 'powershare[cli]'\n"
    )


def test_a_plot_without_matplotlib_says_what_to_install_and_does_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'matplotlib' else found(name, *more)\n"
        "from powershare.cli import main\n"
        "sys.exit(main(['simulate', 'site.toml', 'sessions.csv', '--plot', 'p.svg', '--trace', 't.ndjson']))\n"
    )
    write(tmp_path, "site.toml", SITE)
    write(tmp_path, "sessions.csv", SESSIONS)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: --plot needs matplotlib; install it with: pip install 'powershare[plot]'\n"
    assert {path.name for path in tmp_path.iterdir()} == {"site.toml", "sessions.csv"}


def test_help_loads_neither_commands_nor_what_is_slow() -> None:
    program = (
        "import sys, json\nfrom powershare.cli import main\nmain(['--help'])\nprint(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    slow = {"rich", "matplotlib", "numpy", "asyncio", "importlib.metadata", "powershare.files", "powershare.simulation"}
    assert slow.isdisjoint(loaded)
    assert {f"powershare.cli.{name}" for name in COMMANDS}.isdisjoint(loaded)


def test_help_is_there_at_once() -> None:
    """0.15 s of processor time on a quiet machine; twice that where other things run."""

    def seconds() -> float:
        before = os.times()
        run("--help")
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < 0.3
