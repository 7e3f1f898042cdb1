"""Line charts of the experiments: one look, colours that everyone can tell apart, and markers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Okabe and Ito's colours, dark to light on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Line:
    """A line of a panel: points with the range over seeds, or a law without markers."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    style: int = 0  # which colour and marker
    law: bool = False  # dashed, no markers


@dataclass(frozen=True)
class Panel:
    """A set of axes."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    log_x: bool = True
    log_y: bool = True
    ticks: Sequence[float] = ()


def chart(panels: Sequence[Panel], *, share_y: bool = False) -> bytes:
    """Return a PNG with the panels side by side.

    Panels that share the axis share one legend beneath; else a panel has its own where its lines
    are not those of the panel before.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(4.1 * len(panels), 4.0), layout="constrained")
    row = picture.subplots(1, len(panels), squeeze=False, sharey=share_y)[0]
    for axes, panel in zip(row, panels, strict=True):
        _fill(axes, panel)
    if share_y:
        for axes in row[1:]:
            axes.set_ylabel("")
    previous: list[str] = []
    for axes, panel in zip(row, panels, strict=True):
        labels = [line.label for line in panel.lines]
        if previous != labels and not share_y:
            axes.legend(frameon=False, fontsize=8.5)
        previous = labels
    if share_y:
        handles = row[0].get_legend_handles_labels()
        picture.legend(
            *handles, loc="outside lower center", ncols=len(handles[0]), frameon=False, fontsize=9
        )
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=150)
    return stream.getvalue()


def _fill(axes: Any, panel: Panel) -> None:
    """Draw a panel into matplotlib's axes."""
    for line in panel.lines:
        colour = COLOURS[line.style % len(COLOURS)]
        if line.law:
            axes.plot(line.x, line.y, "--", color=colour, linewidth=1.2, label=line.label)
            continue
        if line.low:
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        marker = MARKERS[line.style % len(MARKERS)]
        axes.plot(
            line.x, line.y, marker=marker, color=colour, linewidth=1.5, markersize=5.5,
            markeredgecolor="white", markeredgewidth=0.6, label=line.label,
        )  # fmt: skip
    if panel.log_x:
        axes.set_xscale("log", base=2)
    if panel.log_y:
        axes.set_yscale("log")
    if panel.ticks:
        axes.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks], fontsize=9)
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axes.set_title(panel.title, fontsize=11, loc="left")
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def over_seeds(
    label: str, x: Sequence[float], sets: Sequence[Sequence[float]], style: int
) -> Line:
    """Return the means of ``sets``, one set for each x, with the range over seeds if any."""
    mean = [sum(values) / len(values) for values in sets]
    if max(map(len, sets)) == 1:
        return Line(label, x, mean, style=style)
    return Line(label, x, mean, [*map(min, sets)], [*map(max, sets)], style)
