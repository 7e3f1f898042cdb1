"""Score against selection budget: what a search would have found with fewer online episodes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from qipo_ray.leaderboard.figures.drawing import INK, MAX_PANELS, ReportFigure, omitted
from qipo_ray.leaderboard.figures.series import Series
from qipo_ray.leaderboard.figures.task_panels import group_by_task, panel_per_task
from qipo_ray.leaderboard.statistics.expected_best import expected_best
from qipo_ray.leaderboard.trial_results import TrialResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def budget(trials: Sequence[TrialResult], series: Sequence[Series]) -> ReportFigure | None:
    """Return the score to expect of the best trial for a budget of episodes, task by task.

    ``series`` are the confirmed configurations of the same tasks: what selection came to.
    """
    groups = group_by_task(trial for trial in trials if trial.value is not None)
    if not groups:
        return None
    confirmed = group_by_task(s for s in series if s.selection_episodes)

    def draw(panel: Axes, group: Sequence[TrialResult]) -> None:
        _draw_trials(panel, group)
        _draw_confirmed(panel, confirmed.get(group[0].task, ()))

    return ReportFigure(
        "budget",
        "Score against selection budget",
        "Line: the best search score to expect after so many online evaluation episodes, had the"
        " search tried its configurations in random order (exact); band: 95 % of orders. It is"
        " the score that selection saw, so it is optimistic; dashed: the best confirmed mean on"
        " fresh seeds. Configurations that were stopped early count with their last score."
        " Not counted: the paper's form, broken trials and episodes past a decision, which the"
        " rows' selection episodes hold."
        + omitted(len([*groups][MAX_PANELS:]), "task", "the records"),
        panel_per_task(groups, draw, "online evaluation episodes spent on selection"),
    )


def _draw_trials(panel: Axes, trials: Sequence[TrialResult]) -> None:
    curve = expected_best(
        [float(trial.value) for trial in trials if trial.value is not None],
        [float(trial.episodes) for trial in trials],
    )
    panel.plot(
        curve.episodes, curve.value, color="#0072b2", linewidth=1.8, label="best of the search",
        marker="o", markersize=4, markevery=max(1, len(trials) // 20),
    )  # fmt: skip
    panel.fill_between(curve.episodes, curve.low, curve.high, color="#0072b2", alpha=0.15, lw=0)
    panel.set_xlim(left=0)


def _draw_confirmed(panel: Axes, series: Sequence[Series]) -> None:
    if series:
        best = max(fmean(config.scores) for config in series)
        panel.axhline(
            best, color=INK, linestyle="--", linewidth=1.2, label="best confirmed, fresh seeds"
        )
