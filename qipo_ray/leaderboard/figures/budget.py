"""Score against selection budget: what a search would have found with fewer online episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import (
    INK,
    MOST_PANELS,
    Picture,
    label,
    left_out,
    panels,
    styled,
)
from qipo_ray.leaderboard.figures.series import Series, tasks_of
from qipo_ray.leaderboard.statistics import expected_online_performance
from qipo_ray.leaderboard.trial_results import TrialResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def budget(trials: Sequence[TrialResult], series: Sequence[Series]) -> Picture | None:
    """Return the score to expect of the best trial for a budget of episodes, task by task.

    ``series`` are the confirmed configurations of the same tasks: what selection came to.
    """
    scored = [trial for trial in trials if trial.value is not None]
    tasks = tasks_of(scored)
    if not tasks:
        return None
    with styled():
        figure, grid = panels(len(tasks[:MOST_PANELS]))
        for panel, task in zip(grid, tasks, strict=False):
            _panel(panel, [trial for trial in scored if trial.task == task])
            _confirmed(panel, [one for one in series if one.task == task])
            panel.set_title(label(f"{task} ({scored[0].source})"))
        handles = {h.get_label(): h for p in grid for h in p.get_legend_handles_labels()[0]}
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)
    return Picture(
        "budget",
        "Score against selection budget",
        "Line: the best search score to expect after so many online evaluation episodes, had the"
        " search tried its configurations in random order (exact); band: 95 % of orders. It is"
        " the score that selection saw, so it is optimistic; dashed: the best confirmed mean on"
        " fresh seeds. Configurations that were stopped early count with their last score."
        " Not counted: the paper's form, broken trials and episodes past a decision, which the"
        " rows' selection episodes hold."
        + left_out(len(tasks) - len(grid), "task", "the records"),
        figure,
    )


def _panel(panel: Axes, trials: Sequence[TrialResult]) -> None:
    curve = expected_online_performance(
        [float(trial.value) for trial in trials if trial.value is not None],
        [float(trial.episodes) for trial in trials],
    )
    panel.plot(
        curve.episodes, curve.value, color="#0072b2", linewidth=1.8, label="best of the search",
        marker="o", markersize=4, markevery=max(1, len(trials) // 20),
    )  # fmt: skip
    panel.fill_between(curve.episodes, curve.low, curve.high, color="#0072b2", alpha=0.15, lw=0)
    panel.set_xlabel("online evaluation episodes spent on selection")
    panel.set_ylabel("normalised score")
    panel.set_xlim(left=0)


def _confirmed(panel: Axes, series: Sequence[Series]) -> None:
    chosen = [one for one in series if one.selection_episodes]
    if chosen:
        best = max(float(np.mean(one.scores)) for one in chosen)
        panel.axhline(
            best, color=INK, linestyle="--", linewidth=1.2, label="best confirmed, fresh seeds"
        )
