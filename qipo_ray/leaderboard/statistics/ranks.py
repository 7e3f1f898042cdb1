"""Ranks with ties. SciPy has them and the permutation test, but is no dependency of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qipo_ray.leaderboard.statistics.point_estimates import Floats


def mean_ranks(values: Sequence[Any]) -> Floats:
    """Return each value's rank (N,), 1 for the lowest; equal values share their mean rank."""
    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    groups = np.array([numbers[value] for value in values], dtype=int)
    counts = np.bincount(groups)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[groups]
    return ranks
