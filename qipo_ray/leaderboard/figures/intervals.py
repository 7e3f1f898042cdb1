"""Mean scores with their intervals: one panel a task, one line a row of the table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from qipo_ray.leaderboard.aggregate import row_estimates
from qipo_ray.leaderboard.figures.drawing import (
    GREY,
    INK,
    MAX_PANELS,
    PAPER,
    LineStyle,
    ReportFigure,
    empty_figure,
    omitted,
    short_label,
    styled,
)
from qipo_ray.leaderboard.labels import row_labels
from qipo_ray.leaderboard.rows import Method, Row
from qipo_ray.leaderboard.statistics.bootstrap import Estimate
from qipo_ray.leaderboard.tables import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LINES = 16  # in a panel
LONGEST_TICK, TICK_WIDTH = 64, 42  # characters: of a name beside a line, of a line of its text
_PLAIN = LineStyle(GREY, "h", "-")  # of what is no configuration: the data, behaviour cloning
_OT = LineStyle("#0072b2", "o", "-")  # without a style of its own
_DIFF = LineStyle("#d55e00", "s", "--")


def intervals(rows: Sequence[Row], styles: Mapping[str, LineStyle]) -> ReportFigure:
    """Return every row's mean with its 95 % bootstrap interval over seeds.

    ``rows`` are of one setting, in the order of the table.
    """
    labels = row_labels(row.method for row in rows)
    by_task = groupby(rows, key=lambda row: row.method.task)
    groups = [_best([*group]) for _, group in by_task][:MAX_PANELS]
    heights = [len(group) + 1.4 for group in groups]
    with styled():
        figure = empty_figure(8.0, 0.36 * sum(heights) + 0.7)
        axes = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, group in zip(axes, groups, strict=True):
            _draw(panel, group, labels, styles)
        axes[-1].set_xlabel("D4RL-normalised score of the last checkpoint")
    return ReportFigure(
        "intervals",
        "Scores with their uncertainty",
        "Large: mean over training seeds, with the 95 % bootstrap interval over seeds (none for a"
        " single run). Small open dots: the seeds. Grey: the data and behaviour cloning."
        + omitted(len(rows) - sum(map(len, groups)), "row"),
        figure,
    )


def _best(rows: Sequence[Row]) -> list[Row]:
    """Return as many as a panel holds, the best ones, in the order given."""
    ranked = sorted(range(len(rows)), key=lambda index: -rows[index].last.mean)
    return [rows[index] for index in sorted(ranked[:MAX_LINES])]


def _draw(
    panel: Axes, rows: Sequence[Row], labels: Mapping[Method, str], styles: Mapping[str, LineStyle]
) -> None:
    for y, (row, estimate) in enumerate(zip(rows, row_estimates(rows), strict=True)):
        default = _DIFF if "Diff" in row.method.name else _OT
        style = styles.get(short_label(labels[row.method]), default)
        _draw_line(panel, y, row, estimate, style if row.method.kind == "run" else _PLAIN)
    panel.set_yticks(range(len(rows)), [_tick(labels[row.method], row) for row in rows])
    panel.set_ylim(len(rows) - 0.5, -0.9)
    panel.grid(visible=False, axis="y")
    method = rows[0].method
    panel.set_title(short_label(f"{method.task} ({method.setting.origin})"))


def _draw_line(panel: Axes, y: int, row: Row, estimate: Estimate, style: LineStyle) -> None:
    value, interval = estimate.value, estimate.interval
    if interval is not None:
        ends = [interval.low, interval.high]
        panel.plot(ends, [y, y], color=style.colour, linewidth=2.2, solid_capstyle="butt")
    if len(row.scores) > 1:
        panel.plot(
            row.scores, [y] * len(row.scores), "o", markersize=4, color=INK, mfc=PAPER, mew=0.7
        )
    panel.plot(value, y, style.marker, markersize=8, color=style.colour, mec=PAPER)
    panel.annotate(
        f"{value:.1f}", (value, y), xytext=(0, 7), textcoords="offset points", ha="center",
        fontsize=8,
    )  # fmt: skip


def _tick(label: str, row: Row) -> str:
    """Return what stands beside a line, on several lines of text where one is too short."""
    text = short_label(label, LONGEST_TICK)
    if row.seeds:
        text += f" ({counted(len(row.seeds), 'seed')})".replace(" seed", "\N{NO-BREAK SPACE}seed")
    return textwrap.fill(text, TICK_WIDTH, break_on_hyphens=False)
