"""What a simulator is, and which one a task needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError

# Walker2d-v4 is the model that D4RL used; the body of Walker2d-v5 differs.
GYMNASIUM = ("HalfCheetah-v5", "Hopper-v5", "Walker2d-v4")


class Step(NamedTuple):
    """What one simulator step returns for the L stepped episodes."""

    observations: NDArray[np.float32]  # (L, S), the states reached
    rewards: NDArray[np.float64]  # (L,)
    terminated: NDArray[np.bool_]  # (L,), true ends; the horizon is the rollout's business


class Simulator(Protocol):
    """E independent episodes of one task, stepped together; no episode resets itself.

    An episode depends on its own seed and actions alone, not on the others beside it.
    """

    action_size: int
    rewards_mark_goal: bool  # a positive reward says that the goal is reached

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)`` of one new episode per seed."""

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> Step:
        """Return what actions ``(L, A)`` in [-1, 1] do in the episodes ``live``, ``(L,)``."""

    def close(self) -> None:
        """Free what the simulator holds."""


def make_simulator(task: Task) -> Simulator:
    """Return the simulator of ``task``.

    Raises:
        UserError: if this package cannot simulate the task yet.
    """
    if task.simulator == "point":
        from qipo_ray.evaluation.point import PointSimulator

        return PointSimulator(task.horizon)
    if task.simulator in GYMNASIUM:
        from qipo_ray.evaluation.gymnasium_env import GymnasiumSimulator

        return GymnasiumSimulator(task.simulator)
    from qipo_ray.evaluation.maze2d import MAZES, Maze2dSimulator

    if task.simulator in MAZES:
        return Maze2dSimulator(MAZES[task.simulator])
    allowed = ", ".join(("point", *MAZES, *GYMNASIUM))
    raise UserError(
        f"task {task.id!r} cannot be evaluated: its simulator {task.simulator!r} is not "
        f"available yet (available: {allowed})"
    )
