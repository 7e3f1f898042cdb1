"""Score, latency and cost together: which configurations nobody beats on all three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.costs import latency_notes
from qipo_ray.leaderboard.figures.drawing import (
    MAX_PANELS,
    PAPER,
    LineStyle,
    ReportFigure,
    omitted,
)
from qipo_ray.leaderboard.figures.series import Series
from qipo_ray.leaderboard.figures.task_panels import group_by_task, panel_per_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_MARKS = 40  # in a panel, the best scores
MAX_NAMES = 8  # of them in the legend


@dataclass(frozen=True)
class ParetoPoint:
    """What a configuration gives and takes on one task, on average over its runs."""

    task: str
    source: str
    name: str
    score: float
    latency_ms: float  # per action
    device_s: float  # of training, per run

    def dominates(self, point: ParetoPoint) -> bool:
        """Say whether this one is nowhere worse than the other and somewhere better."""
        a = (-self.score, self.latency_ms, self.device_s)
        b = (-point.score, point.latency_ms, point.device_s)
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def pareto_points(series: Sequence[Series]) -> list[ParetoPoint]:
    """Return those of whom score, latency and cost are known."""
    points = []
    for config in series:
        latency = config.mean_of("final", "action_latency_ms")
        seconds = config.mean_of("cost", "device_s")
        if latency is not None and seconds is not None:
            seconds += config.mean_of("cost", "reused_s") or 0.0
            score = float(np.mean(config.scores))
            names = config.task, config.source, config.name
            points.append(ParetoPoint(*names, score, latency, seconds))
    return points


def pareto_front(points: Sequence[ParetoPoint]) -> list[ParetoPoint]:
    """Return the points that no other one dominates."""
    return [point for point in points if not any(p.dominates(point) for p in points)]


def pareto(series: Sequence[Series], styles: Mapping[str, LineStyle]) -> ReportFigure | None:
    """Return score against latency, marks sized by cost, the Pareto front filled; None if unknown.

    Cost is the training that a run needs alone, whatever it shared.
    """
    points = pareto_points(series)
    groups = group_by_task(points)
    if not groups:
        return None
    dearest = max(point.device_s for point in points) or 1.0
    drawn = sum(min(len(group), MAX_MARKS) for group in [*groups.values()][:MAX_PANELS])

    def draw(panel: Axes, group: Sequence[ParetoPoint]) -> None:
        front = pareto_front(group)
        ranked = sorted(group, key=lambda point: -point.score)
        for rank, point in enumerate(ranked[:MAX_MARKS]):
            style = styles[point.name]
            panel.plot(
                point.latency_ms, point.score, style.marker, color=style.colour,
                mfc=style.colour if point in front else PAPER, mew=1.4, alpha=0.9,
                markersize=5 + 13 * (point.device_s / dearest) ** 0.5, linestyle="none",
            )  # fmt: skip
            if rank < MAX_NAMES:  # in the legend, at one size
                panel.plot(
                    [], [], style.marker, color=style.colour, markersize=6, label=point.name
                )
        panel.margins(0.15)

    return ReportFigure(
        "pareto",
        "Score, latency and cost",
        "One mark a configuration, mean over its runs. Filled: on the Pareto front, no other one"
        " has a better or equal score, latency and training cost at once. The area of a mark is"
        f" its training cost per run; the largest is {_duration(dearest)} on one device."
        + "".join(f" {note}" for note in latency_notes(r for s in series for r in s.records))
        + omitted(len(points) - drawn, "configuration"),
        panel_per_task(groups, draw, "milliseconds per action", height=3.2),
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
