"""Draws the state diagrams of the documentation from the tables that the code acts by.

python docs/diagrams/draw.py            write docs/diagrams/*.svg
python docs/diagrams/draw.py --check    exit 1 where a picture is not what the tables say
"""

import enum
import sys
from collections import defaultdict
from collections.abc import Mapping
from html import escape
from pathlib import Path

from powershare.election import roles
from powershare.leases import states

HERE = Path(__file__).parent
STEP, BOX_WIDTH, ARC, LINE = 340, 224, 66, 16
TIP = 'marker-end="url(#tip)"'
TABLES = {"election": roles.TRANSITIONS, "lease": states.TRANSITIONS}


def picture(title: str, table: Mapping[tuple[enum.Enum, enum.Enum], enum.Enum]) -> str:
    """A diagram of one table: states in a row, forward arcs above, backward ones below, what changes nothing inside."""
    kind = type(next(iter(table.values())))
    place = {state: number for number, state in enumerate(kind)}
    arcs: dict[tuple[int, int], list[str]] = defaultdict(list)
    for (before, cause), after in table.items():
        arcs[place[before], place[after]].append(str(cause.value))
    stays = max((len(labels) for (start, end), labels in arcs.items() if start == end), default=0)
    forward, backward = ([abs(start - end) for start, end in arcs if sign * (end - start) > 0] for sign in (1, -1))
    box, middle = 34 + stays * LINE, max(forward, default=0) * ARC + 3 * LINE
    height = middle + box + max(backward, default=0) * ARC + 4 * LINE
    width = STEP * (len(place) - 1) + BOX_WIDTH + 40
    about = f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {about}>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for (start, end), labels in sorted(arcs.items()):
        if start != end:
            drawn += _arc(start, end, labels, (middle, middle + box))
    for state, number in place.items():
        left, centre = 20 + number * STEP, 20 + number * STEP + BOX_WIDTH // 2
        drawn.append(
            f'<rect x="{left}" y="{middle}" width="{BOX_WIDTH}" height="{box}" rx="9" fill="#e8f1f8" stroke="#28608c"/>'
        )
        drawn.append(_text(centre, middle + 22, str(state.value), "#123", bold=True))
        inside = arcs.get((number, number), [])
        drawn += [_text(centre, middle + 40 + LINE * row, f"({said})", "#678") for row, said in enumerate(inside)]
    return "\n".join([*drawn, "</svg>", ""])


def _arc(start: int, end: int, labels: list[str], levels: tuple[int, int]) -> list[str]:
    """One arrow with everything that takes it; the farther it leads, the nearer to the middle it starts."""
    centre = [20 + number * STEP + BOX_WIDTH // 2 for number in (start, end)]
    forward = end > start
    shift = max(12, 76 - 28 * abs(end - start)) * (1 if forward else -1)
    level = levels[0] if forward else levels[1]
    bend = abs(end - start) * ARC * 2 * (-1 if forward else 1)
    x1, x2, half = centre[0] + shift, centre[1] - shift, (centre[0] + centre[1]) // 2
    peak = level + bend // 2
    first = peak - 6 - LINE * (len(labels) - 1) if forward else peak + LINE
    return [
        f'<path d="M{x1} {level} Q{half} {level + bend} {x2} {level}" fill="none" stroke="#555" {TIP}/>',
        *(_text(half, first + LINE * row, label, "#333") for row, label in enumerate(labels)),
    ]


def _text(x: int, y: int, text: str, colour: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    halo = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if not bold and colour == "#333" else ""
    return f'<text x="{x}" y="{y}" text-anchor="middle" fill="{colour}"{weight}{halo}>{escape(text)}</text>'


def main() -> int:
    """Write the pictures, or compare them."""
    stale = []
    for name, table in TABLES.items():
        path, drawn = HERE / f"{name}.svg", picture(f"states of the {name}", table)
        if "--check" in sys.argv:
            stale += [path.name] if not path.exists() or path.read_text(encoding="utf-8") != drawn else []
        else:
            path.write_text(drawn, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name} is not what the tables say; run docs/diagrams/draw.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
