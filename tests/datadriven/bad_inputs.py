"""The table of bad inputs: `testdata/bad_inputs.toml`, read for every test that needs one clear error.

A case is a whole `text`, or its kind's sound base text with one `change` (what stands there, what
stands there instead). `problems` are the exact problems it must give, no more and no fewer.
"""

import tomllib
from pathlib import Path

import attrs

TABLE = Path(__file__).parent / "testdata" / "bad_inputs.toml"
ENDINGS = {"site": ".toml", "demands": ".json", "sessions": ".csv", "trace": ".ndjson"}


@attrs.frozen
class Case:
    """One bad input.

    Attributes:
        name: What is bad about it.
        kind: `site`, `demands`, `sessions` or `trace`.
        text: The input.
        ending: How the name of its file ends.
        problems: Exactly what must be reported, as `str` of each problem.
        refused: Whether the whole input is refused; else (sessions only) just the rows named are skipped.
    """

    name: str
    kind: str
    text: str
    ending: str
    problems: tuple[str, ...]
    refused: bool

    def write(self, directory: Path) -> Path:
        """The input as a file."""
        path = directory / f"{self.kind}{self.ending}"
        path.write_text(self.text, encoding="utf-8", newline="")
        return path


def base(kind: str) -> str:
    """The sound text that the cases of a kind change."""
    text = tomllib.loads(TABLE.read_text(encoding="utf-8"))["base"][kind]
    assert isinstance(text, str)
    return text


def cases(kind: str | None = None) -> list[Case]:
    """Every case of the table, or of one kind."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return [_case(row, table["base"]) for row in table["case"] if kind in {None, row["kind"]}]


def _case(row: dict[str, object], bases: dict[str, str]) -> Case:
    kind, text = str(row["kind"]), row.get("text")
    if text is None:
        change = row["change"]
        assert isinstance(change, list)
        text = bases[kind]
        assert text.count(change[0]) >= 1, f"{row['name']}: the base has no {change[0]!r}"
        text = text.replace(change[0], change[1], 1)
    problems = row["problems"]
    assert isinstance(problems, list)
    ending = str(row.get("ending", ENDINGS[kind]))
    return Case(str(row["name"]), kind, str(text), ending, tuple(problems), bool(row.get("refused", True)))
