"""Aggregates over tasks: one number for the normalised scores of one configuration.

Every function reduces the last axis, so that it takes scores ``(seeds,)`` and gives one number,
or resamples ``(R, seeds)`` and gives ``(R,)``. Each task weighs the same, however many seeds it
has. With equally many seeds everywhere these are the definitions of rliable (Agarwal et al. 2021,
arXiv 2108.13264).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scores = Mapping[str, Floats]  # task -> (..., seeds), normalised; tasks may differ in seeds
Statistic = Callable[[Scores], Floats]


def task_arrays(scores: Scores) -> list[Floats]:
    """Return the tasks' arrays ``(..., seeds)``, by name of the task.

    Raises:
        ValueError: no tasks, a task without seeds, or a given score that is not finite.
    """
    if not scores:
        raise ValueError("no scores: expected at least one task")
    arrays = []
    for task in sorted(scores):
        array = np.asarray(scores[task], dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] == 0:
            raise ValueError(f"{task}: expected one score per seed, got shape {array.shape}")
        if array.ndim == 1 and not np.isfinite(array).all():  # resamples are of what was checked
            raise ValueError(f"{task}: a score is not finite")
        arrays.append(array)
    return arrays


def over_tasks(per_task: Callable[[Floats], Floats], scores: Scores) -> Floats:
    """Return ``per_task`` of every task's ``(..., seeds)``, stacked to ``(..., tasks)``."""
    return np.stack([per_task(array) for array in task_arrays(scores)], axis=-1)


def mean_of(scores: Scores) -> Floats:
    """Return the mean over tasks of the means over seeds."""
    return mean_last(over_tasks(mean_last, scores))


def median_of(scores: Scores) -> Floats:
    """Return the median over tasks of the means over seeds."""
    means = np.sort(over_tasks(mean_last, scores), axis=-1)  # faster than NumPy's own median
    count = means.shape[-1]
    median: Floats = (means[..., (count - 1) // 2] + means[..., count // 2]) / 2
    return median


def optimality_gap(scores: Scores, target: float = 100.0) -> Floats:
    """Return by how much the scores, cut off above ``target``, stay below it: less is better."""
    return target - mean_last(over_tasks(lambda x: mean_last(np.minimum(x, target)), scores))


def iqm(scores: Scores) -> Floats:
    """Return the interquartile mean: of all runs together, without the lowest and highest 25 %.

    The quarter is rounded down to whole runs. Where tasks differ in seeds, each run counts as
    often as makes its task as heavy as the others.
    """
    arrays = task_arrays(scores)
    seeds = [array.shape[-1] for array in arrays]
    copies = math.lcm(*seeds)
    pooled = np.concatenate(arrays, axis=-1)
    cut = len(seeds) * copies // 4
    kept = len(seeds) * copies - 2 * cut
    if len(set(seeds)) == 1:  # every run counts once: nothing to carry along while sorting
        pooled.sort(axis=-1)
        return mean_last(pooled[..., cut : cut + kept])
    weights = np.repeat([float(copies // n) for n in seeds], seeds)
    order = np.argsort(pooled, axis=-1)
    pooled.sort(axis=-1)
    # How much weight lies inside the middle half, up to each run; its steps weigh the runs.
    inside = np.cumsum(weights.take(order, mode="clip"), axis=-1)
    np.clip(inside - cut, 0, kept, out=inside)
    steps = np.diff(inside, axis=-1, prepend=0.0)
    total: Floats = np.einsum("...n,...n->...", pooled, steps)
    return total / kept


def mean_last(array: Floats) -> Floats:
    """Return the mean over the last axis, ``(..., n)`` to ``(...)``."""
    total: Floats = np.einsum("...n->...", array)  # several times faster than sum for short axes
    mean: Floats = total / array.shape[-1]
    return mean
