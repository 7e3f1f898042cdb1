"""The kitchen through gymnasium-robotics, in D4RL's layout: 30 positions, then 30 of the goal.

The robot and the kitchen are D4RL's. As there, positions are seen with noise, the reward counts
the things that are newly within 0.3 of where they should be as they are seen, and the episode
ends when all four are done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._robotics import make_robotics
from qipo_ray.evaluation.camera import Camera
from qipo_ray.evaluation.env import Reach
from qipo_ray.evaluation.sync_vector_env import EnvStep

_FIRST = ("microwave", "kettle", "light switch", "slide cabinet")
ELEMENTS = {
    "kitchen-complete": _FIRST,
    "kitchen-partial": _FIRST,
    "kitchen-mixed": ("microwave", "kettle", "bottom burner", "light switch"),
}
_NOISE = 0.1  # of the robot's specification
_LAST_AMPLITUDE = 0.005  # of position 29, which gymnasium-robotics does not read
_JOINTS = 9  # of the robot; the other 21 positions are those of things


class KitchenEnv:
    """The kitchen with the four things to do of a task, such as kitchen-mixed."""

    action_size = 9
    goal_steps = 1
    reach: Reach = "starts"

    def __init__(self, name: str) -> None:
        """Make the environment."""
        self._environment = make_robotics("FrankaKitchen-v1", robot_noise_ratio=_NOISE)
        self._core: Any = self._environment.unwrapped
        from gymnasium_robotics.envs.franka_kitchen import kitchen_env

        self._near: float = kitchen_env.BONUS_THRESH
        self._where = {key: kitchen_env.OBS_ELEMENT_INDICES[key] for key in ELEMENTS[name]}
        self._goal = np.zeros(30)
        for key, where in self._where.items():
            self._goal[where] = kitchen_env.OBS_ELEMENT_GOALS[key]
        amplitudes = np.append(self._core.robot_env.robot_pos_noise_amp, _LAST_AMPLITUDE)
        self._noise = _NOISE * amplitudes[_JOINTS:]
        self._rng = np.random.default_rng(0)
        self._left = set(self._where)
        self._camera: Camera | None = None

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(60,)``."""
        self._rng = np.random.default_rng(seed)
        self._left = set(self._where)
        observation, _ = self._environment.reset(seed=seed)
        return self._seen(observation["observation"][:_JOINTS])

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(9,)`` does: joint velocities, 1 is 2 rad/s."""
        observation = self._environment.step(action)[0]["observation"]
        seen = self._seen(observation[:_JOINTS])
        done = {
            key
            for key in self._left
            if np.linalg.norm(seen[self._where[key]] - self._goal[self._where[key]]) < self._near
        }
        self._left -= done
        return EnvStep(seen, float(len(done)), not self._left, not self._left)

    def place(self, observation: NDArray[np.floating]) -> bool:
        """Take an episode's first state ``(60,)``: where everything is, at rest."""
        seen = observation[:30].astype(np.float64)
        robot = self._core.robot_env
        robot.set_state(seen, np.zeros(robot.model.nv))
        robot._last_robot_qpos = seen[:_JOINTS]  # what its velocity control goes on from
        self._left = set(self._where)
        return True

    def picture(self) -> NDArray[np.uint8]:
        """Return the kitchen from behind the robot."""
        if self._camera is None:
            self._camera = Camera(
                self._core.model,
                lookat=(-0.2, 0.5, 2.0),
                distance=2.2,
                azimuth=70.0,
                elevation=-35.0,
            )
        return self._camera.picture(self._core.data)

    def close(self) -> None:
        """Close the environment."""
        if self._camera is not None:
            self._camera.close()
        self._environment.close()

    def _seen(self, joints: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the observation: joints as the robot sees them, things with noise, the goal."""
        things = self._core.data.qpos[_JOINTS:]
        noisy = things + self._noise * self._rng.uniform(-1, 1, len(things))
        return np.concatenate([joints, noisy, self._goal])
