"""The table of environments: the class that each family of tasks needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from qipo_ray.data.tasks import Family, Task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.adroit import AdroitEnv
from qipo_ray.evaluation.antmaze import AntmazeEnv
from qipo_ray.evaluation.env import Env, VectorEnv
from qipo_ray.evaluation.kitchen import KitchenEnv
from qipo_ray.evaluation.locomotion import LocomotionEnv
from qipo_ray.evaluation.maze2d import Maze2dEnv
from qipo_ray.evaluation.own_env import OwnEnv
from qipo_ray.evaluation.point_env import PointVectorEnv
from qipo_ray.evaluation.single_tasks import SingleTaskEnv
from qipo_ray.evaluation.sync_vector_env import SyncVectorEnv

# Family -> what makes one environment of a task's ``simulator``; that imports heavy packages.
ENVIRONMENTS: Mapping[Family, Callable[[str], Env]] = {
    "adroit": AdroitEnv,
    "antmaze": AntmazeEnv,
    "kitchen": KitchenEnv,
    "locomotion": LocomotionEnv,
    "maze2d": Maze2dEnv,
    "ogbench": SingleTaskEnv,
}


# Departure D30: current MuJoCo, not the simulators of D4RL's package.
def make_env(task: Task) -> VectorEnv:
    """Return the environments of ``task``, stepped together.

    Raises:
        UserError: if the package that simulates the task is not installed, or if the environment
            of a user's own task cannot be made, or does not fit what its file says.
    """
    if task.family == "point":
        return PointVectorEnv(task.horizon)
    if task.own is not None:
        return SyncVectorEnv(partial(OwnEnv, task))
    try:
        return SyncVectorEnv(partial(ENVIRONMENTS[task.family], task.simulator))
    except ModuleNotFoundError as error:
        if error.name != "gymnasium_robotics":
            raise
        raise UserError(
            f"task {task.id!r} is simulated by gymnasium-robotics, which is not installed: "
            "pip install 'qipo_ray[robotics]'"
        ) from None
