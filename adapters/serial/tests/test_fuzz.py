"""A few of the hostile inputs that `fuzz_parsers.py` makes without end, and proof that it finds what it looks for."""

from collections.abc import Iterable
from random import Random

import attrs
import pytest

from .fuzz_parsers import TARGETS, Escaped, Target, check, fuzz, main

INPUTS = {"twc": 6_000, "modbus": 2_000, "rapi": 6_000, "gen3": 6_000}


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_messages_and_adapter_errors_comes_out_of_hostile_bytes(name: str) -> None:
    tally = fuzz(name, INPUTS[name], seed=20_000)
    assert tally.inputs == INPUTS[name]
    assert tally.read > tally.inputs // 4, "an input that no parser reads anything of tests little"


def test_together_they_are_twenty_thousand_inputs() -> None:
    assert sum(INPUTS.values()) == 20_000
    assert INPUTS.keys() == TARGETS.keys()


def test_a_parser_that_lets_an_error_escape_is_found_out_with_its_bytes() -> None:
    def breaks(portions: Iterable[bytes]) -> list[object]:
        return [1 // (0xC0 - byte) for portion in portions for byte in portion]

    target = attrs.evolve(TARGETS["twc"][0], parse=breaks)
    with pytest.raises(Escaped, match=r"twc: ZeroDivisionError\(.*\): 01 c0") as escaped:
        check(target, b"\x01\xc0", Random(1))
    assert escaped.value.data == b"\x01\xc0"


def test_a_parser_that_minds_portions_is_found_out() -> None:
    target = attrs.evolve(TARGETS["rapi"][0], parse=list)
    with pytest.raises(Escaped, match="byte by byte it is"):
        check(target, b"$OK", Random(1))


def test_its_command_says_what_it_did_and_ends_with_1_when_something_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--parser", "gen3", "--inputs", "50", "--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("gen3: 50 inputs of seed 3, ")
    broken: Target = attrs.evolve(TARGETS["gen3"][0], parse=list)
    monkeypatch.setitem(TARGETS, "gen3", (broken,))
    assert main(["--parser", "gen3", "--inputs", "50", "--seed", "3"]) == 1
    assert "again: --parser gen3 --inputs 50 --seed 3" in capsys.readouterr().out
