"""The rooms of the house: what each may import, and that nothing below the purity line touches the world."""

import ast
import graphlib
import sys
from pathlib import Path

import pytest
from tests.rules import house

# A room is a module or package directly under powershare; its floor is what docs/architecture.md says. A new room is
# entered here on purpose, or test_every_room_has_a_floor fails.
FLOORS = {
    "_version": 0,
    "units": 0,
    "errors": 0,
    "timing": 1,
    "site": 1,
    "demand": 1,
    "allocation": 1,
    "constraints": 2,
    "_native": 2,
    "election": 3,
    "allocator": 3,
    "policy": 4,
    "leases": 4,
    "trace": 4,
    "node": 5,
    "simulation": 6,
    "addressing": 7,
    "adapter": 7,
    "metering": 7,
    "limiting": 7,
    "emulation": 7,
    "networking": 7,
    "registry": 7,
    "files": 7,
    "": 8,  # powershare/__init__.py, the public face
    "driver": 9,
    "bridging": 9,
    "cli": 10,
    "testing": 10,
    "__main__": 11,
}
PURITY_LINE = 7

# Modules of the standard library through which a program reads a clock, rolls dice, or touches files, processes, the
# network or other threads.
WORLD = frozenset(
    [
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "ftplib",
        "getpass",
        "glob",
        "http",
        "importlib",
        "io",
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "pty",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shelve",
        "shutil",
        "signal",
        "smtplib",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "termios",
        "threading",
        "time",
        "urllib",
        "uuid",
        "warnings",
        "webbrowser",
        "xmlrpc",
        "zoneinfo",
    ]
)
# (room, module) -> why it may. `random` is allowed to all for the type of a generator that is passed in, see below.
PURITY_EXCEPTIONS = {
    ("_native", "os"): "the door reads POWERSHARE_NATIVE once, to choose between the extension and its twin",
}
WORLD_CALLS = frozenset({"open", "print", "input", "breakpoint"})
WALL_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})

MODULES = list(house.files(".py", within=("src/powershare",)))


def room_of(path: Path) -> str:
    """Return the room in which a module of the package lives; the public face is the room without a name."""
    first = path.relative_to(house.PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def target_room(dotted: str) -> str | None:
    """Return the room that an import reaches, or None when it leaves the package."""
    parts = dotted.split(".")
    if parts[0] != "powershare":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def pure_modules() -> list[Path]:
    return [path for path in MODULES if FLOORS.get(room_of(path), 0) < PURITY_LINE]


def type_checking_lines(path: Path) -> set[int]:
    """Return the lines that only a type checker reads."""
    lines: set[int] = set()
    for node in ast.walk(house.tree(path)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            lines.update(line for child in node.body for line in range(child.lineno, (child.end_lineno or 0) + 1))
    return lines


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in MODULES}
    assert rooms, "no modules found: the rules would hold of nothing"
    assert rooms <= FLOORS.keys(), f"enter into FLOORS, or move: {sorted(rooms - FLOORS.keys())}"


@pytest.mark.parametrize("path", MODULES, ids=house.module_name)
def test_imports_point_down(path: Path) -> None:
    """A room imports from its own floor or below; upward there is nothing to know."""
    room = room_of(path)
    upward = [
        f"{house.shown(path)}:{line} {dotted} (floor {FLOORS[target]} from floor {FLOORS[room]})"
        for line, dotted in house.imports(path)
        if (target := target_room(dotted)) is not None and FLOORS[target] > FLOORS[room]
    ]
    assert not upward, upward


def test_rooms_form_no_cycle() -> None:
    """Two rooms of one floor may not import each other, not even by way of a third."""
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        reached = {target_room(dotted) for _, dotted in house.imports(path)}
        graph.setdefault(room_of(path), set()).update(room for room in reached if room is not None)
    for room, reached_rooms in graph.items():
        reached_rooms.discard(room)
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle
    assert order.index("units") < order.index("site")


@pytest.mark.parametrize("path", pure_modules(), ids=house.module_name)
def test_core_is_pure(path: Path) -> None:
    """Below the purity line: no I/O, no clock, no threads, no dice of its own, no third party but attrs and cffi."""
    room = room_of(path)
    for_types_only = type_checking_lines(path)
    found = []
    for line, dotted in house.imports(path):
        top = dotted.split(".")[0]
        if line in for_types_only or (room, top) in PURITY_EXCEPTIONS:
            continue
        foreign = top not in sys.stdlib_module_names and top not in {"powershare", "attrs"}
        if room == "_native" and top in {"cffi", "_cffi_backend"}:
            foreign = False
        if top in WORLD or foreign:
            found.append(f"{house.shown(path)}:{line} imports {dotted}")
    assert not found, found


@pytest.mark.parametrize("path", pure_modules(), ids=house.module_name)
def test_core_reads_no_clock_and_opens_nothing(path: Path) -> None:
    """`datetime` may be computed with below the purity line, but not asked what time it is."""
    found = []
    for node in ast.walk(house.tree(path)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in WORLD_CALLS:
            found.append(f"{house.shown(path)}:{node.lineno} calls {called.id}()")
        if isinstance(called, ast.Attribute) and called.attr in WALL_CLOCK_METHODS:
            owner = ast.unparse(called.value)
            if owner.split(".")[-1] in {"datetime", "date"}:
                found.append(f"{house.shown(path)}:{node.lineno} reads the clock: {owner}.{called.attr}()")
    assert not found, found


def test_only_one_door_to_c() -> None:
    """One module imports the extension; everybody else goes through it."""
    doors = {
        house.shown(path)
        for path in MODULES
        if any(dotted.startswith("powershare._native._ffi") for _, dotted in house.imports(path))
    }
    assert len(doors) == 1, doors
