"""Performance profiles: which share of the runs scores at least so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qipo_ray.leaderboard.figures.drawing import Look, Picture, blank, styled
from qipo_ray.leaderboard.figures.series import Series, tasks_of
from qipo_ray.leaderboard.statistics import performance_profile

POINTS = 101
MOST_LINES = 6  # beyond that, profiles cannot be told apart


def profile(
    series: Sequence[Series], look: Mapping[str, Look], generator: np.random.Generator
) -> Picture | None:
    """Return the profiles of the configurations that ran on every task; None if none did."""
    tasks = tasks_of(series)
    scores: dict[str, dict[str, np.ndarray]] = {}
    for one in series:
        scores.setdefault(one.name, {})[one.task] = np.array(one.scores)
    whole = [name for name in look if len(scores.get(name, {})) == len(tasks)]
    if not whole:
        return None
    every = np.concatenate([value for name in whole for value in scores[name].values()])
    low, high = float(every.min()), float(every.max())
    room = 0.05 * (high - low) or 1.0
    thresholds = np.linspace(low - room, high + room, POINTS)
    ranked = sorted(whole, key=lambda name: -np.mean([v.mean() for v in scores[name].values()]))
    with styled():
        figure = blank(8.0, 4.0)
        panel = figure.subplots()
        for name in ranked[:MOST_LINES]:
            values, lows, highs = performance_profile(scores[name], thresholds, generator)
            style = look[name]
            panel.plot(
                thresholds, values, color=style.colour, linestyle=style.stroke, label=name,
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
    more = len(look) - len(ranked[:MOST_LINES])
    return Picture(
        "profile",
        "Performance profiles",
        f"Share of runs, every task weighing the same, that score more than τ, over "
        f"{_count(len(tasks), 'task')}; bands are 95 % bootstrap intervals over seeds within "
        "tasks. Higher and further right is better."
        + (f" Left out: {more}, which lack a task or rank lower." if more else ""),
        figure,
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
