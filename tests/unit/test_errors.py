"""The error tree: the type says who erred, the problems say where."""

import pytest

import powershare
from powershare import errors
from powershare.errors import Problem


@pytest.mark.parametrize("name", [name for name in powershare.__all__ if name.endswith("Error")])
def test_every_error_has_one_root(name: str) -> None:
    """One except clause catches everything that this library raises."""
    assert issubclass(getattr(powershare, name), errors.PowershareError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.FormatError, ValueError),
        (errors.TopologyError, ValueError),
        (errors.DemandError, ValueError),
        (errors.AdapterNotInstalled, LookupError),
        (errors.AdapterTimeout, TimeoutError),
    ],
)
def test_errors_are_what_python_calls_them_too(error: type[Exception], builtin: type[Exception]) -> None:
    """Wrong input is a ValueError, a missing adapter a LookupError, silence a TimeoutError."""
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [errors.ContractError, errors.InternalError, errors.AdapterError])
def test_only_input_is_a_value_error(error: type[Exception]) -> None:
    """A broken contract, a defect and a device are nobody's wrong input."""
    assert not issubclass(error, ValueError)


def test_a_problem_names_node_and_field() -> None:
    """The node first, then the field, then what to do."""
    assert str(Problem('circuit "left"', "limit", "is missing")) == 'circuit "left": limit: is missing'


def test_a_problem_of_a_whole_node_names_no_field() -> None:
    """Where the node as a whole is wrong there is no empty field between colons."""
    assert str(Problem("site", "", "is too large")) == "site: is too large"


def test_an_input_error_carries_every_problem_in_order() -> None:
    """All at once, one per line, in the order of the input."""
    problems = [Problem("a", "x", "one"), Problem("b", "", "two")]
    error = errors.TopologyError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a: x: one\nb: two"
