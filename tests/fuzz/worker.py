"""One process of the fuzzer: `python -m tests.fuzz.worker OPTIONS`, started by `python -m tests.fuzz`.

With Atheris the package is instrumented as it is imported, so nothing of it may be imported before. It is imported from
a plain copy: the finder of an editable install hides the code from Atheris, which then sees no coverage at all.
"""

# ruff: noqa: T201 - the process that started it reads what it prints
import argparse
import json
import os
import sys
import time
from collections import Counter
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.cases import Case

MOST_BYTES = 12_000

SAYS_S = 30
"""How often the counts are told, so that a run that is stopped has told them."""


class Worker:
    """Counts, and tells cases.

    Args:
        options: The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.inputs = self.told = self.understood = self.cases = 0
        self.known: Counter[str] = Counter()
        self.started = self._said = time.monotonic()

    def one(self, case: "Case") -> None:
        """Tell one case.

        Raises:
            Exception: Something went wrong that is not known.
        """
        from tests.fuzz import known, targets

        self.cases += 1
        self.inputs += len(case.items)
        self.told += 0 if case.only_read else len(case.items)
        try:
            self.understood += targets.run(case)
        except Exception as error:
            name = known.signature(error)
            if name not in known.KNOWN:
                print(f"NEW {name}: {error}", flush=True)
                self.say()
                raise
            self.known[name] += 1
        if time.monotonic() - self._said > SAYS_S:
            self.say()

    @property
    def done(self) -> bool:
        """Whether so many inputs have been told as were wanted, or the time is over."""
        late = time.monotonic() - self.started > self.options.seconds
        return late or bool(self.inputs >= self.options.inputs)

    def say(self) -> None:
        """Print the counts, for the process that started this one."""
        self._said = time.monotonic()
        seconds = self._said - self.started
        counts: dict[str, Any] = {
            "inputs": self.inputs,
            "told": self.told,
            "understood": self.understood,
            "cases": self.cases,
            "seconds": round(seconds, 1),
            "known": dict(self.known),
        }
        print("COUNTS " + json.dumps(counts), flush=True)


def blind(worker: Worker) -> int:
    """By chance: cases drawn afresh, and as often cases of the corpus, changed."""
    from tests.fuzz.cases import Case, changed, drawn

    options = worker.options
    random = Random(options.seed)
    corpus = [Case.unpacked(path.read_bytes()) for path in sorted(Path(options.corpus).iterdir())]
    while not worker.done:
        case = drawn(random, options.read_percent)
        if not case.only_read and random.random() < 0.5:
            case = changed(random.choice(corpus), random)
        try:
            worker.one(case)
        except Exception:
            path = Path(options.artifacts) / f"crash-{options.seed}-{worker.cases}"
            path.write_bytes(case.packed())
            raise
    worker.say()
    return 0


def guided(worker: Worker) -> int:
    """Guided by coverage: what reaches something new is kept, and changed further."""
    import atheris  # type: ignore[import-untyped]

    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    sys.path.insert(0, worker.options.package)
    with atheris.instrument_imports(include=["powershare"]):
        from tests.fuzz import cases, scenes, targets  # noqa: F401 - imported here, since they import the package
    scenes.scenes()  # what makes the scenes is no input's coverage

    def test(data: bytes) -> None:
        worker.one(cases.Case.unpacked(data))
        if worker.done:
            worker.say()
            sys.stderr.flush()
            os._exit(0)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.02:
            return cases.drawn(random).packed()[:max_size]
        return cases.changed(cases.Case.unpacked(data), random).packed()[:max_size]

    corpus, options = Path(worker.options.corpus), worker.options
    arguments = [sys.argv[0], str(corpus), f"-seed={options.seed}", f"-artifact_prefix={options.artifacts}/"]
    arguments += [f"-max_len={MOST_BYTES}", "-timeout=60", "-rss_limit_mb=4096", "-len_control=0", "-mutate_depth=1"]
    atheris.Setup(arguments, test, custom_mutator=change)
    atheris.Fuzz()
    return 0


def main() -> int:
    """Fuzz until enough inputs have been told, or something goes wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--package", help="a directory with a plain copy of the package")
    parser.add_argument("--artifacts", required=True)
    parser.add_argument("--read-percent", type=int, required=True)
    parser.add_argument("--blind", action="store_true")
    worker = Worker(parser.parse_args())
    return blind(worker) if worker.options.blind else guided(worker)


if __name__ == "__main__":
    sys.exit(main())
