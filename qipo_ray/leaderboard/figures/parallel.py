"""Parallel coordinates: every trial of a search as one line through all its hyper-parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import INK, ReportFigure, omitted, panels, short_label
from qipo_ray.leaderboard.figures.scale import Scale
from qipo_ray.leaderboard.importance import trial_ranks
from qipo_ray.leaderboard.trial_results import TrialResult
from qipo_ray.study.objective import SCORE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LINES = 200  # the best ones
MAX_AXES = 9
WORST, BEST = (0.0, 0.447, 0.698), (0.902, 0.624, 0.0)  # the palette's blue and orange


def parallel(trials: Sequence[TrialResult]) -> ReportFigure | None:
    """Return one task's trials as lines from their parameters to their score; None without any."""
    scored = [trial for trial in trials if trial.value is not None]
    scales = Scale.of_all(scored)
    if not scales or len({trial.value for trial in scored}) < 2:
        return None
    order = np.argsort(-trial_ranks(scored), kind="stable")
    drawn = [scored[i] for i in order[:MAX_LINES]]
    values = np.array([trial.value for trial in scored], dtype=float)
    low, high = float(values.min()), float(values.max())
    axes = scales[:MAX_AXES]
    with panels(height=3.1) as (figure, (panel,)):
        for trial in reversed(drawn):
            _draw_line(panel, trial, axes, (float(trial.value or 0) - low) / (high - low))
        for x, scale in enumerate(axes):
            _draw_axis(panel, x, *scale.ticks())
        ends, digits = [0.0, 0.5, 1.0], ".1f" if scored[0].objective == SCORE else ".3g"
        _draw_axis(
            panel, len(axes), ends, [f"{low + end * (high - low):{digits}}" for end in ends]
        )
        panel.set_xticks(range(len(axes) + 1), [*map(_title, axes), scored[0].axis])
        panel.set_yticks([])
        panel.set_xlim(-0.25, len(axes) + 0.45)
        panel.grid(visible=False)
        panel.spines[["left", "bottom"]].set_visible(False)
    return ReportFigure(
        "parallel",
        "Trials across all hyper-parameters",
        "One line a trial, from its settings to its score at the right. Orange and thick is a high"
        " score, blue and thin a low one; dotted lines were stopped early. A gap is a parameter"
        " that the trial did not search."
        + omitted(len(scored) - len(drawn), "trial", "the records")
        + omitted(len(scales) - len(axes), "parameter", "the records"),
        figure,
    )


def _draw_line(panel: Axes, trial: TrialResult, axes: Sequence[Scale], height: float) -> None:
    params = trial.params
    heights = [s.position(params[s.key]) if s.key in params else np.nan for s in axes]
    colour = tuple((1 - height) * a + height * b for a, b in zip(WORST, BEST, strict=True))
    panel.plot(
        range(len(axes) + 1), [*heights, height], color=colour, alpha=0.85,
        linewidth=0.9 + 1.6 * height, linestyle=":" if trial.state == "pruned" else "-",
    )  # fmt: skip


def _draw_axis(panel: Axes, x: int, heights: Sequence[float], labels: Sequence[str]) -> None:
    panel.axvline(x, color=INK, linewidth=0.9, zorder=0)
    for height, label in zip(heights, labels, strict=True):
        panel.plot(x, height, "_", color=INK, markersize=6)
        panel.annotate(label, (x, height), xytext=(4, 3), textcoords="offset points", fontsize=7.5)


def _title(scale: Scale) -> str:
    section, _, name = scale.key.rpartition(".")
    parts = [section, name, "(log)" if scale.log else ""]
    return "\n".join(short_label(part, 18) for part in parts if part)
