"""Runs Frama-C WP with z3 on functions of the kernel, and reads which goals it proved."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "src" / "powershare" / "_native"
HOW_TO_INSTALL = "Frama-C, Why3 and z3 are needed: apt-get install -y frama-c-base why3 z3"

_CONTRACT = re.compile(r"^/\*@(?:(?!\*/).)*\*/\n(?:static )?(?:inline )?\w+ (\w+)\(", re.MULTILINE | re.DOTALL)
_GOAL = re.compile(
    r"^\[wp\] \[(?P<state>[^]]*)\] (?:Goal|Smoke-test) typed_(?P<name>\w+)(?: : (?P<result>\w+))?", re.MULTILINE
)
_COUNT = re.compile(r"^\[wp\] Proved goals:\s+(\d+) / (\d+)$", re.MULTILINE)


class ProverError(Exception):
    """The prover did not do what it was asked for."""


@attrs.frozen
class Outcome:
    """What the goals of one function came to."""

    function: str
    goals: int
    unproved: tuple[str, ...]


def missing() -> list[str]:
    """Return which of the programs are not there."""
    return [program for program in ("frama-c", "why3", "z3") if shutil.which(program) is None]


def contracts(source: Path) -> list[str]:
    """Return the functions of a file that have a contract, in the order in which they stand there."""
    return _CONTRACT.findall(source.read_text(encoding="utf-8"))


def prove(
    part: str, functions: Iterable[str], *, sources: Path = NATIVE / "src", jobs: int = 1, seconds: int = 10
) -> list[Outcome]:
    """Return, for each function, how many goals there are and which are unproved.

    With each of its settings z3 gets so many seconds for a goal; hardly any needs one. One goal of each function that
    requires something is that this does not contradict itself: nothing follows from it.
    """
    names = sorted(functions)
    include = f"-I{NATIVE / 'include'} -I{sources} -I{HERE}"
    command = ["frama-c", f"-cpp-extra-args={include}", "-wp", f"-wp-fct={','.join(names)}", "-wp-rte"]
    command += ["-wp-prover=z3", f"-wp-par={jobs}", "-wp-cache=none", "-wp-timeout=600"]
    command += ["-wp-smoke-tests", "-wp-smoke-timeout=20"]
    command += [f"-wp-no-smoke-dead-{what}" for what in ("assumes", "call", "code", "local-init", "loop")]
    with tempfile.TemporaryDirectory(prefix="proof-") as directory:
        settings = {"WHY3CONFIG": str(_why3(Path(directory))), "PROOF_SECONDS": str(seconds)}
        text = _call([*command, str(HERE / f"{part}_theorems.c")], settings, Path(directory))
    return list(_outcomes(text, names))


def _why3(directory: Path) -> Path:
    """Return a configuration of Why3 of our own, whose z3 is z3-in-turn."""
    path = directory / "why3.conf"
    _call(["why3", "-C", str(path), "config", "detect"], {"HOME": str(directory)}, directory)
    text = path.read_text(encoding="utf-8")
    z3 = shutil.which("z3")
    if f'path = "{z3}"' not in text:
        raise ProverError(f"Why3 does not know {z3}:\n{text}")
    path.write_text(text.replace(f'path = "{z3}"', f'path = "{HERE / "z3-in-turn"}"'), encoding="utf-8")
    return path


def _call(command: list[str], settings: Mapping[str, str], directory: Path) -> str:
    done = subprocess.run(
        command, env={**os.environ, **settings}, cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ProverError(f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def _outcomes(text: str, names: list[str]) -> Iterator[Outcome]:
    """Yield what the prover said of each function."""
    count = _COUNT.search(text)
    proved = {
        goal["name"]: "Valid" in (goal["result"] or "") or goal["state"] == "Passed" for goal in _GOAL.finditer(text)
    }
    if count is None or (int(count[1]), int(count[2])) != (sum(proved.values()), len(proved)):
        raise ProverError(f"goals are not accounted for: {len(proved)}\n{text[-3000:]}")
    owner = {goal: max((name for name in names if goal.startswith(f"{name}_")), key=len) for goal in proved}
    for name in names:
        own = [goal for goal in proved if owner[goal] == name]
        yield Outcome(name, len(own), tuple(goal.removeprefix(f"{name}_") for goal in own if not proved[goal]))
