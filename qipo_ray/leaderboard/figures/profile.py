"""Performance profiles: which share of the runs scores at least so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qipo_ray.leaderboard.figures.drawing import LineStyle, ReportFigure, panels
from qipo_ray.leaderboard.figures.series import Series
from qipo_ray.leaderboard.statistics.performance_profile import performance_profile
from qipo_ray.leaderboard.tables import counted

POINTS = 101
MAX_LINES = 6  # beyond that, profiles cannot be told apart


def profile(
    series: Sequence[Series], styles: Mapping[str, LineStyle], generator: np.random.Generator
) -> ReportFigure | None:
    """Return the profiles of the configurations that ran on every task; None if none did."""
    tasks = {config.task for config in series}
    scores: dict[str, dict[str, np.ndarray]] = {}
    for config in series:
        scores.setdefault(config.name, {})[config.task] = np.array(config.scores)
    complete = [name for name in styles if len(scores.get(name, {})) == len(tasks)]
    if not complete:
        return None
    values = np.concatenate([array for name in complete for array in scores[name].values()])
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    thresholds = np.linspace(low - margin, high + margin, POINTS)
    ranked = sorted(complete, key=lambda name: -np.mean([v.mean() for v in scores[name].values()]))
    with panels(height=3.5) as (figure, (panel,)):
        for name in ranked[:MAX_LINES]:
            shares, lows, highs = performance_profile(scores[name], thresholds, generator)
            style = styles[name]
            panel.plot(
                thresholds, shares, color=style.colour, linestyle=style.dashes, label=name,
                linewidth=1.8, drawstyle="steps-post", marker=style.marker, markersize=5,
                markevery=(0.0, 0.12),
            )  # fmt: skip
            panel.fill_between(
                thresholds, lows, highs, color=style.colour, alpha=0.12, lw=0, step="post"
            )
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlabel("D4RL-normalised score τ")
        panel.set_ylabel("share of runs with score > τ")
        figure.legend(loc="outside lower center", ncols=2)
    more = len(styles) - len(ranked[:MAX_LINES])
    return ReportFigure(
        "profile",
        "Performance profiles",
        f"Share of runs, every task weighing the same, that score more than τ, over "
        f"{counted(len(tasks), 'task')}; bands are 95 % bootstrap intervals over seeds within "
        "tasks. Higher and further right is better."
        + (f" Left out: {more}, which lack a task or rank lower." if more else ""),
        figure,
    )
