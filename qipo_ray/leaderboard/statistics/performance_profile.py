"""Performance profiles: the share of runs above each score, over all scores at once."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from qipo_ray.leaderboard.statistics.bootstrap import LEVEL, RESAMPLES, bounds, resampled, runs
from qipo_ray.leaderboard.statistics.point_estimates import Floats, Scores, mean_last, over_tasks


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
    level: float = LEVEL,
) -> Profile:
    """Return the share of runs that score above each of ``thresholds`` (K,), tasks weighing alike.

    Where no task has a second seed the interval is the value itself: there is none to show.
    """
    at = np.asarray(thresholds, dtype=np.float64)

    def draw(number: int) -> Floats:
        return _shares(resampled(scores, generator, number), at)

    low, high = bounds(draw, runs(scores), resamples, level)
    return Profile(_shares(scores, at), low, high)


def _shares(scores: Scores, at: Floats) -> Floats:
    """Return the shares ``(..., K)``; one threshold at a time, which saves memory."""
    shares = []
    for threshold in at:
        per_task = over_tasks(partial(_share_above, threshold), scores)
        shares.append(mean_last(per_task))
    return np.stack(shares, axis=-1)


def _share_above(threshold: float, array: Floats) -> Floats:
    return mean_last(np.where(array > threshold, 1.0, 0.0))
