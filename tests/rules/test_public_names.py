"""The public face: names are promises, so that adding or losing one is a change somebody has read.

After a change made on purpose:

    python -c "import powershare; print(*sorted(powershare.__all__), sep='\n')" > tests/rules/public_names.txt
"""

import inspect
from pathlib import Path

import powershare

GOLDEN = Path(__file__).with_name("public_names.txt")


def test_public_names_are_the_promised_ones() -> None:
    assert sorted(powershare.__all__) == GOLDEN.read_text(encoding="utf-8").split()


def test_every_public_name_resolves_and_is_documented() -> None:
    for name in powershare.__all__:
        value = getattr(powershare, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert (inspect.getdoc(value) or "").strip(), f"powershare.{name} has no docstring"


def test_no_name_is_listed_twice() -> None:
    assert len(set(powershare.__all__)) == len(powershare.__all__)
