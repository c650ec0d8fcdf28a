"""Budgets: Python file 400 lines, C file 800, function 60 (docstring not counted), or a `Size:` sentence at the top."""

import ast
import re
from pathlib import Path

import pytest
from tests.rules import house

PYTHON_FILE_LINES = 400
C_FILE_LINES = 800
FUNCTION_LINES = 60
REASON_WITHIN_LINES = 15

PYTHON = list(house.files(".py"))
C = list(house.files(".c", ".h"))

_REASON = re.compile(r"\bSize: \S+(\s+\S+){3,}")
_C_FUNCTION = re.compile(r"^[A-Za-z_][^;{}#=]*\)\s*\n?\{$(?P<body>.*?)^\}$", re.MULTILINE | re.DOTALL)


def has_reason(text: str) -> bool:
    """Return whether a sentence at the top says why this file is larger than the budget."""
    return _REASON.search("\n".join(text.splitlines()[:REASON_WITHIN_LINES])) is not None


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from its def to its end, without its docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


@pytest.mark.parametrize("path", PYTHON, ids=house.shown)
def test_python_file_is_within_budget(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if has_reason(text):
        return
    assert len(text.splitlines()) <= PYTHON_FILE_LINES
    long = [
        f"{house.shown(path)}:{node.lineno} {node.name} has {code_lines(node)} lines"
        for node in ast.walk(house.tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > FUNCTION_LINES
    ]
    assert not long, long


@pytest.mark.parametrize("path", C, ids=house.shown)
def test_c_file_is_within_budget(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if has_reason(text):
        return
    assert len(text.splitlines()) <= C_FILE_LINES
    long = [
        f"{house.shown(path)}: {match.group(0).splitlines()[0]} has {match.group('body').count(chr(10))} lines"
        for match in _C_FUNCTION.finditer(text)
        if match.group("body").count("\n") > FUNCTION_LINES
    ]
    assert not long, long


def test_a_reason_is_a_sentence_and_not_a_word() -> None:
    assert has_reason("# Size: one table, which is read more easily in one piece.\n")
    assert not has_reason("# Size: big\n")
    assert not has_reason("\n" * REASON_WITHIN_LINES + "# Size: one table, read more easily in one piece.\n")
