"""The kernel owns no memory, uses no float, includes only freestanding headers, and does not recurse."""

import graphlib
import re
from pathlib import Path

import pytest
from tests.rules import house

NATIVE = "src/powershare/_native"
SOURCES = list(house.files(".c", ".h", within=(f"{NATIVE}/src", f"{NATIVE}/include")))

FORBIDDEN = re.compile(
    r"\b(malloc|calloc|realloc|free|alloca|float|double|goto|setjmp|longjmp|printf|fprintf|abort|exit|assert|static_cast)\b"
)
FREESTANDING = frozenset({"stddef.h", "stdint.h", "stdbool.h", "limits.h"})

_COMMENT_OR_STRING = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
_INCLUDE = re.compile(r"^\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", re.MULTILINE)
_DEFINITION = re.compile(r"^[A-Za-z_][^;{}#=]*?\b(\w+)\s*\([^;{}]*\)\s*\{", re.MULTILINE)
_BRACE = re.compile(r"[{}]")
_CALL = re.compile(r"\b(\w+)\s*\(")


def code(text: str) -> str:
    """Return C source without comments and literals, line for line."""
    return _COMMENT_OR_STRING.sub(lambda match: "\n" * match.group(0).count("\n") or " ", text)


def body(text: str, start: int) -> str:
    """Return what stands between the brace that opened before start and the one that closes it."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return text[start:]


def call_graph(text: str) -> dict[str, set[str]]:
    """Return for each function defined at the outer level the names it calls."""
    bodies = {match.group(1): body(text, match.end()) for match in _DEFINITION.finditer(text)}
    return {name: {called for called in _CALL.findall(inside) if called in bodies} for name, inside in bodies.items()}


def recursion(graph: dict[str, set[str]]) -> list[str] | None:
    """Return a cycle of calls, or None."""
    for name, called in graph.items():
        if name in called:
            return [name, name]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [str(name) for name in error.args[1]]
    return None


def test_there_is_a_kernel() -> None:
    assert any(path.suffix == ".c" for path in SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=house.shown)
def test_kernel_takes_no_memory_and_no_floats(path: Path) -> None:
    source = code(path.read_text(encoding="utf-8"))
    found = [
        f"{house.shown(path)}:{source.count(chr(10), 0, m.start()) + 1} {m[0]}" for m in FORBIDDEN.finditer(source)
    ]
    assert not found, found


@pytest.mark.parametrize("path", SOURCES, ids=house.shown)
def test_kernel_includes_only_freestanding_headers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    system = {name for quote, name in _INCLUDE.findall(text) if quote == "<"}
    own = {name for quote, name in _INCLUDE.findall(text) if quote == '"'}
    assert system <= FREESTANDING
    assert own <= {source.name for source in SOURCES}


def test_kernel_does_not_recurse() -> None:
    whole = "\n".join(code(path.read_text(encoding="utf-8")) for path in SOURCES)
    graph = call_graph(whole)
    assert graph, "no functions found: the scan has lost the kernel's style"
    assert recursion(graph) is None


def test_the_scan_sees_recursion() -> None:
    assert recursion(call_graph("int a(int x)\n{\n  return b(x);\n}\nint b(int x) {\n  return a(x);\n}\n")) is not None
    assert recursion(call_graph("int a(int x)\n{\n  return a(x);\n}\n")) == ["a", "a"]
    assert recursion(call_graph("int a(int x)\n{\n  return b(x);\n}\nint b(int x) {\n  return x;\n}\n")) is None
    assert recursion(call_graph("int a(int x) { return x; }\nint b(int x) { return a(x); }\n")) is None


def test_the_scan_ignores_comments_and_strings() -> None:
    assert FORBIDDEN.search(code('/* float */ // malloc\nchar *s = "double";')) is None
    assert FORBIDDEN.search(code("static float x;")) is not None
