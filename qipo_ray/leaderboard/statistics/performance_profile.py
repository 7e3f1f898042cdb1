"""Performance profiles: the share of runs above each score, over all scores at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from qipo_ray.leaderboard.statistics.bootstrap import RESAMPLES, bounds, resampled
from qipo_ray.leaderboard.statistics.point_estimates import (
    Floats,
    Scores,
    mean_last,
    over_tasks,
    task_arrays,
)


class Profile(NamedTuple):
    """Shares from 0 to 1 at each threshold, ``(K,)``, with a pointwise interval."""

    values: Floats
    low: Floats
    high: Floats


def performance_profile(
    scores: Scores,
    thresholds: ArrayLike,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Profile:
    """Return the share of runs that score above each of ``thresholds`` (K,), tasks weighing alike.

    Where no task has a second seed the interval is the value itself: there is none to show.
    """
    levels = np.asarray(thresholds, dtype=np.float64)
    runs = sum(array.size for array in task_arrays(scores))
    low, high = bounds(
        lambda number: _shares(resampled(scores, generator, number), levels), runs, resamples
    )
    return Profile(_shares(scores, levels), low, high)


def _shares(scores: Scores, thresholds: Floats) -> Floats:
    """Return the shares ``(..., K)``; one threshold at a time, which saves memory."""
    return np.stack([_share_above(value, scores) for value in thresholds], axis=-1)


def _share_above(threshold: float, scores: Scores) -> Floats:
    above = over_tasks(lambda x: mean_last(np.where(x > threshold, 1.0, 0.0)), scores)
    return mean_last(above)
