"""UCB over finished policies: what a budget of episodes buys."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics.best_arm import bandit_regrets


def test_more_episodes_leave_less_regret_and_many_leave_none() -> None:
    rng = np.random.default_rng(1)
    policies = [(mean + 25 * rng.normal(size=40)).tolist() for mean in (0, 5, 20)]
    few, some, many = bandit_regrets(policies, [3, 15, 150], np.random.default_rng(0))
    assert few > some > many >= 0 and many < few / 4
    again = bandit_regrets(policies, [3, 15, 150], np.random.default_rng(0))
    assert again == [few, some, many]


def test_without_noise_one_episode_of_each_is_enough() -> None:
    policies = [[1.0, 1.0], [7.0], [3.0] * 5]
    assert bandit_regrets(policies, [3], np.random.default_rng(0)) == [0.0]
    (only_two,) = bandit_regrets(policies[::-1], [1], np.random.default_rng(0))
    assert only_two == pytest.approx(4.0)  # it has tried the last alone
