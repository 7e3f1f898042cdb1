"""The leaderboard as a picture: mean and spread of every row, one panel a task."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby

from qipo_ray.leaderboard.rows import Row

COLOURS = {
    "data": "#7f7f7f",
    "cloning": "#0072b2",
    "qipo": "#d55e00",
}  # safe for colour-blind eyes


def figure(rows: Sequence[Row]) -> bytes:
    """Return a PNG of rows of one source and protocol: dots are means, bars sample deviations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tasks = [(task, list(some)) for task, some in groupby(rows, key=lambda row: row.method.task)]
    heights = [len(some) + 1.5 for _, some in tasks]
    picture = Figure(figsize=(8, 0.38 * sum(heights) + 0.6), layout="constrained")
    FigureCanvasAgg(picture)
    panels = picture.subplots(len(tasks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (task, some) in zip(panels, tasks, strict=True):
        for place, row in enumerate(some):
            colour = COLOURS[row.method.kind]
            panel.errorbar(
                row.last.mean, place, xerr=row.last.std or 0, fmt="o", color=colour, capsize=4
            )
            panel.annotate(
                f"{row.last.mean:.1f}",
                (row.last.mean, place),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.set_yticks(range(len(some)), [_label(row) for row in some])
        panel.set_ylim(len(some) - 0.4, -0.8)
        panel.axvline(0, color="#cccccc", linewidth=0.8, zorder=0)
        panel.set_title(f"{task} ({some[0].method.setting.source})", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("D4RL-normalised score, mean ± std over seeds")
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=150)
    return stream.getvalue()


def _label(row: Row) -> str:
    name = row.method.name
    return f"{name}, {row.method.preset}" if row.method.preset else name
