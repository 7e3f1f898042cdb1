"""Generated data sets for tasks that need no download: D4RL's HDF5, or OGBench's ``.npz``.

Equal arguments give equal bytes (with the same numpy, MuJoCo and HDF5). A file says that it is
generated: it is never taken for D4RL's or OGBench's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.new_file import new_file, renamed
from qipo_ray.data.tasks import GENERATORS, Task, get_task, physics
from qipo_ray.errors import UserError
from qipo_ray.evaluation.linear import linear_rows
from qipo_ray.evaluation.maze_controller import MazeDriver
from qipo_ray.evaluation.mazes import MAZES
from qipo_ray.evaluation.point_env import point_rows
from qipo_ray.evaluation.single_task_rows import single_task_rows

GENERATOR_VERSION = 1  # raise it with every change that alters the rows of a seed
# By family.
DEFAULT_ROWS = {"point": 20_000, "maze2d": 200_000, "locomotion": 100_000, "ogbench": 10_000}
_BLOCK = 10_000  # rows between two calls of ``progress``

Arrays = dict[str, NDArray[np.generic]]
Progress = Callable[[int, int], None]  # (rows made, rows asked for)


def generate(
    task_id: str,
    path: Path,
    rows: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Return ``path`` after writing the generated data set of ``task_id`` there, durably.

    Args:
        task_id: ``point``, or a task without version, such as ``maze2d-umaze``, see GENERATORS.
        path: the file; an older one is replaced in one step when the new one is whole.
        rows: transitions; None for ``DEFAULT_ROWS`` of the family.
        seed: of starts, targets and noise.
        progress: called now and then with (rows made, rows asked for).

    Raises:
        UserError: if no generator exists for the task, or ``rows`` is below 1.
    """
    task = get_task(task_id)
    if not task.has_generator:
        raise UserError(
            f"task {task_id!r} has no data generator (generated tasks: {', '.join(GENERATORS)})"
        )
    count = DEFAULT_ROWS[task.family] if rows is None else rows
    if count < 1:
        raise UserError(f"cannot generate {count} rows of {task_id!r}: at least 1 is needed")
    report = progress or (lambda _done, _total: None)
    if task.family == "ogbench":
        columns = single_task_rows(task, count, seed, report)
        with renamed(Path(path)) as whole, whole.open("xb") as archive:
            np.savez_compressed(archive, allow_pickle=False, **columns)
        return Path(path)
    if task.family == "point":
        arrays = point_rows(count, seed, task.horizon)
        report(count, count)
    elif task.family == "locomotion":
        arrays = linear_rows(task, count, seed, report)
    else:
        arrays = _maze_rows(task, count, seed, report)
    attributes: dict[str, str | int] = {
        "source": "generated",
        "task": task.id,
        "seed": seed,
        "generator": f"qipo_ray {task.simulator}",
        "version": GENERATOR_VERSION + physics(task.id) - 1,
    }
    _publish(Path(path), arrays, attributes)
    return Path(path)


def _maze_rows(task: Task, count: int, seed: int, report: Progress) -> Arrays:
    """Return one continuing trajectory; a timeout marks a sub-goal reached, as in D4RL (#85).

    ``rewards[t]`` belongs to ``observations[t]``, as D4RL's relabelling leaves it (#194). One
    thing differs from D4RL's script, which repeats the state of a timeout row in the next one.
    """
    maze = MAZES[task.simulator]
    driver = MazeDriver(maze, seed, task.horizon)
    blocks = []
    for start in range(0, count, _BLOCK):
        blocks.append(driver.rows(min(_BLOCK, count - start)))
        report(min(start + _BLOCK, count), count)
    states, actions, goals, timeouts = (
        np.concatenate([block[name] for block in blocks])
        for name in ("states", "actions", "goals", "timeouts")
    )
    return {
        "observations": states,
        "actions": actions,
        "rewards": maze.reward(states[:, :2]).astype(np.float32),
        "terminals": np.zeros(count, bool),
        "timeouts": timeouts,
        "infos/goal": goals,
        "infos/qpos": states[:, :2],
        "infos/qvel": states[:, 2:],
    }


def _publish(path: Path, arrays: Arrays, attributes: Mapping[str, str | int]) -> None:
    with new_file(path) as file:
        file.attrs.update(attributes)
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip", compression_opts=4)
