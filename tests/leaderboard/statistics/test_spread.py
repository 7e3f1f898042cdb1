from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics.spread import Spread, spread


def test_spread_is_the_sample_standard_deviation() -> None:
    values = [53.1, 49.0, 60.25, 12.5]
    result = spread(values)
    assert result.count == 4
    centre = (53.1 + 49.0 + 60.25 + 12.5) / 4
    assert result.mean == pytest.approx(centre, rel=1e-15)
    squares = sum((value - centre) ** 2 for value in values)
    assert result.std == pytest.approx(math.sqrt(squares / 3), rel=1e-14)


def test_one_seed_has_no_deviation() -> None:
    assert spread([3.5]) == Spread(3.5, None, 1)


def test_equal_values_have_none_either() -> None:
    assert spread([0.1] * 3) == Spread(mean=0.1, std=0.0, count=3)


def test_the_mean_is_right_to_the_last_digits() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        values = (generator.normal(50, 30, 5) * 10.0 ** generator.integers(-9, 9)).tolist()
        exact = sum(map(Fraction, values)) / len(values)
        assert spread(values).mean == pytest.approx(
            float(exact), rel=4e-16, abs=1e-15 * abs(values[0])
        )


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])
