"""Learning curves of the policy stage, with bands over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import (
    MOST_PANELS,
    Look,
    Picture,
    label,
    left_out,
    panels,
    styled,
)
from qipo_ray.leaderboard.figures.series import Series, tasks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 6  # in a panel


def curves(series: Sequence[Series], look: Mapping[str, Look]) -> Picture | None:
    """Return score against policy updates, from behaviour cloning on; None without evaluations."""
    known = [one for one in series if len(points(one)) > 1]
    tasks = tasks_of(known)
    if not tasks:
        return None
    shown = [_best([one for one in known if one.task == task]) for task in tasks[:MOST_PANELS]]
    with styled():
        figure, grid = panels(len(shown))
        for panel, some in zip(grid, shown, strict=True):
            _panel(panel, some, look)
            panel.set_title(label(f"{some[0].task} ({some[0].setting.source})"))
            panel.set_xlabel("policy updates")
            panel.set_ylabel("normalised score")
        handles = {h.get_label(): h for p in grid for h in p.get_legend_handles_labels()[0]}
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)
    return Picture(
        "curves",
        "Learning curves",
        "Mean over seeds; bands are ± one sample standard deviation, where at least two seeds were"
        " evaluated. Update 0 is the behaviour model. Points of few episodes are noisier than the"
        " final one." + left_out(len(known) - sum(map(len, shown)), "configuration"),
        figure,
    )


def points(one: Series) -> dict[int, list[float]]:
    """Return the normalised scores of all seeds by policy updates; 0 is behaviour cloning."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for record in one.records:
        start = record["behaviour_cloning"]
        evaluations = [(score["updates"], score) for score in record["scores"]]
        for updates, score in [(0, start), *evaluations]:
            if score is not None and score["normalised"] is not None:
                found[updates].append(score["normalised"])
    return dict(sorted(found.items()))


def _best(some: Sequence[Series]) -> list[Series]:
    ranked = sorted(some, key=lambda one: -float(np.mean(one.scores)))
    return ranked[:MOST_LINES]


def _panel(panel: Axes, some: Sequence[Series], look: Mapping[str, Look]) -> None:
    for one in some:
        style, found = look[one.name], points(one)
        updates = np.array(list(found))
        means = np.array([np.mean(values) for values in found.values()])
        spreads = np.array([np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in found.values()])
        panel.plot(
            updates, means, color=style.colour, linestyle=style.stroke, marker=style.marker,
            markersize=4, linewidth=1.6, label=one.name,
        )  # fmt: skip
        panel.fill_between(
            updates, means - spreads, means + spreads, color=style.colour, alpha=0.15, lw=0
        )
