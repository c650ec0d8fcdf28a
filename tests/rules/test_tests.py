"""Every test module asserts something, and every test function reaches an assertion or a helper that may fail."""

import ast
from pathlib import Path

import pytest
from tests.rules import house

TEST_MODULES = [path for path in house.files(".py", within=("tests", "adapters")) if path.name.startswith("test_")]
_RAISING = frozenset({"raises", "warns", "fail", "deprecated_call"})


def asserts(node: ast.AST) -> bool:
    """Return whether anything below this node can fail a test by itself."""
    return any(
        isinstance(child, ast.Assert)
        or (isinstance(child, ast.Attribute) and child.attr in _RAISING)
        or (isinstance(child, ast.Attribute) and child.attr.startswith("assert_"))
        for child in ast.walk(node)
    )


def inherits_a_contract(node: ast.AST) -> bool:
    """A class that only inherits a conformance suite has its tests elsewhere."""
    return isinstance(node, ast.ClassDef) and any("Contract" in ast.unparse(base) for base in node.bases)


@pytest.mark.parametrize("path", TEST_MODULES, ids=house.shown)
def test_module_asserts_something(path: Path) -> None:
    module = house.tree(path)
    assert asserts(module) or any(map(inherits_a_contract, ast.walk(module))), f"{house.shown(path)} cannot fail"


@pytest.mark.parametrize("path", TEST_MODULES, ids=house.shown)
def test_no_test_function_is_empty(path: Path) -> None:
    """An empty body, a lone docstring or `pass` is a reassuring name and nothing else."""
    empty = [
        f"{house.shown(path)}:{node.lineno} {node.name}"
        for node in ast.walk(house.tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and all(
            isinstance(line, ast.Pass) or isinstance(getattr(line, "value", None), ast.Constant) for line in node.body
        )
    ]
    assert not empty, empty


def test_asserts_tells_an_assertion_from_none() -> None:
    assert asserts(ast.parse("def test_a():\n    with pytest.raises(ValueError):\n        f()"))
    assert not asserts(ast.parse("def test_a():\n    f()"))
