"""The kitchen through gymnasium-robotics, in D4RL's layout: 30 positions, then 30 of the goal.

The robot and the kitchen are D4RL's. As there, positions are seen with noise, the reward counts
the objects whose observed positions are newly within 0.3 of their goals, and the episode ends when
all four are done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.evaluation.mujoco_env import GymnasiumEnv, make_robotics

_FIRST = ("microwave", "kettle", "light switch", "slide cabinet")
ELEMENTS = {
    "kitchen-complete": _FIRST,
    "kitchen-partial": _FIRST,
    "kitchen-mixed": ("microwave", "kettle", "bottom burner", "light switch"),
}
_NOISE = 0.1  # of the robot's specification
_LAST_AMPLITUDE = 0.005  # of position 29, which gymnasium-robotics does not read
_VIEW = {"distance": 2.2, "azimuth": 70.0, "elevation": -35.0}  # from behind the robot
_JOINTS = 9  # of the robot; the other 21 positions are those of objects


class KitchenEnv(GymnasiumEnv):
    """The kitchen with the four things to do of a task, such as kitchen-mixed."""

    success_steps = 1
    restorable_from: RestorableFrom = "episode_start"

    def __init__(self, name: str) -> None:
        """Make the environment."""
        environment = make_robotics("FrankaKitchen-v1", robot_noise_ratio=_NOISE)
        super().__init__(environment, lookat=(-0.2, 0.5, 2.0), **_VIEW)
        from gymnasium_robotics.envs.franka_kitchen import kitchen_env

        self._near: float = kitchen_env.BONUS_THRESH
        self._indices = {key: kitchen_env.OBS_ELEMENT_INDICES[key] for key in ELEMENTS[name]}
        self._goal = np.zeros(30)
        for key, indices in self._indices.items():
            self._goal[indices] = kitchen_env.OBS_ELEMENT_GOALS[key]
        amplitudes = np.append(self._core.robot_env.robot_pos_noise_amp, _LAST_AMPLITUDE)
        self._noise = _NOISE * amplitudes[_JOINTS:]
        self._rng = np.random.default_rng(0)
        self._remaining = set(self._indices)

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(60,)``."""
        self._rng = np.random.default_rng(seed)
        self._remaining = set(self._indices)
        observation, _ = self._environment.reset(seed=seed)
        return self._observe(observation["observation"][:_JOINTS])

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(9,)`` does: joint velocities, 1 is 2 rad/s."""
        observation = self._environment.step(action)[0]["observation"]
        positions = self._observe(observation[:_JOINTS])
        done = self._remaining & {
            key
            for key, indices in self._indices.items()
            if np.linalg.norm(positions[indices] - self._goal[indices]) < self._near
        }
        self._remaining -= done
        all_done = not self._remaining
        return EnvStep(positions, float(len(done)), all_done, all_done)

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take an episode's first state ``(60,)``: where everything is, at rest."""
        positions = observation[:30].astype(np.float64)
        robot = self._core.robot_env
        robot.set_state(positions, np.zeros(robot.model.nv))
        robot._last_robot_qpos = positions[:_JOINTS]  # what its velocity control goes on from
        self._remaining = set(self._indices)
        return True

    def _observe(self, joints: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the observation: joints as the robot sees them, objects with noise, the goal."""
        objects = self._core.data.qpos[_JOINTS:]
        noisy = objects + self._noise * self._rng.uniform(-1, 1, len(objects))
        return np.concatenate([joints, noisy, self._goal])
