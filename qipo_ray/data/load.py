"""From a task id to its data, in one call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qipo_ray.data import d4rl_hdf5, minari_hdf5
from qipo_ray.data.hdf5 import opened
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.tasks import Task, get_task
from qipo_ray.data.transitions import Dataset


def load(task_id: str, path: str | Path | None = None) -> Dataset:
    """Return the data of a task from ``path`` or from where ``find_dataset`` looks.

    The layout, D4RL's or Minari's, is the file's own.

    Raises:
        UserError: unknown task, no file, or a file that cannot be used; the line says why.
    """
    task = get_task(task_id)
    data_path, obtained = find_dataset(task, path)
    return read(data_path, task, obtained=obtained)


def read(path: Path, task: Task, *, obtained: str = "other") -> Dataset:
    """Return the rows of a file; ``obtained`` says how it was found, see ``find_dataset``.

    Raises:
        UserError: one line with the file, the task and the cause: not HDF5, cut short, damaged, a
            key missing, wrong sizes or types, numbers not finite, links to other files, or
            more data declared than the file can hold.
    """
    with opened(path, task) as file:
        if minari_hdf5.is_minari(file):
            dataset = minari_hdf5.rows(file, path, task)
        else:
            dataset = d4rl_hdf5.rows(file, path, task, obtained)
    notes = filter(None, [overlong(dataset, task)])
    return replace(dataset, notes=(*dataset.notes, *notes))


def overlong(dataset: Dataset, task: Task) -> str | None:
    """Return what must be said where an episode is longer than its task allows, else None.

    Then ends are missing, and steps from one episode to the next are trained on. In maze2d a
    trajectory goes on over its goals.
    """
    episodes = dataset.episodes
    longest = int((episodes[:, 1] - episodes[:, 0]).max())
    if task.family == "maze2d" or longest <= task.horizon + 1:
        return None
    return f"the longest episode has {longest:,} rows; the task's horizon is {task.horizon:,}"
