"""The statistics of a table: over training seeds, never over episodes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A mean over training seeds with its sample standard deviation."""

    mean: float
    std: float | None  # divided by count - 1; None for a single seed
    count: int  # seeds


def mean(values: Sequence[float]) -> float:
    """Return the mean of finite ``values``, exactly rounded; ValueError if there are none."""
    return statistics.mean(values)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation (n - 1) of ``values``, one per seed.

    Raises:
        ValueError: if there are no values.
    """
    std = statistics.stdev(values) if len(values) > 1 else None
    return Spread(mean(values), std, len(values))
