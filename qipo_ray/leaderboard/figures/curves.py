"""Learning curves of the policy stage, with bands over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import MAX_PANELS, LineStyle, ReportFigure, omitted
from qipo_ray.leaderboard.figures.series import Series
from qipo_ray.leaderboard.figures.task_panels import group_by_task, panel_per_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LINES = 6  # in a panel


def curves(series: Sequence[Series], styles: Mapping[str, LineStyle]) -> ReportFigure | None:
    """Return score against policy updates, from behaviour cloning on; None without evaluations."""
    evaluated = [config for config in series if len(points(config)) > 1]
    groups = {task: _best(configs) for task, configs in group_by_task(evaluated).items()}
    if not groups:
        return None
    drawn = sum(len(configs) for configs in [*groups.values()][:MAX_PANELS])
    return ReportFigure(
        "curves",
        "Learning curves",
        "Mean over seeds; bands are ± one sample standard deviation, where at least two seeds were"
        " evaluated. Update 0 is the behaviour model. Points of few episodes are noisier than the"
        " final one." + omitted(len(evaluated) - drawn, "configuration"),
        panel_per_task(groups, partial(_draw, styles), "policy updates"),
    )


def points(series: Series) -> dict[int, list[float]]:
    """Return the normalised scores of all seeds by policy updates; 0 is behaviour cloning."""
    scores: defaultdict[int, list[float]] = defaultdict(list)
    for record in series.records:
        evaluations = [(score["updates"], score) for score in record["scores"]]
        for updates, score in [(0, record["behaviour_cloning"]), *evaluations]:
            if score is not None and score["normalised"] is not None:
                scores[updates].append(score["normalised"])
    return dict(sorted(scores.items()))


def _best(series: Sequence[Series]) -> list[Series]:
    return sorted(series, key=lambda config: -float(np.mean(config.scores)))[:MAX_LINES]


def _draw(styles: Mapping[str, LineStyle], panel: Axes, series: Sequence[Series]) -> None:
    for config in series:
        style, scores = styles[config.name], points(config)
        updates = np.array(list(scores))
        means = np.array([np.mean(values) for values in scores.values()])
        spreads = np.array([np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in scores.values()])
        panel.plot(
            updates, means, color=style.colour, linestyle=style.dashes, marker=style.marker,
            markersize=4, linewidth=1.6, label=config.name,
        )  # fmt: skip
        panel.fill_between(
            updates, means - spreads, means + spreads, color=style.colour, alpha=0.15, lw=0
        )
