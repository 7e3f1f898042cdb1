from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics.performance_profile import performance_profile


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_shares_above_each_threshold_tasks_weighing_alike() -> None:
    scores = {"a": np.array([0.0, 10.0, 20.0, 30.0]), "b": np.array([25.0, 5.0])}
    values, low, high = performance_profile(scores, [-1, 0, 10, 25, 30], generator())
    # a: 1, 3/4, 2/4, 1/4, 0; b: 1, 1, 1/2, 0, 0: a score at the threshold is not above it
    assert values.tolist() == [1.0, 0.875, 0.5, 0.125, 0.0]
    assert (low <= values).all()
    assert (values <= high).all()
    assert low[0] == high[0] == 1.0
    assert low[-1] == high[-1] == 0.0


def test_bounds_are_those_of_a_binomial() -> None:
    # 20 of 50 runs lie above: redrawn, the count is binomial with n = 50, p = 0.4.
    scores = {"a": np.where(np.arange(50) < 20, 1.0, -1.0)}
    _, low, high = performance_profile(scores, [0.0], generator(), resamples=20_000)
    exact = np.cumsum([binomial(50, k, 0.4) for k in range(51)])
    assert low[0] * 50 == pytest.approx(np.searchsorted(exact, 0.025), abs=1)
    assert high[0] * 50 == pytest.approx(np.searchsorted(exact, 0.975), abs=1)


def binomial(n: int, k: int, p: float) -> float:
    from math import comb

    return comb(n, k) * p**k * (1 - p) ** (n - k)


def test_without_a_second_seed_the_band_is_the_line() -> None:
    scores = {"a": np.array([10.0]), "b": np.array([30.0])}
    values, low, high = performance_profile(scores, [0, 20, 40], generator())
    assert values.tolist() == low.tolist() == high.tolist() == [1.0, 0.5, 0.0]
