"""The toy task: dynamics, data, and reference scores."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.point_env import GOAL, PointVectorEnv, behaviour, point_rows
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import normalised

TASK = get_task("point")


def mean_score(policy, episodes: int) -> float:
    return normalised(TASK, float(rollout(TASK, policy, range(episodes)).returns.mean()))


@pytest.mark.slow
def test_references_are_the_behaviour_and_the_straight_way() -> None:
    rng = np.random.default_rng(0)
    behaved = mean_score(lambda o, live: behaviour(len(live), rng), 4000)
    assert behaved == pytest.approx(0, abs=2.5)  # standard error 0.8
    straight = mean_score(lambda o, live: (np.array(GOAL) - o) / 0.15, 4000)
    assert straight == pytest.approx(100, abs=0.6)  # standard error 0.2


def test_one_step_by_hand() -> None:
    envs = PointVectorEnv(horizon=1)
    start = envs.reset([11])[0]
    step = envs.step(np.array([0]), np.array([[1.0, -0.5]]))
    rng = np.random.default_rng(11)
    by_hand = rng.uniform(-1, 1, 2)
    assert start == pytest.approx(by_hand, abs=1e-6)
    by_hand = (by_hand + [0.15, -0.075] + 0.01 * rng.standard_normal((1, 2))[0]).clip(-1, 1)
    assert step.observations[0] == pytest.approx(by_hand, abs=1e-6)
    assert step.rewards[0] == pytest.approx(-np.linalg.norm(by_hand - 0.6), abs=1e-9)


def test_no_point_leaves_the_square() -> None:
    envs = PointVectorEnv(horizon=25)
    envs.reset(range(50))
    corner = np.tile([1.0, -1.0], (50, 1))
    for _ in range(25):
        reached = envs.step(np.arange(50), corner).observations
    assert np.abs(reached).max() <= 1
    assert reached == pytest.approx(corner, abs=0.05)


def test_rows_are_whole_episodes_that_chain() -> None:
    rows = point_rows(110, seed=3, horizon=25)
    assert all(len(array) == 110 for array in rows.values())
    assert np.flatnonzero(rows["timeouts"]).tolist() == [24, 49, 74, 99]
    assert not rows["terminals"].any()
    inside = ~rows["timeouts"][:-1]
    following, reached = rows["observations"][1:], rows["next_observations"][:-1]
    np.testing.assert_array_equal(following[inside], reached[inside])
    assert not np.isclose(following[~inside], reached[~inside]).all(axis=1).any()
    moved = rows["observations"] + 0.15 * rows["actions"]
    assert np.abs(rows["next_observations"] - moved.clip(-1, 1)).max() < 0.06  # noise of .01
    distance = np.linalg.norm(rows["next_observations"] - 0.6, axis=1)
    np.testing.assert_allclose(rows["rewards"], -distance, atol=1e-6)


def test_behaviour_moves_in_eight_directions() -> None:
    actions = behaviour(4000, np.random.default_rng(0))
    assert np.abs(actions).max() <= 1
    assert np.abs(actions.mean(axis=0)).max() < 0.05
    angles = np.arctan2(actions[:, 1], actions[:, 0]) / (np.pi / 4)
    nearest = np.round(angles).astype(int) % 8
    assert np.bincount(nearest, minlength=8).min() > 400  # 500 expected
    assert np.abs(angles - np.round(angles)).mean() < 0.2  # 0.25 if there were no directions
