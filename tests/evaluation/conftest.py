"""Data sets recorded from a task's own simulator, as D4RL's scripts record theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.registry import make_env


def _record(task_id: str, episodes: int = 8, steps: int = 25, seed: int = 0) -> Dataset:
    """Episodes of random actions that change slowly; one that goes on ends with a timeout."""
    task, rng, live = get_task(task_id), np.random.default_rng(seed), np.array([0])
    envs = make_env(task)
    rows: dict[str, list] = {key: [] for key in ("state", "action", "reward", "end", "cut")}
    for episode in range(episodes):
        state = envs.reset([seed + episode])[0]
        action = np.zeros(envs.action_size)
        for step in range(steps):
            action = np.clip(action + rng.uniform(-0.5, 0.5, len(action)), -1, 1)
            result = envs.step(live, action[None].astype(np.float32))
            ended = bool(result.terminated[0])
            for key, value in zip(
                rows, (state, action, result.rewards[0], ended, step == steps - 1), strict=True
            ):
                rows[key].append(value)
            state = result.observations[0]
            if ended:
                break
    envs.close()
    rewards = np.float32(rows["reward"])
    if task.family == "maze2d":  # there a reward belongs to the state before the step
        rewards = np.append(rewards[-1:], rewards[:-1])
    return Dataset(
        task_id=task_id,
        path=Path("recorded.hdf5"),
        source="other",
        sha256="0" * 64,
        rows=len(rewards),
        observations=np.float32(rows["state"]),
        actions=np.float32(rows["action"]),
        rewards=rewards,
        terminals=np.array(rows["end"]),
        timeouts=np.array(rows["cut"]) & ~np.array(rows["end"]),
        next_observations=None,
    )


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Dataset]:
    """A function that records episodes of a task."""
    return _record
