"""C and twin hold the same bytes after every call on a ledger. `ledger_lockstep.py` goes on for as long as wanted."""

from random import Random

import pytest

pytest.importorskip("powershare._native._ffi", reason="the C extension is not built here")

from tests.native import ledger_lockstep

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_small_ledgers_sound_and_hostile(seed: int) -> None:
    seen = ledger_lockstep.run(Random(seed), 6_000)
    assert {"True", "False", "KIND", "AMOUNT", "UNIT"} <= {became for name, became in seen if name == "issue"}
    assert {"answers", "TOPOLOGY", "FALLBACK"} <= {became for name, became in seen if name == "compile"}


@pytest.mark.parametrize("seed", SEEDS)
def test_larger_ledgers(seed: int) -> None:
    seen = ledger_lockstep.run(Random(seed), 1_000, most_units=24, most_rows=9)
    assert seen["issue", "True"] > 50
    assert seen["issue", "False"] > 10


def test_the_program_counts_what_it_compared(capsys: pytest.CaptureFixture[str]) -> None:
    ledger_lockstep.main(["--count", "50", "--seed", "3"])
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["50", "calls,"]
