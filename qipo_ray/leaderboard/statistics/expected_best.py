"""What a search is worth for what it spent: the best score against online evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qipo_ray.leaderboard.statistics.bootstrap import LEVEL
from qipo_ray.leaderboard.statistics.point_estimates import Floats


@dataclass(frozen=True)
class ExpectedBest:
    """The best of the first k configurations, k from 1 to n, tried in random order; all (n,)."""

    episodes: Floats  # online evaluation episodes that k configurations take, expected
    value: Floats  # expected score of the best of k
    low: Floats  # between low and high the best of k lies in 95 % of all orders
    high: Floats


def expected_best(values: Sequence[float], episodes: Sequence[float]) -> ExpectedBest:
    """Return the best score to be expected for a budget of online evaluations.

    ``values`` are the measured scores of all n configurations tried, ``episodes`` what each
    measurement took. The curve is exact: the maximum of k drawn without replacement, as in
    Kurenkov and Kolesnikov 2022 (arXiv 2110.04156), who draw with replacement. It is optimistic
    where ``values`` are the scores that the selection saw.

    Raises:
        ValueError: no values, one that is not finite, or not one cost for each.
    """
    scores, costs = np.sort(np.asarray(values, dtype=float)), np.asarray(episodes, dtype=float)
    if scores.size == 0 or scores.shape != costs.shape:
        raise ValueError(f"expected a cost for each value, got {costs.size} for {scores.size}")
    if not (np.isfinite(scores).all() and np.isfinite(costs).all()):
        raise ValueError("a value or its cost is not finite")
    count = scores.size
    rank = np.arange(1, count + 1)
    below = rank / count  # P(best of k <= scores[i]) = C(i, k) / C(n, k), here for k = 1
    points = []
    for k in range(1, count + 1):
        ends = [
            np.searchsorted(below, tail - 1e-12) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        ]
        expected = np.diff(below, prepend=0.0) @ scores
        points.append((k * costs.mean(), expected, *scores[ends]))
        below = below * np.maximum(rank - k, 0) / max(count - k, 1)
    return ExpectedBest(*np.array(points).T)
