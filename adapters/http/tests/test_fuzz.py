"""The command that fires hostile bodies finds what it should, and finds nothing."""

import attrs
import pytest

from powershare_http.gen3.bodies import vitals_of

from . import fuzz_bodies


def test_some_thousand_hostile_bodies_are_read_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_bodies.main(["--inputs", "3000", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3000 bodies, ")
    assert " 0 read" not in said
    assert " 0 refused" not in said


def test_what_escapes_is_told_with_its_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def careless(data: bytes) -> object:
        return data[40]

    monkeypatch.setattr(fuzz_bodies, "READERS", (careless,))
    assert fuzz_bodies.main(["--inputs", "3000"]) == 1
    assert "careless let IndexError" in capsys.readouterr().out


def test_a_reader_that_believes_cut_figures_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = vitals_of(fuzz_bodies.VITALS)
    monkeypatch.setattr(fuzz_bodies, "vitals_of", lambda _: attrs.evolve(whole, vehicle_ma=3_000))
    with pytest.raises(fuzz_bodies.Escaped, match="cut to 9 bytes"):
        fuzz_bodies.check_cut(whole, 9)
