"""A picture of the currents against the limits, as PNG or SVG. Needs the extra `plot`."""

from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from powershare.cli.currents import Currents, Envelope, Panel
from powershare.cli.output import whole_path
from powershare.units import Line, amps_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRETCHES: Final = 1600
"""How finely time is cut: about the width of the picture in pixels."""

MOST_PANELS: Final = 100
CROWDED: Final = 400
"""From so many steps on, lines are drawn as hairlines."""

_ENDINGS = (".png", ".svg")
_COLOURS = ("#0072b2", "#e69f00", "#009e73")
"""One per line; told apart with every kind of colour vision (Okabe and Ito)."""
_LIMIT_COLOUR = "#c0392b"


def picture_path(path: Path) -> Path:
    """Check, before any work, that a picture can be drawn.

    Raises:
        click.BadParameter: The ending is neither .png nor .svg.
        click.ClickException: matplotlib is not installed.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise click.BadParameter(f"'{path}' must end in .png or .svg, which says what to draw.", param_hint="--plot")
    if find_spec("matplotlib") is None:
        raise click.ClickException("--plot needs matplotlib; install it with: pip install 'powershare[plot]'")
    return path


def draw(currents: Currents, started: datetime, title: str, path: Path) -> None:
    """Draw one panel per circuit: offered and drawn sums per line, and the limit.

    Args:
        currents: What to draw.
        started: The instant that the currents' time counts from.
        title: What stands above the picture.
        path: Where it goes; .png or .svg.
    """
    import matplotlib as mpl
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure

    panels = currents.panels[:MOST_PANELS]
    # The same run gives the same file, byte for byte.
    with mpl.rc_context({"svg.hashsalt": "powershare", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(11, 1.1 + 2.1 * len(panels)), dpi=120, layout="constrained")
        all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        first = started + timedelta(milliseconds=currents.first_ms)
        width = timedelta(milliseconds=currents.width_ms)
        times = [float(date2num(first + width * place)) for place in range(currents.stretches + 1)]
        for axes, panel in zip(all_axes, panels, strict=True):
            _draw_panel(axes, panel, times)
        locator = AutoDateLocator(tz=started.tzinfo)
        all_axes[-1].xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator, tz=started.tzinfo)
        all_axes[-1].xaxis.set_major_formatter(formatter)
        all_axes[-1].set_xlim(times[0], times[-1])
        all_axes[-1].set_xlabel(f"time; each step is the greatest current within {_duration(currents.width_ms)}")
        handles, labels = all_axes[0].get_legend_handles_labels()
        named = dict(zip(labels, handles, strict=True))
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named), frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        with whole_path(path) as part:
            figure.savefig(part, format=kind, metadata=metadata)


def _draw_panel(axes: "Axes", panel: Panel, times: list[float]) -> None:
    for place in range(len(panel.limit_ma)):
        name, colour = str(Line(place)), _COLOURS[place]
        heights_a, edges = _steps(panel.drawn[place], times)
        # Thinner upward, so that lines that carry the same can all be seen; hairlines where steps crowd.
        width = 0.4 if len(edges) > CROWDED else 0.8 + 0.6 * (len(panel.limit_ma) - 1 - place)
        axes.stairs(heights_a, edges, color=colour, alpha=0.3 if len(edges) > CROWDED else 0.15, linewidth=0, fill=True)
        axes.stairs(heights_a, edges, color=colour, linewidth=width, baseline=None, label=f"{name} drawn")
        heights_a, edges = _steps(panel.offered[place], times)
        axes.stairs(
            heights_a, edges, color=colour, linewidth=0.9, linestyle=":", baseline=None, label=f"{name} offered"
        )
    for limit_ma in sorted(set(panel.limit_ma)):
        axes.axhline(limit_ma / 1000, color=_LIMIT_COLOUR, linewidth=1.4, label="limit")
        words = " ".join(str(Line(place)) for place, own_ma in enumerate(panel.limit_ma) if own_ma == limit_ma)
        axes.annotate(
            amps_text(limit_ma) if len(set(panel.limit_ma)) == 1 else f"{words} {amps_text(limit_ma)}",
            (1, limit_ma / 1000),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=_LIMIT_COLOUR,
        )
    highest_a = max(*(max(envelope.greatest_ma) for envelope in panel.offered), *panel.limit_ma) / 1000
    axes.set_ylim(0, highest_a * 1.12)
    axes.set_ylabel("A per line" if len(panel.limit_ma) > 1 else "A")
    axes.set_title(panel.title, loc="left", fontsize=9)
    axes.grid(visible=True, axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _steps(envelope: Envelope, times: list[float]) -> tuple[list[float], list[float]]:
    """Heights and edges of a staircase, without the edges at which nothing changes: a file is smaller for it."""
    values_ma = envelope.greatest_ma
    starts = [place for place, value_ma in enumerate(values_ma) if place == 0 or value_ma != values_ma[place - 1]]
    return [values_ma[place] / 1000 for place in starts], [*(times[place] for place in starts), times[-1]]


def _duration(width_ms: int) -> str:
    for unit, size_ms in (("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if width_ms >= size_ms:
            return f"{width_ms / size_ms:.3g} {unit}"
    return f"{width_ms} ms"
