"""Score, latency and cost together: which configurations nobody beats on all three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qipo_ray.leaderboard.figures.drawing import (
    MOST_PANELS,
    PAPER,
    Look,
    Picture,
    label,
    left_out,
    panels,
    styled,
)
from qipo_ray.leaderboard.figures.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKS = 40  # in a panel, the best scores
MOST_NAMED = 8  # of them in the legend


@dataclass(frozen=True)
class Deal:
    """What a configuration gives and takes on one task, on average over its runs."""

    series: Series
    score: float
    latency_ms: float  # per action
    device_s: float  # of training, per run

    def beats(self, other: Deal) -> bool:
        """Say whether this one is nowhere worse than the other and somewhere better."""
        mine = (-self.score, self.latency_ms, self.device_s)
        theirs = (-other.score, other.latency_ms, other.device_s)
        return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def deals(series: Sequence[Series]) -> list[Deal]:
    """Return those of whom score, latency and cost are known."""
    found = []
    for one in series:
        latency = one.mean_of("final", "action_latency_ms")
        seconds = one.mean_of("cost", "device_s")
        if latency is not None and seconds is not None:
            reused = one.mean_of("cost", "reused_s") or 0.0
            found.append(Deal(one, float(np.mean(one.scores)), latency, seconds + reused))
    return found


def front(some: Sequence[Deal]) -> list[Deal]:
    """Return the deals that no other one beats."""
    return [one for one in some if not any(other.beats(one) for other in some)]


def pareto(series: Sequence[Series], look: Mapping[str, Look]) -> Picture | None:
    """Return score against latency, marks sized by cost, the Pareto front filled; None if unknown.

    Cost is the training that a run needs alone, whatever it shared.
    """
    known = deals(series)
    tasks = list(dict.fromkeys(deal.series.task for deal in known))
    if not tasks:
        return None
    dearest = max(deal.device_s for deal in known) or 1.0
    shown = 0
    with styled():
        figure, grid = panels(len(tasks[:MOST_PANELS]), height=3.2)
        for panel, task in zip(grid, tasks, strict=False):
            some = [deal for deal in known if deal.series.task == task]
            _panel(panel, some, look, dearest)
            shown += min(len(some), MOST_MARKS)
            panel.set_title(label(f"{task} ({some[0].series.setting.source})"))
        handles = {h.get_label(): h for p in grid for h in p.get_legend_handles_labels()[0]}
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)
    return Picture(
        "pareto",
        "Score, latency and cost",
        "One mark a configuration, mean over its runs. Filled: on the Pareto front, no other one"
        " has a better or equal score, latency and training cost at once. The area of a mark is"
        f" its training cost per run; the largest is {_duration(dearest)} on one device."
        + left_out(len(known) - shown, "configuration"),
        figure,
    )


def _panel(panel: Axes, some: Sequence[Deal], look: Mapping[str, Look], dearest: float) -> None:
    best = front(some)
    for place, deal in enumerate(sorted(some, key=lambda deal: -deal.score)[:MOST_MARKS]):
        style = look[deal.series.name]
        panel.plot(
            deal.latency_ms, deal.score, style.marker, color=style.colour,
            mfc=style.colour if deal in best else PAPER, mew=1.4, alpha=0.9,
            markersize=5 + 13 * (deal.device_s / dearest) ** 0.5, linestyle="none",
        )  # fmt: skip
        if place < MOST_NAMED:  # in the legend, at one size
            panel.plot(
                [], [], style.marker, color=style.colour, markersize=6, label=deal.series.name
            )
    panel.margins(0.15)
    panel.set_xlabel("milliseconds per action")
    panel.set_ylabel("normalised score")


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
