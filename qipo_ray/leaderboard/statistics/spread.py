"""The plain statistics of a table's row: over training seeds, never over episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A mean over training seeds with its sample standard deviation."""

    mean: float
    std: float | None  # divided by count - 1; None for a single seed
    count: int  # seeds


def mean(values: Sequence[float]) -> float:
    """Return the mean of finite ``values``, that of equal ones exactly; ValueError for none."""
    if not values:
        raise ValueError("mean: expected at least one value")
    first = values[0]
    return first + math.fsum(value - first for value in values) / len(values)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation (n - 1) of ``values``, one per seed.

    Raises:
        ValueError: if there are no values.
    """
    centre, count = mean(values), len(values)
    squares = math.fsum((value - centre) ** 2 for value in values)
    return Spread(centre, math.sqrt(squares / (count - 1)) if count > 1 else None, count)
