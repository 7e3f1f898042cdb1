"""What a simulator is, and which one a task needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.evaluation.sync_vector_env import Env

# Where a simulator can be set to a recorded observation: at any row, or, where it shows no
# velocities, at the first row of an episode, which starts at rest.
Reach = Literal["rows", "starts"]


class VectorStep(NamedTuple):
    """What one simulator step returns for the L stepped episodes."""

    observations: NDArray[np.float32]  # (L, S), the states reached
    rewards: NDArray[np.float64]  # (L,)
    terminated: NDArray[np.bool_]  # (L,), true ends; the horizon is the rollout's business
    at_goal: NDArray[np.bool_]  # (L,), all False in a task without a goal


class VectorEnv(Protocol):
    """E independent episodes of one task, stepped together; no episode resets itself.

    An episode depends on its own seed and actions alone, not on the others beside it.
    """

    action_size: int
    goal_steps: int  # steps at the goal that make an episode a success; 0: there is no goal
    reach: Reach  # of ``place``

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)`` of one new episode per seed."""

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> VectorStep:
        """Return what actions ``(L, A)`` in [-1, 1] do in the episodes ``live``, ``(L,)``."""

    def place(self, observation: NDArray[np.floating]) -> bool:
        """Put episode 0 into the state of a recorded one ``(S,)``; False if it shows not all.

        A reward that then depends on what is not observed is NaN.
        """

    def picture(self) -> NDArray[np.uint8]:
        """Return how episode 0 looks now, ``(H, W, 3)``; ``UserError`` if none can be drawn."""

    def close(self) -> None:
        """Free what the simulator holds."""


# Departure D30: current MuJoCo, not the simulators of D4RL's package.
def make_env(task: Task) -> VectorEnv:
    """Return the simulator of ``task``.

    Raises:
        UserError: if the package that simulates the task is not installed.
    """
    if task.family == "point":
        from qipo_ray.evaluation.point_env import PointVectorEnv

        return PointVectorEnv(task.horizon)
    from qipo_ray.evaluation.sync_vector_env import SyncVectorEnv

    try:
        return SyncVectorEnv(_world(task))
    except ModuleNotFoundError as error:
        if error.name != "gymnasium_robotics":
            raise
        raise UserError(
            f"task {task.id!r} is simulated by gymnasium-robotics, which is not installed: "
            "pip install 'qipo_ray[robotics]'"
        ) from None


def _world(task: Task) -> Callable[[], Env]:
    """Return what makes one world of ``task``; heavy packages are imported by its first call."""
    if task.family == "maze2d":
        from qipo_ray.evaluation.maze2d import Maze2dEnv

        return lambda: Maze2dEnv(task.simulator)
    if task.family == "antmaze":
        from qipo_ray.evaluation.antmaze import AntmazeEnv

        return lambda: AntmazeEnv(task.simulator)
    if task.family == "adroit":
        from qipo_ray.evaluation.adroit import AdroitEnv

        return lambda: AdroitEnv(task.simulator)
    if task.family == "kitchen":
        from qipo_ray.evaluation.kitchen import KitchenEnv

        return lambda: KitchenEnv(task.simulator)
    from qipo_ray.evaluation.locomotion import LocomotionEnv

    return lambda: LocomotionEnv(task.simulator)
