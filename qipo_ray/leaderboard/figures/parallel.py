"""Parallel coordinates: every trial of a search as one line through all its hyper-parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import INK, Picture, blank, label, left_out, styled
from qipo_ray.leaderboard.figures.scale import Scale
from qipo_ray.leaderboard.importance import ranks
from qipo_ray.leaderboard.trial_results import TrialResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 200  # the best ones
MOST_AXES = 9
WORST, BEST = (0.0, 0.447, 0.698), (0.902, 0.624, 0.0)  # the palette's blue and orange


def parallel(trials: Sequence[TrialResult]) -> Picture | None:
    """Return one task's trials as lines from their parameters to their score; None without any."""
    scored = [trial for trial in trials if trial.value is not None]
    scales = Scale.of_all(scored)
    if not scales or len({trial.value for trial in scored}) < 2:
        return None
    order = np.argsort(-ranks(scored), kind="stable")
    shown = [scored[i] for i in order[:MOST_LINES]]
    values = np.array([trial.value for trial in scored], dtype=float)
    low, high = float(values.min()), float(values.max())
    axes = scales[:MOST_AXES]
    with styled():
        figure = blank(8.0, 3.6)
        panel = figure.subplots()
        for trial in reversed(shown):
            _line(panel, trial, axes, (float(trial.value or 0) - low) / (high - low))
        for place, scale in enumerate(axes):
            _axis(panel, place, *scale.ticks())
        ends = [0.0, 0.5, 1.0]
        _axis(panel, len(axes), ends, [f"{low + end * (high - low):.1f}" for end in ends])
        panel.set_xticks(range(len(axes) + 1), [*map(_title, axes), "score"])
        panel.set_yticks([])
        panel.set_xlim(-0.25, len(axes) + 0.45)
        panel.grid(visible=False)
        panel.spines[["left", "bottom"]].set_visible(False)
    return Picture(
        "parallel",
        "Trials across all hyper-parameters",
        "One line a trial, from its settings to its score at the right. Orange and thick is a high"
        " score, blue and thin a low one; dotted lines were stopped early. A gap is a parameter"
        " that the trial did not search."
        + left_out(len(scored) - len(shown), "trial", "the records")
        + left_out(len(scales) - len(axes), "parameter", "the records"),
        figure,
    )


def _line(panel: Axes, trial: TrialResult, axes: Sequence[Scale], height: float) -> None:
    places = [s.place(trial.params[s.key]) if s.key in trial.params else np.nan for s in axes]
    colour = tuple((1 - height) * a + height * b for a, b in zip(WORST, BEST, strict=True))
    panel.plot(
        range(len(axes) + 1), [*places, height], color=colour, alpha=0.85,
        linewidth=0.9 + 1.6 * height, linestyle=":" if trial.state == "pruned" else "-",
    )  # fmt: skip


def _axis(panel: Axes, place: int, at: Sequence[float], words: Sequence[str]) -> None:
    panel.axvline(place, color=INK, linewidth=0.9, zorder=0)
    for height, word in zip(at, words, strict=True):
        panel.plot(place, height, "_", color=INK, markersize=6)
        panel.annotate(
            word, (place, height), xytext=(4, 3), textcoords="offset points", fontsize=7.5
        )


def _title(scale: Scale) -> str:
    section, _, name = scale.key.rpartition(".")
    parts = [section, name, "(log)" if scale.log else ""]
    return "\n".join(label(part, 18) for part in parts if part)
