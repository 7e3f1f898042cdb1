"""Mean scores with their intervals: one panel a task, one line a row of the table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qipo_ray.leaderboard.aggregate import row_estimates
from qipo_ray.leaderboard.figures.drawing import (
    GREY,
    INK,
    MOST_PANELS,
    PAPER,
    Look,
    Picture,
    blank,
    label,
    left_out,
    styled,
)
from qipo_ray.leaderboard.labels import words
from qipo_ray.leaderboard.rows import Method, Row
from qipo_ray.leaderboard.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 16  # in a panel
LONGEST_TICK, TICK_WIDTH = 64, 42  # signs: of a name beside a line, of a line of its text
_PLAIN = Look(GREY, "h", "-")  # of what is no configuration: the data, behaviour cloning
_OT, _DIFF = Look("#0072b2", "o", "-"), Look("#d55e00", "s", "--")  # without a look of its own


def intervals(rows: Sequence[Row], look: Mapping[str, Look]) -> Picture:
    """Return every row's mean with its 95 % bootstrap interval over seeds.

    ``rows`` are of one setting, in the order of the table.
    """
    tasks = list(dict.fromkeys(row.method.task for row in rows))
    phrases = words(row.method for row in rows)
    shown = [_best([row for row in rows if row.method.task == t]) for t in tasks[:MOST_PANELS]]
    heights = [len(some) + 1.4 for some in shown]
    with styled():
        figure = blank(8.0, 0.36 * sum(heights) + 0.7)
        grid = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, some in zip(grid, shown, strict=True):
            _panel(panel, some, phrases, look)
        grid[-1].set_xlabel("D4RL-normalised score of the last checkpoint")
    return Picture(
        "intervals",
        "Scores with their uncertainty",
        "Large: mean over training seeds, with the 95 % bootstrap interval over seeds (none for a"
        " single run). Small open dots: the seeds. Grey: the data and behaviour cloning."
        + left_out(len(rows) - sum(map(len, shown)), "row"),
        figure,
    )


def _best(some: Sequence[Row]) -> list[Row]:
    """Return as many as a panel holds, the best ones, in the order given."""
    ranked = sorted(range(len(some)), key=lambda place: -some[place].last.mean)
    return [some[place] for place in sorted(ranked[:MOST_LINES])]


def _panel(
    panel: Axes, some: Sequence[Row], phrases: Mapping[Method, str], look: Mapping[str, Look]
) -> None:
    for place, (row, found) in enumerate(zip(some, row_estimates(some), strict=True)):
        _line(panel, place, row, found, _look(row, label(phrases[row.method]), look))
    panel.set_yticks(range(len(some)), [_tick(phrases[row.method], row) for row in some])
    panel.set_ylim(len(some) - 0.5, -0.9)
    panel.grid(visible=False, axis="y")
    panel.set_title(label(f"{some[0].method.task} ({some[0].method.setting.source})"))


def _line(panel: Axes, place: int, row: Row, found: Estimate, style: Look) -> None:
    if found.interval is not None:
        ends = [found.interval.low, found.interval.high]
        panel.plot(ends, [place, place], color=style.colour, linewidth=2.2, solid_capstyle="butt")
    if len(row.scores) > 1:
        panel.plot(
            row.scores, [place] * len(row.scores), "o", markersize=4, color=INK, mfc=PAPER, mew=0.7
        )
    panel.plot(found.value, place, style.marker, markersize=8, color=style.colour, mec=PAPER)
    panel.annotate(
        f"{found.value:.1f}",
        (found.value, place),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )


def _look(row: Row, name: str, look: Mapping[str, Look]) -> Look:
    if row.method.kind != "qipo":
        return _PLAIN
    return look.get(name, _DIFF if "Diff" in row.method.name else _OT)


def _tick(phrase: str, row: Row) -> str:
    """Return what stands beside a line, on several lines of text where one is too short."""
    words = label(phrase, LONGEST_TICK)
    if row.seeds:
        words += f" ({len(row.seeds)}\N{NO-BREAK SPACE}seed{'s' if len(row.seeds) != 1 else ''})"
    return textwrap.fill(words, TICK_WIDTH, break_on_hyphens=False)
