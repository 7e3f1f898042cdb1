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


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation (n - 1) of finite ``values``, one per seed.

    The mean of equal values is that value exactly.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("spread: expected at least one value")
    first, count = values[0], len(values)
    mean = first + math.fsum(value - first for value in values) / count
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (count - 1)) if count > 1 else None, count)
