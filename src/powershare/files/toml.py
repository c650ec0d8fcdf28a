"""The few lines of TOML that a site needs: keys, arrays of plain values, tables, arrays of tables."""

import json
from collections.abc import Iterator


def dump_toml(data: dict[str, object]) -> str:
    """Write plain data as TOML.

    Args:
        data: Texts, numbers, truth values, lists of them, and tables or lists of tables of these.

    Returns:
        The text, with a final line break.
    """
    blocks = ["\n".join(_pairs({key: value for key, value in data.items() if not _is_table(value)}))]
    for key, value in data.items():
        if isinstance(value, dict):
            blocks.append("\n".join([f"[{key}]", *_pairs(value)]))
        elif _is_table(value) and isinstance(value, list):
            blocks += ["\n".join([f"[[{key}]]", *_pairs(row)]) for row in value]
    return "\n\n".join(blocks) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(row, dict) for row in value))


def _pairs(table: dict[str, object]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{key} = {_spelled(value)}"


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
