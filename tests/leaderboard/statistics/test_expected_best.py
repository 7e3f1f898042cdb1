from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics.expected_best import expected_best


def test_the_best_of_k_is_that_of_all_subsets() -> None:
    values, costs = [12.0, 55.0, 30.0, 55.0, -4.0, 41.0], [10, 10, 20, 10, 30, 10]
    curve = expected_best(values, costs)
    for k in range(1, 7):
        best = [max(chosen) for chosen in combinations(values, k)]
        assert curve.value[k - 1] == pytest.approx(np.mean(best), abs=1e-12)
        spent = [sum(chosen) for chosen in combinations(costs, k)]
        assert curve.episodes[k - 1] == pytest.approx(np.mean(spent), abs=1e-12)
        low, high = (np.quantile(best, q, method="inverted_cdf") for q in (0.025, 0.975))
        assert (curve.low[k - 1], curve.high[k - 1]) == (low, high)


def test_one_configuration_is_its_own_best() -> None:
    curve = expected_best([7.5], [20])
    assert [x.tolist() for x in (curve.episodes, curve.value, curve.low, curve.high)] == [
        [20.0],
        [7.5],
        [7.5],
        [7.5],
    ]


def test_many_configurations_stay_exact() -> None:
    # The expected maximum of k of the numbers 1..n is k (n + 1) / (k + 1).
    n = 1000
    curve = expected_best(list(range(n, 0, -1)), [1] * n)
    k = np.arange(1, n + 1)
    assert curve.value == pytest.approx(k * (n + 1) / (k + 1), rel=1e-9)
    assert curve.value[-1] == curve.low[-1] == curve.high[-1] == n
    assert (np.diff(curve.value) > 0).all()


def test_the_band_of_one_draw_is_where_the_counts_say() -> None:
    # Of 400 equally likely values 10 are 2.5 % and 390 are 97.5 %, without a remainder.
    curve = expected_best(list(range(1, 401)), [1] * 400)
    assert (curve.low[0], curve.high[0]) == (10, 390)


def test_what_cannot_be_drawn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="a cost for each value, got 1 for 2"):
        expected_best([1.0, 2.0], [10])
    with pytest.raises(ValueError, match="got 0 for 0"):
        expected_best([], [])
    with pytest.raises(ValueError, match="not finite"):
        expected_best([1.0, float("inf")], [10, 10])
