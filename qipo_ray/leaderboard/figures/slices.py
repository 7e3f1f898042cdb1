"""Hyper-parameters of the search: score against each, and how much of the order goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import (
    GREY,
    INK,
    MAX_PANELS,
    PAPER,
    ReportFigure,
    omitted,
    panels,
    short_label,
)
from qipo_ray.leaderboard.figures.scale import Scale
from qipo_ray.leaderboard.importance import associations
from qipo_ray.leaderboard.trial_results import TrialResult
from qipo_ray.study.trial import BROKEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 500  # points from which a panel is a bitmap inside its SVG
_DRAWN = {  # by state: marker, colour, fill
    "finished": ("o", "#0072b2", "#0072b2"),
    "pruned": ("v", "#d55e00", PAPER),
}


def slices(trials: Sequence[TrialResult]) -> ReportFigure | None:
    """Return one task's scores against each searched parameter; None without scored trials."""
    scored = [trial for trial in trials if trial.value is not None]
    scales = Scale.of_all(scored)
    if not scales:
        return None
    with panels(len(scales[:MAX_PANELS]), height=2.4) as (figure, axes):
        for panel, scale in zip(axes, scales, strict=False):
            _draw(panel, scored, scale)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    broken = sum(trial.state in BROKEN for trial in trials)
    return ReportFigure(
        "slices",
        "Score against each hyper-parameter",
        "One mark a trial: mean over its search seeds at the last rung that it reached. A stopped"
        " trial shows an early score; it might have become better."
        + (f" Without a score: {broken} broken." if broken else "")
        + omitted(len(scales) - len(axes), "parameter", "the records"),
        figure,
    )


def importance(
    trials: Sequence[TrialResult], generator: np.random.Generator
) -> ReportFigure | None:
    """Return one task's rank associations as bars, with what chance gives; None without any."""
    bars = associations(trials, generator)
    if not bars:
        return None
    drawn = bars[:MAX_PANELS]
    with panels(height=0.34 * len(drawn) + 0.7) as (figure, (panel,)):
        for y, bar in enumerate(drawn):
            strong = bar.share > bar.chance
            panel.barh(
                y, bar.share, height=0.6, color="#0072b2" if strong else PAPER,
                edgecolor="#0072b2", hatch=None if strong else "////", linewidth=0.8,
            )  # fmt: skip
            panel.plot([bar.chance] * 2, [y - 0.4, y + 0.4], color=INK, linewidth=1.6)
        labels = [short_label(f"{bar.key} (n={bar.trials})") for bar in drawn]
        panel.set_yticks(range(len(drawn)), labels)
        panel.set_ylim(len(drawn) - 0.4, -0.6)
        panel.set_xlim(0, 1)
        panel.grid(visible=False, axis="y")
        panel.set_xlabel("share of the variance of the trials' ranks")
    return ReportFigure(
        "importance",
        "What went with a good rank",
        "Rank association of each hyper-parameter alone: the share of the variance of the trials'"
        " ranks that lies between groups of equal value (numbers of many values in quarters). The"
        " upright tick is what 95 % of shuffled orders stay below; a hatched bar does not pass it."
        " An association, not an effect: parameters that moved together share it."
        + omitted(len(bars) - len(drawn), "parameter", "the records"),
        figure,
    )


def _draw(panel: Axes, trials: Sequence[TrialResult], scale: Scale) -> None:
    for state, (marker, colour, fill) in _DRAWN.items():
        drawn = [t for t in trials if t.state == state and scale.key in t.params]
        panel.plot(
            [scale.position(trial.params[scale.key]) for trial in drawn],
            [float(trial.value or 0) for trial in drawn],  # all are known
            marker, markersize=5.5, color=colour, mfc=fill, mew=1.1, alpha=0.8,
            label={"finished": "whole", "pruned": "stopped early"}[state],
            rasterized=len(drawn) > MANY,
        )  # fmt: skip
    panel.set_xticks(*scale.ticks())
    panel.set_xlim(-0.08, 1.08)
    panel.axhline(0, color=GREY, linewidth=0.6)
    panel.set_xlabel(short_label(scale.key) + (" (log)" if scale.log else ""))
    panel.set_ylabel(trials[0].axis)
