"""Locomotion through Gymnasium: one environment per episode, stepped only while it is alive.

Gymnasium's vector environments reset a finished episode by themselves, which would step (and
pay for) phantom episodes until the slowest one ends; single environments do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._mujoco import load_mujoco
from qipo_ray.evaluation.simulators import Step


class GymnasiumSimulator:
    """E environments ``name``, such as Hopper-v5."""

    rewards_mark_goal = False

    def __init__(self, name: str) -> None:
        """Make the first environment, which tells the size of an action."""
        load_mujoco()
        self._name = name
        self._environments = [_make(name)]
        self.action_size = int(self._environments[0].action_space.shape[0])

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)``; environments are made as they are needed."""
        while len(self._environments) < len(seeds):
            self._environments.append(_make(self._name))
        pairs = zip(self._environments, seeds, strict=False)
        return np.stack([env.reset(seed=seed)[0] for env, seed in pairs]).astype(np.float32)

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> Step:
        """Return what actions ``(L, A)`` do in the environments ``live``."""
        results = [
            self._environments[index].step(action)
            for index, action in zip(live, actions, strict=True)
        ]
        observations, rewards, terminated, _, _ = zip(*results, strict=True)
        return Step(
            np.stack(observations).astype(np.float32),
            np.array(rewards, dtype=np.float64),
            np.array(terminated, dtype=bool),
        )

    def close(self) -> None:
        """Close every environment."""
        for environment in self._environments:
            environment.close()


def _make(name: str) -> Any:
    """Return one environment without time limit: the rollout keeps the task's horizon."""
    import gymnasium

    with warnings.catch_warnings():
        # Walker2d-v4 is out of date on purpose: it is D4RL's model.
        warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
        return gymnasium.make(name, max_episode_steps=-1, disable_env_checker=True)
