"""Fuzzes the decoder and nodes: `python -m tests.fuzz --inputs 100000`.

Guided by coverage where Atheris is installed (`pip install atheris`), blindly where it is not, or with `--blind`. With
`--keep DIRECTORY` the corpus that coverage has found stays, and a later run, also a blind one, which is several times
as fast, goes on from it. An input is one message: it is given to the decoder, and, but for those cases of which
messages are only read, to a node in the middle of its work. Exit code 1: something went wrong that is not known; the
case is kept, and told again by `--replay FILE`.
"""

# ruff: noqa: T201 - it is a command, and prints
import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any


def seed_corpus(directory: Path) -> None:
    """Every scene with the real messages that came next, and every real message alone."""
    from tests.fuzz.cases import MOST_ITEMS, READ_ONLY, Case, Item
    from tests.fuzz.scenes import messages, scenes

    told = [
        Case(place, tuple(Item(0 if at else 20, data) for at, data in enumerate(scene.after)))
        for place, scene in enumerate(scenes())
    ]
    every = messages()
    told += [
        Case(READ_ONLY, tuple(Item(0, data) for data in every[at : at + MOST_ITEMS]))
        for at in range(0, len(every), MOST_ITEMS)
    ]
    for number, case in enumerate(told):
        (directory / f"real-{number}").write_bytes(case.packed())


def copied(directory: Path) -> None:
    """A plain copy of the package, its kernel beside it where one is installed."""
    import powershare
    from powershare import _native

    target = directory / "powershare"
    shutil.copytree(Path(powershare.__file__).parent, target, ignore=shutil.ignore_patterns("__pycache__"))
    found = importlib.util.find_spec("powershare._native._ffi") if _native.backend == "native" else None
    if found is not None and found.origin is not None:
        shutil.copy(found.origin, target / "_native")


def start(options: argparse.Namespace, work: Path, number: int) -> tuple["subprocess.Popen[str]", Path]:
    """Start one process; what it prints goes to a file."""
    log = work / f"worker-{number}.log"
    command = [sys.executable, "-m", "tests.fuzz.worker", "--inputs", str(options.inputs // options.processes)]
    command += ["--seconds", str(options.seconds), "--seed", str(options.seed + number)]
    command += ["--read-percent", str(options.read_percent), "--corpus", str(work / "corpus"), "--artifacts", str(work)]
    command += ["--blind"] if options.blind else ["--package", str(work / "package")]
    with log.open("w", encoding="utf-8") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, text=True), log


def counts_of(log: Path) -> dict[str, Any]:
    """What a process counted, and the last coverage that the engine told."""
    text = log.read_text(encoding="utf-8", errors="replace")
    counts: dict[str, Any] = {"inputs": 0, "told": 0, "understood": 0, "cases": 0, "known": {}}
    for line in text.splitlines():
        if line.startswith("COUNTS "):
            counts = json.loads(line.removeprefix("COUNTS "))
    told = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    counts["cov"], counts["ft"], counts["corp"] = map(int, told[-1]) if told else (0, 0, 0)
    return counts


def report(options: argparse.Namespace, counts: list[dict[str, Any]], corpus: Path, seconds: float) -> str:
    """What a run gave, in words."""
    from tests.fuzz import covered

    inputs, told, understood = (sum(one[name] for one in counts) for name in ("inputs", "told", "understood"))
    known: Counter[str] = Counter()
    for one in counts:
        known.update(one["known"])
    lines = [
        f"inputs {inputs:,}, in {sum(one['cases'] for one in counts):,} cases: all of them to the decoder, {told:,} to",
        f"nodes as well; {understood:,} could be read",
        f"{options.processes} processes, {'blind' if options.blind else 'guided by coverage'}, {seconds:,.0f} s",
    ]
    if not options.blind:
        lines.append(
            f"edges reached {max(one['cov'] for one in counts):,}, features {max(one['ft'] for one in counts):,}"
        )
    lines += [f"known crash, {count:,} times: {name}" for name, count in known.most_common()]
    kept = sorted(corpus.iterdir())
    reached = covered.covered(path.read_bytes() for path in kept)
    lines.append(f"lines reached by the corpus of {len(kept):,} cases:")
    lines += [f"  {name:24} {ran:4} of {there:4}" for name, (ran, there) in reached.items()]
    return "\n".join(lines)


def replay(path: Path) -> int:
    """Tell one case again."""
    from tests.fuzz import targets
    from tests.fuzz.cases import Case

    case = Case.unpacked(path.read_bytes())
    print(f"scene {case.place}, hash {case.scene.hash.hex()}")
    for item in case.items:
        print(f"after {item.wait_ms} ms: {item.data.hex()}")
    targets.run(case)
    print("nothing goes wrong")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Fuzz, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the decoder and nodes.")
    parser.add_argument("--inputs", type=int, default=100_000, help="messages in all (default 100000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long (default: never)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blind", action="store_true", help="by chance alone, also where Atheris is installed")
    parser.add_argument("--read-percent", type=int, default=30, help="blind: cases of which messages are only read")
    parser.add_argument("--keep", type=Path, help="where to work, and to leave corpus, logs and crashes")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="tell one case again")
    options = parser.parse_args(arguments)
    if options.replay:
        return replay(options.replay)
    if importlib.util.find_spec("atheris") is None:
        options.blind = True
    work = options.keep or Path(tempfile.mkdtemp())
    (work / "corpus").mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    seed_corpus(work / "corpus")
    if not options.blind:
        shutil.rmtree(work / "package", ignore_errors=True)
        copied(work / "package")
    processes = [start(options, work, number) for number in range(options.processes)]
    codes = [process.wait() for process, _ in processes]
    counts = [counts_of(log) for _, log in processes]
    crashes = sorted(path for path in work.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-")))
    for _, log in processes:
        new = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("NEW")
        ]
        print("\n".join(new), end="\n" if new else "")
    if crashes or any(codes):
        print(f"something went wrong: exit codes {codes}; cases and logs are in {work}")
        return 1
    print(report(options, counts, work / "corpus", time.monotonic() - started))
    if not options.keep:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
