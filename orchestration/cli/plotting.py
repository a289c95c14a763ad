"""``--plot``: an answer as a picture, drawn in the terminal or written to a file."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from orchestration.errors import InputError

TERMINAL = "-"
FILES = (".png", ".svg")
_WIDTH_OF_A_FILE = 100
_MOST_COLUMNS, _ROWS = 160, 20
_TICKS = 6
# A screen of bars; further members are in the table.
_MOST_BARS = 15
# Text stays text, and the same numbers give the same file.
_SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "rollups"}
_NOT_COMPLETE = "not complete yet"

Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="[FILE]",
        help="Draw it, here or in a FILE (.png, .svg; needs matplotlib), instead of the table.",
    ),
]


class Plotting(TyperCommand):
    """A command whose ``--plot`` may stand without a file: Typer's options take a value or none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the name of the terminal where no file is named."""
        named: list[str] = []
        for word, following in zip_longest(args, args[1:], fillvalue="--"):
            named.append(word)
            if word == "--plot" and following.startswith("-") and following != TERMINAL:
                named.append(TERMINAL)
        return super().parse_args(ctx, named)


@dataclass(frozen=True)
class Panel:
    """Values under one title: of periods (a line) or of members of a dimension (bars)."""

    title: str
    labels: Sequence[str]
    values: Sequence[float | None]
    complete: Sequence[bool] = ()

    def runs(self) -> Iterator[tuple[list[int], list[float]]]:
        """Places and values between the gaps, so that no line leads over a missing value."""
        places: list[int] = []
        for place, value in enumerate([*self.values, None]):
            if value is not None:
                places.append(place)
            elif places:
                yield places, [self.values[at] or 0.0 for at in places]
                places = []

    def unfinished(self) -> tuple[list[int], list[float]]:
        """Places and values that may still grow."""
        found = [
            (place, value)
            for place, value in enumerate(self.values)
            if value is not None and place < len(self.complete) and not self.complete[place]
        ]
        return [place for place, _ in found], [value for _, value in found]

    def ticks(self) -> list[int]:
        """Places to be labelled, few enough to be read."""
        step = -(-len(self.labels) // _TICKS) or 1
        return list(range(0, len(self.labels), step))


def require_drawable(plot: str | None, is_document: bool) -> None:
    """Raise ``InputError`` for a picture that could not be made, before anything is asked."""
    if plot is None:
        return
    if plot == TERMINAL:
        if is_document:
            raise InputError("--plot draws instead of the table: leave --json and --format out")
        return
    path = Path(plot)
    if path.suffix.lower() not in FILES:
        raise InputError(f"--plot {plot}: the name of a picture ends with {' or '.join(FILES)}")
    if not path.parent.is_dir():
        raise InputError(f"--plot {plot}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401  (only whether it is there)
    except ImportError:
        raise InputError(
            f"--plot {plot}: a picture needs matplotlib: run `make venv ARGS=--dev`, or install it"
            " where rollups is installed (--plot alone draws in the terminal)"
        ) from None


def panels(title: str, records: Sequence[dict[str, Any]], by: str | None) -> list[Panel]:
    """A panel of the periods of a series; of a summary a panel for each metric."""
    if not records:
        raise InputError("there is nothing to draw: the answer has no rows")
    if "bucket" in records[0]:
        labels = [_period(row["bucket"], by) for row in records]
        values, complete = ([row[name] for row in records] for name in ("value", "complete"))
        return [Panel(title, labels, values, complete)]
    metrics = dict.fromkeys(row["metric"] for row in records)
    return [_members(metric, [row for row in records if row["metric"] == metric])
            for metric in metrics]  # fmt: skip


def _period(bucket: datetime, by: str | None) -> str:
    return f"{bucket:%m-%d %H:00}" if by == "hour" else f"{bucket:%Y-%m-%d}"


def _members(metric: str, records: Sequence[dict[str, Any]]) -> Panel:
    known = [row for row in records if row["value"] is not None]
    largest = sorted(known, key=lambda row: -row["value"])[:_MOST_BARS]
    more = f" (largest {_MOST_BARS} of {len(known)})" if len(known) > _MOST_BARS else ""
    labels = [_printable(row["name"] or row["id"] or "all") for row in largest]
    return Panel(metric + more, labels, [row["value"] for row in largest])


def _printable(name: object) -> str:
    """A name as one line that a terminal only shows."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return text if len(text) <= 32 else f"{text[:31]}…"


def draw_in_terminal(drawn: Sequence[Panel]) -> str:
    """All panels as text, coloured on a terminal."""
    pictures = [_series_text(panel) if panel.complete else _bars_text(panel) for panel in drawn]
    return "\n".join(pictures)


def _series_text(panel: Panel) -> str:
    import plotext

    plotext.clear_figure()
    columns = shutil.get_terminal_size((_WIDTH_OF_A_FILE, _ROWS)).columns
    plotext.plot_size(min(columns, _MOST_COLUMNS), _ROWS)
    plotext.title(panel.title)
    for places, values in panel.runs():
        plotext.plot(places, values, marker="braille", color="blue")
        plotext.scatter(places, values, marker="●", color="blue")
    places, values = panel.unfinished()
    if places:
        plotext.scatter(places, values, marker="○", color="orange", label=_NOT_COMPLETE)
    known = [value for value in panel.values if value is not None]
    if known:
        plotext.ylim(min(0.0, *known), max(*known, 0.0) or 1.0)
    ticks = panel.ticks()
    plotext.xticks(ticks, [panel.labels[place] for place in ticks])
    return _text(plotext.build())


def _bars_text(panel: Panel) -> str:
    import plotext

    plotext.clear_figure()
    if not panel.values:
        return f"{panel.title}: nothing"
    columns = shutil.get_terminal_size((_WIDTH_OF_A_FILE, _ROWS)).columns
    plotext.simple_bar(
        panel.labels, panel.values, width=min(columns, _MOST_COLUMNS), title=panel.title
    )
    return _text(plotext.build())


def _text(picture: str) -> str:
    import plotext

    picture = picture.rstrip("\n")
    return picture if sys.stdout.isatty() else plotext.uncolorize(picture)


def write_picture(drawn: Sequence[Panel], title: str, plot: str) -> None:
    """Write all panels below each other into a .png or .svg."""
    import matplotlib
    from matplotlib.figure import Figure

    height = sum(3.6 if panel.complete else 0.8 + 0.32 * len(panel.values) for panel in drawn)
    figure = Figure(figsize=(9, max(height, 2.0)), layout="constrained")
    all_axes = figure.subplots(
        len(drawn), squeeze=False, height_ratios=[max(len(panel.values), 1) for panel in drawn]
    )
    for axes, panel in zip(all_axes[:, 0], drawn, strict=True):
        (_draw_series if panel.complete else _draw_bars)(axes, panel)
        # Names come from the source: they are no formulas.
        axes.set_title(panel.title, loc="left", fontsize=10, parse_math=False)
    if len(drawn) > 1:
        figure.suptitle(title, fontsize=11, parse_math=False)
    svg = Path(plot).suffix.lower() == ".svg"
    with warnings.catch_warnings(), matplotlib.rc_context(_SVG):
        warnings.filterwarnings("ignore", message="Glyph")
        try:
            figure.savefig(plot, dpi=150, metadata={"Date": None} if svg else None)
        except OSError as error:
            raise InputError(f"--plot {plot}: cannot be written: {error.strerror}") from None


def _draw_series(axes: Any, panel: Panel) -> None:
    for places, values in panel.runs():
        axes.plot(places, values, color="tab:blue", marker="o", markersize=3)
    places, values = panel.unfinished()
    if places:
        axes.plot(places, values, "o", color="white", markeredgecolor="tab:orange", markersize=5,
                  label=_NOT_COMPLETE)  # fmt: skip
        axes.legend(frameon=False)
    axes.set_xticks(panel.ticks(), [panel.labels[place] for place in panel.ticks()])
    axes.set_ylim(bottom=min([0.0, *(value for value in panel.values if value is not None)]))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_bars(axes: Any, panel: Panel) -> None:
    places = range(len(panel.labels))
    axes.barh(places, panel.values, color="tab:blue")
    axes.set_yticks(places, panel.labels, parse_math=False)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
