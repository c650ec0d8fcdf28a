"""What the rules look at: where the project's files are, and how to read one without importing it."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "powershare"

_CODE_DIRECTORIES = ("src", "adapters", "tests", "benchmarks", "examples", "docs")
_NOT_OURS = frozenset({"__pycache__", "_build", "build", "dist", ".venv", ".hypothesis", ".pytest_cache"})


def files(*suffixes: str, within: tuple[str, ...] = _CODE_DIRECTORIES) -> Iterator[Path]:
    """Yield the project's own files with one of these suffixes, in a stable order."""
    for directory in within:
        for path in sorted((ROOT / directory).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if path.suffix in suffixes and path.is_file() and _NOT_OURS.isdisjoint(parts):
                yield path


def shown(path: Path) -> str:
    """Return the path as a message should name it."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return the parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) for every import of a module, at any depth, with relative names made absolute.

    `from a import b` gives `a.b`: whether b is a module or a name in a is for the caller to decide.
    """
    here = module_name(path).split(".") if path.is_relative_to(PACKAGE) else []
    package = here if path.name == "__init__.py" else here[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{prefix}.{alias.name}"
