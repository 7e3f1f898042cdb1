"""Rollouts against plain loops over one environment, and what they refuse."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation._mujoco import restore_contacts
from qipo_ray.evaluation.maze2d import PointMass
from qipo_ray.evaluation.mazes import MAZES
from qipo_ray.evaluation.rollout import rollout


def fixed_policy(state_size: int, action_size: int):
    """A deterministic policy; some of its actions lie outside of [-1, 1].

    It goes row by row: a product over a batch rounds differently, which HalfCheetah amplifies.
    """
    weights = np.random.default_rng(7).normal(0, 0.7, (state_size, action_size))
    return lambda observations, live=None: np.stack(
        [1.5 * np.sin(observation @ weights) for observation in observations]
    )


def plain_loop(name: str, policy, seed: int, horizon: int) -> tuple[float, int]:
    """The textbook loop over a fully wrapped Gymnasium environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        environment = gymnasium.make(name, max_episode_steps=horizon)
    restore_contacts(environment.unwrapped.model)
    observation, _ = environment.reset(seed=seed)
    total, steps, over = 0.0, 0, False
    while not over:
        action = policy(np.float32(observation)[None])[0].clip(-1, 1)
        observation, reward, terminated, truncated, _ = environment.step(action)
        total, steps, over = total + float(reward), steps + 1, terminated or truncated
    environment.close()
    return total, steps


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("task_id", "horizon", "sizes", "ends"),
    [
        ("hopper-medium-v2", 1000, (11, 3), "early"),
        ("hopper-medium-v2", 20, (11, 3), "both"),
        ("walker2d-medium-v2", 1000, (17, 6), "early"),
        ("halfcheetah-medium-v2", 1000, (17, 6), "late"),
    ],
)
def test_episodes_equal_a_plain_loop(task_id, horizon, sizes, ends) -> None:
    task = replace(get_task(task_id), horizon=horizon)
    policy = fixed_policy(*sizes)
    seeds = range(1001, 1009) if ends != "late" else range(1001, 1003)
    got = rollout(task, policy, seeds)
    expected = [plain_loop(task.simulator, policy, seed, horizon) for seed in seeds]
    assert got.lengths.tolist() == [steps for _, steps in expected]
    np.testing.assert_allclose(got.returns, [total for total, _ in expected], rtol=1e-12)
    assert got.success is None
    late = got.lengths == horizon
    assert {"early": not late.any(), "late": late.all(), "both": 0 < late.sum() < 8}[ends]
    if ends != "late":
        assert len(set(got.lengths.tolist())) > 1


def test_policy_is_told_who_is_alive() -> None:
    live_lists: list[list[int]] = []
    inner = fixed_policy(11, 3)

    def policy(observations, live):
        assert observations.dtype == np.float32 and observations.shape == (len(live), 11)
        live_lists.append(live.tolist())
        return inner(observations)

    got = rollout(get_task("hopper-medium-v2"), policy, range(5))
    assert len(live_lists) == got.lengths.max()
    for step, live in enumerate(live_lists):
        assert live == np.flatnonzero(got.lengths > step).tolist()


@pytest.mark.parametrize(
    ("task_id", "sizes"),
    [("point", (2, 2)), ("maze2d-umaze", (4, 2)), ("hopper-medium-v2", (11, 3))],
)
def test_an_episode_does_not_depend_on_the_others(task_id, sizes) -> None:
    task, policy = get_task(task_id), fixed_policy(*sizes)
    together = rollout(task, policy, [3, 1, 2])
    alone = [rollout(task, policy, [seed]) for seed in (3, 1, 2)]
    assert together.returns.tolist() == [single.returns[0] for single in alone]
    assert together.lengths.tolist() == [single.lengths[0] for single in alone]
    assert rollout(task, policy, [3, 1, 2]).returns.tolist() == together.returns.tolist()


def test_actions_are_clipped() -> None:
    task = get_task("point")

    def pushing(strength):
        return rollout(task, lambda o, live: np.full((len(live), 2), strength), range(4)).returns

    assert pushing(1.0).tolist() == pushing(50.0).tolist() != pushing(0.5).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_that_is_not_finite_ends_the_rollout(bad) -> None:
    calls = []

    def policy(observations, live):
        calls.append(0)
        actions = np.zeros((len(live), 2))
        actions[-1, 1] = bad if len(calls) == 4 else 0
        return actions

    with pytest.raises(ValueError, match="step 3: .* not finite"):
        rollout(get_task("point"), policy, range(3))
    assert len(calls) == 4


def test_a_wrong_action_shape_is_refused() -> None:
    with pytest.raises(TypeError, match=r"step 0: .*\(3, 1\), not \(3, 2\)"):
        rollout(get_task("point"), lambda o, live: np.zeros((3, 1)), range(3))


def test_mujoco_warnings_leave_no_file(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    mass = PointMass(MAZES["maze2d-umaze"])
    with caplog.at_level(logging.WARNING):
        mass.push(float("nan"), 0.0)
    assert "CTRL" in caplog.text
    assert list(tmp_path.iterdir()) == []
