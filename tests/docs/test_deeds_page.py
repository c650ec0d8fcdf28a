"""The page of commands lists every deed as the program knows it."""

from pathlib import Path

from powershare.simulation.network import WORDS

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_has_every_deed_as_it_is_written() -> None:
    listed = PAGE.read_text(encoding="utf-8").partition("| deed | what is done |\n| --- | --- |\n")[2].splitlines()
    rows = []
    for word, about in WORDS.items():
        arguments, colon, done = about.partition(": ")
        rows.append(f"| `{word} {arguments}` | {done} |" if colon else f"| `{word}` | {about} |")
    assert listed[: len(rows)] == rows
