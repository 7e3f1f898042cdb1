"""Adroit through gymnasium-robotics, with D4RL's rewards, ends and successes.

The models are D4RL's own. Two things are put right: the environments of version 1 add the tenth
of the palm's distance to the door's handle, the hammer or the ball to the reward, where D4RL and
version 2 subtract it; and they go on after the pen was dropped, where D4RL ends the episode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.evaluation.mujoco_env import GymnasiumEnv, make_robotics

_DROPPED = 0.075  # height of a pen that is dropped


_GOAL_STEPS = {  # D4RL's evaluate_success: more than 20 or 25 steps
    "AdroitHandPen-v1": 21,
    "AdroitHandDoor-v1": 26,
    "AdroitHandHammer-v1": 26,
    "AdroitHandRelocate-v1": 26,
}


_VIEWS: dict[str, dict[str, Any]] = {  # metres and degrees
    "AdroitHandPen-v1": {"lookat": (0.0, -0.2, 0.3), "distance": 1.0, "azimuth": -45.0},
    "AdroitHandDoor-v1": {"distance": 1.5, "azimuth": 90.0},
    "AdroitHandHammer-v1": {"distance": 2.0, "azimuth": 45.0},
    "AdroitHandRelocate-v1": {"distance": 1.5, "azimuth": 90.0},
}


class AdroitEnv(GymnasiumEnv):
    """One environment ``name``, such as AdroitHandPen-v1 or its version 2, without time limit."""

    restorable_from: RestorableFrom = "episode_start"

    def __init__(self, name: str) -> None:
        """Make the environment."""
        environment = make_robotics(name, name.replace("-v1", "-v2"))
        self._adds_distance = environment.spec.id.endswith("-v1") and name != "AdroitHandPen-v1"
        super().__init__(environment, **_VIEWS[name])
        self._name, self._is_pen = name, name == "AdroitHandPen-v1"
        self.success_steps = _GOAL_STEPS[name]

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` does."""
        observation, reward, _, _, info = self._environment.step(action)
        if self._adds_distance:
            reward -= 0.2 * float(np.linalg.norm(self._palm() - self._grasped()))
        dropped = self._is_pen and self._grasped()[2] < _DROPPED
        return EnvStep(observation, float(reward), bool(dropped), bool(info["success"]))

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take an episode's first state ``(S,)``: where the hand and the scene are, at rest."""
        qpos = self._at_rest(observation.astype(np.float64))
        self._core.set_state(qpos, np.zeros(self._core.model.nv))
        return True

    def _at_rest(self, observation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the joints' positions, and move the scene to where it is observed."""
        core, model, data = self._core, self._core.model, self._core.data
        qpos, rest = np.zeros(model.nq), np.zeros(model.nv)
        if self._name == "AdroitHandPen-v1":
            qpos[:24] = observation[:24]
            core.set_state(qpos, rest)
            now = data.site_xpos[core.tar_t_site_id] - data.site_xpos[core.tar_b_site_id]
            quat = model.body_quat[core.target_obj_body_id]
            quat[:] = _rotated(quat, now / np.linalg.norm(now), observation[36:39])
        elif self._name == "AdroitHandDoor-v1":
            qpos[1:28], qpos[28], qpos[29] = observation[:27], observation[28], observation[27]
            core.set_state(qpos, rest)
            before = self._palm().copy()
            qpos[0] = 1.0
            core.set_state(qpos, rest)
            # The first joint slides the arm and is not observed; the palm shows it.
            qpos[0] = (observation[29:32] - before) @ (self._palm() - before)
            core.set_state(qpos, rest)
            model.body_pos[core.door_body_id] += observation[32:35] - self._grasped()
        elif self._name == "AdroitHandHammer-v1":
            qpos[:27] = observation[:27]
            core.set_state(qpos, rest)
            nail = data.site_xpos[core.target_obj_site_id]
            model.body_pos[core.target_body_id] += observation[42:45] - nail
        else:
            qpos[:30] = observation[:30]
            core.set_state(qpos, rest)
            model.body_pos[core.obj_body_id] = self._palm() - observation[30:33]
            model.site_pos[core.target_obj_site_id] = self._palm() - observation[33:36]
        return qpos

    def _palm(self) -> NDArray[np.float64]:
        core = self._core
        is_door = self._name == "AdroitHandDoor-v1"
        return core.data.site_xpos[core.grasp_site_id if is_door else core.S_grasp_site_id]

    def _grasped(self) -> NDArray[np.float64]:
        """Return where the pen, the hammer, the ball or the door's handle is, ``(3,)``."""
        core = self._core
        if self._name == "AdroitHandDoor-v1":
            return core.data.site_xpos[core.handle_site_id]
        return core.data.xpos[core.obj_body_id]


def _rotated(
    quat: NDArray[np.float64], now: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``quat`` turned, the short way, so that ``now`` becomes ``target``, both ``(3,)``."""
    import mujoco

    turn = np.concatenate([[1.0 + now @ target], np.cross(now, target)])
    result = np.empty(4)
    mujoco.mju_mulQuat(result, turn / np.linalg.norm(turn), quat)
    return result
