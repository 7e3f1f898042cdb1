"""Adroit through gymnasium-robotics, with D4RL's rewards, ends and successes.

The models are D4RL's own. Two things are put right: gymnasium-robotics adds the tenth of the
palm's distance to the door's handle, the hammer or the ball to the reward, where D4RL subtracts
it; and it goes on after the pen was dropped, where D4RL ends the episode.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._robotics import make_robotics
from qipo_ray.evaluation.simulators import Reach
from qipo_ray.evaluation.worlds import Moment, Row

_DROPPED = 0.075  # height of a pen that is dropped


class _Kind(NamedTuple):
    grasped: str | None  # what the palm should reach; 0.1 per metre of distance
    goal_steps: int  # D4RL's evaluate_success: more than 20 (pen) or 25 steps
    scene: tuple[str, ...]  # columns that say where things stood


_KINDS = {
    "AdroitHandPen-v1": _Kind(None, 21, ("infos/desired_orien",)),
    "AdroitHandDoor-v1": _Kind("handle", 26, ("infos/door_body_pos",)),
    "AdroitHandHammer-v1": _Kind("object", 26, ("infos/board_pos",)),
    "AdroitHandRelocate-v1": _Kind("object", 26, ("infos/obj_pos", "infos/target_pos")),
}


class AdroitWorld:
    """One environment ``name``, such as AdroitHandPen-v1, without time limit."""

    def __init__(self, name: str) -> None:
        """Make the environment."""
        self._environment = make_robotics(name)
        self._core: Any = self._environment.unwrapped
        self._name, self._kind = name, _KINDS[name]
        self.action_size = int(self._core.action_space.shape[0])
        self.goal_steps = self._kind.goal_steps

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)``."""
        return self._environment.reset(seed=seed)[0]

    def step(self, action: NDArray[np.floating]) -> Moment:
        """Return what an action ``(A,)`` does."""
        observation, reward, _, _, info = self._environment.step(action)
        if self._kind.grasped is not None:
            reward -= 0.2 * float(np.linalg.norm(self._palm() - self._grasped()))
        dropped = self._kind.grasped is None and self._grasped()[2] < _DROPPED
        return Moment(observation, float(reward), bool(dropped), bool(info["success"]))

    def reach(self, columns: Collection[str]) -> Reach:
        """Return ``"rows"`` for a file with its ``infos``, else ``"starts"``."""
        needed = {"infos/qpos", "infos/qvel", *self._kind.scene}
        return "rows" if needed <= set(columns) else "starts"

    def place(self, row: Row) -> bool:
        """Take a row's state: from its ``infos``, else from an observation at rest."""
        told = {key: np.asarray(values, dtype=np.float64) for key, values in row.items()}
        if self.reach(told.keys()) == "rows":
            qpos, qvel = told["infos/qpos"], told["infos/qvel"]
            scene = [told[key] for key in self._kind.scene]
        else:
            qpos, scene = self._at_rest(told["observations"])
            qvel = np.zeros(self._core.model.nv)
        self._core.set_state(qpos, qvel)
        self._arrange(scene)
        self._core.set_state(qpos, qvel)
        return True

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()

    def _arrange(self, scene: Sequence[NDArray[np.float64]]) -> None:
        """Move what stands in the scene to where it was recorded, given the joints' positions."""
        core, model, data = self._core, self._core.model, self._core.data
        if self._name == "AdroitHandPen-v1":
            model.body_quat[core.target_obj_body_id] = scene[0]
        elif self._name == "AdroitHandDoor-v1":
            model.body_pos[core.door_body_id] = scene[0]
        elif self._name == "AdroitHandHammer-v1":
            model.body_pos[core.target_body_id] = scene[0]
        else:
            # The recorded place is that of the ball as its joints have moved it.
            model.body_pos[core.obj_body_id] += scene[0] - data.xpos[core.obj_body_id]
            model.site_pos[core.target_obj_site_id] = scene[1]

    def _at_rest(
        self, shown: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """Return the joints' positions and the scene of an episode's first observation."""
        core, model, data = self._core, self._core.model, self._core.data
        qpos = np.zeros(model.nq)
        rest = np.zeros(model.nv)
        if self._name == "AdroitHandPen-v1":
            qpos[:24] = shown[:24]
            core.set_state(qpos, rest)
            now = data.site_xpos[core.tar_t_site_id] - data.site_xpos[core.tar_b_site_id]
            quat = model.body_quat[core.target_obj_body_id]
            return qpos, [_turned(quat, now / np.linalg.norm(now), shown[36:39])]
        if self._name == "AdroitHandDoor-v1":
            qpos[1:28], qpos[28], qpos[29] = shown[:27], shown[28], shown[27]
            core.set_state(qpos, rest)
            before = self._palm().copy()
            qpos[0] = 1.0
            core.set_state(qpos, rest)
            # The first joint slides the arm and is not observed: the palm tells it.
            qpos[0] = (shown[29:32] - before) @ (self._palm() - before)
            core.set_state(qpos, rest)
            frame = model.body_pos[core.door_body_id]
            return qpos, [frame + shown[32:35] - self._grasped()]
        if self._name == "AdroitHandHammer-v1":
            qpos[:27] = shown[:27]
            core.set_state(qpos, rest)
            board = model.body_pos[core.target_body_id]
            return qpos, [board + shown[42:45] - data.site_xpos[core.target_obj_site_id]]
        qpos[:30] = shown[:30]
        core.set_state(qpos, rest)
        return qpos, [self._palm() - shown[30:33], self._palm() - shown[33:36]]

    def _palm(self) -> NDArray[np.float64]:
        core = self._core
        site = core.grasp_site_id if self._kind.grasped == "handle" else core.S_grasp_site_id
        return core.data.site_xpos[site]

    def _grasped(self) -> NDArray[np.float64]:
        core = self._core
        if self._kind.grasped == "handle":
            return core.data.site_xpos[core.handle_site_id]
        return core.data.xpos[core.obj_body_id]


def _turned(
    quat: NDArray[np.float64], now: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the orientation ``quat`` turned, the short way, so that ``now`` points as wanted."""
    import mujoco

    turn = np.concatenate([[1.0 + now @ wanted], np.cross(now, wanted)])
    result = np.empty(4)
    mujoco.mju_mulQuat(result, turn / np.linalg.norm(turn), quat)
    return result
