"""From a task id to its data, in one call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from qipo_ray.data import d4rl_hdf5, minari_hdf5, ogbench_file
from qipo_ray.data.hdf5 import opened
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.tasks import OwnTask, Task, get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError


def load(task: str | Task, path: str | Path | None = None) -> Dataset:
    """Return the data of a task, or of its id, from ``path`` or from where ``find_dataset`` looks.

    The layout, D4RL's, Minari's or OGBench's, is the file's own.

    Raises:
        UserError: unknown task, no file, or a file that cannot be used; the line says why.
    """
    task = get_task(task) if isinstance(task, str) else task
    data_path, obtained = find_dataset(task, path)
    return read(data_path, task, obtained=obtained)


def read(path: Path, task: Task, *, obtained: str = "other") -> Dataset:
    """Return the rows of a file; ``obtained`` says how it was found, see ``find_dataset``.

    Raises:
        UserError: one line with the file, the task and the cause: not HDF5, cut short, damaged, a
            key missing, wrong sizes or types, numbers not finite, links to other files, or
            more data declared than the file can hold.
    """
    if task.family == "ogbench" and ogbench_file.is_archive(path):
        return ogbench_file.rows(path, task, obtained)
    with opened(path, task) as file:
        if minari_hdf5.is_minari(file):
            dataset = minari_hdf5.rows(file, path, task)
        else:
            dataset = d4rl_hdf5.rows(file, path, task, obtained)
    notes = filter(None, [overlong(dataset, task)])
    dataset = replace(dataset, notes=(*dataset.notes, *notes))
    return dataset if task.own is None else _in_our_unit(dataset, task, task.own)


def _in_our_unit(dataset: Dataset, task: Task, own: OwnTask) -> Dataset:
    """Return the data of an own task with actions in [-1, 1], from the environment's unit."""
    size = dataset.actions.shape[1]
    if len(own.low) not in (1, size):
        raise UserError(
            f"data file {dataset.path}: an action has {size} number{'s' * (size != 1)}; "
            f"`actions` of task {task.id} bounds {len(own.low)}"
        )
    actions = dataset.actions
    if own.scaled:
        low, high = np.array(own.low), np.array(own.high)
        actions = (2 * (actions - low) / (high - low) - 1).astype(np.float32)
    return replace(dataset, actions=actions, own_task=task)


def overlong(dataset: Dataset, task: Task) -> str | None:
    """Return what must be said where an episode is longer than its task allows, else None.

    Then ends are missing, and steps from one episode to the next are trained on. In maze2d a
    trajectory goes on over its goals; so do OGBench's, whatever the task.
    """
    episodes = dataset.episodes
    longest = int((episodes[:, 1] - episodes[:, 0]).max())
    if task.family in ("maze2d", "ogbench") or longest <= task.horizon + 1:
        return None
    return f"the longest episode has {longest:,} rows; the task's horizon is {task.horizon:,}"
