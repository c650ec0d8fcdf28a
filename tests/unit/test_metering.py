"""A meter's reading is whole numbers, one per line, that some circuit can carry."""

import pytest

from powershare.errors import ContractError
from powershare.metering import MeterReading
from powershare.units import MAX_LIMIT_MA


@pytest.mark.parametrize("load_ma", [(), (1.5,), (True,), ("6",), (float("nan"), 0)])
def test_what_is_no_whole_number_per_line_is_refused(load_ma: tuple[int, ...]) -> None:
    with pytest.raises(ContractError, match="one figure per line"):
        MeterReading(at_ms=0, load_ma=load_ma)


@pytest.mark.parametrize("at_ms", [0.5, True, None])
def test_an_instant_is_whole_milliseconds(at_ms: int) -> None:
    with pytest.raises(ContractError, match="whole milliseconds"):
        MeterReading(at_ms=at_ms, load_ma=(0,))


@pytest.mark.parametrize("beyond_ma", [MAX_LIMIT_MA + 1, -MAX_LIMIT_MA - 1])
def test_a_current_beyond_any_circuit_is_refused_either_way(beyond_ma: int) -> None:
    with pytest.raises(ContractError, match="is beyond"):
        MeterReading(at_ms=0, load_ma=(0, beyond_ma))
    assert MeterReading(at_ms=0, load_ma=(MAX_LIMIT_MA, -MAX_LIMIT_MA)).load_ma == (MAX_LIMIT_MA, -MAX_LIMIT_MA)
