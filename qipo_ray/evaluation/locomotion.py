"""Locomotion through Gymnasium: the versions whose model and rewards are those of D4RL's.

D4RL used the v2 environments. Hopper-v4, Walker2d-v4 and Ant-v4 keep their rewards (the alive
bonus counts in the last step of a fall, which v5 dropped) and their models; Ant-v4 shows the
contact forces only when asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.evaluation.mujoco_env import GymnasiumEnv, make

_OPTIONS: dict[str, dict[str, Any]] = {"Ant-v4": {"use_contact_forces": True}}
_MAX_SPEED = 10.0  # Hopper and Walker2d show faster joints as this fast


class LocomotionEnv(GymnasiumEnv):
    """One environment ``name``, such as Hopper-v4, without time limit."""

    success_steps = 0
    restorable_from: RestorableFrom = "any_row"

    def __init__(self, name: str) -> None:
        """Make the environment."""
        super().__init__(make(name, **_OPTIONS.get(name, {})), name="track")
        self._hidden = 2 if name.startswith("Ant") else 1  # positions that are not observed
        self._speed_limit = np.inf if name.startswith(("HalfCheetah", "Ant")) else _MAX_SPEED

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` does."""
        observation, reward, terminated, _, _ = self._environment.step(action)
        return EnvStep(observation, float(reward), terminated, False)

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take a recorded state ``(S,)``; False where it may hide how fast a joint was."""
        model = self._core.model
        size = model.nq - self._hidden
        qpos = np.concatenate([np.zeros(self._hidden), observation[:size]], dtype=np.float64)
        qvel = observation[size : size + model.nv].astype(np.float64)
        self._core.set_state(qpos, qvel)
        return bool(np.abs(qvel).max() < self._speed_limit)
