"""Demands and external limits check themselves where they are built."""

import attrs
import pytest

from powershare import Counts, Demand, DemandError, ExternalLimit
from powershare.demand import MAX_WAITING_S


def test_a_bare_demand_asks_for_everything() -> None:
    """Only a connector: all that it may offer, on all its lines, with its own weight and priority."""
    demand = Demand("north")
    assert attrs.astuple(demand) == ("north", None, None, 0, None, None, None, None, None)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("wanted_ma", -1, "wanted"),
        ("wanted_ma", 10_000_001, "wanted"),
        ("wanted_ma", 16_000.0, "wanted"),
        ("wanted_ma", True, "wanted"),
        ("wanted_ma", "16", "wanted"),
        ("lines_used", 0, "lines_used"),
        ("lines_used", 4, "lines_used"),
        ("waiting_s", -1, "waiting"),
        ("waiting_s", MAX_WAITING_S + 1, "waiting"),
        ("waiting_s", None, "waiting"),
        ("weight", 0, "weight"),
        ("weight", 1001, "weight"),
        ("weight", False, "weight"),
        ("priority", 1_000_001, "priority"),
        ("priority", -1_000_001, "priority"),
        ("energy_needed_wh", -1, "energy_needed"),
        ("departs_in_s", 1.5, "departs_in"),
    ],
)
def test_a_field_out_of_range_is_named(field: str, value: object, named: str) -> None:
    """One wrong field: one problem, naming connector and field."""
    with pytest.raises(DemandError) as caught:
        Demand("north", **{field: value})  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert (problem.where, problem.field) == ('demand of "north"', named)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wanted_ma", 0),
        ("wanted_ma", 10_000_000),
        ("lines_used", 1),
        ("lines_used", 3),
        ("waiting_s", MAX_WAITING_S),
        ("weight", 1),
        ("weight", 1000),
        ("priority", -1_000_000),
        ("departs_in_s", -60),
    ],
)
def test_the_ends_of_a_range_are_within_it(field: str, value: int) -> None:
    """Least and greatest are allowed; a departure may be past."""
    assert getattr(Demand("north", **{field: value}), field) == value  # type: ignore[arg-type]


def test_all_problems_of_a_demand_at_once() -> None:
    """Three wrong fields are three problems of one error."""
    with pytest.raises(DemandError) as caught:
        Demand("north", wanted_ma=-1, lines_used=9, weight=0)
    assert [problem.field for problem in caught.value.problems] == ["wanted", "lines_used", "weight"]


def test_a_demand_cannot_be_changed() -> None:
    """Values are frozen."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Demand("north").wanted_ma = 1  # type: ignore[misc]


def test_an_external_limit_names_exactly_one_node() -> None:
    """A circuit or a connector; neither and both are wrong."""
    with pytest.raises(DemandError, match="exactly one of circuit and connector"):
        ExternalLimit(limit_ma=0, source="utility")
    with pytest.raises(DemandError, match="exactly one of circuit and connector"):
        ExternalLimit(limit_ma=0, source="utility", circuit="feeder", connector="north")


def test_an_external_limit_says_who_set_it() -> None:
    """No limit without a source."""
    with pytest.raises(DemandError, match="source: is empty"):
        ExternalLimit(circuit="feeder", limit_ma=0, source="")


@pytest.mark.parametrize("figure", [-1, 1.5, True, None, (1, -1), (1, None)])
def test_an_external_limit_is_whole_milliamps(figure: object) -> None:
    """Neither negative nor broken, for all lines or for one."""
    with pytest.raises(DemandError) as caught:
        ExternalLimit(circuit="feeder", limit_ma=figure, source="utility")  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == ["amps"]


def test_an_external_limit_counts_other_load_unless_it_says_otherwise() -> None:
    """The safe way is the default."""
    assert ExternalLimit(circuit="feeder", limit_ma=0, source="utility").counts is Counts.ALL


def test_what_an_external_limit_counts_is_not_a_word() -> None:
    """A text in place of `Counts` is refused: taken for something else, other load would not count."""
    with pytest.raises(DemandError, match="counts"):
        ExternalLimit(circuit="feeder", limit_ma=0, source="utility", counts="all")  # type: ignore[arg-type]
